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
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        _written_out(char) if unicodedata.category(char) in _HIDDEN and char not in keep else char
        for char in text
    )


def _written_out(char: str) -> str:
    code = ord(char)
    return (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
    )
