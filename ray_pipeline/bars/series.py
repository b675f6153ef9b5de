"""The series that features are made of, each computed at most once per symbol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ray_pipeline.bars.bars import Bars, FloatArray
from ray_pipeline.bars.rolling import Rolling, with_nan
from ray_pipeline.bars.sessions import Sessions
from ray_pipeline.bars.windows import ratio, shift
from ray_pipeline.errors import ConfigError

__all__ = ["BarSeries", "Feature", "log_ratio", "missing_unless_positive"]

# Series whose statistics are kept at a time. Features of one series stand together in a set, and
# what is dropped after them leaves the cache of the core to the next ones.
_N_ROLLING = 4


def missing_unless_positive(values: FloatArray) -> FloatArray:
    """Return the values with NaN for zero, negative and infinite ones."""
    return with_nan(values, ~((values > 0.0) & np.isfinite(values)))


def log_ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Return the natural logarithm of a quotient, NaN where it is not a positive number."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        logarithm = numerator / denominator
        np.log(logarithm, out=logarithm)
    return with_nan(logarithm, np.isinf(logarithm))


class BarSeries:
    """Bars and what is derived from them, computed when first asked for and then kept.

    A price that is not positive, a negative volume and an infinite value are missing. Columns
    are NaN where missing; a return and everything else that looks one bar back is NaN in the
    first row.

    Parameters
    ----------
    bars
        Bars of one symbol, (n_rows,).
    bar_seconds
        Length of a bar, which `sessions` needs; None where no session is asked for.
    """

    def __init__(self, bars: Bars, bar_seconds: int | None = None) -> None:
        self.time_ns = bars.time_ns
        self._bar_seconds = bar_seconds
        self.open = missing_unless_positive(bars.open)
        self.high = missing_unless_positive(bars.high)
        self.low = missing_unless_positive(bars.low)
        self.close = missing_unless_positive(bars.close)
        valid = (bars.volume >= 0.0) & np.isfinite(bars.volume)
        self.volume = with_nan(bars.volume, ~valid)
        self._rolling: dict[int, Rolling] = {}
        self._kept: dict[str, list[FloatArray]] = {}
        self._windowed: dict[int, dict[tuple[str, int], FloatArray]] = {}

    def rolling(self, values: FloatArray) -> Rolling:
        """Return the rolling statistics of one of the series, shared by those that ask in turn."""
        # The series is kept in what is kept, so that no other array can get its id.
        rolling = self._rolling.pop(id(values), None)
        if rolling is None:
            rolling = Rolling(values)
            self._windowed[id(values)] = {}
            if len(self._rolling) == _N_ROLLING:
                longest_unused = next(iter(self._rolling))
                del self._rolling[longest_unused], self._windowed[longest_unused]
        self._rolling[id(values)] = rolling  # the last used is last
        return rolling

    def kept(self, name: str, compute: Callable[[], list[FloatArray]]) -> list[FloatArray]:
        """Return what was computed under this name, at the first call by `compute`."""
        if name not in self._kept:
            self._kept[name] = compute()
        return self._kept[name]

    def shifted_close(self, lag: int) -> FloatArray:
        """Return the close of ``lag`` bars ago."""
        return shift(self.close, lag)

    def sum(self, values: FloatArray, window: int) -> FloatArray:
        """Return the rolling sum of one of the series."""
        return self._once("sum", values, window)

    def mean(self, values: FloatArray, window: int) -> FloatArray:
        """Return the rolling mean of one of the series."""
        return self._once("mean", values, window)

    def std(self, values: FloatArray, window: int) -> FloatArray:
        """Return the rolling standard deviation (ddof=1) of one of the series."""
        return self._once("std", values, window)

    def ema(self, values: FloatArray, span: int) -> FloatArray:
        """Return the truncated exponential moving average of one of the series."""
        return self._once("ema", values, span)

    def highest(self, values: FloatArray, window: int) -> FloatArray:
        """Return the rolling maximum of one of the series."""
        return self._once("max", values, window)

    def lowest(self, values: FloatArray, window: int) -> FloatArray:
        """Return the rolling minimum of one of the series."""
        return self._once("min", values, window)

    def autocorrelation(self, values: FloatArray, window: int, lag: int) -> FloatArray:
        """Return the rolling correlation of one of the series with itself some bars ago."""
        rolling = self.rolling(values)
        return rolling.correlation(rolling, window, lag)

    def range_position(self, window: int) -> FloatArray:
        """Return where the close lies between the window's low (0) and high (1)."""
        lowest, highest = self.lowest(self.low, window), self.highest(self.high, window)
        return ratio(self.close - lowest, highest - lowest)

    def _once(self, statistic: str, values: FloatArray, window: int) -> FloatArray:
        rolling, kept = self.rolling(values), self._windowed[id(values)]
        if (statistic, window) not in kept:
            kept[statistic, window] = getattr(rolling, statistic)(window)
        return kept[statistic, window]

    @cached_property
    def sessions(self) -> Sessions:
        """The sessions that the bars belong to."""
        if self._bar_seconds is None:
            raise ConfigError(
                "compute_features: features of sessions need bar_seconds, the length of a bar."
            )
        return Sessions(self.time_ns, self._bar_seconds)

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
    def gain(self) -> FloatArray:
        """What the close gained on the close before, 0 where it lost."""
        return np.maximum(self.change, 0.0)

    @cached_property
    def loss(self) -> FloatArray:
        """What the close lost on the close before, 0 where it gained."""
        return np.maximum(-self.change, 0.0)

    @cached_property
    def is_up(self) -> FloatArray:
        """1 where the close is above the close before, else 0; NaN where that is unknown."""
        return np.where(np.isnan(self.change), np.nan, self.change > 0.0)

    @cached_property
    def is_down(self) -> FloatArray:
        """1 where the close is below the close before, else 0; NaN where that is unknown."""
        return np.where(np.isnan(self.change), np.nan, self.change < 0.0)

    @cached_property
    def price_ratio(self) -> FloatArray:
        """``c / c₋₁``."""
        return self.close / self.previous_close

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
    def body(self) -> FloatArray:
        """``c − o``."""
        return self.close - self.open

    @cached_property
    def upper_wick(self) -> FloatArray:
        """``h − max(o, c)``."""
        return self.high - np.maximum(self.open, self.close)

    @cached_property
    def lower_wick(self) -> FloatArray:
        """``min(o, c) − l``."""
        return np.minimum(self.open, self.close) - self.low

    @cached_property
    def close_shift(self) -> FloatArray:
        """``2c − h − l``."""
        return 2.0 * self.close - self.high - self.low

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
        return ratio(self.close_shift, self.bar_range)

    @cached_property
    def some_volume(self) -> FloatArray:
        """``v + 1e-12``."""
        return self.volume + 1e-12

    @cached_property
    def log_volume(self) -> FloatArray:
        """``log(v + 1)``."""
        return np.log(self.volume + 1.0)

    @cached_property
    def log_volume_ratio(self) -> FloatArray:
        """``log(v / v₋₁ + 1)``."""
        return np.log(ratio(self.volume, shift(self.volume, 1)) + 1.0)

    @cached_property
    def volume_change(self) -> FloatArray:
        """Volume minus the volume before."""
        return self.volume - shift(self.volume, 1)

    @cached_property
    def absolute_volume_change(self) -> FloatArray:
        """``|v − v₋₁|``."""
        return np.abs(self.volume_change)

    @cached_property
    def volume_gain(self) -> FloatArray:
        """What the volume gained on the volume before, 0 where it lost."""
        return np.maximum(self.volume_change, 0.0)

    @cached_property
    def volume_loss(self) -> FloatArray:
        """What the volume lost on the volume before, 0 where it gained."""
        return np.maximum(-self.volume_change, 0.0)

    @cached_property
    def weighted_move(self) -> FloatArray:
        """``|c / c₋₁ − 1|·v``."""
        return np.abs(self.price_ratio - 1.0) * self.volume

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
    n_sessions
        Number of sessions it reads instead, the row's own included; 0: none.
    """

    name: str
    group: str
    formula: str
    lookback: int
    compute: Callable[[BarSeries], FloatArray]
    n_sessions: int = 0
