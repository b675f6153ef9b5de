"""Requests that this process has sent to object stores: how many, and how long they took."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["Traffic", "one_request", "traffic"]


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests so far, and the seconds that they took together."""

    n_requests: int = 0
    seconds: float = 0.0

    @property
    def latency_s(self) -> float:
        """Seconds of a request, on average; 0 without any."""
        return self.seconds / self.n_requests if self.n_requests else 0.0


_counted = Traffic()
_lock = threading.Lock()


@contextmanager
def one_request() -> Iterator[None]:
    """Count what happens inside as a request, whether it succeeds or not."""
    global _counted  # noqa: PLW0603 (a process has one count)
    start = time.monotonic()
    try:
        yield
    finally:
        seconds = time.monotonic() - start
        with _lock:
            _counted = Traffic(_counted.n_requests + 1, _counted.seconds + seconds)


def traffic() -> Traffic:
    """Return what this process has sent so far."""
    return _counted
