"""Progress for programs: one JSON object per line, on standard error."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any, TextIO

from ray_pipeline.credentials import address_without_secrets
from ray_pipeline.driving.progress import WARNING, Stream
from ray_pipeline.driving.steps import StepCount, StepCounter, title_of
from ray_pipeline.execution import Done, Outcome
from ray_pipeline.wording import plural

__all__ = ["JsonLog"]


class JsonLog:
    """Writes events as lines of JSON.

    Every line has ``time`` (ISO 8601, UTC), ``level`` (``info``, ``warning`` or ``error``),
    ``event``, ``elapsed_s`` and ``message``, the sentence for people. The documentation lists the
    other keys of each event.

    Parameters
    ----------
    stream
        Standard error.
    is_quiet
        Show only warnings and failures.
    """

    def __init__(self, stream: TextIO, *, is_quiet: bool = False) -> None:
        self._stream = Stream(stream)
        self._is_quiet = is_quiet
        self._start = time.monotonic()
        self._steps = StepCounter()

    def say(self, text: str, event: str = "message", **facts: Any) -> None:
        """Write a sentence with its facts; one that warns is an event of that name."""
        if text.startswith(WARNING):
            self.write("warning", "warning", text.removeprefix(WARNING), **facts)
        else:
            self.write("info", event, text, **facts)

    def listed(self, n_files: int) -> None:
        """Write how many files were listed, not too often."""
        if self._steps.is_listing_due():
            self.write("info", "listing", f"{plural(n_files, 'file')} so far", n_files=n_files)

    def remaining(self, left_s: float) -> None:
        """Keep it for the next line."""
        self._steps.run_left_s = left_s

    def outcome(self, outcome: Outcome, n_done: int, n_total: int) -> None:
        """Write each failure, and from time to time the progress of a step."""
        step = self._steps.count(outcome, n_done, n_total)
        if not isinstance(outcome, Done):
            self.write(
                "warning" if outcome.is_of_data else "error",
                "unit_left_out" if outcome.is_of_data else "unit_failed",
                outcome.reason,
                step=step.name,
                unit=outcome.unit.key,
            )
        if self._steps.is_due():
            self._steps.told()
            self.write(
                "info", "progress", f"{title_of(step.name)}: {n_done}/{n_total}", **self._of(step)
            )

    def write(self, level: str, event: str, message: str, **facts: Any) -> None:
        """Write a line."""
        if not self._is_quiet or level != "info":
            self._stream.write(self.line(level, event, message, **facts))

    def line(self, level: str, event: str, message: str, **facts: Any) -> str:
        """Return a line, for a signal handler to write itself."""
        document = {
            "time": datetime.now(tz=UTC).isoformat(timespec="milliseconds"),
            "level": level,
            "event": event,
            "elapsed_s": round(time.monotonic() - self._start, 3),
            "message": address_without_secrets(message),
            **facts,
        }
        # In ASCII: no symbol's name can control a terminal or end the line.
        return f"{json.dumps(document)}\n"

    def _of(self, step: StepCount) -> dict[str, Any]:
        of_step_s = step.left_s(time.monotonic())
        return {
            "step": step.name,
            "n_done": step.n_done,
            "n_total": step.n_total,
            "n_before": step.n_before,
            "n_left_out": step.n_left_out,
            "n_failed": step.n_failed,
            "step_left_s": _rounded(of_step_s),
            "run_left_s": _rounded(self._steps.run_left_s),
        }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
