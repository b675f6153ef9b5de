"""What is wrong with a symbol's newest bars: a split, a tick, a feed that repeats its last bar."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from ray_pipeline.bars import Bars
from ray_pipeline.panel.bar_flaws import find_bar_flaws

__all__ = ["NewestFlaw", "newest_flaws"]

_REPEATED = 5
"""Consecutive bars with identical prices and volume: with real trading, not even two occur by
chance."""


class NewestFlaw(NamedTuple):
    """A fault in the newest bars.

    Attributes
    ----------
    kind
        ``split``: prices before are not adjusted for it; ``tick``: a price far outside the range of
        its neighbours; ``repeated``: bars that are the last one again.
    time_ns
        Of its first bar.
    size
        For a split, the shares that one became; for a tick, 1; otherwise the number of equal bars.
    """

    kind: Literal["split", "tick", "repeated"]
    time_ns: int
    size: float


def newest_flaws(bars: Bars, since_ns: int) -> tuple[NewestFlaw, ...]:
    """Find faults of bars from a time on, in time order.

    Bars without moving prices or volume are not a fault: an untraded symbol has them too.
    """
    fields = np.column_stack([bars.open, bars.high, bars.low, bars.close, bars.volume])
    if not len(fields):
        return ()
    flaws = find_bar_flaws(fields)
    found = [NewestFlaw("split", int(bars.time_ns[each.row]), each.ratio) for each in flaws.splits]
    found += [NewestFlaw("tick", int(bars.time_ns[row]), 1.0) for row in flaws.ticks.tolist()]
    differs = (fields != fields[-1]).any(axis=1)
    n_same = len(fields) if not differs.any() else int(np.argmax(differs[::-1]))
    newest = [each for each in found if each.time_ns >= since_ns]
    if n_same >= _REPEATED and fields[-1, 4] > 0:
        newest.append(NewestFlaw("repeated", int(bars.time_ns[-n_same]), float(n_same)))
    return tuple(sorted(newest, key=lambda each: each.time_ns))
