"""The groups of a symbol's rows: from its files, or from the table of the universe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from panels import FIRST_NS, times

from ray_pipeline.errors import DataError
from ray_pipeline.groups import RowGroups
from ray_pipeline.panel.reading import PartitionReader
from ray_pipeline.panel.reading_rules import AS_THEY_ARE
from ray_pipeline.panel.row_groups import find_only_group, group_source, groups_of_rows
from ray_pipeline.records import GroupSpans, PartitionFile, SymbolPartition
from ray_pipeline.storage import open_filesystem

DAY_NS = 86_400 * 10**9
N_ROWS = 40
TIMES: np.ndarray = FIRST_NS + DAY_NS * np.arange(N_ROWS)


def _symbol(folder: Path, *files: pa.Table, **options: Any) -> SymbolPartition:
    """Write the files of a symbol, in the order of their rows."""
    found = []
    for number, table in enumerate(files):
        path = folder / f"part-{number}.parquet"
        pq.write_table(table, path, row_group_size=15, **options)
        found.append(PartitionFile(str(path), path.stat().st_size, ""))
    return SymbolPartition("A", tuple(found))


def _table(values: Any, rows: slice = slice(None)) -> pa.Table:
    column = values if isinstance(values, pa.Array) else pa.array(values)
    return pa.table({"ts": times(N_ROWS), "sector": column})[rows]


def _groups(
    partition: SymbolPartition, spans: GroupSpans | None = None, column: str | None = "sector"
) -> list[str | None]:
    fs, _ = open_filesystem("/", {})
    with PartitionReader(partition, fs) as reader:
        found = groups_of_rows(reader, spans, column, "ts", TIMES, AS_THEY_ARE)
    return [None if code < 0 else found.names[code] for code in found.codes.tolist()]


def _only(partition: SymbolPartition) -> str | None:
    fs, _ = open_filesystem("/", {})
    with PartitionReader(partition, fs) as reader:
        return find_only_group(reader, "sector")


@pytest.mark.parametrize(
    ("values", "only"),
    [
        (["Energy"] * N_ROWS, "Energy"),
        (pa.array([" Energy "] * N_ROWS).dictionary_encode(), "Energy"),
        ([10] * N_ROWS, "10"),
        (["Energy"] * (N_ROWS - 1) + ["Banks"], None),
        (["Energy"] * (N_ROWS - 1) + [None], None),
        ([10.0] * (N_ROWS - 1) + [float("nan")], None),
        ([10.0] * N_ROWS, None),
        ([""] * N_ROWS, None),
        ([None] * N_ROWS, None),
        (["Energy"] * 20 + ["Banks"] * 20, None),
    ],
    ids=[
        *("text", "dictionary", "whole", "other at the end", "null at the end", "NaN at the end"),
        *("float", "empty", "missing", "two"),
    ],
)
def test_footers_tell_the_only_group_and_nothing_else(
    tmp_path: Path, values: Any, only: str | None
) -> None:
    """What is told without reading the column is what its cells say."""
    told, silent = tmp_path / "told", tmp_path / "silent"
    for folder in (told, silent):
        folder.mkdir()
    partition = _symbol(told, _table(values))
    assert _only(partition) == only
    without = _symbol(silent, _table(values), write_statistics=False)
    assert _only(without) is None
    assert _groups(partition) == _groups(without)


def test_files_need_not_agree(tmp_path: Path) -> None:
    """A file without the column has rows without a group, another one another group."""
    first, second = slice(0, 20), slice(20, None)
    partition = _symbol(
        tmp_path, _table(["Energy"] * N_ROWS, first), _table(["Banks"] * N_ROWS, second)
    )
    assert _groups(partition) == ["Energy"] * 20 + ["Banks"] * 20
    bare = _table(["Energy"] * N_ROWS, second).drop_columns("sector")
    partition = _symbol(tmp_path, _table(["Energy"] * N_ROWS, first), bare)
    assert _only(partition) is None
    assert _groups(partition) == ["Energy"] * 20 + [None] * 20


def test_rows_are_found_by_their_time(tmp_path: Path) -> None:
    """Whatever their order in the file, and whatever other rows it has."""
    names = [f"g{i}" for i in range(N_ROWS)]
    order = np.random.default_rng(0).permutation(N_ROWS)
    partition = _symbol(tmp_path, _table(names).take(pa.array(order)))
    assert _groups(partition) == names


def test_the_universe_tells_groups_where_files_do_not(tmp_path: Path) -> None:
    """Its own files count first; without a word of either there is none."""
    spans = ((int(TIMES[10]), int(TIMES[30]), "Energy"),)
    table = _table(["Banks"] * N_ROWS)
    assert _groups(_symbol(tmp_path, table), spans) == ["Banks"] * N_ROWS
    bare = _symbol(tmp_path, table.drop_columns("sector"))
    assert _groups(bare, spans) == [None] * 10 + ["Energy"] * 20 + [None] * 10
    assert _groups(bare) == [None] * N_ROWS
    assert _groups(bare, spans, column=None) == [None] * N_ROWS
    columns = [("ts", "int64"), ("sector", "string")]
    assert group_source(columns, spans, "sector") == "files"
    assert group_source(columns, spans, "industry") == "universe"
    assert group_source(columns, None, "industry") == "nowhere"


def test_numbers_that_are_not_whole_are_refused(tmp_path: Path) -> None:
    """The message names the column."""
    with pytest.raises(DataError, match=r"columns.group: column 'sector' is double"):
        _groups(_symbol(tmp_path, _table([0.5] * N_ROWS)))


def test_spans_have_no_group_between_them() -> None:
    """Times before the first, after the last and in a hole have none."""
    spans = ((0, 10, "A"), (20, 30, "B"))
    found = RowGroups.from_spans(spans, np.array([-1, 0, 9, 10, 19, 20, 29, 30]))
    assert found.to_arrow().to_pylist() == [None, "A", "A", None, None, "B", "B", None]
