"""Whether a panel is what an import left when it was interrupted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray_pipeline.errors import StorageError
from ray_pipeline.storage import RunDirectory

__all__ = ["BOOKS", "UNFINISHED", "unfinished_import"]

BOOKS = "_import"
"""Folder below the panel's root for what an import notes: no reader of the layout looks into it."""

UNFINISHED = "unfinished.json"
"""Is there while an import writes, and after one that was interrupted."""


def unfinished_import(data_dir: str, storage_options: Mapping[str, Any]) -> str | None:
    """Say that symbols and rows are missing, where an import did not end."""
    try:
        is_there = RunDirectory(data_dir, storage_options).exists(f"{BOOKS}/{UNFINISHED}")
    except StorageError:
        return None  # a store that lets nobody look there has let nobody import into it
    if not is_there:
        return None
    return (
        f"an import into {data_dir} has not ended: symbols and rows are missing. If none is at "
        "work, run its command again, which continues it."
    )
