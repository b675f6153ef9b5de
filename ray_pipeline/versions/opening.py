"""Opening the models that serve: the run's own, or those of a version that it keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray_pipeline.errors import DiscoveryError
from ray_pipeline.results.opening import open_run
from ray_pipeline.results.reading import Results
from ray_pipeline.storage import RunDirectory
from ray_pipeline.versions.kept import check_files, name_of_result, read_version, version_place
from ray_pipeline.versions.serving import current_version

__all__ = ["open_models"]


def open_models(
    uri: str, storage_options: Mapping[str, Any] | None = None, version: str | None = None
) -> Results:
    """Open a run with the models of a version.

    They are the run's own if its result is that version, or if it kept none.

    Parameters
    ----------
    version
        None: the one that serves.

    Raises
    ------
    DiscoveryError
        When there is no run.
    ConfigError
        When there is no such version, or a later version of ray_pipeline wrote the run.
    DamagedFileError
        When a file has contents that no run writes.
    ArtifactError
        When the version is incomplete.
    """
    run = RunDirectory(uri, storage_options)
    current = current_version(run)
    if version is None and current is None:
        return open_run(uri, storage_options)
    name = version or (current.version if current is not None else "")
    try:
        own = open_run(uri, storage_options)
    except DiscoveryError:
        if current is None:
            raise
    else:
        if name_of_result(own) == name:
            return own
    record = read_version(run, name)
    check_files(run, record, predictions=False)
    return Results(version_place(run, name))
