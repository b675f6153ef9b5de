"""Findings about a symbol's data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.records import LARGEST_VALUE
from ray_pipeline.wording import agreeing, plural

__all__ = [
    "ASSUMED_RULES",
    "QualityFinding",
    "bar_findings",
    "require_rows",
    "series_findings",
    "to_float",
    "within_range",
]

ASSUMED_RULES = frozenset(
    {
        *("columns_named", "prices_adjusted", "time_unit_assumed", "time_zone_assumed"),
        *("time_zone_given", "trading_date", "stamp", "repeated_hour", "missing_hour"),
        *("contradicting_rows",),
    }
)
"""Rules of findings about how data were interpreted, rather than what is wrong with them."""

_LEADING_SHARE, _LEADING_ROWS = 0.05, 20
"""Share of a symbol's rows, and minimum number: leading zeros that suggest it did not exist yet."""

_FloatT = TypeVar("_FloatT", bound=np.floating[Any])


@dataclass(frozen=True, slots=True)
class QualityFinding:
    """A finding about a symbol's data, and what was done about it.

    Attributes
    ----------
    rule
        ``columns_named``, ``prices_adjusted``, ``column_missing_in_files``,
        ``time_unit_assumed``, ``time_zone_assumed``, ``time_zone_given``, ``trading_date``,
        ``stamp``, ``repeated_hour``, ``missing_hour``, ``contradicting_rows``,
        ``missing_time``, ``out_of_order``,
        ``duplicate_rows``, ``infinite_values``, ``out_of_range``, ``constant_column``,
        ``all_missing``, ``missing_bar_cells``, ``inconsistent_bars``, ``nonpositive_prices``,
        ``ticks``, ``unadjusted_splits``, ``stuck_prices``, ``leading_zeros``,
        ``outside_universe`` or ``no_group``.
    column
        The affected column, or None if rows are affected.
    count
        Number of affected rows, cells or files.
    message
        One sentence for the report.
    """

    rule: str
    column: str | None
    count: int
    message: str


def series_findings(value: NDArray[np.float64]) -> list[QualityFinding]:
    """Find leading zeros, if no later stretch of zeros is half as long.

    Parameters
    ----------
    value : float64 (n_rows,)
        NaN where missing; such rows count as zeros.
    """
    others = np.flatnonzero(np.nan_to_num(value) != 0.0)
    if not len(others):
        return []
    n_leading = int(others[0])
    later = int(np.diff(others, append=len(value)).max()) - 1
    least = max(_LEADING_ROWS, _LEADING_SHARE * len(value), 2 * later + 1)
    if n_leading < least:
        return []
    message = f"the value is 0 in the first {n_leading:,} of {plural(len(value), 'row')}"
    return [QualityFinding("leading_zeros", "value", n_leading, message)]


def require_rows(n_rows: int, min_rows: int) -> None:
    """Raise `DataError` when fewer than `min_rows` rows are left after cleaning."""
    if n_rows < min_rows:
        raise DataError(
            f"{plural(n_rows, 'row')} after cleaning; data.min_rows_per_symbol needs {min_rows}."
        )


def to_float(column: pa.ChunkedArray) -> NDArray[np.float32] | NDArray[np.float64]:
    """Return numbers as a float array (n_rows,), null as NaN; only ``float`` stays float32."""
    kind = column.type if pa.types.is_float32(column.type) else pa.float64()
    # Integers beyond 2**53 lose their last digits, which no model can use.
    floats = column.cast(kind, safe=False)
    if floats.null_count:
        floats = pc.fill_null(floats, pa.scalar(np.nan, kind))
    return np.asarray(floats.to_numpy())


def within_range(values: NDArray[np.floating[Any]], kind: type[_FloatT]) -> NDArray[_FloatT]:
    """Return a C-ordered copy as `kind`; values beyond `LARGEST_VALUE` become NaN."""
    with np.errstate(over="ignore"):
        copy = values.astype(kind, order="C")
    copy[~(np.abs(values) <= LARGEST_VALUE)] = np.nan
    return copy


def bar_findings(bars: NDArray[np.float64]) -> list[QualityFinding]:
    """Report impossible bars (n_rows, 5); they are left unchanged."""
    opened, high, low, close, _ = bars.T
    bottom, top = np.fmin(opened, close), np.fmax(opened, close)
    n_outside = int(((low > bottom) | (high < top) | (low > high)).sum())
    n_nonpositive = int((np.fmin(low, bottom) <= 0).sum())
    n_missing = int(np.isnan(bars).sum())
    findings = []
    if n_missing:
        message = (
            f"{plural(n_missing, 'missing cell')} in the bars; what depends on "
            f"{agreeing(n_missing, 'it', 'them')} is missing too"
        )
        findings.append(QualityFinding("missing_bar_cells", None, n_missing, message))
    if n_outside:
        message = (
            f"{plural(n_outside, 'bar has', 'bars have')} an open or close "
            f"outside [low, high]; kept as {agreeing(n_outside, 'it is', 'they are')}"
        )
        findings.append(QualityFinding("inconsistent_bars", None, n_outside, message))
    if n_nonpositive:
        message = (
            f"{plural(n_nonpositive, 'bar has', 'bars have')} a price of "
            f"zero or less; kept as {agreeing(n_nonpositive, 'it is', 'they are')}"
        )
        findings.append(QualityFinding("nonpositive_prices", None, n_nonpositive, message))
    return findings
