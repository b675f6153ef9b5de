"""Models that a worker keeps between symbols, so that pooled ones are read only once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.models import TrainedModel, read_model

__all__ = ["ModelCache", "ScoringReader"]

CACHE_BYTES = 256 * 2**20
"""Bytes of files; a loaded model takes about two to three times as much."""


class ModelCache:
    """Trained models of runs, least recently used first out.

    Parameters
    ----------
    max_bytes
        Bytes of their files. One model is kept regardless of its size.
    """

    def __init__(self, max_bytes: int = CACHE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._models: OrderedDict[tuple[str, str, str | None], TrainedModel] = OrderedDict()

    def get(self, run: RunDirectory, job_id: str, seals: Mapping[str, str]) -> TrainedModel:
        """Return a model of a run.

        Parameters
        ----------
        seals
            The ``sha256`` of the run's own models, including members of averages, by job; a model
            without one is not verified.

        Raises
        ------
        ArtifactError, StorageError
            As `read_model`.
        """
        key = (run.uri, job_id, seals.get(job_id))
        if key in self._models:
            self._models.move_to_end(key)
            return self._models[key]
        model = read_model(run, job_id, lambda name: self.get(run, name, seals), seals.get(job_id))
        self._models[key] = model
        while len(self._models) > 1 and self.size_bytes > self._max_bytes:
            self._models.popitem(last=False)
        return model

    @property
    def size_bytes(self) -> int:
        """Bytes of the files of the models that it holds; averages have none of their own."""
        return sum(model.size_bytes for model in self._models.values() if not model.members)


class ScoringReader(PanelReader):
    """State of a worker that scores symbols: their tables, and the models."""

    def __init__(
        self, data_dir: str, storage_options: Mapping[str, Any], run: RunDirectory
    ) -> None:
        super().__init__(data_dir, storage_options, run)
        self.models = ModelCache()
