import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.bars import Bars, compute_targets, target_lookback
from ray_pipeline.bars.clock import find_clock

from .label_paths import FIVE_MINUTES, MINUTE_BARS, one_target, quiet_bars, with_spike
from .samples import FIVE_MINUTES_NS, bits, random_bars, replace

BARRIER_KINDS = ("y_first_touch", "y_will_peak", "y_will_valley")
# name → horizon in bars at five-minute bars with 78 bars to a session
TARGETS = {
    "fwd_ret_12": 12,
    "fwd_ret_5m": 1,
    "fwd_ret_2d": 156,
    "fwd_ret_oc_5m": 1,
    "fwd_ret_oc_60m": 12,
    "ret_zscore_15m": 3,
    "ret_ord_1d": 78,
    "mfe_5m": 1,
    "mfe_11b": 11,
    "mae_1d": 78,
    "mdd_5m": 1,
    "mdd_13b": 13,
    "mdd_1d": 78,
    "mfe_zscore_12": 12,
    "mae_zscore_12": 12,
    "mdd_zscore_32b": 32,
    "y_first_touch_15m_0.8": 3,
    "y_first_touch_60m_2_0.5": 12,
    "y_will_peak_60m_0.5": 12,
    "y_will_valley_37b_1.0": 37,
    "y_first_touch_1b_0.1": 1,
    "y_first_touch_100b_0.3": 100,
}


def session_panel() -> Bars:
    """Return four sessions of 78, 42 (an early close), 78 and 78 five-minute bars.

    Quiet prices; every night the market opens a tenth higher and stays there.
    """
    lengths, day = (78, 42, 78, 78), 86_400 * 10**9
    opening = 14 * 3_600 * 10**9
    times = [n * day + opening + np.arange(m) * FIVE_MINUTES_NS for n, m in enumerate(lengths)]
    level = 1.1 ** np.repeat(np.arange(4), lengths)
    bars = quiet_bars(sum(lengths))
    columns = {field: getattr(bars, field) * level for field in ("open", "high", "low", "close")}
    return replace(bars, time_ns=np.concatenate(times), **columns)


class TestCausality:
    @settings(deadline=None, max_examples=40)
    @given(
        seed=st.integers(0, 10_000),
        start=st.integers(0, 150),
        n_rows=st.integers(1, 350),
        missing_share=st.sampled_from([0.0, 0.01]),
    )
    def test_label_depends_on_its_lookback_and_its_interval_alone(
        self, seed: int, start: int, n_rows: int, missing_share: float
    ) -> None:
        """Cutting past and future changes no bit of a label whose rows are all inside."""
        bars = random_bars(500, seed, missing_share)
        whole = compute_targets(bars, list(TARGETS), **MINUTE_BARS)[start : start + n_rows]
        part = compute_targets(bars.rows(start, start + n_rows), list(TARGETS), **MINUTE_BARS)
        for column, (name, horizon) in enumerate(TARGETS.items()):
            outside = np.r_[
                0 : min(max(target_lookback(name) - 1, 0), n_rows),
                max(n_rows - horizon, 0) : n_rows,
            ]
            assert np.isnan(part[outside, column]).all(), name
            whole[outside, column] = np.nan
            np.testing.assert_array_equal(bits(part[:, column]), bits(whole[:, column]), name)

    @pytest.mark.parametrize(("name", "horizon"), TARGETS.items())
    def test_label_exists_exactly_where_its_rows_do(self, name: str, horizon: int) -> None:
        """Complete bars have a label in every row but the first lookback and last horizon."""
        close = random_bars(400, seed=1).close
        # Without ranges no bar reaches both barriers, which would leave a first touch open.
        bars = replace(random_bars(400), open=close, high=close, low=close, close=close)
        got = one_target(bars, name)
        rows = np.flatnonzero(np.isfinite(got))
        expected = np.arange(max(target_lookback(name) - 1, 0), 400 - horizon)
        np.testing.assert_array_equal(rows, expected)

    @pytest.mark.parametrize("name", TARGETS)
    def test_label_reads_only_closes_of_its_own_row_and_before(self, name: str) -> None:
        """Opens, highs, lows and volumes up to t do not matter to the label at t."""
        bars, row = random_bars(400, seed=2), 150
        fields = ("open", "high", "low", "volume")
        if target_lookback(name) == 0:
            fields = (*fields, "close")
        garbage = {}
        for field in fields:
            garbage[field] = getattr(bars, field).copy()
            garbage[field][: row + 1] *= 17.0
        got = one_target(replace(bars, **garbage), name)
        assert np.isfinite(got[row])
        np.testing.assert_array_equal(bits(got[row:]), bits(one_target(bars, name)[row:]))

    @pytest.mark.parametrize(("name", "horizon"), TARGETS.items())
    def test_label_reads_no_bar_behind_its_horizon(self, name: str, horizon: int) -> None:
        """Absurd prices from bar t+H+1 on leave the label at t as it is."""
        bars, row = random_bars(400, seed=3), 150
        garbage = {}
        for field in ("open", "high", "low", "close", "volume"):
            garbage[field] = getattr(bars, field).copy()
            garbage[field][row + horizon + 1 :] *= 17.0
        got, expected = one_target(replace(bars, **garbage), name), one_target(bars, name)
        np.testing.assert_array_equal(bits(got[: row + 1]), bits(expected[: row + 1]))
        assert not (got[row + 1 :] == expected[row + 1 :]).all()

    def test_label_near_the_end_is_missing_even_if_decided(self) -> None:
        """Whether a label exists must not depend on how it turns out."""
        bars = quiet_bars()
        high = bars.high.copy()
        high[-2] = 200.0
        got = one_target(replace(bars, high=high), "y_will_peak_5b_1.0")
        assert got[-6] == 1.0
        assert np.isnan(got[-5:]).all()


class TestTogether:
    def test_columns_do_not_depend_on_the_company_they_are_in(self) -> None:
        """Labels that share barriers equal those computed alone."""
        names = [f"{kind}_{h}b_{k}" for k in (0.5, 1.0) for h in (3, 12) for kind in BARRIER_KINDS]
        names += ["y_first_touch_3b_0.5_1.0", "y_first_touch_3b_1.0_0.5", *TARGETS]
        bars = random_bars(300, seed=4, missing_share=0.01)
        together = compute_targets(bars, names, **MINUTE_BARS)
        for column, name in enumerate(names):
            np.testing.assert_array_equal(bits(one_target(bars, name)), bits(together[:, column]))

    def test_first_touch_agrees_with_peak_and_valley(self) -> None:
        """Up first implies a peak, down first a valley, none neither."""
        bars = random_bars(600, seed=5)
        names = [f"{kind}_9b_0.7" for kind in BARRIER_KINDS]
        first, peak, valley = compute_targets(bars, names, **MINUTE_BARS).T
        assert (peak[first == 1.0] == 1.0).all()
        assert (valley[first == -1.0] == 1.0).all()
        np.testing.assert_array_equal(first == 0.0, (peak == 0.0) & (valley == 0.0))

    @pytest.mark.parametrize("n_rows", [0, 1, 21, 30])
    def test_too_few_bars_have_no_labels(self, n_rows: int) -> None:
        """A horizon as long as the data, or longer, leaves every row without a label."""
        names = [name for name, horizon in TARGETS.items() if horizon > 30]
        got = compute_targets(random_bars(n_rows), [*names, "y_will_peak_30b_1.0"], **MINUTE_BARS)
        assert got.shape == (n_rows, len(names) + 1)
        assert np.isnan(got).all()

    @pytest.mark.parametrize("value", [0.0, -1.0, np.inf, 1e-300, 1e300])
    def test_impossible_price_gives_no_infinity_and_no_warning(self, value: float) -> None:
        """Zero, negative, infinite and absurd prices end in NaN, silently."""
        for field in ("open", "high", "low", "close"):
            column = getattr(random_bars(300), field).copy()
            column[150] = value
            bars = replace(random_bars(300), **{field: column})
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                got = compute_targets(bars, list(TARGETS), **MINUTE_BARS)
            assert not np.isinf(got).any()


def by_clock(bars: Bars, name: str) -> np.ndarray:
    """Return a label by the clock that the bars themselves tell."""
    return compute_targets(bars, [name], FIVE_MINUTES)[:, 0]


class TestSessions:
    def test_bars_are_counted_across_nights(self) -> None:
        """Two hours before the end of a session are followed by the next one's first bars."""
        bars = session_panel()
        assert find_clock(bars.time_ns, FIVE_MINUTES).session_bars == 78
        without_nights = replace(bars, time_ns=np.arange(len(bars)) * FIVE_MINUTES_NS)
        for name in [name for name in TARGETS if "d_" not in f"{name}_"]:
            got, expected = by_clock(bars, name), one_target(without_nights, name)
            np.testing.assert_array_equal(bits(got), bits(expected), name)

    @pytest.mark.parametrize(
        "name", ["fwd_ret_15m", "mfe_15m", "ret_zscore_15m", "y_will_peak_15m_5.0"]
    )
    def test_night_is_seen_by_the_last_rows_of_a_session(self, name: str) -> None:
        """Three bars from rows 75, 76 and 77 of the first 78 reach into the next session."""
        got = by_clock(session_panel(), name)
        after_nights = [75, 76, 77, 117, 118, 119, 195, 196, 197]
        threshold = {"fwd": 0.09, "mfe": 0.09, "ret": 5.0, "y": 0.5}[name.split("_", maxsplit=1)[0]]
        assert np.flatnonzero(got > threshold).tolist() == after_nights

    def test_open_to_close_leaves_out_the_night_before_its_entry(self) -> None:
        """Who decides at a session's last close enters at the next open, after the jump."""
        got = by_clock(session_panel(), "fwd_ret_oc_15m")
        assert np.flatnonzero(got > 0.09).tolist() == [75, 76, 117, 118, 195, 196]

    def test_day_is_the_same_time_of_the_next_session(self) -> None:
        """An early close shifts nothing: where the time is not reached, the label is missing."""
        bars = session_panel()
        got = by_clock(bars, "fwd_ret_1d")
        assert got[41] == bars.close[78 + 41] / bars.close[41] - 1.0  # the last bar of a half day
        assert got[60] == bars.close[78 + 41] / bars.close[60] - 1.0  # 19 bars after the close
        assert np.isnan(got[61:78]).all()
        assert got[78] == bars.close[120] / bars.close[78] - 1.0
        assert got[119] == bars.close[120 + 41] / bars.close[119] - 1.0

    def test_drawdown_goes_on_over_the_night(self) -> None:
        """A peak in one session and a trough in the next make one fall."""
        bars = session_panel()
        bars = with_spike(with_spike(bars, "high", 76, 200.0), "low", 79, 50.0)
        got = by_clock(bars, "mdd_20m")
        assert np.flatnonzero(got == -0.75).tolist() == [75]
