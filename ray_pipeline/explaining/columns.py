"""Rows as aligned text, and texts in lines of a terminal's width (pure)."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

__all__ = ["WIDEST", "WIDTH", "aligned", "wrapped"]

WIDTH = 100

WIDEST = 120
"""Width of rows that have a long name: readable still, and better than a name on its own line."""

_GAP = "  "
_LEAST = 16
"""Width that the first column keeps, however much the others need."""


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]], n_left: int = 1) -> list[str]:
    """Write rows under their header: `n_left` columns from the left, figures from the right.

    No name is ever cut, since readers copy them: lines may be a fifth longer than `WIDTH` for it,
    and a name of the first column that is longer still has a line of its own above its row.

    Examples
    --------
    >>> aligned(["symbol", "skill"], [["A", "+0.1"], ["B", "−0.02"]])
    ['  symbol  skill', '  A        +0.1', '  B       −0.02']
    """
    table = [list(row) for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    excess = sum(widths) + len(_GAP) * len(widths) - WIDEST
    if excess > 0:
        widths[0] = max(min(_LEAST, widths[0]), widths[0] - excess)
    lines: list[str] = []
    for name, *others in table:
        is_long = len(name) > widths[0]
        if is_long:
            lines.append(_GAP + name)
        row = ["" if is_long else name, *others]
        lines.append(_GAP + _GAP.join(_padded(row, widths, n_left)).rstrip())
    return lines


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
