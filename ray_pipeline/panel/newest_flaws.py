"""What is wrong with a symbol's newest bars: a split, a tick, a feed that repeats its last bar."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from ray_pipeline.bars import Bars
from ray_pipeline.panel.bar_flaws import find_bar_flaws

__all__ = ["NewestFlaw", "newest_flaws"]

_REPEATED = 5
"""Bars in a row with the very same prices and volume: where there is trade, chance makes no two."""


class NewestFlaw(NamedTuple):
    """Something that no market made.

    Attributes
    ----------
    kind
        ``split``: prices before are not adjusted for it; ``tick``: a price beyond any range of
        those around; ``repeated``: bars that are the last one again.
    time_ns
        Of its first bar.
    size
        Shares that one became; 1 of a tick; bars that are the same.
    """

    kind: Literal["split", "tick", "repeated"]
    time_ns: int
    size: float


def newest_flaws(bars: Bars, since_ns: int) -> tuple[NewestFlaw, ...]:
    """Find what is wrong with bars from a time on, in the order of time.

    Bars without a price or volume that moves are not a sign: a symbol that nobody trades has such.
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
