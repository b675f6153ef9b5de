"""Rows in the order of time, each given what was known before it, each learned from when known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["NEVER", "DelayedRows", "OnlineMap", "walk_online"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NEVER = int(np.iinfo(np.int64).max)
"""When the outcome of a row becomes known that has none."""


@dataclass(frozen=True, slots=True, eq=False)
class DelayedRows:
    """Scored rows with outcomes, all of shape (n_rows,), sorted by time and then by symbol.

    Attributes
    ----------
    time_ns, known_ns
        When the row was scored, and when its outcome is known; `NEVER` where there is none.
    symbols
        Numbered from 0.
    scores, outcomes
        Scores are finite; outcomes are where they become known.
    """

    time_ns: Ints
    known_ns: Ints
    symbols: Ints
    scores: Floats
    outcomes: Floats

    def take(self, rows: Ints) -> DelayedRows:
        """Return some rows."""
        return DelayedRows(
            self.time_ns[rows],
            self.known_ns[rows],
            self.symbols[rows],
            self.scores[rows],
            self.outcomes[rows],
        )

    @classmethod
    def joined(cls, pieces: Sequence[DelayedRows]) -> DelayedRows:
        """Join pieces, and sort them."""
        rows = cls(
            *(
                np.concatenate([getattr(piece, name) for piece in pieces])
                for name in ("time_ns", "known_ns", "symbols", "scores", "outcomes")
            )
        )
        return rows.take(np.lexsort((rows.symbols, rows.time_ns)))


class OnlineMap(Protocol):
    """What is learned of outcomes, and what it gives for scores."""

    n_given: int
    """Numbers that it gives a row."""

    def give(self, symbols: Ints, scores: Floats) -> Floats:
        """Return what is given for rows of one timestamp, shape (n_rows, n_given)."""

    def learn(
        self, symbols: Ints, scores: Floats, given: Floats, outcomes: Floats, weights: Floats
    ) -> None:
        """Learn from rows whose outcomes have become known together.

        Parameters
        ----------
        given
            What was given for them, shape (n_rows, n_given).
        weights
            Of the rows: one over the number of rows of their timestamp.
        """


class Waiting:
    """Rows that were scored, and whose outcomes are not known yet."""

    def __init__(self, n_given: int) -> None:
        none, no = np.empty(0, dtype=np.int64), np.empty(0)
        self.rows = DelayedRows(none, none, none, no, no)
        self.given = np.empty((0, n_given))
        self.weights = np.empty(0)


def walk_online(online: OnlineMap, rows: DelayedRows, waiting: Waiting | None = None) -> Floats:
    """Give every row what was known before it, and learn from outcomes as they become known.

    Before a timestamp all outcomes are learned from that were known strictly before it, those of
    one timestamp's gap together and in the order of their rows. Rows of later times change nothing
    of what earlier ones are given, to the bit, and it makes no difference whether rows come at once
    or, with the same `waiting`, one stretch of time after another.

    Parameters
    ----------
    online
        Changed in place.
    rows
        Of a stretch of time after all those given before.
    waiting
        Rows of earlier stretches; changed in place.

    Returns
    -------
    ndarray
        Shape (n_rows, n_given).
    """
    waiting = waiting or Waiting(online.n_given)
    n_before = len(waiting.rows.time_ns)
    times, starts, place = np.unique(rows.time_ns, return_index=True, return_inverse=True)
    bounds = np.append(starts, len(place))
    joined = DelayedRows(
        *(
            np.concatenate([getattr(waiting.rows, name), getattr(rows, name)])
            for name in ("time_ns", "known_ns", "symbols", "scores", "outcomes")
        )
    )
    weights = np.concatenate([waiting.weights, 1.0 / np.bincount(place)[place]])
    given = np.concatenate([waiting.given, np.full((len(place), online.n_given), np.nan)])
    # The first timestamp that comes after the outcome is known.
    first = np.searchsorted(times, joined.known_ns, side="right")
    order = np.argsort(first, kind="stable")
    ends = np.searchsorted(first[order], np.arange(len(times) + 1))
    for t in range(len(times)):
        known = order[ends[t] : ends[t + 1]]
        if len(known):
            online.learn(
                joined.symbols[known],
                joined.scores[known],
                given[known],
                joined.outcomes[known],
                weights[known],
            )
        now = slice(n_before + bounds[t], n_before + bounds[t + 1])
        given[now] = online.give(joined.symbols[now], joined.scores[now])
    left = order[ends[len(times)] :]
    left = np.sort(left[joined.known_ns[left] < NEVER])
    waiting.rows, waiting.given = joined.take(left), given[left]
    waiting.weights = weights[left]
    return given[n_before:]
