"""How long a run will still take."""

from __future__ import annotations

import pytest

from ray_pipeline.driving.remaining import Remaining


class Clock:
    """Time that the test moves."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_what_was_estimated_runs_down(clock: Clock) -> None:
    """On a machine that takes what was estimated, each second that passes is one less."""
    left = Remaining({"rank": 100.0, "train": 50.0}, clock)
    assert left.left_s == 150.0
    left.begin("rank")
    clock.now += 40.0
    assert left.left_s == pytest.approx(110.0)
    clock.now += 60.0
    left.end()
    assert left.left_s == pytest.approx(50.0)
    left.begin("train")
    clock.now += 50.0
    left.end()
    assert left.left_s == 0.0


def test_a_slow_machine_corrects_the_stages_to_come(clock: Clock) -> None:
    """A stage that took three times its estimate makes the next ones nearly as slow."""
    left = Remaining({"rank": 100.0, "train": 50.0}, clock)
    left.begin("rank")
    clock.now += 300.0
    left.end()
    pace = (300.0 + 15.0) / (100.0 + 15.0)  # a tenth of the estimate is believed all the same
    assert left.pace == pytest.approx(pace)
    assert left.left_s == pytest.approx(50.0 * pace)


def test_units_that_are_slower_than_estimated_are_seen_while_they_run(clock: Clock) -> None:
    """A stage never has less before it than its units that are at work."""
    left = Remaining({"rank": 10.0, "train": 50.0}, clock)
    left.begin("rank")
    left.count("rank_symbol", 1, 10, is_from_before=False)
    clock.now += 40.0
    left.count("rank_symbol", 5, 10, is_from_before=False)
    assert left.left_s == pytest.approx(40.0 / 5 * 5 + 50.0)


def test_what_is_from_before_takes_no_time_and_tells_no_speed(clock: Clock) -> None:
    """A stage read back in a moment does not promise the next ones in a moment."""
    left = Remaining({"rank": 100.0, "train": 50.0}, clock)
    left.begin("rank")
    for n_done in range(1, 11):
        left.count("rank_symbol", n_done, 10, is_from_before=True)
    assert left.left_s == pytest.approx(50.0)
    clock.now += 1.0
    left.end()
    assert left.pace == 1.0
    assert left.left_s == pytest.approx(50.0)


def test_a_stage_without_an_estimate_counts_while_it_is_at_work(clock: Clock) -> None:
    """Such as one of the user, by its units."""
    left = Remaining({"train": 50.0}, clock)
    left.begin("stages.turnover")
    left.count("stage_turnover", 1, 4, is_from_before=False)
    clock.now += 6.0
    left.count("stage_turnover", 2, 4, is_from_before=False)
    assert left.left_s == pytest.approx(6.0 + 50.0)
    left.end()
    assert left.left_s == pytest.approx(50.0)


def test_without_an_estimate_nothing_is_known_of_the_run() -> None:
    """Reports have to leave it out."""
    assert not Remaining({}).is_of_run
    assert Remaining({"rank": 1.0}).is_of_run
