"""Sessions found from the time axis, and the features of a bar within its own."""

import numpy as np
import pytest

from ray_pipeline.bars import (
    CATALOGUE,
    FEATURE_SETS,
    Bars,
    compute_features,
    feature_lookback,
)
from ray_pipeline.bars.sessions import Sessions
from ray_pipeline.errors import ConfigError

from .samples import bits, random_bars, real_bars, replace

NAMES = FEATURE_SETS["intraday"]
MINUTE_NS = 60 * 10**9
DAY = np.datetime64("2024-03-04T00:00", "ns")  # a Monday


def times(*spans: tuple[str, int], minutes: int = 30) -> np.ndarray:
    """Return times of bars: from each begin, so many of them."""
    parts = [
        np.datetime64(begin, "ns").astype(np.int64) + np.arange(n) * minutes * MINUTE_NS
        for begin, n in spans
    ]
    return np.concatenate(parts)


def bars_at(time_ns: np.ndarray, seed: int = 0, missing_share: float = 0.0) -> Bars:
    bars = random_bars(len(time_ns), seed, missing_share)
    return Bars(time_ns, bars.open, bars.high, bars.low, bars.close, bars.volume)


def exchange(n_days: int = 12) -> np.ndarray:
    """Return half-hour bars of an exchange that opens 14:30 UTC, with what goes wrong there.

    The third day closes early, the fifth lacks a bar, the sixth lacks its first one; weekends
    have none.
    """
    days = [DAY + np.timedelta64(day, "D") for day in range(n_days) if day % 7 < 5]
    rows = []
    for number, day in enumerate(days):
        n_bars = 7 if number == 2 else 13
        begin = (day + np.timedelta64(14 * 60 + 30, "m")).astype(np.int64)
        of_day = begin + np.arange(n_bars) * 30 * MINUTE_NS
        if number in (4, 5):
            of_day = np.delete(of_day, 6 if number == 4 else 0)
        rows.append(of_day)
    return np.concatenate(rows)


AXES = {
    "exchange": (exchange(), 1800),
    "crypto": (times(("2024-03-04T00:00", 300), minutes=60), 3600),
    "crypto with an outage": (
        times(("2024-03-04T00:00", 50), ("2024-03-06T08:00", 200), minutes=60),
        3600,
    ),
    "futures": (
        times(*((f"2024-03-{day:02}T23:00", 23) for day in range(3, 13)), minutes=60),
        3600,
    ),
    "four hours": (times(("2024-03-04T00:00", 90), minutes=240), 14_400),
}


class TestSessions:
    def test_break_begins_a_session_and_a_lunch_hour_does_not(self) -> None:
        """Tokyo stops for an hour and for the night; a missing bar is not a break either."""
        axis = times(
            ("2024-03-04T00:00", 5),
            ("2024-03-04T03:30", 5),
            ("2024-03-05T00:00", 3),
            ("2024-03-05T02:00", 2),
        )
        sessions = Sessions(axis, 1800)
        np.testing.assert_array_equal(sessions.first_row, [0, 10])
        np.testing.assert_array_equal(sessions.number, [0] * 10 + [1] * 5)

    def test_session_may_cross_midnight(self) -> None:
        """Sydney's summer day begins the evening before in UTC."""
        axis = times(("2024-01-08T23:00", 12), ("2024-01-09T23:00", 12))
        np.testing.assert_array_equal(Sessions(axis, 1800).first_row, [0, 12])

    def test_market_that_never_closes_has_utc_days(self) -> None:
        """Its days are as good as any, once a whole one lies behind."""
        axis = times(("2024-03-04T10:00", 100), minutes=60)
        np.testing.assert_array_equal(Sessions(axis, 3600).first_row, [0, 38, 62, 86])

    def test_weekend_begins_a_session_that_lasts_to_the_second_midnight(self) -> None:
        """Currencies trade from Sunday evening to Friday: no session is shorter than a day."""
        axis = times(("2024-03-01T00:00", 22), ("2024-03-03T22:00", 60), minutes=60)
        np.testing.assert_array_equal(Sessions(axis, 3600).first_row, [0, 22, 48, 72])

    def test_bars_of_four_hours_are_no_breaks(self) -> None:
        """A break is at least three bars long."""
        axis = times(("2024-03-04T00:00", 30), minutes=240)
        np.testing.assert_array_equal(Sessions(axis, 14_400).first_row, [0, 6, 12, 18, 24])


class TestFeaturesByHand:
    def small(self) -> Bars:
        """Return three sessions: two bars, whose begin is not seen; three; and three."""
        axis = times(("2024-03-04T15:00", 2), ("2024-03-05T14:30", 3), ("2024-03-06T14:30", 3))
        opening = np.array([9.0, 10.0, 10.0, 12.0, 13.0, 20.0, 21.0, 19.0])
        close = np.array([10.0, 11.0, 12.0, 13.0, 16.0, 21.0, 19.0, 22.0])
        high, low = np.maximum(opening, close) + 1.0, np.minimum(opening, close) - 1.0
        return Bars(axis, opening, high, low, close, np.array([1.0, 1, 2, 4, 2, 3, 1, 4]))

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("session_hours", [0, 0.5, 1, 0, 0.5, 1]),
            ("session_bars", [0, 1, 2, 0, 1, 2]),
            ("session_position", [np.nan] * 3 + [0, 0.5, 1]),
            ("session_return", np.log([1.2, 1.3, 1.6, 21 / 20, 19 / 20, 22 / 20])),
            ("overnight_gap", np.log([10 / 11] * 3 + [20 / 16] * 3)),
            (
                "session_high_distance",
                np.log([12 / 13, 13 / 14, 16 / 17, 21 / 22, 19 / 22, 22 / 23]),
            ),
            ("session_low_distance", np.log([12 / 9, 13 / 9, 16 / 9, 21 / 19, 19 / 18, 22 / 18])),
            ("session_range_position", [3 / 4, 4 / 5, 7 / 8, 2 / 3, 1 / 4, 4 / 5]),
            ("previous_session_return", [np.nan] * 3 + [np.log(1.6)] * 3),
            ("previous_session_range", [np.nan] * 3 + [np.log(17 / 9)] * 3),
            ("opening_range_position_30", [np.nan, 1.0, 7 / 4, np.nan, 0.0, 1.0]),
            ("session_volume_relative_5", [np.nan] * 6),
        ],
    )
    def test_three_sessions(self, name: str, expected: list[float]) -> None:
        """What is not seen from its begin is missing; the rest is arithmetic."""
        got = compute_features(self.small(), [name], 1800)[:, 0]
        assert np.isnan(got[:2]).all()
        np.testing.assert_allclose(got[2:], expected, rtol=1e-12, atol=1e-12)

    def test_volume_weighted_price_of_the_session(self) -> None:
        """It begins again with each session."""
        bars = self.small()
        typical = (bars.high + bars.low + bars.close) / 3
        rows, traded = slice(5, 8), typical * bars.volume
        average = np.cumsum(traded[rows]) / np.cumsum(bars.volume[rows])
        got = compute_features(bars, ["session_vwap_distance"], 1800)[rows, 0]
        np.testing.assert_allclose(got, np.log(bars.close[rows] / average), rtol=1e-12)

    def test_volume_is_set_beside_the_same_time_of_earlier_sessions(self) -> None:
        """An early close counts with its whole volume, a missing bar with those before it."""
        axis = exchange()
        bars = replace(bars_at(axis), volume=np.ones(len(axis)))
        got = compute_features(bars, ["session_volume_relative_5"], 1800)[:, 0]
        first_row = Sessions(axis, 1800).first_row
        # Day 6 (from 0) and the five before it: the early close is among them, the day without a
        # bar in its middle, and the day whose first bar is missing, so that its second opens it.
        row = first_row[6] + 9
        np.testing.assert_allclose(got[row], np.log(10 / np.mean([10, 7, 10, 9, 10])))
        assert np.isnan(got[: first_row[6]]).all()
        assert np.isfinite(got[first_row[6] :]).all()

    def test_volume_of_a_session_longer_than_those_before(self) -> None:
        """After an outage a session lasts 40 hours: earlier ones count with all of their volume."""
        axis = times(("2024-03-04T00:00", 170), ("2024-03-11T08:00", 45), minutes=60)
        bars = replace(bars_at(axis), volume=np.ones(len(axis)))
        got = compute_features(bars, ["session_volume_relative_5"], 3600)[:, 0]
        np.testing.assert_allclose(got[170 + 30], np.log(31 / np.mean([2, 24, 24, 24, 24])))

    def test_previous_session_may_have_closed_early(self) -> None:
        """The bar's place is told by the length of the session before, and may exceed it."""
        axis = exchange()
        got = compute_features(bars_at(axis), ["session_position"], 1800)[:, 0]
        third = Sessions(axis, 1800).first_row[3]
        np.testing.assert_allclose(got[third : third + 13], np.arange(13) / 6)


class TestCausality:
    @pytest.mark.parametrize("axis", AXES)
    def test_cutting_the_future_off_changes_no_bit(self, axis: str) -> None:
        """While a session lasts, nothing tells when it will end."""
        time_ns, bar_seconds = AXES[axis]
        bars = bars_at(time_ns, seed=3)
        whole = compute_features(bars, NAMES, bar_seconds)
        for cut in range(1, len(bars), 7):
            part = compute_features(bars.rows(0, cut), NAMES, bar_seconds)
            np.testing.assert_array_equal(bits(part), bits(whole[:cut]))

    @pytest.mark.parametrize("axis", AXES)
    def test_cutting_the_past_off_leaves_the_same_bits_or_nothing(self, axis: str) -> None:
        """A value that is there is the right one; it is there at the latest after the lookback."""
        time_ns, bar_seconds = AXES[axis]
        bars = bars_at(time_ns, seed=4, missing_share=0.002)
        whole = compute_features(bars, NAMES, bar_seconds)
        for start in range(1, len(bars), 7):
            part = compute_features(bars.rows(start, len(bars)), NAMES, bar_seconds)
            there = ~np.isnan(part)
            np.testing.assert_array_equal(bits(part[there]), bits(whole[start:][there]))
            for column, name in enumerate(NAMES):
                full = feature_lookback([name], bar_seconds) - 1
                np.testing.assert_array_equal(
                    bits(part[full:, column]), bits(whole[start + full :, column])
                )

    @pytest.mark.parametrize("axis", AXES)
    def test_every_market_has_every_feature(self, axis: str) -> None:
        """Each is defined in most rows once its sessions are there, and no two are the same."""
        time_ns, bar_seconds = AXES[axis]
        values = compute_features(bars_at(time_ns), NAMES, bar_seconds)
        sessions = Sessions(time_ns, bar_seconds)
        for column, name in enumerate(NAMES):
            begun = sessions.number >= CATALOGUE[name].n_sessions
            if begun.any():
                assert np.isfinite(values[begun, column]).mean() > 0.4, name
            assert np.isnan(values[~begun, column]).all(), name

    def test_missing_cells_stay_in_their_sessions(self) -> None:
        """A missing price voids the rest of its session, and what is said of it in the next."""
        axis = exchange()
        bars = bars_at(axis)
        high = bars.high.copy()
        high[15] = np.nan
        got = compute_features(replace(bars, high=high), ["session_high_distance"], 1800)[:, 0]
        np.testing.assert_array_equal(np.flatnonzero(np.isnan(got[13:])) + 13, np.arange(15, 26))


@pytest.mark.real_data
def test_real_market_that_never_closes_has_a_session_a_day() -> None:
    """A year of 5-minute bars: every UTC day but the first is a session of 288 bars."""
    bars = real_bars("binance_usdt_5m_2024", "5m", "BTCUSDT")
    sessions = Sessions(bars.time_ns, 300)
    assert set(np.diff(sessions.first_row)) == {288}
    values = compute_features(bars, NAMES, 300)
    begun = sessions.number >= 6
    assert np.isfinite(values[begun]).mean() > 0.99
    np.testing.assert_allclose(
        values[begun, NAMES.index("overnight_gap")], 0.0, atol=0.01
    )  # there is no night


def test_sessions_need_the_length_of_a_bar() -> None:
    """It is what a break is measured by."""
    with pytest.raises(ConfigError, match="features of sessions need bar_seconds"):
        compute_features(random_bars(10), ["session_hours"])
