"""Whether figures of clocks and of the present show a look-ahead.

The published searches run a strategy again on shortened data and compare (freqtrade's
``lookahead-analysis``); that needs its code. A column has none, but time betrays it: what it says
of the bars to come ends where the block ends that it is made of.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ray_pipeline.statistics.present_scores import PresentScore

__all__ = [
    "WEAKER",
    "ClockFigures",
    "LookAheadLimits",
    "acquitting_correlation",
    "clock_z",
    "ends_at_last_row",
    "ends_within",
    "is_clock_leak",
    "is_clock_suspect",
    "is_smooth_present",
]

SUSPECT_Z = 1.5
"""Standard errors, in one symbol, of what a feature says of the rest of its block."""

MIN_CLOCK_Z = 4.5
"""The same of all symbols: one look in 150,000, and there are some hundred at each feature."""

SUSPECT_CONTRAST_Z = 0.5
MIN_CONTRAST_Z = 2.3
"""Standard errors of the difference between inside and outside, in one symbol and of all."""

FULLER = 1.5
"""Of the least correlation, what a feature that moves with every bar has to say of the whole rest
where the end of the block tells it apart: honest ones that lose what they say there say 0.33."""

MIN_END_Z = 2.3
"""Standard errors of the difference between rest and beyond, of all symbols."""

COMMON = 0.5
"""Correlation that figures of two symbols are taken to have: their bars move together, and many
features are the same for all."""

MOST_OUTSIDE = 0.4
"""Of what a feature says inside its block, the share that a leak may seem to say across its end.
What drives the next bar at a correlation of 0.3, and is known when the block begins, says of its
second half 0.2 where it is forgotten as fast as that, and of the whole block 0.4."""

WEAKER = 2.0 / 3.0
STRONGER = 2.0
"""Of the least correlation: a leak whose values move with the present bar, as the price over the
day's high, may say less of the second half if it says so much more of the whole rest."""

MIN_PRESENT_Z = 6.0
MIN_LARGEST = 0.15
"""|Correlation| with one bar to come: many tiny ones are what slow series have by luck."""


@dataclass(frozen=True, slots=True)
class LookAheadLimits:
    """Of the config's section ``leakage``; see there for what each trades."""

    clock_min_correlation: float = 0.3
    present_min_explained: float = 0.05
    implausible_correlation: float = 0.5


def clock_z(correlation: float, freedom: float) -> float:
    """Return a correlation in standard errors (Fisher 1921), with its sign."""
    bounded = min(max(correlation, -1.0 + 1e-9), 1.0 - 1e-9)
    return math.atanh(bounded) * math.sqrt(max(freedom - 3.0, 0.0))


@dataclass(frozen=True, slots=True)
class ClockFigures:
    """What a feature says of its block, in one symbol or on average; see `clock_scores`.

    In standard errors: `z` is `rest`, `contrast` what `inside` has more than `outside`, `end` what
    `rest` has more than `beyond`.
    """

    inside: float
    outside: float
    rest: float
    beyond: float
    z: float
    contrast: float
    end: float

    @classmethod
    def of(
        cls, inside: float, outside: float, rest: float, beyond: float, freedom: float
    ) -> ClockFigures:
        """Turn correlations over so many blocks towards a positive `rest`."""
        sign = math.copysign(1.0, rest)
        inside, outside, rest, beyond = (sign * each for each in (inside, outside, rest, beyond))
        z = clock_z(rest, freedom)
        contrast = (clock_z(inside, freedom) - clock_z(outside, freedom)) / math.sqrt(2.0)
        end = (z - clock_z(beyond, freedom)) / math.sqrt(2.0)
        return cls(inside, outside, rest, beyond, z, contrast, end)

    @classmethod
    def pooled(cls, figures: Sequence[ClockFigures], n_symbols: int) -> ClockFigures:
        """Average those of some symbols, of so many that could have had any."""
        error = math.sqrt(n_symbols * (1.0 + (n_symbols - 1) * COMMON))
        averaged = {
            name: sum(getattr(each, name) for each in figures) / share
            for names, share in (
                (("inside", "outside", "rest", "beyond"), len(figures)),
                (("z", "contrast", "end"), error),
            )
            for name in names
        }
        return cls(**averaged)


def is_clock_suspect(figures: ClockFigures, limits: LookAheadLimits) -> bool:
    """Say whether one symbol's figures may be those of a leak."""
    least = WEAKER * limits.clock_min_correlation
    is_inside = (
        figures.inside >= least
        and figures.outside < figures.inside
        and figures.contrast >= SUSPECT_CONTRAST_Z
    )
    is_ended = figures.rest >= FULLER * least and figures.end >= SUSPECT_CONTRAST_Z
    return figures.z >= SUSPECT_Z and (is_inside or is_ended)


def is_clock_leak(figures: ClockFigures, limits: LookAheadLimits) -> bool:
    """Say whether a feature knows its block: what it says is strong, and ends with the block."""
    return figures.z >= MIN_CLOCK_Z and (
        ends_within(figures, limits) or ends_at_last_row(figures, limits)
    )


def ends_within(figures: ClockFigures, limits: LookAheadLimits) -> bool:
    """Say whether a feature knows the second half of its block, and not what follows it."""
    least = limits.clock_min_correlation
    is_strong = figures.inside >= least or (
        figures.inside >= WEAKER * least and figures.rest >= STRONGER * least
    )
    return (
        is_strong
        and figures.outside <= MOST_OUTSIDE * figures.inside
        and figures.contrast >= MIN_CONTRAST_Z
    )


def ends_at_last_row(figures: ClockFigures, limits: LookAheadLimits) -> bool:
    """Say whether a feature knows the rest of its block, and at its last row nothing any more."""
    return (
        figures.rest >= FULLER * limits.clock_min_correlation
        and figures.beyond <= MOST_OUTSIDE * figures.rest
        and figures.end >= MIN_END_Z
    )


def acquitting_correlation(figures: ClockFigures) -> float:
    """Return the `clock_min_correlation` above which these figures are those of no leak."""
    return max(figures.inside, figures.rest / FULLER)


def is_smooth_present(score: PresentScore, limits: LookAheadLimits) -> bool:
    """Say whether a feature's last change goes on into the bars to come."""
    return (
        score.explained >= limits.present_min_explained
        and score.z >= MIN_PRESENT_Z
        and score.largest >= MIN_LARGEST
    )
