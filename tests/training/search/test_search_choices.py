"""Trials that may be made, the one that is chosen, and the rows of the table."""

from __future__ import annotations

import json
import math

import pytest

from ray_pipeline.training.search.choices import (
    Choice,
    Trial,
    TrialRow,
    allot_trials,
    best_trial,
    trial_rows,
)


@pytest.mark.parametrize(
    ("max_trials", "expected"),
    [
        (None, {"a": 10, "b": 10, "c": 10}),
        (110, {"a": 10, "b": 10, "c": 10}),
        (109, {"a": 10, "b": 10, "c": 9}),
        (60, {"a": 10, "b": 5}),
        (47, {"a": 10, "c": 2}),
        (40, {"a": 10}),
        (7, {"c": 2}),
        (1, {}),
    ],
)
def test_trials_go_by_priority(max_trials: int | None, expected: dict[str, int]) -> None:
    """Jobs of 4, 4 and 3 searches, ten trials each: first come first served, two at least."""
    assert allot_trials({"a": 4, "b": 4, "c": 3}, 10, max_trials) == expected
    spent = sum(n * {"a": 4, "b": 4, "c": 3}[job] for job, n in expected.items())
    assert max_trials is None or spent <= max_trials


def trials(*skills: float) -> list[Trial]:
    """Return trials of depth 0, 1 and so on with these skills."""
    return [Trial(i, (("depth", i),), skill) for i, skill in enumerate(skills)]


def test_the_best_trial_is_chosen() -> None:
    """Its hyperparameters and skill beside those of the first; trials without a skill are none."""
    chosen = best_trial(2, trials(0.01, math.nan, 0.03, 0.02))
    assert chosen == Choice(2, 3, (("depth", 2),), 0.03, 0.01)


def test_the_configured_ones_win_a_draw_and_the_earlier_any_other() -> None:
    """Nothing is moved for nothing."""
    first = best_trial(None, trials(0.02, 0.02, 0.01))
    later = best_trial(None, trials(0.01, 0.02, 0.02))
    assert first is not None
    assert later is not None
    assert (first.hyperparameters, later.hyperparameters) == ((("depth", 0),), (("depth", 1),))


@pytest.mark.parametrize("skills", [(), (math.nan, 0.5)])
def test_without_the_configured_ones_nothing_is_chosen(skills: tuple[float, ...]) -> None:
    """A gain over what was not measured cannot be told."""
    assert best_trial(0, trials(*skills)) is None


def test_rows_tell_all_trials_and_mark_one() -> None:
    """Hyperparameters as JSON; of two equal trials the first is the chosen one."""
    repeated = [*trials(0.01, 0.03), Trial(2, (("depth", 1),), 0.03)]
    rows = trial_rows("job", None, repeated)
    assert rows[1] == TrialRow("job", None, 1, '{"depth": 1}', 0.03, True)
    assert [row.chosen for row in rows] == [False, True, False]
    assert [json.loads(row.hyperparameters)["depth"] for row in rows] == [0, 1, 1]
    assert not any(row.chosen for row in trial_rows("job", 0, trials(math.nan)))
