"""Folds between dates: what is there stays when a panel grows, whatever its calendar."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.intervals import Duration, Unit
from ray_pipeline.statistics.anchored_folds import anchored_folds

DAY = 86_400 * 10**9


def _weekdays(first: str, n_days: int) -> NDArray[np.int64]:
    days = np.arange(np.datetime64(first), np.datetime64(first) + n_days)
    return days[np.is_busday(days)].astype("datetime64[ns]").astype(np.int64)


def _ns(text: str) -> int:
    return int(np.datetime64(text, "ns").astype(np.int64))


def _dates(axis: NDArray[np.int64], positions: list[int]) -> list[str]:
    return [str(axis[each].astype("datetime64[ns]"))[:10] for each in positions]


def test_dates_are_those_of_the_panel() -> None:
    """21 days are 21 dates that have a bar, also where a day has many."""
    axis = _weekdays("2023-01-02", 500)
    folds = anchored_folds(axis, _ns("2023-06-01"), Duration(21, "d"))
    sizes = {fold.test_end - fold.test_start for fold in folds[:-1]}
    assert sizes == {21}
    hours = (axis[:, np.newaxis] + np.arange(14, 21) * 3_600 * 10**9).ravel()
    hourly = anchored_folds(hours, _ns("2023-06-01"), Duration(21, "d"))
    starts = [7 * fold.test_start for fold in folds]
    assert [fold.test_start for fold in hourly][: len(starts)] == starts


@pytest.mark.parametrize(
    ("every", "starts"),
    [
        (Duration(1, "mo"), ["2023-05-31", "2023-06-30", "2023-07-31", "2023-08-31", "2023-10-02"]),
        (Duration(1, "q"), ["2023-05-31", "2023-08-31", "2023-11-30", "2024-02-29"]),
        (Duration(4, "w"), ["2023-05-31", "2023-06-28", "2023-07-26"]),
        (Duration(1, "y"), ["2023-05-31", "2024-05-31"]),
        (Duration(30, "b"), ["2023-05-31", "2023-07-12"]),
    ],
)
def test_lengths_of_the_calendar(every: Duration, starts: list[str]) -> None:
    """Ends of months stay ends of months; where a date has no bar the next one begins the fold."""
    axis = _weekdays("2023-01-02", 700)
    folds = anchored_folds(axis, _ns("2023-05-31"), every)
    assert _dates(axis, [fold.test_start for fold in folds])[: len(starts)] == starts
    assert [fold.test_end for fold in folds[:-1]] == [fold.test_start for fold in folds[1:]]
    assert [fold.index for fold in folds] == list(range(len(folds)))


@given(
    unit=st.sampled_from(["d", "w", "mo", "b"]),
    n_before=st.integers(400, 600),
    n_more=st.integers(1, 200),
    holidays=st.sets(st.integers(0, 799), max_size=40),
)
def test_what_is_there_stays(unit: Unit, n_before: int, n_more: int, holidays: set[int]) -> None:
    """More data add folds and lengthen the newest: no other begins or ends elsewhere."""
    count = {"d": 25, "w": 5, "mo": 2, "b": 25}[unit]
    axis = np.delete(_weekdays("2020-01-01", 1_200), sorted(holidays))
    first = int(axis[150])
    before = anchored_folds(axis[:n_before], first, Duration(count, unit))
    after = anchored_folds(axis[: n_before + n_more], first, Duration(count, unit))
    assert len(after) >= len(before)
    assert before[:-1] == after[: len(before) - 1]
    assert before[-1].test_start == after[len(before) - 1].test_start
    assert after[-1].test_end - after[-1].test_start >= 20


def test_too_little_is_said_with_the_key() -> None:
    """Before the first fold, within one, or after it."""
    axis = _weekdays("2023-01-02", 400)
    with pytest.raises(DataError, match=r"less horizon=5 and embargo=0 .* later validation"):
        anchored_folds(axis, int(axis[60]), Duration(21, "d"), horizon=5)
    with pytest.raises(DataError, match=r"test_every=5d makes folds of 5 timestamps"):
        anchored_folds(axis, int(axis[100]), Duration(5, "d"))
    with pytest.raises(DataError, match=r"hold 1 of the folds of validation\.test_every=1y"):
        anchored_folds(axis, int(axis[100]), Duration(1, "y"))
    with pytest.raises(DataError, match=r"hold 0 of the folds"):
        anchored_folds(axis, int(axis[-1]) + DAY, Duration(21, "d"))
