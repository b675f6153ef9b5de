"""Every error that a user of the package can get.

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

    A message that quotes foreign text can be very long; it is cut here, before it reaches a
    terminal, a record or a report.
    """

    def __init__(self, message: str) -> None:
        super().__init__(capped(message))


class ConfigError(RayPipelineError, ValueError):
    """The command line or the config is wrong; nothing was started (exit code 2)."""


class DiscoveryError(RayPipelineError, FileNotFoundError):
    """The data directory has nothing that a run could use (exit code 2)."""


class DataError(RayPipelineError, ValueError):
    """The data of one symbol cannot be used; the symbol is quarantined and the run continues."""


class ArtifactError(RayPipelineError, ValueError):
    """A saved model cannot be used: damaged, of another kind, or not for these data."""


class StorageError(RayPipelineError, OSError):
    """A file or object could not be read or written."""


class RunDirectoryError(StorageError):
    """A file of a run directory could not be read or written: no symbol is to blame."""


class DamagedFileError(StorageError, ValueError):
    """A readable file has contents that the package did not write (exit code 2)."""


class ExecutionError(RayPipelineError, RuntimeError):
    """The whole run cannot go on (exit code 1)."""


class RunInUseError(RayPipelineError, RuntimeError):
    """Another driver is working on the run directory; nothing was started (exit code 2)."""


class RunTakenOverError(ExecutionError):
    """Another driver took over the run directory, so this one has stopped writing to it."""


GIVEN_WRONGLY = (ArtifactError, ConfigError, DamagedFileError, DiscoveryError, RunInUseError)
"""Errors in a command's input: it exits with code 2."""
