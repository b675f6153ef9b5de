"""Rows as aligned text, and texts in lines, to fit the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = [
    "WIDEST",
    "WIDTH",
    "aligned",
    "on_terminal",
    "width_of_last",
    "with_text",
    "wrapped",
]

WIDTH = 100
"""Width of texts: longer lines are hard to read, however wide a terminal is."""

WIDEST = 120
"""Width of rows without a terminal: still readable, and better than a name on its own line."""

_GAP = "  "
_LEAST = 16
"""Minimum width of the first column."""

_NARROWEST = 40
"""Minimum width to fold lines; narrower terminals break them themselves."""

_TERMINAL: ContextVar[int | None] = ContextVar("width of the terminal", default=None)
"""Width for the current command; None in files and pipes, which look the same everywhere."""


@contextmanager
def on_terminal(n_columns: int | None) -> Iterator[None]:
    """Fit lines to a terminal of this many columns inside the block; None: no terminal."""
    before = _TERMINAL.set(n_columns)
    try:
        yield
    finally:
        _TERMINAL.reset(before)


def aligned(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    n_left: int = 1,
    *,
    wraps_last: bool = False,
    is_list: bool = False,
) -> list[str]:
    """Write rows under their header: `n_left` columns from the left, figures from the right.

    Names are never cut, because readers copy them. If a row is wider than `WIDEST` or the terminal,
    a long name in the first column gets its own line above the row. If that does not help on a
    terminal, the remaining columns follow below, next to the first one again.

    Parameters
    ----------
    header
        May be empty: then there is no header.
    wraps_last
        On a terminal, break the texts of the last column into lines instead.
    is_list
        Without a terminal, keep each row on one line, however long: programs read the output.

    Examples
    --------
    >>> aligned(["symbol", "skill"], [["A", "+0.1"], ["B", "−0.02"]])
    ['  symbol  skill', '  A        +0.1', '  B       −0.02']
    """
    table = [list(row) for row in ((header, *rows) if header else rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    room = max(_TERMINAL.get() or WIDEST, _NARROWEST)
    if wraps_last:
        widths[-1] = width_of_last(widths)
        return [line for row in table for line in with_text(row, widths, n_left)]
    excess = sum(widths) + len(_GAP) * len(widths) - room
    if excess > 0 and not (is_list and _TERMINAL.get() is None):
        widths[0] = max(min(_LEAST, widths[0]), widths[0] - excess)
    lines: list[str] = []
    blocks = [list(range(len(widths)))] if _TERMINAL.get() is None else _blocks(widths, room)
    for places in blocks:
        lines += _block([[row[place] for place in places] for row in table], places, widths, n_left)
    return lines


def _blocks(widths: Sequence[int], room: int) -> list[list[int]]:
    """Return the columns that fit next to each other, with the first one in every block."""
    blocks, used = [[0]], widths[0] + len(_GAP)
    for place, width in enumerate(widths[1:], start=1):
        if used + width + len(_GAP) > room and len(blocks[-1]) > 1:
            blocks.append([0])
            used = widths[0] + len(_GAP)
        blocks[-1].append(place)
        used += width + len(_GAP)
    return blocks


def _block(
    table: Sequence[Sequence[str]], places: Sequence[int], all_widths: Sequence[int], n_left: int
) -> list[str]:
    widths = [all_widths[place] for place in places]
    lines: list[str] = []
    for name, *others in table:
        is_long = len(name) > widths[0]
        if is_long:
            lines.append(_GAP + name)
        row = ["" if is_long else name, *others]
        n_here = sum(place < n_left for place in places)
        lines.append(_GAP + _GAP.join(_padded(row, widths, n_here)).rstrip())
    return lines


def width_of_last(widths: Sequence[int]) -> int:
    """Return the width that a terminal leaves for the last column of a table."""
    n_columns = _TERMINAL.get()
    if n_columns is None:
        return widths[-1]
    room = max(n_columns, _NARROWEST) - sum(widths[:-1]) - len(_GAP) * len(widths)
    return min(widths[-1], max(room, _LEAST))


def with_text(row: Sequence[str], widths: Sequence[int], n_left: int) -> list[str]:
    """Write a row whose last cell is a text, which may take several lines."""
    first = _GAP + _GAP.join([*_padded(row[:-1], widths[:-1], n_left), ""])
    text = textwrap.wrap(row[-1], widths[-1], break_long_words=False, break_on_hyphens=False)
    indents = (first, *[" " * len(first)] * len(text))
    pairs = zip(indents, text or [""], strict=False)
    return [(indent + line).rstrip() for indent, line in pairs]


def _padded(row: Sequence[str], widths: Sequence[int], n_left: int) -> list[str]:
    return [
        f"{cell:<{width}}" if place < n_left else f"{cell:>{width}}"
        for place, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def wrapped(text: str, indent: str = _GAP, hanging: str | None = None) -> list[str]:
    """Break a text into lines, all of them indented; those after the first by `hanging`."""
    return textwrap.wrap(
        text,
        max(min(_TERMINAL.get() or WIDTH, WIDTH), _NARROWEST),
        initial_indent=indent,
        subsequent_indent=indent if hanging is None else hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )
