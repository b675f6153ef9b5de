"""Targets computed from bars; a target's name is its specification.

``fwd_ret_{h}``
    ``close[t+H] / close[t] − 1``, H being h in bars.
``y_will_peak_{h}_{k}``
    1 if a high of bars t+1 … t+H reaches the upper barrier ``close[t]·(1 + k·σ·√H)``, whatever
    the other barrier does; else 0.
``y_will_valley_{h}_{k}``
    1 if a low of those bars reaches the lower barrier ``close[t]·(1 − k·σ·√H)``; else 0.
``y_first_touch_{h}_{k}``
    +1 if the upper barrier is reached first, −1 if the lower one is, 0 if neither is: the
    triple-barrier label of López de Prado (2018), section 3.4. Where one bar reaches both, an
    open at or beyond a barrier was there first and decides; otherwise the bar does not tell
    which came first, and the label is missing rather than invented.

σ is the standard deviation (ddof=1) of the last 20 simple returns at t. A label is NaN where
its interval reaches past the data, even if a barrier is reached earlier (whether a label exists
must not depend on its outcome); where a close of t−20 … t is missing or σ is zero; and where a
price inside the interval is missing that could change the outcome: a missing high could have
reached any upper barrier, a missing low any lower one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ray_pipeline.errors import ConfigError
from ray_pipeline.panel.bars.barriers import (
    SIGMA_RETURNS,
    BoolArray,
    IntArray,
    Touches,
    find_touches,
)
from ray_pipeline.panel.bars.bars import Bars, FloatArray
from ray_pipeline.panel.bars.series import missing_unless_positive
from ray_pipeline.panel.bars.windows import ratio
from ray_pipeline.panel.horizons import resolve_horizon
from ray_pipeline.records import Task

__all__ = ["compute_targets", "is_label_name", "target_lookback", "target_task"]

_Kind = Literal["fwd_ret", "y_first_touch", "y_will_peak", "y_will_valley"]
_TASKS: dict[_Kind, Task] = {
    "fwd_ret": "regression",
    "y_first_touch": "ordinal",
    "y_will_peak": "binary",
    "y_will_valley": "binary",
}
_FORWARD_RETURN = re.compile(r"fwd_ret_[0-9]+(?:s|m|min|h|d|w|b)?")
_BARRIER = re.compile(
    r"(y_first_touch|y_will_peak|y_will_valley)_[0-9]+(?:s|m|min|h|d|w|b)_([0-9]+(?:\.[0-9]+)?)"
)


@dataclass(frozen=True, slots=True)
class _Label:
    kind: _Kind
    multiple: float


def is_label_name(name: str) -> bool:
    """Tell whether the name specifies a label that can be computed from bars."""
    return _parse(name) is not None


def target_task(name: str) -> Task:
    """Return the kind of a label's values: ``regression``, ``binary`` or ``ordinal``.

    Raises
    ------
    ConfigError
        When the name is no label's.
    """
    return _TASKS[_label(name).kind]


def target_lookback(name: str) -> int:
    """Return the number of bars, up to and including its own row, that a label reads.

    Returns
    -------
    int
        1 for a forward return, 21 for a barrier label: the closes behind 20 returns.

    Raises
    ------
    ConfigError
        When the name is no label's.
    """
    return 1 if _label(name).kind == "fwd_ret" else SIGMA_RETURNS + 1


def compute_targets(
    bars: Bars, targets: Sequence[str], bar_seconds: int, session_bars: int
) -> FloatArray:
    """Compute targets of one symbol; the module's docstring defines each.

    The value at row t depends on rows t+1 … t+H and on the ``target_lookback`` closes up to t,
    to the last bit. A price that is not positive counts as missing.

    Parameters
    ----------
    bars
        Bars of one symbol, (n_rows,).
    targets
        Names, such as ``fwd_ret_5d`` or ``y_will_peak_60m_0.8``.
    bar_seconds
        Length of a bar in seconds.
    session_bars
        Bars of a session: what a day is on intraday bars.

    Returns
    -------
    float64 (n_rows, n_targets)
        In column-major order; NaN where there is no label, never infinite.

    Raises
    ------
    ConfigError
        When a name is no label's, or its horizon is not a whole number of bars.
    """
    touches: dict[tuple[int, float], Touches] = {}
    values = np.full((len(bars), len(targets)), np.nan, order="F")
    with np.errstate(all="ignore"):
        for column, name in enumerate(targets):
            label = _label(name)
            horizon = resolve_horizon(name, bar_seconds, session_bars, {})
            if label.kind == "fwd_ret":
                outcome = _forward_return(bars, horizon)
            else:
                key = (horizon, label.multiple)
                if key not in touches:
                    touches[key] = find_touches(bars, horizon, label.multiple)
                outcome = _outcome(label.kind, touches[key])
            values[: len(outcome), column] = outcome
    values[~np.isfinite(values)] = np.nan
    return values


def _parse(name: str) -> _Label | None:
    if _FORWARD_RETURN.fullmatch(name):
        return _Label("fwd_ret", 0.0)
    match = _BARRIER.fullmatch(name)
    if match and float(match[2]) > 0.0:
        for kind in _TASKS:
            if kind == match[1]:
                return _Label(kind, float(match[2]))
    return None


def _label(name: str) -> _Label:
    label = _parse(name)
    if label is None:
        raise ConfigError(
            f"labeling.targets: {name!r} is no target that bars give. Accepted are fwd_ret_{{h}}, "
            "y_first_touch_{h}_{k}, y_will_peak_{h}_{k} and y_will_valley_{h}_{k}, where h is a "
            "horizon such as 60m, 4h, 5d (sessions) or 12b (bars), and k > 0 the barrier's "
            "distance in deviations: fwd_ret_5d, y_will_peak_60m_0.8, y_first_touch_12b_1.0."
        )
    return label


def _forward_return(bars: Bars, horizon: int) -> FloatArray:
    """Return ``close[t+H] / close[t] − 1``; (n_rows − horizon,)."""
    close = missing_unless_positive(bars.close)
    return ratio(close[horizon:], close[: max(len(close) - horizon, 0)]) - 1.0


def _outcome(kind: _Kind, touches: Touches) -> FloatArray:
    """Return a barrier label, NaN where missing prices leave it open; (n_rows − horizon,)."""
    horizon = touches.horizon
    if kind == "y_first_touch":
        is_neither = np.minimum(touches.upper_possible, touches.lower_possible) > horizon
        is_up = _is_first(touches.upper_certain, touches.lower_possible, touches.upper_at_open)
        is_down = _is_first(touches.lower_certain, touches.upper_possible, touches.lower_at_open)
        outcome = np.select([is_neither, is_up, is_down], [0.0, 1.0, -1.0], default=np.nan)
    elif kind == "y_will_peak":
        outcome = _is_reached(touches.upper_certain, touches.upper_possible, horizon)
    else:
        outcome = _is_reached(touches.lower_certain, touches.lower_possible, horizon)
    return np.where(touches.is_defined, outcome, np.nan)


def _is_first(certain: IntArray, other_possible: IntArray, is_at_open: BoolArray) -> BoolArray:
    """Tell where a barrier is surely reached before the other one can be.

    Within one bar the open comes before the high and the low.
    """
    first: BoolArray = (certain < other_possible) | ((certain == other_possible) & is_at_open)
    return first


def _is_reached(certain: IntArray, possible: IntArray, horizon: int) -> FloatArray:
    return np.select([certain <= horizon, possible > horizon], [1.0, 0.0], default=np.nan)
