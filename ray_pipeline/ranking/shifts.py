"""Labels rolled around the panel's time axis: a null distribution without formulas (pure).

A circular shift keeps what makes naive tests wrong (the autocorrelation of labels and features,
the correlation between symbols, ties, missing rows) and breaks the one thing under test: which
label belongs to which features.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.statistics.hac import hac_lag
from ray_pipeline.wording import plural

__all__ = ["LEAST_SHIFTS", "Roll", "RolledLabels", "draw_shifts", "roll_rows", "shift_p_value"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LEAST_SHIFTS = 19
"""Minimum number of shifts for a p-value of 0.05."""

MEMORIES_APART = 0.25
"""Least mean distance of two shifts, in bandwidths of the HAC error. Near shifts repeat each other
and count as one experiment: 199 of them packed into 400 bars (features of φ = 0.95, labels of ten
bars) give noise a p-value of 0.005 in up to 3 % of panels; at this distance it is the 1 % or 5 %
that it says."""


def draw_shifts(
    n_timestamps: int, n_shifts: int, horizon: int, seed: int, spacing: float = 1.0
) -> tuple[int, ...]:
    """Draw distinct shifts, one at random from each of `n_shifts` equal stretches of the circle.

    None is nearer to 0 or to `n_timestamps` than a horizon plus the bandwidth of the HAC error,
    which stands for the memory of the features: a label moved by less is still known to them, or
    knows them. Stretches are at least a horizon long, over which labels overlap, and
    `MEMORIES_APART` of that bandwidth.

    Parameters
    ----------
    n_timestamps
        Length of the panel's time axis.
    horizon
        The longest of the targets', in positions.
    seed
        Of the draw.
    spacing
        Positions from one timestamp of the pool to the next, because finer shifts would coincide.

    Returns
    -------
    tuple
        Ascending, in positions.

    Raises
    ------
    DataError
        With the arithmetic, when the axis has no room for that many.
    """
    memory = hac_lag(n_timestamps, horizon)
    margin = horizon + memory
    room = n_timestamps - 2 * margin
    apart = max(horizon, math.ceil(spacing), math.ceil(MEMORIES_APART * memory))
    most = max(room, 0) // apart
    if n_shifts > most:
        remedy = f"Set it to at most {most}, use" if most >= LEAST_SHIFTS else "Use"
        raise DataError(
            f"target_ranking.n_shifts={n_shifts} circular shifts do not fit on {n_timestamps} "
            f"timestamps: {margin} are kept free at either end, and the other {max(room, 0)} hold "
            f"{plural(most, 'shift that is', 'shifts that are')} {apart} apart. "
            f"{remedy} more rows or shorter horizons, or set target_ranking.null to analytic."
        )
    edges = margin + np.arange(n_shifts + 1) * room // n_shifts
    random = np.random.default_rng(seed).random(n_shifts)
    return tuple((edges[:-1] + (random * np.diff(edges)).astype(np.int64)).tolist())


@dataclass(frozen=True, slots=True)
class Roll:
    """The source of each row's label under one shift.

    Attributes
    ----------
    source
        Row of the same symbol, `shift` timestamps later around the circle; −1 where the symbol
        has none. Shape (n_rows,).
    laps
        1 where that timestamp lies past the end of the axis and so at its start, else 0,
        shape (n_rows,).
    """

    source: Ints
    laps: Ints


def roll_rows(places: Ints, symbols: NDArray[np.int32], n_places: int, shift: int) -> Roll:
    """Find the row that each row takes its label from.

    Parameters
    ----------
    places
        Timestamp of each row as an index into an axis of `n_places`, shape (n_rows,).
    symbols
        Index of the row's symbol, shape (n_rows,). Rows are sorted by place and then by symbol.
    shift
        From 0 (every row keeps its label) to n_places − 1; the same for all symbols, so that their
        common movements stay common.
    """
    n_symbols = int(symbols.max(initial=0)) + 1
    keys = places * n_symbols + symbols
    later = places + shift
    wanted = later % n_places * n_symbols + symbols
    source = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
    found = keys[source] == wanted
    return Roll(np.where(found, source, -1), later // n_places)


@dataclass(frozen=True, slots=True)
class RolledLabels:
    """The labels of one target after a roll, with their original times.

    All arrays have shape (n_rows,). Times are panel positions that go on counting past the end
    of the axis, so that they ascend with the row's own position.

    Attributes
    ----------
    y
        NaN where there is no label.
    starts, ends
        Of each label's interval; only where there is a label.
    n_timestamps
        Of the panel's axis: one lap.
    """

    y: Floats
    starts: Ints
    ends: Ints
    n_timestamps: int

    @classmethod
    def of(
        cls, roll: Roll, y: Floats, positions: Ints, label_ends: Ints, n_timestamps: int
    ) -> RolledLabels:
        """Roll labels; `positions` and `label_ends` are those of the rows before the roll."""
        # Index −1 is a valid row, but its label is not used.
        lap = roll.laps * n_timestamps
        return cls(
            y=np.where(roll.source >= 0, y[roll.source], np.nan),
            starts=positions[roll.source] + lap,
            ends=label_ends[roll.source] + lap,
            n_timestamps=n_timestamps,
        )

    def training_rows(
        self, label_ends: Ints, before: slice, end: int, test_start: int, embargo: int
    ) -> Bools:
        """Return the mask of training rows before a test fold: the purge, on rolled labels.

        A row is left out when its label's interval, plus embargo, reaches the time that the
        first label of the test fold is about; and, since the circle is closed, when the interval
        of a test label that has gone round reaches the time that the row's label is about. Rows
        without a label are left out too.

        Parameters
        ----------
        label_ends
            Where the labels end that the rows before the test fold learn, shape (n_before,): their
            own of `ends`, or those of all that they are compared with.
        before, end
            Which rows these are, and where those inside the test fold end, which follow.
        test_start
            Start of the test fold after the roll, in the times of `starts`.
        """
        tested = slice(before.stop, end)
        known = np.isfinite(self.y)
        usable: Bools = known[before] & (label_ends + embargo < test_start)
        gone_round = known[tested] & (self.starts[tested] >= self.n_timestamps)
        if gone_round.any():
            reached = int(self.ends[tested][gone_round].max()) - self.n_timestamps
            usable &= self.starts[before] > reached + embargo
        return usable


def shift_p_value(observed: float, shifted: Floats) -> float:
    """Return ``(1 + #{shifted ≥ observed}) / (1 + #shifted)``.

    Source: Phipson & Smyth (2010), "Permutation P-values Should Never Be Zero", Stat. Appl.
    Genet. Mol. Biol. 9. The statistic is the largest z-score of the families, studentised as
    Romano & Wolf (2005, Econometrica 73) advise, so the choice of a family is paid for (White
    2000, "A Reality Check for Data Snooping", Econometrica 68).

    Parameters
    ----------
    shifted
        Statistics of the same search on rolled labels, shape (n_shifts,); NaN where a shift left
        too little to measure, which does not count.

    Returns
    -------
    float
        NaN when fewer than `LEAST_SHIFTS` shifts could be measured.
    """
    measured = shifted[~np.isnan(shifted)]
    if len(measured) < LEAST_SHIFTS:
        return math.nan
    return float((1 + np.sum(measured >= observed)) / (1 + len(measured)))
