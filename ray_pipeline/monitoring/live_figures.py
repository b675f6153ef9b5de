"""Probabilities and intervals of live predictions, compared with those of the walk-forward."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ray_pipeline.calibration.meanings import Meaning
from ray_pipeline.calibration.measuring import ToldRows
from ray_pipeline.calibration.records import CalibrationRow
from ray_pipeline.calibration.units import measured
from ray_pipeline.monitoring.records import LiveFigure
from ray_pipeline.results.calibration import calibration_sentences
from ray_pipeline.statistics.reliability import label_reach

__all__ = ["live_figures"]


def live_figures(
    ledger: pa.Table, meanings: Iterable[Meaning], before: Iterable[Mapping[str, Any]]
) -> list[LiveFigure]:
    """Measure live predictions in the same way as a run measures its walk-forward.

    Parameters
    ----------
    ledger
        Live predictions with their outcomes.
    meanings
        Outcomes to which the scores of targets are calibrated.
    before
        Rows of the run's ``evaluation/calibration.parquet``.
    """
    if not {"known_ts", "prob", "expected", "low", "high"} <= set(ledger.column_names):
        return []
    known = {(row["target"], row["figure"]): row for row in before if row["part"] == "all"}
    found = []
    for meaning in meanings:
        rows = measured(_told(ledger, meaning), meaning)
        sentences = calibration_sentences(map(asdict, rows), "the ledger")
        whole = [row for row in rows if row.part == "all"]
        for row, sentence in zip(whole, sentences, strict=True):
            found.append(_figure(row, known.get((row.target, row.figure), {}), sentence))
    return found


def _told(ledger: pa.Table, meaning: Meaning) -> ToldRows:
    own = ledger.filter(pc.equal(ledger["target"], meaning.target))
    own = own.filter(pc.is_finite(pc.fill_null(own["actual"], np.nan)))
    names = pc.unique(own["symbol"]).sort()
    time_ns, known_ns = (own[name].cast(pa.int64()).to_numpy() for name in ("ts", "known_ts"))
    return ToldRows(
        target=meaning.target,
        names=tuple(names.to_pylist()),
        time_ns=time_ns,
        symbols=pc.index_in(own["symbol"], value_set=names).to_numpy().astype(np.int64),
        outcomes=own["actual"].to_numpy(),
        given=np.column_stack(
            [pc.fill_null(own[name], np.nan).to_numpy() for name in meaning.figures]
        ),
        # Timestamps of the ledger without a label yet count towards a label's span.
        reach=label_reach(np.unique(ledger["ts"].cast(pa.int64()).to_numpy()), time_ns, known_ns),
    )


def _figure(row: CalibrationRow, before: Mapping[str, Any], sentence: str) -> LiveFigure:
    def then(name: str) -> float:
        value = before.get(name)
        return float("nan") if value is None else float(value)

    return LiveFigure(
        target=row.target,
        figure=row.figure,
        n_rows=row.n_rows,
        n_times=row.n_times,
        predicted=row.predicted,
        observed=row.observed,
        std_error=row.std_error,
        width=row.width,
        before_predicted=then("predicted"),
        before_observed=then("observed"),
        before_std_error=then("std_error"),
        before_width=then("width"),
        sentence=sentence,
    )
