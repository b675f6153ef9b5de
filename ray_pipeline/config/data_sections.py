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
    """What the run is called, and the seed of all its random choices."""

    name: ExperimentName = Field(
        default="experiment", description="Name of the run: letters, digits, '.', '_' and '-'."
    )
    seed: Seed = Field(default=0, description="Every random choice of the run is derived from it.")


class DataConfig(Section):
    """Where the symbol partitions are, and which of them the run takes."""

    data_dir: Uri = Field(
        description="Folder or fsspec URI that holds the partitions, such as s3://bucket/panel."
    )
    interval: Interval | None = Field(
        default=None, description="Bar interval, such as 5m; null: the only one on disk."
    )
    layout: Layout | None = Field(
        default=None,
        description="Pattern of the paths below data_dir, such as ticker={symbol}, "
        "{symbol}.parquet or {exchange}/{symbol}/{interval}/*.parquet; null: "
        "[interval=5m/]symbol=AAPL/.",
    )
    symbols: SymbolList = Field(
        default=(),
        description="[]: discover the symbols; a list: exactly these, and nothing is discovered.",
    )
    symbol_batch_size: Count | None = Field(
        default=None,
        description="Seeded random sample of this many discovered symbols; null: all of them.",
    )
    universe: Uri | None = Field(
        default=None,
        description="Table of symbol, from and to (Parquet or CSV): when each symbol belongs to "
        "the universe, both ends included; null: always. Further columns may be groups of "
        "columns.group.",
    )
    kind: Literal["auto", "labeled", "bars", "series"] = Field(
        default="auto",
        description="labeled, bars, series (of columns.value), or auto: series when columns.value "
        "is named, bars when no target but all five bar fields exist.",
    )
    columns: ColumnNames = Field(
        default={},
        description="Columns by role: time, time_of_day (the clock, where the time is a date), "
        "open, high, low, close, volume, symbol; value, the column that a table of a series is "
        "about. Without an entry a column is found by its role's "
        "name, the time by ts, timestamp, datetime or date; capital letters do not matter. "
        "symbol: null does not look at a symbol column.",
    )
    price_scale: Scale = Field(
        default=1.0,
        description="What open, high, low and close are multiplied by: 1e-9 for fixed-point "
        "prices in whole numbers.",
    )
    time_column: Text | None = Field(
        default=None,
        description="The same as columns.time; null: the first of ts, timestamp, datetime, date.",
    )
    time_unit: Literal["s", "ms", "us", "ns", "date"] | None = Field(
        default=None,
        description="Of times that are numbers: since 1970, or date (20240131, 202401); null: "
        "told by each file's own numbers.",
    )
    time_format: Text | None = Field(
        default=None,
        description="Of times that are text, such as '%d.%m.%Y %H:%M'; null: ISO 8601 and its kin.",
    )
    time_zone: TimeZone | None = Field(
        default=None,
        description="IANA name of the zone of times that name none, such as America/New_York; "
        "null: UTC.",
    )
    repeated_hour: Literal["rows", "first", "second"] = Field(
        default="rows",
        description="With time_zone, in the hour that comes twice: rows, whose order in a file "
        "tells; first or second, whatever the order.",
    )
    missing_hour: Literal["refuse", "shift"] = Field(
        default="refuse",
        description="With time_zone, in the hour that clocks are put forward over: refuse, or "
        "shift: as if they were put forward later.",
    )
    stamp: Literal["open", "close"] = Field(
        default="open",
        description="Whether a time is when its bar opens or closes; close moves it back by a bar.",
    )
    trading_date: bool = Field(
        default=False,
        description="Of daily and longer bars: each time is read as the date on which it falls "
        "where it was traded, at 00:00 UTC, so that exchanges share timestamps.",
    )
    duplicates: Literal["refuse", "first", "last", "drop"] = Field(
        default="refuse",
        description="Which of the rows of one time counts where they contradict each other: last "
        "or first in the order of files and rows, drop: none; refuse leaves the symbol out.",
    )
    max_rows_per_symbol: RowCount | None = Field(
        default=None, description="Keep the newest rows of each symbol; null: all of them."
    )
    min_rows_per_symbol: RowCount = Field(
        default=300, description="A symbol with fewer rows is left out, with its reason."
    )
    until: Date | None = Field(
        default=None,
        description="Rows from this date on (UTC) are left aside, as if they were not there yet; "
        "null: all are looked at. Folds and samples are then laid out for a panel that grows, so "
        "that the result is not that of files which end there.",
    )
    ticks: Literal["keep", "mask", "drop"] = Field(
        default="keep",
        description="Bars beyond any range of those around, in prices that come back at once: "
        "kept as they are, set missing, or dropped. Each is a finding either way.",
    )
    splits: Literal["keep", "adjust"] = Field(
        default="keep",
        description="Unadjusted prices before a split that a column states (Stock Splits, "
        "split_factor): kept as they are, or divided by its ratio, and the volume multiplied.",
    )
    storage_options: StorageOptions = Field(
        default={},
        description="fsspec options that are not secrets; credentials come from the environment.",
    )

    @property
    def time_name(self) -> str | None:
        """Name of the time column in the files, or None where it is one of the usual ones."""
        return self.columns.get("time") or self.time_column

    @property
    def column_names(self) -> tuple[tuple[str, str | None], ...]:
        """(role, name in the files) of the roles that the config names a column for, sorted."""
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
                "columns: value names the one column of a series, and {fields} those of bars; "
                "a table is read as one of them. Leave out value, or the others",
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
    """What the columns of a table are, by glob patterns.

    A column that matches `by_products` is a by-product even when it also matches `targets`.
    """

    targets: Choices[Text] = Field(
        default=TARGET_PATTERNS, description="Patterns of the target columns."
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
        description="Patterns of the feature columns, among the numeric ones left over.",
    )
    exclude_features: NameList = Field(
        default=(), description="Patterns of feature columns to leave out."
    )
    group: Text | None = Field(
        default=None,
        description="Column of groups, such as a sector: features, labels and skill compare a "
        "symbol with those of its group alone. Text or whole numbers in the symbols' files, or "
        "else a column of data.universe; null: all symbols are compared.",
    )
    horizons: Horizons = Field(
        default={},
        description="Target pattern to horizon, where the name does not tell it: 60m, 5d, or 12 "
        "(bars).",
    )
    tasks: Tasks = Field(
        default={},
        description="Target pattern to task, where the values do not tell it: regression, binary "
        "(0 and 1), or ordinal (at most seven whole numbers are taken for that).",
    )


class LabelingConfig(Section):
    """What is computed from bars or a series; labeled tables do not use it."""

    features: FeatureNames = Field(
        default="standard",
        description="A set (of bars standard, alpha158, intraday, cross_sectional; of a series "
        "series, which standard stands for there, and cross_sectional), a function of your "
        "own from bars or a series to columns (my_module:my_features), or a list of these and of "
        "feature names.",
    )
    targets: Choices[Text] = Field(
        default=DEFAULT_LABELS,
        description="Targets to compute; the names are the specification. The default suits "
        "daily bars: a week, a month, a barrier of one deviation. On a series it stands for "
        "targets that suit its interval.",
    )


class ValidationConfig(Section):
    """Walk-forward over time; training rows are purged by the target's horizon.

    With `test_every` and `first_test` folds begin at dates: a panel that grows gains folds, and
    those that it had stay as they were.
    """

    n_splits: int = Field(
        default=5, ge=2, le=1_000, description="Number of walk-forward test folds."
    )
    min_train_fraction: Probability = Field(
        default=0.4, description="Share of the timestamps before the first test fold."
    )
    first_test: Date | None = Field(
        default=None,
        description="Date at which the first test fold begins, in UTC; with test_every, instead of "
        "n_splits and min_train_fraction.",
    )
    test_every: FoldLength | None = Field(
        default=None,
        description="What a test fold spans: 21d (dates of the panel), 4w, 1mo, 1q, 1y, or 500b "
        "(timestamps).",
    )
    window: TrainingWindow = Field(
        default="expanding",
        description="What trains for a test fold, and for the final models: expanding, all that "
        "came before; or that much before the fold begins: 750d (dates of the panel), 156w, 36mo, "
        "12q, 3y, or 500b (timestamps).",
    )
    embargo_bars: BarCount = Field(
        default=0, description="Bars dropped before a test fold on top of the purge."
    )

    @model_validator(mode="after")
    def _folds_are_of_one_kind(self) -> Self:
        if (self.first_test is None) != (self.test_every is None):
            names = ("first_test", "test_every")
            given, other = names if self.test_every is None else names[::-1]
            raise PydanticCustomError(
                "folds",
                "{given} needs {other} beside it: both say at which dates folds begin",
                {"given": given, "other": other},
            )
        # A config that was written out has all keys: those with a default say nothing.
        counted = [
            name
            for name in ("n_splits", "min_train_fraction")
            if getattr(self, name) != type(self).model_fields[name].default
        ]
        if self.test_every is not None and counted:
            raise PydanticCustomError(
                "folds",
                "test_every and {counted} exclude each other: folds begin at dates, or are so many "
                "of what is there; leave one out",
                {"counted": " and ".join(counted)},
            )
        return self
