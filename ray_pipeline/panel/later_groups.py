"""Which row groups of a symbol hold its rows from a time on, from its files' footers alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["TimedFile", "later_groups"]

_SLACK_NS = 2 * 86_400 * 10**9
"""Zones, closing stamps and trading dates move times by less than this."""

_DAY_NS = 86_400 * 10**9
_NS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


@dataclass(frozen=True, slots=True)
class TimedFile:
    """A file of a symbol.

    Attributes
    ----------
    path
        The file's path.
    footer
        Its footer.
    time_column
        The name of its time column; None if it has none.
    """

    path: str
    footer: pq.FileMetaData
    time_column: str | None


@dataclass(frozen=True, slots=True)
class _Group:
    path: str
    number: int
    first_ns: int
    last_ns: int


def later_groups(files: Sequence[TimedFile], since_ns: int) -> Mapping[str, list[int]] | None:
    """Find the row groups that contain all rows from a time on.

    They cover a time span that no other row group reaches into, so rows of one time are either all
    included or all excluded. The newest row group is always included.

    Parameters
    ----------
    files
        All of the symbol.
    since_ns
        Nanoseconds since 1970, in UTC.

    Returns
    -------
    dict or None
        Row groups by path, in order, of the files that have any; None if the footers do not show
        it: a column of text or numbers, or a writer without statistics.
    """
    groups: list[_Group] = []
    for file in files:
        found = _groups_of(file)
        if found is None:
            return None
        groups += found
    if not groups:
        return None
    groups.sort(key=lambda group: group.last_ns)
    first_ns = min(since_ns - _SLACK_NS, groups[-1].last_ns)
    n_earlier = len(groups)
    while n_earlier and groups[n_earlier - 1].last_ns >= first_ns:
        n_earlier -= 1
        first_ns = min(first_ns, groups[n_earlier].first_ns)
    return _by_path(groups[n_earlier:])


def _by_path(groups: Iterable[_Group]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for group in sorted(groups, key=lambda group: group.number):
        found.setdefault(group.path, []).append(group.number)
    return found


def _groups_of(file: TimedFile) -> list[_Group] | None:
    """Return the spans of the row groups that have a row."""
    if file.time_column is None:
        return None
    schema = file.footer.schema
    unit_ns = _unit_ns(schema.to_arrow_schema().field(file.time_column).type)
    paths = [schema.column(leaf).path for leaf in range(file.footer.num_columns)]
    if unit_ns is None or file.time_column not in paths:
        return None
    leaf = paths.index(file.time_column)
    found = []
    for number in range(file.footer.num_row_groups):
        group = file.footer.row_group(number)
        if not group.num_rows:
            continue
        told = group.column(leaf).statistics
        if told is None or not told.has_min_max:
            return None
        span = (told.min_raw * unit_ns, told.max_raw * unit_ns)
        found.append(_Group(file.path, number, *span))
    return found


def _unit_ns(kind: pa.DataType) -> int | None:
    if pa.types.is_timestamp(kind):
        return _NS[kind.unit]
    return _DAY_NS if pa.types.is_date32(kind) else None
