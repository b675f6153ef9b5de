from __future__ import annotations

import numpy as np
import pytest

from ray_pipeline.panel.quality import QualityFinding
from ray_pipeline.panel.tallies import ColumnTally


def tallied(*blocks: list[float], lists_values: bool = False) -> ColumnTally:
    tally = ColumnTally("f", lists_values=lists_values)
    first = 0
    for block in blocks:
        tally.add(np.array(block), slice(first, first + len(block)))
        first += len(block)
    return tally


def test_missing_and_infinite_cells_are_counted_over_blocks() -> None:
    """An infinite cell is a missing one too."""
    tally = tallied([1.0, np.nan, np.inf], [], [np.nan], [-np.inf, 2.0])
    assert tally.n_missing == 4
    message = "2 infinite cells of 'f' are treated as missing"
    assert tally.findings() == [QualityFinding("infinite_values", "f", 2, message)]
    assert tally.only_value is None


def test_cells_out_of_range_are_missing_ones() -> None:
    """How many and the first are told; an infinity is another finding."""
    largest = np.finfo(np.float64).max
    tally = tallied([1.0, np.inf], [-2e30, 7.0, largest], [1e30, -1e30])
    assert tally.n_missing == 3
    assert tally.n_present == 4
    assert [finding.message for finding in tally.findings()] == [
        "1 infinite cell of 'f' is treated as missing",
        "2 cells of 'f' are beyond ±1e+30, the first is -2e+30; they are treated as missing",
    ]
    assert tally.findings()[1].rule == "out_of_range"
    assert tally.findings()[1].count == 2


def test_the_first_cell_out_of_range_is_that_of_the_first_row() -> None:
    """Blocks come in any order, and so do their rows."""
    tally = ColumnTally("f")
    tally.add(np.array([3e30, 4e30, 1.0]), np.array([7, 5, 6]))
    tally.add(np.array([1e300, np.inf, 2e30]), np.array([4, 0, 1]))
    assert "the first is 2e+30;" in tally.findings()[1].message


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_what_is_out_of_range_is_no_value_of_its_column(kind: type) -> None:
    """Neither the only one nor one of a few, and there is no warning."""
    column = np.array([np.inf, 3e38, 2.0, 2.0, -3e38, np.nan], dtype=kind)
    with np.errstate(all="raise"):
        tally = ColumnTally("f", lists_values=True)
        tally.add(column, slice(0, len(column)))
        empty = ColumnTally("g")
        empty.add(column[:2], slice(0, 2))
    assert (tally.only_value, tally.few_values, tally.n_missing) == (2.0, (2.0,), 4)
    assert [finding.rule for finding in empty.findings()] == [
        "infinite_values",
        "out_of_range",
        "all_missing",
    ]


@pytest.mark.parametrize(
    ("blocks", "value"),
    [
        ([[4.0], [4.0]], 4.0),
        ([[np.nan], [4.0, np.nan, 4.0]], 4.0),
        ([[4.0, np.nan], [np.nan]], None),
        ([[4.0, 4.0], [5.0, 5.0]], None),
        ([[4.0, 5.0], [4.0, 4.0]], None),
    ],
)
def test_the_only_value_of_a_column(blocks: list[list[float]], value: float | None) -> None:
    """One value in at least two cells, whatever the blocks."""
    assert tallied(*blocks).only_value == value


def test_the_first_row_stands_for_a_constant_column() -> None:
    """0 and −0 are one value; which is shown depends on the rows, not on who comes first."""
    tally = ColumnTally("f")
    tally.add(np.array([0.0, 0.0]), np.array([3, 1]))
    tally.add(np.array([np.nan, 0.0, -0.0]), np.array([0, 4, 2]))
    assert str(tally.only_value) == "0.0"
    tally.add(np.array([-0.0]), np.array([0]))
    assert tally.findings()[0].message == "'f' is -0 wherever it has a value"


def test_few_values_are_listed() -> None:
    """Twelve are, thirteen are not; a zero has no sign, and a missing cell is not a value."""
    tally = tallied([2.0, -0.0, np.nan], [0.0, 1.0], lists_values=True)
    assert str(tally.few_values) == "(0.0, 1.0, 2.0)"
    twelve = [float(i) for i in range(12)]
    assert tallied(twelve[:6], twelve[3:], lists_values=True).few_values == tuple(twelve)
    assert tallied(twelve, [99.0], [1.0], lists_values=True).few_values is None
    assert tallied([1.0]).few_values is None
