"""Which of two models is better, by more than what does not matter."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from routing_rows import difference
from scipy import stats

from ray_pipeline.routing.comparison import RoutingThresholds, paired_verdicts
from ray_pipeline.samples.evidence import Evidence

NAN = math.nan
THRESHOLDS = RoutingThresholds(alpha=0.05, min_difference=0.02, method="bh")


def test_p_value_by_hand() -> None:
    """Two-sided, of what exceeds min_difference, times the own families tried."""
    (better,) = paired_verdicts([difference(0.05, 0.01, 50.0)], 2, THRESHOLDS)
    assert better.q_value == pytest.approx(2 * 2 * stats.t.sf(3.0, 50))
    assert better.better == 1
    (worse,) = paired_verdicts([difference(-0.05, 0.01, 50.0)], 2, THRESHOLDS)
    assert worse.q_value == pytest.approx(2 * stats.t.sf(3.0, 50))
    assert worse.better == -1


def test_a_certain_difference_below_the_least_that_matters_is_none() -> None:
    """0.019 with an error of a millionth is not better when 0.02 is asked for."""
    for skill in (0.019, -0.02):
        (verdict,) = paired_verdicts([difference(skill, 1e-6)], 1, THRESHOLDS)
        assert (verdict.q_value, verdict.better) == (1.0, 0)


def test_a_large_uncertain_difference_is_none() -> None:
    """0.5 with an error of 0.5 is chance."""
    (verdict,) = paired_verdicts([difference(0.5, 0.5)], 1, THRESHOLDS)
    assert verdict.q_value > 0.3
    assert verdict.better == 0


def test_a_difference_without_an_error_is_none() -> None:
    """An error of 0 comes from predictions that do not vary: not a certainty."""
    (verdict,) = paired_verdicts([difference(0.5, 0.0)], 1, THRESHOLDS)
    assert (verdict.q_value, verdict.better) == (1.0, 0)
    assert math.isnan(verdict.shrunk)


def test_what_was_not_measured_is_not_tested() -> None:
    """NaN stays NaN and does not weigh on the others."""
    measured = difference(0.06)
    alone = paired_verdicts([measured], 1, THRESHOLDS)[0]
    among = paired_verdicts([Evidence.none(), measured, difference(NAN)], 1, THRESHOLDS)
    assert among[1] == alone
    for unmeasured in (among[0], among[2]):
        assert math.isnan(unmeasured.q_value)
        assert math.isnan(unmeasured.shrunk)
        assert unmeasured.better == 0


def test_false_discoveries_are_controlled_across_symbols() -> None:
    """A p of 0.03 is enough for one symbol, and not for one of ten with nothing to show."""
    lone = difference(0.02 + 0.01 * float(stats.t.isf(0.015, 100)))
    nothing = [difference(0.0)] * 9
    alone = paired_verdicts([lone], 1, THRESHOLDS)[0]
    among = paired_verdicts([lone, *nothing], 1, THRESHOLDS)[0]
    assert (alone.q_value, alone.better) == (pytest.approx(0.03), 1)
    assert (among.q_value, among.better) == (pytest.approx(0.3), 0)


def test_yekutieli_is_stricter() -> None:
    """``by`` multiplies by 1 + 1/2 for two tests."""
    pair = [difference(0.05)] * 2
    strict = RoutingThresholds(0.05, 0.02, "by")
    bh, by = (paired_verdicts(pair, 1, t)[0].q_value for t in (THRESHOLDS, strict))
    assert by == pytest.approx(1.5 * bh)


@given(
    st.lists(
        st.tuples(st.floats(-1, 1), st.floats(1e-4, 1), st.floats(4, 500)),
        min_size=1,
        max_size=8,
    )
)
def test_verdicts_follow_q_shrinkage_and_sign(
    figures: list[tuple[float, float, float]],
) -> None:
    """The sign of the difference where it is significant and large enough, and 0 elsewhere."""
    verdicts = paired_verdicts([difference(*item) for item in figures], 2, THRESHOLDS)
    for (skill, _, _), verdict in zip(figures, verdicts, strict=True):
        assert 0 <= verdict.q_value <= 1
        assert min(0.0, skill) <= verdict.shrunk <= max(0.0, skill)
        counts = verdict.q_value <= 0.05 and abs(verdict.shrunk) > 0.02
        assert verdict.better == ((1 if skill > 0 else -1) if counts else 0)


def test_a_lucky_symbol_with_little_data_is_not_better() -> None:
    """Significant by itself, but nothing in the others speaks for differences of that kind."""
    loose = RoutingThresholds(alpha=0.2, min_difference=0.1, method="bh")
    alike = [difference(0.0)] * 9
    short, long = (
        paired_verdicts([difference(0.6, std_error), *alike], 1, loose)[0]
        for std_error in (0.2, 0.05)
    )
    assert short.q_value <= 0.2
    assert (short.better, long.better) == (0, 1)
