"""Whether a skill is of all the time or of a part of it: pooled models fold by fold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.ranking.decide import TargetRow
from ray_pipeline.records import Task
from ray_pipeline.results.contents import RunContents
from ray_pipeline.results.documents import FoldSpan
from ray_pipeline.results.figures import moment, signed
from ray_pipeline.results.reading import Results
from ray_pipeline.routing.jobs import RANK_AVERAGE
from ray_pipeline.statistics.cells import cells_of
from ray_pipeline.statistics.skill import dated_skills, grouped_skill
from ray_pipeline.training.predictions import GROUP
from ray_pipeline.wording import plural

__all__ = [
    "DatedSkill",
    "FoldSkills",
    "fold_skills",
    "read_fold_skills",
    "served_family",
    "steadiness_sentence",
]

MAX_ROWS = 2_000_000
"""Predictions of one target that a page is worth reading."""

Ints = NDArray[np.int64]

_POOLED = "cross_sectional"
_MICROSECONDS = 1e6


class DatedSkill(NamedTuple):
    """The skill across the symbols of one timestamp, and the fold that has it."""

    seconds: float
    """Since 1970, UTC."""
    fold: int
    skill: float


@dataclass(frozen=True, slots=True)
class FoldSkills:
    """Skill of a target's pooled model in each fold that has one, in the order of time.

    A skill is the mean over the fold's timestamps of that across symbols; `dated` has them.

    `by_symbol` has the skill over each symbol's own time in each of the folds, NaN where there is
    none.
    """

    family: str
    folds: tuple[int, ...]
    skills: tuple[float, ...]
    dated: tuple[DatedSkill, ...] = field(default=(), compare=False, repr=False)
    by_symbol: Mapping[str, tuple[float, ...]] = field(
        default_factory=dict, compare=False, repr=False
    )


def read_fold_skills(
    results: Results, contents: RunContents, targets: Iterable[str]
) -> dict[str, FoldSkills]:
    """Measure the skill of targets fold by fold, on the out-of-sample predictions of a run.

    Parameters
    ----------
    targets
        Those without a pooled model, and with more than `MAX_ROWS` predictions, are left out.

    Raises
    ------
    StorageError
        When the table of the predictions cannot be read, or holds something else.
    """
    ranked = {row.target: row for row in contents.targets or () if row.view == _POOLED}
    families = {
        target: family
        for target in targets
        if (family := _pooled_family(contents, ranked.get(target), target)) is not None
    }
    found = {}
    for target, rows in results.pooled_predictions(families, MAX_ROWS):
        skills = fold_skills(rows, families[target], ranked[target].task)
        if skills.folds:
            found[target] = skills
    return found


def _pooled_family(contents: RunContents, ranked: TargetRow | None, target: str) -> str | None:
    jobs = [
        job
        for job in contents.jobs
        if job.target == target and job.view == _POOLED and job.job_id in contents.trained
    ]
    if ranked is None or not jobs:
        return None
    return served_family([job.family for job in jobs], ranked.family)


def served_family(families: Sequence[str], ranked: str | None) -> str:
    """Choose which of several families to tell of: the average of all, else what ranking names.

    By what they are, never by their figures: the best of several would flatter the run.

    Parameters
    ----------
    families
        In the order of the plan, at least one.
    ranked
        The better one when the target was ranked.
    """
    wanted = (RANK_AVERAGE, ranked)
    return next((each for each in wanted if each is not None and each in families), families[0])


def fold_skills(rows: pa.Table, family: str, task: Task) -> FoldSkills:
    """Measure the skill across symbols in each fold (pure).

    Parameters
    ----------
    rows
        Predictions of one pooled model: ``ts``, ``fold``, ``prediction``, ``actual`` and, where
        symbols are compared within groups, ``group``. Rows without a label do not count.
    """
    rows = rows.filter(
        pc.and_(pc.is_finite(rows.column("prediction")), pc.is_finite(rows.column("actual")))
    )
    stamps = rows.column("ts").cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64())
    times, positions = np.unique(stamps.to_numpy(), return_inverse=True)
    groups = np.zeros(rows.num_rows, dtype=np.int32)
    if GROUP in rows.column_names:
        codes = rows.column(GROUP).combine_chunks().dictionary_encode().indices
        groups = codes.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    known, skills = dated_skills(
        rows.column("prediction").to_numpy(),
        rows.column("actual").to_numpy(),
        positions,
        cells_of(positions, groups),
        task,
    )
    fold_of_time = np.zeros(len(times), dtype=np.int64)
    fold_of_time[positions] = rows.column("fold").to_numpy()
    folds, place = np.unique(fold_of_time[known], return_inverse=True)
    means = np.bincount(place, weights=skills, minlength=len(folds)) / np.bincount(place)
    seconds = times[known] / _MICROSECONDS
    dated = map(DatedSkill, seconds.tolist(), fold_of_time[known].tolist(), skills.tolist())
    return FoldSkills(
        family,
        tuple(folds.tolist()),
        tuple(means.tolist()),
        tuple(dated),
        _by_symbol(rows, folds, task),
    )


def _by_symbol(rows: pa.Table, folds: Ints, task: Task) -> dict[str, tuple[float, ...]]:
    """Measure the skill over each symbol's own time in each fold."""
    if "symbol" not in rows.column_names or not len(folds):
        return {}
    symbols = rows.column("symbol").combine_chunks().dictionary_encode()
    codes = symbols.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    of_fold = rows.column("fold").to_numpy().astype(np.int64)
    place = np.searchsorted(folds, of_fold).clip(max=len(folds) - 1)
    # Rows of a fold without skill across symbols are of no fold that is told of.
    place = np.where(folds[place] == of_fold, place, len(folds))
    n_places = len(folds) + 1
    found = grouped_skill(
        rows.column("prediction").to_numpy(),
        rows.column("actual").to_numpy(),
        codes * n_places + place,
        task,
    )
    skills = np.full((len(symbols.dictionary), n_places), np.nan)
    skills.reshape(-1)[found.groups] = found.skills
    names = symbols.dictionary.to_pylist()
    return {name: tuple(of[:-1]) for name, of in zip(names, skills.tolist(), strict=True)}


def steadiness_sentence(found: FoldSkills, spans: Sequence[FoldSpan]) -> str:
    """Say in how many folds a skill was positive, and since when in all of them.

    Parameters
    ----------
    spans
        The folds of the run.
    """
    starts: Mapping[int, str | None] = {span.index: span.test_start for span in spans}
    n, positive = len(found.skills), [skill > 0 for skill in found.skills]
    since = 0 if all(positive) else n - positive[::-1].index(False)
    start = starts.get(found.folds[since]) if since < n else None
    ends = f"{signed(min(found.skills), 2)} to {signed(max(found.skills), 2)}"
    model = f"The pooled {found.family} model was positive"
    if all(positive):
        when = f", since {moment(start)}" if start else ""
        return f"{model} in all of {plural(n, 'fold')}{when} ({ends})."
    text = f"{model} in {sum(positive)} of {plural(n, 'fold')} ({ends})"
    if start:
        return f"{text}, in all since {moment(start)}."
    return text + ("." if positive[-1] else ", and not in the last one.")
