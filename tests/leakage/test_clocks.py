"""Natural blocks of time: those that people aggregate bars by, each once."""

from __future__ import annotations

import numpy as np

from ray_pipeline.leakage.clocks import Clock, held_clock, natural_clocks

SECOND = 10**9
DAY = 86_400 * SECOND
MONDAY = 19_723 - 19_723 % 7 + 4  # days since 1970


def _named(clocks: list[Clock], name: str) -> list[np.ndarray]:
    return [clock.block for clock in clocks if clock.name == name]


def test_five_minute_bars_around_the_clock() -> None:
    """An hour begins at its full minute, and for bars stamped by their close after it."""
    times = MONDAY * DAY + np.arange(6_000) * 300 * SECOND
    clocks = natural_clocks(times, 300)
    by_open, by_close = _named(clocks, "hour")
    assert np.flatnonzero(np.diff(by_open)).tolist()[:2] == [11, 23]
    assert np.flatnonzero(np.diff(by_close)).tolist()[:2] == [0, 12]
    names = {clock.name for clock in clocks}
    assert {"10 minutes", "30 minutes", "4 hours", "day", "week"} <= names
    assert "session" not in names
    assert "5 minutes" not in names
    assert "3 minutes" not in names


def test_sessions_are_cut_at_their_breaks() -> None:
    """The day of an exchange that crosses midnight in UTC is one block."""
    opens = MONDAY * DAY + np.arange(30) * DAY + 20 * 3_600 * SECOND
    times = (opens[:, None] + np.arange(78) * 300 * SECOND).ravel()
    (session,) = _named(natural_clocks(times, 300), "session")
    assert np.flatnonzero(np.diff(session)).tolist() == list(range(77, 78 * 29, 78))


def test_daily_bars_have_weeks_months_and_quarters() -> None:
    """Weeks of trading days are one clock, whether they begin on Sunday or Monday."""
    days = MONDAY + np.arange(730)
    days = days[(days - 4) % 7 < 5]
    clocks = natural_clocks(days * DAY, 86_400)
    weeks = _named(clocks, "week")
    assert np.flatnonzero(np.diff(weeks[0])).tolist()[:2] == [4, 9]
    assert {clock.name for clock in clocks} == {"week", "month", "quarter"}


def test_no_two_clocks_agree_everywhere() -> None:
    """What cuts alike is scored once."""
    times = MONDAY * DAY + np.arange(3_000) * 900 * SECOND
    cuts = [np.flatnonzero(np.diff(clock.block)).tolist() for clock in natural_clocks(times, 900)]
    assert len({tuple(cut) for cut in cuts}) == len(cuts)


def test_a_feature_held_over_twelve_bars_tells_its_own_clock() -> None:
    """Where the blocks begin too; equal neighbours leave a longer gap, no other beat."""
    values = np.repeat(np.random.default_rng(0).integers(0, 9, 300).astype(float), 12)[5:]
    clock = held_clock(values)
    assert clock is not None
    assert clock.name == "12 bars"
    assert np.flatnonzero(np.diff(clock.block)).tolist()[:3] == [6, 18, 30]


def test_what_keeps_to_no_beat_has_no_clock() -> None:
    """A trend that turns when the market does, what changes at every bar, and a constant."""
    random = np.random.default_rng(1)
    walk = np.cumsum(random.standard_normal(4_000))
    assert held_clock(np.sign(walk - np.roll(walk, 40))) is None
    assert held_clock(walk) is None
    assert held_clock(np.ones(4_000)) is None
    assert held_clock(np.full(4_000, np.nan)) is None
