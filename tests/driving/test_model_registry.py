"""Versions of models in the registry of a real MLflow server with a database."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from panels import TARGET, planted_panel, quick_config, symbol_names, write_panel

from ray_pipeline import load_run
from ray_pipeline.cli import main
from ray_pipeline.driving.progress import Silent
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.versions.changing import list_versions

mlflow = pytest.importorskip("mlflow", reason="needs ray-pipeline[mlflow]")

PROGRAM = os.environ.get("MLFLOW_SERVER") or shutil.which("mlflow-server") or ""
"""The program `mlflow` of an installation with all of the server: the client needs less."""

STARTS_WITHIN_S = 180
TABLES = planted_panel(symbol_names(3))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a server of this test's own on loopback, with a SQLite database; end it by its id."""
    if not PROGRAM:
        pytest.skip("needs an MLflow server: MLFLOW_SERVER names the program `mlflow`")
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    uri = f"http://127.0.0.1:{port}"
    command = [
        *(PROGRAM, "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db"),
        *("--artifacts-destination", f"{folder}/artifacts"),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
        try:
            _wait(process, uri, folder / "log")
            yield uri
        finally:
            os.killpg(process.pid, 15)  # its workers too
            process.wait(timeout=60)


def _wait(process: subprocess.Popen[bytes], uri: str, log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{uri}/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"the server did not answer: {log.read_text()}")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_versions_are_registered_with_aliases(
    tmp_path: Path, server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each once, with its content and the end of its data; who serves is the champion."""
    run_dir, heard = tmp_path / "run", Heard()
    for n_bars, promote in ((240, "always"), (280, "always"), (320, "never"), (320, "never")):
        data_dir = write_panel(
            tmp_path / "data", {name: table.slice(0, n_bars) for name, table in TABLES.items()}
        )
        config = quick_config(
            data_dir,
            run_dir,
            training={"families": ["ridge"], "promote": promote},
            feature_selection={"accept": "always", "top_m_features": 1},
            tracking={"mlflow_uri": server},
        )
        run_pipeline(config, heard)
    assert not [text for text in heard.sentences if "warning: MLflow" in text]
    client = mlflow.MlflowClient(tracking_uri=server)
    kept = list_versions(str(run_dir))["versions"]
    newest, second, first = kept
    assert [each["status"] for each in kept] == ["challenger", "current", "earlier"]
    found = {each.tags["version"]: each for each in client.search_model_versions("name='planted'")}
    assert set(found) == {each["version"] for each in kept}
    for each in kept:
        tags = found[each["version"]].tags
        assert tags["content_sha256"] == each["content_sha256"]
        assert tags["trained_until"] == each["trained_until"]

    def by_alias(alias: str) -> Any:
        return client.get_model_version_by_alias("planted", alias)

    assert by_alias("champion").tags["version"] == second["version"]
    assert by_alias("challenger").tags["version"] == newest["version"]
    assert main(["versions", str(run_dir), "--promote", newest["version"]]) == 0
    assert by_alias("champion").tags["version"] == newest["version"]
    with pytest.raises(mlflow.exceptions.MlflowException):
        by_alias("challenger")
    assert main(["versions", str(run_dir), "--rollback"]) == 0
    assert by_alias("champion").tags["version"] == second["version"]
    assert "warning" not in capsys.readouterr().err
    # What the server has is a version as it is kept: it scores as the run directory does.
    champion = by_alias("champion")
    where = client.download_artifacts(
        champion.run_id, f"versions/{champion.tags['version']}", str(tmp_path)
    )
    assert champion.source == f"runs:/{champion.run_id}/versions/{champion.tags['version']}"
    assert "trained until" in champion.description
    scores = load_run(str(run_dir)).predict(TABLES["S00"], "S00")
    assert load_run(where).predict(TABLES["S00"], "S00").equals(scores)
    assert scores.num_rows
    assert first["version"] in found


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_server_shows_a_page_for_each_run_and_one_below_for_each_target(
    tmp_path: Path, server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The search of the server finds targets by verdict; the same command adds nothing."""
    data_dir = write_panel(tmp_path / "data", TABLES)
    config = quick_config(
        data_dir,
        tmp_path / "run",
        experiment={"name": "pages", "seed": 3},
        training={"families": ["ridge"]},
        tracking={"mlflow_uri": server},
    )
    client = mlflow.MlflowClient(tracking_uri=server)
    seen = []
    for _ in range(2):
        heard = Heard()
        run_pipeline(config, heard)
        assert not [text for text in heard.sentences if "warning: MLflow" in text]
        experiment = client.get_experiment_by_name("pages").experiment_id
        [parent] = client.search_runs([experiment], "params.`experiment.seed` = '3'")
        assert f"in MLflow: {server}/#/experiments/{experiment}/runs/{parent.info.run_id}" in (
            heard.sentences
        )
        below = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
        children = client.search_runs([experiment], f"{below} AND tags.verdict = 'predictable'")
        assert [run.info.run_name for run in children] == [TARGET]
        assert len(client.search_runs([experiment])) == 2
        [page] = children
        folds = client.get_metric_history(page.info.run_id, "cross_sectional/skill_by_fold")
        seen.append([(each.step, each.value) for each in folds])
        assert {parent.info.status, page.info.status} == {"FINISHED"}
    assert seen[0] == seen[1] != []
    assert parent.data.metrics["count/models"] > 0
    assert "report.html" in [each.path for each in client.list_artifacts(parent.info.run_id)]
    assert "View run" not in capsys.readouterr().out


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def say(self, text: str, event: str = "message", **facts: Any) -> None:
        """Keep a sentence."""
        self.sentences.append(text)
