"""Text from elsewhere, made fit to be shown to a person."""

from __future__ import annotations

import unicodedata

__all__ = ["MAX_MESSAGE", "capped", "escaped"]

MAX_MESSAGE = 4_000
"""Characters of a message: some forty lines, which a terminal can show and a person read."""

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Controls, format characters (bidirectional, zero-width), halves of surrogate pairs, and line
and paragraph separators: what moves, hides or reorders the text around it."""


def capped(message: str, at_most: int = MAX_MESSAGE) -> str:
    """Leave out the middle of a message that is too long, and say how much that was.

    The end stays as well: it says what to change. What is returned is never longer than `at_most`.
    """
    if len(message) <= at_most:
        return message
    note = " [… {:,} characters left out …] "
    kept = at_most - len(note.format(len(message)))
    tail = kept // 4
    head = kept - tail
    return message[:head] + note.format(len(message) - kept) + message[len(message) - tail :]


def escaped(text: str, keep: str = "\n") -> str:
    r"""Write out the characters that would steer a terminal or reorder what is read.

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
