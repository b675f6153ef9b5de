"""Ranks of predictions and labels, in either view (pure)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.evaluating.records import (
    NOTHING_MISSING,
    EvaluatedJob,
    EvaluationSettings,
    Predictions,
    WhyNot,
)
from ray_pipeline.statistics.hits import sides
from ray_pipeline.statistics.percentiles import (
    earlier_percentiles,
    known_share,
    percentiles_in_groups,
    quantile_numbers,
)
from ray_pipeline.wording import plural

__all__ = ["Ranked", "rank_predictions"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EARLIER_PER_QUANTILE = 10
"""Earlier predictions that a symbol's own one is placed among, per quantile, at the least."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """Rows as in `Predictions`, all of shape (n_rows,).

    Attributes
    ----------
    percentile
        Of the prediction, in [0, 1]: among the symbols of its timestamp (of its group, if there
        are groups), or among the symbol's earlier predictions; NaN where there are too few.
    outcome
        Of the label: for binary labels less the share of positives known before, else its
        percentile less one half, found in the same way; NaN where unknown.
    quantile
        0 is the lowest, −1 none.
    call, side
        Side that the prediction is on (1 up, 0 down, ½ neither), and that of the label.
    why_not
        Why no row has a quantile, `NOTHING_MISSING` where some have.
    """

    percentile: Floats
    outcome: Floats
    quantile: Ints
    call: Floats
    side: Floats
    why_not: WhyNot

    @property
    def used(self) -> NDArray[np.bool_]:
        """Rows with a quantile and a label, shape (n_rows,)."""
        return (self.quantile >= 0) & np.isfinite(self.outcome)


def rank_predictions(rows: Predictions, job: EvaluatedJob, settings: EvaluationSettings) -> Ranked:
    """Rank each prediction, and each label, using only what was known at its time.

    The names of a timestamp are ranked whether or not their label is known later. A prediction
    is called up above the median, a label is up above its own. Of binary labels as large a share
    is called up as is known to have been up before.
    """
    pooled = job.view == "cross_sectional"
    if pooled:
        percentile, why_not = _across(rows.prediction, rows.cells, settings)
    else:
        percentile, why_not = _over_time(rows.prediction, settings.n_quantiles)
    if job.task == "binary":
        share = known_share(rows.label, rows.positions, job.span)
        outcome, side = rows.label - share, rows.label
        call = sides(percentile, 1.0 - share)
    else:
        outcome = _label_percentile(rows, job, settings, pooled) - 0.5
        side, call = sides(outcome, 0.0), sides(percentile, 0.5)
    return Ranked(
        percentile=percentile,
        outcome=outcome,
        quantile=quantile_numbers(percentile, settings.n_quantiles),
        call=call,
        side=side,
        why_not=why_not,
    )


def _across(prediction: Floats, cells: Ints, settings: EvaluationSettings) -> tuple[Floats, WhyNot]:
    _, inverse, counts = np.unique(cells, return_inverse=True, return_counts=True)
    percentile = percentiles_in_groups(prediction, cells)
    percentile[counts[inverse] < settings.min_names] = np.nan
    most = int(counts.max(initial=0))
    if most >= settings.min_names:
        return percentile, NOTHING_MISSING
    where = "no group of a timestamp" if settings.is_grouped else "no timestamp"
    return percentile, WhyNot(
        "no quantiles",
        f"{where} has more than {plural(most, 'symbol')}, and {settings.min_names} are needed "
        f"for evaluation.n_quantiles={settings.n_quantiles} with "
        f"target_ranking.min_cs={settings.min_cs}",
    )


def _over_time(prediction: Floats, n_quantiles: int) -> tuple[Floats, WhyNot]:
    least = EARLIER_PER_QUANTILE * n_quantiles
    why_not = NOTHING_MISSING
    if len(prediction) <= least:
        why_not = WhyNot(
            "no quantiles",
            f"{plural(len(prediction), 'prediction is', 'predictions are')} too few: the first "
            f"{least} ({EARLIER_PER_QUANTILE} per quantile) are what later ones are placed among",
        )
    return earlier_percentiles(prediction, 1, least), why_not


def _label_percentile(
    rows: Predictions, job: EvaluatedJob, settings: EvaluationSettings, pooled: bool
) -> Floats:
    if not pooled:
        least = EARLIER_PER_QUANTILE * settings.n_quantiles
        return earlier_percentiles(rows.label, job.span, least)
    found = np.full(len(rows.label), np.nan)
    labelled = np.isfinite(rows.label)
    found[labelled] = percentiles_in_groups(rows.label[labelled], rows.cells[labelled])
    return found
