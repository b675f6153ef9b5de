"""What a run works on: the data, its columns, their labels and folds."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from ray_pipeline.config.fields import (
    BarCount,
    Choices,
    ColumnNames,
    Count,
    ExperimentName,
    FeatureNames,
    Horizons,
    Interval,
    Layout,
    NameList,
    Probability,
    RowCount,
    Scale,
    Seed,
    StorageOptions,
    SymbolList,
    Tasks,
    Text,
    TimeZone,
    Uri,
)
from ray_pipeline.config.fold_fields import Date, FoldLength, TrainingWindow
from ray_pipeline.config.section import Section
from ray_pipeline.records import BAR_FIELDS, DEFAULT_LABELS, TARGET_PATTERNS, VALUE

__all__ = [
    "ColumnsConfig",
    "DataConfig",
    "ExperimentSection",
    "LabelingConfig",
    "ValidationConfig",
]

_BY_PRODUCTS = (
    "p_up* p_down* barrier_* vol_at_t_* tth_* hit_* max_return_* min_return_* mfe_share_* "
    "time_in_profit_* flipcount_* zigzag_* next_* future_*"
)


class ExperimentSection(Section):
    """The name of the run, and the seed of all its random choices."""

    name: ExperimentName = Field(
        default="experiment", description="Name of the run: letters, digits, '.', '_' and '-'."
    )
    seed: Seed = Field(
        default=0, description="Seed from which every random choice of the run is derived."
    )


class DataConfig(Section):
    """Where the symbol partitions are, and which of them the run uses."""

    data_dir: Uri = Field(
        description="Folder or fsspec URI with the partitions, e.g. s3://bucket/panel."
    )
    interval: Interval | None = Field(
        default=None, description="Bar interval, e.g. 5m; null: the only one there is."
    )
    layout: Layout | None = Field(
        default=None,
        description="Pattern of the paths below data_dir, e.g. ticker={symbol}, "
        "{symbol}.parquet or {exchange}/{symbol}/{interval}/*.parquet; null: "
        "[interval=5m/]symbol=AAPL/.",
    )
    symbols: SymbolList = Field(
        default=(),
        description="[]: discover the symbols; a list: exactly these, without discovery.",
    )
    symbol_batch_size: Count | None = Field(
        default=None,
        description="Seeded random sample of this many discovered symbols; null: all of them.",
    )
    universe: Uri | None = Field(
        default=None,
        description="Table of symbol, from and to (Parquet or CSV): when each symbol belongs to "
        "the universe, both dates included; null: always. Further columns may be used by "
        "columns.group.",
    )
    kind: Literal["auto", "labeled", "bars", "series"] = Field(
        default="auto",
        description="labeled, bars, series (of columns.value), or auto: series when columns.value "
        "is set, bars when all five bar fields and no targets exist.",
    )
    columns: ColumnNames = Field(
        default={},
        description="Columns by role: time, time_of_day (the time of day, if time is a date), "
        "open, high, low, close, volume, symbol; value, the column of a series. Without an entry, "
        "a column is found by its role's name, and the time by ts, timestamp, datetime or date; "
        "case does not matter. symbol: null ignores a symbol column.",
    )
    price_scale: Scale = Field(
        default=1.0,
        description="Factor for open, high, low and close: 1e-9 for fixed-point "
        "prices in whole numbers.",
    )
    time_column: Text | None = Field(
        default=None,
        description="The same as columns.time; null: the first of ts, timestamp, datetime, date.",
    )
    time_unit: Literal["s", "ms", "us", "ns", "date"] | None = Field(
        default=None,
        description="Unit of numeric times since 1970, or date (20240131, 202401); null: detected "
        "from each file's numbers.",
    )
    time_format: Text | None = Field(
        default=None,
        description="Format of times that are text, e.g. '%d.%m.%Y %H:%M'; null: ISO 8601 and "
        "similar formats.",
    )
    time_zone: TimeZone | None = Field(
        default=None,
        description="IANA time zone of times that name none, e.g. America/New_York; null: UTC.",
    )
    repeated_hour: Literal["rows", "first", "second"] = Field(
        default="rows",
        description="With time_zone, for the hour that occurs twice: rows decides by their order "
        "in a file; first or second regardless of the order.",
    )
    missing_hour: Literal["refuse", "shift"] = Field(
        default="refuse",
        description="With time_zone, for the hour that is skipped when clocks go forward: refuse, "
        "or shift, as if they went forward later.",
    )
    stamp: Literal["open", "close"] = Field(
        default="open",
        description="Whether a time marks when its bar opens or closes; close moves it back by a "
        "bar.",
    )
    trading_date: bool = Field(
        default=False,
        description="For daily and longer bars: read each time as its local trading date, at 00:00 "
        "UTC, so that exchanges share timestamps.",
    )
    duplicates: Literal["refuse", "first", "last", "drop"] = Field(
        default="refuse",
        description="Which row counts if rows of one time contradict each other: last or first in "
        "the order of files and rows; drop: none of them; refuse leaves the symbol out.",
    )
    max_rows_per_symbol: RowCount | None = Field(
        default=None, description="Keep the newest rows of each symbol; null: all of them."
    )
    min_rows_per_symbol: RowCount = Field(
        default=300, description="A symbol with fewer rows is left out, with a reason."
    )
    until: Date | None = Field(
        default=None,
        description="Ignore rows from this date on (UTC), as if they did not exist yet; null: use "
        "all rows. Folds and samples are then laid out for a growing panel, so the result "
        "differs from that of files which end there.",
    )
    ticks: Literal["keep", "mask", "drop"] = Field(
        default="keep",
        description="Bars far outside the range of their neighbours, with prices that return at "
        "once: keep them, mask them as missing, or drop them. Each is reported either way.",
    )
    splits: Literal["keep", "adjust"] = Field(
        default="keep",
        description="Unadjusted prices before a split that a column states (Stock Splits, "
        "split_factor): keep them, or adjust: divide prices by the ratio and multiply the volume.",
    )
    storage_options: StorageOptions = Field(
        default={},
        description="fsspec options that are not secrets; credentials come from the environment.",
    )

    @property
    def time_name(self) -> str | None:
        """Name of the time column in the files, or None if it is one of the usual ones."""
        return self.columns.get("time") or self.time_column

    @property
    def column_names(self) -> tuple[tuple[str, str | None], ...]:
        """Sorted pairs (role, name in the files) of the columns that the config names."""
        named: dict[str, str | None] = {
            role: name for role, name in self.columns.items() if name or role == "symbol"
        }
        if self.time_name is not None:
            named["time"] = self.time_name
        return tuple(sorted(named.items()))

    @model_validator(mode="after")
    def _columns_are_distinct(self) -> Self:
        time = self.columns.get("time")
        if None not in (time, self.time_column) and time != self.time_column:
            raise PydanticCustomError(
                "columns",
                "time_column ({time_column}) and columns.time ({time}) name different columns; "
                "leave one of them out",
                {"time_column": self.time_column, "time": time},
            )
        roles: dict[str, str] = {}
        for role, name in self.column_names:
            if name is not None and roles.setdefault(name, role) != role:
                raise PydanticCustomError(
                    "columns",
                    "columns: {first} and {second} are both {name}; a column has one role",
                    {"first": roles[name], "second": role, "name": repr(name)},
                )
        return self

    @model_validator(mode="after")
    def _value_has_no_bars_beside_it(self) -> Self:
        named = dict(self.column_names)
        if VALUE not in named:
            return self
        fields = [field for field in BAR_FIELDS if field in named]
        if fields:
            raise PydanticCustomError(
                "columns",
                "columns: value names the column of a series, and {fields} those of bars; a table "
                "can only be one of them. Leave out value, or the others",
                {"fields": ", ".join(fields)},
            )
        if self.kind not in ("auto", "series"):
            raise PydanticCustomError(
                "columns",
                "columns.value is for a series, and kind is {kind}; leave out value, or set "
                "kind: series",
                {"kind": self.kind},
            )
        return self

    @model_validator(mode="after")
    def _rows_are_possible(self) -> Self:
        if (
            self.max_rows_per_symbol is not None
            and self.max_rows_per_symbol < self.min_rows_per_symbol
        ):
            raise PydanticCustomError(
                "rows",
                "max_rows_per_symbol ({most}) is below min_rows_per_symbol ({least}), so every "
                "symbol would be left out; raise the first or lower the second",
                {"most": self.max_rows_per_symbol, "least": self.min_rows_per_symbol},
            )
        return self


class ColumnsConfig(Section):
    """Roles of a table's columns, by glob patterns.

    A column that matches `by_products` is a by-product even when it also matches `targets`.
    """

    targets: Choices[Text] = Field(
        default=TARGET_PATTERNS,
        description="Patterns of the target columns of labeled tables; those of bars and series "
        "are in labeling.targets.",
    )
    exclude_targets: NameList = Field(
        default=(), description="Patterns of target columns to leave out."
    )
    by_products: NameList = Field(
        default=tuple(_BY_PRODUCTS.split()),
        description="Patterns of columns that know the future but are not targets: never a "
        "feature; they win over targets (mfe_share_* over mfe_*).",
    )
    features: Choices[Text] = Field(
        default=("*",),
        description="Patterns of the feature columns, among the remaining numeric columns.",
    )
    exclude_features: NameList = Field(
        default=(), description="Patterns of feature columns to leave out."
    )
    group: Text | None = Field(
        default=None,
        description="Column of groups, e.g. a sector: features, labels and skill compare a symbol "
        "only with those of its group. Text or whole numbers in the symbols' files, or else a "
        "column of data.universe; null: compare all symbols.",
    )
    horizons: Horizons = Field(
        default={},
        description="Horizon by target pattern, if the name does not give it: 60m, 5d, or 12 "
        "(bars).",
    )
    tasks: Tasks = Field(
        default={},
        description="Task by target pattern, if the values do not show it: regression, binary (0 "
        "and 1), or ordinal (the default for at most seven whole numbers).",
    )


class LabelingConfig(Section):
    """Features and targets to compute from bars or a series; not used for labeled tables."""

    features: FeatureNames = Field(
        default="standard",
        description="A set (for bars standard, alpha158, intraday, cross_sectional; for a series "
        "series, also called standard there, and cross_sectional), your own function from bars "
        "or a series to columns (my_module:my_features), or a list of these and of "
        "feature names.",
    )
    targets: Choices[Text] = Field(
        default=DEFAULT_LABELS,
        description="Targets to compute; the names are the specification. The default suits daily "
        "bars: a week, a month, and a barrier of one deviation. For a series, it means targets "
        "that suit the interval.",
    )


class ValidationConfig(Section):
    """Walk-forward over time; training rows are purged by the target's horizon.

    With `test_every` and `first_test`, folds begin at dates: a growing panel gains folds, and the
    existing ones do not change.
    """

    n_splits: int = Field(
        default=5, ge=2, le=1_000, description="Number of walk-forward test folds."
    )
    min_train_fraction: Probability = Field(
        default=0.4, description="Share of the timestamps before the first test fold."
    )
    first_test: Date | None = Field(
        default=None,
        description="Start date of the first test fold, in UTC; used with test_every, instead of "
        "n_splits and min_train_fraction.",
    )
    test_every: FoldLength | None = Field(
        default=None,
        description="Length of a test fold: 21d (dates of the panel), 4w, 1mo, 1q, 1y, or 500b "
        "(timestamps).",
    )
    window: TrainingWindow = Field(
        default="expanding",
        description="Training window of a test fold and of the final models: expanding, everything "
        "before; or only this much before the fold begins: 750d (dates of the panel), 156w, "
        "36mo, "
        "12q, 3y, or 500b (timestamps).",
    )
    embargo_bars: BarCount = Field(
        default=0, description="Bars dropped before a test fold, in addition to the purge."
    )

    @model_validator(mode="after")
    def _folds_are_of_one_kind(self) -> Self:
        if (self.first_test is None) != (self.test_every is None):
            names = ("first_test", "test_every")
            given, other = names if self.test_every is None else names[::-1]
            raise PydanticCustomError(
                "folds",
                "{given} needs {other} as well: together they set the dates at which folds begin",
                {"given": given, "other": other},
            )
        # A config that was written out has all keys: those at their default mean nothing.
        counted = [
            name
            for name in ("n_splits", "min_train_fraction")
            if getattr(self, name) != type(self).model_fields[name].default
        ]
        if self.test_every is not None and counted:
            raise PydanticCustomError(
                "folds",
                "test_every and {counted} exclude each other: folds are set either by dates or by "
                "number; leave one out",
                {"counted": " and ".join(counted)},
            )
        return self
