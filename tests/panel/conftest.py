"""Small partitions on a local disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_pipeline.records import PartitionFile, SymbolPartition
from ray_pipeline.storage.filesystems import FileSystem, open_filesystem

WritePartition = Callable[..., SymbolPartition]


@pytest.fixture
def fs(tmp_path: Path) -> FileSystem:
    return open_filesystem(str(tmp_path))[0]


@pytest.fixture
def write_partition(tmp_path: Path) -> WritePartition:
    """Return a function that writes tables as part-0, part-1, … of a symbol."""

    def write(symbol: str, *tables: pa.Table) -> SymbolPartition:
        files = []
        for number, table in enumerate(tables):
            path = tmp_path / f"symbol={symbol}" / f"part-{number}.parquet"
            path.parent.mkdir(exist_ok=True)
            pq.write_table(table, path)
            files.append(PartitionFile(str(path), path.stat().st_size, ""))
        return SymbolPartition(symbol, tuple(files))

    return write
