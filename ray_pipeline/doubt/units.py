"""What carries a doubtful skill, as units of work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.doubt.carriers import find_carriers
from ray_pipeline.doubt.walks import Late, Question, measure_late, shares_of
from ray_pipeline.execution.artifacts import table_name
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.records import SymbolPartition
from ray_pipeline.samples.design import Design
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
    pool: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LateSliceSpec:
    """One symbol's rows of the pool, with some features as they were earlier.

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
        Tables of `doubt_slice` in the order of the pool's symbols; empty where a symbol has none.
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
    question, design = _pooled(spec, pool)
    return find_carriers(design.feature_names, shares_of(design, question)).to_record()


def doubt_slice(reader: PanelReader, spec: LateSliceSpec) -> dict[str, Any]:
    """Write a symbol's features as they were some of its bars before (unit function)."""
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
    """Measure what is left of a pooled skill when its carriers come late (unit function)."""
    question, design = _pooled(spec.doubted, pool)
    columns = tuple(design.feature_names.index(name) for name in spec.carriers)
    bars = question.target.horizon_bars
    late = Late(columns, *(_gathered(reader, spec, pool, lag) for lag in (1, bars)))
    return _by_name(measure_late(design, question, late), design)


def doubt_symbol(reader: PanelReader, spec: SymbolDoubtSpec) -> dict[str, Any]:
    """Do all of this for the own models of one symbol (unit function)."""
    rows = reader.rows(spec.partition, spec.frame)
    targets = {target.name: target for target in spec.frame.targets}
    found: dict[str, Any] = {}
    for name, family in spec.targets:
        target = targets[name]
        question = Question(target, spec.frame, family, spec.min_cs, (name, spec.partition.symbol))
        design = Design.of_symbol(rows, target, spec.frame)
        carriers = find_carriers(design.feature_names, shares_of(design, question))
        columns = tuple(design.feature_names.index(each) for each in carriers.names)
        some = design.X[:, list(columns)]
        late = Late(columns, earlier(some, 1), earlier(some, target.horizon_bars))
        measured = _by_name(measure_late(design, question, late), design)
        found[name] = carriers.to_record() | measured
    return {"targets": found}


def earlier(values: Matrix, bars: int) -> Matrix:
    """Return each row's values as they were so many rows before, NaN where there were none."""
    late = np.full_like(values, np.nan)
    if bars < len(values):
        late[bars:] = values[: len(values) - bars]
    return late


def late_column(feature: str, bars: int) -> str:
    """Name the column of a feature as it was so many bars before."""
    return f"{bars} before: {feature}"


def _pooled(spec: DoubtSpec, pool: Pool) -> tuple[Question, Design]:
    (target,) = (target for target in spec.frame.targets if target.name == spec.target)
    question = Question(target, spec.frame, spec.family, spec.min_cs, (target.name,))
    return question, Design.of_pool(pool, target, spec.frame)


def _gathered(reader: PanelReader, spec: PooledLateSpec, pool: Pool, bars: int) -> Matrix:
    """Join what the symbols' slices say into the order of the pool, shape (n_rows, n_carriers)."""
    values = np.full((len(pool.positions), len(spec.carriers)), np.nan, dtype=np.float32)
    # By symbol, and by position within one, as the slices are.
    by_symbol = np.argsort(pool.symbol_index, kind="stable")
    ends = np.cumsum(np.bincount(pool.symbol_index, minlength=len(pool.symbols)))
    for index, name in enumerate(spec.slices):
        if name:
            rows = by_symbol[(ends[index - 1] if index else 0) : ends[index]]
            table = reader.run.read_table(name)
            for j, feature in enumerate(spec.carriers):
                values[rows, j] = table.column(late_column(feature, bars)).to_numpy()
    return values


def _by_name(measured: dict[str, Any], design: Design) -> dict[str, Any]:
    names = design.feature_names
    return measured | {"alone": {names[int(j)]: each for j, each in measured["alone"].items()}}
