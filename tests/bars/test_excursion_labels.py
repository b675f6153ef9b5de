import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.bars import Bars, compute_targets

from .label_paths import (
    MINUTE_BARS,
    one_target,
    path_after_row_30,
    quiet_bars,
    sigma_by_hand,
    with_spike,
)
from .samples import random_bars, replace

KINDS = ("mfe", "mae", "mdd")
NAN = np.nan


def by_hand(bars: Bars, row: int, horizon: int) -> tuple[float, float, float]:
    """Walk through the interval bar by bar; a price that is missing and read makes a NaN."""
    close = bars.close[row] if row + horizon < len(bars) else NAN
    highest, lowest, peak, deepest = -math.inf, math.inf, close, 0.0
    for later in range(row + 1, min(row + 1 + horizon, len(bars))):
        fall = bars.low[later] / peak - 1.0
        deepest = fall if fall < deepest or math.isnan(fall) else deepest
        if not bars.high[later] <= highest:
            highest = bars.high[later] if not math.isnan(highest) else highest
        if not bars.low[later] >= lowest:
            lowest = bars.low[later] if not math.isnan(lowest) else lowest
        if not bars.high[later] <= peak:
            peak = bars.high[later] if not math.isnan(peak) else peak
    return highest / close - 1.0, lowest / close - 1.0, deepest + 0.0 * close


def excursions(bars: Bars, horizon: int) -> np.ndarray:
    names = [f"{kind}_{horizon}b" for kind in KINDS]
    return compute_targets(bars, names, **MINUTE_BARS)


class TestPaths:
    @pytest.mark.parametrize(
        ("path", "mfe", "mae", "mdd"),
        [
            ({}, 0.0, 0.0, 0.0),
            ({"high": [1, 1.5, 1, 1]}, 0.5, 0.0, -1 / 3),
            ({"low": [1, 1, 1, 0.75]}, 0.0, -0.25, -0.25),
            # up, then down: the fall is from the peak, not from the close
            ({"high": [1, 1.5, 1, 1], "low": [1, 1, 1, 0.75]}, 0.5, -0.25, -0.5),
            # down, then up: no fall from a peak that comes later
            ({"high": [1, 1, 1, 1.5], "low": [0.75, 1, 1, 1]}, 0.5, -0.25, -0.25),
            # both in one bar: which came first is not known, so its high is not a peak to its low
            ({"high": [1, 1, 1, 1.5], "low": [1, 1, 1, 0.75]}, 0.5, -0.25, -0.25),
            # a smaller fall from a higher peak is not the deepest one
            ({"high": [1, 1, 2, 1], "low": [0.25, 1, 1, 1.5]}, 1.0, -0.75, -0.75),
            # the price opens away from the close and never comes back
            ({"high": [2, 3, 4, 5], "low": [2, 3, 4, 5]}, 4.0, 1.0, 0.0),
            ({"high": [0.5, 0.25, 0.25, 0.5], "low": [0.5, 0.25, 0.25, 0.5]}, -0.5, -0.75, -0.75),
            # opens and closes within the interval are not read
            ({"open": [1, 9, NAN, 1], "close": [1, NAN, 9, NAN]}, 0.0, 0.0, 0.0),
            # a missing high could have been any peak, but the last one comes before no low
            ({"high": [NAN, 9, 1, 1]}, NAN, 0.0, NAN),
            ({"high": [1, 1, NAN, 1], "low": [1, 0.5, 1, 1]}, NAN, -0.5, NAN),
            ({"high": [1, 1.5, 1, NAN]}, NAN, 0.0, -1 / 3),
            # a missing low could have been any trough
            ({"low": [NAN, 0.5, 1, 1]}, 0.0, NAN, NAN),
            ({"low": [1, 0.5, 1, NAN]}, 0.0, NAN, NAN),
            # prices that are not positive are missing
            ({"low": [1, 0, 1, 1], "high": [1, 1, 1, -1]}, NAN, NAN, NAN),
        ],
    )
    def test_by_hand(
        self, path: dict[str, list[float]], mfe: float, mae: float, mdd: float
    ) -> None:
        """Four bars after a close of 100, as multiples of it."""
        got = excursions(path_after_row_30(**path), 4)[30]
        np.testing.assert_allclose(got, [mfe, mae, mdd], rtol=1e-15, atol=0.0)

    def test_planted_spikes_label_the_rows_that_see_them_and_no_other(self) -> None:
        """A spike at bar 100 is within three bars of rows 97, 98 and 99 alone.

        To row 97 an upward one is not a drawdown, as the interval ends before the price comes back.
        """
        up = excursions(with_spike(quiet_bars(), "high", 100, 110.0), 3)
        down = excursions(with_spike(quiet_bars(), "low", 100, 90.0), 3)
        seen = [np.flatnonzero(abs(column) > 0.05).tolist() for column in (*up.T, *down.T)]
        assert seen == [[97, 98, 99], [], [98, 99], [], [97, 98, 99], [97, 98, 99]]
        assert (up[97:100, 0] > 0.05).all()
        assert (up[98:100, 2] < -0.05).all()
        assert (down[97:100, 1:] < -0.05).all()

    def test_missing_price_costs_the_rows_that_read_it(self) -> None:
        """A high those before it, for drawdowns without the earliest; a close its own row."""
        bars = with_spike(random_bars(60), "high", 20, NAN)
        bars = with_spike(with_spike(bars, "low", 40, 0.0), "close", 50, NAN)
        is_missing = np.isnan(excursions(bars, 3)[:57])
        missing = [np.flatnonzero(column).tolist() for column in is_missing.T]
        assert missing == [[17, 18, 19, 50], [37, 38, 39, 50], [18, 19, 37, 38, 39, 50]]


class TestProperties:
    @settings(deadline=None, max_examples=60)
    @given(
        seed=st.integers(0, 10_000),
        horizon=st.integers(1, 40),
        missing_share=st.sampled_from([0.0, 0.02]),
    )
    def test_excursions_are_those_of_a_plain_loop(
        self, seed: int, horizon: int, missing_share: float
    ) -> None:
        """Blocks of powers of two find what walking bar by bar finds, to the last bit."""
        bars = random_bars(90, seed, missing_share)
        expected = [by_hand(bars, row, horizon) for row in range(len(bars))]
        np.testing.assert_array_equal(excursions(bars, horizon), expected)

    @settings(deadline=None, max_examples=40)
    @given(seed=st.integers(0, 10_000), horizon=st.integers(1, 60))
    def test_order_of_the_labels(self, seed: int, horizon: int) -> None:
        """The drawdown ≤ mae ≤ the return ≤ mfe; a longer interval reaches as far or farther."""
        bars = random_bars(200, seed)
        mfe, mae, mdd = excursions(bars, horizon)[: 200 - horizon - 1].T
        forward = one_target(bars, f"fwd_ret_{horizon}b")[: 200 - horizon - 1]
        assert (mdd <= np.minimum(mae, 0.0)).all()
        assert (mae <= forward).all()
        assert (forward <= mfe).all()
        farther = excursions(bars, horizon + 1)[: 200 - horizon - 1].T
        assert (farther[0] >= mfe).all()
        assert (farther[1:] <= [mae, mdd]).all()

    @settings(deadline=None, max_examples=30)
    @given(seed=st.integers(0, 10_000), horizon=st.integers(1, 40))
    def test_whether_a_label_exists_does_not_depend_on_its_outcome(
        self, seed: int, horizon: int
    ) -> None:
        """Other prices in the cells that are there leave the same labels missing."""
        one, other = random_bars(90, 1, 0.03), random_bars(90, seed)
        fields = ("open", "high", "low", "close")
        holes = {
            field: np.where(np.isnan(getattr(one, field)), NAN, getattr(other, field))
            for field in fields
        }
        got, same = excursions(one, horizon), excursions(replace(other, **holes), horizon)
        np.testing.assert_array_equal(np.isnan(got), np.isnan(same))

    @pytest.mark.parametrize("multiple", [0.3, 1.0, 2.0])
    def test_peak_is_reached_where_the_excursion_reaches_it(self, multiple: float) -> None:
        """y_will_peak says mfe_zscore ≥ k, y_will_valley mae_zscore ≤ −k."""
        names = ["mfe_zscore_9b", "mae_zscore_9b"]
        names += [f"y_will_{kind}_9b_{multiple}" for kind in ("peak", "valley")]
        got = compute_targets(random_bars(900, seed=7), names, **MINUTE_BARS)
        mfe, mae, peak, valley = got[np.isfinite(got).all(axis=1)].T
        assert len(peak) == 900 - 20 - 9
        np.testing.assert_array_equal(peak == 1.0, mfe >= multiple)
        np.testing.assert_array_equal(valley == 1.0, mae <= -multiple)

    def test_zscores_are_excursions_in_trailing_deviations(self) -> None:
        """Each over σ·√H, and missing where either is."""
        bars = with_spike(random_bars(90, seed=8), "close", 50, NAN)
        names = [f"{kind}_zscore_7b" for kind in KINDS]
        got = compute_targets(bars, names, **MINUTE_BARS)
        assert np.isnan(got[[*range(20), *range(50, 71), *range(83, 90)]]).all()
        for row in (*range(20, 50), *range(71, 83)):
            width = sigma_by_hand(bars.close, row) * math.sqrt(7)
            assert got[row] == pytest.approx(excursions(bars, 7)[row] / width, rel=1e-12)
