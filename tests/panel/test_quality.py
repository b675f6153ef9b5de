from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.errors import DataError
from ray_pipeline.panel import QualityFinding, clean_rows
from ray_pipeline.panel.quality import bar_findings, overflow_findings, require_rows, to_float

T0 = 1_706_711_400 * 10**9
MINUTE = 60 * 10**9


def rows(minutes: Sequence[int | None], **columns: list[Any]) -> pa.Table:
    times = pa.array(
        [None if minute is None else T0 + minute * MINUTE for minute in minutes],
        pa.timestamp("ns", "UTC"),
    )
    return pa.table({"ts": times, **columns})


def minutes_of(table: pa.Table) -> list[int]:
    return [(time - T0) // MINUTE for time in table.column("ts").to_pylist()]


def only(findings: tuple[QualityFinding, ...], rule: str) -> QualityFinding:
    (found,) = [finding for finding in findings if finding.rule == rule]
    return found


def test_clean_rows_are_left_alone() -> None:
    """Ordered rows with unique times and finite, varying values give no finding."""
    table, findings = clean_rows(rows([0, 1, 5], f=[1.0, 2.0, None]), "ts", None)
    assert table.column("ts").type == pa.int64()
    assert minutes_of(table) == [0, 1, 5]
    assert table.column("f").to_pylist() == [1.0, 2.0, None]
    assert findings == ()


def test_rows_without_a_time_are_dropped() -> None:
    """A row that belongs to no moment cannot be used."""
    table, findings = clean_rows(rows([0, None, 1, None], f=[1.0, 2.0, 3.0, 4.0]), "ts", None)
    assert table.column("f").to_pylist() == [1.0, 3.0]
    assert findings == (
        QualityFinding("missing_time", "ts", 2, "2 rows without a time were dropped"),
    )


def test_rows_are_sorted() -> None:
    """Each row keeps its values; the finding counts rows older than the one before."""
    table, findings = clean_rows(rows([3, 1, 2, 0], f=[3.0, 1.0, 2.0, 0.0]), "ts", None)
    assert minutes_of(table) == [0, 1, 2, 3]
    assert table.column("f").to_pylist() == [0.0, 1.0, 2.0, 3.0]
    message = "2 rows are older than the row before them; rows were sorted"
    assert findings == (QualityFinding("out_of_order", None, 2, message),)


def test_identical_rows_are_reduced_to_one() -> None:
    """Missing equals missing, whether null or NaN, and wherever the copies stand."""
    table = rows(
        [0, 1, 1, 0, 1],
        f=[1.0, None, float("nan"), 1.0, None],
        text=["a", None, None, "a", None],
        whole=pa.array([2**60, 2**60 + 1, 2**60 + 1, 2**60, 2**60 + 1]),
    )
    cleaned, findings = clean_rows(table, "ts", None)
    assert minutes_of(cleaned) == [0, 1]
    found = only(findings, "duplicate_rows")
    assert (found.count, found.message) == (3, "3 rows that repeat another row were dropped")


@pytest.mark.parametrize(
    "columns",
    [
        {"f": [1.0, 2.0, 3.0, 2.5]},
        {"f": [1.0, 2.0, 3.0, None]},
        {"f": [1.0, 2.0, 3.0, 2.0], "text": ["a", "b", "c", "d"]},
        {"f": [1.0, 2.0, 3.0, 2.0], "whole": [0, 2**60, 0, 2**60 + 1]},
    ],
)
def test_contradicting_rows_quarantine_the_symbol(columns: dict[str, list[Any]]) -> None:
    """Two rows of one time that differ in any cell are an error with count and first time."""
    with pytest.raises(DataError) as error:
        clean_rows(rows([0, 1, 2, 1], **columns), "ts", None)
    assert str(error.value) == (
        "1 timestamps have rows that contradict each other, the first at 2024-01-31T14:31:00Z. "
        "Keep one row per timestamp."
    )


def test_the_newest_rows_are_kept() -> None:
    """max_rows counts rows after duplicates are gone, and columns are judged on what is kept."""
    table, findings = clean_rows(rows([0, 1, 2, 2, 3], f=[9.0, 8.0, 7.0, 7.0, 7.0]), "ts", 2)
    assert minutes_of(table) == [2, 3]
    assert only(findings, "constant_column").column == "f"


def test_infinite_cells_become_missing() -> None:
    """An infinity is no value; the finding counts the cells."""
    values = [1.0, float("inf"), 2.0, float("-inf")]
    table, findings = clean_rows(rows([0, 1, 2, 3], f=values), "ts", None)
    np.testing.assert_array_equal(to_float(table.column("f")), [1.0, np.nan, 2.0, np.nan])
    message = "2 infinite cells of 'f' are taken as missing"
    assert findings == (QualityFinding("infinite_values", "f", 2, message),)


def test_empty_and_constant_columns_are_reported() -> None:
    """They stay in the table; whether they are constant is judged without the missing cells."""
    table = rows(
        [0, 1, 2],
        nan=[float("nan")] * 3,
        null=pa.array([None] * 3, pa.null()),
        flag=[1, None, 1],
        once=[None, 5.0, None],
    )
    cleaned, findings = clean_rows(table, "ts", None)
    assert cleaned.column_names == table.column_names
    assert findings == (
        QualityFinding("all_missing", "nan", 3, "'nan' has no value in any row"),
        QualityFinding("all_missing", "null", 3, "'null' has no value in any row"),
        QualityFinding("constant_column", "flag", 2, "'flag' is 1 wherever it has a value"),
    )


def test_assumptions_about_times_are_findings() -> None:
    """Whole numbers as times are said to be read as something."""
    table = pa.table({"ts": [1_706_711_400, 1_706_711_460]})
    cleaned, findings = clean_rows(table, "ts", None)
    assert minutes_of(cleaned) == [0, 1]
    found = only(findings, "time_unit_assumed")
    assert found.message == "time column 'ts': whole numbers read as seconds since 1970"


def test_no_rows_at_all() -> None:
    """An empty table is clean; that it is too short is another rule."""
    table, findings = clean_rows(rows([], f=pa.array([], pa.float64())), "ts", 10)
    assert table.num_rows == 0
    assert findings == ()


def test_too_few_rows() -> None:
    """The message gives both numbers and the key that asks for more."""
    require_rows(300, 300)
    expected = r"^10 rows after cleaning; data\.min_rows_per_symbol needs 300\.$"
    with pytest.raises(DataError, match=expected):
        require_rows(10, 300)


@given(
    st.lists(st.tuples(st.integers(0, 20), st.sampled_from([0.5, 1.5, None])), max_size=40),
    st.integers(1, 10) | st.none(),
    st.randoms(use_true_random=False),
)
def test_the_order_of_rows_does_not_matter(
    cells: list[tuple[int, float | None]], max_rows: int | None, shuffler: Any
) -> None:
    """Any order of the same rows gives the same table, or the same contradiction."""

    def outcome(pairs: list[tuple[int, float | None]]) -> Any:
        times, values = [time for time, _ in pairs], [value for _, value in pairs]
        try:
            table, _ = clean_rows(rows(times, f=pa.array(values, pa.float64())), "ts", max_rows)
        except DataError as error:
            return str(error)
        assert (np.diff(table.column("ts").to_numpy()) > 0).all()
        assert max_rows is None or table.num_rows <= max_rows
        return table.to_pydict()

    shuffled = list(cells)
    shuffler.shuffle(shuffled)
    assert outcome(cells) == outcome(shuffled)


def test_numbers_of_all_kinds_become_floats() -> None:
    """A ``float`` column stays float32; everything else is float64; null is NaN."""
    whole = to_float(pa.chunked_array([[1, None], [3]]))
    assert whole.dtype == np.float64
    np.testing.assert_array_equal(whole, [1.0, np.nan, 3.0])
    assert to_float(pa.chunked_array([pa.array([1.5, None], pa.float32())])).dtype == np.float32


def test_cells_beyond_float32_are_reported() -> None:
    """The feature matrix is float32: 1e39 cannot be held, an infinity is another finding."""
    table = pa.table({"f": [1e39, 1.0, -1e39], "g": [1.0, 2.0, float("nan")]})
    message = "2 cells of 'f' are beyond float32 and are taken as missing"
    assert overflow_findings(table, ["f", "g"]) == [
        QualityFinding("float32_overflow", "f", 2, message)
    ]


def test_bars_that_cannot_be_true_are_reported() -> None:
    """A close below the low, a low above the high, a price of zero; gaps are counted apart."""
    bars = pa.table(
        {
            "open": [10.0, 10.0, 10.0, 0.0, None, 10.0],
            "high": [11.0, 11.0, 9.0, 11.0, 11.0, 11.0],
            "low": [9.0, 9.0, 9.5, 0.0, 9.0, None],
            "close": [10.0, 8.0, 9.2, 10.0, 10.0, 10.0],
            "volume": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
        }
    )
    missing, inconsistent, nonpositive = bar_findings(bars)
    assert (missing.rule, missing.count) == ("missing_bar_cells", 2)
    assert missing.message == ("2 missing cells in the bars; what depends on them is missing too")
    assert (inconsistent.rule, inconsistent.count) == ("inconsistent_bars", 2)
    assert inconsistent.message == (
        "2 bars have an open or close outside [low, high]; kept as they are"
    )
    assert (nonpositive.rule, nonpositive.count) == ("nonpositive_prices", 1)
    assert nonpositive.message == "1 bars have a price of zero or less; kept as they are"


def test_dates_give_daily_rows() -> None:
    """A date column is an axis of midnights."""
    table = pa.table({"date": [dt.date(2024, 1, 1), dt.date(2024, 1, 2)], "f": [1.0, 2.0]})
    cleaned, _ = clean_rows(table, "date", None)
    assert np.diff(cleaned.column("date").to_numpy()).tolist() == [86_400 * 10**9]
