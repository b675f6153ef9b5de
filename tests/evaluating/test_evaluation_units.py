"""Evaluation as units: a job's table read, its record, and the curves that are left behind."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from prediction_panels import DAY_NS, OWN, POOLED, SETTINGS, panel, persistent
from unit_calls import call

from ray_pipeline.evaluating.comparison import TestRange
from ray_pipeline.evaluating.measure import evaluate_job
from ray_pipeline.evaluating.records import EvaluatedJob, Predictions, Returns
from ray_pipeline.evaluating.units import (
    CurvesSpec,
    EvaluationSpec,
    curves_schema,
    evaluate_unit,
    join_curves,
    read_predictions,
    sliced_returns,
)
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.predictions import predictions_schema

AXIS = "axis.parquet"
TESTED = TestRange(2, 300)


@pytest.fixture
def reader(tmp_path: Path) -> PanelReader:
    """Return a reader on a run directory with an axis that starts two days early."""
    run = RunDirectory(tmp_path / "run")
    run.write_table(AXIS, pa.table({"time_ns": DAY_NS * np.arange(-2, 300)}))
    return PanelReader(str(tmp_path), {}, run)


def write(reader: PanelReader, rows: Predictions, name: str = POOLED.table) -> None:
    """Write rows as training does: by time, then by symbol."""
    order = np.lexsort((rows.symbols, rows.time_ns))
    n_rows = len(order)
    columns: dict[str, Any] = {
        "ts": rows.time_ns[order],
        "symbol": [f"S{i}" for i in rows.symbols[order]],
        "target": ["fwd_ret_1d"] * n_rows,
        "view": ["cross_sectional"] * n_rows,
        "family": ["ridge"] * n_rows,
        "fold": (rows.positions[order] // 100).astype(np.int32),
        "prediction": rows.prediction[order],
        "actual": rows.label[order],
        "standing": np.full(n_rows, 0.5),
    }
    arrays = [
        pa.array(columns[field.name], field.type, from_pandas=True)
        for field in predictions_schema()
    ]
    reader.run.write_table(name, pa.table(arrays, schema=predictions_schema()))


def noisy_panel(seed: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    prediction = persistent(rng, 250, 6, memory=0.8)
    label = 0.01 * (prediction + rng.standard_normal(prediction.shape))
    label[-1] = np.nan
    return panel(prediction, label)


def test_table_is_read_by_symbol_and_time(reader: PanelReader) -> None:
    """Whatever the order of its rows; positions are those on the panel's axis."""
    rows = noisy_panel()
    write(reader, rows)
    found = read_predictions(reader, POOLED, AXIS)
    for name in ("symbols", "time_ns", "prediction", "label"):
        np.testing.assert_array_equal(getattr(found, name), getattr(rows, name))
    np.testing.assert_array_equal(found.positions, rows.positions + 2)
    own = read_predictions(reader, OWN, AXIS)
    np.testing.assert_array_equal(own.positions, np.arange(250 * 6))


def test_rows_on_both_sides_of_a_missing_fold_are_no_neighbours(reader: PanelReader) -> None:
    """A fold that could not be trained leaves a gap that no lag reaches over."""
    rows = noisy_panel()
    kept = rows.positions // 100 != 1
    gap = Predictions(*(getattr(rows, name)[kept] for name in rows.__slots__))
    write(reader, gap)
    stretches = read_predictions(reader, POOLED, AXIS).stretches
    assert (np.diff(stretches[gap.symbols == 0]) == 1).sum() == 1
    assert np.unique(stretches[(gap.symbols == 3) & (gap.positions < 100)]).size == 1
    write(reader, rows)
    assert not np.diff(read_predictions(reader, POOLED, AXIS).stretches).any()


def test_record_is_small_plain_and_that_of_the_rows(reader: PanelReader) -> None:
    """JSON can hold it; its figures are those of `evaluate_job`; curves are in a table."""
    rows = noisy_panel()
    write(reader, rows)
    spec = EvaluationSpec(AXIS, TESTED, (POOLED,), SETTINGS)
    record = call(evaluate_unit, reader, spec)
    expected = evaluate_job(read_predictions(reader, POOLED, AXIS), POOLED, SETTINGS)
    found = record["jobs"][POOLED.job_id]
    assert found["job"] == pytest.approx(asdict(expected.job), nan_ok=True)
    assert len(found["quantiles"]) == 5
    assert json.loads(json.dumps(record))["jobs"].keys() == {POOLED.job_id}
    assert len(json.dumps(record)) < 8_000
    assert expected.curve is not None
    table = reader.run.read_table(record["curves"])
    assert table.schema == curves_schema()
    assert table.column("net").to_pylist() == expected.curve.net.tolist()
    assert table.column("ts").cast(pa.int64()).to_pylist() == expected.curve.time_ns.tolist()


def test_order_of_rows_and_jobs_changes_nothing(reader: PanelReader) -> None:
    """The same bits from a shuffled table, and from a unit with the jobs the other way round."""
    rows = noisy_panel()
    write(reader, rows)
    other = replace(POOLED, job_id="other", horizon_bars=3, span=3)
    first = call(evaluate_unit, reader, EvaluationSpec(AXIS, TESTED, (POOLED, other), SETTINGS))
    table = reader.run.read_table(POOLED.table)
    reader.run.write_table(
        POOLED.table, table.take(np.random.default_rng(1).permutation(len(table)))
    )
    second = call(evaluate_unit, reader, EvaluationSpec(AXIS, TESTED, (other, POOLED), SETTINGS))
    for job_id in (POOLED.job_id, "other"):
        assert json.dumps(first["jobs"][job_id]) == json.dumps(second["jobs"][job_id])


def test_jobs_without_a_portfolio_leave_no_curve(reader: PanelReader) -> None:
    """No empty table is written for them."""
    write(reader, noisy_panel())
    job = replace(POOLED, is_return=False)
    record = call(evaluate_unit, reader, EvaluationSpec(AXIS, TESTED, (job,), SETTINGS))
    assert record["curves"] is None
    assert record["slices"] is None


def test_curves_are_joined_in_their_order(reader: PanelReader) -> None:
    """One table after the other, of one schema."""
    write(reader, noisy_panel())
    jobs: list[EvaluatedJob] = [replace(POOLED, job_id=name) for name in ("b", "a")]
    specs = [EvaluationSpec(AXIS, TESTED, (job,), SETTINGS) for job in jobs]
    tables = [call(evaluate_unit, reader, spec)["curves"] for spec in specs]
    joined = reader.run.read_table(call(join_curves, reader, CurvesSpec(tuple(tables)))["table"])
    assert joined.schema == curves_schema()
    assert joined.column("job_id").unique().to_pylist() == ["b", "a"]


def test_slices_stand_side_by_side_and_keep_all_returns(reader: PanelReader) -> None:
    """A table with a column for each job; a slice sums what was formed in it."""
    write(reader, noisy_panel())
    jobs = tuple(replace(POOLED, job_id=name, span=n) for name, n in (("a", 1), ("b", 3)))
    record = call(evaluate_unit, reader, EvaluationSpec(AXIS, TESTED, jobs, SETTINGS))
    table = reader.run.read_table(record["slices"])
    assert table.column_names == ["a", "b"]
    assert len(table) == TESTED.n_slices == 240
    for job in jobs:
        found = evaluate_job(read_predictions(reader, job, AXIS), job, SETTINGS).returns
        assert found is not None
        assert np.nansum(table.column(job.job_id).to_numpy()) == pytest.approx(found.net.sum())


def test_time_without_returns_is_nothing_between_and_unknown_outside() -> None:
    """By hand: a range of six positions from the second on, returns at three of them."""
    axis = np.arange(10) * DAY_NS
    returns = Returns(np.array([3, 4, 6]) * DAY_NS, np.array([0.1, 0.2, -0.3]))
    found = sliced_returns(returns, axis, TestRange(2, 6))
    np.testing.assert_allclose(found, [np.nan, 0.1, 0.2, 0.0, -0.3, np.nan])


def test_long_ranges_have_slices_of_several_positions() -> None:
    """Of 480 positions two make a slice, the first from the range's own first."""
    tested = TestRange(100, 480)
    assert tested.slices_of(np.array([100, 101, 102, 579])).tolist() == [0, 0, 1, 239]
