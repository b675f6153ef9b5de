"""Whether a challenger replaces the version that serves (pure)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.records import VIEW_NAMES, Task, View
from ray_pipeline.results.version_documents import EvidenceKind
from ray_pipeline.samples.evidence import (
    Evidence,
    PredictedRows,
    SkillMeasure,
    SkillSeries,
    paired_evidence,
    skill_series,
)
from ray_pipeline.statistics.family_wise import holm
from ray_pipeline.versions.names import of_folds
from ray_pipeline.wording import plural

__all__ = ["ALPHA", "Compared", "SameRows", "Verdict", "compare_rows", "decide"]

ALPHA = 0.05
"""Maximum probability that an equally good challenger is rejected, over all targets together."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SameRows:
    """Rows that both versions predicted and neither learned from, sorted by time.

    Attributes
    ----------
    new, present
        Standing of each prediction in [0, 1], mean over families, shape (n_rows,).
    actual
        Labels, shape (n_rows,); NaN where unknown.
    outcome
        The outcome of each label, see `ray_pipeline.statistics.skill.outcome`, shape (n_rows,).
    positions, cells
        As in `PredictedRows`, shape (n_rows,).
    symbols
        Index of each row's symbol, shape (n_rows,).
    folds
        Number of the new training's fold that scored each row, shape (n_rows,).
    is_same
        Whether both predicted the same, in the label's unit rather than as a standing, of which
        final models only have a summary; shape (n_rows,).
    is_told
        Whether that fold's models can tell anything, shape (n_rows,): they were made by another
        config than the present version, or have learned from newer rows.
    """

    new: Floats
    present: Floats
    actual: Floats
    outcome: Floats
    positions: Ints
    cells: Ints
    symbols: Ints
    folds: Ints
    is_same: Bools
    is_told: Bools


@dataclass(frozen=True, slots=True)
class Compared:
    """Two versions on the same rows of a target and view; NaN if undefined.

    Attributes
    ----------
    n_rows, n_timestamps
        Rows with a label that other models scored, and what the difference is the mean over.
    n_same_rows, n_older_rows
        Rows with a label that are left out: in folds whose models are the current version's own,
        and in others that were trained like it on no newer rows.
    skill_new, skill_present
        Mean skill of each.
    difference, std_error
        Difference of the new minus the current one, with its HAC error.
    p_worse
        One-sided for a difference below 0.
    """

    target: str
    view: View
    n_rows: int
    n_timestamps: int
    skill_new: float
    skill_present: float
    difference: float
    std_error: float
    p_worse: float
    n_same_rows: int = 0
    n_older_rows: int = 0

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Compared:
        """Rebuild from plain values."""
        return cls(**record)

    @property
    def is_measured(self) -> bool:
        """Whether there are enough rows for a comparison."""
        return not math.isnan(self.std_error)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the challenger serves, and on what basis.

    Attributes
    ----------
    evidence
        The basis of the comparison; if there was nothing, `promoted` is due to a lack of evidence.
    p_adjusted
        Adjusted p-value of each comparison, NaN if unmeasured.
    """

    promoted: bool
    why: str
    evidence: EvidenceKind
    p_adjusted: tuple[float, ...]


def compare_rows(
    target: str, view: View, task: Task, rows: SameRows, span: int, spacing: float, min_cs: int
) -> Compared:
    """Compare two versions on the same rows: a Diebold–Mariano test on skill per timestamp.

    A fold that begins where the present version's data end was trained on the same rows as that
    version. With the same config, its models are that version, or differ from it only by chance,
    for example in the features that a fold and a final model choose. Counting such rows would
    compare a version with itself and present a difference of about 0 as evidence, so they are left
    out.

    Across symbols the skill of a timestamp is that of its symbols. Over time it is the mean over
    the symbols of a timestamp, so that symbols that err together are not counted as independent.

    Parameters
    ----------
    span, spacing
        Panel positions that a label spans, and from one timestamp to the next.
    min_cs
        Symbols that a timestamp needs across symbols.

    Returns
    -------
    Compared
        Sources: Diebold & Mariano (1995); the HAC error of `paired_evidence`.
    """
    is_known, is_same = np.isfinite(rows.actual), _of_same_models(rows)
    told = _chosen(rows, rows.is_told & ~is_same)
    new = _series(view, task, told, told.new, span, spacing, min_cs)
    present = _series(view, task, told, told.present, span, spacing, min_cs)
    # One-sided for what served being better, which is the only thing that keeps it in its place.
    found = paired_evidence(present, new, span, spacing)
    if not len(new.contributions):
        found = Evidence.none()
    return Compared(
        target=target,
        view=view,
        n_rows=int(np.isfinite(told.actual).sum()),
        n_same_rows=int(np.count_nonzero(is_known & is_same)),
        n_older_rows=int(np.count_nonzero(is_known & ~is_same & ~rows.is_told)),
        n_timestamps=len(new.contributions),
        skill_new=_mean(new.contributions),
        skill_present=_mean(present.contributions),
        difference=-found.skill,
        std_error=found.std_error,
        p_worse=math.nan if math.isnan(found.std_error) else found.p_value,
    )


def decide(compared: Sequence[Compared]) -> Verdict:
    """Promote a challenger unless it is significantly worse on a target and view.

    Significant means a one-sided p below `ALPHA` after Holm over all targets and views that could
    be compared. If none could, there is no evidence for or against it. It then serves because it
    has learned from newer data, and the verdict says that this is not evidence.
    """
    adjusted = holm(np.array([each.p_worse for each in compared], dtype=np.float64))
    measured = [each for each in compared if each.is_measured]
    if not measured:
        evidence, why = _nothing_measured(compared)
        return Verdict(True, why, evidence, tuple(adjusted.tolist()))
    worst = int(np.nanargmin(adjusted))
    if adjusted[worst] < ALPHA:
        found = compared[worst]
        why = (
            f"on {plural(found.n_timestamps, 'later time')} the new models of {found.target} "
            f"({VIEW_NAMES[found.view]}) are worse: skill {found.skill_new:+.4f} against "
            f"{found.skill_present:+.4f}, p {adjusted[worst]:.4f} after Holm"
        )
        return Verdict(False, why, "compared", tuple(adjusted.tolist()))
    n = plural(len(measured), "target and view", "targets and views")
    why = f"not significantly worse on the same later rows of {n} (p {adjusted[worst]:.2f})"
    return Verdict(True, why, "compared", tuple(adjusted.tolist()))


def _nothing_measured(compared: Sequence[Compared]) -> tuple[EvidenceKind, str]:
    """Say why the comparison was inconclusive."""
    if not compared:
        return "none", "they have no target and view in common"
    n_same = sum(each.n_same_rows for each in compared)
    n_older = sum(each.n_older_rows for each in compared)
    if n_same + n_older and not any(each.n_rows for each in compared):
        why = (
            f"nothing to compare: the folds that scored the later rows {of_folds(n_same, n_older)}"
        )
        return "nothing_newer" if n_older else "same_models", why
    return (
        "too_few_rows",
        "too few rows are later than what the present version learned from to tell them apart",
    )


def _of_same_models(rows: SameRows) -> Bools:
    """Tell which rows belong to folds that predict like the current version, shape (n_rows,).

    A single differing row means that a fold has other models.
    """
    found: Bools = ~np.isin(rows.folds, np.unique(rows.folds[~rows.is_same]))
    return found


def _chosen(rows: SameRows, kept: Bools) -> SameRows:
    return replace(rows, **{each.name: getattr(rows, each.name)[kept] for each in fields(rows)})


def _series(
    view: View,
    task: Task,
    rows: SameRows,
    standing: Floats,
    span: int,
    spacing: float,
    min_cs: int,
) -> SkillSeries:
    measure = SkillMeasure(view, task, span, spacing, min_cs)
    if view == "cross_sectional":
        return skill_series(measure, _predicted(rows, standing, slice(None)))
    order = np.argsort(rows.symbols, kind="stable")  # in time order within a symbol
    starts = np.flatnonzero(np.diff(rows.symbols[order], prepend=-1))
    by_position: list[tuple[Ints, SkillSeries]] = []
    for own in np.split(order, starts[1:]):
        kept = own[np.isfinite(rows.actual[own])]
        if len(kept):
            by_position.append(
                (rows.positions[kept], skill_series(measure, _predicted(rows, standing, kept)))
            )
    if not by_position:
        return SkillSeries.of_timestamps(np.empty(0))
    positions, at = np.unique(
        np.concatenate([places for places, _ in by_position]), return_inverse=True
    )
    counts = np.bincount(at, minlength=len(positions))

    def mean(values: Sequence[Floats]) -> Floats:
        found: Floats = np.bincount(at, np.concatenate(values), len(positions)) / counts
        return found

    return SkillSeries(
        mean([series.contributions for _, series in by_position]),
        mean([series.tested for _, series in by_position]),
    )


def _predicted(rows: SameRows, standing: Floats, kept: slice | Ints) -> PredictedRows:
    return PredictedRows(
        prediction=standing[kept],
        actual=rows.actual[kept],
        positions=rows.positions[kept],
        cells=rows.cells[kept],
        centred_percentile=2.0 * standing[kept] - 1.0,
        outcome=rows.outcome[kept],
    )


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else math.nan
