"""The one text of a unit's spec, without writing again what many specs have in common."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from typing import Any, Protocol, runtime_checkable

from ray_pipeline.identity import Identity

__all__ = ["Canonical", "canonical"]

_LONG = 512
"""Characters above which a part stands in the text by its hash: a panel of hundreds of columns is
then 64 characters in the text of every unit that names it."""

_WORTHWHILE = 128
"""Characters from which on it is quicker to remember a part than to write it again."""

_N_REMEMBERED = 4096

_text_of = json.JSONEncoder().encode

Libraries = frozenset[tuple[str, str]]

_NO_LIBRARIES: Libraries = frozenset()


@runtime_checkable
class HasStandIn(Protocol):
    """A value for which another may stand: not all that it holds is what results depend on."""

    def stand_in(self) -> tuple[object, ...] | None:
        """Return what stands for it, None where it stands for itself."""
        ...


@dataclass(frozen=True, slots=True)
class Canonical:
    """A value as text, and what it says of code.

    Attributes
    ----------
    text
        Equal for equal values: keys sorted, lists for tuples, dicts for dataclasses; long parts
        as ``#`` and their SHA-256.
    is_fixed
        Whether the value can never be another: nothing in it is a list, a dict or the like.
    n_written
        Characters that were written for it, those of parts that stand by their hash too.
    libraries
        Of every `Identity` in it.
    """

    text: str
    is_fixed: bool
    n_written: int
    libraries: Libraries = _NO_LIBRARIES


def canonical(value: object) -> Canonical:
    """Bring a value into its one text.

    Parts that take long to write and cannot change are remembered by the object: the frame of a run
    is one object in the specs of all its units.

    Raises
    ------
    TypeError
        When it holds anything but dicts with text keys, lists, tuples, dataclasses, strings,
        numbers, booleans and None.
    """
    scalar = _scalar(value)
    if scalar is not None:
        return Canonical(scalar, True, len(scalar))
    remembered = _REMEMBERED.find(value)
    if remembered is not None:
        return remembered
    found = _composed(value)
    if len(found.text) > _LONG:
        digest = hashlib.sha256(found.text.encode()).hexdigest()
        found = replace(found, text=f"#{digest}")
    if found.is_fixed and found.n_written >= _WORTHWHILE:
        _REMEMBERED.keep(value, found)
    return found


class _Remembered:
    """The latest parts by the identity of their object, which is held so that it stays one."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._parts: OrderedDict[int, tuple[object, Canonical]] = OrderedDict()

    def find(self, value: object) -> Canonical | None:
        entry = self._parts.get(id(value))
        if entry is None:
            return None
        self._parts.move_to_end(id(value))
        return entry[1]

    def keep(self, value: object, part: Canonical) -> None:
        self._parts[id(value)] = (value, part)
        if len(self._parts) > self._size:
            self._parts.popitem(last=False)


_REMEMBERED = _Remembered(_N_REMEMBERED)


def _composed(value: object) -> Canonical:
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"it has the key {key!r}, which is not text")
        return _joined("{}", sorted(value.items()), is_fixed=False)
    if isinstance(value, list | tuple):
        items = [(None, item) for item in value]
        return _joined("[]", items, is_fixed=isinstance(value, tuple))
    if is_dataclass(value) and not isinstance(value, type):
        stand_in = value.stand_in() if isinstance(value, HasStandIn) else None
        if stand_in is not None:
            return _composed(stand_in)
        names, is_frozen = _fields_of(type(value))
        found = _joined("{}", [(name, getattr(value, name)) for name in names], is_fixed=is_frozen)
        if isinstance(value, Identity):
            return replace(found, libraries=frozenset(value.libraries))
        return found
    raise TypeError(f"it holds a {type(value).__name__}")


def _joined(ends: str, items: Iterable[tuple[str | None, object]], *, is_fixed: bool) -> Canonical:
    texts: list[str] = []
    n_written = 0
    libraries = _NO_LIBRARIES
    for name, item in items:
        part = canonical(item)
        texts.append(part.text if name is None else f"{_text_of(name)}:{part.text}")
        is_fixed = is_fixed and part.is_fixed
        n_written += part.n_written
        if part.libraries:
            libraries |= part.libraries
    text = f"{ends[0]}{','.join(texts)}{ends[1]}"
    return Canonical(text, is_fixed, n_written + len(text), libraries)


@cache
def _fields_of(kind: type[Any]) -> tuple[tuple[str, ...], bool]:
    names = tuple(sorted(field.name for field in fields(kind)))
    return names, bool(kind.__dataclass_params__.frozen)


def _scalar(value: object) -> str | None:
    if isinstance(value, str):
        return _text_of(value)
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    return None
