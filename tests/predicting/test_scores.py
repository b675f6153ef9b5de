"""Scores by hand: places averaged over families, then views; rows, nulls, quantiles, replay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ray_pipeline.panel.table import SymbolTable
from ray_pipeline.predicting.scoring import replay, score_table, scores_schema
from ray_pipeline.records import View
from ray_pipeline.training.models import TrainedModel
from ray_pipeline.training.served_jobs import ServedJob

DAY = 86_400 * 10**9
TABLE = SymbolTable(
    "A",
    DAY * np.arange(5),
    np.array([[0, 10], [1, 20], [2, 30], [3, 40], [4, 50]], dtype=np.float32),
    ("a", "b"),
    np.empty((5, 0)),
    (),
)


class Times:
    """Predicts a multiple of its first feature, and with quantiles one below and one above."""

    importances = np.zeros(1)

    def __init__(self, factor: float) -> None:
        self._factor = factor

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Multiply."""
        return self._factor * X[:, 0].astype(np.float64)

    def to_files(self) -> dict[str, bytes]:
        """Nothing to keep."""
        return {}


class Spread(Times):
    """The same with quantiles."""

    quantiles = (0.1, 0.9)

    def predict_quantiles(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """One less and one more."""
        return np.stack([self.predict(X) - 1, self.predict(X) + 1])


def model(
    name: str, features: tuple[str, ...], scale: list[float], **metadata: Any
) -> TrainedModel:
    """Return a model that predicts its first feature."""
    known = {"job_id": name, "features": list(features), "first_predictable_row": 0, "replay": []}
    known["trained_on"] = {"last_ts": "1970-01-03", "known_ts": "1970-01-04"}
    return TrainedModel(known | metadata, Times(1.0), (), 0, np.array(scale))


def job(target: str, view: View, family: str) -> ServedJob:
    """Return a job whose name is its column."""
    word = "pooled" if view == "cross_sectional" else "own"
    return ServedJob(f"{target}__{word}__{family}", target, view, family, (), (), ())


RIDGE = job("y", "cross_sectional", "ridge")
TREES = job("y", "cross_sectional", "trees")
OWN = job("y", "symbol_specific", "ridge")


def test_both_views_are_averaged_as_ranks() -> None:
    """Pooled families first, then the views: a view with two families has no more weight."""
    models = {
        RIDGE.job_id: model(RIDGE.job_id, ("a",), [0.0, 1.0, 2.0, 3.0]),
        TREES.job_id: model(TREES.job_id, ("b", "a"), [20.0, 30.0]),
        OWN.job_id: model(OWN.job_id, ("a",), [5.0, 6.0]),
    }
    schema = scores_schema(("y",), (RIDGE.job_id, TREES.job_id, OWN.job_id))
    table = score_table(TABLE, (RIDGE, TREES, OWN), models, schema, None, in_sample=True).table
    ridge = np.array([0.125, 0.375, 0.625, 0.875, 1.0])
    trees = np.array([0.0, 0.25, 0.75, 1.0, 1.0])
    own = np.zeros(5)
    assert table["y__score"].to_pylist() == (((ridge + trees) / 2 + own) / 2).tolist()
    assert table[RIDGE.job_id].to_pylist() == [0, 1, 2, 3, 4]
    assert table[TREES.job_id].to_pylist() == [10, 20, 30, 40, 50]
    assert table["ts"].cast("int64").to_pylist() == TABLE.time_ns.tolist()


def test_an_average_has_a_column_and_no_second_voice() -> None:
    """Its column is the mean of its members' places; the score is as without it."""
    models = {
        RIDGE.job_id: model(RIDGE.job_id, ("a",), [0.0, 4.0]),
        TREES.job_id: model(TREES.job_id, ("b",), [10.0, 30.0]),
    }
    mean = job("y", "cross_sectional", "rank_average")
    members = tuple(models.values())
    known = {"job_id": mean.job_id, "features": ["b", "a"], "first_predictable_row": 0}
    known["trained_on"] = {"last_ts": "1970-01-02"}
    average = TrainedModel(known, None, members, 0, np.empty(0))
    schema = scores_schema(("y",), (mean.job_id,))
    jobs = (mean, RIDGE, TREES)
    table = score_table(
        TABLE, jobs, models | {mean.job_id: average}, schema, None, in_sample=True
    ).table
    expected = [(0.25 + 0.25) / 2, (0.375 + 0.5) / 2, (0.5 + 0.75) / 2, (0.625 + 1) / 2, 0.875]
    assert table[mean.job_id].to_pylist() == expected
    assert table["y__score"].to_pylist() == expected
    alone = average.predict(np.ascontiguousarray(TABLE.features[:, ::-1]))
    assert alone.tolist() == expected


def test_rows_begin_where_every_feature_has_looked_back_and_where_asked() -> None:
    """The longest lookback counts; a later time cuts more, an earlier one nothing."""
    models = {
        RIDGE.job_id: model(RIDGE.job_id, ("a",), [0.0]),
        TREES.job_id: model(TREES.job_id, ("a",), [0.0], first_predictable_row=2),
    }
    schema = scores_schema(("y",), ())
    for since, first in ((None, 2), (DAY, 2), (3 * DAY - 1, 3), (3 * DAY, 3), (9 * DAY, 5)):
        scores = score_table(TABLE, (RIDGE, TREES), models, schema, since, in_sample=True)
        assert scores.first_row == 2
        assert scores.table["ts"].cast("int64").to_pylist() == TABLE.time_ns[first:].tolist()


def test_a_table_shorter_than_the_lookback_has_no_row() -> None:
    """The first row that could be predicted lies beyond its end."""
    models = {RIDGE.job_id: model(RIDGE.job_id, ("a",), [0.0], first_predictable_row=7)}
    scores = score_table(
        TABLE, (RIDGE,), models, scores_schema(("y",), (RIDGE.job_id,)), None, in_sample=True
    )
    assert (scores.table.num_rows, scores.first_row) == (0, 7)


def test_every_symbol_has_the_same_columns() -> None:
    """What no job of the symbol fills is null, of the same type."""
    models = {RIDGE.job_id: model(RIDGE.job_id, ("a",), [0.0])}
    schema = scores_schema(("y", "z"), (RIDGE.job_id, "z__own__trees"))
    table = score_table(TABLE, (RIDGE,), models, schema, None, in_sample=True).table
    assert table.schema.equals(schema)
    assert table["z__score"].null_count == table["z__own__trees"].null_count == 5


def test_quantiles_stand_beside_the_prediction() -> None:
    """One column per quantile of a model that has them; the score rests on the median."""
    known = model(RIDGE.job_id, ("a",), [0.0, 4.0])
    spread = TrainedModel(known.metadata, Spread(2.0), (), 0, np.array([0.0, 4.0]))
    names = (RIDGE.job_id, f"{RIDGE.job_id}__q0.1", f"{RIDGE.job_id}__q0.9")
    table = score_table(
        TABLE, (RIDGE,), {RIDGE.job_id: spread}, scores_schema(("y",), names), None, in_sample=True
    )
    low, high = (table.table[name].to_pylist() for name in names[1:])
    assert low == [-1, 1, 3, 5, 7]
    assert high == [1, 3, 5, 7, 9]
    assert table.table["y__score"].to_pylist() == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_the_replay_compares_the_rows_that_are_still_there() -> None:
    """By symbol and time: two rows of A at known times, one of which was predicted otherwise."""
    rows = [
        {"time_ns": DAY, "symbol": "A", "prediction": 1.0},
        {"time_ns": 3 * DAY, "symbol": "A", "prediction": 2.5},
        {"time_ns": 3 * DAY + 1, "symbol": "A", "prediction": 9.0},
        {"time_ns": 9 * DAY, "symbol": "A", "prediction": 9.0},
        {"time_ns": 2 * DAY, "symbol": "B", "prediction": 9.0},
    ]
    found = replay(TABLE, model("m", ("a",), [0.0], replay=rows))
    assert (found.n_compared, found.n_different, found.largest_difference) == (2, 1, 0.5)
    nothing = replay(TABLE, model("m", ("a",), [0.0], replay=rows[2:]))
    assert (nothing.n_compared, nothing.n_different) == (0, 0)


def test_rows_without_their_past_are_not_compared() -> None:
    """A table that begins a few rows before the end of the training has other features there."""
    rows = [{"time_ns": i * DAY, "symbol": "A", "prediction": 9.0} for i in range(5)]
    given = model("m", ("a",), [0.0], replay=rows, first_predictable_row=3)
    assert replay(TABLE, given).n_compared == 2


def test_one_bit_is_a_difference() -> None:
    """Equal up to rounding is not equal: the next number is told."""
    row = {"time_ns": DAY, "symbol": "A", "prediction": float(np.nextafter(1.0, 2.0))}
    found = replay(TABLE, model("m", ("a",), [0.0], replay=[row]))
    assert found.n_different == 1
    assert found.largest_difference == pytest.approx(2.2e-16, rel=0.1)
