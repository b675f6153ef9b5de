"""Names of the files that units leave in the run directory for later units."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from ray_pipeline import __version__
from ray_pipeline.execution.protocol import CODE_VERSION

__all__ = ["artifact_folder", "artifact_name"]


def artifact_folder(stage: str, *depends_on: Any) -> str:
    """Name a folder by what its files depend on: equal work finds them, other work does not.

    Parameters
    ----------
    depends_on
        Dataclasses, such as the unit's spec.

    Returns
    -------
    str
        ``units/<stage>/<hash>``, relative to the run directory.
    """
    parts = [__version__, CODE_VERSION, stage, *(asdict(part) for part in depends_on)]
    text = json.dumps(parts, sort_keys=True)
    return f"units/{stage}/{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def artifact_name(stage: str, spec: Any, name: str) -> str:
    """Name a table of a unit: ``units/<stage>/<hash>/<name>.parquet``."""
    return f"{artifact_folder(stage, spec)}/{name}.parquet"
