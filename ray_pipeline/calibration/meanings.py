"""What a score means, in columns: a probability, or an expected label and an interval (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.records import Task, View
from ray_pipeline.statistics.delayed_outcomes import NEVER, DelayedRows, OnlineMap
from ray_pipeline.statistics.online_maps import ExpectationMap, IntervalMap, ProbabilityMap
from ray_pipeline.training.served_jobs import ServedJob

__all__ = [
    "OUTCOMES",
    "Meaning",
    "calibrated_columns",
    "known_times",
    "make_map",
    "outcome_table",
    "rows_of",
    "teachers",
    "views_of",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_GIVEN: Mapping[Task, tuple[str, ...]] = {
    "binary": ("prob",),
    # Of a handful of classes an interval is all of them or misses by jumps.
    "ordinal": ("expected",),
    "regression": ("expected", "low", "high"),
}

OUTCOMES = pa.schema(
    [
        ("time_ns", pa.int64()),
        ("known_ns", pa.int64()),
        ("score", pa.float64()),
        ("outcome", pa.float64()),
    ]
)
"""Scored rows of one symbol and target; `NEVER` where the outcome is not known yet."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the scores of a target are calibrated to.

    Attributes
    ----------
    horizon_bars
        Bars of a symbol after which a label is known.
    coverage
        Share of the labels that an interval is to hold.
    """

    target: str
    task: Task
    horizon_bars: int
    coverage: float

    @property
    def figures(self) -> tuple[str, ...]:
        """What it gives, in the order in which its map does."""
        return _GIVEN[self.task]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of it beside those of other targets."""
        return tuple(f"{self.target}__{name}" for name in self.figures)


def calibrated_columns(meanings: Sequence[Meaning]) -> tuple[str, ...]:
    """Name the columns of targets: ``__prob`` of binary ones, else ``__expected`` and bounds."""
    return tuple(column for meaning in meanings for column in meaning.columns)


def make_map(meaning: Meaning, n_symbols: int) -> OnlineMap:
    """Make what learns a target's meaning, before any outcome."""
    if meaning.task == "binary":
        return ProbabilityMap(meaning.horizon_bars)
    if meaning.task == "ordinal":
        return ExpectationMap(meaning.horizon_bars)
    return IntervalMap(meaning.horizon_bars, n_symbols, meaning.coverage)


def views_of(jobs: Sequence[ServedJob], target: str) -> tuple[View, ...]:
    """Return the views whose models serve a target: scores of other ones mean something else."""
    return tuple(sorted({job.view for job in jobs if job.target == target}))


def teachers(
    served: Mapping[str, Sequence[ServedJob]], target: str, views: Sequence[View]
) -> tuple[str, ...]:
    """Name the symbols whose walk-forward tells what scores of these views mean.

    Those that models of just these views serve. Where there is none, as for a symbol that is new to
    a run whose symbols all have models of their own too: those of more views, by the scores that
    these alone would have given.

    Parameters
    ----------
    served
        What serves each symbol of the run.
    """
    by_symbol = {symbol: views_of(jobs, target) for symbol, jobs in sorted(served.items())}
    exact = tuple(symbol for symbol, its in by_symbol.items() if its == tuple(views))
    return exact or tuple(symbol for symbol, its in by_symbol.items() if set(views) < set(its))


def known_times(time_ns: Ints, horizon_bars: int) -> Ints:
    """Return when labels are known at the latest: at the symbol's row a horizon on; else `NEVER`.

    A label by the clock may be known a little earlier on a symbol that lacks bars.
    """
    known = np.full(len(time_ns), NEVER)
    known[: max(0, len(time_ns) - horizon_bars)] = time_ns[horizon_bars:]
    return known


def outcome_table(time_ns: Ints, known_ns: Ints, scores: Floats, outcomes: Floats) -> pa.Table:
    """Return rows that have a score, as `OUTCOMES`; what has no label is never known."""
    is_known = np.isfinite(outcomes) & (known_ns < NEVER)
    columns = (
        time_ns,
        np.where(is_known, known_ns, NEVER),
        scores,
        np.where(is_known, outcomes, 0.0),
    )
    table = pa.table([pa.array(values) for values in columns], schema=OUTCOMES)
    return table.filter(pc.is_finite(table["score"]))


def rows_of(table: pa.Table, symbol: int) -> DelayedRows:
    """Return a symbol's rows for the walk over time."""
    names = ("time_ns", "known_ns", "score", "outcome")
    time_ns, known_ns, scores, outcomes = (table[name].to_numpy() for name in names)
    return DelayedRows(time_ns, known_ns, np.full(len(time_ns), symbol), scores, outcomes)
