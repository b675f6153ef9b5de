"""Model versions in the MLflow registry: one registered model, with aliases for what serves."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.errors import ConfigError
from ray_pipeline.records import VIEW_NAMES
from ray_pipeline.results.figures import moment, signed
from ray_pipeline.results.version_documents import VersionRecord
from ray_pipeline.storage import RunDirectory
from ray_pipeline.versions.kept import VERSIONS
from ray_pipeline.versions.serving import Standing, standings
from ray_pipeline.wording import plural

__all__ = ["follow_versions", "mlflow_client", "register_version"]

CHAMPION, CHALLENGER = "champion", "challenger"
"""Aliases of the version that serves, and of the newest that waits or was rejected."""

_FOLDER = "versions"
"""Artifact folder of an MLflow run: holds a version unchanged, so that `load_run` opens it."""

_TAG = "version"
_N_THREADS = 16


def mlflow_client(uri: str) -> Any:
    """Return a client of a tracking server.

    Raises
    ------
    ConfigError
        When mlflow is not installed.
    """
    try:
        from mlflow import MlflowClient
    except ImportError as error:
        raise ConfigError(
            f"tracking.mlflow_uri is {uri}, and mlflow is not installed. Install it with "
            "pip install 'ray-pipeline[mlflow]', or set tracking.mlflow_uri to null."
        ) from error
    return MlflowClient(tracking_uri=uri)


def register_version(client: Any, run_id: str, run: RunDirectory, record: VersionRecord) -> None:
    """Register a version, if it is not yet registered, and update the aliases.

    Its files become artifacts of an MLflow run: a server does not read the disks of others.
    """
    name = record.experiment
    if not any(each.name == name for each in client.search_registered_models(f"name='{name}'")):
        client.create_registered_model(name)
    if record.version not in _registered(client, name):
        # By its name: after a code change, the same settings and data can give other models.
        place = f"{_FOLDER}/{record.version}"
        with _on_disk(run, record.version) as folder:
            client.log_artifacts(run_id, folder, place)
        client.create_model_version(
            name,
            source=f"runs:/{run_id}/{place}",
            run_id=run_id,
            description=_description(record),
            await_creation_for=0,  # nothing is computed there, so there is nothing to wait for
            tags={
                _TAG: record.version,
                "content_sha256": record.content_sha256,
                "trained_until": record.trained_until,
            },
        )
    _move_aliases(client, name, standings(run))


def follow_versions(run: RunDirectory, config: ExperimentConfig) -> str | None:
    """Move the aliases in MLflow after another version began to serve.

    Returns
    -------
    str or None
        What went wrong, for a warning: the run directory decides, whatever a server says.
    """
    uri = config.tracking.mlflow_uri
    if uri is None:
        return None
    client = mlflow_client(uri)
    from mlflow.exceptions import MlflowException

    found = standings(run)
    try:
        for name in dict.fromkeys(each.record.experiment for each in found):
            _move_aliases(client, name, found)
    except MlflowException as error:
        return f"MLflow could not be updated after the change of versions: {error}"
    return None


def _description(record: VersionRecord) -> str:
    """Describe a version, as Markdown."""
    lines = [
        f"{plural(record.n_models, 'model')}, trained until {moment(record.trained_until)}.",
        "",
        "| target | view | models | skill |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{each.target}` | {VIEW_NAMES[each.view]} | {each.n_models} | {signed(each.skill)} |"
        for each in record.targets
    ]
    return "\n".join(lines)


def _registered(client: Any, name: str) -> dict[str, str]:
    """Return MLflow's version numbers, by our names of versions."""
    found = client.search_model_versions(f"name='{name}'")
    return {each.tags[_TAG]: str(each.version) for each in found if _TAG in each.tags}


def _move_aliases(client: Any, name: str, found: Sequence[Standing]) -> None:
    numbers = _registered(client, name)
    wanted: dict[str, str] = {}
    for each in found:  # that of the newest data comes first
        alias = {"current": CHAMPION, "earlier": ""}.get(each.status, CHALLENGER)
        if alias and each.record.version in numbers:
            wanted.setdefault(alias, numbers[each.record.version])
    for alias in (CHAMPION, CHALLENGER):
        if alias in wanted:
            client.set_registered_model_alias(name, alias, wanted[alias])
        elif numbers:
            client.delete_registered_model_alias(name, alias)


@contextmanager
def _on_disk(run: RunDirectory, version: str) -> Iterator[str]:
    """Return the folder of a version on a local disk."""
    folder = f"{VERSIONS}/{version}"
    if run.is_local:
        yield os.path.join(run.uri.removeprefix("file://"), folder)
        return
    with tempfile.TemporaryDirectory() as place:

        def fetch(name: str) -> None:
            path = os.path.join(place, *name.removeprefix(f"{folder}/").split("/"))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(run.read_bytes(name))

        with ThreadPoolExecutor(_N_THREADS) as pool:
            list(pool.map(fetch, run.list(folder)))
        yield place
