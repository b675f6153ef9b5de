"""Foreign text, made safe to show to a person."""

from __future__ import annotations

import unicodedata

__all__ = ["MAX_MESSAGE", "capped", "escaped"]

MAX_MESSAGE = 4_000
"""Maximum characters of a message: about forty lines, which a terminal can show and a person can
read."""

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Controls, format characters (bidirectional, zero-width), halves of surrogate pairs, and line
and paragraph separators: characters that move, hide or reorder the text around them."""


def capped(message: str, at_most: int = MAX_MESSAGE) -> str:
    """Cut out the middle of a message that is too long, and say how much was cut.

    The end is kept, because it says what to change. The result is never longer than `at_most`.
    """
    if len(message) <= at_most:
        return message
    note = " [… {:,} characters left out …] "
    kept = at_most - len(note.format(len(message)))
    tail = kept // 4
    head = kept - tail
    return message[:head] + note.format(len(message) - kept) + message[len(message) - tail :]


def escaped(text: str, keep: str = "\n") -> str:
    r"""Escape characters that would control a terminal or reorder the text.

    >>> escaped("BTC\x1b[2J")
    'BTC\\x1b[2J'
    """
    hidden = {
        ord(char): _written_out(ord(char))
        for char in set(text)
        if unicodedata.category(char) in _HIDDEN and char not in keep
    }
    return text.translate(hidden) if hidden else text


def _written_out(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
