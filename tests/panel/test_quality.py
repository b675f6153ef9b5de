from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from ray_pipeline.errors import DataError
from ray_pipeline.panel.quality import bar_findings, require_rows, to_float, within_range
from ray_pipeline.records import LARGEST_VALUE


def test_too_few_rows() -> None:
    """The message gives both numbers and the key that asks for more."""
    require_rows(300, 300)
    expected = r"^10 rows after cleaning; data\.min_rows_per_symbol needs 300\.$"
    with pytest.raises(DataError, match=expected):
        require_rows(10, 300)


def test_numbers_of_all_kinds_become_floats() -> None:
    """A ``float`` column stays float32; everything else is float64; null is NaN."""
    whole = to_float(pa.chunked_array([[1, None], [3]]))
    assert whole.dtype == np.float64
    np.testing.assert_array_equal(whole, [1.0, np.nan, 3.0])
    assert to_float(pa.chunked_array([pa.array([1.5, None], pa.float32())])).dtype == np.float32


@pytest.mark.parametrize("source", [np.float32, np.float64])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_what_is_beyond_the_range_is_missing(source: type, kind: type) -> None:
    """In a copy in C order, without a warning; the rest keeps its value, however small."""
    with np.errstate(over="ignore"):
        values = np.asfortranarray([[2e30, 1.0], [np.inf, -2e30], [np.nan, 9e29], [0.0, 1e-40]])
        values = values.astype(source, order="F")
    before = values.copy()
    expected = [[np.nan, 1.0], [np.nan, np.nan], [np.nan, values[2, 1]], [0.0, values[3, 1]]]
    with np.errstate(all="raise", under="ignore"):
        found = within_range(values, kind)
    np.testing.assert_array_equal(found, np.array(expected, kind))
    assert found.dtype == kind
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_largest_double_is_missing(kind: type) -> None:
    """Neither type gets it as an infinity, and nothing is said on the screen."""
    values = np.array([np.finfo(np.float64).max, -np.finfo(np.float64).max, LARGEST_VALUE])
    with np.errstate(all="raise"):
        found = within_range(values, kind)
    np.testing.assert_array_equal(found, np.array([np.nan, np.nan, LARGEST_VALUE], kind))


def test_statistics_of_the_largest_values_are_finite() -> None:
    """Up to fourth powers of 10^12 rows, and products of two sums of squares."""
    n_rows = 1e12
    sum_of_squares = n_rows * LARGEST_VALUE**2
    assert np.isfinite([n_rows * LARGEST_VALUE**4, sum_of_squares * sum_of_squares]).all()
    assert np.isfinite(np.float32(LARGEST_VALUE) * np.float32(1e8))


def test_bars_that_cannot_be_true_are_reported() -> None:
    """A close below the low, a low above the high, a price of zero; gaps are counted apart."""
    opened = [10.0, 10.0, 10.0, 0.0, np.nan, 10.0]
    high = [11.0, 11.0, 9.0, 11.0, 11.0, 11.0]
    low = [9.0, 9.0, 9.5, 0.0, 9.0, np.nan]
    close = [10.0, 8.0, 9.2, 10.0, 10.0, 10.0]
    bars = np.column_stack([opened, high, low, close, np.ones(6)])
    missing, inconsistent, nonpositive = bar_findings(bars)
    assert (missing.rule, missing.count) == ("missing_bar_cells", 2)
    assert missing.message == ("2 missing cells in the bars; what depends on them is missing too")
    assert (inconsistent.rule, inconsistent.count) == ("inconsistent_bars", 2)
    assert inconsistent.message == (
        "2 bars have an open or close outside [low, high]; kept as they are"
    )
    assert (nonpositive.rule, nonpositive.count) == ("nonpositive_prices", 1)
    assert nonpositive.message == "1 bar has a price of zero or less; kept as it is"
