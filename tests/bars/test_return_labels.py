import math

import numpy as np
import pytest

from ray_pipeline.bars import Bars, compute_targets

from .label_paths import MINUTE_BARS, one_target, quiet_bars, sigma_by_hand, step_bars, with_spike
from .samples import constant_bars, random_bars, replace


def power_bars(share_after: float) -> Bars:
    """Return 24 bars with σ = 1/8 at row 20 and a close two bars later at a given multiple.

    The returns m/16 below have a mean of 0 and squares that sum to 19 · (2/16)², so that σ is 1/8
    without any rounding; over four bars a deviation is 1/4.
    """
    sixteenths = [4, -4, 3, -3, 3, -3, 2, -2, *[0] * 12]
    close = 2.0**32 * np.cumprod([1.0, *(1 + m / 16 for m in sixteenths), 1.0, 1.0, 1.0, 1.0])
    close[24] = close[20] * share_after
    return Bars(np.arange(25), *(close.copy() for _ in range(4)), np.ones(25))


class TestForwardReturn:
    def test_by_hand(self) -> None:
        """The close two bars later over this close, NaN where there is none."""
        close = np.array([1.0, 2.0, 4.0, 5.0])
        bars = Bars(np.arange(4), close, close, close, close, np.ones(4))
        np.testing.assert_array_equal(one_target(bars, "fwd_ret_2b"), [3.0, 1.5, np.nan, np.nan])

    def test_missing_close_costs_the_two_rows_that_read_it(self) -> None:
        """The row itself, and the one a horizon earlier; a price below zero is missing too."""
        close = random_bars(60).close.copy()
        close[30], close[40] = np.nan, -1.0
        got = one_target(replace(random_bars(60), close=close), "fwd_ret_3b")
        assert np.flatnonzero(np.isnan(got[:57])).tolist() == [27, 30, 37, 40]

    def test_step_within_a_bar_labels_the_rows_that_see_it_and_no_other(self) -> None:
        """A rise within bar 100 is earned by the closes of rows 97, 98 and 99 over three bars."""
        got = one_target(step_bars(), "fwd_ret_3b")
        assert np.flatnonzero(got > 0.09).tolist() == [97, 98, 99]
        assert np.count_nonzero(abs(got) < 0.002) == 130 - 3 - 3


class TestOpenToClose:
    def test_by_hand(self) -> None:
        """The close two bars later over the next open, NaN where there is none."""
        opens, close = np.array([7.0, 1.0, 2.0, 4.0, 8.0]), np.array([3.0, 5.0, 4.0, 6.0, 2.0])
        bars = Bars(np.arange(5), opens, close, close, close, np.ones(5))
        got = one_target(bars, "fwd_ret_oc_2b")
        np.testing.assert_array_equal(got, [3.0, 2.0, -0.5, np.nan, np.nan])
        got = one_target(bars, "fwd_ret_oc_1b")
        np.testing.assert_array_equal(got, [4.0, 1.0, 0.5, -0.75, np.nan])

    def test_step_within_a_bar_labels_the_rows_that_see_it_and_no_other(self) -> None:
        """A rise from the open of bar 100 on is earned from rows 97, 98 and 99."""
        got = one_target(step_bars(), "fwd_ret_oc_3b")
        assert np.flatnonzero(got > 0.09).tolist() == [97, 98, 99]
        assert np.count_nonzero(abs(got) < 0.002) == 130 - 3 - 3

    def test_gap_before_the_entry_is_not_earned(self) -> None:
        """A rise between close 99 and open 100 is over for who buys at open 100, as row 99 does."""
        bars = step_bars()
        gapped = with_spike(bars, "open", 100, bars.open[100] * 1.1)
        assert np.flatnonzero(one_target(gapped, "fwd_ret_oc_3b") > 0.09).tolist() == [97, 98]
        assert np.flatnonzero(one_target(gapped, "fwd_ret_3b") > 0.09).tolist() == [97, 98, 99]

    def test_missing_price_costs_the_row_that_reads_it(self) -> None:
        """An open that of the row before, a close that of a horizon before: its own row's none."""
        bars = with_spike(with_spike(random_bars(60), "open", 30, np.nan), "close", 40, -1.0)
        got = one_target(bars, "fwd_ret_oc_3b")
        assert np.flatnonzero(np.isnan(got[:57])).tolist() == [29, 37]


class TestZscore:
    @pytest.mark.parametrize(("share", "z"), [(1.25, 1.0), (0.5, -2.0), (1.0, 0.0), (1.75, 3.0)])
    def test_by_hand(self, share: float, z: float) -> None:
        """A return of 1/4 over four bars is one deviation where σ is 1/8."""
        assert one_target(power_bars(share), "ret_zscore_4b")[20] == z

    def test_is_the_forward_return_over_the_deviation(self) -> None:
        """σ is that of the 20 returns up to the row, times the root of the horizon."""
        bars = random_bars(90, seed=8)
        names = ["ret_zscore_7b", "fwd_ret_7b"]
        z, forward = compute_targets(bars, names, **MINUTE_BARS).T
        for row in range(20, 83):
            sigma = sigma_by_hand(bars.close, row)
            assert z[row] == pytest.approx(forward[row] / (sigma * math.sqrt(7)), rel=1e-12)

    def test_exists_where_the_return_and_the_deviation_do(self) -> None:
        """A missing close costs the 21 rows whose σ reads it, and the one a horizon earlier."""
        bars = with_spike(random_bars(120), "close", 60, np.nan)
        for name in ("ret_zscore_3b", "ret_ord_3b"):
            got = one_target(bars, name)
            assert np.flatnonzero(np.isnan(got[20:117])).tolist() == [37, *range(40, 61)], name
            assert np.isnan(one_target(constant_bars(60), name)).all()


class TestOrdinal:
    @pytest.mark.parametrize(
        ("share", "expected"),
        [
            *((0.25, -2), (0.625, -2), (np.nextafter(0.625, 1), -1), (0.875, -1)),
            *((np.nextafter(0.875, 1), 0), (1.0, 0), (np.nextafter(1.125, 0), 0)),
            *((1.125, 1), (np.nextafter(1.375, 0), 1), (1.375, 2), (9.0, 2)),
        ],
    )
    def test_classes_begin_at_half_and_one_and_a_half_deviations(
        self, share: float, expected: int
    ) -> None:
        """A deviation is 1/4: at ±1/8 and ±3/8 the outer class begins, a bit nearer the inner."""
        got = one_target(power_bars(float(share)), "ret_ord_4b")[20]
        assert got == expected
        assert not np.signbit(got) or got < 0.0

    def test_step_labels_the_rows_that_see_it_and_no_other(self) -> None:
        """A rise of a tenth in a market of 0.1 % is class 2 at rows 97, 98 and 99, −2 as a fall."""
        up = one_target(step_bars(), "ret_ord_3b")
        assert np.flatnonzero(abs(up) == 2.0).tolist() == [97, 98, 99]
        assert (up[97:100] == 2.0).all()
        down = replace(quiet_bars(), close=1e4 / step_bars().close)
        assert np.flatnonzero(one_target(down, "ret_ord_3b") == -2.0).tolist() == [97, 98, 99]

    def test_is_the_zscore_rounded_and_cut(self) -> None:
        """Each class is the nearest whole number of deviations, two at most."""
        bars = random_bars(2_000, seed=9, missing_share=0.001)
        names = ["ret_ord_5b", "ret_zscore_5b"]
        order, z = compute_targets(bars, names, **MINUTE_BARS).T
        np.testing.assert_array_equal(order, np.clip(np.rint(z), -2, 2))
        assert set(order[np.isfinite(order)]) == {-2.0, -1.0, 0.0, 1.0, 2.0}
