"""The run in MLflow too: what is recorded, and that a server cannot undo a run."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from panels import TARGET, quick_config, read_json

from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import ConfigError
from ray_pipeline.pipeline import run_pipeline

URI = "http://127.0.0.1:5000"


class MlflowError(Exception):
    """Stands for mlflow's own."""


class Server:
    """What a tracking server was told; it can be told to be down from some call on."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.down_at: str | None = None

    def client(self, tracking_uri: str) -> SimpleNamespace:
        assert tracking_uri == URI
        names = ("log_param", "set_tag", "log_metric", "log_text", "set_terminated")
        return SimpleNamespace(
            # The registry is tested on a real server.
            search_registered_models=lambda query: [SimpleNamespace(name="planted")],
            search_model_versions=lambda query: [],
            log_artifacts=lambda *told: None,
            create_model_version=lambda *told, **more: None,
            get_experiment_by_name=lambda name: self._take("get", name),
            create_experiment=lambda name: self._take("create", name) or "7",
            create_run=lambda experiment, run_name: (
                self._take("run", experiment, run_name)
                or SimpleNamespace(info=SimpleNamespace(run_id="r1"))
            ),
            **{name: lambda *told, name=name: self._take(name, *told) for name in names},
        )

    def _take(self, *call: Any) -> None:
        if call[0] == self.down_at:
            raise MlflowError("connection refused")
        self.calls.append(call)

    def told(self, name: str) -> dict[str, Any]:
        """Return what was told by one method, by key."""
        return {call[2]: call[3] for call in self.calls if call[0] == name}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """Put a stand-in in the place of mlflow, which is an extra."""
    server = Server()
    mlflow, exceptions = ModuleType("mlflow"), ModuleType("mlflow.exceptions")
    mlflow.MlflowClient = server.client  # type: ignore[attr-defined]
    exceptions.MlflowException = MlflowError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    monkeypatch.setitem(sys.modules, "mlflow.exceptions", exceptions)
    return server


def _config(data_dir: Path, run_dir: Path) -> Any:
    return quick_config(data_dir, run_dir, tracking={"mlflow_uri": URI})


def test_run_is_recorded(data_dir: Path, tmp_path: Path, server: Server) -> None:
    """Parameters, counts, the figures of every target and view, the report, and how it ended."""
    run_pipeline(_config(data_dir, tmp_path / "run"), Silent())
    record = read_json(tmp_path / "run" / "run.json")
    assert server.calls[:3] == [("get", "planted"), ("create", "planted"), ("run", "7", "planted")]
    assert server.told("log_param") == {
        key: record[key] for key in ("seed", "config_sha256", "input_fingerprint", "content_sha256")
    }
    metrics = server.told("log_metric")
    assert metrics["count/models"] == 10.0
    assert 0.2 < metrics[f"{TARGET}/cross_sectional/skill"] < 0.6
    assert metrics[f"{TARGET}/symbol_specific/q_value"] < 0.05
    assert server.told("set_tag") == {"message": record["message"]}
    page = (tmp_path / "run" / "report.html").read_text()
    assert ("log_text", "r1", page, "report.html") in server.calls
    assert server.calls[-1] == ("set_terminated", "r1", "FINISHED")


def test_server_that_is_down_stops_the_run_before_it_starts(
    data_dir: Path, tmp_path: Path, server: Server
) -> None:
    """Nobody works for hours to learn that nothing was recorded."""
    server.down_at = "get"
    with pytest.raises(
        ConfigError, match=rf"tracking\.mlflow_uri: {URI} cannot be used \(connection refused\)\."
    ):
        run_pipeline(_config(data_dir, tmp_path / "run"), Silent())
    assert not (tmp_path / "run").exists()


def test_server_that_goes_down_does_not_undo_the_run(
    data_dir: Path, tmp_path: Path, server: Server
) -> None:
    """The run is done; that its record is not whole is a warning."""
    said: list[str] = []

    class Heard(Silent):
        def say(self, text: str, event: str = "message", **facts: Any) -> None:
            """Keep the sentence."""
            said.append(text)

    server.down_at = "log_metric"
    run_pipeline(_config(data_dir, tmp_path / "run"), Heard())
    assert read_json(tmp_path / "run" / "run.json")["status"] == "done"
    assert said[-1] == (
        "warning: MLflow did not take the whole record of this run: connection refused"
    )


def test_mlflow_is_an_extra(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it the message says how to get it."""
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(
        ConfigError, match=r"mlflow is not installed\. Install it with pip install 'ray-pipeline"
    ):
        run_pipeline(_config(data_dir, tmp_path / "run"), Silent())
