"""Tails and ranks to the bits of scipy.stats, which no process of ours imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ray_pipeline.statistics.tails import average_ranks, normal_upper_quantile, t_upper_tail

ROOT = Path(__file__).resolve().parents[2]

_t = st.one_of(st.floats(-50, 50), st.just(float("nan")))
_freedom = st.one_of(
    st.floats(0.5, 1e6), st.sampled_from([float("inf"), float("nan"), 0.0, -1.0, 1.0, 30.0])
)


@given(t=_t, freedom=_freedom)
def test_tail_of_t_is_scipys(t: float, freedom: float) -> None:
    """To the last bit, with infinite and impossible degrees of freedom."""
    np.testing.assert_array_equal(t_upper_tail(t, freedom), stats.t.sf(t, freedom))


@given(p=st.one_of(st.floats(0, 1), st.sampled_from([float("nan"), 0.0, 1.0, 1e-300])))
def test_quantile_of_the_normal_is_scipys(p: float) -> None:
    """To the last bit; infinite at the ends."""
    np.testing.assert_array_equal(normal_upper_quantile(p), stats.norm.isf(p))


def test_tails_of_known_statistics() -> None:
    """Half lies above 0; 12.706 is the 2.5 % point of one degree of freedom, 1.96 the normal's."""
    assert t_upper_tail(0.0, 5.0) == 0.5
    assert t_upper_tail([12.7062, -12.7062], 1.0) == pytest.approx([0.025, 0.975], abs=1e-6)
    assert normal_upper_quantile([0.025, 0.5]) == pytest.approx([1.959964, 0.0], abs=1e-6)


def test_equal_values_share_the_mean_of_their_ranks() -> None:
    """By hand, of numbers, infinite ones among them, and of truth values."""
    assert average_ranks([30.0, 10.0, 20.0, 10.0]).tolist() == [4.0, 1.5, 3.0, 1.5]
    assert average_ranks([np.inf, -np.inf, 0.0, np.inf]).tolist() == [3.5, 1.0, 2.0, 3.5]
    assert average_ranks([True, False, True]).tolist() == [2.5, 1.0, 2.5]
    assert average_ranks([]).tolist() == []
    assert np.isnan(average_ranks([1.0, np.nan])).all()


@given(st.lists(st.one_of(st.integers(-3, 3), st.floats(allow_nan=True)), max_size=30))
def test_ranks_are_scipys(values: list[float]) -> None:
    """To the last bit, NaN included."""
    array = np.array(values, dtype=np.float64)
    np.testing.assert_array_equal(average_ranks(array), stats.rankdata(array))


def test_no_process_of_ours_imports_scipys_statistics() -> None:
    """It takes half a second, of a command and of every worker."""
    program = (
        "import sys, ray_pipeline.pipeline, ray_pipeline.cli; print('scipy.stats' in sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stdout == "False\n"
