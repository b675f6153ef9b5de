"""The labels that models learn: as they are, or compared within their timestamp."""

from __future__ import annotations

import numpy as np
import pytest

from ray_pipeline.families import LabelForm, label_form
from ray_pipeline.samples.learned import LabelComparison, LearnedLabels
from ray_pipeline.samples.walk import fold_problem
from ray_pipeline.statistics.folds import Fold

FOLD = Fold(0, 30, 40)
Z = LabelComparison("z_score", 3)
POSITIONS = np.repeat(np.arange(30), 5)


def _labels(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(len(POSITIONS))


def _learned(
    y: np.ndarray,
    form: LabelForm = "residuals",
    task: str = "regression",
    ends: np.ndarray | None = None,
) -> LearnedLabels:
    reached = POSITIONS + 1 if ends is None else ends
    return LearnedLabels.compared(y, POSITIONS, POSITIONS, reached, task, Z, form)  # type: ignore[arg-type]


def test_raw_labels_are_learned_as_they_are() -> None:
    """The same problem, to the bit, that the rows before a fold gave before there were others."""
    y = _labels()
    y[::7] = np.nan
    for task in ("regression", "ordinal"):
        learned = LearnedLabels.as_they_are(y, POSITIONS + 2, task)  # type: ignore[arg-type]
        found = learned.fold_problem(FOLD, 1, 9)
        expected = fold_problem(y, POSITIONS + 2, task, FOLD, 1, 9)  # type: ignore[arg-type]
        assert found is not None
        assert expected is not None
        assert np.array_equal(found.rows, expected.rows)
        assert found.y is expected.y
        assert (found.task, found.seed, found.weights, found.offsets) == (task, 9, None, None)
    assert LabelComparison.of("raw", 3) is None
    assert LabelComparison.of("rank", 4) == LabelComparison("rank", 4)


def test_equal_timestamps_need_no_weights() -> None:
    """Where every timestamp has as many labels, all rows count alike: the fast path stays."""
    problem = _learned(_labels()).fold_problem(FOLD, 0, 1)
    assert problem is not None
    assert problem.weights is None
    assert problem.task == "regression"


def test_timestamps_count_alike_however_many_symbols_they_have() -> None:
    """Weights of the training rows add up to the same at every timestamp, and have mean 1."""
    y = _labels()
    y[np.flatnonzero(POSITIONS < 15)[::5]] = np.nan  # four symbols there, five later
    problem = _learned(y).fold_problem(FOLD, 0, 1)
    assert problem is not None
    assert problem.weights is not None
    weights = problem.weights[problem.rows]
    assert weights.mean() == pytest.approx(1.0)
    totals = np.bincount(POSITIONS[problem.rows], weights=weights)
    assert totals[totals > 0] == pytest.approx(np.full(np.count_nonzero(totals), totals.max()))


def test_a_timestamp_of_two_symbols_teaches_nothing() -> None:
    """Below `min_labels` its rows are not training rows, labelled as they are."""
    y = _labels()
    y[(POSITIONS == 3) & (np.arange(len(y)) % 5 > 1)] = np.nan
    problem = _learned(y).fold_problem(FOLD, 0, 1)
    assert problem is not None
    assert np.isfinite(y[POSITIONS == 3]).sum() == 2
    assert 3 not in POSITIONS[problem.rows]
    assert 4 in POSITIONS[problem.rows]


def test_a_gap_of_one_symbol_purges_its_whole_timestamp() -> None:
    """Its late label is in the mean and the deviation with which all others are compared."""
    ends = POSITIONS + 1
    ends[np.flatnonzero(POSITIONS == 20)[2]] = 33  # a holiday of that symbol alone
    problem = _learned(_labels(), ends=ends).fold_problem(FOLD, 0, 1)
    assert problem is not None
    assert 20 not in POSITIONS[problem.rows]
    assert {19, 21} <= set(POSITIONS[problem.rows].tolist())
    raw = LearnedLabels.as_they_are(_labels(), ends, "regression").fold_problem(FOLD, 0, 1)
    assert raw is not None
    assert np.count_nonzero(POSITIONS[raw.rows] == 20) == 4


def test_the_embargo_comes_on_top_of_the_latest_end() -> None:
    """A timestamp trains where its latest label plus embargo ends before the fold."""
    problem = _learned(_labels(), ends=POSITIONS + 4).fold_problem(FOLD, 3, 1)
    assert problem is not None
    assert POSITIONS[problem.rows].max() == 22  # 22 + 4 + 3 < 30


def test_binary_labels_take_the_base_rate_as_offset_where_a_family_can() -> None:
    """Labels stay 0 and 1; the log-odds of the timestamp's share come before the model's own."""
    y = (_labels() > 0.3).astype(float)
    learned = _learned(y, "offsets", "binary")
    problem = learned.fold_problem(FOLD, 0, 1)
    assert problem is not None
    assert problem.offsets is not None
    assert problem.task == "binary"
    share = y[POSITIONS == 8].mean()
    assert 0 < share < 1
    assert problem.offsets[POSITIONS == 8] == pytest.approx(np.full(5, np.log(share / (1 - share))))
    assert np.isfinite(problem.offsets[problem.rows]).all()
    assert set(problem.y[problem.rows].tolist()) == {0.0, 1.0}


def test_both_forms_of_binary_labels_train_on_the_same_rows() -> None:
    """Other families get standardised residuals, of the same timestamps and classes."""
    y = (_labels() > 0.3).astype(float)
    offset = _learned(y, "offsets", "binary").fold_problem(FOLD, 0, 1)
    residual = _learned(y, "residuals", "binary").fold_problem(FOLD, 0, 1)
    assert offset is not None
    assert residual is not None
    assert np.array_equal(offset.rows, residual.rows)
    assert residual.task == "regression"
    assert residual.offsets is None
    assert np.array_equal(residual.y[residual.rows] > 0, offset.y[offset.rows] == 1.0)


@pytest.mark.parametrize("form", ["offsets", "residuals"])
def test_a_class_that_hardly_occurs_is_too_little_in_either_form(form: LabelForm) -> None:
    """Four ones among all rows are not a class to learn, though there are rows enough."""
    y = np.zeros(len(POSITIONS))
    y[[0, 5, 10, 15]] = 1.0
    learned = LearnedLabels.compared(
        np.concatenate([y] * 5),
        np.zeros(750, dtype=np.int64),
        np.zeros(750, dtype=np.int64),
        np.zeros(750, dtype=np.int64),
        "binary",
        LabelComparison("z_score", 3),
        form,
    )
    assert learned.at(slice(0, 150)).fold_problem(FOLD, 0, 1) is None
    assert learned.fold_problem(FOLD, 0, 1) is not None


def test_ordinal_labels_are_compared_by_their_values() -> None:
    """Grades become real values: only their order within a timestamp is asked for."""
    problem = _learned(np.round(_labels()), task="ordinal").fold_problem(FOLD, 0, 1)
    assert problem is not None
    assert problem.task == "regression"


def test_families_that_predict_in_the_labels_unit_learn_labels_as_they_are() -> None:
    """A quantile is of use in the unit of the label; every other family compares."""
    assert label_form("lightgbm_quantile") == "as_they_are"
    assert label_form("lightgbm") == "offsets"
    assert label_form("ridge") == "residuals"
    y = _labels()
    learned = _learned(y, "as_they_are")
    assert learned.y is y
    assert learned.weights is None
