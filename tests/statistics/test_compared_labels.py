"""Labels compared with those of the other symbols at the same timestamp."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ray_pipeline.statistics.compared_labels import compare_labels

Floats = NDArray[np.float64]
NAN = np.nan


def _compare(y: Any, positions: Any, how: Any = "z_score", ends: Any = None, least: int = 3) -> Any:
    places = np.array(positions, dtype=np.int64)
    reached = places + 1 if ends is None else np.array(ends, dtype=np.int64)
    return compare_labels(np.array(y, dtype=np.float64), places, reached, how, least)


def test_z_scores_are_in_the_deviations_of_the_timestamp() -> None:
    """By hand: 1, 2, 6 have mean 3 and variance 14 / 3, whatever stands at other timestamps."""
    found = _compare([1, 2, 6, 10, 10, 40], [0, 0, 0, 1, 1, 1])
    deviation = np.sqrt(14 / 3)
    assert found.values[:3] == pytest.approx(np.array([-2, -1, 3]) / deviation)
    assert found.values[3:] == pytest.approx(np.array([-1, -1, 2]) / np.sqrt(2))
    assert found.means == pytest.approx([3, 3, 3, 20, 20, 20])


def test_ranks_are_z_scored_so_that_ties_change_no_timestamps_weight() -> None:
    """Average ranks 1.5, 1.5, 3, 4 less 2.5, in their deviations."""
    found = _compare([5, 5, 7, 900], [0, 0, 0, 0], "rank")
    ranks = np.array([-1.0, -1.0, 0.5, 1.5])
    assert found.values == pytest.approx(ranks / np.sqrt(np.mean(ranks**2)))


def test_the_mean_alone_may_be_taken_off() -> None:
    """A wild timestamp stays wild."""
    found = _compare([1, 2, 6, 10, 10, 40], [0, 0, 0, 1, 1, 1], "demean")
    assert found.values == pytest.approx([-2, -1, 3, -10, -10, 20])


@pytest.mark.parametrize("how", ["z_score", "rank"])
def test_what_all_symbols_have_in_common_does_not_matter(how: str) -> None:
    """A shift and a scale of a timestamp's labels change nothing."""
    random = np.random.default_rng(0)
    positions = np.repeat(np.arange(40), 7)
    y = random.standard_normal(280)
    moved = y * (1 + positions) + 50.0 * random.standard_normal(40)[positions]
    assert _compare(moved, positions, how).values == pytest.approx(
        _compare(y, positions, how).values, abs=1e-9
    )


@pytest.mark.parametrize("scale", [1e-290, 1e290])
def test_no_square_over_or_underflows(scale: float) -> None:
    """Labels of any size that a column can hold."""
    found = _compare(np.array([1.0, 2.0, 6.0]) * scale, [0, 0, 0])
    assert found.values == pytest.approx(np.array([-2, -1, 3]) / np.sqrt(14 / 3))


def test_every_timestamp_has_the_same_say() -> None:
    """Its weights add up to 1 over the labels that it has."""
    y = [1, 2, 3, NAN, 1, 2, 3, 4]
    found = _compare(y, [0, 0, 0, 0, 1, 1, 1, 1])
    assert found.weights[:3] == pytest.approx([1 / 3] * 3)
    assert np.isnan(found.weights[3])
    assert found.weights[4:] == pytest.approx([1 / 4] * 4)


@pytest.mark.parametrize(
    "y", [[1, 2, NAN, NAN], [NAN] * 4, [5, 5, 5, 5], [5, 5, 5, NAN], [0.1] * 4]
)
@pytest.mark.parametrize("how", ["z_score", "rank", "demean"])
def test_too_few_labels_or_labels_all_alike_teach_nothing(y: list[float], how: str) -> None:
    """No value, no weight and no mean there, and the next timestamp has its own."""
    found = _compare([*y, 1, 2, 3], [0, 0, 0, 0, 1, 1, 1], how)
    for of in (found.values, found.weights, found.means):
        assert np.isnan(of[:4]).all()
        assert np.isfinite(of[4:]).all()


def test_a_compared_label_ends_where_the_latest_of_its_timestamp_does() -> None:
    """One symbol has a gap: its label ends later, and so do those compared with it.

    What has no label holds nobody up, and a timestamp without any keeps its own ends.
    """
    found = _compare(
        [1, 2, 3, NAN, NAN, NAN], [0, 0, 0, 0, 1, 1], ends=[5, 17, 5, 99, 6, 7], least=2
    )
    assert found.ends.tolist() == [17, 17, 17, 17, 6, 7]


def test_the_order_of_the_rows_does_not_matter() -> None:
    """Rows sorted by symbol, as they are streamed, are compared as rows sorted by timestamp are."""
    random = np.random.default_rng(3)
    positions = np.repeat(np.arange(50), 6)
    y = random.standard_normal(300)
    y[random.random(300) < 0.3] = NAN
    order = np.lexsort((positions, np.tile(np.arange(6), 50)))
    ends = positions + random.integers(1, 9, 300)
    for how in ("z_score", "rank", "demean"):
        whole = _compare(y, positions, how, ends)
        other = _compare(y[order], positions[order], how, ends[order])
        for name in ("values", "weights", "means", "ends"):
            expected = getattr(whole, name)[order]
            assert np.array_equal(getattr(other, name), expected, equal_nan=name != "ends")


def test_binary_labels_are_held_against_the_base_rate() -> None:
    """One of four is 1: its distance is 3/4, in deviations of √(3/16); z-scores and ranks agree."""
    for how in ("z_score", "rank"):
        found = _compare([0, 0, 1, 0], [0] * 4, how)
        assert found.values == pytest.approx(np.array([-1, -1, 3, -1]) / np.sqrt(3))
        assert found.means.tolist() == [0.25] * 4


def test_no_labels_at_all_are_compared_with_nothing() -> None:
    """Empty arrays and all-missing ones come back as they are."""
    assert len(_compare([], []).values) == 0
    assert _compare([NAN, NAN], [0, 1], ends=[3, 4]).ends.tolist() == [3, 4]
