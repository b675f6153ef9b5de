"""The cross-sectional view on rolled labels: the skill that luck alone would show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.families import Problem, label_form
from ray_pipeline.panel.frame import PanelFrame, derive_seed
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.ranking.settings import RankingSettings
from ray_pipeline.ranking.shifts import RolledLabels, roll_rows
from ray_pipeline.samples.evidence import Evidence, SkillSeries, largest_z_score, time_evidence
from ray_pipeline.samples.learned import LearnedLabels
from ray_pipeline.samples.pool import Pool
from ray_pipeline.samples.walk import predict_fold
from ray_pipeline.statistics.folds import Fold
from ray_pipeline.statistics.skill import timestamp_skills

__all__ = ["ShiftedPoolSpec", "rank_pool_shifted"]

Floats = NDArray[np.float64]
Asked = tuple[str, int]
"""A target by name, and the shift of its labels."""

MAX_LABELS = 2**25
"""Rolled labels held at a time (256 MiB of them): shifts of a block beyond it are fitted in
turns."""


@dataclass(frozen=True, slots=True)
class ShiftedPoolSpec:
    """The pooled models on labels rolled by a few shifts; `pool` names the pool's slices."""

    frame: PanelFrame
    pool: tuple[str, ...]
    settings: RankingSettings
    shifts: tuple[int, ...]


def rank_pool_shifted(reader: PanelReader, spec: ShiftedPoolSpec, pool: Pool) -> dict[str, Any]:
    """Rank all targets on rolled labels, families chosen again for every shift (unit function).

    Returns
    -------
    dict
        By target: the largest z-score of the families for each shift, NaN where none
        could be measured.
    """
    del reader
    frame = spec.frame
    names = spec.settings.family_names
    keys = [
        (family, target.name, shift)
        for family in names
        for target in frame.targets
        for shift in spec.shifts
    ]
    skills: dict[tuple[str, str, int], list[Floats]] = {key: [] for key in keys}
    for fold in frame.folds:
        for shifts in _turns(spec, pool):
            for key, found in _fold_skills(spec, pool, fold, shifts):
                skills[key].append(found)
    return {
        "z_scores": {
            target.name: [
                largest_z_score(
                    _evidence(
                        skills[family, target.name, shift],
                        frame.span_of(target, "cross_sectional"),
                        pool.spacing,
                    )
                    for family in names
                )
                for shift in spec.shifts
            ]
            for target in frame.targets
        }
    }


def _turns(spec: ShiftedPoolSpec, pool: Pool) -> Iterator[tuple[int, ...]]:
    labels = len(pool.positions) * len(spec.frame.targets)
    size = max(1, MAX_LABELS // max(labels, 1))
    for start in range(0, len(spec.shifts), size):
        yield spec.shifts[start : start + size]


def _evidence(skills: Sequence[Floats], span: int, spacing: float) -> Evidence:
    series = np.concatenate(skills) if skills else np.empty(0)
    return time_evidence(SkillSeries.of_timestamps(series), span, spacing)


def _fold_skills(
    spec: ShiftedPoolSpec, pool: Pool, fold: Fold, shifts: Sequence[int]
) -> Iterator[tuple[tuple[str, str, int], Floats]]:
    """Yield the skill at each timestamp of a fold, by (family, target, shift)."""
    frame, comparison = spec.frame, spec.settings.comparison
    edges = [fold.train_start, fold.test_start, fold.test_end]
    first, start, end = np.searchsorted(pool.positions, edges).tolist()
    before = slice(first, start)
    targets = {target.name: target for target in frame.targets}
    labels: dict[Asked, RolledLabels] = {}
    test_starts: dict[int, int] = {}
    for shift in shifts:
        rolled, test_starts[shift] = _roll_pool(frame, pool, fold, shift)
        labels |= {(name, shift): rolled[name] for name in targets}

    def problem_of(asked: Asked, family: str) -> Problem | None:
        target, rolled = targets[asked[0]], labels[asked]
        y, ends = rolled.y[before], rolled.ends[before]
        learned = (
            LearnedLabels.as_they_are(y, ends, target.task)
            if comparison is None
            else LearnedLabels.compared(
                y,
                pool.positions[before],
                pool.cells[before],
                ends,
                target.task,
                comparison,
                label_form(family),
            )
        )
        usable = rolled.training_rows(
            learned.label_ends, before, end, test_starts[asked[1]], frame.embargo
        )
        names = ("target_ranking", family, target.name, f"fold {fold.index}")
        return learned.problem(usable, derive_seed(frame.seed, *names))

    predictions = predict_fold(
        pool.X[before],
        pool.X[start:end],
        pool.feature_names,
        spec.settings.families,
        list(labels),
        problem_of,
        # Across symbols a prediction needs no centred percentile in time.
        lambda problem, known, values: values,
        unranked=labels,
    )
    for family, by_labels in predictions.items():
        for asked, found in by_labels.items():
            # Ties are those of the predictions that the ranking stage writes.
            values = found.values.astype(np.float32).astype(np.float64)
            actual = labels[asked].y[start:end]
            usable = np.isfinite(values) & np.isfinite(actual)
            skills = timestamp_skills(
                values[usable],
                actual[usable],
                pool.positions[start:end][usable],
                pool.cells[start:end][usable],
                targets[asked[0]].task,
                min_rows=spec.settings.min_cs,
            )
            yield (family, *asked), skills


def _roll_pool(
    frame: PanelFrame, pool: Pool, fold: Fold, shift: int
) -> tuple[dict[str, RolledLabels], int]:
    """Roll the labels of all targets; return them and the time at which the fold then starts.

    In a sampled pool, the sampled timestamps are rolled by the number of them nearest to the shift:
    the label at ``position + shift`` itself is not in the pool.
    """
    axis = np.arange(frame.n_timestamps) if pool.spacing == 1.0 else np.unique(pool.positions)
    n_places = len(axis)
    steps = round(shift * n_places / frame.n_timestamps)
    roll = roll_rows(np.searchsorted(axis, pool.positions), pool.symbol_index, n_places, steps)
    rolled = {
        target.name: RolledLabels.of(
            roll,
            pool.target(target.name),
            pool.positions,
            pool.ends(target.horizon),
            frame.n_timestamps,
        )
        for target in frame.targets
    }
    laps, place = divmod(int(np.searchsorted(axis, fold.test_start)) + steps, n_places)
    return rolled, int(axis[place]) + laps * frame.n_timestamps
