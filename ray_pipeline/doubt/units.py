"""What carries a doubtful skill, as units of work."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.doubt.carriers import find_carriers
from ray_pipeline.doubt.walks import DoubtedWalk, Late
from ray_pipeline.execution.artifacts import table_name
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.records import SymbolPartition
from ray_pipeline.samples.design import Design
from ray_pipeline.samples.learned import LabelComparison
from ray_pipeline.samples.pool import Pool
from ray_pipeline.samples.walk import FamilySettings

__all__ = [
    "DoubtSpec",
    "LateSliceSpec",
    "PooledLateSpec",
    "SymbolDoubtSpec",
    "doubt_late",
    "doubt_pooled",
    "doubt_slice",
    "doubt_symbol",
]

Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class DoubtSpec:
    """A doubtful target of the pooled view, with the family that showed the skill."""

    frame: PanelFrame
    target: str
    family: FamilySettings
    min_cs: int
    comparison: LabelComparison | None
    pool: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LateSliceSpec:
    """One symbol's rows of the pool, with earlier values of some features.

    Attributes
    ----------
    rows
        The symbol's slice of the pool.
    late
        Features, and how many bars before each row.
    """

    frame: PanelFrame
    partition: SymbolPartition
    rows: str
    late: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class PooledLateSpec:
    """A doubtful target with its carriers, and where the pool's symbols have them late.

    Attributes
    ----------
    slices
        Tables of `doubt_slice` in the order of the pool's symbols; empty if a symbol has none.
    """

    doubted: DoubtSpec
    carriers: tuple[str, ...]
    slices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SymbolDoubtSpec:
    """Doubtful targets of one symbol's own models, each with the family that showed the skill."""

    frame: PanelFrame
    partition: SymbolPartition
    targets: tuple[tuple[str, FamilySettings], ...]
    min_cs: int


def doubt_pooled(reader: PanelReader, spec: DoubtSpec, pool: Pool) -> dict[str, Any]:
    """Find the features that carry a pooled skill (unit function)."""
    del reader
    walk = _pooled(spec, pool)
    return find_carriers(walk.design.feature_names, walk.shares()).to_record()


def doubt_slice(reader: PanelReader, spec: LateSliceSpec) -> dict[str, Any]:
    """Write the values of a symbol's features some bars earlier (unit function)."""
    rows = reader.rows(spec.partition, spec.frame)
    positions = reader.run.read_table(spec.rows).column("position").to_numpy()
    at = np.searchsorted(rows.positions, positions)
    features, names = rows.table.features, rows.table.feature_names
    columns = {
        late_column(feature, bars): earlier(features[:, names.index(feature)], bars)[at]
        for feature, bars in spec.late
    }
    name = table_name("late")
    reader.run.write_table(name, pa.table(columns))
    return {"table": name}


def doubt_late(reader: PanelReader, spec: PooledLateSpec, pool: Pool) -> dict[str, Any]:
    """Measure what remains of a pooled skill if its carriers come late (unit function)."""
    walk = _pooled(spec.doubted, pool)
    columns = tuple(walk.design.feature_names.index(name) for name in spec.carriers)
    late = _gathered(reader, spec, pool, dict.fromkeys((1, walk.target.horizon_bars)))
    return walk.measure(Late(columns, late[1], late[walk.target.horizon_bars]))


def doubt_symbol(reader: PanelReader, spec: SymbolDoubtSpec) -> dict[str, Any]:
    """Do the same for the own models of one symbol (unit function)."""
    rows = reader.rows(spec.partition, spec.frame)
    targets = {target.name: target for target in spec.frame.targets}
    found: dict[str, Any] = {}
    for name, family in spec.targets:
        target = targets[name]
        design = Design.of_symbol(rows, target, spec.frame)
        walk = DoubtedWalk.of(design, target, spec.frame, family, spec.min_cs)
        carriers = find_carriers(design.feature_names, walk.shares())
        columns = tuple(design.feature_names.index(each) for each in carriers.names)
        some = design.X[:, list(columns)]
        bar = earlier(some, 1)
        horizon = bar if target.horizon_bars == 1 else earlier(some, target.horizon_bars)
        found[name] = carriers.to_record() | walk.measure(Late(columns, bar, horizon))
    return {"targets": found}


def earlier(values: Matrix, bars: int) -> Matrix:
    """Return each row's values from a number of rows earlier, NaN if there are none."""
    late = np.full_like(values, np.nan)
    if bars < len(values):
        late[bars:] = values[: len(values) - bars]
    return late


def late_column(feature: str, bars: int) -> str:
    """Name the column of a feature's values a number of bars earlier."""
    return f"{bars} before: {feature}"


def _pooled(spec: DoubtSpec, pool: Pool) -> DoubtedWalk:
    (target,) = (target for target in spec.frame.targets if target.name == spec.target)
    design = Design.of_pool(pool, target, spec.frame)
    return DoubtedWalk.of(design, target, spec.frame, spec.family, spec.min_cs, spec.comparison)


def _gathered(
    reader: PanelReader, spec: PooledLateSpec, pool: Pool, delays: Iterable[int]
) -> dict[int, Matrix]:
    """Join the symbols' slices in the order of the pool, by the number of bars late.

    Returns
    -------
    dict
        Shape (n_rows, n_carriers) each.
    """
    shape = len(pool.positions), len(spec.carriers)
    late = {bars: np.full(shape, np.nan, dtype=np.float32) for bars in delays}
    # By symbol, and by position within one, as the slices are.
    by_symbol = np.argsort(pool.symbol_index, kind="stable")
    ends = np.cumsum(np.bincount(pool.symbol_index, minlength=len(pool.symbols)))
    for index, name in enumerate(spec.slices):
        if name:
            rows = by_symbol[(ends[index - 1] if index else 0) : ends[index]]
            table = reader.run.read_table(name)
            for bars, values in late.items():
                for j, feature in enumerate(spec.carriers):
                    values[rows, j] = table.column(late_column(feature, bars)).to_numpy()
    return late
