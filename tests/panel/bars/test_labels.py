import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.errors import ConfigError
from ray_pipeline.panel.bars import (
    Bars,
    compute_targets,
    is_label_name,
    target_lookback,
    target_task,
)

from .samples import bits, constant_bars, random_bars, real_bars, replace

MINUTE_BARS = {"bar_seconds": 300, "session_bars": 78}
BARRIER_KINDS = ("y_first_touch", "y_will_peak", "y_will_valley")
# name → horizon in bars at five-minute bars with 78 bars to a session
TARGETS = {
    "fwd_ret_12": 12,
    "fwd_ret_5m": 1,
    "fwd_ret_2d": 156,
    "y_first_touch_15m_0.8": 3,
    "y_will_peak_60m_0.5": 12,
    "y_will_valley_37b_1.0": 37,
    "y_first_touch_1b_0.1": 1,
    "y_first_touch_100b_0.3": 100,
}


def one_target(bars: Bars, name: str) -> np.ndarray:
    return compute_targets(bars, [name], **MINUTE_BARS)[:, 0]


def quiet_bars(n_rows: int = 130) -> Bars:
    """Return closes that alternate between 100 and 100.1; highs and lows are the closes."""
    close = np.where(np.arange(n_rows) % 2, 100.1, 100.0)
    return Bars(np.arange(n_rows), *(close.copy() for _ in range(4)), np.ones(n_rows))


def path_after_row_30(**prices: list[float]) -> Bars:
    """Return quiet bars whose prices after row 30 are given, as multiples of its close of 100.

    σ at row 30 is that of 20 returns of about ±0.001, so with k = 1 and H = 4 the barriers lie
    at 100 ± 0.205.
    """
    bars = quiet_bars(35)
    columns = {}
    for field in ("open", "high", "low", "close"):
        columns[field] = getattr(bars, field).copy()
        columns[field][31:] = 100.0 * np.array(prices.get(field, [1.0, 1.0, 1.0, 1.0]))
    return replace(bars, **columns)


def sigma_by_hand(close: np.ndarray, row: int) -> float:
    returns = close[row - 19 : row + 1] / close[row - 20 : row] - 1
    return float(np.std(returns, ddof=1))


def label_by_hand(bars: Bars, row: int, kind: str, horizon: int, multiple: float) -> float:
    """Follow the definition bar by bar, for every way to fill the holes."""
    if row < 20 or row + horizon >= len(bars):
        return np.nan
    sigma = sigma_by_hand(bars.close, row)
    if not sigma > 0:
        return np.nan
    width = multiple * sigma * math.sqrt(horizon)
    upper, lower = bars.close[row] * (1 + width), bars.close[row] * (1 - width)
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


class TestNames:
    @pytest.mark.parametrize(
        ("name", "task", "lookback"),
        [
            ("fwd_ret_5d", "regression", 1),
            ("fwd_ret_12", "regression", 1),
            ("y_first_touch_60m_0.8", "ordinal", 21),
            ("y_will_peak_12b_1", "binary", 21),
            ("y_will_valley_4h_1.25", "binary", 21),
        ],
    )
    def test_name_tells_task_and_lookback(self, name: str, task: str, lookback: int) -> None:
        """A return reads its own close; a barrier reads the closes behind 20 returns."""
        assert is_label_name(name)
        assert target_task(name) == task
        assert target_lookback(name) == lookback

    @pytest.mark.parametrize(
        "name",
        [
            "rsi_14",
            "fwd_ret_",
            "fwd_ret_5y",
            "fwd_ret_5d_0.8",
            "y_will_peak_60m",
            "y_will_peak_60m_",
            "y_will_peak_60m_0",
            "y_will_peak_60m_0.0",
            "y_will_peak_60m_-1",
            "y_will_peak_12_0.8",
            "y_will_dance_60m_0.8",
            "xy_will_peak_60m_0.8",
            "fwd_ret_5d\n",
        ],
    )
    def test_other_names_are_answered_with_the_accepted_forms(self, name: str) -> None:
        """Every function that needs a label says which there are, with examples."""
        assert not is_label_name(name)
        for ask in (target_task, target_lookback, lambda n: one_target(random_bars(30), n)):
            with pytest.raises(ConfigError, match="is no target that bars give") as caught:
                ask(name)
            for form in ("fwd_ret_{h}", "y_first_touch_{h}_{k}", "y_will_peak_60m_0.8", "5d"):
                assert form in str(caught.value)

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("fwd_ret_7m", "not a whole number of bars"),
            ("y_will_peak_1m_0.8", "shorter than one bar"),
            ("y_first_touch_2w_0.8", "'w' is not accepted as a horizon"),
        ],
    )
    def test_horizon_that_bars_cannot_hold_is_an_error(self, name: str, message: str) -> None:
        """The form is right, the length is not: the message is about the length."""
        with pytest.raises(ConfigError, match=message):
            one_target(random_bars(30), name)


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
                label_by_hand(bars, row, kind, horizon, multiple) for row in range(len(bars))
            ]
            np.testing.assert_array_equal(got, expected)

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
                0 : min(target_lookback(name) - 1, n_rows), max(n_rows - horizon, 0) : n_rows
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
        expected = np.arange(target_lookback(name) - 1, 400 - horizon)
        np.testing.assert_array_equal(rows, expected)

    @pytest.mark.parametrize("name", [name for name in TARGETS if name.startswith("y_")])
    def test_label_reads_only_closes_of_its_own_row_and_before(self, name: str) -> None:
        """Opens, highs, lows and volumes up to t do not matter to the label at t."""
        bars, row = random_bars(400, seed=2), 150
        garbage = {}
        for field in ("open", "high", "low", "volume"):
            garbage[field] = getattr(bars, field).copy()
            garbage[field][: row + 1] *= 17.0
        got = one_target(replace(bars, **garbage), name)
        np.testing.assert_array_equal(bits(got[row:]), bits(one_target(bars, name)[row:]))

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
        got = compute_targets(random_bars(n_rows), ["y_will_peak_30b_1.0"], **MINUTE_BARS)
        assert got.shape == (n_rows, 1)
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


@pytest.mark.real_data
class TestRealBars:
    def test_one_deviation_is_reached_about_as_often_up_as_down(self) -> None:
        """A year of crypto: both barriers of one deviation catch 25 to 45 % of the rows."""
        bars = real_bars("binance_usdt_5m_2024", "5m", "BTCUSDT")
        names = [f"{kind}_60m_1.0" for kind in BARRIER_KINDS]
        first, peak, valley = compute_targets(bars, names, bar_seconds=300, session_bars=288).T
        assert 0.25 < np.nanmean(peak) < 0.45
        assert 0.25 < np.nanmean(valley) < 0.45
        assert abs(np.nanmean(first)) < 0.05
        assert np.isnan(peak).sum() == 20 + 12

    def test_bad_tick_is_a_valley_to_the_rows_before_it(self) -> None:
        """LNT's close at half its price halves and doubles the returns around it."""
        bars = real_bars("sp500_daily_2013_2018", "1d", "LNT")
        got = compute_targets(bars, ["fwd_ret_1d"], bar_seconds=86_400, session_bars=1)[:, 0]
        tick = int(np.nanargmin(got)) + 1
        assert got[tick - 1] < -0.45
        assert got[tick] > 0.9

    def test_missing_high_and_low_leave_few_labels_open(self) -> None:
        """DHR lacks one high and low: only labels that no other bar settles are missing."""
        bars = real_bars("sp500_daily_2013_2018", "1d", "DHR")
        names = ["y_will_peak_5d_1.0", "y_will_valley_5d_1.0"]
        got = compute_targets(bars, names, bar_seconds=86_400, session_bars=1)
        missing = np.isnan(got[20:-5]).sum(axis=0)
        assert (missing <= 5).all()
        assert missing.sum() > 0
