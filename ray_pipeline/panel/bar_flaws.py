"""Faulty bars: bad ticks, unadjusted splits, stuck prices (pure).

A bad tick shows by what follows it: the price returns within two bars. It is found once these bars
exist, and only its own row is removed: no other value changes, and no row depends on whether a
later one is a tick. The newest row of a symbol is never one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.panel.naming import bare

__all__ = ["BarFlaws", "Split", "find_bar_flaws", "is_split_column"]

_Floats = NDArray[np.float64]
_Rows = NDArray[np.int64]

_MIN_ROWS = 50
"""Minimum number of bars to know how far a symbol moves."""
_TICK_DEVIATIONS = 20.0
_SPLIT_DEVIATIONS = 15.0
_LEAST_TICK = np.log(1.15)
_LEAST_WICK = np.log(2.0)
"""Limit for a single high, low or open: in a crash, real ones are a third off."""
_MOST_LEFT = 0.25
"""Share of a tick's size that may remain once the price is back."""
_TICK_BARS = (1, 2)
_AROUND = 50
"""Bars before and after a jump that show how far the symbol moves at the time."""
_NORMAL_90 = 1.645
"""90 % of |x| lie below this many standard deviations of a normal x."""
_NOWHERE = -100.0
"""Logarithm of a price of zero or less."""

_RATIOS = np.array([
    *(3 / 2, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50),
    *(60, 75, 80, 100, 150, 200, 250, 300, 400, 500, 1_000, 10_000),
])  # fmt: skip
_RATIO_TOLERANCE = 0.02
_COLUMN_TOLERANCE = 0.5
_LEAST_RATIO = np.log(1.05)
_STAYS_BARS = 5

_SPLIT_NAMES = frozenset(
    {"split", "splits", "stocksplit", "stocksplits", "splitfactor", "splitratio"}
)

_MIN_STUCK = 10
_STUCK_CHANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Split:
    """A split for which earlier prices were not adjusted.

    Attributes
    ----------
    row
        First bar after it.
    ratio
        Shares that one became: 20 for 20:1, 0.1 for 1:10.
    is_stated
        Whether a split column states it; otherwise the jump's ratio shows it.
    """

    row: int
    ratio: float
    is_stated: bool


@dataclass(frozen=True, slots=True, eq=False)
class BarFlaws:
    """The flaws in the bars of one symbol.

    Attributes
    ----------
    ticks
        Rows, ascending.
    splits
        In row order.
    stuck
        (first row, number of bars) of runs whose open, high, low and close are one price.
    """

    ticks: _Rows
    splits: tuple[Split, ...]
    stuck: tuple[tuple[int, int], ...]


def is_split_column(name: str) -> bool:
    """Tell whether a column is one of split ratios by its name (``Stock Splits``).

    Examples
    --------
    >>> is_split_column("Stock Splits"), is_split_column("splitFactor"), is_split_column("spread")
    (True, True, False)
    """
    return bare(name) in _SPLIT_NAMES


def find_bar_flaws(bars: _Floats, stated: _Floats | None = None) -> BarFlaws:
    """Find ticks, unadjusted splits and stuck prices.

    Parameters
    ----------
    bars
        (n_rows, 5): open, high, low, close, volume; NaN where missing.
    stated
        (n_rows,) of a split column: shares that one becomes at the row; 0, 1 or NaN at all others.
    """
    logs = _logs(bars[:, :4])
    rows = np.flatnonzero(~np.isnan(logs).any(axis=1))
    if len(rows) < _MIN_ROWS:
        return BarFlaws(np.empty(0, dtype=np.int64), (), _stuck_runs(bars))
    ticks = _ticks(logs[rows])
    good = np.delete(rows, ticks)
    splits = tuple(_splits(logs[good], good, None if stated is None else stated[good]))
    return BarFlaws(rows[ticks], splits, _stuck_runs(bars))


def _logs(prices: _Floats) -> _Floats:
    """Return logarithms; prices of zero or less count as far below all others, if they are few."""
    is_none = prices <= 0
    if np.count_nonzero(is_none.any(axis=1)) > 0.01 * len(prices):
        # Spreads and some futures have such prices: their ratios mean nothing.
        return np.full(prices.shape, np.nan)
    return np.where(is_none, _NOWHERE, np.log(np.where(is_none, 1.0, prices)))


def _deviation(changes: _Floats) -> float:
    """Return a standard deviation robust to a tenth of arbitrarily large changes."""
    if not len(changes):
        return 0.0
    deviation = float(np.quantile(np.abs(changes), 0.9)) / _NORMAL_90
    # For a price that rarely changes, use only its changes.
    moved = np.abs(changes[changes != 0])
    return deviation or (float(np.median(moved)) if len(moved) else 0.0)


def _around(changes: _Floats, row: int) -> float:
    """Return the deviation of the changes near `row`, without the largest ones."""
    near = changes[max(0, row - _AROUND) : row + _AROUND]
    return max(_deviation(near), _deviation(changes))


def _ticks(logs: _Floats) -> _Rows:
    """Return the rows of ticks among rows (n, 4) that have all four prices."""
    close = logs[:, 3]
    changes = np.diff(close)
    least = max(_TICK_DEVIATIONS * _deviation(changes), _LEAST_TICK)
    found: set[int] = set()
    for n_bars in _TICK_BARS:
        there, back = changes[: len(changes) - n_bars], changes[n_bars:]
        smaller = np.minimum(np.abs(there), np.abs(back))
        left = np.abs(close[1 + n_bars :] - close[: -1 - n_bars])
        is_tick = (there * back < 0) & (smaller >= least) & (left <= _MOST_LEFT * smaller)
        for row in np.flatnonzero(is_tick).tolist():
            if smaller[row] >= _TICK_DEVIATIONS * _around(changes, row):
                found.update(range(row + 1, row + 1 + n_bars))
    return np.array(sorted(found | set(_wicks(logs, found).tolist())), dtype=np.int64)


def _wicks(logs: _Floats, ticks: set[int]) -> _Rows:
    """Return rows whose open, high or low is far from all closes around it."""
    opened, high, low, close = logs.T
    known = close.copy()
    known[sorted(ticks)] = np.nan
    before, after = np.r_[np.nan, known[:-1]], np.r_[known[1:], np.nan]
    closes = np.column_stack([before, known, after])
    top, bottom = np.fmax.reduce(closes, axis=1), np.fmin.reduce(closes, axis=1)
    far = max(_TICK_DEVIATIONS * _deviation(high - low), _LEAST_WICK)
    # The newest bar has no later close, and may have moved because of a split.
    is_whole = ~np.isnan(after) & ~np.isnan(before) & ~np.isnan(known)
    is_high = np.maximum(high, opened) - top >= far
    is_low = bottom - np.minimum(low, opened) >= far
    return np.flatnonzero(is_whole & (is_high | is_low))


def _splits(logs: _Floats, rows: _Rows, stated: _Floats | None) -> Iterator[Split]:
    """Yield splits among rows (n, 4) without ticks; `rows` are their places in the table."""
    opened, close = logs[:, 0], logs[:, 3]
    gaps = np.r_[0.0, opened[1:] - close[:-1]]
    changes = np.diff(close)
    least = max(_SPLIT_DEVIATIONS * _deviation(changes), np.log(_RATIOS[0]) - _RATIO_TOLERANCE)
    candidates = np.abs(gaps) >= least
    if stated is not None:
        ratios = np.where((stated > 0) & ~np.isnan(stated), stated, 1.0)
        is_stated = np.abs(np.log(ratios)) >= _LEAST_RATIO
        candidates |= is_stated
    for row in (np.flatnonzero(candidates[1:]) + 1).tolist():
        if stated is not None and is_stated[row]:
            size = np.log(ratios[row])
            # If there is no jump with it, the prices are already adjusted.
            if abs(gaps[row] + size) <= _COLUMN_TOLERANCE * abs(size):
                yield Split(int(rows[row]), float(ratios[row]), is_stated=True)
        elif _is_lasting(close, row) and abs(gaps[row]) >= _SPLIT_DEVIATIONS * _around(
            changes, row - 1
        ):
            ratio = _simple_ratio(gaps[row])
            if ratio is not None:
                yield Split(int(rows[row]), ratio, is_stated=False)


def _is_lasting(close: _Floats, row: int) -> bool:
    """Tell whether the price stays where it jumped to, as far as there are bars."""
    before = float(np.median(close[max(0, row - _STAYS_BARS) : row]))
    after = float(np.median(close[row : row + _STAYS_BARS]))
    jump = float(close[row] - close[row - 1])
    return abs(after - before - jump) <= _MOST_LEFT * abs(jump)


def _simple_ratio(gap: float) -> float | None:
    # Shares are merged by whole numbers: 2:3 is rare, and a takeover's +50 % is not.
    sizes = np.log(_RATIOS if gap < 0 else _RATIOS[1:])
    nearest = int(np.argmin(np.abs(sizes - abs(gap))))
    if abs(sizes[nearest] - abs(gap)) > _RATIO_TOLERANCE:
        return None
    return float(_RATIOS[nearest]) if gap < 0 else float(1 / _RATIOS[1:][nearest])


def _stuck_runs(bars: _Floats) -> tuple[tuple[int, int], ...]:
    """Return runs of one price that are longer than the symbol's other flat bars explain."""
    opened, high, low, close, _ = bars.T
    is_flat = (opened == high) & (high == low) & (low == close)
    is_stuck = is_flat[1:] & is_flat[:-1] & (close[1:] == close[:-1])
    edges = np.flatnonzero(np.diff(np.r_[False, is_stuck, False].astype(np.int8)))
    runs = [(int(first), int(last - first)) for first, last in pairwise(edges)][::2]
    n_rows, n_stuck = len(is_stuck), int(is_stuck.sum())
    found = []
    for first, n_steps in runs:
        if n_steps + 1 < _MIN_STUCK:
            continue
        others = max(n_stuck - n_steps, 1) / max(n_rows - n_steps, 1)
        if n_rows * others**n_steps <= _STUCK_CHANCE:
            found.append((first, n_steps + 1))
    return tuple(found)
