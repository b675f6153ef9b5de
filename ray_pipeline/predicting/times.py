"""The time from which scores are requested, and the time up to which a run used rows."""

from __future__ import annotations

from functools import lru_cache

import pyarrow as pa

from ray_pipeline.errors import ConfigError, DataError
from ray_pipeline.panel.timestamps import utc_ns
from ray_pipeline.results.documents import TrainedFacts

__all__ = ["looked_until", "since_ns"]


@lru_cache(maxsize=4096)  # each of a run's models names a time, and each symbol asks its models
def since_ns(text: str) -> int:
    """Read a time as nanoseconds since 1970.

    Raises
    ------
    ConfigError
        When it is not ISO 8601.
    """
    try:
        times, _ = utc_ns(pa.chunked_array([[text]]), "--since")
    except DataError as error:
        raise ConfigError(
            f"since {text}: it is not a time; write it as 2024-05-31 or 2024-05-31T14:30:00+00:00."
        ) from error
    return int(times[0])


def looked_until(data: TrainedFacts) -> int | None:
    """Return the time from which on a run used no rows; None if unknown."""
    if data.until is not None:
        return since_ns(data.until)
    return None if data.last_ts is None else since_ns(data.last_ts) + 1
