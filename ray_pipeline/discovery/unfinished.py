"""Whether a panel is the unfinished work of an interrupted import."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray_pipeline.errors import StorageError
from ray_pipeline.storage import RunDirectory

__all__ = ["BOOKS", "UNFINISHED", "unfinished_import"]

BOOKS = "_import"
"""Folder below the panel's root for an import's notes, ignored by readers of the layout."""

UNFINISHED = "unfinished.json"
"""Exists while an import writes, and after one that was interrupted."""


def unfinished_import(data_dir: str, storage_options: Mapping[str, Any]) -> str | None:
    """Say that symbols and rows are missing, if an import did not finish."""
    try:
        is_there = RunDirectory(data_dir, storage_options).exists(f"{BOOKS}/{UNFINISHED}")
    except StorageError:
        return None  # if the store denies reading there, nobody can have imported into it
    if not is_there:
        return None
    return (
        f"an import into {data_dir} has not finished: symbols and rows are missing. If none is "
        "running, run its command again to continue it."
    )
