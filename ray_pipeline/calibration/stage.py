"""The stage that measures how far probabilities and intervals can be trusted, target by target."""

from __future__ import annotations

from collections.abc import Sequence

from ray_pipeline.calibration.meanings import Meaning
from ray_pipeline.calibration.records import CalibrationRow
from ray_pipeline.calibration.units import ReliabilitySpec, measure_reliability
from ray_pipeline.execution.protocol import Unit
from ray_pipeline.inspecting.subject import Subject
from ray_pipeline.records import TargetSpec
from ray_pipeline.routing.jobs import TrainingPlan
from ray_pipeline.stages.context import StageContext
from ray_pipeline.stages.stage import Stage, UnitKind
from ray_pipeline.training.predictions import JoinedPredictions
from ray_pipeline.training.served_jobs import ServedJob, only_named, served_by
from ray_pipeline.training.training import Training

__all__ = ["CALIBRATION", "CALIBRATION_TABLE", "reliability_units"]

CALIBRATION_TABLE = "evaluation/calibration.parquet"


def reliability_units(
    predictions: str,
    jobs: Sequence[ServedJob],
    targets: Sequence[TargetSpec],
    coverage: float,
) -> list[Unit]:
    """Make a unit per target that models serve symbols for, in the order of the plan.

    Parameters
    ----------
    predictions
        Table of all out-of-sample predictions.
    jobs
        Trained ones, in the order of the plan.
    coverage
        Share of the labels that an interval is to hold.
    """
    of_target = {target.name: target for target in targets}
    units = []
    for name in dict.fromkeys(job.target for job in jobs):
        own = [job for job in jobs if job.target == name]
        places = {job.job_id: place for place, job in enumerate(own)}
        served = tuple(
            (symbol, tuple(places[job.job_id] for job in its))
            for symbol, its in served_by(own).items()
        )
        if not served:
            continue
        target = of_target[name]
        spec = ReliabilitySpec(
            predictions,
            Meaning(name, target.task, target.horizon_bars, coverage),
            only_named(own),
            served,
        )
        units.append(Unit("reliability", name, measure_reliability, spec))
    return units


def _measure(context: StageContext) -> None:
    """Write how far the calibrated numbers of each target held in the walk-forward."""
    predictions, training = context.find(JoinedPredictions), context.get(Training)
    rows: list[CalibrationRow] = []
    if predictions is not None:
        planned = context.get(TrainingPlan).jobs
        units = reliability_units(
            predictions.table,
            [ServedJob.of_plan(job) for job in planned if job.job_id in training.results],
            context.get(Subject).frame.targets,
            context.config.training.interval_coverage,
        )
        records = context.runner.run(units)
        rows = [
            CalibrationRow(**row)
            for unit in units
            if unit.key in records
            for row in records[unit.key]["rows"]
        ]
    context.write.rows(CALIBRATION_TABLE, CalibrationRow, rows)


CALIBRATION = Stage(
    name="calibration",
    run=_measure,
    units=(UnitKind("reliability", "judging probabilities"),),
    sections=("training",),
    tables=(CALIBRATION_TABLE,),
    needs=("training",),
)
