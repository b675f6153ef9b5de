"""The clocks of hand-made markets, and the rows that labels by the clock look at."""

from collections.abc import Iterable

import numpy as np
import pytest

from ray_pipeline.bars import Bars, compute_targets
from ray_pipeline.bars.clock import MarketClock, find_clock, reach_of_labels
from ray_pipeline.bars.daylight import is_summer
from ray_pipeline.intervals import Interval
from ray_pipeline.records import Horizon

from .samples import bits

MINUTE = 60 * 10**9
HOUR = 60 * MINUTE
DAY = 24 * HOUR
FIVE_MINUTES = Interval(300)
HOUR_AHEAD, DAY_AHEAD = Horizon(12, "bars"), Horizon(1, "sessions")


def days_of(first: str, last: str, *, weekends: bool = False) -> np.ndarray:
    """Return days since 1970, both ends included."""
    days = np.arange(np.datetime64(first), np.datetime64(last) + 1)
    return (days if weekends else days[np.is_busday(days)]).astype(np.int64)


def new_york(days: Iterable[int], closing: dict[int, int] | None = None) -> np.ndarray:
    """Return all five-minute bars from 09:30 to 15:55 in New York; 13:00 closes where asked."""
    times = []
    for day in days:
        summer = bool(is_summer(np.array([day]), "america")[0])
        opening = day * DAY + 14 * HOUR + 30 * MINUTE - (HOUR if summer else 0)
        times.append(opening + np.arange((closing or {}).get(day, 78)) * 5 * MINUTE)
    return np.concatenate(times)


def coins(days: int = 60) -> np.ndarray:
    """Return every five minutes from 2024-01-01 on."""
    start = np.datetime64("2024-01-01").astype("M8[ns]").astype(np.int64)
    return start + np.arange(days * 288) * 5 * MINUTE


def thinned(times: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    return times[np.random.default_rng(seed).random(len(times)) < share]


def ends(times: np.ndarray, horizon: Horizon, clock: MarketClock | None = None) -> np.ndarray:
    return reach_of_labels(times, horizon, clock or find_clock(times, FIVE_MINUTES)).rows


YEAR = new_york(days_of("2024-01-02", "2024-12-31"))


class TestSummer:
    @pytest.mark.parametrize(
        ("rule", "day", "summer"),
        [
            ("america", "2006-04-01", False),
            ("america", "2006-04-02", True),
            ("america", "2006-10-29", False),
            ("america", "2024-03-10", True),
            ("europe", "2024-03-30", False),
            ("europe", "2024-03-31", True),
            ("europe", "2024-10-27", False),
            ("australia", "2024-04-06", True),
            ("australia", "2024-04-07", False),
            ("australia", "2024-10-06", True),
            ("none", "2024-07-01", False),
        ],
    )
    def test_clocks_change_on_the_sundays_of_the_law(
        self, rule: str, day: str, summer: bool
    ) -> None:
        """Dates as the tz database has them."""
        days = np.array([np.datetime64(day)]).astype(np.int64)
        assert is_summer(days, rule).tolist() == [summer]  # type: ignore[arg-type]


class TestSessions:
    def test_a_session_is_what_the_exchange_has_however_few_bars_are_there(self) -> None:
        """78 places from 09:30 to 15:55 in New York, summer and winter, full or a half of them."""
        for times in (YEAR, thinned(YEAR, 0.5), thinned(YEAR, 0.2)):
            clock = find_clock(times, FIVE_MINUTES)
            assert (clock.session_bars, clock.days_per_year) == (78, 261)  # no holidays

    def test_coins_never_close(self) -> None:
        """288 places a day on 365 days, thin ones too."""
        for times in (coins(), thinned(coins(), 0.3)):
            clock = find_clock(times, FIVE_MINUTES)
            assert (clock.session_bars, clock.days_per_year) == (288, 365)

    def test_a_lunch_hour_is_no_time(self) -> None:
        """Tokyo: 09:00 to 11:30 and 12:30 to 15:00 in UTC+9 are 60 places."""
        days = days_of("2024-01-04", "2024-06-28")
        day = np.concatenate([np.arange(30), 42 + np.arange(30)]) * 5 * MINUTE
        times = (days[:, np.newaxis] * DAY + day).ravel()
        clock = find_clock(times, FIVE_MINUTES)
        assert clock.session_bars == 60
        rows = ends(times, HOUR_AHEAD)
        assert rows[24] == 36  # 11:00, across the lunch hour
        assert rows[:-12].tolist() == list(range(12, len(times)))

    @pytest.mark.parametrize(
        ("times", "interval", "periods"),
        [
            (days_of("2020-01-01", "2023-12-31") * DAY, Interval(86_400), (1, 261)),
            (days_of("2020-01-01", "2021-12-31", weekends=True) * DAY, Interval(86_400), (1, 365)),
            (np.arange(200) * 7 * DAY, Interval(7 * 86_400), (1, None)),
            (np.arange(0, 60).astype("M8[M]").astype("M8[ns]").astype(np.int64), Interval(1, "mo"),
             (1, None)),
        ],
    )  # fmt: skip
    def test_bars_of_a_day_or_longer_are_sessions_of_one(
        self, times: np.ndarray, interval: Interval, periods: tuple[int, int | None]
    ) -> None:
        """Every weekday of a year without holidays are 261 days."""
        clock = find_clock(times, interval)
        assert (clock.session_bars, clock.days_per_year) == periods


class TestComplete:
    @pytest.mark.parametrize("times", [YEAR, coins(), coins(5), new_york(range(19_700, 19_702))])
    @pytest.mark.parametrize("horizon", [Horizon(1, "bars"), HOUR_AHEAD, DAY_AHEAD])
    def test_every_bar_there_makes_the_clock_count_rows(
        self, times: np.ndarray, horizon: Horizon
    ) -> None:
        """Without a gap an hour is the next twelve rows, a day as many as a session has."""
        clock = find_clock(times, FIVE_MINUTES)
        bars = horizon.in_bars(clock.session_bars)
        reach = reach_of_labels(times, horizon, clock)
        expected = np.append(np.arange(bars, len(times)), np.full(bars, -1))
        np.testing.assert_array_equal(reach.rows, expected)
        assert reach.n_wanting == 0
        np.testing.assert_array_equal(reach.deadline_ns[:-bars], times[bars:])

    def test_an_hour_goes_on_in_the_next_session_across_an_early_close(self) -> None:
        """From 12:30 of a half day an hour leads to 10:00 of the next session: six bars each."""
        days = days_of("2024-06-24", "2024-07-12")
        half = int(np.datetime64("2024-07-03").astype(np.int64))
        times = new_york(days, {half: 42})
        first = int(np.searchsorted(times, half * DAY))
        rows = ends(times, HOUR_AHEAD)
        assert rows[first + 35] == first + 35 + 12 - 0
        assert rows[:-12].tolist() == list(range(12, len(times)))


class TestGaps:
    def test_the_hour_of_a_thin_symbol_ends_within_sixty_minutes_of_trading(self) -> None:
        """The last bar at or before, at most a quarter of an hour early; else no label."""
        times = thinned(YEAR, 0.4)
        places = np.searchsorted(YEAR, times)
        rows = ends(times, HOUR_AHEAD)
        for row in range(0, len(times) - 40, 97):
            inside = np.flatnonzero((places > places[row]) & (places <= places[row] + 12))
            wanted = -1
            if len(inside) and places[inside[-1]] >= places[row] + 9:
                wanted = inside[-1]
            assert rows[row] == wanted

    def test_a_day_is_the_same_time_of_the_next_session(self) -> None:
        """However few bars lie between: exactly a session of the clock where that bar is there."""
        times = thinned(YEAR, 0.6)
        places = np.searchsorted(YEAR, times)
        rows = ends(times, DAY_AHEAD)
        is_there = np.isin(places + 78, places)
        np.testing.assert_array_equal(places[rows[is_there]], places[is_there] + 78)

    def test_a_missing_bar_is_a_missing_label_of_one_bar(self) -> None:
        """There is no bar within a quarter of five minutes."""
        times = np.delete(coins(10), 100)
        rows = ends(times, Horizon(1, "bars"))
        assert np.flatnonzero(rows < 0).tolist() == [99, len(times) - 1]

    def test_no_label_reaches_over_a_hole(self) -> None:
        """Three weeks without a bar are not a closed market: labels before them are missing."""
        days = days_of("2024-01-02", "2024-04-30")
        days = days[(days < days[30]) | (days >= days[30] + 21)]
        times = new_york(days)
        reach = reach_of_labels(times, DAY_AHEAD, find_clock(times, FIVE_MINUTES))
        assert np.flatnonzero(reach.rows[:-78] < 0).tolist() == list(range(30 * 78 - 78, 30 * 78))

    def test_a_missing_month_is_a_missing_label(self) -> None:
        """Months are the calendar's: of February to May three are 3, whatever is between."""
        months = np.array([0, 1, 3, 4, 5, 6, 7]).astype("M8[M]").astype("M8[ns]").astype(np.int64)
        month_ends = months + 27 * DAY
        rows = reach_of_labels(
            month_ends, Horizon(3, "bars"), find_clock(month_ends, Interval(1, "mo"))
        ).rows
        assert rows.tolist() == [2, 3, 5, 6, -1, -1, -1]

    def test_rows_are_counted_whatever_the_clock_says(self) -> None:
        """``12b`` on a thin symbol is its twelfth row from there."""
        times = thinned(YEAR, 0.3)
        rows = ends(times, Horizon(12))
        assert rows[:-12].tolist() == list(range(12, len(times)))


class TestCausality:
    @pytest.mark.parametrize("times", [thinned(YEAR, 0.5), thinned(coins(), 0.5), YEAR])
    def test_cutting_changes_no_label_whose_horizon_is_inside(self, times: np.ndarray) -> None:
        """With the market's clock given, rows outside a label's interval do not matter."""
        clock = find_clock(times, FIVE_MINUTES)
        close = np.exp(np.random.default_rng(1).normal(0, 0.001, len(times)).cumsum())
        bars = Bars(times, close, close * 1.001, close * 0.999, close, np.ones(len(times)))
        names = ["fwd_ret_60m", "fwd_ret_1d", "mdd_60m", "y_will_peak_60m_1.0", "mfe_1d"]
        whole = compute_targets(bars, names, FIVE_MINUTES, clock)
        cut = len(times) // 3
        part = compute_targets(bars.rows(0, cut), names, FIVE_MINUTES, clock)
        for column, name in enumerate(names):
            horizon = DAY_AHEAD if "1d" in name else HOUR_AHEAD
            reach = reach_of_labels(times, horizon, clock)
            inside = (reach.rows[:cut] >= 0) & (reach.deadline_ns[:cut] <= times[cut - 1])
            got, wanted = part[inside, column], whole[:cut][inside, column]
            np.testing.assert_array_equal(bits(got), bits(wanted))
            assert np.isnan(part[~inside, column]).all()
            assert inside.sum() > 1_000

    def test_who_else_is_there_has_no_say(self) -> None:
        """A clock is found from one symbol's times: there is nothing else to give."""
        alone = ends(YEAR, DAY_AHEAD)
        assert (alone[:-78] == np.arange(78, len(YEAR))).all()


def test_extremes_of_uneven_windows_are_those_of_their_rows() -> None:
    """Every path label on a thin symbol equals the formula over the rows that it sees."""
    times = thinned(YEAR[: 78 * 40], 0.5)
    random = np.random.default_rng(3)
    close = np.exp(random.normal(0, 0.002, len(times)).cumsum())
    high, low = (
        close * (1 + random.random(len(times)) / 200),
        close * (1 - random.random(len(times)) / 200),
    )
    bars = Bars(times, close, high, low, close, np.ones(len(times)))
    names = [
        "fwd_ret_60m",
        "mfe_60m",
        "mae_60m",
        "mdd_60m",
        "fwd_ret_oc_60m",
        "y_first_touch_60m_1.0",
    ]
    got = compute_targets(bars, names, FIVE_MINUTES)
    rows = ends(times, HOUR_AHEAD)
    returns = np.append(np.nan, close[1:] / close[:-1] - 1)
    lengths = set()
    for row in np.flatnonzero(rows >= 0)[::5]:
        inside = slice(row + 1, rows[row] + 1)
        lengths.add(rows[row] - row)
        peaks = np.maximum.accumulate(np.append(close[row], high[inside]))[:-1]
        expected = [
            close[rows[row]] / close[row] - 1,
            high[inside].max() / close[row] - 1,
            low[inside].min() / close[row] - 1,
            min((low[inside] / peaks - 1).min(), 0.0),
            close[rows[row]] / bars.open[row + 1] - 1,
        ]
        np.testing.assert_allclose(got[row, :5], expected, rtol=1e-12, atol=1e-15)
        if row >= 20:
            steps = np.searchsorted(YEAR, times[row]) - np.searchsorted(YEAR, times[row - 20])
            width = np.sqrt(12 / (steps / 20)) * returns[row - 19 : row + 1].std(ddof=1)
            up = np.flatnonzero(high[inside] >= close[row] * (1 + width))
            down = np.flatnonzero(low[inside] <= close[row] * (1 - width))
            first = [part[0] if len(part) else 99 for part in (up, down)]
            if first[0] != first[1]:
                assert got[row, 5] == (1.0 if first[0] < first[1] else -1.0)
            elif first[0] == 99:
                assert got[row, 5] == 0.0
    assert len(lengths) > 5


def test_barriers_of_a_thin_symbol_lie_as_far_as_those_of_the_whole_one() -> None:
    """A return between rows spans more than a bar of the clock: σ·√H allows for it."""
    random = np.random.default_rng(5)
    times = YEAR[: 78 * 60]
    close = np.exp(random.normal(0, 0.002, len(times)).cumsum())
    reached = []
    for kept in (np.ones(len(times), dtype=bool), random.random(len(times)) < 0.5):
        part = close[kept]
        bars = Bars(times[kept], part, part, part, part, np.ones(len(part)))
        z = compute_targets(bars, ["ret_zscore_60m", "ret_zscore_12b"], FIVE_MINUTES)
        reached.append(np.nanstd(z, axis=0))
    whole, thin = reached
    np.testing.assert_allclose(whole[0], whole[1])
    np.testing.assert_allclose(thin, whole, rtol=0.1)
