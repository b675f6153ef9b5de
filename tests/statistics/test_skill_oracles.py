"""Skill against the libraries that define it elsewhere: alphalens, scikit-learn and scipy."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from alphalens.performance import factor_information_coefficient
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import roc_auc_score

from ray_pipeline.samples.evidence import PredictedRows, SkillMeasure, evidence_of
from ray_pipeline.statistics.skill import grouped_skill

Floats = NDArray[np.float64]


def _information_coefficients(
    prediction: Floats, actual: Floats, positions: NDArray[np.int64]
) -> pd.Series[float]:
    """Rank IC of each timestamp by alphalens, NaN where a side of it is constant."""
    index = pd.MultiIndex.from_arrays(
        [
            pd.Timestamp("2020-01-01") + pd.to_timedelta(positions, unit="D"),
            np.arange(len(positions)),
        ],
        names=["date", "asset"],
    )
    # alphalens finds forward returns by columns named after a period.
    table = pd.DataFrame({"factor": prediction, "1D": actual}, index=index)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        coefficients: pd.Series[float] = factor_information_coefficient(table)["1D"]
    return coefficients


@hypothesis_settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32),
    n_timestamps=st.integers(2, 20),
    n_distinct=st.sampled_from([3, 1000]),
)
def test_cross_sectional_skill_is_the_rank_ic_of_alphalens(
    seed: int, n_timestamps: int, n_distinct: int
) -> None:
    """Timestamp by timestamp, ties and a varying number of symbols included.

    Where they differ: alphalens has no IC where either side is constant. We have none where the
    labels are (nothing was to be predicted), and 0 where the predictions are (nothing was).
    """
    random = np.random.default_rng(seed)
    positions = np.repeat(np.arange(n_timestamps), random.integers(3, 9, n_timestamps))
    prediction = random.integers(0, n_distinct, len(positions)).astype(float)
    actual = random.integers(0, n_distinct, len(positions)).astype(float)
    expected = _information_coefficients(prediction, actual, positions).to_numpy(copy=True)
    for position in range(n_timestamps):
        here = positions == position
        if np.ptp(prediction[here]) == 0 < np.ptp(actual[here]):
            assert np.isnan(expected[position])
            expected[position] = 0.0
    found = grouped_skill(prediction, actual, positions, "regression")
    assert found.groups.tolist() == np.flatnonzero(~np.isnan(expected)).tolist()
    assert found.skills == pytest.approx(expected[found.groups], abs=1e-12)
    measure = SkillMeasure("cross_sectional", "regression", 1, 1.0, 3)
    mean = evidence_of(measure, PredictedRows(prediction, actual, positions, positions)).skill
    if len(found.groups):
        assert mean == pytest.approx(np.nanmean(expected), abs=1e-12)


@given(
    seed=st.integers(0, 2**32),
    n_rows=st.integers(2, 60),
    n_distinct=st.sampled_from([2, 5, 10_000]),
    base_rate=st.floats(0.1, 0.9),
)
def test_binary_skill_is_the_auc_of_scikit_learn_and_the_u_of_mann_and_whitney(
    seed: int, n_rows: int, n_distinct: int, base_rate: float
) -> None:
    """``2·AUC − 1``, and ``2·U / (n_pos · n_neg) − 1``, ties included."""
    random = np.random.default_rng(seed)
    actual = (random.random(n_rows) < base_rate).astype(float)
    actual[:2] = [0.0, 1.0]
    prediction = random.integers(0, n_distinct, n_rows) + actual
    positive, negative = prediction[actual == 1], prediction[actual == 0]
    skill = grouped_skill(
        prediction, actual, np.zeros(n_rows, dtype=np.int64), "binary", min_rows=2
    ).skills
    assert skill == pytest.approx([2 * roc_auc_score(actual, prediction) - 1], abs=1e-12)
    u = stats.mannwhitneyu(positive, negative, method="asymptotic").statistic
    assert skill == pytest.approx([2 * u / (len(positive) * len(negative)) - 1], abs=1e-12)
