"""Whether figures of clocks and of the present show a look-ahead.

The published searches run a strategy again on shortened data and compare (freqtrade's
``lookahead-analysis``); that needs its code. A column has none, but time betrays it: what it says
of the bars to come ends where the block ends that it is made of.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ray_pipeline.statistics.present_scores import PresentScore

__all__ = ["LookAheadLimits", "clock_z", "is_clock_leak", "is_smooth_present"]

MIN_CLOCK_Z = 4.5
"""Standard errors, of some hundred looks at each feature of each symbol."""

MIN_CONTRAST_Z = 4.0

MOST_OUTSIDE = 0.4
"""Of what a feature says inside its block, the share that a leak may seem to say across its end. A
prediction that is known at the block's start and forgotten so fast as to say less says too little
of the block's second half."""

MIN_PRESENT_Z = 6.0
MIN_LARGEST = 0.1
"""|Correlation| with one bar to come: many tiny ones are what slow series have by luck."""


@dataclass(frozen=True, slots=True)
class LookAheadLimits:
    """Of the config's section ``leakage``; see there for what each trades."""

    clock_min_correlation: float = 0.35
    present_min_explained: float = 0.12


def clock_z(inside: float, n_blocks: float) -> float:
    """Return a correlation in standard errors (Fisher 1921)."""
    bounded = min(abs(inside), 1.0 - 1e-9)
    return math.atanh(bounded) * math.sqrt(max(n_blocks - 3.0, 0.0))


def is_clock_leak(inside: float, outside: float, n_blocks: float, limits: LookAheadLimits) -> bool:
    """Say whether a feature knows its block: what it says is strong, and ends with the block."""
    strength, across = abs(inside), math.copysign(1.0, inside) * outside
    if strength < limits.clock_min_correlation or across > MOST_OUTSIDE * strength:
        return False
    contrast = clock_z(strength, n_blocks) - math.copysign(1.0, across) * clock_z(across, n_blocks)
    return clock_z(strength, n_blocks) >= MIN_CLOCK_Z and contrast >= MIN_CONTRAST_Z * math.sqrt(2)


def is_smooth_present(score: PresentScore, limits: LookAheadLimits) -> bool:
    """Say whether a feature's last change goes on into the bars to come."""
    return (
        score.explained >= limits.present_min_explained
        and score.z >= MIN_PRESENT_Z
        and score.largest >= MIN_LARGEST
    )
