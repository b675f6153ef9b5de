from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from ray_pipeline.errors import DataError
from ray_pipeline.panel.quality import bar_findings, finite, require_rows, to_float


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


def test_what_a_type_cannot_hold_is_missing() -> None:
    """Infinities, and what float32 cannot hold, become NaN in a copy; the rest keeps its value."""
    values = np.asfortranarray([[1e39, 1.0], [np.inf, -1e39], [np.nan, 3.0e38]])
    expected = [[np.nan, 1.0], [np.nan, np.nan], [np.nan, np.float32(3.0e38)]]
    as_single = finite(values, np.float32)
    np.testing.assert_array_equal(as_single, np.array(expected, np.float32))
    assert as_single.flags.c_contiguous
    as_double = finite(values, np.float64)
    np.testing.assert_array_equal(as_double[:, 0], [1e39, np.nan, np.nan])
    assert np.isinf(values).sum() == 1


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
    assert nonpositive.message == "1 bars have a price of zero or less; kept as they are"
