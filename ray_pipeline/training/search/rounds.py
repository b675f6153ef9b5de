"""Rounds of trials: those of all jobs and folds are measured together, to fill the cluster."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.ranking.stage import PooledPanel
from ray_pipeline.records import SymbolPartition
from ray_pipeline.training.search.choices import Pairs
from ray_pipeline.training.search.inner import InnerSplits
from ray_pipeline.training.search.study import Batch, Study
from ray_pipeline.training.search.units import (
    TrialsSpec,
    TrialTask,
    measure_own_trials,
    measure_pooled_trials,
)

__all__ = ["Measuring"]

_FAILED = "a unit of its trials failed; see failures.parquet"

Asked = tuple[Study, Batch]


@dataclass(frozen=True, slots=True)
class Measuring:
    """Has rounds of trials measured.

    A pooled trial is a unit, since it is large; a symbol's trials of a round are one, since they
    read one table.
    """

    runner: UnitRunner
    frame: PanelFrame
    partitions: Mapping[str, SymbolPartition]
    pool: PooledPanel | None
    splits: InnerSplits
    min_cs: int

    def round(self, asked: Sequence[Asked]) -> None:
        """Measure a batch of each study, and tell each its skills in the order of its trials."""
        pooled = [item for item in asked if item[0].job.view == "cross_sectional"]
        own: dict[str, list[Asked]] = {}
        for study, batch in asked:
            if study.job.view == "symbol_specific":
                own.setdefault(study.job.symbols[0], []).append((study, batch))
        self._pooled(pooled)
        self._own(own)

    def _pooled(self, asked: Sequence[Asked]) -> None:
        if self.pool is None:
            return
        units = [
            [
                self._unit(study, batch.first + k, pairs, self.pool)
                for k, pairs in enumerate(batch.hyperparameters)
            ]
            for study, batch in asked
        ]
        records = self.runner.run([unit for each in units for unit in each], [self.pool.value])
        for (study, batch), each in zip(asked, units, strict=True):
            results = [_result(records.get(unit.key), 0, 1) for unit in each]
            problems = [result["problem"] for result in results if result["problem"]]
            skills = [_number(skill) for result in results for skill in result["skills"]]
            study.tell(batch, skills, problems[0] if problems else None)

    def _unit(self, study: Study, number: int, pairs: Pairs, pool: PooledPanel) -> Unit:
        task = _task(study, Batch(number, (pairs,)))
        spec = TrialsSpec(self.frame, (task,), self.splits, self.min_cs, pool=pool.tables)
        key = f"{study.job.job_id}, {study.name}, trial {number}"
        return Unit("search_pooled", key, measure_pooled_trials, spec)

    def _own(self, asked: Mapping[str, Sequence[Asked]]) -> None:
        units = [
            Unit(
                "search_symbol",
                symbol,
                measure_own_trials,
                TrialsSpec(
                    frame=self.frame,
                    tasks=tuple(_task(study, batch) for study, batch in items),
                    splits=self.splits,
                    min_cs=self.min_cs,
                    partition=self.partitions[symbol],
                ),
            )
            for symbol, items in asked.items()
        ]
        records = self.runner.run(units)
        for symbol, items in asked.items():
            for k, (study, batch) in enumerate(items):
                result = _result(records.get(symbol), k, len(batch.hyperparameters))
                study.tell(batch, [_number(s) for s in result["skills"]], result["problem"])


def _task(study: Study, batch: Batch) -> TrialTask:
    job = study.job
    return TrialTask(
        job_id=job.job_id,
        target=job.target,
        view=job.view,
        family=job.family,
        fold=study.fold,
        features=study.features,
        first=batch.first,
        hyperparameters=batch.hyperparameters,
    )


def _result(record: Mapping[str, Any] | None, task: int, n_trials: int) -> Mapping[str, Any]:
    """Return what a unit says of one of its tasks; of a failed unit, that it failed."""
    if record is None:
        return {"skills": [None] * n_trials, "problem": _FAILED}
    result: Mapping[str, Any] = record["tasks"][task]
    return result


def _number(skill: float | None) -> float:
    return math.nan if skill is None else skill
