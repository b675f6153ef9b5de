"""Hand-made paths for the tests of labels, and labels by their definitions."""

from collections.abc import Sequence

import numpy as np

from ray_pipeline.bars import Bars, compute_targets
from ray_pipeline.intervals import Interval

from .samples import replace

FIVE_MINUTES = Interval(300)


class EveryStep:
    """A market whose every step of five minutes is a bar, and 78 of them a session."""

    session_bars = 78
    days_per_year = 252

    def place(self, time_ns: np.ndarray, unit: str) -> np.ndarray:
        return time_ns // (300 * 10**9)

    def times(self, places: np.ndarray, unit: str) -> np.ndarray:
        return places * 300 * 10**9


MINUTE_BARS = {"interval": FIVE_MINUTES, "clock": EveryStep()}


def one_target(bars: Bars, name: str) -> np.ndarray:
    return compute_targets(bars, [name], **MINUTE_BARS)[:, 0]


def quiet_bars(n_rows: int = 130) -> Bars:
    """Return closes that alternate between 100 and 100.1; highs and lows are the closes."""
    close = np.where(np.arange(n_rows) % 2, 100.1, 100.0)
    return Bars(np.arange(n_rows) * 300 * 10**9, *(close.copy() for _ in range(4)), np.ones(n_rows))


def path_after_row_30(**prices: Sequence[float]) -> Bars:
    """Return quiet bars whose prices after row 30 are given, as multiples of its close of 100.

    σ at row 30 is that of 20 returns of about ±0.001, so with k = 1 and H = 4 the barriers lie
    at 100 ± 0.205.
    """
    bars = quiet_bars(35)
    columns = {}
    for field in ("open", "high", "low", "close"):
        columns[field] = getattr(bars, field).copy()
        columns[field][31:] = 100.0 * np.array(prices.get(field, [1.0, 1.0, 1.0, 1.0]))
    return replace(bars, **columns)


def step_bars(n_rows: int = 130, at: int = 100) -> Bars:
    """Return quiet bars whose price jumps by a tenth within bar `at` and stays there."""
    bars, level = quiet_bars(n_rows), np.where(np.arange(n_rows) < at, 1.0, 1.1)
    opens = bars.open * np.where(np.arange(n_rows) == at, 1.0, level)
    columns = {field: getattr(bars, field) * level for field in ("high", "low", "close")}
    columns["low"][at] = opens[at]
    return replace(bars, open=opens, **columns)


def with_spike(bars: Bars, field: str, row: int, price: float) -> Bars:
    """Return the bars with one price replaced."""
    column = getattr(bars, field).copy()
    column[row] = price
    return replace(bars, **{field: column})


def sigma_by_hand(close: np.ndarray, row: int) -> float:
    returns = close[row - 19 : row + 1] / close[row - 20 : row] - 1
    return float(np.std(returns, ddof=1))
