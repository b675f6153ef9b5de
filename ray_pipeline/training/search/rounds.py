"""Rounds of trials: all jobs and folds are measured together, to fill the cluster."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.records import SymbolPartition
from ray_pipeline.samples.shared_pool import PooledPanel
from ray_pipeline.training.search.choices import Pairs
from ray_pipeline.training.search.fold_search import FoldSearch, TrialBatch
from ray_pipeline.training.search.inner import TrialSettings
from ray_pipeline.training.search.units import TrialsSpec, TrialTask, measure_trials

__all__ = ["Measuring"]

_FAILED = "a unit of its trials failed; see failures.parquet"

Asked = tuple[FoldSearch, TrialBatch]


@dataclass(frozen=True, slots=True)
class Measuring:
    """Measures rounds of trials.

    A pooled trial is one unit, because it is large; a symbol's trials of a round are one unit,
    because they read one table.
    """

    runner: UnitRunner
    frame: PanelFrame
    partitions: Mapping[str, SymbolPartition]
    pool: PooledPanel | None
    settings: TrialSettings

    def round(self, asked: Sequence[Asked]) -> None:
        """Measure a batch of each search, and report its skills in the order of its trials."""
        units: list[Unit] = []
        where: list[list[tuple[str, int]]] = []  # of each batch: unit and task that measure it
        own: dict[str, list[Asked]] = {}
        for search, batch in asked:
            if search.job.view == "symbol_specific":
                members = own.setdefault(search.job.symbols[0], [])
                where.append([(search.job.symbols[0], len(members))])
                members.append((search, batch))
            else:
                pooled = [
                    self._pooled_unit(search, batch.first + k, pairs)
                    for k, pairs in enumerate(batch.hyperparameters)
                ]
                where.append([(unit.key, 0) for unit in pooled])
                units += pooled
        shared = [self.pool.value] if units and self.pool is not None else []
        units += [self._own_unit(symbol, members) for symbol, members in own.items()]
        records = self.runner.run(units, shared)
        for (search, batch), places in zip(asked, where, strict=True):
            n_each = len(batch.hyperparameters) // len(places)
            results = [_result(records.get(key), task, n_each) for key, task in places]
            problems = [result["problem"] for result in results if result["problem"]]
            skills = [_number(skill) for result in results for skill in result["skills"]]
            search.tell(batch, skills, problems[0] if problems else None)

    def _pooled_unit(self, search: FoldSearch, number: int, pairs: Pairs) -> Unit:
        tables = () if self.pool is None else self.pool.tables
        task = _task(search, TrialBatch(number, (pairs,)))
        spec = TrialsSpec(self.frame, (task,), self.settings, pool=tables)
        key = f"{search.job.job_id}, {search.name}, trial {number}"
        return Unit("search_trials", key, measure_trials, spec)

    def _own_unit(self, symbol: str, members: Sequence[Asked]) -> Unit:
        spec = TrialsSpec(
            frame=self.frame,
            tasks=tuple(_task(search, batch) for search, batch in members),
            settings=self.settings.for_own_models(),
            partition=self.partitions[symbol],
        )
        return Unit("search_trials", symbol, measure_trials, spec)


def _task(search: FoldSearch, batch: TrialBatch) -> TrialTask:
    job = search.job
    return TrialTask(
        job_id=job.job_id,
        target=job.target,
        view=job.view,
        family=job.family,
        fold=search.fold,
        features=search.features,
        first=batch.first,
        hyperparameters=batch.hyperparameters,
    )


def _result(record: Mapping[str, Any] | None, task: int, n_trials: int) -> Mapping[str, Any]:
    """Return a unit's result for one of its tasks, or that the unit failed."""
    if record is None:
        return {"skills": [None] * n_trials, "problem": _FAILED}
    result: Mapping[str, Any] = record["tasks"][task]
    return result


def _number(skill: float | None) -> float:
    return math.nan if skill is None else skill
