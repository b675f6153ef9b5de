"""What the fit of every job of a run depends on, whichever job it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ray_pipeline.records import SampleWeights

if TYPE_CHECKING:
    from ray_pipeline.config import ExperimentConfig

__all__ = ["TrainingSettings"]


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Travels whole with the units that train models and those that measure trials.

    Attributes
    ----------
    min_cs
        Symbols that a timestamp needs to count across symbols: that of target ranking.
    sample_weights
        How much a training row counts.
    """

    min_cs: int
    sample_weights: SampleWeights

    @classmethod
    def from_config(cls, config: ExperimentConfig) -> TrainingSettings:
        """Take what the config says."""
        return cls(config.target_ranking.min_cs, config.training.sample_weights)
