"""What live scores were said to mean, beside what came and what the walk-forward had."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from live_tables import TIME, day

from ray_pipeline.calibration.meanings import Meaning
from ray_pipeline.calibration.records import CalibrationRow
from ray_pipeline.monitoring.lines import monitoring_document, monitoring_lines
from ray_pipeline.monitoring.live_figures import live_figures
from ray_pipeline.monitoring.page import render_monitoring
from ray_pipeline.monitoring.records import Monitoring
from ray_pipeline.stages.writing import nulls

N_DAYS, SYMBOLS, HORIZON = 150, ("A", "B", "C", "D", "E"), 2
UP = Meaning("y_up", "binary", HORIZON, 0.9)
RETURN = Meaning("ret", "regression", HORIZON, 0.9)


def _ledger(meaning: Meaning, columns: dict[str, Any], actual: Any) -> pa.Table:
    """Return live rows of one target; the labels of the last days are not known."""
    days = np.repeat(np.arange(N_DAYS), len(SYMBOLS))
    known = days < N_DAYS - HORIZON
    n = len(days)
    table = {
        "ts": pa.array([day(int(i)) for i in days], TIME),
        "symbol": list(SYMBOLS) * N_DAYS,
        "target": [meaning.target] * n,
        "actual": pa.array(np.where(known, actual, np.nan), from_pandas=True),
        "known_ts": pa.array(
            [day(int(i) + HORIZON) if k else None for i, k in zip(days, known, strict=True)], TIME
        ),
    }
    for name in ("prob", "expected", "low", "high"):
        table[name] = pa.array(
            columns.get(name, np.full(n, np.nan)), pa.float64(), from_pandas=True
        )
    return pa.table(table)


def _binary(rng: np.random.Generator, shift: float = 0.0) -> pa.Table:
    true = rng.uniform(0.25, 0.65, N_DAYS * len(SYMBOLS))
    came = (rng.uniform(size=len(true)) < true).astype(np.float64)
    return _ledger(UP, {"prob": true + shift}, came)


def _regression(rng: np.random.Generator, width: float) -> pa.Table:
    came = rng.normal(size=N_DAYS * len(SYMBOLS))
    said = np.zeros(len(came))
    return _ledger(RETURN, {"expected": said, "low": said - width, "high": said + width}, came)


def _before(figure: Any, target: str, predicted: float, observed: float) -> dict[str, Any]:
    nothing = float("nan")
    text = "2020-01-01T00:00:00+00:00"
    row = CalibrationRow(
        *(target, figure, "all", 0, None, text, text, 9_000, 900, 5),
        *(predicted, observed, 0.012, 0.5, 0.2, nothing, nothing),
    )
    return nulls(asdict(row))


def test_live_probabilities_stand_beside_those_of_the_walk_forward() -> None:
    """Rows whose labels are known count, and the run's own figures are kept."""
    before = [_before("probability", "y_up", 0.44, 0.46)]
    (found,) = live_figures(_binary(np.random.default_rng(0)), [UP], before)
    assert (found.target, found.figure) == ("y_up", "probability")
    assert found.n_rows == (N_DAYS - HORIZON) * len(SYMBOLS)
    assert found.n_times == N_DAYS - HORIZON
    assert found.predicted == pytest.approx(0.45, abs=0.02)
    assert abs(found.observed - found.predicted) < 3 * found.std_error
    assert (found.before_predicted, found.before_observed) == (0.44, 0.46)
    assert found.sentence.startswith("Probabilities can be believed: over 740 rows of the ledger")


def test_live_figures_that_are_off_are_said_to_be() -> None:
    """A base rate a quarter lower than was said, and intervals half as wide as they should be."""
    (found,) = live_figures(_binary(np.random.default_rng(1), 0.2), [UP], [])
    assert found.sentence.startswith("Probabilities are off: ")
    assert math.isnan(found.before_observed)
    expected, interval = live_figures(
        _regression(np.random.default_rng(2), 0.8),
        [RETURN],
        [_before("interval", "ret", 0.9, 0.89)],
    )
    assert expected.figure == "expected"
    assert (interval.predicted, interval.before_observed) == (0.9, 0.89)
    assert interval.observed == pytest.approx(0.576, abs=0.05)
    assert interval.sentence.startswith("Intervals are off: they held ")
    (right,) = (
        each
        for each in live_figures(_regression(np.random.default_rng(3), 1.645), [RETURN], [])
        if each.figure == "interval"
    )
    assert right.sentence.startswith("Intervals can be believed: ")
    assert right.width == pytest.approx(3.29)


def test_what_has_no_meaning_or_no_label_yet_has_no_figure() -> None:
    """A ledger of a run without a walk-forward, of other targets, or of today alone."""
    table = _binary(np.random.default_rng(4))
    assert live_figures(table.drop_columns(["prob"]), [UP], []) == []
    assert live_figures(table, [RETURN], []) == []
    today = table.slice(table.num_rows - len(SYMBOLS))
    assert live_figures(today, [UP], []) == []
    silent = table.set_column(
        table.column_names.index("prob"), "prob", pa.nulls(table.num_rows, pa.float64())
    )
    assert live_figures(silent, [UP], []) == []


def test_they_are_told_and_raise_no_alarm() -> None:
    """On the terminal, in the document and on the page, however far they are off."""
    found = Monitoring(
        run="runs/a",
        name="a",
        last_ts="2020-06-01T00:00:00+00:00",
        skills=(),
        history=(),
        drift=(),
        notices=(),
        figures=live_figures(
            _binary(np.random.default_rng(5), 0.2),
            [UP],
            [_before("probability", "y_up", 0.44, 0.46)],
        ),
    )
    assert found.alarms == []
    text = "\n".join(monitoring_lines(found))
    (row,) = found.figures
    assert f"{row.observed:.1%} ± {row.std_error:.1%}" in text
    assert "44.0%, 46.0%" in text
    assert "Probabilities are off" in text
    (document,) = monitoring_document(found)["calibration"]
    assert document == nulls(asdict(row))
    page = render_monitoring(found)
    assert "Can its probabilities be believed?" in page
    assert row.sentence[:60] in page
    bare = render_monitoring(Monitoring("a", "a", "2020-06-01", (), (), (), ()))
    assert 'id="calibration"' not in bare
