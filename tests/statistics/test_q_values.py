"""False-discovery rates (computed by scipy) against statsmodels, the definition, a simulation."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from ray_pipeline.statistics.false_discoveries import q_values

_p_values = st.lists(st.one_of(st.floats(0, 1), st.just(float("nan"))), max_size=30)


@pytest.mark.parametrize(("method", "theirs"), [("bh", "fdr_bh"), ("by", "fdr_by")])
@given(values=_p_values)
def test_adjustment_is_statsmodels_over_the_tests_that_were_made(
    method: Literal["bh", "by"], theirs: str, values: list[float]
) -> None:
    """A test that was not made (NaN) has no q-value and makes nobody pay."""
    p = np.array(values)
    made = ~np.isnan(p)
    expected = np.full(len(p), np.nan)
    if made.any():
        expected[made] = multipletests(p[made], method=theirs)[1]
    assert q_values(p, method) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@given(
    values=st.lists(st.floats(0, 1), min_size=1, max_size=30),
    alpha=st.sampled_from([0.01, 0.05, 0.2]),
)
def test_discoveries_are_those_of_the_step_up_procedure(values: list[float], alpha: float) -> None:
    """Benjamini & Hochberg's (1995) definition: the k smallest, of the largest p₍k₎ ≤ k·α/n."""
    p = np.array(values)
    ranks = np.arange(1, len(p) + 1)
    # A p-value on the boundary to the last bit may fall on either side of it.
    assume(np.all(np.abs(np.sort(p) - ranks * alpha / len(p)) > 1e-12))
    below = ranks[np.sort(p) <= ranks * alpha / len(p)]
    n_discoveries = int(below.max()) if len(below) else 0
    assert int(np.sum(q_values(p) <= alpha)) == n_discoveries


def test_hand_computed_q_values() -> None:
    """Benjamini–Hochberg by hand: p·n/rank, made monotone from the largest down."""
    p = np.array([0.04, 0.01, np.nan, 0.03, 0.5])
    assert q_values(p) == pytest.approx([0.16 / 3, 0.04, np.nan, 0.16 / 3, 0.5], nan_ok=True)
    assert q_values(np.empty(0)).tolist() == []


def test_false_discoveries_stay_below_alpha_and_true_ones_are_made() -> None:
    """Of what is called a discovery among 80 noises and 20 truths, at most a twentieth is noise."""
    random = np.random.default_rng(0)
    shares, found = [], []
    for _ in range(300):
        p = random.random(100)
        p[:20] = random.random(20) ** 12
        discoveries = q_values(p) <= 0.05
        shares.append(discoveries[20:].sum() / max(discoveries.sum(), 1))
        found.append(discoveries[:20].mean())
    assert np.mean(shares) < 0.05
    assert np.mean(found) > 0.4
