"""Every error that a user of the package can meet.

Each takes one argument, the finished message, so that it survives pickling between processes.
"""

from __future__ import annotations

from ray_pipeline.display import capped

__all__ = [
    "GIVEN_WRONGLY",
    "ArtifactError",
    "ConfigError",
    "DamagedFileError",
    "DataError",
    "DiscoveryError",
    "ExecutionError",
    "RayPipelineError",
    "RunDirectoryError",
    "RunInUseError",
    "RunTakenOverError",
    "StorageError",
]


class RayPipelineError(Exception):
    """Root of all errors raised on purpose by this package.

    A message that repeats what somebody else wrote may be as long as that; it is cut here, before
    it reaches a terminal, a record or a report.
    """

    def __init__(self, message: str) -> None:
        super().__init__(capped(message))


class ConfigError(RayPipelineError, ValueError):
    """The command line or the config is wrong; nothing was started (exit code 2)."""


class DiscoveryError(RayPipelineError, FileNotFoundError):
    """The data directory holds nothing that a run could use (exit code 2)."""


class DataError(RayPipelineError, ValueError):
    """The data of one symbol cannot be used; the symbol is quarantined and the run goes on."""


class ArtifactError(RayPipelineError, ValueError):
    """A saved model cannot be used: damaged, of another kind, or not of what it is given."""


class StorageError(RayPipelineError, OSError):
    """A file or object could not be read or written."""


class RunDirectoryError(StorageError):
    """A file of a directory of results could not be read or written: no symbol is to blame."""


class DamagedFileError(StorageError, ValueError):
    """A file that could be read holds something else than is written there (exit code 2)."""


class ExecutionError(RayPipelineError, RuntimeError):
    """The run as a whole cannot go on (exit code 1)."""


class RunInUseError(RayPipelineError, RuntimeError):
    """Another driver works on the run directory; nothing was started (exit code 2)."""


class RunTakenOverError(ExecutionError):
    """Another driver took the run directory over from this one, which writes no more to it."""


GIVEN_WRONGLY = (ArtifactError, ConfigError, DamagedFileError, DiscoveryError, RunInUseError)
"""Errors of what a command was given: it ends with exit code 2."""
