"""Small panels in memory, as the units of ranking, selection and training meet them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from unit_calls import call

from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.loading import TableRequest
from ray_pipeline.panel.reader import SymbolRows
from ray_pipeline.panel.table import SymbolTable
from ray_pipeline.records import SymbolPartition, TargetSpec
from ray_pipeline.samples.pool import Pool, PoolSpec, SliceSpec, assemble_pool, write_slice
from ray_pipeline.statistics.folds import walk_forward_folds

__all__ = ["MemoryReader", "make_frame", "make_table", "partition_of", "pool_of"]


class MemoryRun:
    """Tables and documents by name: the part of a run directory that these units use."""

    def __init__(self) -> None:
        self.tables: dict[str, pa.Table] = {}
        self.documents: dict[str, str] = {}

    def write_json(self, name: str, document: object) -> None:
        self.documents[name] = json.dumps(document)

    def read_json(self, name: str) -> Any:
        return json.loads(self.documents[name])

    def write_table(self, name: str, table: pa.Table) -> None:
        self.tables[name] = table

    def read_table(self, name: str) -> pa.Table:
        return self.tables[name]

    def read_tables(self, names: Iterable[str]) -> Iterator[pa.Table]:
        return map(self.read_table, names)


class MemoryReader:
    """Stands in for `PanelReader`: tables from memory, timestamps as panel positions."""

    def __init__(self, tables: Sequence[SymbolTable]) -> None:
        self.run = MemoryRun()
        self.tables = {table.symbol: table for table in tables}

    def table(self, partition: SymbolPartition, request: TableRequest) -> SymbolTable:
        del request
        return self.tables[partition.symbol]

    def rows(self, partition: SymbolPartition, frame: PanelFrame) -> SymbolRows:
        del frame
        table = self.tables[partition.symbol]
        return SymbolRows(table, table.time_ns)


def partition_of(symbol: str) -> SymbolPartition:
    return SymbolPartition(symbol, ())


def make_table(
    symbol: str,
    features: NDArray[Any],
    targets: Mapping[str, NDArray[Any]],
    positions: NDArray[np.int64] | None = None,
    names: Sequence[str] = (),
) -> SymbolTable:
    """Return a symbol whose timestamps are its panel positions, 0, 1, 2, … by default."""
    n_rows, n_features = features.shape
    return SymbolTable(
        symbol=symbol,
        time_ns=np.arange(n_rows) if positions is None else positions,
        features=np.ascontiguousarray(features, dtype=np.float32),
        feature_names=tuple(names) or tuple(f"x{j}" for j in range(n_features)),
        targets=np.column_stack([*targets.values()]).astype(np.float64),
        target_names=tuple(targets),
    )


def make_frame(
    n_timestamps: int,
    targets: Sequence[TargetSpec],
    features: Sequence[str],
    n_splits: int = 3,
    embargo: int = 0,
    seed: int = 7,
) -> PanelFrame:
    """Return a frame whose first test fold starts at 40 % of the timestamps."""
    names = tuple(target.name for target in targets)
    return PanelFrame(
        axis="axis",
        n_timestamps=n_timestamps,
        folds=walk_forward_folds(n_timestamps, n_splits, 0.4),
        embargo=embargo,
        request=TableRequest("labeled", "ts", tuple(features), names, None, 1, 86_400, 1),
        targets=tuple(targets),
        seed=seed,
    )


def pool_of(
    reader: MemoryReader, frame: PanelFrame, n_sampled: int | None = None
) -> tuple[Pool, tuple[str, ...]]:
    """Return the pool of all symbols, made as a run makes it, and the names of its slices."""
    n_sampled = n_sampled or frame.n_timestamps
    state: Any = reader
    symbols = tuple(sorted(reader.tables))
    slices = tuple(
        call(write_slice, state, SliceSpec(partition_of(symbol), frame, n_sampled))["table"]
        for symbol in symbols
    )
    return assemble_pool(state, PoolSpec(symbols, slices, frame, n_sampled)), slices
