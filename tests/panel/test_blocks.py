"""Rows are put in order, columns are judged, and nothing depends on how a table is cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from panel.table_reader import MINUTE, T0, TableReader, clean, rows

from ray_pipeline.errors import DataError
from ray_pipeline.panel import blocks
from ray_pipeline.panel.blocks import Block, clean_blocks
from ray_pipeline.panel.quality import QualityFinding

NAN = float("nan")
IN_ONE_GO = 1 << 20


@pytest.fixture(params=[IN_ONE_GO, 0], ids=["whole", "blocks"], autouse=True)
def _whole_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test holds for a table that is read in one go, and for one cell at a time."""
    monkeypatch.setattr(blocks, "WHOLE_BYTES", request.param)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", request.param)


def test_clean_rows_are_left_alone() -> None:
    """Ordered rows with unique times and finite, varying values give no finding."""
    cleaned = clean(rows([0, 1, 5], f=[1.0, 2.0, None]))
    assert cleaned.minutes == [0, 1, 5]
    np.testing.assert_array_equal(cleaned.columns["f"], [1.0, 2.0, NAN])
    assert cleaned.findings == ()


def test_nothing_is_copied_of_clean_rows() -> None:
    """They are placed by slices, and their cells are those that were read."""
    table = rows(range(5), f=[1.0, 2.0, 3.0, 4.0, 5.0])
    reader: Any = TableReader(table)
    plan, found = clean_blocks(reader, "ts", ["f"], 3)
    assert plan.positions is None
    for block in found:
        assert isinstance(block.kept, slice)
        assert isinstance(block.rows, slice)
        address = table.column("f").chunk(0).buffers()[1].address
        inside = block.values("f").__array_interface__["data"][0] - address
        assert inside in (8 * 2, 8 * 3)


def test_rows_without_a_time_are_dropped() -> None:
    """A row that belongs to no moment cannot be used."""
    cleaned = clean(rows([0, None, 1, None], f=[1.0, 2.0, 3.0, 4.0]))
    assert cleaned.columns["f"] == [1.0, 3.0]
    assert cleaned.findings == (
        QualityFinding("missing_time", "ts", 2, "2 rows without a time were dropped"),
    )


def test_rows_are_sorted() -> None:
    """Each row keeps its values; the finding counts rows older than the one before."""
    cleaned = clean(rows([3, 1, 2, 0], f=[3.0, 1.0, 2.0, 0.0]))
    assert cleaned.minutes == [0, 1, 2, 3]
    assert cleaned.columns["f"] == [0.0, 1.0, 2.0, 3.0]
    message = "2 rows are older than the row before them; rows were sorted"
    assert cleaned.findings == (QualityFinding("out_of_order", None, 2, message),)


def test_identical_rows_are_reduced_to_one() -> None:
    """Missing equals missing, whether null or NaN, and wherever the copies stand."""
    whole = pa.array([2**60, 2**60 + 1, 2**60 + 1, 2**60, 2**60 + 1])
    cleaned = clean(rows([0, 1, 1, 0, 1], f=[1.0, None, NAN, 1.0, None], whole=whole))
    assert cleaned.minutes == [0, 1]
    found = cleaned.only("duplicate_rows")
    assert (found.count, found.message) == (3, "3 rows that repeat another row were dropped")


@pytest.mark.parametrize("max_rows", [None, 1])
@pytest.mark.parametrize(
    "columns",
    [
        {"f": [1.0, 2.0, 3.0, 2.5]},
        {"f": [1.0, 2.0, 3.0, None]},
        {"f": [1.0, 2.0, 3.0, 2.0], "whole": [0, 2**60, 0, 2**60 + 1]},
        {"f": [1.0, 2.0, 3.0, 2.0], "g": [1, 1, 1, 1], "single": pa.array([1, 2, 3, 4], "float")},
    ],
)
def test_contradicting_rows_quarantine_the_symbol(
    columns: dict[str, Any], max_rows: int | None
) -> None:
    """Two rows of one time that differ in any cell are an error with count and first time.

    Among rows too old to be kept as well, and by their own values: as floats some are equal.
    """
    with pytest.raises(DataError) as error:
        clean(rows([0, 1, 2, 1], **columns), max_rows)
    assert str(error.value) == (
        "1 timestamp has rows that contradict each other, the first at "
        "2024-01-31T14:31:00+00:00. Keep one row per timestamp, or choose one with "
        "data.duplicates: last (in the order of files and rows), first, or drop."
    )


def test_contradictions_of_all_columns_are_counted() -> None:
    """Each column contradicts at another time; the error tells of both, and the older."""
    table = rows([0, 0, 1, 1, 2], f=[1.0, 1.0, 2.0, 3.0, 4.0], g=[1, 2, 3, 3, 4])
    with pytest.raises(
        DataError, match=r"^2 timestamps have .*, the first at 2024-01-31T14:30:00\+00:00"
    ):
        clean(table)


def test_the_newest_rows_are_kept() -> None:
    """max_rows counts rows after duplicates are gone, and columns are judged on what is kept."""
    cleaned = clean(rows([0, 1, 2, 2, 3], f=[9.0, 8.0, 7.0, 7.0, 7.0]), 2)
    assert cleaned.minutes == [2, 3]
    assert cleaned.only("constant_column").column == "f"
    assert clean(rows(range(7), f=np.arange(7.0)), 2).columns["f"] == [5.0, 6.0]


def test_infinite_cells_become_missing() -> None:
    """An infinity is not a value; the finding counts the cells."""
    cleaned = clean(rows([0, 1, 2, 3], f=[1.0, float("inf"), 2.0, float("-inf")]))
    np.testing.assert_array_equal(cleaned.columns["f"], [1.0, NAN, 2.0, NAN])
    message = "2 infinite cells of 'f' are treated as missing"
    assert cleaned.findings == (QualityFinding("infinite_values", "f", 2, message),)


def test_empty_and_constant_columns_are_reported() -> None:
    """They stay in the table; whether they are constant is judged without the missing cells."""
    table = rows(
        [0, 1, 2],
        nan=[NAN] * 3,
        null=pa.array([None] * 3, pa.null()),
        flag=[1, None, 1],
        once=[None, 5.0, None],
    )
    assert clean(table, group_rows=1).findings == (
        QualityFinding("all_missing", "nan", 3, "'nan' has no value in any row"),
        QualityFinding("all_missing", "null", 3, "'null' has no value in any row"),
        QualityFinding("constant_column", "flag", 2, "'flag' is 1 wherever it has a value"),
    )


def test_assumptions_about_times_are_findings() -> None:
    """Whole numbers as times are said to be read as something."""
    cleaned = clean(pa.table({"ts": [T0 // 10**9, (T0 + MINUTE) // 10**9], "f": [1.0, 2.0]}))
    assert cleaned.minutes == [0, 1]
    found = cleaned.only("time_unit_assumed")
    assert found.message == "time column 'ts': whole numbers read as seconds since 1970"


def test_no_rows_at_all() -> None:
    """An empty table is clean; that it is too short is another rule."""
    cleaned = clean(rows([], f=pa.array([], pa.float64())), 10)
    assert (cleaned.minutes, cleaned.columns, cleaned.findings) == ([], {"f": []}, ())


def test_a_matrix_is_written_in_any_order_of_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """More columns and rows than are written at a time; what the block lacks stays as it is."""
    monkeypatch.setattr(blocks, "_LINE_ROWS", 2)
    names = [f"f{i}" for i in range(40)]
    cells = np.arange(5.0 * 40).reshape(5, 40)
    block = Block(pa.table(dict(zip(names, cells.T, strict=True))), slice(1, 5), slice(0, 4))
    matrix = np.full((4, 41), -1.0, dtype=np.float32)
    block.write(matrix, [*names[::-1], "other"])
    assert matrix[:, :40].tolist() == cells[1:, ::-1].tolist()
    assert matrix[:, 40].tolist() == [-1.0] * 4


CELLS = st.sampled_from([0.0, -0.0, 0.5, 1e39, float("inf"), NAN, None])


@given(
    st.lists(st.tuples(st.integers(0, 30) | st.none(), CELLS, CELLS), max_size=40),
    st.integers(1, 10) | st.none(),
    st.integers(1, 7),
    st.integers(0, 40),
    st.randoms(use_true_random=False),
)
def test_neither_order_nor_blocks_matter(
    cells: list[tuple[int | None, float | None, float | None]],
    max_rows: int | None,
    group_rows: int,
    max_cells: int,
    shuffler: Any,
) -> None:
    """Any cut of the same rows gives the same cells and findings, or the same contradiction.

    Any order of them as well, apart from the finding that says so.
    """

    def outcome(some: list[tuple[int | None, float | None, float | None]], n_bytes: int) -> Any:
        times, f, g = ([row[i] for row in some] for i in range(3))
        table = rows(times, f=pa.array(f, pa.float64()), g=pa.array(g, pa.float32()))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(blocks, "WHOLE_BYTES", n_bytes)
            patch.setattr(blocks, "BLOCK_BYTES", 8 * max_cells)
            try:
                cleaned = clean(table, max_rows, group_rows)
            except DataError as error:
                return str(error), ()
        assert (np.diff(cleaned.minutes) > 0).all()
        assert max_rows is None or len(cleaned.minutes) <= max_rows
        return repr((cleaned.minutes, cleaned.columns)), cleaned.findings

    whole = outcome(cells, IN_ONE_GO)
    assert outcome(cells, 0) == whole
    # Rows of one time that differ in the sign of a zero are equal: the first of them is kept.
    shuffled = list(cells)
    shuffler.shuffle(shuffled)
    text, _ = outcome(shuffled, 0)
    assert text.replace("-0.0", "0.0") == whole[0].replace("-0.0", "0.0")
