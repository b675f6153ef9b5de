"""JSON as this program writes it: sorted keys, plain values, strict where people read it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

__all__ = ["canonical_json", "record_json", "strict_json"]


def strict_json(value: object) -> str:
    """Return JSON that every parser reads: NaN and infinities become null.

    Parameters
    ----------
    value
        Mappings with text keys, sequences, numbers, text, booleans and None; also numpy scalars
        and arrays, and dataclasses.

    Returns
    -------
    str
        Indented by two, keys sorted, ending in a newline.

    Raises
    ------
    TypeError
        For anything else, naming where in the value it sits.
    """
    plain = _plain(value, "value", finite=True)
    return json.dumps(plain, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def record_json(value: object) -> str:
    """Return one line of Python's JSON dialect, in which NaN and infinities survive.

    Floats come back from it bit by bit (shortest repr), which resuming relies on.
    """
    return canonical_json(_plain(value, "record", finite=False)) + "\n"


def canonical_json(value: Any) -> str:
    """Return the one text that equal plain values share: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _plain(value: object, where: str, finite: bool) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, float):
        return None if finite and not math.isfinite(value) else value
    if value is None or isinstance(value, str | bool | int):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return {
            _key(key, where): _plain(item, f"{where}[{key!r}]", finite)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(item, f"{where}[{i}]", finite) for i, item in enumerate(value)]
    raise TypeError(f"{where} is a {type(value).__name__}, which JSON cannot hold: {value!r}.")


def _key(key: object, where: str) -> str:
    if isinstance(key, str):
        return key
    raise TypeError(f"{where} has the key {key!r}; JSON keys must be text.")
