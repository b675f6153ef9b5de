"""The user's options for an update."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["UpdateOptions"]


@dataclass(frozen=True, slots=True)
class UpdateOptions:
    """The user's options; by default, everything is as in the run.

    Attributes
    ----------
    n_workers
        Workers; 0: in this process, without Ray.
    address
        Of the Ray cluster.
    watch_since
        Live predictions before this time are not judged, e.g. after acting on an alarm; ISO 8601.
    """

    n_workers: int | None = None
    address: str | None = None
    watch_since: str | None = None
