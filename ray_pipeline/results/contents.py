"""What a run left behind, read for the page; a run that ended early left less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from ray_pipeline.evaluating.doubt import doubted_worth
from ray_pipeline.ranking.decide import TargetRow, choose_targets
from ray_pipeline.ranking.doubt import DoubtedFigure, doubted_skills
from ray_pipeline.results import tables as results
from ray_pipeline.results.documents import (
    LeftOutJob,
    ModelRecord,
    PlannedJob,
    PlanRecord,
    RunRecord,
    SymbolsRecord,
)
from ray_pipeline.results.reading import Results

__all__ = [
    "MAX_CHARTED",
    "MAX_MODELS",
    "NO_CARRIERS",
    "ROUTING_ALONE",
    "RunContents",
    "read_contents",
]

MAX_MODELS = 200
"""Models whose metadata are read for a page, one request each."""

NO_CARRIERS = (
    "No feature is named: doubt.parquet has nothing of this target. Versions up to 0.3.0 looked "
    "for what carries a skill that ranking doubts, and not for what carries that of models that "
    "are doubtful once trained. Run again with this one."
)
"""Why features that carry a doubtful target are not named."""

ROUTING_ALONE = "a model of labels as they are, which serves routing alone: none like it is trained"
"""What pooled models over a symbol's own time are, where those trained learn compared labels."""

MAX_CHARTED = 6
"""Jobs whose evaluation is drawn; the page must stay small."""

_N_THREADS = 16
_SKILL_COLUMNS = ("target", "symbol", "view", "skill", "predictable")
_FEATURE_COLUMNS = (
    "target",
    "view",
    "symbol",
    "feature",
    "score",
    "stability",
    "set_stability",
    "symbols_stability",
    "rank",
    "selected",
    "reason",
    "verdict",
)
_LATER = {
    "failed": "failed before it was written",
    "interrupted": "was interrupted before it was written",
    "running": "has not come so far",
}


@dataclass(frozen=True)
class RunContents:
    """The files of a run.

    Attributes
    ----------
    record
        ``run.json``.
    symbols, plan
        ``symbols.json`` and ``training_plan.json``, None where missing.
    targets
        Rows of the target ranking, by view and rank; none where the table is missing.
    skills, features, kept, leaks, routes, failures
        Tables, None where missing.
    trained
        Planned jobs that left a finished model.
    models
        Metadata of the first of them in the order of the plan, by job.
    stages
        Tables of user-defined stages; none are read for one target.
    evaluated
        Figures of the trained jobs, None where missing.
    doubts
        What carries doubtful skills, None where missing.
    charted
        Jobs whose evaluation is drawn: the first pooled ones, then the others.
    quantiles, decay, equity
        Tables of the evaluation, for these jobs alone; not read for one target.
    policies, policy_folds
        What schedules of retraining would have earned, and in each fold (not read for one target);
        None where the run did not compare any.
    calibration
        How far probabilities, expected labels and intervals can be trusted; None where missing.
    effects
        How features move what models say; None where missing.
    overfitting
        How often the best model of a half of the time disappointed in the other: a row of all
        models, and of each target with several; None where missing.
    """

    record: RunRecord
    symbols: SymbolsRecord | None
    targets: tuple[TargetRow, ...] | None
    skills: pa.Table | None
    features: pa.Table | None
    leaks: pa.Table | None
    routes: pa.Table | None
    failures: pa.Table | None
    plan: PlanRecord | None
    trained: frozenset[str]
    models: Mapping[str, ModelRecord]
    stages: Mapping[str, pa.Table]
    evaluated: pa.Table | None = None
    doubts: pa.Table | None = None
    charted: tuple[str, ...] = ()
    quantiles: pa.Table | None = None
    decay: pa.Table | None = None
    equity: pa.Table | None = None
    kept: pa.Table | None = None
    overfitting: pa.Table | None = None
    policies: pa.Table | None = None
    policy_folds: pa.Table | None = None
    calibration: pa.Table | None = None
    effects: pa.Table | None = None

    @property
    def status(self) -> str:
        """``running``, ``done``, ``failed`` or ``interrupted``."""
        return self.record.status

    @property
    def jobs(self) -> Sequence[PlannedJob]:
        """Planned jobs by priority."""
        return self.plan.jobs if self.plan is not None else ()

    @property
    def left_out(self) -> Sequence[LeftOutJob]:
        """What could not be planned."""
        return self.plan.left_out if self.plan is not None else ()

    @property
    def serves_routing_alone(self) -> bool:
        """Whether the pooled models of a symbol's own time are others than those trained."""
        return self.record.compare not in (None, "raw")

    @property
    def chosen(self) -> list[str]:
        """Targets that went on to feature selection, strongest first."""
        rows = self.targets or ()
        # What trained models made doubtful had been chosen before.
        late = {each.target for each in self._doubted_worth}
        late -= {each.target for each in doubted_skills(rows)}
        before = [
            replace(row, predictable=True) if row.doubtful and row.target in late else row
            for row in rows
        ]
        n_chosen = self.count("chosen_targets")
        return choose_targets(before, len(before) if n_chosen is None else n_chosen)

    @property
    def doubted(self) -> list[DoubtedFigure]:
        """A figure for which each doubtful target is doubtful, those of the ranking first."""
        found = [*doubted_skills(self.targets or ()), *self._doubted_worth]
        return list({each.target: each for each in reversed(found)}.values())[::-1]

    def doubt_of(self, target: str) -> DoubtedFigure | None:
        """Return the figure for which a target is doubtful; None where it is not."""
        return next((each for each in self.doubted if each.target == target), None)

    @cached_property
    def _doubted_worth(self) -> list[DoubtedFigure]:
        return [] if self.evaluated is None else doubted_worth(self.evaluated.to_pylist())

    def count(self, name: str) -> int | None:
        """Return a count of ``run.json``, None where the run did not come so far."""
        return self.record.counts.get(name)

    def why_absent(self, name: str) -> str:
        """Say why the page has nothing from a file that is missing."""
        if self.status in _LATER:
            return f"{name} is missing: the run {_LATER[self.status]}."
        if self.targets is not None and not any(row.predictable for row in self.targets):
            return f"{name} is missing: no target is predictable, so there was nothing to write."
        return f"{name} is missing from the run directory."


def read_contents(
    run: Results,
    target: str | None = None,
    symbol: str | None = None,
    max_models: int | None = MAX_MODELS,
) -> RunContents:
    """Read what the page shows, or all there is on one target.

    Parameters
    ----------
    target
        Of skills, features and routes keep this target's rows alone, with all their columns, and
        read its models alone.
    symbol
        Of these models read those that serve this symbol.
    max_models
        Models whose metadata are read, one request each; None: all.

    Raises
    ------
    StorageError
        When ``run.json`` is missing (there is no run here) or a file that is there cannot be read,
        or holds something else than it should.
    """
    record, plan = run.record, run.plan()
    jobs = plan.jobs if plan is not None else ()
    trained = _trained(run, [job.job_id for job in jobs])
    shown = [
        job.job_id
        for job in jobs
        if job.job_id in trained
        and (target is None or job.target == target)
        and (symbol is None or symbol in job.serves)
    ][:max_models]
    with ThreadPoolExecutor(_N_THREADS) as pool:
        models = dict(zip(shown, pool.map(run.model, shown), strict=True))
    evaluated = _rows(run, results.EVALUATED_JOBS, None, target)
    charted = _charted(evaluated) if target is None else ()
    policies = _rows(run, results.POLICIES, None, target)
    compared = _charted(policies)
    return RunContents(
        record=record,
        symbols=run.symbols(),
        targets=run.target_rows(),
        skills=_rows(run, results.RANKED_SYMBOLS, _SKILL_COLUMNS, target),
        features=_rows(run, results.FEATURES, _FEATURE_COLUMNS, target),
        leaks=run.table(results.LEAKAGE),
        routes=_rows(run, results.ROUTES, None, target),
        failures=run.table(results.FAILURES),
        plan=plan,
        trained=trained,
        models=models,
        stages=run.user_tables() if target is None else {},
        evaluated=evaluated,
        doubts=_rows(run, results.DOUBT, None, target),
        charted=charted,
        quantiles=_rows_of_jobs(run, results.QUANTILES, charted),
        decay=_rows_of_jobs(run, results.DECAY, charted),
        equity=_rows_of_jobs(run, results.EQUITY, charted),
        kept=_rows(run, results.KEPT, None, target),
        calibration=_rows(run, results.CALIBRATION, None, target),
        effects=_rows(run, results.EFFECTS, None, target),
        overfitting=run.table(results.OVERFITTING),
        policies=policies,
        policy_folds=_rows_of_jobs(run, results.POLICY_FOLDS, compared) if target is None else None,
    )


def _charted(evaluated: pa.Table | None) -> tuple[str, ...]:
    """Choose jobs by their place in the plan: to choose by result would flatter the models.

    The first of each target comes before the second of any, which is another family of the same.
    """
    if evaluated is None:
        return ()
    pooled = evaluated.column("symbol").is_null()
    first: dict[str, None] = {}
    for kept in (pooled, pc.invert(pooled)):
        by_target: dict[str, dict[str, None]] = {}
        for row in evaluated.filter(kept).select(["job_id", "target"]).to_pylist():
            by_target.setdefault(row["target"], {})[row["job_id"]] = None
        for place in range(MAX_CHARTED):
            rounds = (list(jobs)[place : place + 1] for jobs in by_target.values())
            first |= {job: None for names in rounds for job in names}
        if len(first) >= MAX_CHARTED:
            break
    return tuple(first)[:MAX_CHARTED]


def _rows_of_jobs(run: Results, name: str, jobs: Sequence[str]) -> pa.Table | None:
    return run.table(name, where=("job_id", jobs)) if jobs else None


def _rows(
    run: Results, name: str, columns: Sequence[str] | None, target: str | None
) -> pa.Table | None:
    """Read some columns of all targets, or all of one target: there may be millions of rows."""
    if target is None:
        return run.table(name, columns)
    return run.table(name, where=("target", [target]))


def _trained(run: Results, jobs: Sequence[str]) -> frozenset[str]:
    return frozenset(jobs) & run.trained_jobs() if jobs else frozenset()
