"""Whether the head of the cluster that we joined is still there; time is an argument."""

from __future__ import annotations

from collections.abc import Callable

from ray_pipeline.errors import ExecutionError

__all__ = ["HeadWatch"]

_LONGEST_SILENCE_S = 30.0
"""Without a head Ray's own processes give up after 60 s, and take the driver with them wordlessly:
https://docs.ray.io/en/latest/ray-core/fault_tolerance/gcs.html."""

_CONTINUES = (
    "What was finished is in the run directory: once the cluster is back, the same command "
    "continues."
)


class HeadWatch:
    """Tells a head that is slow from one that is gone, and from another in its place.

    Ray asked a restarted head for its nodes ends the whole process from C++ (2.60,
    ``global_state_accessor``: WrongClusterID), so that nobody could say what happened.

    Parameters
    ----------
    address
        ``host:port``, for messages.
    identify
        Asks the head who it is; None when it does not answer.
    """

    def __init__(self, address: str, identify: Callable[[], bytes | None]) -> None:
        self._address = address
        self._identify = identify
        self._identity = identify()
        self._silent_since: float | None = None

    def answers(self, now: float) -> bool:
        """Whether the head answers now. One that never did (behind TLS, say) is not asked again.

        Raises
        ------
        ExecutionError
            When it was silent for too long, or another one answers in its place.
        """
        if self._identity is None:
            return True
        found = self._identify()
        if found is None:
            self._silent_since = now if self._silent_since is None else self._silent_since
            silent_s = now - self._silent_since
            if silent_s >= _LONGEST_SILENCE_S:
                raise ExecutionError(
                    f"The head of the Ray cluster at {self._address} has not answered for "
                    f"{silent_s:.0f} s. {_CONTINUES}"
                )
            return False
        if found != self._identity:
            raise ExecutionError(
                f"The head of the Ray cluster at {self._address} was restarted, and the new one "
                f"knows nothing of this run. {_CONTINUES}"
            )
        self._silent_since = None
        return True
