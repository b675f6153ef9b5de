"""The trained jobs as units of evaluation, and what comes back of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from prediction_panels import SETTINGS, panel, persistent

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.evaluating.comparison import Likeness, OverfittingRow, TestRange
from ray_pipeline.evaluating.evaluating import Evaluation, evaluate_models
from ray_pipeline.evaluating.measure import evaluate_job
from ray_pipeline.evaluating.overfitting import ComparedJob, compare_models
from ray_pipeline.evaluating.units import evaluate_unit
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.loading import TableRequest
from ray_pipeline.ranking.doubt import DoubtLimits
from ray_pipeline.ranking.ranking import Ranking
from ray_pipeline.records import TargetSpec, View
from ray_pipeline.routing.jobs import Job, TrainingPlan
from ray_pipeline.statistics.folds import Fold
from ray_pipeline.training.training import Training

TARGETS = (TargetSpec("fwd_ret_1d", 4, "regression"), TargetSpec("y_up_2d", 2, "binary"))


COMPARED = OverfittingRow(None, 5, 0, 240, 16, 0.25, 0.125, -0.5, "")
UNLIKE = Likeness(float("nan"), float("nan"))


class Runner:
    """Evaluates one and the same panel for every job, less those that are lost."""

    def __init__(self, lost: Sequence[str] = (), alike: Likeness = UNLIKE) -> None:
        self.alike = alike
        self.units: list[Any] = []
        self.joined: list[Any] = []
        self._lost = lost

    def run(self, units: Sequence[Any]) -> dict[str, Any]:
        self.units += units
        rng = np.random.default_rng(0)
        prediction = persistent(rng, 200, 6, memory=0.8)
        rows = panel(prediction, 0.01 * rng.standard_normal(prediction.shape))
        records = {}
        for unit in sorted(units, key=lambda unit: str(unit.key)):
            if unit.key in self._lost:
                continue
            jobs = {}
            for job in unit.spec.jobs:
                found = evaluate_job(rows, replace(job, view="cross_sectional"), SETTINGS)
                jobs[job.job_id] = {
                    "job": asdict(found.job),
                    "quantiles": [asdict(row) for row in found.quantiles],
                    "decay": [asdict(row) for row in found.decay],
                }
            has_curve = any(job.is_return for job in unit.spec.jobs)
            left = unit.key if has_curve else None
            records[unit.key] = {"jobs": jobs, "curves": left, "slices": left}
        return records

    def run_required(self, units: Sequence[Any]) -> dict[str, Any]:
        self.joined += units
        if units[0].function is compare_models:
            return {"all": {"rows": [asdict(COMPARED)], "likeness": asdict(self.alike)}}
        return {"all": {"table": "joined"}}


def job(job_id: str, target: str, view: View, symbols: tuple[str, ...]) -> Job:
    """Return a job of the plan."""
    return Job(
        job_id=job_id,
        target=target,
        view=view,
        symbols=symbols,
        serves=symbols,
        family="ridge",
        features=("a",),
        fold_features=(),
        hyperparameters=(),
        priority=1,
        why="because",
    )


PLAN = TrainingPlan(
    jobs=(
        job("cs_2", "fwd_ret_1d", "cross_sectional", ("A", "B")),
        job("cs_1", "y_up_2d", "cross_sectional", ("A", "B")),
        job("sym_B", "fwd_ret_1d", "symbol_specific", ("B",)),
        job("sym_A", "y_up_2d", "symbol_specific", ("A",)),
        job("sym_B_up", "y_up_2d", "symbol_specific", ("B",)),
        job("untrained", "y_up_2d", "symbol_specific", ("A",)),
    ),
    left_out=(),
)
TRAINED = {
    each.job_id: {
        "predictions": f"{each.job_id}.parquet",
        "spacing": 2.0 if each.view == "cross_sectional" else 1.0,
    }
    for each in PLAN.jobs[:-1]
}


class Ranked:
    """A row of the ranking, as far as it is counted."""

    def __init__(self, family: str | None) -> None:
        self.family = family


def evaluate(
    runner: Runner, results: dict[str, Any] | None = None, **evaluation: Any
) -> Evaluation:
    """Evaluate the plan's jobs on a panel with two positions a bar, of which half were sampled."""
    names = tuple(target.name for target in TARGETS)
    request = TableRequest("labeled", "ts", ("a",), names, None, 1, 86_400, 1)
    folds = (Fold(0, 100, 200), Fold(1, 200, 390))
    frame = PanelFrame("axis", 400, folds, 0, request, TARGETS, 7, bar_positions=1.5)
    rows: Any = [Ranked("ridge"), Ranked("lightgbm"), Ranked(None), Ranked("ridge")]
    config = ExperimentConfig.model_validate(
        {"data": {"data_dir": "nowhere"}, "evaluation": evaluation}
    )
    given: Any = runner
    ranking = Ranking(targets=rows, symbols=[], chosen=[], records={})
    training = Training(TRAINED if results is None else results)
    doubt = DoubtLimits.from_config(config, bar_seconds=86_400, session_bars=1)
    return evaluate_models(given, frame, ranking, PLAN, training, config, doubt)


def test_pooled_jobs_are_a_unit_each_and_a_symbols_jobs_are_one() -> None:
    """A job without a model is not evaluated."""
    runner = Runner()
    evaluate(runner)
    assert [(unit.stage, unit.key) for unit in runner.units] == [
        ("evaluate_pooled", "cs_2"),
        ("evaluate_pooled", "cs_1"),
        ("evaluate_symbol", "B"),
        ("evaluate_symbol", "A"),
    ]
    assert {unit.function for unit in runner.units} == {evaluate_unit}
    assert [each.job_id for each in runner.units[2].spec.jobs] == ["sym_B", "sym_B_up"]


def test_a_job_knows_its_horizon_in_its_own_positions() -> None:
    """Pooled: panel positions, and their spacing; a symbol's own: its rows."""
    runner = Runner()
    evaluate(runner, return_targets=["y_*"], n_quantiles=4, cost_bps=1.5)
    pooled, own = runner.units[0].spec.jobs[0], runner.units[2].spec.jobs[0]
    assert (pooled.horizon_bars, pooled.span, pooled.spacing, pooled.symbol) == (4, 6, 2.0, None)
    assert (own.horizon_bars, own.span, own.spacing, own.symbol) == (4, 4, 1.0, "B")
    assert (pooled.task, pooled.is_return, pooled.table) == ("regression", False, "cs_2.parquet")
    assert runner.units[1].spec.jobs[0].is_return
    settings = runner.units[0].spec.settings
    assert (settings.n_quantiles, settings.cost_bps, settings.min_cs) == (4, 1.5, 3)
    assert settings.min_names == 4


def test_rows_come_back_in_the_order_of_the_plan() -> None:
    """Whatever the order of the units; a lost symbol's jobs are missing."""
    whole = evaluate(Runner())
    assert [row.job_id for row in whole.jobs] == list(TRAINED)
    assert list(dict.fromkeys(row.job_id for row in whole.quantiles)) == list(TRAINED)
    assert list(dict.fromkeys(row.job_id for row in whole.decay)) == list(TRAINED)
    lost = evaluate(Runner(lost=["B"]))
    assert [row.job_id for row in lost.jobs] == ["cs_2", "cs_1", "sym_A"]


def test_ratios_are_deflated_by_all_trials_of_the_run() -> None:
    """Three ranked pairs by two families, five trained jobs, and the trials of the searches.

    Of the pairs, the three that were trained count once: by default two families each, whether
    ranked or trained, resemble nothing.
    """
    assert {row.n_trials for row in evaluate(Runner()).jobs} == {3 * 2 + 5}
    assert {row.n_effective_trials for row in evaluate(Runner()).jobs} == {5}
    searched = {name: {**result, "search": {"n_trials": 20}} for name, result in TRAINED.items()}
    searched["cs_1"]["search"] = None
    found = evaluate(Runner(), searched)
    assert {row.n_trials for row in found.jobs} == {3 * 2 + 5 + 4 * 20}
    assert {row.n_effective_trials for row in found.jobs} == {5 + 4 * 20}
    assert found.jobs[0].deflated_sharpe < evaluate(Runner()).jobs[0].deflated_sharpe


def test_models_that_are_alike_count_as_fewer_trials() -> None:
    """All of one correlation: the four questions of five jobs are worth one."""
    found = evaluate(Runner(alike=Likeness(1.0, 1.0)))
    assert {row.n_effective_trials for row in found.jobs} == {1.0}


def test_models_are_compared_in_the_order_of_the_plan() -> None:
    """All evaluated jobs are named, whichever of them has returns; the rows come back."""
    runner = Runner()
    assert evaluate(runner).overfitting == (COMPARED,)
    jobs = runner.joined[0].spec.jobs
    assert [job.job_id for job in jobs] == list(TRAINED)
    assert jobs[2] == ComparedJob("sym_B", "fwd_ret_1d", "symbol_specific", "B", "ridge")
    assert runner.units[0].spec.tested == TestRange(100, 290)


def test_curves_of_all_units_are_joined() -> None:
    """Only of units that left some; without any there is nothing to join."""
    runner = Runner()
    assert evaluate(runner).curves == "joined"
    compared, joined = runner.joined
    assert joined.spec.tables == compared.spec.tables == ("cs_2", "B")
    without = Runner()
    assert evaluate(without, return_targets=[]).curves is None
    assert without.joined == []


def test_nothing_trained_is_nothing_evaluated() -> None:
    """Empty tables, no unit."""
    runner = Runner()
    assert evaluate(runner, {}) == Evaluation((), (), (), (), None)
    assert runner.units == []
