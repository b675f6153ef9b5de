"""Output for people: results on standard output, messages on standard error.

Text that came with the data is escaped here. A stream that cannot be written to loses its own
output and stops nothing else.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from shutil import get_terminal_size
from typing import Any, TextIO

from ray_pipeline.credentials import address_without_secrets
from ray_pipeline.display import capped, escaped

__all__ = [
    "OutputLostError",
    "Screen",
    "complain",
    "flush",
    "open_missing_streams",
    "put",
    "put_json",
    "terminal_columns",
]


class OutputLostError(Exception):
    """Standard output cannot be written to, so a result was not shown."""


def open_missing_streams() -> None:
    """Open standard streams that the caller closed on the null device.

    The next file to be opened, one of the run's, would become the standard output otherwise, and
    be written to by whatever prints.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is the one that is missing, as those below it are open.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  for as long as the process lives
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115


def terminal_columns() -> int | None:
    """Return the width of the terminal that shows results; None if there is none."""
    return get_terminal_size().columns if sys.stdout.isatty() else None


def put(*lines: str) -> None:
    """Print lines of a result.

    A reader that closes the pipe early (`| head`) does not change the exit code.

    Raises
    ------
    OutputLostError
        When standard output is closed or full.
    """
    _write("\n".join(_encodable(escaped(line, keep="")) for line in lines))


class Screen:
    """Terminal lines that are redrawn in place."""

    def __init__(self) -> None:
        self.is_terminal = sys.stdout.isatty()
        self._n_lines = 0

    def show(self, lines: Sequence[str]) -> None:
        """Draw lines, cut to the size of the terminal: a longer text could not be redrawn.

        Raises
        ------
        OutputLostError
            As `put`.
        """
        size = get_terminal_size()
        room = max(size.lines - 1, 1)
        shown = [_encodable(escaped(line, keep=""))[: size.columns - 1] for line in lines[:room]]
        _write(f"{self._over()}{chr(10).join(shown)}")
        self._n_lines = len(shown)

    def clear(self) -> None:
        """Erase everything that was drawn."""
        if self._n_lines:
            _write(self._over(), end="")
        self._n_lines = 0

    def _over(self) -> str:
        """Go up to the first line that was drawn, and clear everything below it."""
        return f"\x1b[{self._n_lines}F\x1b[J" if self._n_lines else ""


def put_json(document: Any) -> None:
    """Print a JSON document, with the data unescaped.

    Raises
    ------
    OutputLostError
        As `put`.
    """
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    if _encodable(text) != text:
        text = json.dumps(document, indent=2, allow_nan=False)
    _write(text)


def complain(message: str) -> None:
    """Print an error. If standard error fails too, there is nobody left to tell."""
    shown = address_without_secrets(capped(escaped(message)))
    _tried(sys.stderr, lambda: print(f"ray-pipeline: {shown}", file=sys.stderr, flush=True))


def flush() -> None:
    """Flush buffered output, such as a help text.

    Raises
    ------
    OutputLostError
        As `put`.
    """
    _tried(sys.stderr, sys.stderr.flush)
    _require(_tried(sys.stdout, sys.stdout.flush))


def _write(text: str, end: str = "\n") -> None:
    if getattr(sys.stdout, "name", None) == os.devnull:  # `> /dev/null` is called <stdout>
        raise OutputLostError("standard output is closed")
    _require(_tried(sys.stdout, lambda: print(text, end=end, flush=True)))


def _require(error: OSError | None) -> None:
    if error is not None and not isinstance(error, BrokenPipeError):
        raise OutputLostError(f"cannot write to standard output: {error.strerror}") from error


def _tried(stream: TextIO, write: Callable[[], None]) -> OSError | None:
    """Write to a stream; after a failure redirect it to nowhere, or Python complains at exit."""
    try:
        write()
    except OSError as error:
        with suppress(OSError, ValueError):  # a stream of a test has no number
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return error
    return None


def _encodable(text: str) -> str:
    """Spell out characters that the terminal's encoding lacks."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
