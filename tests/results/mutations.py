"""Damage to the files of a run directory: by accident, by hand, or by another program."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["broken_documents", "broken_files", "broken_tables", "changed_keys"]

RUBBISH = bytes(range(256)) * 4


def broken_files(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Damage any file."""
    yield "empty", b""
    yield "binary rubbish", RUBBISH
    yield "truncated", content[: len(content) // 2]


def broken_documents(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Make of a JSON document what no reader can use, whatever it reads of it."""
    yield from broken_files(content)
    yield "null", b"null"
    yield "list", b"[]"
    yield "text", b'"run"'
    yield "mapping", b"{}"
    yield "nested lists", b"[" * 100_000 + b"]" * 100_000
    yield "nested mappings", b'{"a":' * 900 + b"1" + b"}" * 900
    yield "UTF-16", json.dumps(json.loads(content)).encode("utf-16")
    for name, value in {
        "5,000 digits": b"9" * 5000,
        "4,000 digits": b"9" * 4000,
        "NaN": b"NaN",
        "beyond floats": b"1e999",
        "half a surrogate pair": rb'"\ud800"',
        "half a surrogate pair as key": rb'{"\udfff": 1}',
        "65 lists": b"[" * 65 + b"]" * 65,
    }.items():
        yield name, b'{"added": ' + value + b"," + content.lstrip().removeprefix(b"{")


def changed_keys(content: bytes, *paths: str) -> Iterator[tuple[str, bytes]]:
    """Remove keys, misspell them by a bit, and give them values of other types."""
    for path in paths:
        *above, last = path.split(".")
        for name, change in {
            "missing": lambda parent, key: parent.pop(key),
            "misspelt by a bit": _misspell,
            "a mapping in a list": lambda parent, key: parent.update({key: [{"a": None}]}),
            "a negative fraction": lambda parent, key: parent.update({key: -0.5}),
        }.items():
            document = json.loads(content)
            parent: Any = document
            for step in above:
                parent = parent[int(step) if step.isdecimal() else step]
            change(parent, last)
            yield f"{path} {name}", json.dumps(document).encode()


def _misspell(parent: dict[str, Any], key: str) -> None:
    parent[chr(ord(key[0]) ^ 1) + key[1:]] = parent.pop(key)


def broken_tables(content: bytes, required: str, text: str) -> Iterator[tuple[str, bytes]]:
    """Make of a Parquet table what no reader can use.

    Parameters
    ----------
    required
        A column that every version wrote, and that holds no nulls.
    text
        Another one, of text.
    """
    table = pq.read_table(io.BytesIO(content))
    n_rows = max(table.num_rows, 1)
    yield from broken_files(content)
    yield "without its end", content[:-4]
    yield "no columns", _parquet(pa.table({}))
    yield "other columns", _parquet(pa.table({"a": [1]}))
    yield f"no {required}", _parquet(table.drop_columns([required]))
    yield f"{required} twice", _parquet(table.append_column(required, table.column(required)))
    full = table if table.num_rows else pa.table({n: pa.nulls(1, t) for n, t in _types(table)})
    for name, cells in {
        "nothing": pa.nulls(n_rows, table.schema.field(required).type),
        "mappings": pa.array([{"a": 1}] * n_rows),
        "times": pa.array([0] * n_rows, pa.timestamp("s")),
    }.items():
        place = full.column_names.index(required)
        yield f"{name} as {required}", _parquet(full.set_column(place, required, cells))
    damaged = pa.Array.from_buffers(
        pa.string(), n_rows, [None, *pa.array([b"\xff\xfe"] * n_rows).buffers()[1:]]
    )
    place = full.column_names.index(text)
    yield f"bytes that are not text as {text}", _parquet(full.set_column(place, text, damaged))


def _types(table: pa.Table) -> list[tuple[str, pa.DataType]]:
    return [(field.name, field.type) for field in table.schema]


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()
