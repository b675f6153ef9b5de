"""The skill of every policy, and of the one followed, from predictions of later folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.evaluating.policy_records import (
    CHOSEN,
    NEVER,
    Policy,
    PolicyFoldRow,
    PolicyRow,
    Variant,
)
from ray_pipeline.records import Task
from ray_pipeline.samples.evidence import SkillSeries, paired_evidence, time_evidence
from ray_pipeline.statistics.folds import Fold
from ray_pipeline.statistics.retraining import follow_best, model_of
from ray_pipeline.training.job_spec import JobSpec

__all__ = ["Served", "judge_job"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Served:
    """Results of one fold's models on the folds that they serve, in time order.

    Attributes
    ----------
    folds
        Place of the served fold, shape (n,).
    known
        Position at which the label was known, shape (n,).
    outcomes
        Of each row over a symbol's own time, shape (n,); None across symbols.
    values
        By variant, shape (n_variants, n): skills of timestamps across symbols; over a symbol's own
        time centred percentiles of the predictions.
    """

    folds: Ints
    known: Ints
    outcomes: Floats | None
    values: Floats

    @classmethod
    def beside(cls, variants: Sequence[Served]) -> Served:
        """Put variants of the same rows side by side."""
        first = variants[0]
        values = np.concatenate([each.values for each in variants])
        return cls(first.folds, first.known, first.outcomes, values)

    @classmethod
    def joined(cls, parts: Sequence[Served]) -> Served:
        """Join the rows of folds that follow each other."""
        outcomes = [each.outcomes for each in parts if each.outcomes is not None]
        return cls(
            np.concatenate([each.folds for each in parts]),
            np.concatenate([each.known for each in parts]),
            np.concatenate(outcomes) if outcomes else None,
            np.concatenate([each.values for each in parts], axis=1),
        )

    def in_fold(self, place: int) -> Served:
        """Return the rows of one fold."""
        rows = self.folds == place
        outcomes = None if self.outcomes is None else self.outcomes[rows]
        return Served(self.folds[rows], self.known[rows], outcomes, self.values[:, rows])

    def to_table(self) -> pa.Table:
        """Return one column for each variant beside the others."""
        columns: dict[str, Any] = {"fold": self.folds, "known": self.known}
        if self.outcomes is not None:
            columns["outcome"] = self.outcomes
        columns |= {f"variant_{i}": values for i, values in enumerate(self.values)}
        return pa.table(columns)

    @classmethod
    def of(cls, table: pa.Table) -> Served:
        """Rebuild from `to_table`."""
        names = [name for name in table.column_names if name.startswith("variant_")]
        outcomes = None
        if "outcome" in table.column_names:
            outcomes = table.column("outcome").to_numpy()
        return cls(
            table.column("fold").to_numpy(),
            table.column("known").to_numpy(),
            outcomes,
            np.stack([table.column(name).to_numpy() for name in names]),
        )


@dataclass(frozen=True, slots=True)
class _Track:
    """Every policy on the same rows, in time order; `values` has shape (n_policies, n)."""

    folds: Ints
    known: Ints
    outcomes: Floats | None
    values: Floats
    task: Task

    @classmethod
    def of(
        cls, policies: Sequence[Policy], served: Mapping[int, Served], n_folds: int, task: Task
    ) -> _Track:
        parts = []
        for place in range(n_folds):
            by_policy = []
            for policy in policies:
                found = served[model_of(place, policy.retrain_every)].in_fold(place)
                one = found.values[[policy.variant]]
                by_policy.append(Served(found.folds, found.known, found.outcomes, one))
            parts.append(Served.beside(by_policy))
        whole = Served.joined(parts)
        return cls(whole.folds, whole.known, whole.outcomes, whole.values, task)

    def series(self, values: Floats, rows: NDArray[np.bool_] | slice = slice(None)) -> SkillSeries:
        """Return what the skill of some rows is the mean of."""
        if self.outcomes is None:
            return SkillSeries.of_timestamps(values[rows])
        return SkillSeries.over_time(values[rows], self.outcomes[rows], self.task)

    def skill(self, policy: int, rows: NDArray[np.bool_]) -> float:
        """Return the skill of a policy on some rows, at least one."""
        return float(self.series(self.values[policy], rows).contributions.mean())


def judge_job(
    job: JobSpec,
    symbol: str | None,
    variants: Sequence[Variant],
    policies: Sequence[Policy],
    folds: Sequence[Fold],
    served: Mapping[int, Served],
    task: Task,
    span: int,
    spacing: float,
    embargo: int,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows of a job's policies, the one followed first, and those of their folds.

    Parameters
    ----------
    folds
        Those of the job, whose places `served` counts.
    served
        By the place of the fold whose models they are of.
    span, spacing
        As of `SkillMeasure`.
    embargo
        Positions between the last label that is known and a fold that it has a say in.
    """
    track = _Track.of(policies, served, len(folds), task)
    if len(track.folds) == 0:
        return [], []
    starts = np.array([fold.test_start for fold in folds])
    followed = follow_best(track.skill, len(policies), track.folds, track.known + embargo, starts)
    chosen = track.values[followed[track.folds], np.arange(len(track.folds))]
    series = [track.series(values) for values in (chosen, *track.values)]
    evidence = [time_evidence(each, span, spacing) for each in series]
    excess = [paired_evidence(each, series[0], span, spacing) for each in series]
    best = max(each.skill for each in evidence[1:])
    models = [
        {model_of(place, policy.retrain_every) for place in range(len(folds))}
        for policy in policies
    ]
    # Policies of one variant share its models.
    trained = {
        (model, policy.variant)
        for policy, own in zip(policies, models, strict=True)
        for model in own
    }
    rows, by_fold = [], []
    for place, found in enumerate(evidence):
        policy = None if place == 0 else policies[place - 1]
        names = _names(policy, variants)
        served_here = followed == place - 1
        rows.append(
            PolicyRow(
                job_id=job.job_id,
                target=job.target,
                view=job.view,
                symbol=symbol,
                family=job.family,
                **names,
                skill=found.skill,
                std_error=found.std_error,
                p_value=found.p_value,
                n_rows=found.n_rows,
                n_folds=len(folds),
                n_trained=len(trained) if policy is None else len(models[place - 1]),
                excess=0.0 if policy is None else excess[place].skill,
                excess_std_error=0.0 if policy is None else excess[place].std_error,
                is_best=policy is not None and found.skill == best,
                n_followed=len(folds) if policy is None else int(served_here.sum()),
            )
        )
        contributions = series[place].contributions
        for index, fold in enumerate(folds):
            here = contributions[track.folds == index]
            own = policies[followed[index]] if policy is None else policy
            model = model_of(index, own.retrain_every)
            by_fold.append(
                PolicyFoldRow(
                    job_id=job.job_id,
                    **names,
                    fold=fold.index,
                    trained_fold=folds[model].index,
                    skill=float(here.mean()) if len(here) else float("nan"),
                    n_rows=len(here),
                    is_followed=policy is None or bool(served_here[index]),
                )
            )
    return [asdict(row) for row in rows], [asdict(row) for row in by_fold]


def _names(policy: Policy | None, variants: Sequence[Variant]) -> dict[str, Any]:
    if policy is None:
        return {"kind": CHOSEN, "retrain_every": "", "window": "", "half_life": ""}
    variant = variants[policy.variant]
    every = NEVER if policy.retrain_every is None else str(policy.retrain_every)
    return {
        "kind": "policy",
        "retrain_every": every,
        "window": variant.window,
        "half_life": variant.half_life,
    }
