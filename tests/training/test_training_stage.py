"""The plan's jobs as units: what goes together, and what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from training_designs import SETTINGS, training_frame

from ray_pipeline.records import SymbolPartition, View
from ray_pipeline.routing.jobs import Job, TrainingPlan
from ray_pipeline.samples.shared_pool import PooledPanel
from ray_pipeline.training.ensemble import Member, train_average
from ray_pipeline.training.pooled_folds import train_pooled_fold
from ray_pipeline.training.training import Training, train_models
from ray_pipeline.training.units import train_pooled, train_symbol

HANDLE: Any = "the pool"
POOL = PooledPanel(HANDLE, ("slice-a", "slice-b"))


class Runner:
    """Answers every unit with its jobs' names, less those that are lost."""

    def __init__(self, lost: Sequence[str] = ()) -> None:
        self.units: list[Any] = []
        self.shared: list[Any] = []
        self._lost = lost

    def run(self, units: Sequence[Any], shared: Sequence[Any] = ()) -> dict[str, Any]:
        self.units += units
        self.shared.append(tuple(shared))
        return {
            unit.key: {"walked": unit.key}
            if unit.stage == "train_pooled_fold"
            else {"jobs": {job.job_id: self.answer(unit, job) for job in _jobs(unit)}}
            for unit in sorted(units, key=lambda unit: str(unit.key))
            if unit.key not in self._lost
        }

    def answer(self, unit: Any, job: Any) -> dict[str, Any]:
        """Say of which unit a job is."""
        return {"of": unit.key}


class TrainingRunner(Runner):
    """Answers as units that trained."""

    def answer(self, unit: Any, job: Any) -> dict[str, Any]:
        """Name the files after the job."""
        files = [f"{job.job_id}/model", f"{job.job_id}/metadata.json"]
        return {"files": files, "predictions": f"{job.job_id}/table", "spacing": 2.0}


def _jobs(unit: Any) -> Sequence[Any]:
    return [unit.spec.job] if hasattr(unit.spec, "job") else unit.spec.jobs


def job(job_id: str, view: View, symbols: tuple[str, ...], members: tuple[str, ...] = ()) -> Job:
    """Return a job of the plan, an average if it has members."""
    return Job(
        job_id=job_id,
        target="y",
        view=view,
        symbols=symbols,
        serves=symbols[:1],
        family="rank_average" if members else "ridge",
        features=("b", "a"),
        fold_features=((0, ("b",)),),
        hyperparameters=(("penalty", 0.2),),
        priority=1,
        why="because",
        members=members,
    )


PLAN = TrainingPlan(
    jobs=(
        job("cs_2", "cross_sectional", ("A", "B")),
        job("cs_1", "cross_sectional", ("A", "B")),
        job("sym_B_ridge", "symbol_specific", ("B",)),
        job("sym_A_ridge", "symbol_specific", ("A",)),
        job("sym_B_trees", "symbol_specific", ("B",)),
    ),
    left_out=(),
)


def train(runner: Runner, plan: TrainingPlan = PLAN, pool: PooledPanel | None = POOL) -> Training:
    """Train the plan's models."""
    given: Any = runner
    partitions = {name: SymbolPartition(name, ()) for name in "AB"}
    return train_models(given, training_frame(), partitions, pool, plan, SETTINGS, "fingerprint")


def test_pooled_jobs_are_a_unit_each_and_a_symbols_jobs_are_one() -> None:
    """A unit per pooled model with the shared pool, a unit per symbol with its partition.

    Before these each fold of a pooled model is a unit, whose table the model's unit names.
    """
    runner = Runner()
    train(runner)
    folds = [f"{name} fold {index}" for name in ("cs_2", "cs_1") for index in range(3)]
    assert [unit.key for unit in runner.units[:6]] == folds
    assert {unit.function for unit in runner.units[:6]} == {train_pooled_fold}
    assert [(unit.function, unit.key) for unit in runner.units[6:]] == [
        (train_pooled, "cs_2"),
        (train_pooled, "cs_1"),
        (train_symbol, "B"),
        (train_symbol, "A"),
    ]
    assert runner.shared[:3] == [("the pool",), ("the pool",), ()]
    pooled, _, own, _ = (unit.spec for unit in runner.units[6:])
    assert pooled.walked == tuple(folds[:3])
    assert (pooled.pool, pooled.partition) == (("slice-a", "slice-b"), None)
    assert (own.pool, own.partition.symbol) == ((), "B")
    assert [spec.job_id for spec in own.jobs] == ["sym_B_ridge", "sym_B_trees"]


def test_a_units_spec_holds_what_the_fit_depends_on_and_no_more() -> None:
    """Features in order, folds, hyperparameters; neither priority nor whom it serves."""
    runner = Runner()
    train(runner)
    (spec,) = runner.units[6].spec.jobs
    assert runner.units[0].spec.job == spec
    assert spec.features == ("b", "a")
    assert spec.fold_features == ((0, ("b",)),)
    assert spec.hyperparameters == (("penalty", 0.2),)
    assert not hasattr(spec, "priority")
    assert not hasattr(spec, "serves")


def test_results_come_in_the_order_of_the_plan() -> None:
    """Whatever the order in which units ended."""
    trained = train(Runner())
    assert list(trained.results) == [job.job_id for job in PLAN.jobs]
    assert trained.results["sym_B_trees"] == {"of": "B"}


def test_a_failed_unit_is_missing_and_the_others_are_there() -> None:
    """A symbol that failed takes its jobs along, a pooled job only itself."""
    trained = train(Runner(lost=("B", "cs_2")))
    assert list(trained.results) == ["cs_1", "sym_A_ridge"]


def test_a_pooled_job_of_which_a_fold_failed_is_not_trained() -> None:
    """A walk with a hole would be another walk; the other jobs lose nothing."""
    runner = Runner(lost=("cs_2 fold 1",))
    trained = train(runner)
    assert list(trained.results) == ["cs_1", "sym_B_ridge", "sym_A_ridge", "sym_B_trees"]
    assert "cs_2" not in [unit.key for unit in runner.units]


AVERAGES = TrainingPlan(
    jobs=(
        job("cs_1", "cross_sectional", ("A", "B")),
        job("cs_2", "cross_sectional", ("A", "B")),
        job("cs_3", "cross_sectional", ("A", "B")),
        job("cs_mean", "cross_sectional", ("A", "B"), ("cs_1", "cs_2", "cs_3")),
        job("sym_1", "symbol_specific", ("A",)),
        job("sym_2", "symbol_specific", ("A",)),
        job("sym_mean", "symbol_specific", ("A",), ("sym_1", "sym_2")),
    ),
    left_out=(),
)


def test_an_average_comes_after_its_members_and_of_those_that_were_trained() -> None:
    """Its unit names what its members left behind, by names that hash what these depend on."""
    runner = TrainingRunner(lost=("cs_2",))
    trained = train(runner, AVERAGES)
    first, second = runner.units[-2:]
    assert [unit.function for unit in runner.units[-2:]] == [train_average] * 2
    assert (first.stage, first.key) == ("train_average", "cs_mean")
    assert first.spec.members == (
        Member("cs_1", "ridge", "cs_1/metadata.json", "cs_1/table", 2.0),
        Member("cs_3", "ridge", "cs_3/metadata.json", "cs_3/table", 2.0),
    )
    assert [member.job_id for member in second.spec.members] == ["sym_1", "sym_2"]
    expected = ["cs_1", "cs_3", "cs_mean", "sym_1", "sym_2", "sym_mean"]
    assert list(trained.results) == expected


def test_there_is_no_average_of_one_model() -> None:
    """Where all members but one failed, none is made, and no other unit is affected."""
    runner = TrainingRunner(lost=("cs_2", "cs_3"))
    trained = train(runner, AVERAGES)
    assert list(trained.results) == ["cs_1", "sym_1", "sym_2", "sym_mean"]


def test_an_empty_plan_trains_nothing() -> None:
    """No unit is made where no route leads to a model."""
    runner = Runner()
    assert train(runner, TrainingPlan((), ()), pool=None).results == {}
    assert runner.units == []
