"""Turns of phrase that messages share."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["some_of"]


def some_of(names: Sequence[str], at_most: int = 20) -> str:
    """Join names for a message, cutting a long list short.

    Examples
    --------
    >>> some_of(["A", "B", "C", "D"], at_most=2)
    'A, B and 2 more'
    """
    if not names:
        return "none"
    shown = ", ".join(names[:at_most])
    return shown if len(names) <= at_most else f"{shown} and {len(names) - at_most} more"
