"""Labels from two barriers around the close: ``y_*``.

The upper barrier is ``close[t]·(1 + k·σ·√H)``, touched by a high; the lower one is
``close[t]·(1 − k·σ·√H)``, touched by a low. Each function takes a symbol's series, what
each label sees and the distance k of each barrier, and returns float64 (n_labels,): NaN where there
is no σ, and where a missing price inside the interval leaves the outcome open. A missing high could
have reached any upper barrier, a missing low any lower one.
"""

from __future__ import annotations

import numpy as np

from ray_pipeline.bars.barriers import BoolArray, Touches
from ray_pipeline.bars.bars import FloatArray
from ray_pipeline.bars.label_series import LabelSeries, Seen

__all__ = ["first_touch", "will_peak", "will_valley"]


def first_touch(
    series: LabelSeries, seen: Seen, up: float, down: float | None = None
) -> FloatArray:
    """Return +1 if the upper barrier is reached first, −1 if the lower one is, 0 if neither is.

    The triple-barrier label of López de Prado (2018), section 3.4. Where one bar reaches both, an
    open at or beyond a barrier was there first and decides; otherwise the bar does not tell which
    came first, and the label is missing rather than invented.

    Parameters
    ----------
    up, down
        Distances of the upper and the lower barrier in deviations; one alone is that of both.
    """
    upper = series.upper_touches(seen, up)
    lower = series.lower_touches(seen, up if down is None else down)
    is_neither = np.minimum(upper.possible, lower.possible) > upper.n_bars
    choices = [is_neither, _is_first(upper, lower), _is_first(lower, upper)]
    outcome = np.select(choices, [0.0, 1.0, -1.0], default=np.nan)
    return np.where(upper.is_defined, outcome, np.nan)


def will_peak(series: LabelSeries, seen: Seen, distance: float) -> FloatArray:
    """Return 1 if the upper barrier is reached, whatever the other one does; else 0."""
    return _is_reached(series.upper_touches(seen, distance))


def will_valley(series: LabelSeries, seen: Seen, distance: float) -> FloatArray:
    """Return 1 if the lower barrier is reached, whatever the other one does; else 0."""
    return _is_reached(series.lower_touches(seen, distance))


def _is_first(one: Touches, other: Touches) -> BoolArray:
    """Tell where a barrier is surely reached before the other one can be.

    Within one bar the open comes before the high and the low.
    """
    is_at_open = (one.certain == other.possible) & one.at_open
    first: BoolArray = (one.certain < other.possible) | is_at_open
    return first


def _is_reached(touches: Touches) -> FloatArray:
    is_sure, is_possible = touches.certain <= touches.n_bars, touches.possible <= touches.n_bars
    outcome = np.select([is_sure, ~is_possible], [1.0, 0.0], default=np.nan)
    return np.where(touches.is_defined, outcome, np.nan)
