"""Rolling windows: where the training of a fold begins, in every unit, and when it is too short."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.intervals import Duration, Unit
from ray_pipeline.statistics.anchored_folds import anchored_folds
from ray_pipeline.statistics.folds import Fold
from ray_pipeline.statistics.training_windows import rolling_folds, window_start

DAY = 86_400 * 10**9


def _weekdays(first: str, n_days: int) -> NDArray[np.int64]:
    days = np.arange(np.datetime64(first), np.datetime64(first) + n_days)
    return days[np.is_busday(days)].astype("datetime64[ns]").astype(np.int64)


def _date(axis: NDArray[np.int64], position: int) -> str:
    return str(axis[position].astype("datetime64[ns]"))[:10]


@pytest.mark.parametrize(
    ("window", "since"),
    [
        (Duration(3, "mo"), "2024-02-29"),  # no 31 February
        (Duration(1, "q"), "2024-02-29"),
        (Duration(1, "y"), "2023-05-31"),
        (Duration(4, "w"), "2024-05-03"),
        (Duration(21, "d"), "2024-05-02"),
        (Duration(21, "b"), "2024-05-02"),
        (Duration(9, "y"), "2023-01-02"),
    ],
)
def test_a_window_has_the_length_that_is_written(window: Duration, since: str) -> None:
    """Before 31 May 2024; the panel begins in 2023, and no window before it."""
    axis = _weekdays("2023-01-02", 700)
    start = int(np.searchsorted(axis, np.datetime64("2024-05-31", "ns").astype(np.int64)))
    assert _date(axis, window_start(axis, start, window)) == since


@pytest.mark.parametrize("unit", ["d", "w", "mo", "y"])
def test_days_of_many_bars_have_the_same_windows(unit: Unit) -> None:
    """A window of dates begins with a date, also where the fold begins within one."""
    axis = _weekdays("2023-01-02", 700)
    hours = (axis[:, np.newaxis] + np.arange(14, 21) * 3_600 * 10**9).ravel()
    window = Duration(1 if unit == "y" else 12, unit)
    for start in (310, 400, 499):
        expected = 7 * window_start(axis, start, window)
        assert window_start(hours, 7 * start, window) == expected
    if unit == "d":
        assert window_start(hours, 7 * 310 + 3, window) == 7 * (310 - 12)


@given(
    n_known=st.integers(150, 400),
    count=st.integers(1, 40),
    unit=st.sampled_from(["d", "w", "mo", "q", "b"]),
)
def test_the_final_window_is_that_of_a_fold_that_begins_next(
    n_known: int, count: int, unit: Unit
) -> None:
    """On a panel of every day: the model of today is that of the fold that begins tomorrow."""
    axis = DAY * np.arange(15_000, 15_401, dtype=np.int64)
    window = Duration(count, unit)
    assert window_start(axis[:n_known], n_known, window) == window_start(axis, n_known, window)


@given(n_more=st.integers(0, 100), count=st.integers(70, 200))
def test_more_data_move_no_window(n_more: int, count: int) -> None:
    """Folds between dates keep where they begin to train."""
    axis = _weekdays("2020-01-01", 700)
    folds = anchored_folds(axis, int(axis[250]), Duration(30, "d"))
    whole, _ = rolling_folds(axis, folds, Duration(count, "d"), 5, 1)
    known = axis[: len(axis) - n_more]
    before = anchored_folds(known, int(axis[250]), Duration(30, "d"))
    found, _ = rolling_folds(known, before, Duration(count, "d"), 5, 1)
    assert found[:-1] == whole[: len(found) - 1]


def test_a_window_that_is_too_short_says_what_is_missing() -> None:
    """60 timestamps after horizon and embargo, in every fold and in the end."""
    axis = DAY * np.arange(300, dtype=np.int64)
    folds = (Fold(0, 100, 200), Fold(1, 200, 300))
    rolled, final = rolling_folds(axis, folds, Duration(70, "d"), 8, 2)
    assert [fold.train_start for fold in rolled] == [30, 130]
    assert final == 230
    message = r"window=69d is too short .* holds 69 timestamps, less horizon=8 and embargo=2 "
    with pytest.raises(DataError, match=message + "leaves 59; at least 60 .* or expanding"):
        rolling_folds(axis, folds, Duration(69, "d"), 8, 2)
    with pytest.raises(DataError, match=r"window=1w is too short .* holds 7 timestamps"):
        rolling_folds(axis, folds, Duration(1, "w"))
