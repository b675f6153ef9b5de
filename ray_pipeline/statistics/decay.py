"""How long a prediction stays good: pairs of a row and a later one of its symbol."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["decay_lags", "later_rows"]

Ints = NDArray[np.int64]


def decay_lags(horizon_bars: int, bars_per_row: float = 1.0) -> tuple[int, ...]:
    """Lags in rows at which the decay is looked at: 0, 1, ½, 1, 2 and 5 horizons.

    Parameters
    ----------
    bars_per_row
        Bars from one row of a symbol to its next, above 1 where timestamps were sampled.

    Examples
    --------
    >>> decay_lags(12)
    (0, 1, 6, 12, 24, 60)
    """
    bars = (0, 1, horizon_bars // 2, horizon_bars, 2 * horizon_bars, 5 * horizon_bars)
    return tuple(sorted({round(each / bars_per_row) for each in bars}))


def later_rows(symbols: Ints, stretches: Ints, lag: int) -> tuple[Ints, Ints]:
    """Pair each row with the row of its symbol that is `lag` rows later.

    Parameters
    ----------
    symbols, stretches
        Of rows sorted by symbol, and by time within it, shape (n_rows,). Rows of one symbol in
        different stretches are not paired: there are rows missing between them.

    Returns
    -------
    tuple
        Indices of the rows and of those they are paired with, both of shape (n_pairs,).
    """
    first = np.arange(max(0, len(symbols) - lag))
    later = first + lag
    same = (symbols[first] == symbols[later]) & (stretches[first] == stretches[later])
    return first[same], later[same]
