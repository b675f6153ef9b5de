"""A table in memory is read as its file would be."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_pipeline.errors import DataError
from ray_pipeline.panel.loading import TableRequest, load_symbol_table, symbol_table_of
from ray_pipeline.records import PartitionFile, SymbolPartition
from ray_pipeline.storage import open_filesystem

REQUEST = TableRequest("labeled", None, ("a", "b", "c", "d", "gone"), ("y",), None, 1, 86_400, 1)


def messy_table() -> pa.Table:
    """Return rows out of order and repeated, with infinities, and numbers of several types."""
    days = [3, 1, 2, 2, 5, 4]
    return pa.table(
        {
            "date": pa.array([19_000 + day for day in days], pa.date32()),
            "a": pa.array([0.1, np.inf, None, None, 1e39, -5.0]),
            "b": pa.array([True, False, None, None, True, True]),
            "c": pa.array([Decimal("1.5"), None, Decimal("2.5"), Decimal("2.5"), None, None]),
            "d": pa.array([1, 2, 3, 3, 4, 5]).dictionary_encode(),
            "y": pa.array([1.0, 2.0, 3.0, 3.0, 4.0, 5.0]),
        }
    )


def test_a_table_gives_what_its_file_gives(tmp_path: Path) -> None:
    """Sorted, without repetitions, dense, to the bit."""
    path = tmp_path / "part.parquet"
    pq.write_table(messy_table(), path)
    fs, _ = open_filesystem(str(tmp_path))
    partition = SymbolPartition("A", (PartitionFile(str(path), path.stat().st_size, ""),))
    from_file = load_symbol_table(partition, fs, REQUEST)
    in_memory = symbol_table_of(messy_table(), "A", REQUEST)
    assert in_memory.symbol == "A"
    for name in ("time_ns", "features", "targets"):
        np.testing.assert_array_equal(getattr(in_memory, name), getattr(from_file, name))
    assert in_memory.features.dtype == np.float32
    assert in_memory.features[:, 3].tolist() == [2, 3, 1, 5, 4]


def test_two_columns_of_one_name_are_refused() -> None:
    """Which of them is meant nobody knows."""
    table = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(DataError, match=r"^symbol A: the table holds two columns of the same name"):
        symbol_table_of(table, "A", REQUEST)


def test_bars_need_their_fields() -> None:
    """As for files."""
    request = TableRequest("bars", None, ("gap",), (), None, 1, 86_400, 1)
    with pytest.raises(DataError, match=r"^symbol A: not bars: no column open, high, low, close"):
        symbol_table_of(messy_table(), "A", request)
