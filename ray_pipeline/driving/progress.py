"""Progress for people, on standard error."""

from __future__ import annotations

import time
from shutil import get_terminal_size
from typing import Any, Protocol, TextIO

from ray_pipeline.credentials import address_without_secrets
from ray_pipeline.display import escaped
from ray_pipeline.driving.steps import StepCount, StepCounter, title_of
from ray_pipeline.execution import Done, Outcome
from ray_pipeline.wording import plural, time_left_text

__all__ = ["WARNING", "Progress", "Reporter", "Silent", "Stream"]

WARNING = "warning: "
"""Beginning of a sentence that people should not miss: shown by every command, even if quiet."""


NOTEBOOK_INTERVAL_S = 0.25
"""Seconds between updates in a notebook: each is a message to the browser, and is saved."""

_NOTEBOOKS = ("ipykernel.", "google.colab.")
"""Modules of the streams with which a notebook replaces standard output and error."""


class Reporter(Protocol):
    """Receives the events of a run."""

    def say(self, text: str, event: str = "message", **facts: Any) -> None:
        """Tell the user a sentence.

        Parameters
        ----------
        event, facts
            For programs: what happened, and the numbers and names in the sentence.
        """
        ...

    def outcome(self, outcome: Outcome, n_done: int, n_total: int) -> None:
        """Report that a unit has ended."""
        ...

    def remaining(self, left_s: float) -> None:
        """Report how many seconds the whole run will still take; `outcome` follows."""
        ...

    def listed(self, n_files: int) -> None:
        """Report how many files were listed so far."""
        ...


class Silent:
    """Reports nothing."""

    def say(self, text: str, event: str = "message", **facts: Any) -> None:
        """Do nothing."""

    def outcome(self, outcome: Outcome, n_done: int, n_total: int) -> None:
        """Do nothing."""

    def remaining(self, left_s: float) -> None:
        """Do nothing."""

    def listed(self, n_files: int) -> None:
        """Do nothing."""


class Stream:
    """Standard error, as long as someone reads it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_heard = True

    def write(self, text: str) -> None:
        """Write a text at once."""
        if self._is_heard:
            try:
                self._stream.write(text)
                self._stream.flush()
            except OSError:
                # The reader of the log has gone (`2>&1 | head`), or its disk is full; the work
                # continues.
                self._is_heard = False


class Progress:
    """Counts units of a step: a line rewritten in terminals and notebooks, plain lines elsewhere.

    A notebook can return to the beginning of a line, but does not understand the terminal's command
    to clear it. It keeps everything written, so a successful step leaves no line behind there.

    Parameters
    ----------
    stream
        Standard error.
    is_quiet
        Tell warnings and failures alone.
    """

    def __init__(self, stream: TextIO, *, is_quiet: bool = False) -> None:
        self._stream = Stream(stream)
        self._notebook = type(stream).__module__.startswith(_NOTEBOOKS)
        self._terminal = stream.isatty() and not self._notebook
        self._is_quiet = is_quiet
        self._start = time.monotonic()
        self._steps = StepCounter()
        self._open_line = False
        self._width, self._last_shown = 0, -NOTEBOOK_INTERVAL_S

    def say(self, text: str, event: str = "message", **facts: Any) -> None:
        """Print a sentence on a line of its own."""
        if not self._is_quiet or text.startswith(WARNING):
            self._line(text)

    def listed(self, n_files: int) -> None:
        """Print how many files were listed, not too often."""
        if not self._is_quiet and self._steps.is_listing_due():
            self._show(f"listing: {plural(n_files, 'file')} so far", last=False)

    def remaining(self, left_s: float) -> None:
        """Keep it for the next line."""
        self._steps.run_left_s = left_s

    def outcome(self, outcome: Outcome, n_done: int, n_total: int) -> None:
        """Count a unit; failures are told at once."""
        step = self._steps.count(outcome, n_done, n_total)
        if not isinstance(outcome, Done):
            self._line(f"  {outcome.unit.key}: {outcome.reason}")
        if not self._is_quiet and (self._steps.is_due() or self._can_rewrite()):
            self._steps.told()
            is_kept = step.is_last and not self._notebook
            self._show(self._account(step), is_kept or bool(step.is_last and step.n_lost))

    def _account(self, step: StepCount) -> str:
        text = f"{title_of(step.name)}: {step.n_done}/{step.n_total}"
        if step.is_from_before:
            return f"{text}, from before"
        if step.n_before:
            text += f", {step.n_before} from before"
        if step.n_left_out:
            text += f", {step.n_left_out} left out"
        if step.n_failed:
            text += f", {step.n_failed} failed"
        run_left_s = self._steps.run_left_s
        if run_left_s is not None and run_left_s >= 1:
            # One figure for everything that remains: the step's would be mistaken for it.
            return f"{text}, {time_left_text(run_left_s)} left of the run"
        left_s = step.left_s(time.monotonic())
        return text if left_s is None else f"{text}, {time_left_text(left_s)} left"

    def _can_rewrite(self) -> bool:
        since = time.monotonic() - self._last_shown
        return self._terminal or (self._notebook and since >= NOTEBOOK_INTERVAL_S)

    def _line(self, text: str) -> None:
        if self._open_line:
            self._stream.write(self._cleared())
            self._open_line = False
        self._stream.write(f"{self._clock()} {_shown(text)}\n")

    def _show(self, text: str, last: bool) -> None:
        line = f"{self._clock()} {_shown(text)}"
        self._last_shown = time.monotonic()
        if not (self._terminal or self._notebook):
            self._stream.write(f"{line}\n")
            return
        if self._terminal and not last:  # a line that the terminal breaks could not be rewritten
            line = line[: get_terminal_size().columns - 1]
        back = self._cleared() if self._terminal or self._open_line else ""
        self._stream.write(f"{back}{line}" + ("\n" if last else ""))
        self._open_line, self._width = not last, len(line)

    def _cleared(self) -> str:
        return "\r\x1b[2K" if self._terminal else f"\r{' ' * self._width}\r"

    def _clock(self) -> str:
        elapsed = int(time.monotonic() - self._start)
        return f"[{elapsed // 60:02d}:{elapsed % 60:02d}]"


def _shown(text: str) -> str:
    """Return a text that fits a line of a log, whatever the names of symbols and errors contain."""
    return address_without_secrets(escaped(text, keep=""))
