"""Everything a run leaves behind for people: tables, plan, models, predictions, hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from ray_pipeline.discovery.choosing import Batch
from ray_pipeline.driving.failures import FailureLedger
from ray_pipeline.evaluating import DecayRow, EvaluatedRow, Evaluation, QuantileRow
from ray_pipeline.evaluating.units import curves_schema
from ray_pipeline.panel.inspection import SymbolInspection
from ray_pipeline.ranking.decide import SymbolRow, TargetRow
from ray_pipeline.ranking.ranking import Ranking
from ray_pipeline.results import tables as results
from ray_pipeline.routing.decide import RouteRow
from ray_pipeline.routing.plan import TrainingPlan
from ray_pipeline.selection.selecting import Selection
from ray_pipeline.storage import RunDirectory, content_sha256
from ray_pipeline.training.predictions import JoinedPredictions, predictions_schema
from ray_pipeline.training.search.choices import TrialRow
from ray_pipeline.training.search.searching import Searches
from ray_pipeline.training.training import Training
from ray_pipeline.user_code.records import records_table
from ray_pipeline.wording import iso_time

__all__ = ["Publisher"]

_COPIES_AT_ONCE = 16


class Publisher:
    """Writes the results of each stage into the run directory as soon as they are there."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run

    def symbols(
        self,
        batch: Batch,
        seed: int,
        inspections: Mapping[str, SymbolInspection],
        ledger: FailureLedger,
    ) -> None:
        """Write ``symbols.json``."""
        found = batch.discovery
        self._run.write_json(
            "symbols.json",
            {
                "data_dir": found.data_dir,
                "interval": found.interval,
                "layout": found.layout,
                "seed": seed,
                "discovered": found.symbols,
                "selected": list(batch.partitions),
                "rejected": [asdict(rejection) for rejection in found.rejected],
                "quarantined": [
                    {"symbol": symbol, "stage": failure.unit.stage, "reason": failure.error}
                    for symbol, failure in sorted(ledger.quarantined.items())
                ],
                "symbols": {
                    symbol: {
                        "n_files": len(partition.files),
                        "size_bytes": partition.size_bytes,
                        **_inspected(inspections.get(symbol)),
                    }
                    for symbol, partition in batch.partitions.items()
                },
            },
        )

    def leakage(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write the leaks."""
        self._run.write_table(results.LEAKAGE, results.leakage_table(rows))

    def user_stage(self, name: str, records: Mapping[str, Mapping[str, Any]]) -> None:
        """Write the table of a user's stage."""
        self._run.write_table(f"{results.USER_STAGES}/{name}.parquet", records_table(name, records))

    def ranking(self, ranking: Ranking) -> None:
        """Write both tables of target ranking."""
        self._run.write_table(
            results.RANKED_TARGETS, results.rows_table(TargetRow, ranking.targets)
        )
        self._run.write_table(
            results.RANKED_SYMBOLS, results.rows_table(SymbolRow, ranking.symbols)
        )

    def selection(self, selection: Selection, methods: Sequence[str]) -> None:
        """Write the table of feature selection."""
        table = results.features_table(selection.table_rows(), methods)
        self._run.write_table(results.FEATURES, table)

    def routes(self, routes: Sequence[RouteRow]) -> None:
        """Write the routes."""
        self._run.write_table(results.ROUTES, results.rows_table(RouteRow, routes))

    def plan(self, plan: TrainingPlan) -> None:
        """Write the training plan."""
        jobs = []
        for job in plan.jobs:
            plain = asdict(job) | {"hyperparameters": dict(job.hyperparameters)}
            del plain["fold_features"]
            if not job.members:
                del plain["members"]
            jobs.append(plain)
        left_out = [{"what": what, "why": why} for what, why in plan.left_out]
        self._run.write_json(results.PLAN, {"jobs": jobs, "left_out": left_out})

    def trials(self, searches: Searches) -> None:
        """Write the trials of a search for hyperparameters."""
        self._run.write_table(results.TRIALS, results.rows_table(TrialRow, searches.rows))

    def training(
        self, training: Training, predictions: JoinedPredictions | None, plan: TrainingPlan
    ) -> None:
        """Write models and out-of-sample predictions in the order of the plan.

        A model is trained into ``units/`` under a hash of all that it depends on, and copied
        from there: ``models/`` then holds this run's models and no earlier one's.
        """
        self._run.remove("models")
        # Whom a pooled model serves is no part of its training: routes can change without it.
        serves = {job.job_id: job.serves for job in plan.jobs if job.view == "cross_sectional"}
        copies: list[tuple[str, str]] = []
        pooled: list[tuple[str, str]] = []
        for job_id, result in training.results.items():
            for source in result["files"]:
                name = source.rsplit("/", 1)[-1]
                amended = name == "metadata.json" and job_id in serves
                (pooled if amended else copies).append((source, f"models/{job_id}/{name}"))
        with ThreadPoolExecutor(_COPIES_AT_ONCE) as pool:
            list(pool.map(lambda pair: self._run.copy(*pair), copies))
        for source, name in pooled:
            metadata = self._run.read_json(source)
            self._run.write_json(name, metadata | {"serves": serves[metadata["job_id"]]})
        if predictions is None:
            self._run.write_table(results.PREDICTIONS, predictions_schema().empty_table())
        else:
            self._run.copy(predictions.table, results.PREDICTIONS)

    def evaluation(self, evaluation: Evaluation) -> None:
        """Write what the predictions would have been worth."""
        for name, table in (
            (results.EVALUATED_JOBS, results.rows_table(EvaluatedRow, evaluation.jobs)),
            (results.QUANTILES, results.rows_table(QuantileRow, evaluation.quantiles)),
            (results.DECAY, results.rows_table(DecayRow, evaluation.decay)),
        ):
            self._run.write_table(name, table)
        if evaluation.curves is None:
            self._run.write_table(results.EQUITY, curves_schema().empty_table())
        else:
            self._run.copy(evaluation.curves, results.EQUITY)

    def failures(self, ledger: FailureLedger, symbols: Sequence[str]) -> None:
        """Write the failed units."""
        self._run.write_table(results.FAILURES, results.failures_table(ledger.failures, symbols))

    def content_sha256(self, predictions: JoinedPredictions | None) -> str:
        """Hash what was computed: see `results.content_names`.

        The worker that joined the predictions has hashed them: reading millions of rows is not
        the driver's work.
        """
        known = {} if predictions is None else {results.PREDICTIONS: predictions.digest}
        return content_sha256(self._run, results.content_names(self._run), known)


def _inspected(inspection: SymbolInspection | None) -> dict[str, Any]:
    if inspection is None:
        return {"n_rows": None, "first_ts": None, "last_ts": None, "findings": []}
    return {
        "n_rows": inspection.n_rows,
        "first_ts": iso_time(inspection.first_ts_ns),
        "last_ts": iso_time(inspection.last_ts_ns),
        "findings": [finding.message for finding in inspection.findings],
    }
