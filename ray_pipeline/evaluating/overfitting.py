"""Comparing a run's models: how alike they are, and how often the best one disappoints."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.evaluating.comparison import Likeness, OverfittingRow
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.records import View
from ray_pipeline.statistics.overfitting import mean_correlation, probability_of_overfitting
from ray_pipeline.wording import agreeing, plural

__all__ = ["ComparedJob", "ComparisonSpec", "compare_models", "likeness", "overfitting_rows"]

Floats = NDArray[np.float64]

MIN_COVERED = 0.8
"""Share of the slices in which any model traded that a model needs to be compared: those of a
symbol alone start later, and one with a few days would leave the others no common time."""


@dataclass(frozen=True, slots=True)
class ComparedJob:
    """A job and its subject; jobs that differ only in `family` are variants of one."""

    job_id: str
    target: str
    view: View
    symbol: str | None
    family: str

    @property
    def question(self) -> tuple[str, View, str | None]:
        """The question that all families of the same kind answer."""
        return self.target, self.view, self.symbol


@dataclass(frozen=True, slots=True)
class ComparisonSpec:
    """Jobs in the order of the plan, and the tables with their returns in slices of time."""

    jobs: tuple[ComparedJob, ...]
    tables: tuple[str, ...]


def compare_models(reader: PanelReader, spec: ComparisonSpec) -> dict[str, Any]:
    """Compare the jobs that have returns (unit function).

    Returns
    -------
    dict
        Rows of ``evaluation/overfitting.parquet``, and how alike the models are.
    """
    found: dict[str, Floats] = {}
    for table in reader.run.read_tables(spec.tables):
        found |= {name: table.column(name).to_numpy() for name in table.column_names}
    jobs = [job for job in spec.jobs if job.job_id in found]
    if not jobs:
        return {"rows": [], "likeness": asdict(Likeness(math.nan, math.nan))}
    returns = np.stack([found[job.job_id] for job in jobs], axis=1)
    return {
        "rows": [asdict(row) for row in overfitting_rows(jobs, returns)],
        "likeness": asdict(likeness(jobs, returns)),
    }


def overfitting_rows(jobs: Sequence[ComparedJob], returns: Floats) -> list[OverfittingRow]:
    """Measure all models together, and those of each target that has several.

    Parameters
    ----------
    returns
        Net returns of each job in slices of time, NaN before and after it traded, shape
        (n_slices, n_jobs).
    """
    rows = [_row(None, returns)]
    targets = list(dict.fromkeys(job.target for job in jobs))
    if len(targets) > 1:
        for target in targets:
            own = np.array([job.target == target for job in jobs])
            if own.sum() > 1:
                rows.append(_row(target, returns[:, own]))
    return rows


def _row(target: str | None, returns: Floats) -> OverfittingRow:
    common, kept = _common(returns)
    found = probability_of_overfitting(common)
    reason = ""
    if kept.sum() < 2:
        reason = "one model has no rival to be compared with"
    elif found is None:
        slices = plural(len(common), "slice")
        are = agreeing(len(common), "is", "are")
        reason = f"{slices} of time with returns of all models {are} too few"
    return OverfittingRow(
        target=target,
        n_models=int(kept.sum()),
        n_left_out=int((~kept).sum()),
        n_slices=len(common),
        n_blocks=found.n_blocks if found else 0,
        probability=found.probability if found else math.nan,
        loss_probability=found.loss_probability if found else math.nan,
        degradation=found.degradation if found else math.nan,
        reason=reason,
    )


def _common(returns: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the slices in which all models traded that did so most of the time, and which."""
    traded = np.isfinite(returns)
    kept = traded.sum(axis=0) >= MIN_COVERED * traded.any(axis=1).sum()
    return returns[traded[:, kept].all(axis=1)][:, kept], kept


def likeness(jobs: Sequence[ComparedJob], returns: Floats) -> Likeness:
    """Tell how alike models are; parameters as of `overfitting_rows`."""
    common, kept = _common(returns)
    compared = [job for job, is_kept in zip(jobs, kept, strict=True) if is_kept]
    groups: dict[tuple[str, View, str | None], list[int]] = {}
    for index, job in enumerate(compared):
        groups.setdefault(job.question, []).append(index)
    within, n_within = 0.0, 0
    for members in groups.values():
        n_pairs = len(members) * (len(members) - 1) // 2
        if n_pairs:
            within += n_pairs * mean_correlation(common[:, members])
            n_within += n_pairs
    n_all = len(compared) * (len(compared) - 1) // 2
    n_between = n_all - n_within
    between = n_all * mean_correlation(common) - within if n_between else math.nan
    return Likeness(
        families=within / n_within if n_within else math.nan,
        questions=between / n_between if n_between else math.nan,
    )
