"""Writing buckets: a file per symbol and year, merged with existing rows, then a record."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ray_pipeline.errors import DataError
from ray_pipeline.importing.columns import TIME
from ray_pipeline.importing.merging import merge_rows
from ray_pipeline.importing.splitting import Key
from ray_pipeline.intervals import Interval, parse_interval
from ray_pipeline.storage import RunDirectory
from ray_pipeline.wording import iso_time

__all__ = ["BucketReport", "Written", "file_name", "write_bucket"]

_ROW_GROUP_ROWS = 1 << 18
_N_SAMPLED = 1024
_N_WRITING = 8
"""Files in flight at a time: others are prepared while a disk syncs or a store answers."""


@dataclass(slots=True)
class Written:
    """How rows were used: counts that add up over buckets.

    Attributes
    ----------
    n_rows
        Rows of the sources that reached the files.
    n_repeated, n_contradicting, n_replaced, n_known
        As `Merged` counts them.
    n_files, n_bytes
        Files that were written; a file with the same content is left alone.
    n_unchanged
        Files that were left alone.
    """

    n_rows: int = 0
    n_repeated: int = 0
    n_contradicting: int = 0
    n_replaced: int = 0
    n_known: int = 0
    n_files: int = 0
    n_bytes: int = 0
    n_unchanged: int = 0

    def add(self, other: Written) -> None:
        """Add the counts of another."""
        for name, value in asdict(other).items():
            setattr(self, name, getattr(self, name) + value)


@dataclass(frozen=True, slots=True)
class BucketReport:
    """A finished bucket: its counts, and its symbols."""

    bucket: int
    written: Written
    symbols: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "bucket": self.bucket,
            "written": asdict(self.written),
            "symbols": list(self.symbols),
        }

    @classmethod
    def of(cls, document: dict[str, Any]) -> BucketReport:
        """Rebuild it from what `document` returned."""
        return cls(document["bucket"], Written(**document["written"]), tuple(document["symbols"]))


def file_name(interval: str, key: Key) -> str:
    """Name the file of a symbol and year, below the root of the panel.

    >>> file_name("1d", ("BRK/B", 2024))
    'interval=1d/symbol=BRK%2FB/year=2024/part-0.parquet'
    """
    symbol, year = key
    return f"interval={interval}/symbol={quote(symbol, safe='')}/year={year}/part-0.parquet"


def write_bucket(
    out: RunDirectory,
    interval: str,
    bucket: int,
    pieces: Iterable[tuple[Key, pa.Table]],
    existing: frozenset[str],
    types: Sequence[tuple[str, pa.DataType]],
) -> BucketReport:
    """Write all files of one bucket.

    Parameters
    ----------
    out
        Root of the panel.
    pieces
        Rows by key, in the order of the sources within a key.
    existing
        Names of files that exist, or may exist.
    types
        (name, type) of the columns except the time.

    Raises
    ------
    DataError
        When an existing file has columns of other types.
    StorageError
        When the storage fails.
    """
    by_key: dict[Key, list[pa.Table]] = {}
    for key, table in pieces:
        by_key.setdefault(key, []).append(table)
    total = Written()
    symbols = sorted({symbol for symbol, _ in by_key})
    waiting: deque[Future[None]] = deque()
    with ThreadPoolExecutor(_N_WRITING) as pool:
        for key in sorted(by_key):
            name = file_name(interval, key)
            written, content = _merged_file(out, interval, name, by_key.pop(key), existing, types)
            total.add(written)
            if content is not None:
                waiting.append(pool.submit(out.write_bytes, name, content))
            while len(waiting) > _N_WRITING:
                waiting.popleft().result()
        for each in waiting:
            each.result()
    return BucketReport(bucket, total, tuple(symbols))


def _merged_file(
    out: RunDirectory,
    interval: str,
    name: str,
    pieces: Sequence[pa.Table],
    existing: frozenset[str],
    types: Sequence[tuple[str, pa.DataType]],
) -> tuple[Written, bytes | None]:
    """Return how the rows of one file were used, and its content if it changes."""
    before = _before(out, name) if name in existing else None
    try:
        merged = merge_rows(before, pieces, _schema(types, before))
        _require_apart(merged.table, parse_interval(interval))
    except DataError as error:
        raise DataError(f"{out.uri}/{name}: {error}") from error
    written = Written(
        n_rows=sum(piece.num_rows for piece in pieces),
        n_repeated=merged.n_repeated,
        n_contradicting=merged.n_contradicting,
        n_replaced=merged.n_replaced,
        n_known=merged.n_known,
    )
    if before is not None and merged.is_as_before(before):
        written.n_unchanged = 1
        return written, None
    content = _content(merged.table)
    written.n_files, written.n_bytes = 1, len(content)
    return written, content


def _require_apart(table: pa.Table, interval: Interval) -> None:
    """Refuse two daily or longer bars that lie within one, as after downloads on two clocks.

    Raises
    ------
    DataError
        With the first of them.
    """
    time_ns = table[TIME].to_numpy()
    close = np.flatnonzero(np.diff(time_ns) < interval.seconds * 10**9 // 2)
    if interval.is_intraday or not len(close):
        return
    first, second = (iso_time(int(time_ns[close[0] + i]))[:16] for i in (0, 1))
    raise DataError(
        f"bars of {interval} at {first} and {second} lie within one: they are the same day on two "
        "clocks, as dates and as midnights of an exchange. Import all of them with --trading-date, "
        "into a new folder."
    )


def _before(out: RunDirectory, name: str) -> pa.Table:
    table = out.read_table(name)
    return table.set_column(
        table.column_names.index(TIME), TIME, table[TIME].cast(pa.timestamp("ns")).cast(pa.int64())
    )


def _schema(types: Sequence[tuple[str, pa.DataType]], before: pa.Table | None) -> pa.Schema:
    """Return the schema of a file: the columns of the sources, and its existing ones."""
    joint = dict(types)
    if before is not None:
        for field in before.schema:
            if field.name == TIME:
                continue
            now = joint.setdefault(field.name, field.type)
            if now == field.type:
                continue
            if not {now, field.type} <= {pa.int64(), pa.float32(), pa.float64()}:
                raise DataError(
                    f"column {field.name!r} was {field.type} before and is {now} now. Import into "
                    "another folder, or convert one of them."
                )
            joint[field.name] = pa.float64()
    return pa.schema([(TIME, pa.int64()), *sorted(joint.items())])


def _content(table: pa.Table) -> bytes:
    """Return a Parquet file that depends on nothing but the rows and the version of Arrow."""
    time = table[TIME].cast(pa.timestamp("ns", "UTC"))
    table = table.set_column(0, TIME, time).replace_schema_metadata(None)
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        row_group_size=_ROW_GROUP_ROWS,
        compression="zstd",
        compression_level=1,
        use_dictionary=[name for name in table.column_names[1:] if _repeats(table[name])],
        column_encoding={TIME: "DELTA_BINARY_PACKED"},
    )
    return bytes(sink.getvalue())


def _repeats(column: pa.ChunkedArray) -> bool:
    """Whether a dictionary shrinks a column, judged from a sample: rounded numbers and text."""
    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        return not pa.types.is_boolean(column.type)
    step = -(-len(column) // _N_SAMPLED)
    values = column.combine_chunks().to_numpy(zero_copy_only=False)[::step]
    return len(np.unique(values)) < 0.5 * len(values)
