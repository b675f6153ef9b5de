"""Cleaning of one symbol's rows, with every change said aloud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.panel.roles import BAR_FIELDS
from ray_pipeline.panel.timestamps import format_time, utc_ns

__all__ = [
    "QualityFinding",
    "bar_findings",
    "clean_rows",
    "overflow_findings",
    "require_rows",
    "to_float",
]


@dataclass(frozen=True, slots=True)
class QualityFinding:
    """Something that was found in a symbol's data, and what was done about it.

    Attributes
    ----------
    rule
        ``column_missing_in_files``, ``time_unit_assumed``, ``missing_time``, ``out_of_order``,
        ``duplicate_rows``, ``infinite_values``, ``constant_column``, ``all_missing``,
        ``float32_overflow``, ``inconsistent_bars`` or ``nonpositive_prices``.
    column
        The column concerned, or None when it concerns rows.
    count
        Number of rows, cells or files concerned.
    message
        One sentence for the report.
    """

    rule: str
    column: str | None
    count: int
    message: str


def clean_rows(
    table: pa.Table, time_column: str, max_rows: int | None
) -> tuple[pa.Table, tuple[QualityFinding, ...]]:
    """Return the rows on a strictly increasing UTC axis, and what was found on the way.

    In this order: rows without a time are dropped, rows are sorted by time (stable), identical
    rows of one time are reduced to one, the newest `max_rows` are kept, infinite cells become NaN,
    and columns that are constant or without any value are reported (not removed).

    Parameters
    ----------
    table
        As `read_columns` gives it.
    time_column
        Name of the time column in `table`.
    max_rows
        Number of newest rows to keep, None for all.

    Returns
    -------
    table
        The same columns; the time column is int64, nanoseconds since 1970 in UTC.
    findings
        In the order of the rules, then of the columns.

    Raises
    ------
    DataError
        When times cannot be read, or rows of one time contradict each other: only the owner of
        the data can tell which is right.
    """
    findings: list[QualityFinding] = []
    table = _with_utc_time(table, time_column, findings)
    table = _sorted_by_time(table, time_column, findings)
    table = _without_duplicates(table, time_column, findings)
    if max_rows is not None and table.num_rows > max_rows:
        table = table.slice(table.num_rows - max_rows)
    for position, name in enumerate(table.column_names):
        if name == time_column or not _is_numeric(table.column(name).type):
            continue
        values = to_float(table.column(name))
        n_infinite = int(np.isinf(values).sum())
        if n_infinite:
            values = np.where(np.isinf(values), np.nan, values)
            table = table.set_column(position, name, pa.array(values))
            message = f"{n_infinite} infinite cells of {name!r} are taken as missing"
            findings.append(QualityFinding("infinite_values", name, n_infinite, message))
        finding = _emptiness(name, values)
        if finding:
            findings.append(finding)
    return table, tuple(findings)


def require_rows(n_rows: int, min_rows: int) -> None:
    """Raise `DataError` when fewer than `min_rows` rows are left after cleaning."""
    if n_rows < min_rows:
        raise DataError(f"{n_rows} rows after cleaning; data.min_rows_per_symbol needs {min_rows}.")


def to_float(column: pa.ChunkedArray) -> NDArray[np.float32] | NDArray[np.float64]:
    """Return numbers as a float array (n_rows,), null as NaN; only ``float`` stays float32."""
    kind = column.type if pa.types.is_float32(column.type) else pa.float64()
    # Integers beyond 2**53 lose their last digits, which no model could use.
    floats = column.cast(kind, safe=False)
    if floats.null_count:
        floats = pc.fill_null(floats, pa.scalar(np.nan, kind))
    return np.asarray(floats.to_numpy())


def overflow_findings(table: pa.Table, names: Sequence[str]) -> list[QualityFinding]:
    """Report feature cells that float32, the type of the feature matrix, cannot hold."""
    limit = np.finfo(np.float32).max
    findings = []
    for name in names:
        count = int((np.abs(to_float(table.column(name))) > limit).sum())
        if count:
            message = f"{count} cells of {name!r} are beyond float32 and are taken as missing"
            findings.append(QualityFinding("float32_overflow", name, count, message))
    return findings


def bar_findings(table: pa.Table) -> list[QualityFinding]:
    """Report bars that cannot be true; they are left as they are."""
    opened, high, low, close, _ = (to_float(table.column(name)) for name in BAR_FIELDS)
    bottom, top = np.fmin(opened, close), np.fmax(opened, close)
    n_outside = int(((low > bottom) | (high < top) | (low > high)).sum())
    n_nonpositive = int((np.fmin(low, bottom) <= 0).sum())
    n_missing = sum(int(np.isnan(to_float(table.column(name))).sum()) for name in BAR_FIELDS)
    findings = []
    if n_missing:
        message = f"{n_missing} missing cells in the bars; what depends on them is missing too"
        findings.append(QualityFinding("missing_bar_cells", None, n_missing, message))
    if n_outside:
        message = f"{n_outside} bars have an open or close outside [low, high]; kept as they are"
        findings.append(QualityFinding("inconsistent_bars", None, n_outside, message))
    if n_nonpositive:
        message = f"{n_nonpositive} bars have a price of zero or less; kept as they are"
        findings.append(QualityFinding("nonpositive_prices", None, n_nonpositive, message))
    return findings


def _is_numeric(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind))


def _with_utc_time(table: pa.Table, time_column: str, findings: list[QualityFinding]) -> pa.Table:
    n_missing = table.column(time_column).null_count
    if n_missing:
        table = table.filter(pc.is_valid(table.column(time_column)))
        message = f"{n_missing} rows without a time were dropped"
        findings.append(QualityFinding("missing_time", time_column, n_missing, message))
    times, assumption = utc_ns(table.column(time_column), time_column)
    if assumption:
        findings.append(QualityFinding("time_unit_assumed", time_column, len(times), assumption))
    position = table.column_names.index(time_column)
    return table.set_column(position, time_column, pa.array(times, pa.int64()))


def _sorted_by_time(table: pa.Table, time_column: str, findings: list[QualityFinding]) -> pa.Table:
    times = table.column(time_column).to_numpy()
    n_out_of_order = int((times[1:] < times[:-1]).sum())
    if not n_out_of_order:
        return table
    message = f"{n_out_of_order} rows are older than the row before them; rows were sorted"
    findings.append(QualityFinding("out_of_order", None, n_out_of_order, message))
    return table.take(pa.array(np.argsort(times, kind="stable")))


def _without_duplicates(
    table: pa.Table, time_column: str, findings: list[QualityFinding]
) -> pa.Table:
    """Reduce identical rows of one time to one; the table is sorted by time."""
    times = table.column(time_column).to_numpy()
    repeats = np.flatnonzero(times[1:] == times[:-1]) + 1
    if not len(repeats):
        return table
    differs = np.zeros(len(repeats), dtype=bool)
    for name in table.column_names:
        later, earlier = (
            table.column(name).take(pa.array(rows)) for rows in (repeats, repeats - 1)
        )
        differs |= ~_same_cells(later, earlier)
    if differs.any():
        conflicting = np.unique(times[repeats[differs]])
        raise DataError(
            f"{len(conflicting)} timestamps have rows that contradict each other, the first at "
            f"{format_time(int(conflicting[0]))}. Keep one row per timestamp."
        )
    message = f"{len(repeats)} rows that repeat another row were dropped"
    findings.append(QualityFinding("duplicate_rows", None, len(repeats), message))
    return table.take(pa.array(np.delete(np.arange(len(times)), repeats)))


def _same_cells(left: pa.ChunkedArray, right: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Compare cell by cell; missing (null or NaN) equals missing."""
    if _is_numeric(left.type) and not pa.types.is_integer(left.type):
        a, b = to_float(left), to_float(right)
        return np.asarray((a == b) | (np.isnan(a) & np.isnan(b)))
    equal = pc.fill_null(pc.equal(left, right), False)
    both_null = pc.and_(pc.is_null(left), pc.is_null(right))
    return np.asarray(pc.or_(equal, both_null).to_numpy())


def _emptiness(
    name: str, values: NDArray[np.float32] | NDArray[np.float64]
) -> QualityFinding | None:
    """Report a column that has no value, or only one."""
    present = values[~np.isnan(values)]
    if len(values) and not len(present):
        return QualityFinding("all_missing", name, len(values), f"{name!r} has no value in any row")
    if len(present) > 1 and present.min() == present.max():
        message = f"{name!r} is {present[0]:g} wherever it has a value"
        return QualityFinding("constant_column", name, len(present), message)
    return None
