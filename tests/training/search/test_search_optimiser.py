"""The optimiser: what it asks for depends on seed and answers, and it finds what is there."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import pytest

from ray_pipeline.errors import ConfigError
from ray_pipeline.families import SearchDimension
from ray_pipeline.training.search.optimiser import Optimiser, require_optuna

SPACE = {
    "depth": SearchDimension("int", 1, 64, log=True),
    "kind": SearchDimension("choice", choices=("a", "b")),
    "rate": SearchDimension("float", 0.01, 1.0, log=True),
}


def hill(point: dict[str, Any]) -> float:
    """Return a skill that is highest at a rate of 0.1, a depth of 8 and kind b."""
    far = abs(math.log10(point["rate"]) + 1) + abs(math.log2(point["depth"]) - 3) / 3
    return 1.0 - far - (point["kind"] == "a")


def asked(
    seed: int, skill: Callable[[dict[str, Any]], float] = hill, n_rounds: int = 5
) -> list[dict[str, Any]]:
    """Return the questions of some rounds of four."""
    optimiser = Optimiser(SPACE, seed, n_startup=6)
    points = []
    for _ in range(n_rounds):
        batch = optimiser.ask(4)
        points += batch
        optimiser.tell([skill(point) for point in batch])
    return points


def test_questions_follow_from_seed_and_answers() -> None:
    """Asked again it repeats itself; another seed, or other answers, lead elsewhere."""
    first = asked(3)
    assert asked(3) == first
    assert asked(4) != first
    other = asked(3, lambda point: -hill(point))
    assert other[:4] == first[:4]
    assert other != first


def test_questions_lie_in_the_space_as_plain_values() -> None:
    """Ends are not passed, whole numbers are whole, choices are those given; none twice."""
    points = asked(1, n_rounds=6)
    assert all(list(point) == list(SPACE) for point in points)
    assert all(SPACE[name].holds(point[name]) for point in points for name in SPACE)
    assert {type(point["depth"]) for point in points} == {int}
    assert {type(point["rate"]) for point in points} == {float}
    assert len({tuple(point.values()) for point in points}) == len(points)


def test_it_learns_where_the_good_values_are() -> None:
    """After the random start its questions are better than they were, on each of three seeds."""
    for seed in range(3):
        skills = [hill(point) for point in asked(seed, n_rounds=10)]
        assert sum(skills[-12:]) / 12 > sum(skills[:8]) / 8 + 0.3


def test_a_known_point_counts_as_an_answer() -> None:
    """What it is told of besides its questions changes the next ones."""

    def after(known: bool) -> list[dict[str, Any]]:
        optimiser = Optimiser(SPACE, 0, n_startup=2)
        batch = optimiser.ask(2)
        if known:
            optimiser.know({"depth": 8, "kind": "b", "rate": 0.1}, 1.0)
        optimiser.tell([hill(point) for point in batch])
        return optimiser.ask(3)

    assert after(True) != after(False)


def test_trials_without_a_skill_are_passed_over() -> None:
    """A failed trial is not an answer, good or bad: the search goes on."""
    optimiser = Optimiser(SPACE, 0, n_startup=2)
    optimiser.ask(3)
    optimiser.tell([math.nan, 0.5, math.nan])
    assert len(optimiser.ask(2)) == 2


def test_without_optuna_the_config_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the extra, and the way without it."""
    require_optuna()
    monkeypatch.setitem(sys.modules, "optuna", None)
    message = (
        r"^training\.search is on, and optuna is not installed\. Install it with "
        r"pip install 'ray-pipeline\[search\]', or set training\.search to null\.$"
    )
    with pytest.raises(ConfigError, match=message):
        require_optuna()
