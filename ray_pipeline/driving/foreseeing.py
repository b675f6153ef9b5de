"""The estimate of a run, made after inspecting its data, and compared with what it took."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TypeAlias

from ray_pipeline.estimating.estimate import Estimate
from ray_pipeline.estimating.forecasting import forecast
from ray_pipeline.estimating.telling import Outcome, compare_outcome, estimate_document
from ray_pipeline.execution import Executor
from ray_pipeline.inspecting.subject import Inspections, Subject
from ray_pipeline.stages.context import StageContext
from ray_pipeline.storage import RunDirectory
from ray_pipeline.traffic import traffic

__all__ = ["Foresight"]


Told: TypeAlias = tuple[dict[str, Any], list[str]]
"""The part of it for the record, and the sentences for people."""


class Foresight:
    """What a run is expected to take, and what it actually takes.

    Parameters
    ----------
    run
        The run directory, before anything is written.
    """

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._bytes_before = run.size_bytes()
        self._requests_before = traffic().n_requests
        self._executor: Executor | None = None
        self._estimate: Estimate | None = None

    def foresee(self, context: StageContext, executor: Executor) -> Told:
        """Estimate the run from the inspection; return it for the record and for people."""
        subject = context.get(Subject)
        inspections = context.get(Inspections).by_symbol
        self._executor = executor
        self._estimate = forecast(
            context.config,
            subject.partitions,
            {symbol: each.n_rows for symbol, each in inspections.items()},
            subject.frame.request,
            subject.frame.targets,
            subject.frame.folds,
            subject.frame.final_start,
            subject.frame.n_timestamps,
            executor.n_workers,
        )
        document = estimate_document(self._estimate, str(context.config.output.run_dir))
        return document, document["told"]

    @property
    def stages_s(self) -> dict[str, float] | None:
        """Seconds that each stage will probably take; None where that is not known."""
        if self._estimate is None or self._estimate.wall_s is None:
            return None
        return {name: bounds.middle for name, bounds in self._estimate.stages.items()}

    def compare(self, wall_s: float, timings_s: Mapping[str, float]) -> Told:
        """Compare what the run took with its estimate; nothing if there is none."""
        if self._estimate is None or self._executor is None:
            return {}, []
        usage = self._executor.usage
        outcome = Outcome(
            wall_s=wall_s,
            stages_s=timings_s,
            memory_bytes=usage.peak_bytes,
            disk_bytes=self._run.size_bytes() - self._bytes_before,
            n_requests=traffic().n_requests - self._requests_before + usage.n_requests,
            other_load=max(0.0, os.getloadavg()[1] - self._executor.n_workers),
        )
        told = compare_outcome(self._estimate, outcome)
        return {"took": outcome.to_record(), "comparison": told}, told
