from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from ray_pipeline.panel.course import CourseTally
from ray_pipeline.panel.rows import Rows


def course(blocks: Iterable[tuple[object, Rows]]) -> CourseTally:
    tally = CourseTally()
    for values, rows in blocks:
        tally.add(np.asarray(values, dtype=np.float64), rows)
    return tally


def whole(values: object) -> CourseTally:
    return course([(values, slice(0, len(np.asarray(values))))])


def kind(values: object) -> str | None:
    return whole(values).kind


def test_what_goes_one_way_with_every_row_is_a_counter() -> None:
    """Up or down, at even or uneven steps, missing cells aside."""
    rows = np.arange(100.0)
    assert kind(rows) == kind(-rows) == kind(rows**2) == "counter"
    assert kind(np.where(rows % 7 == 0, np.nan, rows)) == "counter"
    turned = rows.copy()
    turned[50] = 10
    assert kind(turned) is None


def test_what_rests_at_times_is_a_clock() -> None:
    """The number of a day, or a year; a level that was raised a few times is not called so."""
    rows = np.arange(200)
    assert kind(rows // 8) == "clock"
    assert kind(2019 + rows // 100) == "clock"
    assert kind(10.5 + rows // 100) is None
    assert kind(np.full(200, 2019)) is None


def test_few_rows_say_nothing() -> None:
    """Some numbers rise by chance."""
    assert kind(np.arange(29)) is None
    assert kind(np.arange(30)) == "counter"


def test_blocks_are_one_column() -> None:
    """In any order, with ends that turn, and of rows that lie between each other."""
    low, high = np.arange(50.0), np.arange(50.0) + 50
    parts = [(high, slice(50, 100)), (low, slice(0, 50))]
    assert course(parts).kind == "counter"
    assert course([(low, slice(50, 100)), (high, slice(0, 50))]).kind is None
    shuffled = np.random.default_rng(0).permutation(50)
    assert course([(low[shuffled], shuffled)]).kind == "counter"
    even, odd = np.arange(0, 100, 2), np.arange(1, 100, 2)
    assert course([(even.astype(float), even), (odd.astype(float), odd)]).kind is None


@pytest.mark.parametrize("shift", [0, 7])
def test_where_values_begin_and_end(shift: int) -> None:
    """Places among all rows of the symbol, of slices and of places alike."""
    values = np.r_[[np.nan] * 3, np.random.default_rng(1).normal(size=40), [np.nan] * 2]
    rows = slice(shift, shift + len(values))
    for tally in (course([(values, rows)]), course([(values, np.arange(rows.start, rows.stop))])):
        assert (tally.first, tally.last) == (3 + shift, 42 + shift)
    nothing = whole([np.nan] * 4)
    assert nothing.first > nothing.last
