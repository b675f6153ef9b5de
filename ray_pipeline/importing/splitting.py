"""Split rows of many symbols by symbol and year, into hash buckets. No I/O."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.importing.columns import TIME

__all__ = ["FRAGMENTS", "Key", "bucket_of", "fragments_of", "pieces_of"]

Key = tuple[str, int]
"""A symbol and a year, which make up one file."""

FRAGMENTS = pa.schema(
    [
        ("bucket", pa.int32()),
        ("chunk", pa.int32()),
        ("part", pa.int32()),
        ("head", pa.binary()),
        ("rows", pa.large_binary()),
    ]
)
"""The unit of the shuffle: everything from one part of one chunk that goes into one bucket.

`head` has its keys and their numbers of rows; `rows` has these rows as an Arrow stream, key by key,
each in the order of the source. A shuffle that moves such fragments never touches single rows.
"""


@dataclass(frozen=True, slots=True)
class _Keys:
    """Rows by key: the existing keys, and the row numbers of each, one key after another."""

    keys: list[Key]
    counts: list[int]
    order: NDArray[np.int64] | None  # None: the rows are already in order


def bucket_of(key: Key, n_buckets: int) -> int:
    """Return the bucket of a symbol and year: the same in every process and on every machine."""
    return zlib.crc32(f"{key[0]}\0{key[1]}".encode()) % n_buckets


def fragments_of(
    table: pa.Table, symbols: pa.DictionaryArray, chunk: int, part: int, n_buckets: int
) -> pa.Table:
    """Split a table into fragments.

    Parameters
    ----------
    table
        Rows with the time `TIME` as int64 nanoseconds, and the other columns; no nulls in the time.
    symbols
        (n_rows,) The symbol of each row, without nulls.
    chunk, part
        Position of these rows in the order of the sources.
    n_buckets
        Number of buckets of the whole import.

    Returns
    -------
    pa.Table
        Of schema `FRAGMENTS`, sorted by bucket.
    """
    time_ns = table[TIME].to_numpy()
    found = _by_bucket(symbols, time_ns, n_buckets)
    if found.order is not None:
        table = _taken(table, found.order)
    table = table.combine_chunks()
    rows: dict[str, list[object]] = {name: [] for name in FRAGMENTS.names}
    start = first = 0
    buckets = [bucket_of(key, n_buckets) for key in found.keys]
    for i, bucket in enumerate(buckets):
        if i + 1 < len(buckets) and buckets[i + 1] == bucket:
            continue
        n_rows = sum(found.counts[first : i + 1])
        head = [[*key, n] for key, n in zip(found.keys, found.counts, strict=True)][first : i + 1]
        rows["bucket"].append(bucket)
        rows["chunk"].append(chunk)
        rows["part"].append(part)
        rows["head"].append(json.dumps(head).encode())
        rows["rows"].append(_stream(table.slice(start, n_rows)))
        start, first = start + n_rows, i + 1
    return pa.table(rows, schema=FRAGMENTS)


def pieces_of(head: bytes, rows: pa.Buffer) -> Iterator[tuple[Key, pa.Table]]:
    """Yield the keys of a fragment with their rows, which are views of its bytes."""
    table = pa.ipc.open_stream(rows).read_all()
    start = 0
    for symbol, year, n_rows in json.loads(head):
        yield (symbol, year), table.slice(start, n_rows)
        start += n_rows


def _years_of(time_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the year in UTC of each time."""
    first, last = (_year(int(each)) for each in (time_ns.min(), time_ns.max()))
    starts = [f"{year}-01-01" for year in range(first + 1, last + 1)]
    bounds = np.array(starts, dtype="datetime64[ns]").astype(np.int64)
    return first + np.searchsorted(bounds, time_ns, side="right")


def _year(time_ns: int) -> int:
    return int(np.datetime64(time_ns, "ns").astype("datetime64[Y]").astype(np.int64)) + 1970


def _by_bucket(symbols: pa.DictionaryArray, time_ns: NDArray[np.int64], n_buckets: int) -> _Keys:
    codes = symbols.indices.to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
    names = symbols.dictionary.to_pylist()
    years = _years_of(time_ns)
    first = int(years.min())
    n_years = int(years.max()) - first + 1
    dense = codes * n_years + (years - first)
    counts = np.bincount(dense, minlength=len(names) * n_years)
    there = np.flatnonzero(counts)
    keys = [(names[each // n_years], first + int(each % n_years)) for each in there]
    placed = sorted(range(len(keys)), key=lambda i: (bucket_of(keys[i], n_buckets), keys[i]))
    rank = np.empty(len(counts), dtype=np.uint16 if len(placed) < 2**16 else np.int64)
    rank[there[placed]] = np.arange(len(placed))
    ranks = rank[dense]
    # 16-bit values are sorted by counting, in a tenth of the time.
    is_sorted = bool((ranks[1:] >= ranks[:-1]).all())
    return _Keys(
        [keys[i] for i in placed],
        [int(counts[there[i]]) for i in placed],
        None if is_sorted else np.argsort(ranks, kind="stable"),
    )


def _taken(table: pa.Table, order: NDArray[np.int64]) -> pa.Table:
    """Take rows in an order, with NumPy if a column has plain numbers, which is twice as fast."""
    columns = []
    for column in table.columns:
        if (
            column.null_count == 0
            and pa.types.is_primitive(column.type)
            and not pa.types.is_boolean(column.type)
        ):
            columns.append(pa.array(column.to_numpy()[order], type=column.type))
        else:
            columns.append(column.combine_chunks().take(pa.array(order)))
    return pa.table(columns, schema=table.schema)


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        for batch in table.to_batches():
            writer.write_batch(batch)
    return bytes(sink.getvalue())
