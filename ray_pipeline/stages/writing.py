"""Writing a stage's results: tables, documents, copies of units' files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, fields
from types import UnionType
from typing import Any, get_args, get_type_hints

import pyarrow as pa

from ray_pipeline.storage import RunDirectory

__all__ = ["ResultWriter", "nulls", "rows_table"]

_COPIES_AT_ONCE = 16
_ARROW = {str: pa.string(), float: pa.float64(), int: pa.int64(), bool: pa.bool_()}


class ResultWriter:
    """Writes results to their place.

    Parameters
    ----------
    run
        The run directory, which holds the units' tables and models.
    folder
        Folder in it for the results; empty for the run directory itself.

    Attributes
    ----------
    digests
        Known content digests, by the name of the result.
    """

    def __init__(self, run: RunDirectory, folder: str = "") -> None:
        self._run = run
        self._prefix = f"{folder}/" if folder else ""
        self.digests: dict[str, bytes] = {}

    def rows(self, name: str, kind: type[Any], rows: Sequence[Any]) -> None:
        """Write rows of one dataclass as a table."""
        self.table(name, rows_table(kind, rows))

    def table(self, name: str, table: pa.Table) -> None:
        """Write a table."""
        self._run.write_table(f"{self._prefix}{name}", table)

    def json(self, name: str, document: object) -> None:
        """Write a document."""
        self._run.write_json(f"{self._prefix}{name}", document)

    def copy(self, source: str, name: str, digest: bytes | None = None) -> None:
        """Copy a unit's file; `digest` is that of its content, if a worker knows it."""
        self._run.copy(source, f"{self._prefix}{name}")
        if digest is not None:
            self.digests[name] = digest

    def copies(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Copy many files, given as (source, name), several at a time."""
        with ThreadPoolExecutor(_COPIES_AT_ONCE) as pool:
            list(pool.map(lambda pair: self.copy(*pair), pairs))


def rows_table(kind: type[Any], rows: Sequence[Any]) -> pa.Table:
    """Turn rows of one dataclass into a table with one column per field, in their order.

    NaN becomes null: a figure that was not measured.
    """
    hints = get_type_hints(kind)
    schema = pa.schema([(field.name, _arrow_type(hints[field.name])) for field in fields(kind)])
    return pa.Table.from_pylist([nulls(asdict(row)) for row in rows], schema=schema)


def nulls(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with None for every NaN."""
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in row.items()
    }


def _arrow_type(hint: Any) -> pa.DataType:
    if isinstance(hint, UnionType):
        hint = next(part for part in get_args(hint) if part is not type(None))
    if hint not in _ARROW:  # a Literal of strings
        hint = str
    return _ARROW[hint]
