"""Digests of rows, on which units depend regardless of the files that hold the rows.

In addition to the digest of all rows, there is one for each calendar month, with the means of its
columns: they reveal a vendor's restatement, and its size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.execution.artifacts import table_name
from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.panel.loading import TableRequest, rows_read
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.records import SymbolPartition
from ray_pipeline.storage import RunDirectory
from ray_pipeline.storage.filesystems import FileSystem

__all__ = [
    "DIGESTS",
    "DigestSpec",
    "digest_of_months",
    "digest_rows",
    "digest_symbol",
    "digested",
    "known_by_rows",
    "monthly_digests",
]

DIGESTS = "data_digest.parquet"
"""Digest, means and columns without a value, by symbol and month, of the rows in use."""

_MEANS = 8
"""Columns whose monthly means are kept: the fields of a bar, a value, the first features."""


@dataclass(frozen=True, slots=True)
class DigestSpec:
    """One symbol whose rows are digested."""

    partition: SymbolPartition
    request: TableRequest


def digest_symbol(reader: PanelReader, spec: DigestSpec) -> dict[str, Any]:
    """Digest the rows of a symbol (unit function)."""
    found = monthly_digests(spec.partition, reader.fs, spec.request)
    name = table_name("digests")
    reader.run.write_table(name, found)
    return {"rows_sha256": digest_of_months(found), "table": name}


def digest_of_months(months: pa.Table) -> str:
    """Return the digest of all rows of a symbol, from those of its months."""
    return hashlib.sha256("".join(months["sha256"].to_pylist()).encode()).hexdigest()


def monthly_digests(partition: SymbolPartition, fs: FileSystem, request: TableRequest) -> pa.Table:
    """Digest the rows of a symbol by month, in the order of time.

    Returns
    -------
    pyarrow.Table
        Rows of `DIGESTS`.

    Raises
    ------
    DataError, StorageError
        As `rows_read`.
    """
    time_ns, columns, groups = rows_read(partition, fs, request)
    texts = (
        np.full(len(time_ns), "") if groups is None else np.array([*groups.names, ""])[groups.codes]
    )
    months = time_ns.astype("datetime64[ns]").astype("datetime64[M]")
    names, starts = np.unique(months, return_index=True)
    ends = [*starts[1:].tolist(), len(time_ns)]
    found: list[dict[str, Any]] = []
    for month, start, end in zip(names.tolist(), starts.tolist(), ends, strict=True):
        rows = slice(start, end)
        hashed = hashlib.sha256(np.ascontiguousarray(time_ns[rows]).tobytes())
        for name in sorted(columns):
            hashed.update(name.encode())
            hashed.update(_bytes(columns[name][rows]))
        hashed.update("\x1f".join(texts[rows].tolist()).encode())
        means = {name: _mean(columns[name][rows]) for name in list(columns)[:_MEANS]}
        found.append(
            {
                "symbol": partition.symbol,
                "month": month,
                "n_rows": end - start,
                "sha256": hashed.hexdigest(),
                "means": [{"column": name, "mean": mean} for name, mean in means.items()],
                "empty": [name for name in columns if not np.isfinite(columns[name][rows]).any()],
            }
        )
    return pa.Table.from_pylist(found, schema=_SCHEMA)


_SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("month", pa.date32()),
        ("n_rows", pa.int64()),
        ("sha256", pa.string()),
        ("means", pa.list_(pa.struct([("column", pa.string()), ("mean", pa.float64())]))),
        ("empty", pa.list_(pa.string())),
    ]
)


def digest_rows(
    runner: UnitRunner,
    run: RunDirectory,
    partitions: Mapping[str, SymbolPartition],
    request: TableRequest,
) -> tuple[dict[str, str], pa.Table]:
    """Digest the rows of every symbol.

    Returns
    -------
    tuple
        The digest by symbol, and the table of `DIGESTS`; symbols that cannot be used are in
        neither.
    """
    units = [
        Unit("digest_rows", symbol, digest_symbol, DigestSpec(partition, request))
        for symbol, partition in sorted(partitions.items())
    ]
    records = runner.run(units)
    tables = list(run.read_tables(records[symbol]["table"] for symbol in sorted(records)))
    table = pa.concat_tables(tables) if tables else _SCHEMA.empty_table()
    return {symbol: record["rows_sha256"] for symbol, record in records.items()}, table


def digested(request: TableRequest) -> dict[str, Any]:
    """Say which columns a digest covers, as far as the config does not, to make it repeatable."""
    return {
        "features": list(request.features),
        "targets": list(request.targets),
        "unknown_labels": dict(request.unknown_labels),
    }


def known_by_rows(
    partitions: Mapping[str, SymbolPartition], digests: Mapping[str, str]
) -> dict[str, SymbolPartition]:
    """Return the partitions that have a digest, identified by it instead of by their files."""
    return {
        symbol: replace(partition, rows_sha256=digests[symbol])
        for symbol, partition in partitions.items()
        if symbol in digests
    }


def _bytes(values: NDArray[Any]) -> bytes:
    # One NaN is as good as another.
    return np.where(np.isnan(values), np.nan, values).astype(values.dtype).tobytes()


def _mean(values: NDArray[Any]) -> float | None:
    known = values[np.isfinite(values)].astype(np.float64)
    return float(known.mean()) if len(known) else None
