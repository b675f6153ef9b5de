"""What the config says of how files are read: a record of plain values that travels with units."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AS_THEY_ARE", "ReadingRules"]


@dataclass(frozen=True, slots=True)
class ReadingRules:
    """How a symbol's files are read; the defaults read them as they are.

    Attributes
    ----------
    columns
        (role, name in the file) as ``data.columns`` and ``data.time_column`` say, sorted. The
        symbol's name is None where it is not to be looked at.
    price_scale
        What open, high, low and close are multiplied by.
    """

    columns: tuple[tuple[str, str | None], ...] = ()
    price_scale: float = 1.0


AS_THEY_ARE = ReadingRules()
"""Files that need no rule."""
