"""A symbol's table for the stages: read or labeled, cleaned, dense."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.bars import Bars, compute_targets
from ray_pipeline.errors import ConfigError, DataError
from ray_pipeline.groups import RowGroups
from ray_pipeline.intervals import Interval
from ray_pipeline.panel.blocks import clean_blocks
from ray_pipeline.panel.column_reader import ColumnReader
from ray_pipeline.panel.columns import column_kind
from ray_pipeline.panel.computed import asked_for, computed_features
from ray_pipeline.panel.cross_section import CrossSection, is_cross_sectional
from ray_pipeline.panel.cross_section.joining import joined, read_columns_of
from ray_pipeline.panel.inspection import TableKind
from ray_pipeline.panel.membership import labelled_inside
from ray_pipeline.panel.memory_table import TableReader
from ray_pipeline.panel.mended_bars import mend_bars, split_column
from ray_pipeline.panel.newest_flaws import newest_flaws
from ray_pipeline.panel.quality import require_rows, within_range
from ray_pipeline.panel.reading import PartitionReader, naming_symbol
from ray_pipeline.panel.reading_rules import AS_THEY_ARE, ReadingRules
from ray_pipeline.panel.roles import fields_of, resolve_time_column
from ray_pipeline.panel.row_groups import groups_of_rows
from ray_pipeline.panel.table import SymbolTable
from ray_pipeline.records import BAR_FIELDS, VALUE, GroupSpans, SymbolPartition
from ray_pipeline.series import ValueSeries, compute_series_targets
from ray_pipeline.storage import RunDirectory
from ray_pipeline.storage.filesystems import FileSystem
from ray_pipeline.user_code.features import FeatureFunction

_Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]

__all__ = [
    "TableRequest",
    "labeled_table",
    "load_symbol_table",
    "rows_read",
    "symbol_table_of",
]


@dataclass(frozen=True, slots=True)
class TableRequest:
    """Which columns of a symbol a run uses; the same for all symbols, made of plain values.

    Attributes
    ----------
    kind
        ``labeled``: features and targets are columns. ``bars``, ``series``: they are computed.
    time_column
        Name of the time column, or None for each symbol's first of the known names.
    features, targets
        Names, in the order of the matrices' columns.
    max_rows, min_rows
        Newest rows to keep (None: all), and the minimum number.
    bar_seconds, session_bars
        Length of a bar, and bars of a session of most symbols.
    cross_section
        Where cross-sectional columns are stored, None if there are none.
    functions
        User-defined functions that compute features of bars or a series.
    rules
        How the files are read.
    own_columns
        The files' own feature columns; functions may read them whether or not they are in
        ``features``.
    bar_months
        Length of a bar in months, 0 where it is one of seconds.
    group
        Name of the groups within which symbols are compared; None: all are.
    unknown_labels
        (target, rows) of labeled tables cut at a date: the number of newest labels that look beyond
        it.
    since_ns
        Row groups without a row from this time on are not read; None: all are. Only for labeled
        tables, whose rows are independent.
    judged_ns
        Bars from this time on are checked for faults; None: none are.
    """

    kind: TableKind
    time_column: str | None
    features: tuple[str, ...]
    targets: tuple[str, ...]
    max_rows: int | None
    min_rows: int
    bar_seconds: int
    session_bars: int
    cross_section: CrossSection | None = None
    functions: tuple[FeatureFunction, ...] = ()
    rules: ReadingRules = AS_THEY_ARE
    own_columns: tuple[str, ...] = ()
    bar_months: int = 0
    group: str | None = None
    unknown_labels: tuple[tuple[str, int], ...] = ()
    since_ns: int | None = None
    judged_ns: int | None = None

    @property
    def interval(self) -> Interval:
        """Length of a bar."""
        return Interval(self.bar_months, "mo") if self.bar_months else Interval(self.bar_seconds)


def load_symbol_table(
    partition: SymbolPartition,
    fs: FileSystem,
    request: TableRequest,
    run: RunDirectory | None = None,
) -> SymbolTable:
    """Read a symbol's features and targets.

    A column that this symbol lacks is missing in every row; so is every cell beyond
    `LARGEST_VALUE`, and every label of a row outside the symbol's membership.

    Parameters
    ----------
    run
        Where cross-sectional columns are stored, if the request has any.

    Returns
    -------
    SymbolTable
        Its arrays are C-contiguous and read-only, because stages share them.

    Raises
    ------
    DataError
        When the symbol cannot be used. The message names the symbol.
    StorageError
        When the storage fails.
    ConfigError
        When requested cross-sectional columns were not computed.
    """
    with naming_symbol(partition.symbol), PartitionReader(partition, fs, request.rules) as reader:
        table = _load(partition.symbol, reader, request, run)
        table = _grouped(table, reader, partition.groups, request)
        table = replace(table, n_bytes_read=reader.n_bytes_read)
    return labelled_inside(table, partition.membership)


def _grouped(
    table: SymbolTable, reader: ColumnReader, spans: GroupSpans | None, request: TableRequest
) -> SymbolTable:
    """Return the table with the group of each row, if groups are needed."""
    return replace(table, groups=_groups_at(table.time_ns, reader, spans, request))


def _groups_at(
    time_ns: NDArray[np.int64],
    reader: ColumnReader,
    spans: GroupSpans | None,
    request: TableRequest,
) -> RowGroups | None:
    if request.group is None:
        return None
    time = resolve_time_column([name for name, _ in reader.columns], request.time_column)
    return groups_of_rows(reader, spans, request.group, time, time_ns, request.rules)


def symbol_table_of(table: pa.Table, symbol: str, request: TableRequest) -> SymbolTable:
    """Like `load_symbol_table`, for a table in memory.

    Parameters
    ----------
    table
        Rows of one symbol: labeled, bars, or a series.

    Raises
    ------
    DataError
        When it cannot be used. The message names the symbol.
    """
    with naming_symbol(symbol):
        reader = TableReader(table, request.rules)
        return _grouped(_load(symbol, reader, request, None), reader, None, request)


def labeled_table(
    partition: SymbolPartition,
    fs: FileSystem,
    request: TableRequest,
    table: SymbolTable | None = None,
    run: RunDirectory | None = None,
) -> pa.Table:
    """Return a symbol with its features and targets as a table for people.

    Parameters
    ----------
    table
        The result of `load_symbol_table` for the same request, if available: then at most the bar
        fields, or the value, are read.
    run
        Where the cross-sectional columns are, if the request has such and `table` is not given.

    Returns
    -------
    pyarrow.Table
        ``ts`` (timestamp, UTC; microseconds when these hold it, else nanoseconds); for bars then
        ``open high low close volume`` (double), for a series ``value``; the features (float), the
        targets (double); the groups (string), if the request has such. Missing cells are null.

    Raises
    ------
    DataError
        When the symbol cannot be used.
    StorageError
        When the storage fails.
    """
    names, arrays = ["ts"], []
    if request.kind != "labeled":
        reading = PartitionReader(partition, fs, request.rules)
        with naming_symbol(partition.symbol), reading as reader:
            given = _read_given(reader, request)
            if table is None:
                labeled = _computed(partition.symbol, given, request, run)
                labeled = _grouped(labeled, reader, partition.groups, request)
                table = labelled_inside(labeled, partition.membership)
        fields = fields_of(request.kind)
        names += fields
        arrays += [_nullable(getattr(given, field)) for field in fields]
    elif table is None:
        table = load_symbol_table(partition, fs, request, run)
    names += (*table.feature_names, *table.target_names)
    arrays += [_nullable(column) for column in (*table.features.T, *table.targets.T)]
    if request.group is not None and table.groups is not None:
        names.append(request.group)
        arrays.append(table.groups.to_arrow().cast(pa.string()))
    return pa.table([_timestamps(table.time_ns), *arrays], names=names)


def rows_read(
    partition: SymbolPartition, fs: FileSystem, request: TableRequest
) -> tuple[NDArray[np.int64], dict[str, _Floats], RowGroups | None]:
    """Return the raw parts of a table: times, columns by name, and groups.

    Raises
    ------
    DataError, StorageError
        As `load_symbol_table`.
    """
    with naming_symbol(partition.symbol), PartitionReader(partition, fs, request.rules) as reader:
        columns: dict[str, _Floats]
        if request.kind == "labeled":
            table = _load(partition.symbol, reader, request, None)
            time_ns = table.time_ns
            names = (*table.feature_names, *table.target_names)
            columns = dict(zip(names, (*table.features.T, *table.targets.T), strict=True))
        else:
            given = _read_given(reader, request)
            time_ns = given.time_ns
            own = {name: getattr(given, name) for name in fields_of(request.kind)}
            columns = own | dict(given.columns)
        return time_ns, columns, _groups_at(time_ns, reader, partition.groups, request)


def _load(
    symbol: str, reader: ColumnReader, request: TableRequest, run: RunDirectory | None
) -> SymbolTable:
    if request.kind != "labeled":
        given = _read_given(reader, request)
        table = _computed(symbol, given, request, run)
        if request.judged_ns is None or not isinstance(given, Bars):
            return table
        return replace(table, flaws=newest_flaws(given, request.judged_ns))
    time_ns, features, targets = _read_clean(reader, request, request.features, request.targets)
    for name, n_rows in request.unknown_labels:
        if name in request.targets:
            targets[max(len(targets) - n_rows, 0) :, request.targets.index(name)] = np.nan
    return _symbol_table(symbol, time_ns, features, targets, request)


def _read_given(reader: ColumnReader, request: TableRequest) -> Bars | ValueSeries:
    """Read the input of features and targets."""
    wanted = set(request.own_columns)
    if not asked_for(request.functions, request.features):
        wanted &= set(request.features)
    beside = [name for name in request.own_columns if name in wanted]
    if request.kind == "bars":
        return _read_bars(reader, request, beside)
    time_ns, _, cells = _read_clean(reader, request, (), (VALUE, *beside))
    value, *others = np.ascontiguousarray(cells.T)
    return ValueSeries(time_ns, value, dict(zip(beside, others, strict=True)))


def _read_bars(reader: ColumnReader, request: TableRequest, beside: Sequence[str]) -> Bars:
    splits = split_column(reader.columns)
    stated = [] if splits is None or splits in beside else [splits]
    time_ns, _, cells = _read_clean(reader, request, (), (*BAR_FIELDS, *beside, *stated))
    named = dict(zip((*beside, *stated), cells.T[len(BAR_FIELDS) :], strict=True))
    prices = np.ascontiguousarray(cells[:, : len(BAR_FIELDS)])
    is_kept, _ = mend_bars(
        time_ns, prices, None if splits is None else named[splits], request.rules
    )
    require_rows(int(is_kept.sum()), max(1, request.min_rows))
    fields = np.ascontiguousarray(prices[is_kept].T)
    others = {name: np.ascontiguousarray(named[name][is_kept]) for name in beside}
    opened, high, low, close, volume = fields
    return Bars(time_ns[is_kept], opened, high, low, close, volume, others)


def _read_clean(
    reader: ColumnReader,
    request: TableRequest,
    singles: Sequence[str],
    doubles: Sequence[str],
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float64]]:
    """Return the time axis, and columns as a matrix of float32 and one of float64."""
    types = dict(reader.columns)
    time_column = resolve_time_column(list(types), request.time_column)
    present = [name for name in (*singles, *doubles) if name in types]
    for name in present:
        # The reader reports mixed types, with the files.
        if column_kind(types[name]) not in ("numeric", "bool", "null", "mixed"):
            raise DataError(f"column {name!r} is {types[name]}; numbers are needed.")
    missing = [name for name in fields_of(request.kind) if name not in types]
    if missing:
        what = "bars" if request.kind == "bars" else "a series"
        raise DataError(f"not {what}: no column {', '.join(missing)}.")
    if request.since_ns is not None and isinstance(reader, PartitionReader):
        reader.leave_out_before(time_column, request.since_ns)
    plan, blocks = clean_blocks(reader, time_column, present, request.max_rows, request.rules)
    single = np.full((plan.n_kept, len(singles)), np.nan, dtype=np.float32)
    double = np.full((plan.n_kept, len(doubles)), np.nan, dtype=np.float64)
    for block in blocks:
        block.write(single, singles)
        block.write(double, doubles)
        del block  # before the next is read
    require_rows(plan.n_kept, max(1, request.min_rows))
    return plan.time_ns, single, double


def _computed(
    symbol: str, given: Bars | ValueSeries, request: TableRequest, run: RunDirectory | None
) -> SymbolTable:
    """Compute features and targets."""
    own_features = [name for name in request.features if not is_cross_sectional(name)]
    own_targets = [name for name in request.targets if not is_cross_sectional(name)]
    features = computed_features(given, own_features, request.functions, request.interval)
    if isinstance(given, Bars):
        labels = compute_targets(given, own_targets, request.interval)
    else:
        labels = compute_series_targets(given, own_targets, request.interval)
    targets = within_range(labels, np.float64)
    of_batch = [*filter(is_cross_sectional, (*request.features, *request.targets))]
    if of_batch:
        if request.cross_section is None or run is None:
            raise ConfigError(
                f"{', '.join(of_batch)}: these columns compare a symbol with its batch, and were "
                "not computed. Call compute_cross_section first."
            )
        others = read_columns_of(symbol, given.time_ns, of_batch, request.cross_section, run)
        features = joined(request.features, own_features, features, others)
        targets = joined(request.targets, own_targets, targets, others)
    return _symbol_table(symbol, given.time_ns, features, targets, request)


def _symbol_table(
    symbol: str,
    time_ns: NDArray[np.int64],
    features: NDArray[np.float32],
    targets: NDArray[np.float64],
    request: TableRequest,
) -> SymbolTable:
    for array in (time_ns, features, targets):
        array.flags.writeable = False
    return SymbolTable(symbol, time_ns, features, request.features, targets, request.targets)


def _timestamps(time_ns: NDArray[np.int64]) -> pa.Array:
    times = pa.array(time_ns, pa.timestamp("ns", "UTC"))
    return times if np.any(time_ns % 1_000) else times.cast(pa.timestamp("us", "UTC"))


def _nullable(values: _Floats) -> pa.Array:
    return pa.array(values, from_pandas=True)
