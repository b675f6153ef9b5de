"""Counting the finished units of a step, for progress reports."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ray_pipeline.execution import Done, Outcome

__all__ = ["INTERVAL_S", "StepCount", "StepCounter", "title_of"]

INTERVAL_S = 5.0
"""Without a terminal, at most one line per this interval: job logs keep every line."""

_OTHER_UNITS = {
    "calibrate": "calibrating",
    "compare_versions": "comparing versions",
    "history": "sorting history",
    "label": "labeling",
    "predict": "writing predictions",
    "score": "predicting",
    "score_present": "scoring with the current version",
    "update_scores": "scoring",
}
"""Names of units outside the stages: of other commands, and at the end of a run."""


@dataclass(slots=True)
class StepCount:
    """Units of one kind at work: how many ended, and how.

    Attributes
    ----------
    n_before
        Finished by an earlier command.
    n_left_out, n_failed
        Units with unusable data; units that failed for another reason.
    started
        When the first of them ended, in the clock's seconds.
    """

    name: str = ""
    n_done: int = 0
    n_total: int = 0
    n_before: int = 0
    n_left_out: int = 0
    n_failed: int = 0
    started: float = 0.0

    @property
    def is_last(self) -> bool:
        """Whether all have ended."""
        return self.n_done == self.n_total

    @property
    def n_lost(self) -> int:
        """Number of units without a result."""
        return self.n_left_out + self.n_failed

    @property
    def is_from_before(self) -> bool:
        """Whether nothing had to be computed so far."""
        return self.n_before == self.n_done

    def left_s(self, now: float) -> float | None:
        """Return the seconds that the remaining units will take; None if not known yet."""
        elapsed, n_now = now - self.started, self.n_done - self.n_before
        if self.is_last or not n_now or elapsed <= 1:
            return None
        return elapsed / n_now * (self.n_total - self.n_done)


class StepCounter:
    """Counts one step after the other, and decides when to report.

    Attributes
    ----------
    step
        The current one.
    run_left_s
        Seconds that the whole run will still take; None if not known.
    """

    def __init__(self) -> None:
        self.step = StepCount()
        self.run_left_s: float | None = None
        self._told = -INTERVAL_S
        self._listed = time.monotonic()

    def count(self, outcome: Outcome, n_done: int, n_total: int) -> StepCount:
        """Count a unit that has ended, and return its step."""
        now = time.monotonic()
        name = outcome.unit.stage
        if name != self.step.name or n_done == 1:
            self.step = StepCount(name, started=now)
            self._told = now - INTERVAL_S
        step = self.step
        step.n_done, step.n_total = n_done, n_total
        if not isinstance(outcome, Done):
            step.n_left_out += outcome.is_of_data
            step.n_failed += not outcome.is_of_data
        else:
            step.n_before += outcome.attempts == 0
        return step

    def is_due(self) -> bool:
        """Whether a log should have a line of the step now.

        The first and the last unit get one, and some in between. Earlier work is reported once,
        when all of it was found.
        """
        if self.step.is_last:
            return True
        if self.step.is_from_before:
            return False
        return time.monotonic() - self._told >= INTERVAL_S

    def is_listing_due(self) -> bool:
        """Whether a log should have a line about a listing now; assumes that it is then written."""
        now = time.monotonic()
        is_due = now - self._listed >= INTERVAL_S
        if is_due:
            self._listed = now
        return is_due

    def told(self) -> None:
        """Note that a report was made just now."""
        self._told = time.monotonic()


def title_of(units: str) -> str:
    """Return the words for units of a name, for every command."""
    # The list of stages imports all of them, which no command needs before it has units.
    from ray_pipeline.results.stages import unit_title

    return _OTHER_UNITS.get(units) or unit_title(units)
