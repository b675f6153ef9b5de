"""Where a unit leaves files for later units: in a folder of its own, named by its digest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution.canonical import canonical

__all__ = ["table_name", "text_of", "unit_folder", "working_in"]

_FOLDER: ContextVar[str] = ContextVar("folder of the unit that is being performed")


@contextmanager
def working_in(folder: str) -> Iterator[None]:
    """Say which folder is that of the unit that is performed inside the block."""
    token = _FOLDER.set(folder)
    try:
        yield
    finally:
        _FOLDER.reset(token)


def unit_folder() -> str:
    """Return the folder of the unit that is being performed, relative to the run directory.

    Raises
    ------
    ExecutionError
        Outside of one.
    """
    folder = _FOLDER.get(None)
    if folder is None:
        raise ExecutionError(
            "No unit is being performed, so there is no folder for its files. Have an executor "
            "perform the function, or call it inside ray_pipeline.execution.artifacts.working_in."
        )
    return folder


def text_of(value: object) -> str:
    """Return the one text of a value that a unit's spec may hold.

    Raises
    ------
    TypeError
        When it is none; see `canonical`.
    """
    return canonical(value).text


def table_name(name: str) -> str:
    """Name a table of the unit that is being performed, in its folder."""
    return f"{unit_folder()}/{name}.parquet"
