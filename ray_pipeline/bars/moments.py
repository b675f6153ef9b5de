"""Sums and central sums over windows, each window put together from a newer and an older part.

O(log window) elementwise passes, in an order that depends on the window's length alone. Central
sums merge without cancellation, as those of raw powers do not on prices, which are large against
their changes: Chan, Golub & LeVeque (1979) and, for the third and fourth powers, Pébay (2008).

Arrays here are *compact*: (n_rows − window + 1,), entry i being the window that ends in row
``i + window − 1``. No window here is longer than the series: `Rolling` sees to that.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ray_pipeline.bars.bars import FloatArray

__all__ = ["CoMoments", "Moments", "constant_removed", "decayed_sum", "parts"]

# Deviations below this share of the window's mean are what rounding leaves of a constant; taking
# them for a spread would divide noise by noise.
_ROUNDING_SHARE = 1e-12


def parts(window: int) -> tuple[int, int]:
    """Return the lengths of the newer and the older part of a window of two rows or more.

    Thirds, where halves would be odd, let the usual windows 5, 10, 20, 30 and 60 share theirs.
    """
    if window % 4 and window % 3 == 0:
        return window // 3, window - window // 3
    if window % 2 == 0:
        return window // 2, window // 2
    return 1, window - 1


class Moments:
    """Sums and central sums of one series; each window's are computed once and then kept.

    Parameters
    ----------
    values
        (n_rows,). A NaN makes every window that holds it NaN, and no other.
    """

    def __init__(self, values: FloatArray) -> None:
        self.values = values
        self._kept: dict[tuple[str, int], FloatArray] = {}

    def total(self, window: int) -> FloatArray:
        """Return ``Σ x``."""
        return self.values if window == 1 else self._once("total", window, self._totals)

    def apart(self, window: int) -> FloatArray:
        """Return the means' difference, newer part minus older, times the newer's length."""
        return self._once("apart", window, self._distance)

    def scatter(self, window: int) -> FloatArray:
        """Return ``Σ (x − mean)²``."""
        return self._once("scatter", window, self._scatters)

    def slope_sum(self, window: int) -> FloatArray:
        """Return ``Σ (k − mean of k)(x − mean)``, k counting the window's rows from the oldest."""
        return self._once("slope", window, self._slope_sums)

    def cubes(self, window: int) -> FloatArray:
        """Return ``Σ (x − mean)³``."""
        return self._once("cubes", window, self._cubes)

    def fourths(self, window: int) -> FloatArray:
        """Return ``Σ (x − mean)⁴``."""
        return self._once("fourths", window, self._fourths)

    def _once(self, name: str, window: int, merge: Callable[[int], FloatArray]) -> FloatArray:
        key = (name, window)
        if key not in self._kept:
            # No row deviates from itself; what is missing stays so.
            self._kept[key] = merge(window) if window > 1 else self.values - self.values
        return self._kept[key]

    def _totals(self, window: int) -> FloatArray:
        newer, older = parts(window)
        return self.total(newer)[older:] + self.total(older)[:-newer]

    def _distance(self, window: int) -> FloatArray:
        newer, older = parts(window)
        totals = self.total(older)[:-newer]
        return self.total(newer)[older:] - (totals if newer == older else totals * (newer / older))

    def _scatters(self, window: int) -> FloatArray:
        return _merged_products(self.scatter, window, self.apart(window), self.apart(window))

    def _slope_sums(self, window: int) -> FloatArray:
        newer, older = parts(window)
        added = self.apart(window) * (older / 2)
        return _with_parts(added, self.slope_sum(newer), self.slope_sum(older), newer, older)

    def _cubes(self, window: int) -> FloatArray:
        newer, older = parts(window)
        apart = self.apart(window) / newer
        added = (older / window) * self.scatter(newer)[older:]
        added -= (newer / window) * self.scatter(older)[:-newer]
        added *= 3.0
        if newer != older:
            added += (newer * older * (older - newer) / window**2) * (apart * apart)
        added *= apart
        return _with_parts(added, self.cubes(newer), self.cubes(older), newer, older)

    def _fourths(self, window: int) -> FloatArray:
        newer, older = parts(window)
        apart = self.apart(window) / newer
        spread = (older / window) ** 2 * self.scatter(newer)[older:]
        spread += (newer / window) ** 2 * self.scatter(older)[:-newer]
        spread *= 6.0
        share = newer * older * (newer * newer - newer * older + older * older) / window**3
        spread += share * (apart * apart)
        skew = (older / window) * self.cubes(newer)[older:]
        skew -= (newer / window) * self.cubes(older)[:-newer]
        added = apart * (apart * spread + 4.0 * skew)
        return _with_parts(added, self.fourths(newer), self.fourths(older), newer, older)


class CoMoments:
    """Sums of products of two series' deviations, the second taken some rows earlier.

    Parameters
    ----------
    x, y
        Moments of the two series, of the same number of rows; the same object, or two.
    lag
        Number of rows; a window reads so many more, and entry i ends in row
        ``i + lag + window − 1``.
    """

    def __init__(self, x: Moments, y: Moments, lag: int = 0) -> None:
        self.x, self.y, self.lag = x, y, lag
        self._kept: dict[int, FloatArray] = {}

    def scatter(self, window: int) -> FloatArray:
        """Return ``Σ (x − mean of x)(y − mean of y)``."""
        if window not in self._kept:
            if window > 1:
                x, y = self.lagged(self.x.apart(window), self.y.apart(window))
                self._kept[window] = _merged_products(self.scatter, window, x, y)
            else:
                x, y = self.lagged(self.x.values, self.y.values)
                self._kept[window] = (x - x) * (y - y)
        return self._kept[window]

    def lagged(self, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Put compact arrays of the two series side by side."""
        return x[self.lag :], y[: len(y) - self.lag]


def constant_removed(scatter: FloatArray, total: FloatArray, window: int) -> FloatArray:
    """Return a window's ``Σ (x − mean)²`` with 0 where it is a constant up to rounding."""
    share = _ROUNDING_SHARE * _ROUNDING_SHARE / window
    # Hardly any window is: the smallest scatter and the largest total rule it out for all.
    largest = max(total.max(), -total.min())
    if scatter.min() > share * largest * largest:
        return scatter
    return np.where(scatter <= share * (total * total), 0.0, scatter)


def decayed_sum(values: FloatArray, window: int, decay: float) -> FloatArray:
    """Return ``Σ decay^k x[t−k]`` over k < window, compact."""
    if window == 1:
        return values
    if window % 2:
        return values[window - 1 :] + decay * decayed_sum(values, window - 1, decay)[:-1]
    half, size = decayed_sum(values, window // 2, decay), window // 2
    return half[size:] + decay**size * half[:-size]


def _merged_products(
    part: Callable[[int], FloatArray], window: int, x_apart: FloatArray, y_apart: FloatArray
) -> FloatArray:
    """Add to both parts' sums of products what the distance of their means adds."""
    newer, older = parts(window)
    added = x_apart * y_apart
    added *= older / (newer * window)
    return _with_parts(added, part(newer), part(older), newer, older)


def _with_parts(
    added: FloatArray, of_newer: FloatArray, of_older: FloatArray, newer: int, older: int
) -> FloatArray:
    """Add both parts' sums in place: what the merge adds is not needed by itself."""
    if newer > 1:
        added += of_newer[older:]
    if older > 1:  # a single row has no deviations to add
        added += of_older[:-newer]
    return added
