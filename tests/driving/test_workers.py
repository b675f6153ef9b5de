"""The executor that a config asks for, and the options that each place is opened with."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from panels import quick_config

import ray_pipeline.driving.workers
from ray_pipeline.driving.places import options_for
from ray_pipeline.driving.progress import Silent
from ray_pipeline.driving.workers import open_executor
from ray_pipeline.execution import SerialExecutor
from ray_pipeline.storage import RunDirectory

OPTIONS = {"endpoint_url": "http://127.0.0.1:1"}


@pytest.mark.parametrize(
    ("data_dir", "place", "options"),
    [
        ("s3://bucket/panel", "s3://other/run", OPTIONS),
        ("s3://bucket/panel", "runs/one", {}),
        ("s3://bucket/panel", "file:///runs/one", {}),
        ("s3://bucket/panel", "gs://bucket/run", {}),
    ],
)
def test_options_are_for_stores_of_one_kind(
    data_dir: str, place: str, options: dict[str, str]
) -> None:
    """The endpoint of the data's store means nothing to another kind of store."""
    config = quick_config(data_dir, place, data={"storage_options": OPTIONS})
    assert options_for(place, config) == options


@pytest.mark.parametrize("own", [{}, {"requester_pays": True}])
def test_results_have_options_of_their_own(own: dict[str, object]) -> None:
    """A public panel is read without credentials, its results are written with them."""
    config = quick_config(
        "s3://public/panel",
        "s3://mine/run",
        data={"storage_options": {"anon": True}},
        output={"run_dir": "s3://mine/run", "storage_options": own},
    )
    assert options_for("s3://mine/run", config) == own


def test_worker_imports_from_where_the_driver_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders that it has not are added behind its own, before its state is built."""
    monkeypatch.setattr(sys, "path", ["/own"])
    state = ray_pipeline.driving.workers._importing_from(["/own", "/new"], lambda: list(sys.path))  # type: ignore[arg-type,return-value]
    assert state == ["/own", "/new"]


def test_executor_is_closed_whatever_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers are let go when the run ends, by an error too."""
    closed = []

    class Closing(SerialExecutor[object]):
        def close(self) -> None:
            closed.append(True)
            super().close()

    monkeypatch.setattr(ray_pipeline.driving.workers, "SerialExecutor", Closing)
    config = quick_config(tmp_path, tmp_path)
    with (
        pytest.raises(ZeroDivisionError),
        open_executor(config, RunDirectory(tmp_path), Silent()),
    ):
        raise ZeroDivisionError
    assert closed == [True]
