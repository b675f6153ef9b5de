"""A table in batches: all of its rows, in order, in bounded memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ray_pipeline.storage.batches
from ray_pipeline.storage import RunDirectory, content_sha256, table_batches
from ray_pipeline.storage.batches import row_group_bunches

N_ROWS = 400_000
FILE_BYTES = 8 * N_ROWS


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """Write 3.2 MB of a column that does not compress, in 40 row groups."""
    table = pa.table({"x": np.random.default_rng(0).standard_normal(N_ROWS)})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=N_ROWS // 40, use_dictionary=False)
    assert (tmp_path / "x.parquet").stat().st_size > 0.9 * FILE_BYTES
    return RunDirectory(tmp_path)


@pytest.mark.parametrize("n_bytes", [1, 250_000, 1 << 30])
def test_all_rows_in_order(
    run: RunDirectory, n_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many row groups are read together; the hash is that of the values alone."""
    expected = content_sha256(run, ["x.parquet"])
    monkeypatch.setattr(ray_pipeline.storage.batches, "_READ_BYTES", n_bytes)
    monkeypatch.setattr(ray_pipeline.storage.batches, "_BATCH_ROWS", 7_000)
    with run.open_table("x.parquet") as file:
        batches = list(table_batches(file))
    assert max(batch.num_rows for batch in batches) <= 7_000
    assert pa.Table.from_batches(batches).equals(run.read_table("x.parquet"))
    assert content_sha256(run, ["x.parquet"]) == expected


def test_the_file_is_not_kept_in_memory(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read of earlier row groups is let go: less than a quarter of the file is held."""
    monkeypatch.setattr(ray_pipeline.storage.batches, "_READ_BYTES", FILE_BYTES // 20)
    monkeypatch.setattr(ray_pipeline.storage.batches, "_BATCH_ROWS", 5_000)
    with run.open_table("x.parquet") as file:
        next(file.iter_batches(5_000))  # what is imported on first use counts for no table
        tracemalloc.start()
        try:
            before = pa.total_allocated_bytes()
            in_arrow = max(pa.total_allocated_bytes() - before for _ in table_batches(file))
            in_python = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert in_python + in_arrow < FILE_BYTES / 4


def test_a_table_without_rows(tmp_path: Path) -> None:
    """It has no batch, or empty ones."""
    run = RunDirectory(tmp_path)
    run.write_table("x.parquet", pa.table({"x": pa.array([], pa.float64())}))
    with run.open_table("x.parquet") as file:
        assert sum(batch.num_rows for batch in table_batches(file)) == 0


def test_row_groups_are_bunched_by_bytes_and_rows(tmp_path: Path) -> None:
    """Bunches are as large as both limits allow, and have one row group at least."""
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"x": np.arange(1_000.0)}), path, row_group_size=100)
    metadata = pq.read_metadata(path)
    groups = list(range(10))
    size = metadata.row_group(0).total_byte_size
    assert list(row_group_bunches(metadata, 1 << 30)) == [groups]
    assert list(row_group_bunches(metadata, 1)) == [[group] for group in groups]
    assert list(row_group_bunches(metadata, 1 << 30, 450)) == [groups[:4], groups[4:8], groups[8:]]
    assert list(row_group_bunches(metadata, 1 << 30, 99)) == [[group] for group in groups]
    assert len(next(row_group_bunches(metadata, 2 * size, 450))) == 2
