"""What a user may choose of an update."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["UpdateOptions"]


@dataclass(frozen=True, slots=True)
class UpdateOptions:
    """What a user may choose; by default everything is as in the run.

    Attributes
    ----------
    n_workers
        Workers; 0: in this process, without Ray.
    address
        Of the Ray cluster.
    watch_since
        Live predictions before this time are not judged, as after an answer to an alarm, ISO 8601.
    """

    n_workers: int | None = None
    address: str | None = None
    watch_since: str | None = None
