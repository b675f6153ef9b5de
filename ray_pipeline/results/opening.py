"""Opening a run directory for reading."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray_pipeline.errors import DiscoveryError
from ray_pipeline.storage import RunDirectory
from ray_pipeline.storage.replacing import result_place

__all__ = ["open_run"]


def open_run(uri: str, storage_options: Mapping[str, Any] | None = None) -> RunDirectory:
    """Open the result of a run directory.

    Raises
    ------
    DiscoveryError
        When there is no ``run.json``.
    """
    run = result_place(RunDirectory(uri, storage_options))
    if not run.exists("run.json"):
        raise DiscoveryError(
            f"{uri} is no run directory: it has no run.json. Give the folder that "
            "output.run_dir names."
        )
    return run
