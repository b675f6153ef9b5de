import pytest

from ray_pipeline.bars.horizons import interval_seconds, resolve_horizon
from ray_pipeline.errors import ConfigError

DAY = 86_400


@pytest.mark.parametrize(
    ("interval", "seconds"),
    [
        ("1s", 1),
        ("30s", 30),
        ("5m", 300),
        ("5min", 300),
        ("1h", 3_600),
        ("1d", DAY),
        ("2w", 14 * DAY),
    ],
)
def test_interval_is_a_number_and_a_unit(interval: str, seconds: int) -> None:
    """Seconds, minutes (two spellings), hours, days and weeks are known."""
    assert interval_seconds(interval) == seconds


@pytest.mark.parametrize("interval", ["", "5", "m", "0m", "-5m", "5x", "5 m", "1.5h", "5M", "٥m"])
def test_unknown_interval_says_what_is_needed(interval: str) -> None:
    """Anything else, a foreign script's digits included, is refused with the accepted forms."""
    with pytest.raises(ConfigError, match=r"Unknown interval .*such as 30s, 5m, 1h, 1d or 1w\."):
        interval_seconds(interval)


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
    assert resolve_horizon(target, bar_seconds, session_bars, {}) == bars


@pytest.mark.parametrize(
    ("value", "bars"), [("60m", 12), ("5d", 390), ("7b", 7), (12, 12), ("12", 12)]
)
def test_override_gives_time_sessions_or_bars(value: str | int, bars: int) -> None:
    """``columns.horizons`` takes what a name can hold, and plain numbers of bars."""
    assert resolve_horizon("my_label", 300, 78, {"my_*": value}) == bars


def test_override_beats_the_name_and_the_first_match_wins() -> None:
    """Patterns are tried in the order in which they are written."""
    overrides = {"y_*": 99, "fwd_*": "30m", "fwd_ret_*": 3}
    assert resolve_horizon("fwd_ret_60m", 300, 78, overrides) == 6


def test_patterns_tell_capitals_apart() -> None:
    """A pattern matches the same columns on every operating system."""
    assert resolve_horizon("fwd_ret_60m", 300, 78, {"FWD_*": 3}) == 12


@pytest.mark.parametrize(
    "target",
    ["y_up", "excess", "ret_ord_5_3", "fwd_ret_5y", "5m0_up", "y_up_0.8", "y_first_touch_0.5_12"],
)
def test_unknown_horizon_says_how_to_give_it(target: str) -> None:
    """Purging depends on the horizon, so a name without one is an error with the key to set."""
    with pytest.raises(ConfigError, match="does not say how far it looks ahead") as caught:
        resolve_horizon(target, 300, 78, {})
    assert f"columns.horizons: {{{target}: 12}}" in str(caught.value)
    assert "purging depends on it" in str(caught.value)


def test_two_horizons_in_a_name_are_ambiguous() -> None:
    """No rule picks one of two lengths: a wrong guess would purge too little."""
    with pytest.raises(ConfigError, match="could look 20d or 60m ahead: its horizon is ambiguous"):
        resolve_horizon("ret_zscore_20d_60m", 300, 78, {})


def test_horizon_between_two_bars_is_an_error() -> None:
    """Seven minutes are no whole number of five-minute bars."""
    message = r"'fwd_ret_7m': a horizon of '7m' is not a whole number of bars of 300 s: .* 1 and 2"
    with pytest.raises(ConfigError, match=message):
        resolve_horizon("fwd_ret_7m", 300, 78, {})


@pytest.mark.parametrize("target", ["fwd_ret_60m", "fwd_ret_0d", "fwd_ret_0b", "fwd_ret_0"])
def test_horizon_below_one_bar_is_an_error(target: str) -> None:
    """A label needs at least one later bar."""
    with pytest.raises(ConfigError, match=f"{target}.*is shorter than one bar of {DAY} s"):
        resolve_horizon(target, DAY, 1, {})


@pytest.mark.parametrize("overrides", [{}, {"fwd_ret_2w": "2w"}])
def test_weeks_are_not_a_horizon(overrides: dict[str, str | int]) -> None:
    """A week has five sessions or seven, so the message offers days instead."""
    with pytest.raises(ConfigError, match=r"'w' is not accepted as a horizon.*such as '10d'"):
        resolve_horizon("fwd_ret_2w", DAY, 1, overrides)


@pytest.mark.parametrize("value", ["", "soon", "5x", "-3", -3, True, "1.5h"])
def test_override_that_is_no_horizon_is_quoted(value: str | int) -> None:
    """YAML's ``true`` would be one bar; it is refused like every other misfit."""
    with pytest.raises(ConfigError, match=r"columns\.horizons: 'y_\*': .*is not a horizon\. Give"):
        resolve_horizon("y_up", 300, 78, {"y_*": value})


def test_override_that_does_not_fit_names_the_pattern_and_the_target() -> None:
    """The key to correct is in the config, not in the column's name."""
    with pytest.raises(ConfigError, match=r"columns\.horizons: 'y_\*': '7m' \(for target 'y_up'\)"):
        resolve_horizon("y_up", 300, 78, {"y_*": "7m"})


@pytest.mark.parametrize(("bar_seconds", "session_bars"), [(0, 78), (300, 0)])
def test_bars_without_length_are_an_error(bar_seconds: int, session_bars: int) -> None:
    """A bar lasts at least a second, a session has at least one bar."""
    with pytest.raises(ConfigError, match="both must be at least 1"):
        resolve_horizon("fwd_ret_1d", bar_seconds, session_bars, {})
