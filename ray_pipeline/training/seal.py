"""A checksum of a model's ``metadata.json``, stored in it, so that edited metadata are not used."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ray_pipeline.errors import ArtifactError
from ray_pipeline.storage.documents import canonical_json, strict_json

__all__ = ["check_origin", "check_seal", "sealed"]

_UNSEALED = ("serves", "sha256")
"""The symbols that a pooled model serves are decided after it was written, by routes."""


def sealed(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata with ``sha256``, a checksum of everything except ``serves``.

    It covers the values, as JSON with sorted keys and no spaces: the file may be reformatted, but
    no value may change.
    """
    return {**metadata, "sha256": _seal(metadata)}


def check_seal(metadata: Mapping[str, Any], name: str) -> None:
    """Refuse metadata that were changed: in another order, features would mean other columns.

    Parameters
    ----------
    name
        Where they were read.

    Raises
    ------
    ArtifactError
        With both checksums.
    """
    found, expected = _seal(metadata), str(metadata["sha256"])
    if found != expected:
        raise ArtifactError(
            f"{name}: its values have the SHA-256 {found[:12]}…, and it says {expected[:12]}…: it "
            "is damaged or was changed. Restore it, or run again."
        )


def check_origin(metadata: Mapping[str, Any], seal: str, name: str) -> None:
    """Refuse valid metadata of another model than the expected one.

    Parameters
    ----------
    seal
        The ``sha256`` of the expected metadata.
    name
        Where they were read.

    Raises
    ------
    ArtifactError
        With both checksums.
    """
    found = str(metadata["sha256"])
    if found != seal:
        raise ArtifactError(
            f"{name} is that of another model: it has the SHA-256 {found[:12]}…, and that of the "
            f"model that the run trained is {seal[:12]}…. Restore the run's own, or run again."
        )


def _seal(metadata: Mapping[str, Any]) -> str:
    kept = {key: value for key, value in metadata.items() if key not in _UNSEALED}
    # By way of the written text, in which tuples become lists, and NaN null.
    read = json.loads(strict_json(kept))
    return hashlib.sha256(canonical_json(read).encode()).hexdigest()
