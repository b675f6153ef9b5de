"""Whether earlier rows determine a column: a lag of another, or a window over the past.

A label of horizon h at t depends on what happens after t, which no earlier row reveals. A lag or a
trailing window depends only on earlier rows, whatever its name. Both are autocorrelated, so how
slowly a column moves says nothing. The direction of time distinguishes them:

* A lag equals another column some rows earlier, cell by cell.
* A trailing window of returns is explained by the path of the price up to its row, in its level and
  in its changes, and not by the path after it; a label is explained by the latter. A label that
  moves slowly includes a new row with every step, so its changes are never explained by the past.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["find_lags", "find_past_path"]

_MAX_LAG = 400
"""A year of days, and the longest lag that a symbol of a thousand rows can show."""
_MIN_EQUAL = 60
_EQUAL_SHARE = 0.98
"""Not all: if rows were removed afterwards, a lag may refer to a missing row."""
_MIN_CHANGES = 13
_N_PROBES = 3
"""Rows that decide which lags are tried."""
_MIN_DISTINCT = 13
_MIN_ROWS = 240
_WINDOWS = (5, 10, 20, 40, 60, 120)
_N_LAGS = 6
_MAX_PATHS = 4

_MAX_AUTOCORRELATION = 0.3
_MAX_DEVIATION = 0.5
"""Limit for one bar's return; a column that varies more is not a return."""
_SAME = 0.9
"""A column that correlates with the target this much in the same row may be the target itself:
then the feature has to be accused."""
_HINT = 0.3
"""Correlation with the simplest descriptions of a path, below which no more are tried."""
_MAX_HINT = 20
_LEVEL_EXPLAINED = 0.9
_CHANGES_EXPLAINED = 0.8
_FUTURE_EXPLAINED = 0.5


def find_lags(target: NDArray[np.float64], columns: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Find columns of which `target` is a lag: ``target[t] == column[t - k]`` with k ≥ 1.

    Parameters
    ----------
    target
        (n_rows,), NaN where missing.
    columns
        (n_rows, n_columns). None of them is the target.

    Returns
    -------
    list of (column, k)
        k from 1 to 400 rows; sorted. A target with fewer than 13 values is never a lag: rows of
        constant labels agree by chance.
    """
    n_rows = len(target)
    max_lag = min(_MAX_LAG, n_rows - _MIN_EQUAL)
    if max_lag < 1 or not columns.shape[1]:
        return []
    # As the narrowest type that either may have been stored in.
    narrow, beside = target.astype(np.float32), columns.astype(np.float32)
    candidates: set[tuple[int, int]] = set()
    for probe in max_lag + _rarest(narrow[max_lag:]):
        before = beside[probe - max_lag : probe]
        lags, places = np.nonzero(before == narrow[probe])
        candidates.update(zip(places.tolist(), (max_lag - lags).tolist(), strict=True))
    found = [
        (place, lag)
        for place, lag in candidates
        if _equal(narrow[lag:], beside[: n_rows - lag, place])
    ]
    return sorted(found)


def find_past_path(
    target: NDArray[np.float64], columns: NDArray[np.float64], windows: Iterable[int] = ()
) -> int | None:
    """Find a column of returns whose past path explains `target`, while its later path does not.

    Parameters
    ----------
    target
        (n_rows,), NaN where missing.
    columns
        (n_rows, n_columns); those that are returns of one bar are recognised by their values.
    windows
        Rows that the target may look back, in addition to the usual ones.

    Returns
    -------
    int or None
        The column that explains it best.
    """
    n_rows = len(target)
    if n_rows < _MIN_ROWS or not columns.shape[1]:
        return None
    lengths = sorted({*_WINDOWS, *windows})
    lengths = [length for length in lengths if 1 < length <= n_rows // 4]
    paths = []
    for place in range(columns.shape[1]):
        returns = columns[:, place]
        if _is_return(returns) and not _correlation(target, returns) > _SAME:
            level = np.cumsum(np.log1p(np.nan_to_num(returns)))
            behind, ahead = _hints(target, level)
            paths.append((max(behind, ahead), behind, ahead, place, level))
    paths = sorted(paths, key=lambda path: (-path[0], path[3]))[:_MAX_PATHS]
    if not paths or max(path[2] for path in paths) > max(_HINT, *(path[1] for path in paths)):
        return None
    best: tuple[float, int] | None = None
    for most, behind, _, place, level in paths:
        if most > _HINT and _explained(target, _ahead(level, lengths))[0] > _FUTURE_EXPLAINED:
            return None
        if behind > _HINT:
            of_level, of_changes = _explained(target, _behind(level, lengths))
            if of_level > _LEVEL_EXPLAINED and of_changes > _CHANGES_EXPLAINED:
                best = max(best or (0.0, place), (of_level, place))
    return None if best is None else best[1]


def _rarest(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the positions of some of the rarest values, which agree by chance least often."""
    present = np.flatnonzero(~np.isnan(values))
    distinct, where, counts = np.unique(values[present], return_index=True, return_counts=True)
    if len(distinct) < _MIN_DISTINCT:
        return np.empty(0, dtype=np.int64)
    # Zero is a common fill value.
    counts = np.where(distinct == 0, len(values), counts)
    return present[where[np.argsort(counts, kind="stable")[:_N_PROBES]]]


def _equal(target: NDArray[np.float32], column: NDArray[np.float32]) -> bool:
    """Tell whether both agree in rows where one of them changes: elsewhere any lag agrees."""
    both = ~(np.isnan(target) | np.isnan(column))
    changes = both.copy()
    changes[1:] &= (target[1:] != target[:-1]) | (column[1:] != column[:-1])
    n_changes = int(changes.sum())
    if n_changes < _MIN_CHANGES or both.sum() < _MIN_EQUAL:
        return False
    if len(np.unique(target[both])) < _MIN_DISTINCT:
        return False
    return bool((target[changes] == column[changes]).sum() >= _EQUAL_SHARE * n_changes)


def _is_return(values: NDArray[np.float64]) -> bool:
    present = values[~np.isnan(values)]
    if len(present) < 0.9 * len(values) or present.min() <= -1:
        return False
    deviation = float(present.std())
    if not 0 < deviation < _MAX_DEVIATION or len(np.unique(present)) < len(present) // 4:
        return False
    if abs(present.mean()) > deviation:
        return False
    return abs(_correlation(present[1:], present[:-1])) < _MAX_AUTOCORRELATION


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    both = ~(np.isnan(one) | np.isnan(other))
    one, other = one[both], other[both]
    if len(one) < _MIN_EQUAL or not (one.std() > 0 and other.std() > 0):
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _hints(target: NDArray[np.float64], level: NDArray[np.float64]) -> tuple[float, float]:
    """Return the largest |correlation| with the path behind a row, and with that ahead of it."""
    behind, ahead = [0.0], [0.0]
    for length in (1, 5, _MAX_HINT):
        change = np.full(len(level), np.nan)
        change[length:] = level[length:] - level[:-length]
        # A lag of a row or two is behind as well.
        behind += [abs(_correlation(target[lag:], change[: len(level) - lag])) for lag in (0, 1, 2)]
        ahead.append(abs(_correlation(target[:-length], change[length:])))
    length = _MAX_HINT
    steps = np.lib.stride_tricks.sliding_window_view(np.diff(level), length)
    deviation = np.r_[np.full(length, np.nan), steps.std(axis=1)]
    behind.append(abs(_correlation(target, deviation)))
    ahead.append(abs(_correlation(target[:-length], deviation[length:])))
    return max(behind), max(ahead)


def _behind(level: NDArray[np.float64], lengths: list[int]) -> NDArray[np.float64]:
    """Describe the path up to each row, (n_rows, n_descriptions); NaN before it is long enough."""
    returns = np.diff(level, prepend=np.nan)
    described = [_lagged(returns, lag) for lag in range(_N_LAGS)]
    for length in lengths:
        padded = np.r_[np.full(length, np.nan), level]
        path = np.lib.stride_tricks.sliding_window_view(padded, length + 1)
        steps = np.lib.stride_tricks.sliding_window_view(
            np.r_[np.full(length - 1, np.nan), returns], length
        )
        described += [
            np.expm1(level - path[:, 0]),
            np.expm1(level - path[:, 1:].max(axis=1)),
            np.expm1(level - path[:, 1:].min(axis=1)),
            steps.std(axis=1),
        ]
    return np.column_stack([np.expm1(described[0]), *described[1:]])


def _ahead(level: NDArray[np.float64], lengths: list[int]) -> NDArray[np.float64]:
    """Describe the path after each row as `_behind` does that up to it."""
    # The first step of the turned path leads from the next row to this one: it is ahead.
    return _behind(level[::-1], lengths)[::-1]


def _lagged(values: NDArray[np.float64], lag: int) -> NDArray[np.float64]:
    moved = np.full(len(values), np.nan)
    moved[lag:] = values[: len(values) - lag]
    return moved


def _explained(target: NDArray[np.float64], described: NDArray[np.float64]) -> tuple[float, float]:
    """Return the shares of the later half's variance, of level and changes, that the first fits."""
    whole = ~(np.isnan(target) | np.isnan(described).any(axis=1))
    y, X = target[whole], described[whole]
    half = len(y) // 2
    if half < 2 * X.shape[1]:
        return 0.0, 0.0
    deviations = X[:half].std(axis=0)
    used = deviations > 0
    X = (X[:, used] - X[:half, used].mean(axis=0)) / deviations[used]
    weights, *_ = np.linalg.lstsq(X[:half], y[:half] - y[:half].mean(), rcond=1e-8)
    fitted = X[half:] @ weights
    return _share(y[half:], fitted), _share(np.diff(y[half:]), np.diff(fitted))


def _share(values: NDArray[np.float64], fitted: NDArray[np.float64]) -> float:
    left = (values - values.mean()) - (fitted - fitted.mean())
    total = float(np.square(values - values.mean()).sum())
    return 1 - float(np.square(left).sum()) / total if total > 0 else 0.0
