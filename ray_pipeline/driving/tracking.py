"""The run in MLflow too, where ``tracking.mlflow_uri`` asks for it; see `registry` for models."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from ray_pipeline.driving.journal import Journal
from ray_pipeline.driving.registry import mlflow_client, register_version
from ray_pipeline.errors import ConfigError
from ray_pipeline.ranking.decide import TargetRow
from ray_pipeline.results.version_documents import VersionRecord
from ray_pipeline.storage import RunDirectory

__all__ = ["Tracker"]

_STATES = {"done": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
_FIGURES = ("skill", "std_error", "t_stat", "q_value")


class Tracker:
    """One MLflow run beside ours; does nothing when no tracking server is given.

    Parameters
    ----------
    uri
        Tracking server, or None.
    name
        Name of the MLflow experiment: ``experiment.name`` of the config.

    Raises
    ------
    ConfigError
        When mlflow is not installed or the server cannot be used; before any work is done.
    """

    def __init__(self, uri: str | None, name: str) -> None:
        self._client: Any = None
        if uri is None:
            return
        client = mlflow_client(uri)
        from mlflow.exceptions import MlflowException

        try:
            known = client.get_experiment_by_name(name)
            experiment = known.experiment_id if known else client.create_experiment(name)
            self._run_id: str = client.create_run(experiment, run_name=name).info.run_id
        except MlflowException as error:
            raise ConfigError(
                f"tracking.mlflow_uri: {uri} cannot be used ({error}). Start the server, correct "
                "the address, or set tracking.mlflow_uri to null."
            ) from error
        self._client = client

    def register(self, run: RunDirectory, version: VersionRecord) -> str | None:
        """Register a version of the models, and move the aliases of those that serve.

        Returns
        -------
        str or None
            What went wrong, for a warning.
        """
        if self._client is None:
            return None
        from mlflow.exceptions import MlflowException

        try:
            register_version(self._client, self._run_id, run, version)
        except MlflowException as error:
            return f"MLflow did not register version {version.version}: {error}"
        return None

    def finish(self, journal: Journal, targets: Sequence[TargetRow], report: str) -> str | None:
        """Record the run: parameters, counts, the figures of every target, and the report.

        Parameters
        ----------
        targets
            Rows of target ranking; empty when the run did not come so far.
        report
            The page, as HTML.

        Returns
        -------
        str or None
            What went wrong, for a warning: a tracking server must not undo a finished run.
        """
        if self._client is None:
            return None
        from mlflow.exceptions import MlflowException

        record = journal.record
        try:
            for key in ("seed", "config_sha256", "input_fingerprint", "content_sha256"):
                self._client.log_param(self._run_id, key, record[key])
            self._client.set_tag(self._run_id, "message", record["message"])
            for name, value in _metrics(record["counts"], targets).items():
                self._client.log_metric(self._run_id, name, value)
            self._client.log_text(self._run_id, report, "report.html")
            self._client.set_terminated(self._run_id, _STATES[record["status"]])
        except MlflowException as error:
            return f"MLflow did not take the whole record of this run: {error}"
        return None


def _metrics(counts: dict[str, int], targets: Sequence[TargetRow]) -> dict[str, float]:
    metrics = {f"count/{name}": float(value) for name, value in counts.items()}
    for row in targets:
        # MLflow allows letters, digits and a few signs in a name; a column may hold any.
        target = re.sub(r"[^\w\-. /]", "_", row.target)
        for figure in _FIGURES:
            value = getattr(row, figure)
            if not math.isnan(value):
                metrics[f"{target}/{row.view}/{figure}"] = value
    return metrics
