"""The run in MLflow too: what is recorded, and that a server cannot undo a run."""

from __future__ import annotations

import re
import sys
from collections import Counter, namedtuple
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from panels import (
    TARGET,
    planted_panel,
    quick_config,
    read_json,
    read_rows,
    symbol_names,
    write_panel,
)

from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import ConfigError, ExecutionError
from ray_pipeline.pipeline import run_pipeline

URI = "http://127.0.0.1:5000"


class MlflowError(Exception):
    """Stands for mlflow's own."""


class Run:
    """A run as the stand-in of a server has it."""

    def __init__(self, number: int, name: str, tags: dict[str, str]) -> None:
        self.info = SimpleNamespace(
            run_id=f"r{number}", status="RUNNING", start_time=1000, end_time=None
        )
        self.tags = {"mlflow.runName": name} | tags
        self.params: dict[str, str] = {}
        self.history: list[tuple[str, int, float]] = []
        self.texts: dict[str, str] = {}

    @property
    def data(self) -> SimpleNamespace:
        latest = {name: value for name, _, value in self.history}
        return SimpleNamespace(tags=dict(self.tags), params=dict(self.params), metrics=latest)

    @property
    def name(self) -> str:
        return self.tags["mlflow.runName"]

    @property
    def parent(self) -> str | None:
        return self.tags.get("mlflow.parentRunId")


class Server:
    """A tracking server in memory; it can be told to be down from some call on."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.down_at: str | None = None

    @property
    def parents(self) -> list[Run]:
        return [run for run in self.runs if run.parent is None]

    def children(self, parent: Run) -> dict[str, Run]:
        return {run.name: run for run in self.runs if run.parent == parent.info.run_id}

    def client(self, tracking_uri: str) -> SimpleNamespace:
        assert tracking_uri == URI
        names = ("create_run", "get_run", "search_runs", "update_run", "log_batch", "log_text")
        return SimpleNamespace(
            # The registry is tested on a real server.
            search_registered_models=lambda query: [SimpleNamespace(name="planted")],
            search_model_versions=lambda query: [],
            log_artifacts=lambda *told: None,
            create_model_version=lambda *told, **more: None,
            get_experiment_by_name=self._get_experiment,
            set_terminated=self._set_terminated,
            **{name: self._taking(name) for name in names},
        )

    def _taking(self, name: str) -> Any:
        def take(*told: Any, **more: Any) -> Any:
            if name == self.down_at:
                raise MlflowError("connection refused")
            return getattr(self, f"_{name}")(*told, **more)

        return take

    def _get_experiment(self, name: str) -> SimpleNamespace:
        if self.down_at == "get":
            raise MlflowError("connection refused")
        return SimpleNamespace(experiment_id="7")

    def _create_run(self, experiment: str, run_name: str, tags: dict[str, str]) -> Run:
        assert experiment == "7"
        self.runs.append(Run(len(self.runs), run_name, tags))
        return self.runs[-1]

    def _get_run(self, run_id: str) -> Run:
        return next(run for run in self.runs if run.info.run_id == run_id)

    def _search_runs(self, experiments: list[str], filter_string: str, page_token: Any) -> Any:
        tag, value = re.fullmatch(
            r"tags\.`(.+)` = "
            r"'(.+)'",
            filter_string,
        ).groups()  # type: ignore[union-attr]
        return Page(run for run in self.runs if run.tags.get(tag) == value)

    def _update_run(self, run_id: str, status: str | None = None, name: str | None = None) -> None:
        run = self._get_run(run_id)
        run.info.status = status or run.info.status
        run.tags["mlflow.runName"] = name or run.name

    def _set_terminated(self, run_id: str, status: str, end_time: int | None = None) -> None:
        info = self._get_run(run_id).info
        info.status, info.end_time = status, end_time

    def _log_batch(
        self, run_id: str, metrics: Any, params: Any, tags: Any, synchronous: bool
    ) -> None:
        run = self._get_run(run_id)
        assert not {param.key for param in params} & run.params.keys()  # MLflow refuses that
        run.history += [(each.key, each.step, each.value) for each in metrics]
        run.params |= {each.key: each.value for each in params}
        run.tags |= {each.key: each.value for each in tags}

    def _log_text(self, run_id: str, text: str, name: str) -> None:
        self._get_run(run_id).texts[name] = text


class Page(list[Run]):
    """A page of a search: the last."""

    token = None


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """Put a stand-in in the place of mlflow, which is an extra."""
    server = Server()
    names = ("mlflow", "mlflow.exceptions", "mlflow.entities")
    mlflow, exceptions, entities = (ModuleType(name) for name in names)
    mlflow.MlflowClient = server.client  # type: ignore[attr-defined]
    exceptions.MlflowException = MlflowError  # type: ignore[attr-defined]
    for kind, fields in (
        ("Metric", ("key", "value", "timestamp", "step")),
        ("Param", ("key", "value")),
        ("RunTag", ("key", "value")),
    ):
        setattr(entities, kind, namedtuple(kind, fields))
    for module in (mlflow, exceptions, entities):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return server


def _config(data_dir: Path, run_dir: Path) -> Any:
    return quick_config(data_dir, run_dir, tracking={"mlflow_uri": URI})


def test_a_run_has_a_page_and_each_target_one_below_it(
    data_dir: Path, tmp_path: Path, server: Server
) -> None:
    """What it found in words, settings, counts, seconds and the report; names without hashes."""
    run_pipeline(_config(data_dir, tmp_path / "run"), Silent())
    record = read_json(tmp_path / "run" / "run.json")
    [parent] = server.parents
    assert parent.info.status == "FINISHED"
    assert parent.info.end_time == 1000 + round(1000 * record["wall_s"])
    until = record["data"]["last_ts"][:10]
    assert parent.name == f"planted, data until {until}"
    assert parent.params["experiment.seed"] == str(record["seed"])
    assert parent.params["data.data_dir"] == str(data_dir)
    assert parent.tags["interval"] == "1d"
    assert not [key for key in parent.params if key.startswith(("execution", "output", "tracking"))]
    assert parent.tags["content_sha256"] == record["content_sha256"]
    assert parent.tags["result"] == record["message"]
    assert f"| `{TARGET}` | predictable | " in parent.tags["mlflow.note.content"]
    metrics = parent.data.metrics
    assert metrics["count/models"] == record["counts"]["models"] == 10.0
    assert metrics["seconds/training"] == record["timings_s"]["training"]
    assert parent.texts == {"report.html": (tmp_path / "run" / "report.html").read_text()}
    children = server.children(parent)
    rows = read_rows(tmp_path / "run", "target_ranking/targets")
    assert children.keys() == {row["target"] for row in rows}
    assert {run.info.status for run in children.values()} == {"FINISHED"}


def test_the_page_of_a_target_has_its_figures(
    data_dir: Path, tmp_path: Path, server: Server
) -> None:
    """Those of the tables: both views, symbols by route, models, folds, and a sentence."""
    config = quick_config(
        data_dir, tmp_path / "run", tracking={"mlflow_uri": URI}, evaluation={"n_quantiles": 2}
    )
    run_pipeline(config, Silent())
    page = server.children(server.parents[0])[TARGET]
    metrics = page.data.metrics
    for row in read_rows(tmp_path / "run", "target_ranking/targets"):
        if row["target"] == TARGET:
            for name in ("skill", "std_error", "t_stat", "q_value"):
                assert metrics[f"{row['view']}/{name}"] == row[name]
    routes = read_rows(tmp_path / "run", "routing/routes")
    found = Counter(row["route"] for row in routes if row["target"] == TARGET)
    assert {
        name.removeprefix("symbols/"): value
        for name, value in metrics.items()
        if name.startswith("symbols/")
    } == found
    worth = read_rows(tmp_path / "run", "evaluation/jobs")
    worded = page.tags.get("worth", "")
    assert (metrics["worth/hit_rate"], page.tags["family"], worded) in {
        (row["hit_rate"], row["family"], row["reason"])
        for row in worth
        if row["view"] == "cross_sectional"
    }
    folds = [step for name, step, _ in page.history if name == "cross_sectional/skill_by_fold"]
    assert folds == sorted(folds)
    assert len(folds) == len(read_json(tmp_path / "run" / "run.json")["folds"])
    assert page.tags["verdict"] == "predictable"
    assert page.tags["mlflow.note.content"].startswith(f"{TARGET} is predictable in the ")


def test_the_same_command_writes_nothing_twice(
    data_dir: Path, tmp_path: Path, server: Server
) -> None:
    """A run that is continued or repeated has one page, as has one with other workers."""
    config = _config(data_dir, tmp_path / "run")
    server.down_at = "log_text"  # as if it had died on the way
    run_pipeline(config, Silent())
    [parent] = server.parents
    assert (parent.info.status, parent.texts) == ("RUNNING", {})
    server.down_at = None
    run_pipeline(config, Silent())
    assert [run.info.status for run in server.parents] == ["FINISHED"]
    n_runs, before = len(server.runs), [list(run.history) for run in server.runs]
    other = quick_config(
        data_dir,
        tmp_path / "run",
        tracking={"mlflow_uri": URI},
        execution={"executor": "serial", "max_attempts": 7},
    )
    run_pipeline(other, Silent())
    assert len(server.runs) == n_runs
    kept = [
        [told for told in run.history if not told[0].startswith(("cost/", "seconds/"))]
        for run in server.runs
    ]
    assert kept == [
        [told for told in history if not told[0].startswith(("cost/", "seconds/"))]
        for history in before
    ]


def test_other_data_are_another_page(tmp_path: Path, server: Server) -> None:
    """Models that are retrained on more bars are compared with those before: both stay."""
    tables = planted_panel(symbol_names(3))
    earlier = {symbol: table.slice(0, 280) for symbol, table in tables.items()}
    data_dir = write_panel(tmp_path / "data", earlier)
    run_pipeline(_config(data_dir, tmp_path / "run"), Silent())
    first = list(server.parents)
    write_panel(data_dir, tables)
    run_pipeline(_config(data_dir, tmp_path / "run"), Silent())
    assert server.parents[:1] == first
    assert len(server.parents) == 2
    assert server.parents[0].tags["content_sha256"] != server.parents[1].tags["content_sha256"]
    assert server.children(server.parents[0]).keys() == server.children(server.parents[1]).keys()


def test_a_run_that_fails_says_why_until_it_succeeds(
    data_dir: Path, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is red with the error; the same command mends it."""
    config = _config(data_dir, tmp_path / "run")
    with monkeypatch.context() as broken:
        broken.setattr("ray_pipeline.pipeline.judge_challenger", _failing)
        with pytest.raises(ExecutionError, match="planted"):
            run_pipeline(config, Silent())
    [parent] = server.parents
    assert parent.info.status == "FAILED"
    assert parent.tags["error"] == "planted"
    run_pipeline(config, Silent())
    assert server.parents == [parent]
    assert (parent.info.status, parent.tags["error"]) == ("FINISHED", "")


def _failing(*given: object) -> None:
    raise ExecutionError("planted")


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

    server.down_at = "log_batch"
    run_pipeline(_config(data_dir, tmp_path / "run"), Heard())
    assert read_json(tmp_path / "run" / "run.json")["status"] == "done"
    warning = "warning: MLflow did not accept the whole record of this run: connection refused"
    assert said[-2:] == [warning, f"in MLflow: {URI}/#/experiments/7/runs/r0"]


def test_mlflow_is_an_extra(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it the message says how to get it."""
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(
        ConfigError, match=r"mlflow is not installed\. Install it with pip install 'ray-pipeline"
    ):
        run_pipeline(_config(data_dir, tmp_path / "run"), Silent())
