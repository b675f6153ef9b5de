"""A symbol's table as the stages use it: read or labeled, cleaned, dense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.panel.bars import Bars, compute_features, compute_targets
from ray_pipeline.panel.columns import column_kind
from ray_pipeline.panel.inspection import TableKind
from ray_pipeline.panel.quality import clean_rows, require_rows, to_float
from ray_pipeline.panel.reading import PartitionReader, naming_symbol
from ray_pipeline.panel.roles import BAR_FIELDS, resolve_time_column
from ray_pipeline.panel.table import SymbolTable
from ray_pipeline.records import SymbolPartition
from ray_pipeline.storage.filesystems import FileSystem

_Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]

__all__ = ["TableRequest", "labeled_table", "load_symbol_table"]


@dataclass(frozen=True, slots=True)
class TableRequest:
    """Which columns of a symbol a run uses; the same for all symbols, made of plain values.

    Attributes
    ----------
    kind
        ``labeled``: features and targets are columns. ``bars``: they are computed.
    time_column
        Name of the time column, or None for each symbol's first of the known names.
    features, targets
        Names, in the order of the matrices' columns.
    max_rows, min_rows
        Newest rows to keep (None: all), and how few are too few.
    bar_seconds, session_bars
        Length of a bar and bars of a session, which labels of bars depend on.
    """

    kind: TableKind
    time_column: str | None
    features: tuple[str, ...]
    targets: tuple[str, ...]
    max_rows: int | None
    min_rows: int
    bar_seconds: int
    session_bars: int


def load_symbol_table(
    partition: SymbolPartition, fs: FileSystem, request: TableRequest
) -> SymbolTable:
    """Read a symbol's features and targets.

    A column that this symbol does not have is missing in every row; so is every infinite cell,
    and a feature cell beyond float32.

    Returns
    -------
    SymbolTable
        Its arrays are C-contiguous and read-only, since stages share them.

    Raises
    ------
    DataError
        When the symbol cannot be used. The message names the symbol.
    StorageError
        When the storage fails.
    """
    with naming_symbol(partition.symbol):
        time_ns, columns = _read_clean(partition, fs, request)
        return _symbol_table(partition.symbol, time_ns, columns, request)


def labeled_table(
    partition: SymbolPartition,
    fs: FileSystem,
    request: TableRequest,
    table: SymbolTable | None = None,
) -> pa.Table:
    """Return a symbol with its features and targets as a table for people.

    Parameters
    ----------
    table
        What `load_symbol_table` gave for the same request, where it is at hand: then at most the
        bar fields are read.

    Returns
    -------
    pyarrow.Table
        ``ts`` (timestamp, UTC; microseconds when these hold it, else nanoseconds); for bars then
        ``open high low close volume`` (double); the features (float), the targets (double).
        Missing cells are null.

    Raises
    ------
    DataError
        When the symbol cannot be used.
    StorageError
        When the storage fails.
    """
    with naming_symbol(partition.symbol):
        if table is None or request.kind == "bars":
            time_ns, columns = _read_clean(partition, fs, request)
        if table is None:
            table = _symbol_table(partition.symbol, time_ns, columns, request)
    names, arrays = ["ts"], [_timestamps(table.time_ns)]
    if request.kind == "bars":
        names += BAR_FIELDS
        arrays += [_nullable(columns[field].astype(np.float64)) for field in BAR_FIELDS]
    names += (*table.feature_names, *table.target_names)
    arrays += [_nullable(column) for column in (*table.features.T, *table.targets.T)]
    return pa.table(arrays, names=names)


def _read_clean(
    partition: SymbolPartition, fs: FileSystem, request: TableRequest
) -> tuple[NDArray[np.int64], dict[str, _Floats]]:
    """Return the time axis and those of the columns needed that the symbol has."""
    wanted = BAR_FIELDS if request.kind == "bars" else (*request.features, *request.targets)
    with PartitionReader(partition, fs) as reader:
        types = dict(reader.columns)
        time_column = resolve_time_column(list(types), request.time_column)
        present = [name for name in wanted if name in types]
        for name in present:
            # A mixture of types is for the reader to name, with the files.
            if column_kind(types[name]) not in ("numeric", "bool", "null", "mixed"):
                raise DataError(f"column {name!r} is {types[name]}; numbers are needed.")
        if request.kind == "bars" and len(present) < len(BAR_FIELDS):
            missing = [name for name in BAR_FIELDS if name not in types]
            raise DataError(f"not bars: no column {', '.join(missing)}.")
        raw = reader.read((time_column, *present))
    table, _ = clean_rows(raw, time_column, request.max_rows)
    require_rows(table.num_rows, max(1, request.min_rows))
    time_ns = np.ascontiguousarray(table.column(time_column).to_numpy())
    return time_ns, {name: to_float(table.column(name)) for name in present}


def _symbol_table(
    symbol: str, time_ns: NDArray[np.int64], columns: dict[str, _Floats], request: TableRequest
) -> SymbolTable:
    if request.kind == "bars":
        bars = Bars(time_ns, *(columns[field].astype(np.float64) for field in BAR_FIELDS))
        computed = compute_features(bars, request.features)
        labels = compute_targets(bars, request.targets, request.bar_seconds, request.session_bars)
        columns = dict(zip(request.features, computed.T, strict=True))
        columns |= dict(zip(request.targets, labels.T, strict=True))
    features = np.full((len(time_ns), len(request.features)), np.nan, dtype=np.float32)
    targets = np.full((len(time_ns), len(request.targets)), np.nan, dtype=np.float64)
    for matrix, names in ((features, request.features), (targets, request.targets)):
        for j, name in enumerate(names):
            if name in columns:
                _set_finite(matrix, j, columns[name])
    for array in (time_ns, features, targets):
        array.flags.writeable = False
    return SymbolTable(symbol, time_ns, features, request.features, targets, request.targets)


def _set_finite(matrix: _Floats, j: int, values: _Floats) -> None:
    """Fill column `j` of `matrix`; what its type cannot hold becomes missing."""
    with np.errstate(over="ignore"):
        matrix[:, j] = values
    matrix[np.isinf(matrix[:, j]), j] = np.nan


def _timestamps(time_ns: NDArray[np.int64]) -> pa.Array:
    times = pa.array(time_ns, pa.timestamp("ns", "UTC"))
    return times if np.any(time_ns % 1_000) else times.cast(pa.timestamp("us", "UTC"))


def _nullable(values: _Floats) -> pa.Array:
    return pa.array(values, from_pandas=True)
