"""Average uniqueness of overlapping labels: by hand, at its bounds, and what it adds up to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ray_pipeline.statistics.uniqueness import average_uniqueness

LABELS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12)), min_size=1, max_size=30)


def of(labels: list[tuple[int, int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return positions and label ends of (position, horizon) pairs."""
    begins = np.array([begin for begin, _ in labels], dtype=np.int64)
    return begins, begins + np.array([length for _, length in labels], dtype=np.int64)


def by_definition(begins: NDArray[np.int64], ends: NDArray[np.int64]) -> list[float]:
    """Count, label by label and position by position, as the book's snippets do."""
    lives = [range(b + 1, e + 1) for b, e in zip(begins.tolist(), ends.tolist(), strict=True)]
    return [
        float(np.mean([1 / sum(t in other for other in lives) for t in life])) if life else 1.0
        for life in lives
    ]


def test_by_hand() -> None:
    """Labels of 3, 2 and 2 bars: at bars 1 to 6 there live 1, 1, 2, 1, 1 and 1 of them."""
    begins, ends = of([(0, 3), (2, 2), (4, 2)])
    assert average_uniqueness(begins, ends).tolist() == pytest.approx([2.5 / 3, 0.75, 1.0])


@given(LABELS)
def test_it_is_the_definition(labels: list[tuple[int, int]]) -> None:
    """Whatever the lives, in whatever order, sums along time give what counting gives."""
    begins, ends = of(labels)
    assert average_uniqueness(begins, ends).tolist() == pytest.approx(by_definition(begins, ends))


@given(LABELS)
def test_shares_of_all_labels_add_up_to_the_time_in_which_any_lives(
    labels: list[tuple[int, int]],
) -> None:
    """Uniqueness times life is a label's share of the time; no position is given twice."""
    begins, ends = of(labels)
    shares = average_uniqueness(begins, ends) * (ends - begins)
    lived = {t for b, e in zip(begins.tolist(), ends.tolist(), strict=True) for t in range(b, e)}
    assert shares.sum() == pytest.approx(len(lived))


@pytest.mark.parametrize("horizon", [1, 4, 10])
def test_labels_that_do_not_overlap_are_their_own(horizon: int) -> None:
    """A label that begins where the last one ended shares nothing with it: exactly 1."""
    begins = np.arange(0, 100 * horizon, horizon)
    assert average_uniqueness(begins, begins + horizon).tolist() == [1.0] * 100


@pytest.mark.parametrize("horizon", [1, 4, 10])
def test_labels_begun_at_every_bar_own_one_part_in_h(horizon: int) -> None:
    """Where h labels live at each of a label's bars: 1 / h; more at either end of the history."""
    begins = np.arange(100)
    uniqueness = average_uniqueness(begins, begins + horizon)
    inside = uniqueness[horizon:-horizon]
    np.testing.assert_allclose(inside, 1.0 / horizon)
    assert uniqueness[0] == pytest.approx(np.mean(1.0 / np.arange(1, horizon + 1)))


def test_a_label_without_a_life_overlaps_none() -> None:
    """What ends where it begins counts whole, and takes nothing from the others."""
    begins, ends = of([(3, 0), (0, 5), (4, 0)])
    assert average_uniqueness(begins, ends).tolist() == [1.0, 1.0, 1.0]
    assert average_uniqueness(begins[:1], ends[:1]).tolist() == [1.0]


def test_a_later_history_changes_nothing_but_its_neighbours() -> None:
    """Far from where it begins, positions count alike: shifted labels are as unique."""
    begins, ends = of([(0, 3), (1, 3), (9, 2)])
    shifted = average_uniqueness(begins + 10**9, ends + 10**9)
    np.testing.assert_array_equal(shifted, average_uniqueness(begins, ends))
