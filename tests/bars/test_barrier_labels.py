import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.bars import Bars, compute_targets

from .label_paths import MINUTE_BARS, one_target, path_after_row_30, quiet_bars, sigma_by_hand
from .samples import bits, constant_bars, random_bars, replace

BARRIER_KINDS = ("y_first_touch", "y_will_peak", "y_will_valley")


def label_by_hand(
    bars: Bars, row: int, kind: str, horizon: int, up_distance: float, down_distance: float
) -> float:
    """Follow the definition bar by bar, for every way to fill the holes."""
    if row < 20 or row + horizon >= len(bars):
        return np.nan
    sigma = sigma_by_hand(bars.close, row)
    if not sigma > 0:
        return np.nan
    upper = bars.close[row] * (1 + up_distance * sigma * math.sqrt(horizon))
    lower = bars.close[row] * (1 - down_distance * sigma * math.sqrt(horizon))
    # A missing high or low may or may not have touched; the outcome counts if all ways agree.
    states = [{"up": False, "down": False, "result": 0.0}]
    for later in range(row + 1, row + 1 + horizon):
        branches = []
        for state in states:
            highs = [False, True] if np.isnan(bars.high[later]) else [bars.high[later] >= upper]
            lows = [False, True] if np.isnan(bars.low[later]) else [bars.low[later] <= lower]
            for up in highs:
                for down in lows:
                    result = state["result"]
                    if result == 0.0 and (up or down):
                        result = 1.0 if not down else -1.0
                        if up and down:
                            at_open = float(bars.open[later] >= upper) - float(
                                bars.open[later] <= lower
                            )
                            result = at_open or np.nan
                    branches.append(
                        {"up": state["up"] or up, "down": state["down"] or down, "result": result}
                    )
        states = [dict(items) for items in {tuple(branch.items()) for branch in branches}]
    field = {"y_first_touch": "result", "y_will_peak": "up", "y_will_valley": "down"}[kind]
    outcomes = {float(state[field]) for state in states}
    return outcomes.pop() if len(outcomes) == 1 else np.nan


class TestBarriers:
    @pytest.mark.parametrize(("field", "value"), [("high", 1.0), ("low", -1.0)])
    def test_jump_labels_the_rows_that_see_it_and_no_other(self, field: str, value: float) -> None:
        """A spike at bar 100 is within three bars of rows 97, 98 and 99 alone."""
        spiked = getattr(quiet_bars(), field).copy()
        spiked[100] += 5.0 * value
        bars = replace(quiet_bars(), **{field: spiked})
        kind = "peak" if value > 0 else "valley"
        hit = one_target(bars, f"y_will_{kind}_3b_2.0")
        assert np.flatnonzero(hit == 1.0).tolist() == [97, 98, 99]
        assert np.isnan(hit[:20]).all()
        assert np.isnan(hit[-3:]).all()
        assert np.count_nonzero(hit == 0.0) == 130 - 23 - 3
        first = one_target(bars, "y_first_touch_3b_2.0")
        np.testing.assert_array_equal(first, hit * value)

    @pytest.mark.parametrize(
        ("nudge", "expected"), [("none", 1.0), ("inwards", 0.0), ("outwards", 1.0)]
    )
    @pytest.mark.parametrize(("kind", "share"), [("peak", 1.25), ("valley", 0.75)])
    def test_barrier_lies_where_the_formula_puts_it(
        self, kind: str, share: float, nudge: str, expected: float
    ) -> None:
        """A price at k·σ·√H = 1 · 0.125 · √4 touches, one a bit nearer to the close does not.

        The returns m/16 below have a mean of 0 and squares that sum to 19 · (2/16)², so that
        σ is 2/16 without any rounding.
        """
        sixteenths = [4, -4, 3, -3, 3, -3, 2, -2, *[0] * 12]
        close = 2.0**32 * np.cumprod([1.0, *(1 + m / 16 for m in sixteenths), *[1.0] * 4])
        level = close[20] * share
        outwards = np.inf if kind == "peak" else 0.0
        if nudge != "none":
            level = np.nextafter(level, outwards if nudge == "outwards" else close[20])
        touching = close.copy()
        touching[22] = level
        bars = Bars(np.arange(25), *(close.copy() for _ in range(4)), np.ones(25))
        bars = replace(bars, **{"high" if kind == "peak" else "low": touching})
        assert one_target(bars, f"y_will_{kind}_4b_1.0")[20] == expected

    @pytest.mark.parametrize(
        ("path", "first", "peak", "valley"),
        [
            ({}, 0.0, 0.0, 0.0),
            ({"high": [1, 1.01, 1, 1]}, 1.0, 1.0, 0.0),
            ({"low": [1, 1, 1, 0.99]}, -1.0, 0.0, 1.0),
            ({"high": [1, 1.01, 1, 1], "low": [1, 1, 0.99, 1]}, 1.0, 1.0, 1.0),
            ({"high": [1, 1, 1.01, 1], "low": [0.99, 1, 1, 1]}, -1.0, 1.0, 1.0),
            # both in one bar: its open decides, or nothing does
            ({"high": [1, 1.01, 1, 1], "low": [1, 0.99, 1, 1]}, np.nan, 1.0, 1.0),
            (
                {"open": [1, 1.005, 1, 1], "high": [1, 1.01, 1, 1], "low": [1, 0.99, 1, 1]},
                1.0,
                1.0,
                1.0,
            ),
            (
                {"open": [1, 0.995, 1, 1], "high": [1, 1.01, 1, 1], "low": [1, 0.99, 1, 1]},
                -1.0,
                1.0,
                1.0,
            ),
            (
                {"open": [1, np.nan, 1, 1], "high": [1, 1.01, 1, 1], "low": [1, 0.99, 1, 1]},
                np.nan,
                1.0,
                1.0,
            ),
            # only highs and lows touch
            ({"open": [1, 1.01, 1, 1], "close": [1, 1, 1, 1.01]}, 0.0, 0.0, 0.0),
            # a missing high could have touched, unless the outcome is settled without it
            ({"high": [1, np.nan, 1, 1]}, np.nan, np.nan, 0.0),
            ({"high": [1.01, np.nan, 1, 1]}, 1.0, 1.0, 0.0),
            ({"high": [np.nan, 1.01, 1, 1]}, 1.0, 1.0, 0.0),
            ({"high": [1, 1, np.nan, 1], "low": [1, 0.99, 1, 1]}, -1.0, np.nan, 1.0),
            ({"high": [np.nan, 1, 1, 1], "low": [1, 0.99, 1, 1]}, np.nan, np.nan, 1.0),
            ({"high": [1, 1.01, 1, 1], "low": [1, 1, np.nan, 1]}, 1.0, 1.0, np.nan),
            ({"low": [1, np.nan, 1, 1]}, np.nan, 0.0, np.nan),
            # the missing low shares the bar of the touch: the open settles it
            (
                {"open": [1, 1.005, 1, 1], "high": [1, 1.01, 1, 1], "low": [1, np.nan, 1, 1]},
                1.0,
                1.0,
                np.nan,
            ),
            ({"high": [1, 1.01, 1, 1], "low": [1, np.nan, 1, 1]}, np.nan, 1.0, np.nan),
            # an open does not stand in for the high that is missing beside it
            ({"open": [1, 1, 1, 1.01], "high": [1, 1, 1, np.nan]}, np.nan, np.nan, 0.0),
            # a missing close inside the interval is not read
            ({"close": [1, np.nan, 1, 1]}, 0.0, 0.0, 0.0),
        ],
    )
    def test_hand_made_paths(
        self, path: dict[str, list[float]], first: float, peak: float, valley: float
    ) -> None:
        """Who touches first, who touches at all, and what missing prices leave open."""
        names = [f"{kind}_4b_1.0" for kind in BARRIER_KINDS]
        got = compute_targets(path_after_row_30(**path), names, **MINUTE_BARS)[30]
        np.testing.assert_array_equal(got, [first, peak, valley])

    @settings(deadline=None, max_examples=60)
    @given(
        seed=st.integers(0, 10_000),
        horizon=st.integers(1, 40),
        multiple=st.sampled_from([0.05, 0.3, 1.0, 2.5]),
        missing_share=st.sampled_from([0.0, 0.01, 0.1]),
    )
    def test_labels_are_those_of_a_plain_loop(
        self, seed: int, horizon: int, multiple: float, missing_share: float
    ) -> None:
        """Skipping by powers of two finds what walking bar by bar finds."""
        bars = random_bars(90, seed, missing_share)
        for kind in BARRIER_KINDS:
            got = one_target(bars, f"{kind}_{horizon}b_{multiple}")
            expected = [
                label_by_hand(bars, row, kind, horizon, multiple, multiple)
                for row in range(len(bars))
            ]
            np.testing.assert_array_equal(got, expected)

    @settings(deadline=None, max_examples=40)
    @given(
        seed=st.integers(0, 10_000),
        horizon=st.integers(1, 40),
        up=st.sampled_from([0.05, 0.5, 2.5]),
        down=st.sampled_from([0.1, 1.0, 2.0]),
        missing_share=st.sampled_from([0.0, 0.03]),
    )
    def test_first_touch_of_unequal_barriers_is_that_of_a_plain_loop(
        self, seed: int, horizon: int, up: float, down: float, missing_share: float
    ) -> None:
        """Each barrier has its own distance: the first of the name is the upper one's."""
        bars = random_bars(90, seed, missing_share)
        got = one_target(bars, f"y_first_touch_{horizon}b_{up}_{down}")
        expected = [
            label_by_hand(bars, row, "y_first_touch", horizon, up, down) for row in range(len(bars))
        ]
        np.testing.assert_array_equal(got, expected)

    @pytest.mark.parametrize(
        ("path", "wide_below", "wide_above"),
        [
            # 0.41 is two deviations: it reaches a barrier at one, not one at four
            ({"high": [1, 1.0041, 1, 1]}, 1.0, 0.0),
            ({"low": [1, 0.9959, 1, 1]}, 0.0, -1.0),
            ({"low": [0.9959, 1, 1, 1], "high": [1, 1, 1.0041, 1]}, 1.0, -1.0),
            ({"low": [0.99, 1, 1, 1], "high": [1, 1, 1.01, 1]}, -1.0, -1.0),
            # both in one bar, but only one of them far enough
            ({"low": [1, 0.9959, 1, 1], "high": [1, 1.0041, 1, 1]}, 1.0, -1.0),
            ({"low": [1, 0.99, 1, 1], "high": [1, 1.01, 1, 1]}, np.nan, np.nan),
            # a low that is missing could have reached either lower barrier
            ({"low": [1, np.nan, 1, 1]}, np.nan, np.nan),
        ],
    )
    def test_unequal_barriers_by_hand(
        self, path: dict[str, list[float]], wide_below: float, wide_above: float
    ) -> None:
        """One deviation above and four below, then the other way round."""
        names = ["y_first_touch_4b_1.0_4.0", "y_first_touch_4b_4.0_1.0"]
        got = compute_targets(path_after_row_30(**path), names, **MINUTE_BARS)[30]
        np.testing.assert_array_equal(got, [wide_below, wide_above])

    def test_equal_distances_are_the_form_with_one(self) -> None:
        """``_0.7_0.7`` and ``_0.7`` are one label."""
        bars = random_bars(300, seed=6, missing_share=0.01)
        names = ["y_first_touch_9b_0.7_0.7", "y_first_touch_9b_0.7"]
        twice, once = compute_targets(bars, names, **MINUTE_BARS).T
        np.testing.assert_array_equal(bits(twice), bits(once))

    def test_market_that_stands_still_has_no_barriers(self) -> None:
        """A deviation of zero, or of rounding errors in steady growth, gives no label."""
        growth = 1.00001 ** np.arange(60.0)
        steady = Bars(np.arange(60), growth, growth, growth, growth, np.ones(60))
        for kind in BARRIER_KINDS:
            assert np.isnan(one_target(constant_bars(60), f"{kind}_3b_1.0")).all()
            assert np.isnan(one_target(steady, f"{kind}_3b_1.0")).all()

    def test_lower_barrier_below_zero_is_never_touched(self) -> None:
        """No price falls by more than all of itself."""
        assert np.nanmax(one_target(random_bars(200), "y_will_valley_9b_1000.0")) == 0.0

    def test_missing_close_voids_the_deviation_of_twenty_one_rows(self) -> None:
        """σ at t reads the closes t−20 … t."""
        close = random_bars(120).close.copy()
        close[60] = np.nan
        got = one_target(replace(random_bars(120), close=close), "y_will_peak_3b_1.0")
        assert np.flatnonzero(np.isnan(got[20:117])).tolist() == list(range(40, 61))
