"""What a run left behind, read for the page; a run that ended early left less."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ray_pipeline.ranking.decide import TargetRow, choose_targets
from ray_pipeline.results import tables as results
from ray_pipeline.storage import RunDirectory, table_batches

__all__ = ["MAX_CHARTED", "MAX_MODELS", "RunContents", "read_contents"]

MAX_MODELS = 200
"""Models whose metadata are read for a page, one request each."""

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
    skills, features, leaks, routes, failures
        Tables, None where missing.
    trained
        Planned jobs that left a finished model.
    models
        Metadata of the first of them in the order of the plan, by job.
    stages
        Tables of the user's own stages; none are read for one target.
    evaluated
        Figures of the trained jobs, None where missing.
    charted
        Jobs whose evaluation is drawn: the first pooled ones, then the others.
    quantiles, decay, equity
        Tables of the evaluation, for these jobs alone; not read for one target.
    """

    record: Mapping[str, Any]
    symbols: Mapping[str, Any] | None
    targets: tuple[TargetRow, ...] | None
    skills: pa.Table | None
    features: pa.Table | None
    leaks: pa.Table | None
    routes: pa.Table | None
    failures: pa.Table | None
    plan: Mapping[str, Any] | None
    trained: frozenset[str]
    models: Mapping[str, Mapping[str, Any]]
    stages: Mapping[str, pa.Table]
    evaluated: pa.Table | None = None
    charted: tuple[str, ...] = ()
    quantiles: pa.Table | None = None
    decay: pa.Table | None = None
    equity: pa.Table | None = None

    @property
    def status(self) -> str:
        """``running``, ``done``, ``failed`` or ``interrupted``."""
        return str(self.record.get("status", "running"))

    @property
    def jobs(self) -> Sequence[Mapping[str, Any]]:
        """Planned jobs by priority."""
        return list(self.plan["jobs"]) if self.plan is not None else []

    @property
    def chosen(self) -> list[str]:
        """Targets that went on to feature selection, strongest first."""
        rows = self.targets or ()
        n_chosen = self.count("chosen_targets")
        return choose_targets(rows, len(rows) if n_chosen is None else n_chosen)

    def count(self, name: str) -> int | None:
        """Return a count of ``run.json``, None where the run did not come so far."""
        value = (self.record.get("counts") or {}).get(name)
        return None if value is None else int(value)

    def why_absent(self, name: str) -> str:
        """Say why the page has nothing from a file that is missing."""
        if self.status in _LATER:
            return f"{name} is missing: the run {_LATER[self.status]}."
        if self.targets is not None and not any(row.predictable for row in self.targets):
            return f"{name} is missing: no target is predictable, so there was nothing to write."
        return f"{name} is missing from the run directory."


def read_contents(
    run: RunDirectory,
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
        When ``run.json`` is missing (there is no run here) or a file that is there cannot be read.
    """
    record = run.read_json("run.json")
    plan = _json(run, results.PLAN)
    jobs = plan["jobs"] if plan is not None else []
    trained = _trained(run, [job["job_id"] for job in jobs])
    shown = [
        job["job_id"]
        for job in jobs
        if job["job_id"] in trained
        and (target is None or job["target"] == target)
        and (symbol is None or symbol in job["serves"])
    ][:max_models]
    with ThreadPoolExecutor(_N_THREADS) as pool:
        documents = pool.map(lambda job_id: run.read_json(f"models/{job_id}/metadata.json"), shown)
        models = dict(zip(shown, documents, strict=True))
    evaluated = _rows(run, results.EVALUATED_JOBS, None, target)
    charted = _charted(evaluated) if target is None else ()
    return RunContents(
        record=record,
        symbols=_json(run, "symbols.json"),
        targets=_target_rows(_table(run, results.RANKED_TARGETS)),
        skills=_rows(run, results.RANKED_SYMBOLS, _SKILL_COLUMNS, target),
        features=_rows(run, results.FEATURES, _FEATURE_COLUMNS, target),
        leaks=_table(run, results.LEAKAGE),
        routes=_rows(run, results.ROUTES, None, target),
        failures=_table(run, results.FAILURES),
        plan=plan,
        trained=trained,
        models=models,
        stages=_stages(run) if target is None else {},
        evaluated=evaluated,
        charted=charted,
        quantiles=_rows_of_jobs(run, results.QUANTILES, charted),
        decay=_rows_of_jobs(run, results.DECAY, charted),
        equity=_rows_of_jobs(run, results.EQUITY, charted),
    )


def _charted(evaluated: pa.Table | None) -> tuple[str, ...]:
    """Choose jobs by their place in the plan: to choose by result would flatter the models."""
    if evaluated is None:
        return ()
    pooled = evaluated.column("symbol").is_null()
    names = [evaluated.filter(kept).column("job_id") for kept in (pooled, pc.invert(pooled))]
    first = [name for column in names for name in column.slice(0, MAX_CHARTED).to_pylist()]
    return tuple(first[:MAX_CHARTED])


def _rows_of_jobs(run: RunDirectory, name: str, jobs: Sequence[str]) -> pa.Table | None:
    if not jobs or not run.exists(name):
        return None
    return _filtered(run, name, "job_id", jobs)


def _stages(run: RunDirectory) -> dict[str, pa.Table]:
    folder = results.USER_STAGES
    names = [name.removesuffix(".parquet") for name in run.names_in(folder)]
    return {name: run.read_table(f"{folder}/{name}.parquet") for name in names}


def _json(run: RunDirectory, name: str) -> Mapping[str, Any] | None:
    return run.read_json(name) if run.exists(name) else None


def _table(run: RunDirectory, name: str, columns: Sequence[str] | None = None) -> pa.Table | None:
    return run.read_table(name, columns) if run.exists(name) else None


def _rows(
    run: RunDirectory, name: str, columns: Sequence[str] | None, target: str | None
) -> pa.Table | None:
    """Read some columns of all targets, or all of one target: there may be millions of rows."""
    if target is None or not run.exists(name):
        return _table(run, name, columns)
    return _filtered(run, name, "target", [target])


def _filtered(run: RunDirectory, name: str, column: str, values: Sequence[str]) -> pa.Table:
    with run.open_table(name) as file:
        wanted = pa.array(values, pa.string())
        kept = [
            batch.filter(pc.is_in(batch.column(column), value_set=wanted))
            for batch in table_batches(file)
        ]
        return pa.Table.from_batches(kept, file.schema_arrow)


def _trained(run: RunDirectory, jobs: Sequence[str]) -> frozenset[str]:
    """Find finished models with one listing; a folder without metadata is an unfinished one."""
    if not jobs:
        return frozenset()
    finished = {
        name.split("/")[1] for name in run.list("models") if name.endswith("/metadata.json")
    }
    return frozenset(jobs) & finished


def _target_rows(table: pa.Table | None) -> tuple[TargetRow, ...] | None:
    if table is None:
        return None
    figures = ("skill", "std_error", "t_stat", "p_value", "q_value")
    rows = []
    for row in table.to_pylist():
        measured = {name: math.nan if row[name] is None else row[name] for name in figures}
        rows.append(TargetRow(**(row | measured)))
    return tuple(rows)
