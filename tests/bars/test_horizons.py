import pytest

from ray_pipeline.bars.horizons import resolve_horizon
from ray_pipeline.errors import ConfigError
from ray_pipeline.intervals import Interval
from ray_pipeline.records import Horizon

DAY = 86_400
FIVE_MINUTES, DAILY, MONTHLY = Interval(300), Interval(DAY), Interval(1, "mo")


@pytest.mark.parametrize(
    ("target", "bar_seconds", "session_bars", "bars"),
    [
        ("fwd_ret_60m", 300, 288, 12),
        ("fwd_ret_60min", 300, 288, 12),
        ("fwd_ret_5d", DAY, 1, 5),
        ("fwd_ret_5d", 300, 78, 390),
        ("fwd_ret_1d", 3_600, 7, 7),
        ("fwd_ret_14d", 7 * DAY, 1, 2),
        ("fwd_ret_24h", DAY, 1, 1),
        ("fwd_ret_4h", 300, 78, 48),
        ("fwd_ret_90s", 30, 1, 3),
        ("fwd_ret_12b", 300, 288, 12),
        ("fwd_ret_12", 300, 288, 12),
        ("y_will_peak_60m_0.8", 300, 288, 12),
        ("y_will_peak_60m_2", 300, 288, 12),
        ("y_first_touch_2d_1.0", 300, 78, 156),
        ("y_first_touch_60m_1_2", 300, 288, 12),
        ("y_first_touch_60m_2.0_12", 300, 288, 12),
        ("fwd_ret_oc_5d", DAY, 1, 5),
        ("mfe_zscore_12", 300, 78, 12),
        ("mfe_30m_share_30m", 300, 78, 6),
    ],
)
def test_horizon_comes_from_the_name(
    target: str, bar_seconds: int, session_bars: int, bars: int
) -> None:
    """Minutes and hours are bar time, days are sessions, a last bare number is bars."""
    assert resolve_horizon(target, Interval(bar_seconds), {}).in_bars(session_bars) == bars


@pytest.mark.parametrize(
    ("value", "bars"), [("60m", 12), ("5d", 390), ("7b", 7), (12, 12), ("12", 12)]
)
def test_override_gives_time_sessions_or_bars(value: str | int, bars: int) -> None:
    """``columns.horizons`` takes what a name can hold, and plain numbers of bars."""
    assert resolve_horizon("my_label", FIVE_MINUTES, {"my_*": value}).in_bars(78) == bars


def test_override_beats_the_name_and_the_first_match_wins() -> None:
    """Patterns are tried in the order in which they are written."""
    overrides = {"y_*": 99, "fwd_*": "30m", "fwd_ret_*": 3}
    assert resolve_horizon("fwd_ret_60m", FIVE_MINUTES, overrides) == Horizon(6, "bars")


def test_patterns_tell_capitals_apart() -> None:
    """A pattern matches the same columns on every operating system."""
    assert resolve_horizon("fwd_ret_60m", FIVE_MINUTES, {"FWD_*": 3}) == Horizon(12, "bars")


@pytest.mark.parametrize(
    "target",
    ["y_up", "excess", "ret_ord_5_3", "5m0_up", "y_up_0.8", "y_first_touch_0.5_12"],
)
def test_unknown_horizon_says_how_to_give_it(target: str) -> None:
    """Purging depends on the horizon, so a name without one is an error with the key to set."""
    with pytest.raises(ConfigError, match="does not say how far it looks ahead") as caught:
        resolve_horizon(target, FIVE_MINUTES, {})
    assert f"columns.horizons: {{{target}: 12}}" in str(caught.value)
    assert "purging depends on it" in str(caught.value)


def test_two_horizons_in_a_name_are_ambiguous() -> None:
    """No rule picks one of two lengths: a wrong guess would purge too little."""
    with pytest.raises(ConfigError, match="could look 20d or 60m ahead: its horizon is ambiguous"):
        resolve_horizon("ret_zscore_20d_60m", FIVE_MINUTES, {})


def test_horizon_between_two_bars_is_an_error() -> None:
    """Seven minutes are not a whole number of five-minute bars."""
    message = r"'fwd_ret_7m': a horizon of '7m' is not a whole number of bars of 300 s: .* 1 and 2"
    with pytest.raises(ConfigError, match=message):
        resolve_horizon("fwd_ret_7m", FIVE_MINUTES, {})


@pytest.mark.parametrize("target", ["fwd_ret_60m", "fwd_ret_0d", "fwd_ret_0b", "fwd_ret_0"])
def test_horizon_below_one_bar_is_an_error(target: str) -> None:
    """A label needs at least one later bar."""
    with pytest.raises(ConfigError, match=f"{target}.*is shorter than one bar of {DAY} s"):
        resolve_horizon(target, DAILY, {})


@pytest.mark.parametrize("overrides", [{}, {"fwd_ret_2w": "2w"}])
def test_weeks_are_not_a_horizon(overrides: dict[str, str | int]) -> None:
    """A week has five sessions or seven, so the message offers days instead."""
    with pytest.raises(ConfigError, match=r"'w' is not accepted as a horizon.*such as '10d'"):
        resolve_horizon("fwd_ret_2w", DAILY, overrides)


@pytest.mark.parametrize("value", ["", "soon", "5x", "-3", -3, True, "1.5h"])
def test_override_that_is_no_horizon_is_quoted(value: str | int) -> None:
    """YAML's ``true`` would be one bar; it is refused like every other misfit."""
    with pytest.raises(ConfigError, match=r"columns\.horizons: 'y_\*': .*is not a horizon\. Give"):
        resolve_horizon("y_up", FIVE_MINUTES, {"y_*": value})


def test_override_that_does_not_fit_names_the_pattern_and_the_target() -> None:
    """The key to correct is in the config, not in the column's name."""
    with pytest.raises(ConfigError, match=r"columns\.horizons: 'y_\*': '7m' \(for target 'y_up'\)"):
        resolve_horizon("y_up", FIVE_MINUTES, {"y_*": "7m"})


@pytest.mark.parametrize(
    ("target", "interval", "horizon"),
    [
        ("fwd_ret_3mo", MONTHLY, Horizon(3, "bars")),
        ("fwd_ret_1q", MONTHLY, Horizon(3, "bars")),
        ("fwd_ret_1y", MONTHLY, Horizon(12, "bars")),
        ("fwd_ret_3M", MONTHLY, Horizon(3, "bars")),
        ("fwd_ret_1y", Interval(3, "mo"), Horizon(4, "bars")),
        ("fwd_ret_2y", Interval(12, "mo"), Horizon(2, "bars")),
        ("fwd_ret_2w", Interval(7 * DAY), Horizon(2, "bars")),
        ("fwd_ret_1H", FIVE_MINUTES, Horizon(12, "bars")),
        ("fwd_ret_1day", FIVE_MINUTES, Horizon(1, "sessions")),
        ("fwd_ret_12", FIVE_MINUTES, Horizon(12, "rows")),
        ("y_10y_yield_5d", DAILY, Horizon(5, "bars")),
    ],
)
def test_horizon_in_units_of_time_is_bars_of_the_clock(
    target: str, interval: Interval, horizon: Horizon
) -> None:
    """Months are the calendar's, weeks those of weekly bars; a number of bars is rows."""
    assert resolve_horizon(target, interval, {}) == horizon


@pytest.mark.parametrize(
    ("target", "interval", "message"),
    [
        ("fwd_ret_5M", FIVE_MINUTES, "'5M' is 5 months, .* such as '105d'.* a small m"),
        ("fwd_ret_1y", DAILY, "'1y' is 1 year, .*as many bars of 86400 s as .* such as '252d'"),
        ("fwd_ret_5d", MONTHLY, "not a whole number of bars of 1 month. Give months, such as"),
        ("fwd_ret_1q", Interval(12, "mo"), "'1q' is shorter than one bar of 12 months"),
        ("fwd_ret_4mo", Interval(3, "mo"), "it lies between 1 and 2 bars"),
    ],
)
def test_calendar_that_does_not_fit_the_bars_says_what_does(
    target: str, interval: Interval, message: str
) -> None:
    """A month of daily bars is 21 sessions here and 30 there: nobody guesses."""
    with pytest.raises(ConfigError, match=message):
        resolve_horizon(target, interval, {})
