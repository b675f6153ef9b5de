"""What a person sees while a run works, on standard error."""

from __future__ import annotations

import time
from typing import Protocol, TextIO

from ray_pipeline.credentials import address_without_secrets
from ray_pipeline.display import escaped
from ray_pipeline.execution import Done, Outcome
from ray_pipeline.wording import plural

__all__ = ["Progress", "Reporter", "Silent"]

INTERVAL_S = 5.0
"""Without a terminal a line at most this often: job logs keep every line."""

_OTHER_UNITS = {
    "calibrate": "calibrating",
    "compare_versions": "comparing versions",
    "history": "sorting history",
    "label": "labeling",
    "predict": "writing predictions",
    "score": "predicting",
    "score_present": "scoring by the present version",
    "update_scores": "scoring",
}
"""Of what is done outside the stages: by other commands, and at the end of a run."""


class Reporter(Protocol):
    """Told what happens in a run."""

    def say(self, text: str) -> None:
        """Tell the user a sentence."""
        ...

    def outcome(self, outcome: Outcome, n_done: int, n_total: int) -> None:
        """Tell that a unit has ended."""
        ...

    def listed(self, n_files: int) -> None:
        """Tell how many files were listed so far."""
        ...


class Silent:
    """Tells nobody."""

    def say(self, text: str) -> None:
        """Do nothing."""

    def outcome(self, outcome: Outcome, n_done: int, n_total: int) -> None:
        """Do nothing."""

    def listed(self, n_files: int) -> None:
        """Do nothing."""


class Progress:
    """Counts units of a stage: one line rewritten on a terminal, plain lines elsewhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._is_heard = True
        self._start = time.monotonic()
        self._last_line = -INTERVAL_S
        self._stage = ""
        self._stage_start = 0.0
        self._n_failed = self._n_left_out = 0
        self._n_before = 0
        self._open_line = False

    def say(self, text: str) -> None:
        """Print a sentence on a line of its own."""
        self._close_line()
        self._write(f"{self._clock()} {_shown(text)}\n")

    def listed(self, n_files: int) -> None:
        """Print how many files were listed, not too often."""
        if time.monotonic() - max(self._last_line, self._start) >= INTERVAL_S:
            self._show(f"listing: {plural(n_files, 'file')} so far", last=False)

    def outcome(self, outcome: Outcome, n_done: int, n_total: int) -> None:
        """Count a unit; failures are told at once."""
        stage = outcome.unit.stage
        if stage != self._stage or n_done == 1:
            self._stage, self._stage_start = stage, time.monotonic()
            self._n_failed = self._n_left_out = self._n_before = 0
            self._last_line = -INTERVAL_S
        if not isinstance(outcome, Done):
            self._n_left_out += outcome.is_of_data
            self._n_failed += not outcome.is_of_data
            self.say(f"  {outcome.unit.key}: {outcome.reason}")
        elif outcome.attempts == 0:
            self._n_before += 1
        last = n_done == n_total
        if last or self._terminal or time.monotonic() - self._last_line >= INTERVAL_S:
            self._show(self._line(n_done, n_total), last)

    def _line(self, n_done: int, n_total: int) -> str:
        elapsed = time.monotonic() - self._stage_start
        text = f"{_title(self._stage)}: {n_done}/{n_total}"
        if self._n_before:
            text += f", {self._n_before} from before"
        if self._n_left_out:
            text += f", {self._n_left_out} left out"
        if self._n_failed:
            text += f", {self._n_failed} failed"
        n_now = n_done - self._n_before
        if n_now and n_done < n_total and elapsed > 1:
            text += f", about {elapsed / n_now * (n_total - n_done):.0f} s left"
        return text

    def _show(self, text: str, last: bool) -> None:
        self._last_line = time.monotonic()
        text = _shown(text)
        if not self._terminal:
            self._write(f"{self._clock()} {text}\n")
            return
        self._write(f"\r\x1b[2K{self._clock()} {text}" + ("\n" if last else ""))
        self._open_line = not last

    def _close_line(self) -> None:
        if self._open_line:
            self._write("\r\x1b[2K")
            self._open_line = False

    def _write(self, text: str) -> None:
        if self._is_heard:
            try:
                self._stream.write(text)
                self._stream.flush()
            except OSError:
                # Whoever read the log has gone (`2>&1 | head`), or its disk is full; the work
                # goes on without them.
                self._is_heard = False

    def _clock(self) -> str:
        elapsed = int(time.monotonic() - self._start)
        return f"[{elapsed // 60:02d}:{elapsed % 60:02d}]"


def _shown(text: str) -> str:
    """Return a text as a line of a log can hold it, whatever symbols and errors are called."""
    return address_without_secrets(escaped(text, keep=""))


def _title(units: str) -> str:
    # The list of stages takes all of them along, which no command needs before it has units.
    from ray_pipeline.results.stages import unit_title

    return _OTHER_UNITS.get(units) or unit_title(units)
