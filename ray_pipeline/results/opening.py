"""Opening a run directory for reading: the one way in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray_pipeline.errors import DiscoveryError
from ray_pipeline.results.reading import Results
from ray_pipeline.results.tables import RECORD
from ray_pipeline.storage import RunDirectory
from ray_pipeline.storage.replacing import NEXT, is_replacing, result_place

__all__ = ["open_attempt", "open_run"]


def open_run(uri: str, storage_options: Mapping[str, Any] | None = None) -> Results:
    """Open the result of a run directory.

    Raises
    ------
    DiscoveryError
        When there is no ``run.json``.
    DamagedFileError
        When ``run.json`` is something else.
    ConfigError
        When a later version wrote it, in a format that this one does not know.
    """
    run = result_place(RunDirectory(uri, storage_options))
    if not run.exists(RECORD):
        raise DiscoveryError(
            f"{uri} is not a run directory: it has no run.json. Give the folder that "
            "output.run_dir names."
        )
    results = Results(run)
    _ = results.record  # read now: what cannot be used is refused before anything is done with it
    return results


def open_attempt(uri: str, storage_options: Mapping[str, Any] | None = None) -> Results | None:
    """Open what a run has left beside the result that it was to replace; None where none has.

    Raises
    ------
    DamagedFileError, ConfigError
        As for `open_run`.
    """
    run = RunDirectory(uri, storage_options)
    beside = run.below(NEXT)
    if is_replacing(run) or not beside.exists(RECORD):
        return None
    results = Results(beside)
    _ = results.record
    return results
