"""What a config file may hold at each place, read from the sections' type annotations.

YAML alone cannot tell the symbol ``0700`` from the number 700; the annotation of ``data.symbols``
can, so the reader asks here whether text is wanted.
"""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

__all__ = ["child", "holds_keys", "holds_scalars", "section_fields", "section_of", "wants_text"]


def wants_text(annotation: Any) -> bool:
    """Tell whether the value at this place is one text, whatever it looks like."""
    return all(_is_text(member) for member in _members(annotation))


def holds_keys(annotation: Any) -> bool:
    """Tell whether this place may hold a mapping."""
    return any(
        member is Any or get_origin(member) is dict or section_fields(member) is not None
        for member in _members(annotation)
    )


def holds_scalars(annotation: Any) -> bool:
    """Tell whether this place holds a mapping of free names to single values."""
    return any(
        get_origin(member) is dict and not holds_keys(get_args(member)[1])
        for member in _members(annotation)
    )


def child(annotation: Any, step: str | int) -> Any:
    """Return the annotation one step below: of a section's key, a mapping's value or a list's item.

    Returns
    -------
    Any
        ``typing.Any`` if the config allows anything there, or has no such key.
    """
    for member in _members(annotation):
        fields = section_fields(member)
        if fields is not None:
            return fields.get(str(step), Any)
        if get_origin(member) is tuple:
            return get_args(member)[0]
        if get_origin(member) is dict:
            return get_args(member)[1]
    return Any


def section_fields(annotation: Any) -> dict[str, Any] | None:
    """Return the annotation of every key of a section, or None if it is not a section."""
    section = section_of(annotation)
    if section is None:
        return None
    return {name: field.annotation for name, field in section.model_fields.items()}


def section_of(annotation: Any) -> type[BaseModel] | None:
    """Return the section that a place may hold, even if optional, or None."""
    for member in _members(annotation):
        if isinstance(member, type) and issubclass(member, BaseModel):
            return member
    return None


def _members(annotation: Any) -> list[Any]:
    """Unwrap ``Annotated`` and unions down to the plain types; None is left out."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _members(get_args(annotation)[0])
    if origin is Union or origin is UnionType:
        return [plain for part in get_args(annotation) for plain in _members(part)]
    if hasattr(annotation, "__value__"):  # pydantic's JsonValue, a named alias: anything goes
        return [Any]
    return [] if annotation is NoneType else [annotation]


def _is_text(annotation: Any) -> bool:
    if get_origin(annotation) is Literal:
        return all(isinstance(choice, str) for choice in get_args(annotation))
    return annotation is str
