"""Targets computed from bars; a target's name is its specification.

H is the horizon h in bars, T the row of the last bar within it; σ the standard deviation (ddof=1)
of the last 20 simple returns at t. A horizon in bars (``12b``) counts rows: T is t + H. Any other
is time of the market's clock, which stands still over a night, and T the last row within it;
`ray_pipeline.bars.clock` has the rule. Where a symbol has every bar, they are the same. Where it
lacks some, the 20 returns span more bars of the clock than 20, and σ·√H is less by the root of it.

``fwd_ret_{h}``
    ``close[T] / close[t] − 1``.
``fwd_ret_oc_{h}``
    ``close[T] / open[t+1] − 1``: what one earns who trades at the next open.
``ret_zscore_{h}``
    ``fwd_ret / (σ·√H)``.
``ret_ord_{h}``
    The class of ``z = ret_zscore``: −2 (z ≤ −1.5), −1 (z ≤ −0.5), 0, 1 (z ≥ 0.5), 2 (z ≥ 1.5).
``mfe_{h}``, ``mae_{h}``
    Maximum favourable excursion ``max(high[t+1], …, high[T]) / close[t] − 1`` and maximum
    adverse excursion ``min(low[t+1], …, low[T]) / close[t] − 1``, neither cut at zero.
``mdd_{h}``
    Maximum drawdown: the smallest ``low[t+j] / max(close[t], high[t+1], …, high[t+j−1]) − 1`` of
    j = 1 … T − t, at most 0.
``mfe_zscore_{h}``, ``mae_zscore_{h}``, ``mdd_zscore_{h}``
    The same over ``σ·√H``.
``y_will_peak_{h}_{k}``
    1 if a high of bars t+1 … T reaches the upper barrier ``close[t]·(1 + k·σ·√H)``, whatever
    the other barrier does; else 0.
``y_will_valley_{h}_{k}``
    1 if a low of those bars reaches the lower barrier ``close[t]·(1 − k·σ·√H)``; else 0.
``y_first_touch_{h}_{k}``, ``y_first_touch_{h}_{up}_{down}``
    +1 if the upper barrier is reached first, −1 if the lower one is, 0 if neither is; the second
    form gives each barrier its own distance.

A label is NaN where its interval reaches past the data, even if a barrier is reached earlier
(whether a label exists must not depend on its outcome); where the bar that the clock asks for is
not there, nor one shortly before it; where a price of its formula, or σ, is
missing (σ is where it is zero, too); and where a price inside the interval is missing that could
change the value. The modules of returns, excursions and barriers say more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ray_pipeline.bars.barrier_labels import first_touch, will_peak, will_valley
from ray_pipeline.bars.bars import Bars, FloatArray
from ray_pipeline.bars.clock import MarketClock, find_clock, reach_of_labels, steps_between
from ray_pipeline.bars.excursion_labels import (
    adverse_excursion,
    adverse_excursion_zscore,
    favourable_excursion,
    favourable_excursion_zscore,
    maximum_drawdown,
    maximum_drawdown_zscore,
)
from ray_pipeline.bars.horizons import resolve_horizon
from ray_pipeline.bars.label_names import parse_label
from ray_pipeline.bars.label_series import LabelSeries, Seen
from ray_pipeline.bars.return_labels import (
    forward_return,
    open_to_close_return,
    ordinal_return,
    return_zscore,
)
from ray_pipeline.intervals import Interval
from ray_pipeline.records import Horizon, Task

__all__ = ["compute_targets", "target_lookback", "target_task"]

# Each takes the series, what the labels see and the distances of the name.
_FUNCTIONS: Mapping[str, Callable[..., FloatArray]] = {
    "fwd_ret": forward_return,
    "fwd_ret_oc": open_to_close_return,
    "ret_zscore": return_zscore,
    "ret_ord": ordinal_return,
    "mfe": favourable_excursion,
    "mae": adverse_excursion,
    "mdd": maximum_drawdown,
    "mfe_zscore": favourable_excursion_zscore,
    "mae_zscore": adverse_excursion_zscore,
    "mdd_zscore": maximum_drawdown_zscore,
    "y_first_touch": first_touch,
    "y_will_peak": will_peak,
    "y_will_valley": will_valley,
}


def target_task(name: str) -> Task:
    """Return the kind of a label's values: ``regression``, ``binary`` or ``ordinal``.

    Raises
    ------
    ConfigError
        When the name is not the name of a label.
    """
    return parse_label(name).task


def target_lookback(name: str) -> int:
    """Return the number of bars, up to and including its own row, that a label reads.

    Returns
    -------
    int
        21 for a label that reads σ: the closes behind 20 returns. Else 1, its own close; 0 for
        an open-to-close return, which reads later bars only.

    Raises
    ------
    ConfigError
        When the name is not the name of a label.
    """
    return parse_label(name).lookback


def compute_targets(
    bars: Bars, targets: Sequence[str], interval: Interval, clock: MarketClock | None = None
) -> FloatArray:
    """Compute targets of one symbol; the module's docstring defines each.

    The value at row t depends on rows t+1 … T, on the clock and on the ``target_lookback`` closes
    up to t, to the last bit. A price that is not positive counts as missing.

    Parameters
    ----------
    bars
        Bars of one symbol, (n_rows,).
    targets
        Names, such as ``fwd_ret_5d`` or ``y_will_peak_60m_0.8``.
    interval
        Length of a bar.
    clock
        Of the symbol's market; found from the bars unless given.

    Returns
    -------
    float64 (n_rows, n_targets)
        In column-major order; NaN where there is no label, never infinite.

    Raises
    ------
    ConfigError
        When a name is not the name of a label, or its horizon is not a whole number of bars.
    """
    clock = clock or find_clock(bars.time_ns, interval)
    series = LabelSeries(bars, steps_between(bars.time_ns, clock))
    seen_within: dict[Horizon, Seen] = {}
    values = np.full((len(bars), len(targets)), np.nan, order="F")
    with np.errstate(all="ignore"):
        for column, name in enumerate(targets):
            label = parse_label(name)
            horizon = resolve_horizon(name, interval, {})
            if horizon not in seen_within:
                seen_within[horizon] = _seen(bars, horizon, clock)
            seen = seen_within[horizon]
            values[seen.own, column] = _FUNCTIONS[label.kind](series, seen, *label.distances)
    values[~np.isfinite(values)] = np.nan
    return values


def _seen(bars: Bars, horizon: Horizon, clock: MarketClock) -> Seen:
    reach = reach_of_labels(bars.time_ns, horizon, clock)
    own = np.flatnonzero(reach.rows >= 0)
    return Seen(horizon, horizon.in_bars(clock.session_bars), own, reach.rows[own])
