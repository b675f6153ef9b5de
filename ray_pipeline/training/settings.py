"""What the fit of every job of a run depends on, whichever job it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ray_pipeline.records import SampleWeights
from ray_pipeline.samples.learned import LabelComparison

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
    comparison
        How pooled models see labels beside those of the same timestamp: that of target ranking;
        None: as they are, as a symbol's own models do in any case.
    """

    min_cs: int
    sample_weights: SampleWeights
    comparison: LabelComparison | None = None

    @classmethod
    def from_config(cls, config: ExperimentConfig) -> TrainingSettings:
        """Take what the config says."""
        ranking = config.target_ranking
        comparison = LabelComparison.of(ranking.compare, ranking.min_cs)
        return cls(ranking.min_cs, config.training.sample_weights, comparison)

    def for_own_models(self) -> TrainingSettings:
        """Return what models of one symbol depend on: they compare nothing with other symbols."""
        return replace(self, comparison=None)
