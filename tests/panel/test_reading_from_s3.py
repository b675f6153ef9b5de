"""What reading a symbol asks of an object store."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from object_stores import faults

from ray_pipeline.discovery import discover
from ray_pipeline.errors import DataError, StorageError
from ray_pipeline.panel import PartitionReader, read_columns
from ray_pipeline.records import SymbolPartition

if TYPE_CHECKING:
    from conftest import ProxiedBucket

N_ROWS = 12_000
COLUMNS = [f"f{i}" for i in range(50)]
MIB = 1 << 20


def _table(seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table({name: rng.normal(size=N_ROWS) for name in COLUMNS})


def _put(bucket: ProxiedBucket, name: str, table: pa.Table, **options: object) -> int:
    sink = io.BytesIO()
    pq.write_table(table, sink, use_dictionary=False, **options)
    bucket.run.write_bytes(f"symbol=A/{name}", sink.getvalue())
    return len(sink.getvalue())


def _put_all(bucket: ProxiedBucket, tables: list[pa.Table]) -> SymbolPartition:
    for i, table in enumerate(tables):
        _put(bucket, f"{i:02}.parquet", table)
    return _discovered(bucket)


def _discovered(bucket: ProxiedBucket) -> SymbolPartition:
    (partition,) = discover(bucket.uri, storage_options=bucket.options).partitions
    bucket.proxy.clear()
    return partition


@pytest.mark.parametrize("row_group_size", [N_ROWS, 1_000])
@pytest.mark.parametrize("chosen", [COLUMNS[:10], COLUMNS[::5], COLUMNS])
def test_ten_columns_of_a_file_take_few_requests(
    bucket: ProxiedBucket, chosen: list[str], row_group_size: int
) -> None:
    """A file of 5 MB: its footer and at most three ranges, side by side or far apart, no HEAD."""
    table = _table()
    assert 4 * MIB < _put(bucket, "x.parquet", table, row_group_size=row_group_size) < 5 * MIB
    partition = _discovered(bucket)
    assert read_columns(partition, bucket.open()[0], chosen).equals(table.select(chosen))
    assert {request.kind for request in bucket.proxy.requests} == {"GET"}
    assert len(bucket.proxy.requests) <= 4


def test_a_small_file_is_one_request(bucket: ProxiedBucket) -> None:
    """It comes with its footer."""
    table = pa.table({"f": [0.5, 1.5]})
    _put(bucket, "x.parquet", table)
    partition = _discovered(bucket)
    assert read_columns(partition, bucket.open()[0]).equals(table)
    assert len(bucket.proxy.requests) == 1


def test_small_files_are_one_request_each(bucket: ProxiedBucket) -> None:
    """Also when a symbol has more of them than may be open on a disk."""
    partition = _put_all(bucket, [pa.table({"f": [float(i)]}) for i in range(70)])
    column = read_columns(partition, bucket.open()[0]).column("f")
    assert column.to_pylist() == [float(i) for i in range(70)]
    assert len(bucket.proxy.requests) == 70


def test_of_a_large_file_little_is_read_in_vain(bucket: ProxiedBucket) -> None:
    """A column of each large row group is a range of its own."""
    rng = np.random.default_rng(0)
    table = pa.table({name: rng.normal(size=600_000) for name in "abc"})
    size = _put(bucket, "x.parquet", table, row_group_size=300_000, compression="none")
    partition = _discovered(bucket)
    assert read_columns(partition, bucket.open()[0], ["b"]).equals(table.select(["b"]))
    assert len(bucket.proxy.requests) == 3
    assert sum(request.n_body_bytes for request in bucket.proxy.requests) < 0.4 * size


@pytest.mark.parametrize(("max_cells", "n_ranges"), [(40 * 3_000, 4), (10 * 3_000, 4 * 4)])
def test_blocks_are_disjoint_ranges(
    bucket: ProxiedBucket, monkeypatch: pytest.MonkeyPatch, max_cells: int, n_ranges: int
) -> None:
    """Row groups that fit cost what they cost in one go, of larger ones no byte comes twice."""
    monkeypatch.setattr("ray_pipeline.panel.fetching.BYTES_AHEAD", 1 << 20)
    monkeypatch.setattr("ray_pipeline.storage.parquet_ranges.MAX_GAP_BYTES", 1 << 10)
    table = _table().select(COLUMNS[:40])
    size = _put(bucket, "x.parquet", table, row_group_size=3_000, compression="none")
    partition = _discovered(bucket)
    with PartitionReader(partition, bucket.open()[0]) as reader:
        bucket.proxy.clear()
        cells = sum(
            block.num_rows * block.num_columns
            for _, block in reader.blocks(COLUMNS[:40], max_cells)
        )
    assert cells == N_ROWS * 40
    assert len(bucket.proxy.requests) == n_ranges
    assert sum(request.n_body_bytes for request in bucket.proxy.requests) <= size


def test_files_of_a_symbol_are_read_at_the_same_time(bucket: ProxiedBucket) -> None:
    """Neither footers nor columns wait for those of the file before; rows keep their order."""
    tables = [_table(seed).slice(0, 3_000) for seed in range(12)]
    partition = _put_all(bucket, tables)
    bucket.proxy.latency_s = 0.05
    assert read_columns(partition, bucket.open()[0]).equals(pa.concat_tables(tables))
    footers, columns = bucket.proxy.requests[:12], bucket.proxy.requests[12:]
    assert len(columns) == 12
    for some in (footers, columns):
        assert max(request.n_in_flight for request in some) > 6


def test_only_so_many_bytes_are_on_their_way(
    bucket: ProxiedBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A symbol of any length is fetched in pieces, the next while one is decoded."""
    monkeypatch.setattr("ray_pipeline.panel.fetching.BYTES_AHEAD", 1 << 16)
    tables = [_table(seed).slice(0, 1_000) for seed in range(8)]
    partition = _put_all(bucket, tables)
    bucket.proxy.latency_s = 0.02
    assert read_columns(partition, bucket.open()[0]).equals(pa.concat_tables(tables))
    assert max(request.n_in_flight for request in bucket.proxy.requests) <= 3


def test_a_file_replaced_while_a_run_reads_it(bucket: ProxiedBucket) -> None:
    """Another object of the same size and layout is noticed, and is the data's fault."""
    size = _put(bucket, "x.parquet", _table(0), compression="none")
    partition = _discovered(bucket)
    uri = f"{bucket.uri}/symbol=A/x.parquet"
    message = rf"^{uri} had ETag [0-9a-f]+ when it was listed and has another now: it has changed"
    with PartitionReader(partition, bucket.open()[0]) as reader:
        assert _put(bucket, "x.parquet", _table(1), compression="none") == size
        with pytest.raises(DataError, match=message):
            reader.read(COLUMNS)
    with pytest.raises(DataError, match=message):
        read_columns(partition, bucket.open()[0])


def test_a_file_removed_while_a_run_reads_it(bucket: ProxiedBucket) -> None:
    """What was listed and is gone is the data's fault too."""
    _put(bucket, "x.parquet", _table())
    partition = _discovered(bucket)
    bucket.run.remove("symbol=A")
    with pytest.raises(DataError, match=r"/symbol=A/x\.parquet was listed and is gone now\.$"):
        read_columns(partition, bucket.open()[0])


def test_a_store_that_fails_for_long_is_not_the_datas_fault(bucket: ProxiedBucket) -> None:
    """The symbol is tried again elsewhere instead of being left out."""
    _put(bucket, "x.parquet", _table())
    partition = _discovered(bucket)
    bucket.proxy.rule = lambda _: faults.reset(in_body=True)
    with pytest.raises(StorageError, match=r"^Cannot read .*/x\.parquet: the answer broke off: "):
        read_columns(partition, bucket.open()[0])
