"""The pooled panel: sampled timestamps of all symbols in one float32 matrix, shared once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.execution.artifacts import table_name
from ray_pipeline.groups import RowGroups
from ray_pipeline.panel.frame import PanelFrame, derive_seed
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.records import Horizon, SymbolPartition
from ray_pipeline.statistics.cells import cells_of

__all__ = [
    "Pool",
    "PoolSpec",
    "SliceSpec",
    "assemble_pool",
    "count_samples",
    "growing_positions",
    "row_groups_of",
    "sample_positions",
    "stretch_of_samples",
    "write_slice",
]

Ints = NDArray[np.int64]

STRETCH_STEP = 1.25
"""Growth of a panel that changes which of its timestamps are sampled, and all that is made of them:
a smaller one keeps closer to the rows allowed, and does the whole work again more often."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Rows of all symbols, sorted by position and then by symbol.

    Attributes
    ----------
    symbols, feature_names, target_names, horizons
        What the numbers below refer to.
    positions
        Panel position of each row, shape (n_rows,).
    cells
        What each row is compared within, shape (n_rows,): see `Design`.
    symbol_index
        Index into `symbols`, shape (n_rows,).
    X
        Features, float32, NaN = missing, shape (n_rows, n_features).
    Y
        Labels, NaN = missing, shape (n_rows, n_targets).
    label_ends
        Last position a label of each horizon saw, shape (n_rows, n_horizons).
    spacing
        Panel positions per sampled timestamp.
    groups
        Group of each row; None where all symbols of a timestamp are compared with each other.
    """

    symbols: tuple[str, ...]
    feature_names: tuple[str, ...]
    target_names: tuple[str, ...]
    horizons: tuple[Horizon, ...]
    positions: Ints
    cells: Ints
    symbol_index: NDArray[np.int32]
    X: NDArray[np.float32]
    Y: NDArray[np.float64]
    label_ends: Ints
    spacing: float
    groups: RowGroups | None = None

    def target(self, name: str) -> NDArray[np.float64]:
        """Labels of one target, shape (n_rows,)."""
        return self.Y[:, self.target_names.index(name)]

    def ends(self, horizon: Horizon) -> Ints:
        """Last position seen by labels of that horizon, shape (n_rows,)."""
        return self.label_ends[:, self.horizons.index(horizon)]


@dataclass(frozen=True, slots=True)
class SliceSpec:
    """One symbol's rows of the pool; `stretch` is of `growing_positions`, None of other panels."""

    partition: SymbolPartition
    frame: PanelFrame
    n_sampled: int
    stretch: float | None = None


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """The pool from the slices that were written for it, in symbol order."""

    symbols: tuple[str, ...]
    tables: tuple[str, ...]
    frame: PanelFrame
    n_sampled: int
    stretch: float | None = None


def count_samples(rows_per_position: NDArray[np.int64], max_rows: int, seed: int) -> int:
    """Return how many timestamps to sample so that their rows stay within `max_rows`.

    Parameters
    ----------
    rows_per_position
        Symbols at each panel position, shape (n_timestamps,).
    """
    n_timestamps = len(rows_per_position)
    n_sampled = n_timestamps
    while n_sampled > 1:
        rows = int(rows_per_position[sample_positions(n_timestamps, n_sampled, seed)].sum())
        if rows <= max_rows:
            break
        n_sampled = max(1, min(n_sampled - 1, int(n_sampled * max_rows / rows)))
    return n_sampled


def sample_positions(n_timestamps: int, n_sampled: int, seed: int) -> Ints:
    """Sample whole timestamps: one at random from each of `n_sampled` equal stretches of time.

    Even spacing keeps the overlap of labels uniform; the random place within a stretch keeps
    the sample from always meeting the same hour of the day.

    Returns
    -------
    ndarray
        Sorted positions, shape (n_sampled,).
    """
    if n_sampled >= n_timestamps:
        return np.arange(n_timestamps)
    edges = np.arange(n_sampled + 1) * n_timestamps // n_sampled
    generator = np.random.default_rng(derive_seed(seed, "pool", "timestamps"))
    return edges[:-1] + (generator.random(n_sampled) * np.diff(edges)).astype(np.int64)


def stretch_of_samples(rows_per_position: NDArray[np.int64], max_rows: int, seed: int) -> float:
    """Return how long stretches are of which each gives a timestamp, in a panel that grows.

    It is a power of `STRETCH_STEP`, so that it stays the same until the panel has grown by a
    quarter; see `count_samples` for the parameters.
    """
    stretch = 1.0
    while stretch < len(rows_per_position):
        taken = growing_positions(len(rows_per_position), stretch, seed)
        if int(rows_per_position[taken].sum()) <= max_rows:
            break
        stretch *= STRETCH_STEP
    return stretch


def growing_positions(n_timestamps: int, stretch: float, seed: int) -> Ints:
    """Sample whole timestamps as `sample_positions` does, but so that later ones change none.

    Stretches are counted from the first timestamp, whatever the last is.

    Examples
    --------
    >>> one, longer = growing_positions(50, 2.5, 7), growing_positions(80, 2.5, 7)
    >>> np.array_equal(one, longer[longer < 50])
    True
    """
    if stretch <= 1.0:
        return np.arange(n_timestamps)
    edges = (np.arange(math.ceil(n_timestamps / stretch) + 1) * stretch).astype(np.int64)
    generator = np.random.default_rng(derive_seed(seed, "pool", "timestamps"))
    found = edges[:-1] + (generator.random(len(edges) - 1) * np.diff(edges)).astype(np.int64)
    return found[found < n_timestamps]


def write_slice(reader: PanelReader, spec: SliceSpec) -> dict[str, Any]:
    """Write one symbol's sampled rows to the run directory (unit function)."""
    frame = spec.frame
    rows = reader.rows(spec.partition, frame)
    if spec.stretch is None:
        sampled = sample_positions(frame.n_timestamps, spec.n_sampled, frame.seed)
    else:
        sampled = growing_positions(frame.n_timestamps, spec.stretch, frame.seed)
    kept = np.isin(rows.positions, sampled, assume_unique=True)
    if rows.is_member is not None:
        kept &= rows.is_member
    columns: dict[str, Any] = {"position": rows.positions[kept]}
    if rows.table.groups is not None:
        columns["group"] = rows.table.groups.at(kept).to_arrow()
    for horizon in _horizons(frame):
        columns[f"end_{horizon}"] = rows.label_ends(horizon)[kept]
    for j in range(len(frame.request.features)):
        columns[f"x_{j}"] = rows.table.features[kept, j]
    for j in range(len(frame.request.targets)):
        columns[f"y_{j}"] = rows.table.targets[kept, j]
    name = table_name("rows")
    reader.run.write_table(name, pa.table(columns))
    return {"table": name, "n_rows": int(kept.sum())}


def assemble_pool(reader: PanelReader, spec: PoolSpec) -> Pool:
    """Join the slices into one pool, kept in the executor's memory (shared unit)."""
    frame = spec.frame
    tables = list(reader.run.read_tables(spec.tables))
    counts = [table.num_rows for table in tables]
    positions = np.concatenate([table.column("position").to_numpy() for table in tables])
    symbol_index = np.repeat(np.arange(len(tables), dtype=np.int32), counts)
    order = np.lexsort((symbol_index, positions))
    positions = cells = positions[order]
    groups = None
    if frame.request.group is not None:
        groups = RowGroups.joined([row_groups_of(table) for table in tables]).at(order)
        cells = cells_of(positions, groups.codes)
    destination = np.empty_like(order)
    destination[order] = np.arange(len(order))
    horizons = _horizons(frame)
    n_features, n_targets = len(frame.request.features), len(frame.request.targets)
    X = np.empty((len(order), n_features), dtype=np.float32)
    Y = np.empty((len(order), n_targets))
    label_ends = np.empty((len(order), len(horizons)), dtype=np.int64)
    start = 0
    for table, count in zip(tables, counts, strict=True):
        rows = destination[start : start + count]
        start += count
        _scatter(table, "x", range(n_features), X, rows)
        _scatter(table, "y", range(n_targets), Y, rows)
        _scatter(table, "end", horizons, label_ends, rows)
    return Pool(
        symbols=spec.symbols,
        feature_names=frame.request.features,
        target_names=frame.request.targets,
        horizons=horizons,
        positions=positions,
        cells=cells,
        symbol_index=symbol_index[order],
        X=X,
        Y=Y,
        label_ends=label_ends,
        spacing=spec.stretch or frame.n_timestamps / min(spec.n_sampled, frame.n_timestamps),
        groups=groups,
    )


def row_groups_of(slice_table: pa.Table) -> RowGroups:
    """Return the groups of a slice's rows."""
    return RowGroups.from_column(slice_table.column("group"), "the group of a row")


def _horizons(frame: PanelFrame) -> tuple[Horizon, ...]:
    return tuple(sorted({target.horizon for target in frame.targets}))


def _scatter(
    table: pa.Table, prefix: str, suffixes: Sequence[Horizon] | range, into: Any, rows: Ints
) -> None:
    for j, suffix in enumerate(suffixes):
        into[rows, j] = table.column(f"{prefix}_{suffix}").to_numpy()
