"""Find where two files other than tables first differ: JSON by value, the rest by bytes (pure).

Equal is what the content hash takes for equal.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ray_pipeline.config.document import dotted

__all__ = ["first_byte_difference", "first_json_difference", "json_text"]

_Path = tuple[str | int, ...]

_ABSENT = object()
_SHOWN_BYTES = 16


def json_text(value: Any) -> str:
    """Write a JSON value so that its type and its last bit show."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def first_json_difference(a: Any, b: Any) -> dict[str, str | None]:
    """Find the first place at which two JSON values differ, keys in sorted order.

    NaN equals NaN; 0.0 differs from -0.0, and 1 from 1.0.

    Returns
    -------
    dict
        ``path``, and the values there as JSON (``a``, ``b``), None where one has no such place.
        The path is empty for the value as a whole, and None when nothing differs.

    Examples
    --------
    >>> first_json_difference({"jobs": [{"features": ["x"]}]}, {"jobs": [{"features": ["y"]}]})
    {'path': 'jobs[0].features[0]', 'a': '"x"', 'b': '"y"'}
    """
    found = _first(a, b, ())
    if found is None:
        return {"path": None, "a": None, "b": None}
    path, *values = found
    shown_a, shown_b = (None if value is _ABSENT else json_text(value) for value in values)
    return {"path": dotted(path), "a": shown_a, "b": shown_b}


def _first(a: Any, b: Any, path: _Path) -> tuple[_Path, Any, Any] | None:
    steps: list[Any] | None = None
    if isinstance(a, dict) and isinstance(b, dict):
        steps = sorted(a.keys() | b.keys())
    elif isinstance(a, list) and isinstance(b, list):
        steps = list(range(max(len(a), len(b))))
    if steps is None:
        same = a is not _ABSENT and b is not _ABSENT and json_text(a) == json_text(b)
        return None if same else (path, a, b)
    below = (_first(_at(a, step), _at(b, step), (*path, step)) for step in steps)
    return next((found for found in below if found is not None), None)


def _at(value: Any, step: Any) -> Any:
    if isinstance(value, list):
        return value[step] if step < len(value) else _ABSENT
    return value.get(step, _ABSENT)


def first_byte_difference(a: bytes, b: bytes) -> dict[str, Any]:
    """Find where two files that differ first do so.

    Returns
    -------
    dict
        For text (UTF-8 in both) ``kind`` is ``text``, with the ``line`` and the ``character`` in
        it, both from 1, and this line of either file; else ``bytes``, with the ``offset`` from 0
        and the next bytes as hexadecimal digits. None is past the end of a file.
    """
    offset = _first_unequal(a, b)
    start = a.rfind(b"\n", 0, offset) + 1
    try:
        text_a, text_b = (_line(content, start) for content in (a, b))
    except UnicodeDecodeError:
        shown_a, shown_b = (content[offset : offset + _SHOWN_BYTES].hex(" ") for content in (a, b))
        return {"kind": "bytes", "offset": offset, "a": shown_a or None, "b": shown_b or None}
    pairs = enumerate(zip(text_a, text_b, strict=False))
    n_common = min(len(text_a), len(text_b))
    return {
        "kind": "text",
        "line": a.count(b"\n", 0, start) + 1,
        "character": next((i for i, (x, y) in pairs if x != y), n_common) + 1,
        "a": text_a or None,
        "b": text_b or None,
    }


def _line(content: bytes, start: int) -> str:
    """Cut out a line with its end, from a file that is UTF-8 throughout."""
    content.decode()
    return content[start : content.find(b"\n", start) + 1 or None].decode()


def _first_unequal(a: bytes, b: bytes) -> int:
    n_common = min(len(a), len(b))
    array_a, array_b = (np.frombuffer(content, np.uint8, n_common) for content in (a, b))
    unequal = np.flatnonzero(array_a != array_b)
    return int(unequal[0]) if len(unequal) else n_common
