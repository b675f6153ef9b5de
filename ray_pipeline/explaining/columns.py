"""Rows as aligned text, and texts in lines of a terminal's width (pure)."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

__all__ = ["WIDTH", "aligned", "wrapped"]

WIDTH = 100

_GAP = "  "
_LEAST = 16
"""Characters that the first column keeps, however much the others need."""


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]], n_left: int = 1) -> list[str]:
    """Write rows under their header: `n_left` columns from the left, figures from the right.

    Names in the first column lose their middle where a line would be longer than `WIDTH`.

    Examples
    --------
    >>> aligned(["symbol", "skill"], [["A", "+0.1"], ["B", "−0.02"]])
    ['  symbol  skill', '  A        +0.1', '  B       −0.02']
    """
    table = [list(row) for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    excess = sum(widths) + len(_GAP) * len(widths) - WIDTH
    if excess > 0:
        widths[0] = max(min(_LEAST, widths[0]), widths[0] - excess)
        for row in table:
            row[0] = _without_middle(row[0], widths[0])
    return [_GAP + _GAP.join(_padded(row, widths, n_left)).rstrip() for row in table]


def _without_middle(name: str, limit: int) -> str:
    """Cut a name: its beginning and its end tell it from its neighbours."""
    if len(name) <= limit:
        return name
    n_last = (limit - 1) // 2
    return f"{name[: limit - 1 - n_last]}…{name[-n_last:]}"


def _padded(row: Sequence[str], widths: Sequence[int], n_left: int) -> list[str]:
    return [
        f"{cell:<{width}}" if place < n_left else f"{cell:>{width}}"
        for place, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def wrapped(text: str, indent: str = _GAP) -> list[str]:
    """Break a text into lines, all of them indented."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
