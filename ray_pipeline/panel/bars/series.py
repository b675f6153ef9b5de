"""The series that features are made of, each computed at most once per symbol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ray_pipeline.panel.bars import windows
from ray_pipeline.panel.bars.bars import Bars, FloatArray
from ray_pipeline.panel.bars.windows import ratio, shift

__all__ = ["BarSeries", "Feature", "log_ratio", "missing_unless_positive"]


def missing_unless_positive(values: FloatArray) -> FloatArray:
    """Return the values with NaN for zero, negative and infinite ones."""
    return np.where((values > 0.0) & np.isfinite(values), values, np.nan)


def log_ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Return the natural logarithm of a quotient, NaN where it is not a positive number."""
    return np.log(missing_unless_positive(ratio(numerator, denominator)))


class BarSeries:
    """Bars and what is derived from them, computed when first asked for and then kept.

    A price that is not positive, a negative volume and an infinite value are missing. Columns
    are NaN where missing; a return and everything else that looks one bar back is NaN in the
    first row.

    Parameters
    ----------
    bars
        Bars of one symbol, (n_rows,).
    """

    def __init__(self, bars: Bars) -> None:
        self.open = missing_unless_positive(bars.open)
        self.high = missing_unless_positive(bars.high)
        self.low = missing_unless_positive(bars.low)
        self.close = missing_unless_positive(bars.close)
        valid = (bars.volume >= 0.0) & np.isfinite(bars.volume)
        self.volume = np.where(valid, bars.volume, np.nan)
        self._windowed: dict[tuple[str, int, int], tuple[FloatArray, FloatArray]] = {}

    def mean(self, values: FloatArray, window: int) -> FloatArray:
        """Return the rolling mean of one of the series."""
        return self._once(windows.rolling_mean, values, window)

    def std(self, values: FloatArray, window: int) -> FloatArray:
        """Return the rolling standard deviation (ddof=1) of one of the series."""
        return self._once(windows.rolling_std, values, window)

    def ema(self, values: FloatArray, span: int) -> FloatArray:
        """Return the truncated exponential moving average of one of the series."""
        return self._once(windows.rolling_ema, values, span)

    def highest(self, values: FloatArray, window: int) -> FloatArray:
        """Return the rolling maximum of one of the series."""
        return self._once(windows.rolling_max, values, window)

    def lowest(self, values: FloatArray, window: int) -> FloatArray:
        """Return the rolling minimum of one of the series."""
        return self._once(windows.rolling_min, values, window)

    def range_position(self, window: int) -> FloatArray:
        """Return where the close lies between the window's low (0) and high (1)."""
        lowest, highest = self.lowest(self.low, window), self.highest(self.high, window)
        return ratio(self.close - lowest, highest - lowest)

    def _once(
        self,
        statistic: Callable[[FloatArray, int], FloatArray],
        values: FloatArray,
        window: int,
    ) -> FloatArray:
        key = (statistic.__name__, id(values), window)
        if key not in self._windowed:
            # The series is kept beside the result, so that no other array can get its id.
            self._windowed[key] = (values, statistic(values, window))
        return self._windowed[key][1]

    @cached_property
    def previous_close(self) -> FloatArray:
        """Close of the bar before."""
        return shift(self.close, 1)

    @cached_property
    def change(self) -> FloatArray:
        """Close minus the close before."""
        return self.close - self.previous_close

    @cached_property
    def absolute_change(self) -> FloatArray:
        """Distance between close and the close before."""
        return np.abs(self.change)

    @cached_property
    def log_return(self) -> FloatArray:
        """``log(c / c₋₁)``."""
        return log_ratio(self.close, self.previous_close)

    @cached_property
    def absolute_return(self) -> FloatArray:
        """``|log(c / c₋₁)|``."""
        return np.abs(self.log_return)

    @cached_property
    def gap(self) -> FloatArray:
        """``log(o / c₋₁)``."""
        return log_ratio(self.open, self.previous_close)

    @cached_property
    def log_body(self) -> FloatArray:
        """``log(c / o)``."""
        return log_ratio(self.close, self.open)

    @cached_property
    def log_range(self) -> FloatArray:
        """``log(h / l)``."""
        return log_ratio(self.high, self.low)

    @cached_property
    def bar_range(self) -> FloatArray:
        """``h − l``."""
        return self.high - self.low

    @cached_property
    def rogers_satchell_variance(self) -> FloatArray:
        """``log(h/c)·log(h/o) + log(l/c)·log(l/o)``: Rogers & Satchell (1991)."""
        upper = log_ratio(self.high, self.close) * log_ratio(self.high, self.open)
        lower = log_ratio(self.low, self.close) * log_ratio(self.low, self.open)
        return upper + lower

    @cached_property
    def true_range(self) -> FloatArray:
        """``max(h − l, |h − c₋₁|, |l − c₋₁|)``: Wilder (1978)."""
        beyond_close = np.maximum(
            np.abs(self.high - self.previous_close), np.abs(self.low - self.previous_close)
        )
        return np.maximum(self.bar_range, beyond_close)

    @cached_property
    def typical_price(self) -> FloatArray:
        """``(h + l + c) / 3``."""
        return (self.high + self.low + self.close) / 3.0

    @cached_property
    def close_location(self) -> FloatArray:
        """``(2c − h − l) / (h − l)``: −1 at the low, 1 at the high, NaN without a range."""
        return ratio(2.0 * self.close - self.high - self.low, self.bar_range)

    @cached_property
    def dollar_volume(self) -> FloatArray:
        """``c·v``."""
        return self.close * self.volume

    @cached_property
    def typical_dollar_volume(self) -> FloatArray:
        """Typical price times volume."""
        return self.typical_price * self.volume


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature of the catalogue.

    Attributes
    ----------
    name
        Column name.
    group
        What kind of feature it is.
    formula
        One line: o h l c v are the bar's fields, r is ``log(c / c₋₁)``, ``x₋ₖ`` is x of k bars
        ago; mean, std, max, min, sum and ema carry their window as a suffix.
    lookback
        Number of bars it reads, the row's own included: NaN in the first ``lookback − 1`` rows.
    compute
        Series of a symbol → float64 (n_rows,), not finite where undefined.
    """

    name: str
    group: str
    formula: str
    lookback: int
    compute: Callable[[BarSeries], FloatArray]
