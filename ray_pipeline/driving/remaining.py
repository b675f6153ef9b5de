"""How long a run will still take: its estimate, corrected by the stages so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from ray_pipeline.driving.steps import StepCount

__all__ = ["Remaining"]

_DOUBT = 0.1
"""Weight of the estimate before any stage has ended, as a share of all of it: a few seconds of a
first stage do not decide what is expected of hours."""


class Remaining:
    """Seconds that remain of a run: those of later stages, and the rest of the current one.

    Parameters
    ----------
    expected_s
        By stage, as estimated. A stage that is not in it, such as a user's stage, counts only while
        it is at work, by its units.
    now
        Returns the time in seconds.
    """

    def __init__(
        self, expected_s: Mapping[str, float], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._expected_s = dict(expected_s)
        self._now = now
        self._prior_s = _DOUBT * sum(expected_s.values())
        self._took_s = self._promised_s = 0.0
        self._stage: str | None = None
        self._stage_start = 0.0
        self._step = StepCount()
        self._is_continued = False

    def begin(self, stage: str) -> None:
        """Note that a stage begins."""
        self._stage, self._stage_start = stage, self._now()
        self._step, self._is_continued = StepCount(), False

    def end(self) -> None:
        """Note that the current stage has ended.

        A stage that earlier commands had partly finished says nothing about this machine's speed.
        """
        if self._stage is None:
            return
        promised_s = self._expected_s.pop(self._stage, None)
        if promised_s is not None and not self._is_continued:
            self._took_s += self._now() - self._stage_start
            self._promised_s += promised_s
        self._stage = None

    def count(self, step: str, n_done: int, n_total: int, *, is_from_before: bool) -> None:
        """Note that a unit has ended, or was found finished."""
        if step != self._step.name or n_done == 1:
            self._step = StepCount(step, started=self._now())
        self._step.n_done, self._step.n_total = n_done, n_total
        self._step.n_before += is_from_before
        self._is_continued |= is_from_before

    @property
    def is_of_run(self) -> bool:
        """Whether later stages are estimated too, and not only the current one."""
        return bool(self._prior_s)

    @property
    def pace(self) -> float:
        """Actual seconds per estimated second."""
        known_s = self._promised_s + self._prior_s
        return (self._took_s + self._prior_s) / known_s if known_s else 1.0

    @property
    def left_s(self) -> float:
        """Seconds until the last stage ends, as far as is known."""
        to_come = (each for name, each in self._expected_s.items() if name != self._stage)
        return self.pace * sum(to_come) + self._left_of_stage()

    def _left_of_stage(self) -> float:
        if self._stage is None:
            return 0.0
        step = self._step
        to_do = 1.0 - step.n_before / step.n_total if step.n_total else 1.0
        expected_s = self.pace * self._expected_s.get(self._stage, 0.0) * to_do
        left_s = expected_s - (self._now() - self._stage_start)
        n_now = step.n_done - step.n_before
        if n_now:
            # Of the units at work; others of the stage may follow.
            each_s = (self._now() - step.started) / n_now
            left_s = max(left_s, each_s * (step.n_total - step.n_done))
        return max(left_s, 0.0)
