"""The group of each row: what columns of groups may hold, and how rows are numbered by it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ray_pipeline.errors import DataError
from ray_pipeline.groups import MOST_RUNS, RowGroups
from ray_pipeline.statistics.cells import cells_of


def _names(groups: RowGroups) -> list[str | None]:
    return [None if code < 0 else groups.names[code] for code in groups.codes.tolist()]


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["Energy", " Banks ", "", None], pa.string(), ["Energy", "Banks", None, None]),
        (["Energy", "Banks", None], pa.large_string(), ["Energy", "Banks", None]),
        ([45, 10, None], pa.int16(), ["45", "10", None]),
        ([45.0, float("nan"), None], pa.float64(), ["45", None, None]),
        ([None, None], pa.null(), [None, None]),
        ([], pa.string(), []),
    ],
)
def test_text_and_whole_numbers_are_groups(
    values: list[Any], kind: pa.DataType, expected: list[str | None]
) -> None:
    """By the name that a person reads; what is missing or empty is not a group."""
    column = pa.chunked_array([pa.array(values, kind)], kind)
    assert _names(RowGroups.from_column(column, "it")) == expected


def test_dictionaries_are_what_they_stand_for() -> None:
    """Whatever numbers their chunks have given the same names."""
    one = pa.array(["B", "A", None]).dictionary_encode()
    other = pa.array(["A", "C"]).dictionary_encode()
    found = RowGroups.from_column(pa.chunked_array([one, other]), "it")
    assert _names(found) == ["B", "A", None, "A", "C"]
    assert found.names == ("A", "B", "C")
    assert found.to_arrow().to_pylist() == ["B", "A", None, "A", "C"]


@pytest.mark.parametrize(
    "column",
    [pa.array([1.5, 2.0]), pa.array([float("inf")]), pa.array([[1]]), pa.array([1], pa.date32())],
    ids=["fraction", "infinite", "nested", "date"],
)
def test_other_columns_are_no_groups(column: pa.Array) -> None:
    """The message says what was found and what is needed."""
    with pytest.raises(
        DataError, match=r"column 'size' is .*; groups must be text or whole numbers"
    ):
        RowGroups.from_column(pa.chunked_array([column]), "column 'size'")


def test_joined_rows_keep_their_names() -> None:
    """Symbols number their groups by themselves."""
    parts = [
        RowGroups(("B", "C"), np.array([1, -1, 0], dtype=np.int32)),
        RowGroups.none(1),
        RowGroups(("A", "C"), np.array([0, 1], dtype=np.int32)),
    ]
    joined = RowGroups.joined(parts)
    assert _names(joined) == ["C", None, "B", None, "A", "C"]
    assert joined.n_missing == 2


def test_runs_begin_where_the_group_changes() -> None:
    """Also where it ends, and comes back."""
    groups = RowGroups(("A", "B"), np.array([0, 0, 1, -1, -1, 0], dtype=np.int32))
    times = np.arange(6) * 10
    assert groups.runs(times) == ((0, "A"), (20, "B"), (30, None), (50, "A"))
    many = RowGroups(("A", "B"), np.tile(np.array([0, 1], dtype=np.int32), 2 * MOST_RUNS))
    assert len(many.runs(np.arange(4 * MOST_RUNS))) == MOST_RUNS


def test_cells_are_of_one_time_and_one_group() -> None:
    """They ascend with time; a row without a group is alone."""
    random = np.random.default_rng(0)
    positions = np.sort(random.integers(0, 20, 300))
    groups = random.integers(-1, 3, 300).astype(np.int32)
    cells = cells_of(positions, groups)
    assert np.all(np.diff(positions[np.argsort(cells, kind="stable")]) >= 0)
    for i in range(300):
        same = (positions == positions[i]) & (groups == groups[i])
        if groups[i] < 0:
            same = np.arange(300) == i
        np.testing.assert_array_equal(cells == cells[i], same)
