"""Which rows of a symbol are kept, and in which order, based only on its times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.panel.quality import QualityFinding, to_float
from ray_pipeline.panel.reading_rules import AS_THEY_ARE, Duplicates, ReadingRules
from ray_pipeline.panel.time_forms import Clock
from ray_pipeline.panel.timestamps import FileTimes, symbol_times
from ray_pipeline.wording import agreeing, iso_time, plural

__all__ = ["RepeatedRows", "RowPlan", "Rows", "plan_rows"]

Rows: TypeAlias = slice | NDArray[np.int64]
"""Rows as an index: a slice if nothing has to be copied."""


@dataclass(frozen=True, slots=True, eq=False)
class RowPlan:
    """What happens to each row that is read.

    Attributes
    ----------
    n_read
        Rows of all files.
    time_ns
        int64 (n_kept,): times of the rows kept, nanoseconds since 1970 in UTC, strictly
        increasing.
    positions
        int64 (n_read,): position of each row among the kept ones, or -1. None in the common case:
        the newest n_kept rows are kept in order.
    repeats
        int64 (n_repeats, 2): rows with the time of another row, each with the previous one.
    repeated_ns
        int64 (n_repeats,): that time.
    duplicates
        What happens to rows of one time that contradict each other.
    clocks
        What the files say about the zone of their times.
    findings
        Findings about the times, in the order of the rules.
    """

    n_read: int
    time_ns: NDArray[np.int64]
    positions: NDArray[np.int64] | None
    repeats: NDArray[np.int64]
    repeated_ns: NDArray[np.int64]
    duplicates: Duplicates
    clocks: tuple[Clock, ...]
    findings: tuple[QualityFinding, ...]

    @property
    def n_kept(self) -> int:
        """Rows that are kept."""
        return len(self.time_ns)

    def place(self, first_row: int, n_rows: int) -> tuple[Rows, Rows]:
        """Return which rows of a block are kept, and their positions among all kept rows.

        Parameters
        ----------
        first_row, n_rows
            The block's first row among those read, and its length.
        """
        if self.positions is None:
            n_dropped = self.n_read - self.n_kept
            first_kept = min(max(n_dropped - first_row, 0), n_rows)
            start = first_row + first_kept - n_dropped
            return slice(first_kept, n_rows), slice(start, start + n_rows - first_kept)
        positions = self.positions[first_row : first_row + n_rows]
        kept = np.flatnonzero(positions >= 0)
        return kept, positions[kept]


def plan_rows(
    files: Sequence[FileTimes],
    name: str,
    max_rows: int | None,
    rules: ReadingRules = AS_THEY_ARE,
) -> RowPlan:
    """Put rows on a strictly increasing UTC axis.

    In this order: rows without a time are dropped, and those from `rules.until_ns` on; rows are
    sorted by time (stable), one of the rows of each time is kept as ``data.duplicates`` says, and
    finally the newest `max_rows`.

    Parameters
    ----------
    files
        The times of each file, in the order of its rows.
    name
        Of the time column, for messages.
    max_rows
        Number of newest rows to keep, None for all.
    rules
        How times are read, and which row of a time is kept.

    Raises
    ------
    DataError
        When times cannot be read.
    """
    n_read = sum(len(file.column) for file in files)
    findings: list[QualityFinding] = []
    times = symbol_times(files, name, rules.time)
    time_ns, rows = (
        times.time_ns,
        times.rows,
    )  # the kept rows, in order; None: all in the given order
    if rows is not None:
        n_missing = n_read - len(rows)
        were = agreeing(n_missing, "was", "were")
        message = f"{plural(n_missing, 'row')} without a time {were} dropped"
        findings.append(QualityFinding("missing_time", name, n_missing, message))
    findings += times.findings
    if rules.until_ns is not None and len(time_ns):
        early = time_ns < rules.until_ns
        if not early.any():
            raise DataError(
                f"its rows begin at {iso_time(int(time_ns.min()))}, and those from "
                f"{iso_time(rules.until_ns)} on are ignored."
            )
        if not early.all():
            rows = np.flatnonzero(early) if rows is None else rows[early]
            time_ns = time_ns[early]

    n_out_of_order = int((time_ns[1:] < time_ns[:-1]).sum())
    if n_out_of_order:
        message = (
            f"{plural(n_out_of_order, 'row')} {agreeing(n_out_of_order, 'is', 'are')} older than "
            f"the row before {agreeing(n_out_of_order, 'it', 'them')}; rows were sorted"
        )
        findings.append(QualityFinding("out_of_order", None, n_out_of_order, message))
        order = np.argsort(time_ns, kind="stable")
        time_ns, rows = time_ns[order], order if rows is None else rows[order]

    repeated = np.flatnonzero(time_ns[1:] == time_ns[:-1]) + 1
    repeated_ns = time_ns[repeated]
    repeats = np.empty((0, 2), dtype=np.int64)
    if times.clocks == ("date",) and 2 * len(repeated) > len(time_ns):
        raise DataError(
            f"time column {name!r} holds only dates, and {len(repeated)} of {len(time_ns)} rows "
            "have the date of another row. If these are intraday bars, set "
            "data.columns.time_of_day to the column with their time of day."
        )
    if len(repeated):
        rows = np.arange(n_read) if rows is None else rows
        repeats = np.column_stack([rows[repeated], rows[repeated - 1]])
        dropped, message = _dropped(repeated, rules.duplicates)
        findings.append(QualityFinding("duplicate_rows", None, len(dropped), message))
        time_ns, rows = np.delete(time_ns, dropped), np.delete(rows, dropped)

    if max_rows is not None and len(time_ns) > max_rows:
        n_cut = len(time_ns) - max_rows
        time_ns = time_ns[n_cut:].copy()
        rows = None if rows is None else rows[n_cut:]
    positions = None
    if rows is not None:
        positions = np.full(n_read, -1, dtype=np.int64)
        positions[rows] = np.arange(len(rows))
    time_ns = np.ascontiguousarray(time_ns)
    return RowPlan(
        n_read=n_read,
        time_ns=time_ns,
        positions=positions,
        repeats=repeats,
        repeated_ns=repeated_ns,
        duplicates=rules.duplicates,
        clocks=times.clocks,
        findings=tuple(findings),
    )


def _dropped(repeated: NDArray[np.intp], duplicates: Duplicates) -> tuple[NDArray[np.intp], str]:
    """Return which rows, in time order, are dropped, and a sentence about it.

    Parameters
    ----------
    repeated
        Rows with the time of the previous row.
    """
    match duplicates:
        case "refuse":
            one, several = "row that repeats another row was", "rows that repeat another row were"
            return repeated, f"{plural(len(repeated), one, several)} dropped"
        case "first":
            how = "the first row of each time was kept"
        case "last":
            repeated, how = repeated - 1, "the last row of each time was kept"
        case "drop":
            repeated, how = np.union1d(repeated, repeated - 1), "no row of such a time was kept"
        case _:
            assert_never(duplicates)
    were = plural(len(repeated), "row was", "rows were")
    return repeated, f"{were} dropped: {how}, as data.duplicates says"


class RepeatedRows:
    """Compares the raw cells of rows with the same time.

    Parameters
    ----------
    plan
        The plan that says which rows these are.
    """

    def __init__(self, plan: RowPlan) -> None:
        self._plan = plan
        self._rows = np.unique(plan.repeats)
        self._later, self._earlier = np.searchsorted(self._rows, plan.repeats.T)
        self._differs = np.zeros(len(plan.repeats), dtype=bool)
        self._cells: list[tuple[int, pa.Table]] = []

    def __len__(self) -> int:
        """Return the number of rows whose cells are compared."""
        return len(self._rows)

    def add(self, first_row: int, table: pa.Table) -> None:
        """Keep the cells of such rows of a block that begins with row `first_row`."""
        if len(self):
            start, stop = np.searchsorted(self._rows, [first_row, first_row + table.num_rows])
            cells = table.take(pa.array(self._rows[start:stop] - first_row))
            self._cells.append((start, cells))

    def compare(self) -> None:
        """Compare what was added, every block of some columns, and release it."""
        by_column: dict[str, list[tuple[int, pa.ChunkedArray]]] = {}
        for start, table in self._cells:
            for name in table.column_names:
                by_column.setdefault(name, []).append((start, table.column(name)))
        self._cells = []
        for parts in by_column.values():
            in_order = sorted(parts, key=lambda part: part[0])
            column = pa.chunked_array([chunk for _, part in in_order for chunk in part.chunks])
            later, earlier = (column.take(pa.array(i)) for i in (self._later, self._earlier))
            self._differs |= ~_same_cells(later, earlier)

    def judge(self) -> tuple[QualityFinding, ...]:
        """Report times with differing rows: only the owner of the data knows which row counts.

        Raises
        ------
        DataError
            With the number of such times and the first, unless the config says which counts.
        """
        if not self._differs.any():
            return ()
        conflicting = np.unique(self._plan.repeated_ns[self._differs])
        found = (
            f"{plural(len(conflicting), 'timestamp has', 'timestamps have')} rows that contradict "
            f"each other, the first at {iso_time(int(conflicting[0]))}"
        )
        if self._plan.duplicates == "refuse":
            raise DataError(
                f"{found}. Keep one row per timestamp, or choose one with data.duplicates: last "
                "(in the order of files and rows), first, or drop."
            )
        return (QualityFinding("contradicting_rows", None, len(conflicting), found),)


def _same_cells(left: pa.ChunkedArray, right: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Compare cell by cell; missing (null or NaN) equals missing."""
    if pa.types.is_floating(left.type) or pa.types.is_null(left.type):
        a, b = to_float(left), to_float(right)
        return np.asarray((a == b) | (np.isnan(a) & np.isnan(b)))
    equal = pc.fill_null(pc.equal(left, right), False)
    both_null = pc.and_(pc.is_null(left), pc.is_null(right))
    return np.asarray(pc.or_(equal, both_null).to_numpy())
