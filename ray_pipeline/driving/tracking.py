"""Recording the run in MLflow, if ``tracking.mlflow_uri`` is set; see `registry` for models."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.driving.journal import Journal
from ray_pipeline.driving.registry import mlflow_client, register_version
from ray_pipeline.driving.tracked import TrackedPage, page_of_run, pages_of_targets, settings_of
from ray_pipeline.errors import ConfigError, RayPipelineError
from ray_pipeline.execution.environment import environment_variables
from ray_pipeline.results.contents import read_contents
from ray_pipeline.results.reading import Results
from ray_pipeline.results.steadiness import read_fold_skills
from ray_pipeline.results.version_documents import VersionRecord
from ray_pipeline.storage import RunDirectory
from ray_pipeline.versions.serving import who_is_here

__all__ = ["Tracker"]

_STATES = {"done": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
_PARENT = "mlflow.parentRunId"
_IDENTITY = "ray_pipeline.identity"
"""Tag that identifies the same work: a hash of place, settings and data."""

_TARGET = "ray_pipeline.target"
_AT_ONCE = 100
"""Parameters or tags per request; MLflow accepts no more."""


class Tracker:
    """One MLflow run for ours, and one below it for each target.

    A command that continues a run, or repeats it, continues its MLflow run; other data, as an
    update has them, or other settings make a new one. Without a tracking server it does nothing.

    Parameters
    ----------
    config
        ``tracking.mlflow_uri`` is the server, or None; ``experiment.name`` the MLflow experiment.
    uri
        The run directory.
    input_fingerprint
        Of the data.

    Raises
    ------
    ConfigError
        When mlflow is not installed or the server cannot be used; before any work is done.
    """

    def __init__(self, config: ExperimentConfig, uri: str, input_fingerprint: str) -> None:
        self._client: Any = None
        self._config, self._server = config, config.tracking.mlflow_uri
        self._run_id = ""
        if self._server is None:
            return
        identity = json.dumps([uri, input_fingerprint, settings_of(config)], sort_keys=True)
        self._identity = hashlib.sha256(identity.encode()).hexdigest()
        client = mlflow_client(self._server)
        name = config.experiment.name
        with _usable(self._server):
            known = client.get_experiment_by_name(name)
            self._experiment = known.experiment_id if known else client.create_experiment(name)
        self._client = client

    @property
    def page(self) -> str | None:
        """Address of the run for a browser; None without a server that a browser can open."""
        if self._server is None or not self._server.startswith(("http://", "https://")):
            return None
        root = self._server.rstrip("/")
        return f"{root}/#/experiments/{self._experiment}/runs/{self._run_id}"

    def begin(self) -> None:
        """Open the MLflow run; the caller holds the run directory.

        Raises
        ------
        ConfigError
            When the server cannot be used.
        """
        if self._client is None:
            return
        with _usable(str(self._server)):
            found = self._found(_IDENTITY, self._identity)
            if found:
                self._run_id = found[0].info.run_id
                self._client.update_run(self._run_id, status="RUNNING")
                return
            name = self._config.experiment.name
            self._run_id = self._create(name, {_IDENTITY: self._identity})

    def register(self, run: RunDirectory, version: VersionRecord) -> str | None:
        """Register a version of the models, and move the aliases of those that serve.

        Returns
        -------
        str or None
            What went wrong, for a warning.
        """
        if self._client is None:
            return None
        what = f"MLflow did not register version {version.version}"
        return _problem(what, lambda: register_version(self._client, self._run_id, run, version))

    def finish(
        self, journal: Journal, place: RunDirectory, run_uri: str, report: str
    ) -> str | None:
        """Record the run and each of its targets: settings, figures, verdicts, and the report.

        Parameters
        ----------
        place
            Where the result is, or what there is of it.
        run_uri
            The run directory.
        report
            The page, as HTML.

        Returns
        -------
        str or None
            What went wrong, for a warning: a tracking server must not undo a finished run.
        """
        if self._client is None:
            return None
        what = "MLflow did not accept the whole record of this run"
        return _problem(what, lambda: self._finish(journal.record, place, run_uri, report))

    def _finish(
        self, record: Mapping[str, Any], place: RunDirectory, run_uri: str, report: str
    ) -> None:
        results = Results(place)
        contents = read_contents(results, max_models=0)
        took = (record.get("estimate") or {}).get("took") or {}
        self._write(self._run_id, page_of_run(contents, self._config, run_uri, took))
        self._client.log_text(self._run_id, report, "report.html")
        folds = read_fold_skills(results, contents, contents.chosen)
        self._write_targets(pages_of_targets(contents, folds))
        # However often the command is repeated, the duration is that of the work.
        started = self._client.get_run(self._run_id).info.start_time
        ended = started + round(1000 * record["wall_s"])
        self._client.set_terminated(self._run_id, _STATES[record["status"]], ended)

    def _write_targets(self, pages: Iterator[TrackedPage]) -> None:
        known = {run.data.tags.get(_TARGET): run for run in self._found(_PARENT, self._run_id)}
        for page in reversed(list(pages)):  # the last comes first in the list of a server
            run = known.get(page.name)
            tags = {_PARENT: self._run_id, _TARGET: page.name}
            run_id = self._create(page.name, tags) if run is None else run.info.run_id
            self._write(run_id, page)
            if run is None or run.info.status != "FINISHED":
                self._client.set_terminated(run_id, "FINISHED")

    def _write(self, run_id: str, page: TrackedPage) -> None:
        """Write what the server does not have yet, so that nothing appears twice."""
        from mlflow.entities import Metric, Param, RunTag

        there = self._client.get_run(run_id).data
        now = int(time.time() * 1000)
        last = {name: value for (name, _), value in page.metrics.items()}
        metrics = [
            Metric(name, value, now, step)
            for (name, step), value in page.metrics.items()
            if there.metrics.get(name) != last[name]
        ]
        params = [
            Param(key, value) for key, value in page.params.items() if key not in there.params
        ]
        # A run that failed before and succeeded now has no error any more.
        tags = [
            RunTag(key, value)
            for key, value in page.tags.items()
            if there.tags.get(key, "") != value
        ]
        for at in range(0, max(len(params), len(tags), 1), _AT_ONCE):
            part = slice(at, at + _AT_ONCE)
            self._client.log_batch(
                run_id, metrics if at == 0 else [], params[part], tags[part], synchronous=True
            )
        if there.tags.get("mlflow.runName") != page.name:
            self._client.update_run(run_id, name=page.name)

    def _create(self, name: str, tags: Mapping[str, str]) -> str:
        always = {"mlflow.user": who_is_here(), "mlflow.source.name": "ray-pipeline"}
        run = self._client.create_run(self._experiment, run_name=name, tags=always | dict(tags))
        run_id: str = run.info.run_id
        return run_id

    def _found(self, tag: str, value: str) -> list[Any]:
        """Return the runs of the experiment that have a tag; those that were deleted are gone."""
        found: list[Any] = []
        token = None
        while True:
            page = self._client.search_runs(
                [self._experiment], filter_string=f"tags.`{tag}` = '{value}'", page_token=token
            )
            found += page
            token = page.token
            if not token:
                return found


@contextmanager
def _usable(server: str) -> Iterator[None]:
    """Turn a server's error, before any work starts, into a message about the config."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        raise ConfigError(
            f"tracking.mlflow_uri: {server} cannot be used ({error}). Start the server, correct "
            "the address, or set tracking.mlflow_uri to null."
        ) from error


def _problem(what: str, work: Callable[[], None]) -> str | None:
    """Say what went wrong, if anything.

    A failed upload raises the error of the HTTP library, which is an OSError.
    """
    from mlflow.exceptions import MlflowException

    try:
        # Standard output is for results; MLflow would print two lines there for each run that ends.
        with environment_variables({"MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}):
            work()
    except (MlflowException, OSError, RayPipelineError) as error:
        return f"{what}: {error}"
    return None
