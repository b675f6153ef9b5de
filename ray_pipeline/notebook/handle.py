"""Where a run is, and reading from it: the base of everything else."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.errors import ArtifactError
from ray_pipeline.notebook.tables import TableName, read_result_table
from ray_pipeline.predicting.trained import TrainedRun, open_trained_run
from ray_pipeline.results import opening
from ray_pipeline.results.reading import Results
from ray_pipeline.storage import absolute_uri
from ray_pipeline.versions.kept import name_of_result

__all__ = ["RunHandle", "RunPlace"]


@dataclass(frozen=True, slots=True)
class RunPlace:
    """Where a run is, and the options of its store."""

    uri: str
    options: Mapping[str, Any]


class RunHandle:
    """A run directory that is opened again for every read.

    Parameters
    ----------
    uri
        The run directory.
    storage_options
        fsspec options of its store, without secrets.
    """

    def __init__(
        self, uri: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None
    ) -> None:
        self.place = RunPlace(absolute_uri(uri), dict(storage_options or {}))
        """The run directory, and the options of its store."""
        self.uri = self.open_files().uri
        """Address of the result."""

    @property
    def name(self) -> str:
        """Name of the run, ``experiment.name``."""
        return self.open_files().record.name

    @property
    def status(self) -> str:
        """``running``, ``done``, ``failed`` or ``interrupted``."""
        return self.open_files().record.status

    @property
    def config(self) -> ExperimentConfig:
        """The config, with every default filled in."""
        return self.open_files().config()

    def table(self, name: TableName, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a table of the run as Arrow, also for polars: ``polars.from_arrow(…)``.

        Parameters
        ----------
        name
            For example ``targets`` or ``predictions``; also tables without their own property, such
            as ``quantiles``, ``decay``, ``equity`` and ``doubt``. An unknown name lists all of
            them.
        columns
            Columns to return; None: all.

        Raises
        ------
        ConfigError
            When there is no table, or no column, of that name.
        ArtifactError
            When the run did not get as far as writing it.
        """
        return read_result_table(self.open_files(), name, columns)

    def open_files(self) -> Results:
        """Open the run's current files."""
        return opening.open_run(self.place.uri, self.place.options)

    def open_trained(self) -> TrainedRun:
        """Open the models of this result, whichever version serves.

        Raises
        ------
        ArtifactError
            When the run is not done, or trained nothing.
        """
        results = self.open_files()
        if results.record.status != "done":
            raise ArtifactError(
                f"{self.uri}: the run is {results.record.status}, and only one that is done has "
                "out-of-sample scores of all its models. The same call continues it."
            )
        return open_trained_run(self.place.uri, self.place.options, name_of_result(results))
