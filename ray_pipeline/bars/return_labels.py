"""Labels from the prices at both ends of the interval: ``fwd_ret*`` and ``ret_*``.

Each function takes a symbol's series and what each label sees, and returns float64 (n_labels,),
NaN where a price of its formula, or σ, is missing. T is the row of the last bar that a label sees.
"""

from __future__ import annotations

import numpy as np

from ray_pipeline.bars.bars import FloatArray
from ray_pipeline.bars.label_series import LabelSeries, Seen
from ray_pipeline.bars.windows import ratio

__all__ = ["forward_return", "open_to_close_return", "ordinal_return", "return_zscore"]

# The classes −2 … 2 are the nearest whole number of deviations, cut at two: under a normal law
# 7, 24, 38, 24 and 7 % of the rows. Thresholds that do not come from the data keep a label
# dependent on its own rows alone.
_NEAR, _FAR = 0.5, 1.5


def forward_return(series: LabelSeries, seen: Seen) -> FloatArray:
    """Return ``close[T] / close[t] − 1``."""
    return ratio(series.close[seen.last], series.close[seen.own]) - 1.0


def open_to_close_return(series: LabelSeries, seen: Seen) -> FloatArray:
    """Return ``close[T] / open[t+1] − 1``: what one earns who trades at the next open.

    The gap between this close and that open is not part of it, and nothing of bar t is read.
    """
    return ratio(series.close[seen.last], series.open[seen.own + 1]) - 1.0


def return_zscore(series: LabelSeries, seen: Seen) -> FloatArray:
    """Return ``(close[T] / close[t] − 1) / (σ·√H)``: the return in trailing deviations."""
    return series.in_deviations(forward_return(series, seen), seen)


def ordinal_return(series: LabelSeries, seen: Seen) -> FloatArray:
    """Return the class of ``z``, the return in trailing deviations.

    −2 where z ≤ −1.5; −1 where −1.5 < z ≤ −0.5; 0 where |z| < 0.5; 1 where 0.5 ≤ z < 1.5; 2 where
    z ≥ 1.5.
    """
    z = return_zscore(series, seen)
    above = (z >= _NEAR).astype(np.float64) + (z >= _FAR)
    below = (z <= -_NEAR).astype(np.float64) + (z <= -_FAR)
    return np.where(np.isfinite(z), above - below, np.nan)
