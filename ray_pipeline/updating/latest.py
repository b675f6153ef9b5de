"""The latest training of a run, served or not, from which the schedule continues."""

from __future__ import annotations

from dataclasses import dataclass

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.errors import ConfigError, DiscoveryError
from ray_pipeline.predicting.times import looked_until
from ray_pipeline.predicting.trained import TrainedRun
from ray_pipeline.results.documents import TrainedRecord
from ray_pipeline.results.opening import open_run
from ray_pipeline.storage import RunDirectory

__all__ = ["LatestTraining", "latest_training", "until_of"]


@dataclass(frozen=True, slots=True)
class LatestTraining:
    """The current result in a run directory.

    Rejected models are not due again, and the restated rows they saw are known.
    """

    record: TrainedRecord
    config: ExperimentConfig
    files: RunDirectory

    @property
    def until_ns(self) -> int:
        """Time from which on it used no rows."""
        return until_of(self.record, self.files)


def latest_training(trained: TrainedRun) -> LatestTraining:
    """Return the latest training of a finished run, which may be that of the serving models."""
    try:
        found = open_run(trained.home.uri, trained.run_options)
    except DiscoveryError:
        return LatestTraining(trained.record, trained.config, trained.run)
    if found.record.status != "done":
        return LatestTraining(trained.record, trained.config, trained.run)
    return LatestTraining(found.trained_record(), found.config(), found.files)


def until_of(record: TrainedRecord, files: RunDirectory) -> int:
    """Return the time from which on a training used no rows.

    Raises
    ------
    ConfigError
        When it was written by a version that did not record the end of its data.
    """
    found = looked_until(record.data)
    if found is None:
        raise ConfigError(f"{files.uri}: run.json does not say when its data end.")
    return found
