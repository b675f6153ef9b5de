"""A table as the bytes of a Parquet file that depend on its columns and values alone."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["repetitive_columns", "table_bytes"]


def table_bytes(table: pa.Table) -> bytes:
    """Return a table as Parquet.

    zstd throughout; dictionaries for text only, since they make raw floats larger and four times
    slower to read; no schema metadata, such as the index that pandas leaves.
    """
    sink = pa.BufferOutputStream()
    pq.write_table(
        table.replace_schema_metadata(None),
        sink,
        compression="zstd",
        use_dictionary=repetitive_columns(table.schema),
    )
    content: bytes = sink.getvalue().to_pybytes()
    return content


def repetitive_columns(schema: pa.Schema) -> list[str]:
    """Name the columns that take a dictionary: those of text."""
    return [field.name for field in schema if _is_repetitive(field.type)]


def _is_repetitive(kind: pa.DataType) -> bool:
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return bool(text or pa.types.is_dictionary(kind))
