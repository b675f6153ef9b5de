"""The latest training of a run, whose models serve or do not: what the schedule goes on from."""

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
    """The result that stands in a run directory.

    Models that were rejected are not due again, and rows that they saw restated are known.
    """

    record: TrainedRecord
    config: ExperimentConfig
    files: RunDirectory

    @property
    def until_ns(self) -> int:
        """Time from which on rows are none that it looked at."""
        return until_of(self.record, self.files)


def latest_training(trained: TrainedRun) -> LatestTraining:
    """Return the latest training of a run that is done; that of the models that serve is one."""
    try:
        found = open_run(trained.home.uri, trained.run_options)
    except DiscoveryError:
        return LatestTraining(trained.record, trained.config, trained.run)
    if found.record.status != "done":
        return LatestTraining(trained.record, trained.config, trained.run)
    return LatestTraining(found.trained_record(), found.config(), found.files)


def until_of(record: TrainedRecord, files: RunDirectory) -> int:
    """Return the time from which on rows are none that a training looked at.

    Raises
    ------
    ConfigError
        When a version wrote it that did not record when its data end.
    """
    found = looked_until(record.data)
    if found is None:
        raise ConfigError(f"{files.uri}: run.json does not say when its data end.")
    return found
