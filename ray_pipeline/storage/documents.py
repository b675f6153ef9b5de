"""JSON as this program writes it: sorted keys, plain values, strict where people read it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

__all__ = ["canonical_json", "check_document", "parse_json", "record_json", "strict_json"]

_MAX_DEPTH = 64
"""Of lists and mappings in one another; what this program writes has at most eight."""

_MAX_INT = 2**64
"""Beyond any count, seed or time in nanoseconds."""


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


def parse_json(content: bytes) -> Any:
    """Read JSON, NaN and infinities included.

    Raises
    ------
    ValueError
        Whatever is wrong with it, in words that follow a colon.
    """
    try:
        return json.loads(content.decode())
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise ValueError("lists or mappings are nested too deeply") from None
    except UnicodeDecodeError:
        raise
    except ValueError as error:
        # Python reads no whole number of more than 4,300 digits.
        raise ValueError("a number has too many digits") from error


def check_document(value: Any, *, finite: bool = True) -> None:
    """Refuse what `strict_json` never writes, and what could not be printed or computed with.

    Parameters
    ----------
    value
        As `parse_json` returned it.
    finite
        Refuse NaN and infinities.

    Raises
    ------
    ValueError
        For NaN and infinities, whole numbers beyond 64 bits, text that is not Unicode (half of a
        surrogate pair), and lists or mappings nested too deeply; in words that follow a colon.
    """
    level: list[Any] = [value]
    for _ in range(_MAX_DEPTH + 1):  # the innermost values are one level below
        deeper: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                deeper.extend(each)
                deeper.extend(each.values())
            elif isinstance(each, list):
                deeper.extend(each)
            else:
                _check_scalar(each, finite)
        if not deeper:
            return
        level = deeper
    raise ValueError(f"lists or mappings are nested more than {_MAX_DEPTH} deep")


def _check_scalar(value: Any, finite: bool) -> None:
    if isinstance(value, str):
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise ValueError(f"the text {value[:40]!a} is not Unicode") from None
    elif isinstance(value, float):
        if finite and not math.isfinite(value):
            raise ValueError(f"a number is {value}, and only finite ones are written here")
    elif isinstance(value, int) and not -_MAX_INT < value < _MAX_INT:
        raise ValueError("a whole number is beyond 64 bits")


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
