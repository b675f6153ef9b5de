"""The net returns behind a model's equity curve, day by day.

A run stores only a few points of a curve. The points in between are recomputed from the
out-of-sample predictions with the evaluation's functions, and must match every stored point.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.errors import ArtifactError, ConfigError
from ray_pipeline.evaluating.ranked import rank_predictions
from ray_pipeline.evaluating.records import EvaluatedJob, EvaluationSettings, Predictions
from ray_pipeline.evaluating.trading import Cohorts, form_cohorts
from ray_pipeline.evaluating.units import predictions_of
from ray_pipeline.notebook.frames import pandas
from ray_pipeline.predicting.trained import TrainedRun
from ray_pipeline.results.reading import Results
from ray_pipeline.results.tables import EQUITY, EVALUATED_JOBS, PREDICTIONS
from ray_pipeline.statistics.portfolio import booked, predecessors, traded_weight

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["daily_returns"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_PER_BPS = 1e-4
_DAY_NS = 86_400 * 10**9
_MOST_TIMES_THE_HORIZON = 32
_TOLERANCE = 1e-9


def daily_returns(
    results: Results, trained: TrainedRun, target: str, job_id: str | None
) -> pd.Series:
    """Return the net returns of a model's portfolio by day.

    Raises
    ------
    ConfigError
        When the target has no model of that name.
    ArtifactError
        When it has no portfolio, or its curve cannot be recomputed.
    """
    row = _evaluated(results, target, job_id)
    kept = results.table(EQUITY, where=("job_id", [row["job_id"]]))
    if kept is None or kept.num_rows == 0:
        raise ArtifactError(f"{results.uri}: {row['job_id']} has no curve: {row['reason']}.")
    settings = EvaluationSettings.from_config(trained.config)
    times, returns = _returns(results, row, settings, kept)
    days, place = np.unique(times // _DAY_NS, return_inverse=True)
    library = pandas()
    found: pd.Series = library.Series(
        np.bincount(place, weights=returns),
        index=library.DatetimeIndex(
            days.astype("datetime64[D]").astype("datetime64[ns]"), name="date"
        ),
        name=row["job_id"],
    )
    return found


def _evaluated(results: Results, target: str, job_id: str | None) -> dict[str, Any]:
    table = results.table(EVALUATED_JOBS)
    rows = [] if table is None else table.to_pylist()
    of_target = [row for row in rows if row["target"] == target]
    if job_id is None:
        pooled = [row for row in of_target if row["symbol"] is None]
        able = [row for row in pooled if row["net"] is not None] or pooled or of_target
        if not able:
            raise ArtifactError(f"{results.uri}: nothing of {target} was evaluated.")
        return dict(able[0])
    for row in of_target:
        if row["job_id"] == job_id:
            return dict(row)
    raise ConfigError(
        f"{results.uri} has no model {job_id!r} of {target}; it has "
        f"{', '.join(row['job_id'] for row in of_target[:5]) or 'none'}."
    )


def _returns(
    results: Results, row: dict[str, Any], settings: EvaluationSettings, kept: pa.Table
) -> tuple[Ints, Floats]:
    """Return when each part of the portfolio was formed, and what it added to the curve."""
    points = kept["ts"].cast(pa.timestamp("ns", "UTC")).cast(pa.int64()).to_numpy()
    curve = kept["net"].to_numpy()
    rows = _predictions(results, row, is_grouped=settings.is_grouped)
    formed: Cohorts | None = None
    for span in _spans(row["horizon_bars"]):
        if formed is None or row["symbol"] is not None:
            job = _job(row, span)
            formed = form_cohorts(rows, rank_predictions(rows, job, settings), job, settings)
        # Across symbols, a label's span only affects which part replaces which.
        cohorts = replace(formed, before=predecessors(formed.positions, span))
        traded = traded_weight(cohorts.weights, cohorts.owners, cohorts.symbols, cohorts.before)
        net = cohorts.gross - traded * settings.cost_bps * _PER_BPS
        n_parts = int((cohorts.before < 0).sum())
        at = np.searchsorted(cohorts.time_ns // 1000, points // 1000)
        if at.max(initial=0) >= len(net):
            continue
        if np.allclose(booked(net, n_parts)[at], curve, rtol=0, atol=_TOLERANCE):
            return cohorts.time_ns, net / n_parts
    raise ArtifactError(
        f"{results.uri}: the curve of {row['job_id']} in {EQUITY} cannot be computed again from "
        f"{PREDICTIONS}: another version of ray_pipeline made it. Run again with this one."
    )


def _spans(horizon_bars: int) -> Iterator[int]:
    """Yield the panel positions that a label may span, the likeliest first.

    A run does not store it: it is the horizon if all symbols share their timestamps, and more if
    others lie in between.
    """
    yield from range(horizon_bars, _MOST_TIMES_THE_HORIZON * horizon_bars + 1)
    yield from range(horizon_bars - 1, 0, -1)


def _job(row: dict[str, Any], span: int) -> EvaluatedJob:
    return EvaluatedJob(
        job_id=row["job_id"],
        target=row["target"],
        view=row["view"],
        symbol=row["symbol"],
        family=row["family"],
        task=row["task"],
        horizon_bars=row["horizon_bars"],
        is_return=True,
        span=span,
        spacing=1.0,
        table="",
    )


def _predictions(results: Results, row: dict[str, Any], *, is_grouped: bool) -> Predictions:
    """Read the predictions that the evaluation used."""
    table = results.files.read_table(PREDICTIONS)
    axis = np.unique(table["ts"].cast(pa.int64()).to_numpy())
    for name in ("target", "view", "family"):
        table = table.filter(pc.equal(table[name], row[name]))
    if row["symbol"] is not None:
        table = table.filter(pc.equal(table["symbol"], row["symbol"]))
    pooled_on = axis if row["view"] == "cross_sectional" else None
    return predictions_of(table, row["job_id"], pooled_on, is_grouped=is_grouped)
