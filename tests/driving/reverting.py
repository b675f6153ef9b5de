"""Bars that can be predicted, across symbols and by each symbol alone."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from panels import bars_table

__all__ = ["reverting_bars"]


def reverting_bars(symbol: str, n_bars: int = 320) -> pa.Table:
    """Return bars whose returns turn around the next day: the highest rank has the lowest."""
    table = bars_table(symbol, n_bars)
    noise = np.diff(np.log(table.column("close").to_numpy()), prepend=np.log(100.0))
    returns = noise.copy()
    for day in range(1, n_bars):
        returns[day] -= 0.4 * returns[day - 1]
    close = 100.0 * np.exp(np.cumsum(returns))
    fields = {"open": close, "high": 1.01 * close, "low": 0.99 * close, "close": close}
    for place, (name, values) in enumerate(fields.items(), start=1):
        table = table.set_column(place, name, pa.array(values))
    return table
