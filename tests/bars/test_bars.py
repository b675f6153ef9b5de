import numpy as np
import pytest

from ray_pipeline.bars import Bars
from ray_pipeline.errors import DataError

from .samples import random_bars, replace


def test_rows_are_a_part_of_the_bars() -> None:
    """Every column is cut at the same rows."""
    part = random_bars(10).rows(3, 7)
    assert len(part) == 4
    np.testing.assert_array_equal(part.close, random_bars(10).close[3:7])
    np.testing.assert_array_equal(part.time_ns, random_bars(10).time_ns[3:7])


@pytest.mark.parametrize("column", [np.zeros(9), np.zeros((10, 1)), np.zeros(10, dtype=np.float32)])
def test_column_of_another_shape_or_type_is_named(column: np.ndarray) -> None:
    """The message says which column differs, and what it should be."""
    with pytest.raises(DataError, match=r"column 'low' is float.*; float64 of shape \(10,\)"):
        replace(random_bars(10), low=column)


@pytest.mark.parametrize("times", [[1, 2, 2], [1, 3, 2]])
def test_time_must_increase(times: list[int]) -> None:
    """Repeated or unsorted timestamps would put the future into the past."""
    prices = [np.ones(3)] * 5
    with pytest.raises(DataError, match="time_ns must increase from row to row"):
        Bars(np.array(times), *prices)
