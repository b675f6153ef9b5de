"""Which rows are written for streamed training, and when none are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from training_designs import training_frame

from ray_pipeline.records import SymbolPartition, TargetSpec, View
from ray_pipeline.routing.jobs import Job
from ray_pipeline.samples.pool import write_slice
from ray_pipeline.samples.shared_pool import PooledPanel
from ray_pipeline.training.stream_slices import stream_rows, without_stream

ROWS = np.full(300, 2)
"""Both symbols at every timestamp of the frame."""

HANDLE: Any = "the pool"


class Runner:
    """Answers every unit with a table named after its symbol."""

    def __init__(self) -> None:
        self.units: list[Any] = []

    def run_required(self, units: Sequence[Any]) -> dict[str, Any]:
        self.units += units
        return {unit.key: {"table": f"{unit.key}.parquet"} for unit in units}


def job(family: str = "ridge", target: str = "y", view: View = "cross_sectional") -> Job:
    """Return a job that chose d and b, and c in its only fold."""
    return Job(
        job_id=f"cs_{target}__{family}",
        target=target,
        view=view,
        symbols=("A", "B"),
        serves=("A", "B"),
        family=family,
        features=("d", "b"),
        fold_features=((0, ("c",)),),
        hyperparameters=(),
        priority=1,
        why="because",
    )


def stream(runner: Runner, jobs: Sequence[Job], max_rows: int | None, spacing: float = 3.0) -> Any:
    """Ask for rows beyond those of a pool of 100 timestamps, 200 rows."""
    frame = training_frame()
    targets = (*frame.targets, TargetSpec("other", 9, "regression"))
    frame = replace(frame, request=replace(frame.request, targets=("y", "other")), targets=targets)
    partitions = {name: SymbolPartition(name, ()) for name in "AB"}
    pool = PooledPanel(HANDLE, ("a", "b"), spacing=spacing)
    given: Any = runner
    return stream_rows(given, frame, partitions, ROWS, pool, jobs, max_rows)


def test_every_symbol_writes_the_columns_that_a_job_needs() -> None:
    """Features of all folds in the order of the table, targets of the jobs, whole timestamps."""
    runner = Runner()
    found = stream(runner, [job(), job("lightgbm")], 401)
    assert [(unit.function, unit.key) for unit in runner.units] == [
        (write_slice, "A"),
        (write_slice, "B"),
    ]
    (spec, _) = (unit.spec for unit in runner.units)
    assert spec.partition.symbol == "A"
    assert spec.n_sampled == 200
    assert spec.frame.request.features == ("b", "c", "d")
    assert spec.frame.request.targets == ("y",)
    assert [target.name for target in spec.frame.targets] == ["y"]
    assert found.tables == ("A.parquet", "B.parquet")
    assert found.frame == spec.frame


@pytest.mark.parametrize(("max_rows", "spacing"), [(None, 3.0), (201, 3.0), (10_000, 1.0)], ids=str)
def test_nothing_is_written_where_the_pool_has_the_rows(
    max_rows: int | None, spacing: float
) -> None:
    """Not asked for; as many timestamps as the pool has; a pool of the whole panel."""
    runner = Runner()
    assert stream(runner, [job()], max_rows, spacing) is None
    assert stream(runner, [], 10_000) is None
    assert runner.units == []


def test_families_without_a_stream_are_named_once() -> None:
    """Others take it without a word."""
    assert without_stream([job(), job("lightgbm")]) == []
    assert without_stream([job("elastic_net"), job(), job("elastic_net", "other")]) == [
        "training.max_cs_rows: elastic_net cannot take rows from a stream and train on those of "
        "the ranking's pool (target_ranking.max_cs_rows)"
    ]
