"""Sharpe ratios judged by how many trials the run made (pure)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ray_pipeline.evaluating.comparison import Likeness
from ray_pipeline.evaluating.records import EvaluatedRow
from ray_pipeline.statistics.sharpe import (
    SharpeRatio,
    best_ratio_p_value,
    deflated_sharpe_ratio,
    effective_trials,
)

__all__ = ["Trials", "deflate"]


@dataclass(frozen=True, slots=True)
class Trials:
    """The number of attempts that a run made before computing a Sharpe ratio.

    Attributes
    ----------
    n_ranked, n_trained
        (target, view) pairs that were ranked, and those of them with a trained job.
    n_families
        Families that each pair was ranked with.
    n_questions
        (target, view, symbol) that jobs were trained for; no symbol for pooled ones.
    n_jobs, n_searched
        Trained jobs, and trials of their searches for hyperparameters.
    """

    n_ranked: int
    n_trained: int
    n_families: int
    n_questions: int
    n_jobs: int
    n_searched: int

    @property
    def n_counted(self) -> int:
        """Every family on every ranked pair, every trained job, every trial of a search."""
        return self.n_ranked * self.n_families + self.n_jobs + self.n_searched

    def n_effective(self, alike: Likeness) -> float:
        """Count the equivalent number of independent trials.

        Families, and trials of a search, are variants of one model of their question; questions
        resemble each other as far as the returns of their models do. Only what was seen counts:
        a pair that was ranked and not trained left no returns, so that it counts as a question
        that resembles no other, and likeness that could not be measured is none. A model that
        was ranked and then trained is one trial.
        """
        families, questions = (
            0.0 if math.isnan(each) else min(1.0, max(0.0, each))
            for each in (alike.families, alike.questions)
        )
        untrained = max(0, self.n_ranked - self.n_trained)
        found = untrained * effective_trials(self.n_families, families)
        if self.n_questions:
            variants = (self.n_jobs + self.n_searched) / self.n_questions
            found += effective_trials(self.n_questions, questions) * effective_trials(
                variants, families
            )
        return max(1.0, found)


def deflate(rows: Sequence[EvaluatedRow], trials: Trials, alike: Likeness) -> list[EvaluatedRow]:
    """Add the deflated figures to every row with a Sharpe ratio.

    The deflated ratio is that of Bailey & López de Prado (2014): the probability that the true one
    is above 0 if the best of so many worthless trials is expected to show
    `EvaluatedRow.sharpe_by_luck`. The p-value is that of the best of them. Worthless ratios lie as
    far apart as the error of one says. How far apart those of the run's jobs lie is not a measure
    of luck: some of them may be worth something.
    """
    n_effective = trials.n_effective(alike)
    return [
        replace(
            _deflated(row, n_effective),
            n_trials=trials.n_counted,
            n_effective_trials=n_effective,
        )
        for row in rows
    ]


def _deflated(row: EvaluatedRow, n_trials: float) -> EvaluatedRow:
    if not np.isfinite(row.sharpe):
        return row
    root = float(np.sqrt(row.periods_per_year))
    found = SharpeRatio(
        row.sharpe / root,
        row.skewness,
        row.kurtosis,
        row.n_periods,
        row.sharpe_std_error / root,
        math.inf if math.isnan(row.sharpe_degrees_of_freedom) else row.sharpe_degrees_of_freedom,
    )
    probability, by_luck = deflated_sharpe_ratio(found, n_trials, found.std_error**2)
    return replace(
        row,
        deflated_sharpe=probability,
        sharpe_by_luck=by_luck * root,
        sharpe_p_value=best_ratio_p_value(found, n_trials),
    )
