"""The driver: discover → batch → rank → select → route → plan → train → report."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ray_pipeline.batch import Batch, choose_batch, fingerprint
from ray_pipeline.config import ExperimentConfig, dump_config
from ray_pipeline.errors import ConfigError, ExecutionError, RayPipelineError
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.failures import FailureLedger
from ray_pipeline.journal import Journal, iso_time
from ray_pipeline.panel.inspection import SymbolInspection
from ray_pipeline.panel.stage import Panel, build_panel, inspect_panel, summarise
from ray_pipeline.panel.summary import PanelSummary
from ray_pipeline.progress import Reporter
from ray_pipeline.publishing import Publisher
from ray_pipeline.ranking.leakage_stage import screen_features
from ray_pipeline.ranking.stage import PooledPanel, Ranking, build_pool, rank_targets
from ray_pipeline.records import SymbolPartition
from ray_pipeline.report import write_report
from ray_pipeline.routing.plan import TrainingPlan, plan_training
from ray_pipeline.routing.stage import route_symbols
from ray_pipeline.selection.stage import select_features
from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.families import load_family
from ray_pipeline.training.stage import Training, train_models
from ray_pipeline.workers import open_executor, options_for

__all__ = ["RunResult", "run_pipeline"]


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended: its status, one sentence about it, and where everything is."""

    status: Literal["done", "failed"]
    message: str
    run_dir: str
    report: str


def run_pipeline(config: ExperimentConfig, reporter: Reporter, fresh: bool = False) -> RunResult:
    """Run the whole pipeline; on a run directory with finished work, continue from there.

    Parameters
    ----------
    fresh
        Forget what earlier runs left in the run directory.

    Raises
    ------
    ConfigError, DiscoveryError
        When config and data do not fit together.
    ExecutionError
        When the run as a whole failed; ``run.json`` and the report say why.
    """
    check_families(config)
    batch = choose_batch(config, reporter.listed)
    run = RunDirectory(config.output.run_dir, options_for(config.output.run_dir, config))
    if fresh:
        run.remove("units")
    resolved = dump_config(config)
    journal = Journal(
        run,
        {
            "name": config.experiment.name,
            "seed": config.experiment.seed,
            "config_sha256": hashlib.sha256(resolved.encode()).hexdigest(),
            "input_fingerprint": fingerprint(batch.partitions),
        },
    )
    journal.clear_results()
    run.write_text("config.yaml", resolved)
    journal.write()
    attempt = _Run(config, batch, run, journal, reporter)
    try:
        status, message = attempt.stages()
        journal.finish(status, message)
    except KeyboardInterrupt:
        journal.finish("interrupted", "interrupted; the same command continues from here")
        raise
    except RayPipelineError as error:
        journal.finish("failed", "the run failed", str(error))
        raise
    finally:
        if journal.record["status"] == "running":
            journal.finish("failed", "the run failed", "an unexpected error; see standard error")
        attempt.publish.failures(attempt.ledger, list(batch.partitions))
        report = write_report(run)
    return RunResult(status, message, run.uri, report)


def check_families(config: ExperimentConfig) -> None:
    """Raise ConfigError for an unknown family or hyperparameter, before any work is done."""
    for section, names, hyperparameters in (
        (
            "target_ranking",
            config.target_ranking.families,
            config.target_ranking.hyperparameters,
        ),
        ("training", config.training.families, config.training.hyperparameters),
    ):
        for name in dict.fromkeys((*names, *hyperparameters)):
            try:
                load_family(name).check_hyperparameters(hyperparameters.get(name, {}))
            except ConfigError as error:
                raise ConfigError(f"{section}: {error}") from error


class _Run:
    """One attempt at a run: the stages in their order, and what they hand down."""

    def __init__(
        self,
        config: ExperimentConfig,
        batch: Batch,
        run: RunDirectory,
        journal: Journal,
        reporter: Reporter,
    ) -> None:
        self.config, self.batch, self.run = config, batch, run
        self.journal, self.reporter = journal, reporter
        self.publish = Publisher(run)
        self.ledger = FailureLedger(list(batch.partitions), config.execution.max_failed_fraction)

    def stages(self) -> tuple[Literal["done", "failed"], str]:
        """Run all stages and say what came of them."""
        found = self.batch.discovery
        self._tell(self.batch.warnings)
        self.journal.count(
            discovered=len(found.symbols),
            rejected=len(found.rejected),
            selected=len(self.batch.partitions),
        )
        self.reporter.say(
            f"{len(self.batch.partitions)} of {len(found.symbols)} symbols from "
            f"{found.data_dir}" + (f" at {found.interval}" if found.interval else "")
        )
        with open_executor(self.config, self.run, self.reporter) as executor:
            runner = UnitRunner(executor, self.run.units, self.reporter.outcome, self.ledger.add)
            panel, partitions = self._panel(runner)
            pool = self._pool(runner, panel, partitions)
            ranking = self._rank(runner, panel, partitions, pool)
            plan = self._plan(runner, panel, partitions, pool, ranking)
            training = self._train(runner, panel, partitions, pool, plan)
        self.journal.count(failed_units=len(self.ledger.failures))
        self.journal.note(content_sha256=self.publish.content_sha256())
        return self._verdict(ranking, plan, training)

    def _panel(self, runner: UnitRunner) -> tuple[Panel, dict[str, SymbolPartition]]:
        with self.journal.stage("inspect"):
            inspections: dict[str, SymbolInspection] = {}
            try:
                inspections = inspect_panel(runner, self.batch.partitions, self.config)
                summary = summarise(inspections, self.config, self.batch.interval)
            finally:
                self.publish.symbols(
                    self.batch, self.config.experiment.seed, inspections, self.ledger
                )
            panel = build_panel(self.run, inspections, summary, self.config)
            self._tell(panel.warnings)
            self._describe(panel, summary, inspections)
        with self.journal.stage("leakage"):
            partitions = self.ledger.healthy(self.batch.partitions)
            screening = screen_features(runner, panel.frame, partitions, summary.roles, self.config)
            self.publish.leakage(screening.rows)
            self.journal.count(leaks=len(screening.rows))
            for row in screening.rows:
                self._tell([f"leak, {row['action']}: {row['feature']} {row['reason']}"])
        return panel.without_features(screening.dropped), self.ledger.healthy(partitions)

    def _pool(
        self, runner: UnitRunner, panel: Panel, partitions: Mapping[str, SymbolPartition]
    ) -> PooledPanel | None:
        settings = self.config.target_ranking
        if "cross_sectional" not in settings.views:
            return None
        if len(partitions) < settings.min_cs:
            missing = (
                f"{len(partitions)} symbols are too few for the cross-sectional view: "
                f"target_ranking.min_cs needs {settings.min_cs}."
            )
            if settings.views == ("cross_sectional",):
                raise ConfigError(f"{missing} Add symbols, or the view symbol_specific.")
            self._tell([f"{missing} Only the symbol-specific view is ranked."])
            return None
        with self.journal.stage("pool"):
            return build_pool(
                runner,
                panel.frame,
                partitions,
                panel.rows_per_position,
                settings.max_cs_rows,
            )

    def _rank(
        self,
        runner: UnitRunner,
        panel: Panel,
        partitions: Mapping[str, SymbolPartition],
        pool: PooledPanel | None,
    ) -> Ranking:
        with self.journal.stage("target_ranking"):
            ranking = rank_targets(runner, self.run, panel.frame, partitions, pool, self.config)
            self.publish.ranking(ranking)
            predictable = {row.target for row in ranking.targets if row.predictable}
            self.journal.count(
                predictable_targets=len(predictable), chosen_targets=len(ranking.chosen)
            )
        self.reporter.say(f"{len(predictable)} of {len(panel.frame.targets)} targets predictable")
        return ranking

    def _plan(
        self,
        runner: UnitRunner,
        panel: Panel,
        partitions: Mapping[str, SymbolPartition],
        pool: PooledPanel | None,
        ranking: Ranking,
    ) -> TrainingPlan:
        with self.journal.stage("feature_selection"):
            selection = select_features(runner, panel.frame, partitions, pool, ranking, self.config)
            self.publish.selection(selection, self.config.feature_selection.methods)
        with self.journal.stage("routing"):
            routes = route_symbols(ranking, list(partitions), self.config)
            self.publish.routes(routes)
            plan = plan_training(routes, selection, ranking.chosen, list(partitions), self.config)
            self.publish.plan(plan)
            self.journal.count(jobs=len(plan.jobs))
        return plan

    def _train(
        self,
        runner: UnitRunner,
        panel: Panel,
        partitions: Mapping[str, SymbolPartition],
        pool: PooledPanel | None,
        plan: TrainingPlan,
    ) -> Training:
        with self.journal.stage("training"):
            training = train_models(
                runner,
                panel.frame,
                partitions,
                pool,
                plan,
                self.config.target_ranking.min_cs,
                str(self.journal.record["input_fingerprint"]),
            )
            self.publish.training(training)
            self.journal.count(models=len(training.results))
        return training

    def _describe(
        self,
        panel: Panel,
        summary: PanelSummary,
        inspections: Mapping[str, SymbolInspection],
    ) -> None:
        frame, found = panel.frame, self.batch.discovery
        n_rows = sum(inspection.n_rows for inspection in inspections.values())
        axis = self.run.read_table(frame.axis).column("time_ns")
        self.journal.count(
            used=len(inspections),
            quarantined=len(self.ledger.quarantined),
            targets=len(frame.targets),
            features=len(frame.request.features),
        )
        self.journal.note(
            data={
                "data_dir": found.data_dir,
                "interval": found.interval,
                "layout": found.layout,
                "kind": summary.kind,
                "bar_seconds": summary.bar_seconds,
                "session_bars": summary.session_bars,
                "n_timestamps": frame.n_timestamps,
                "n_rows": n_rows,
                "first_ts": iso_time(axis[0].as_py()),
                "last_ts": iso_time(axis[-1].as_py()),
            },
            folds=[
                {
                    "index": fold.index,
                    "test_start": iso_time(axis[fold.test_start].as_py()),
                    "test_end": iso_time(axis[fold.test_end - 1].as_py()),
                }
                for fold in frame.folds
            ],
        )
        self.reporter.say(
            f"{len(inspections)} symbols, {n_rows:,} rows, {len(frame.request.features)} features, "
            f"{len(frame.targets)} targets"
        )

    def _tell(self, warnings: tuple[str, ...] | list[str]) -> None:
        self.journal.warn(warnings)
        for text in warnings:
            self.reporter.say(f"warning: {text}")

    def _verdict(
        self, ranking: Ranking, plan: TrainingPlan, training: Training
    ) -> tuple[Literal["done", "failed"], str]:
        n_targets = len({row.target for row in ranking.targets})
        n_predictable = len({row.target for row in ranking.targets if row.predictable})
        n_failed = len(self.ledger.failures)
        if n_predictable == 0:
            alpha = self.config.target_ranking.alpha
            return "done", (
                f"none of {n_targets} targets is predictable at a false-discovery rate of "
                f"{alpha:g}; nothing was trained"
            )
        found = f"{n_predictable} of {n_targets} targets predictable"
        wanted = len(plan.jobs) + len(plan.left_out)
        if wanted and not training.results:
            raise ExecutionError(
                f"{found}, but not one of {wanted} models could be trained; "
                "failures.parquet and training_plan.json say why."
            )
        if not wanted:
            return "done", f"{found}, but no route leads to a model; nothing was trained"
        trained = f"{len(training.results)} of {len(plan.jobs)} models trained"
        units = f"; {n_failed} units failed, see failures.parquet" if n_failed else ""
        return "done", f"{found}, {trained}{units}"
