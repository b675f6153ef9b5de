"""One search: batches, what its optimiser is told, and when it ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
from search_panels import job

from ray_pipeline.families import SearchDimension
from ray_pipeline.training.search import fold_search as fold_search_module
from ray_pipeline.training.search.fold_search import FoldSearch, TrialBatch

SPACE = {"angle": SearchDimension("float", 0.0, 9.0, default=0.0)}


class Told:
    """An optimiser that proposes 1, 2, 3 and so on, and keeps what it is told."""

    def __init__(self, space: Any, seed: int, n_startup: int) -> None:
        self.made_with = (space, seed, n_startup)
        self.known: list[Any] = []
        self.told: list[list[float]] = []
        self._n_asked = 0

    def ask(self, n_trials: int) -> list[dict[str, float]]:
        self._n_asked += n_trials
        return [{"angle": float(self._n_asked - n_trials + k + 1)} for k in range(n_trials)]

    def tell(self, skills: Sequence[float]) -> None:
        self.told.append(list(skills))

    def know(self, hyperparameters: Any, skill: float) -> None:
        self.known.append((hyperparameters, skill))


@pytest.fixture
def optimisers(monkeypatch: pytest.MonkeyPatch) -> list[Told]:
    """Collect the optimisers that searches make."""
    made: list[Told] = []

    def make(*given: Any) -> Told:
        made.append(Told(*given))
        return made[-1]

    monkeypatch.setattr(fold_search_module, "Optimiser", make)
    return made


def fold_search(n_trials: int = 6, batch_size: int = 4, **hyperparameters: Any) -> FoldSearch:
    """Return the search of fold 1."""
    return FoldSearch(job(**hyperparameters), 1, ("a", "b"), SPACE, n_trials, batch_size, 11)


def numbers(batch: TrialBatch | None) -> tuple[int, list[Any]]:
    """Return the number of the first trial, and the hyperparameters of all."""
    assert batch is not None
    return batch.first, [dict(pairs) for pairs in batch.hyperparameters]


def test_batches_begin_with_the_configured_and_end_with_the_trials(
    optimisers: list[Told],
) -> None:
    """Trial 0 is not asked of the optimiser; the last batch is as short as the rest."""
    given = fold_search(depth=3)
    first = given.ask()
    assert numbers(first) == (
        0,
        [{"depth": 3}, *({"angle": float(k), "depth": 3} for k in (1, 2, 3))],
    )
    assert first is not None
    given.tell(first, [0.1, 0.2, 0.3, 0.4])
    second = given.ask()
    assert numbers(second) == (4, [{"angle": float(k), "depth": 3} for k in (4, 5)])
    assert second is not None
    given.tell(second, [0.5, 0.6])
    assert given.ask() is None
    assert [trial.number for trial in given.trials] == list(range(6))
    assert optimisers[0].made_with == (SPACE, 11, 2)


def test_the_optimiser_is_told_its_own_trials_and_knows_the_first(
    optimisers: list[Told],
) -> None:
    """Skills in the order of the questions; trial 0 apart, at its place in the space."""
    given = fold_search()
    for skills in ([0.1, 0.2, math.nan, 0.4], [0.5, 0.6]):
        batch = given.ask()
        assert batch is not None
        given.tell(batch, skills)
    (optimiser,) = optimisers
    assert optimiser.known == [({"angle": 0.0}, 0.1)]
    assert repr(optimiser.told) == "[[0.2, nan, 0.4], [0.5, 0.6]]"


def test_configured_hyperparameters_outside_the_space_are_not_told(
    optimisers: list[Told],
) -> None:
    """They compete, but the optimiser has no place for them."""
    given = fold_search(angle=-1.0)
    batch = given.ask()
    assert batch is not None
    given.tell(batch, [0.9, 0.2, 0.3, 0.4])
    assert (optimisers[0].known, optimisers[0].told) == ([], [[0.2, 0.3, 0.4]])
    assert dict(given.trials[0].hyperparameters) == {"angle": -1.0}


def test_without_a_skill_of_trial_zero_it_is_over(optimisers: list[Told]) -> None:
    """No further batch is asked for, and the reason is kept."""
    given = fold_search()
    batch = given.ask()
    assert batch is not None
    given.tell(batch, [math.nan, 0.2, 0.3, 0.4], "too few rows")
    assert given.ask() is None
    assert given.problem == "too few rows"
    assert optimisers[0].told == []


@pytest.mark.parametrize(("n_trials", "n_startup"), [(2, 2), (12, 4), (30, 10), (90, 10)])
def test_the_random_start_is_a_third_of_a_short_search(
    optimisers: list[Told], n_trials: int, n_startup: int
) -> None:
    """At most ten trials."""
    fold_search(n_trials)
    assert optimisers[0].made_with[2] == n_startup
