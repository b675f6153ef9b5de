"""Settings on which the fit of every job of a run depends."""

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
    """Passed as a whole to units that train models or measure trials.

    Attributes
    ----------
    min_cs
        Symbols that a timestamp needs to count across symbols: that of target ranking.
    sample_weights
        Weights of training rows.
    comparison
        How pooled models see labels relative to those of the same timestamp, as in target ranking;
        None: raw, which a symbol's own models always use.
    """

    min_cs: int
    sample_weights: SampleWeights
    comparison: LabelComparison | None = None

    @classmethod
    def from_config(cls, config: ExperimentConfig) -> TrainingSettings:
        """Take the settings from the config."""
        ranking = config.target_ranking
        comparison = LabelComparison.of(ranking.compare, ranking.min_cs)
        return cls(ranking.min_cs, config.training.sample_weights, comparison)

    def for_own_models(self) -> TrainingSettings:
        """Return the settings for models of one symbol, which are compared with no others."""
        return replace(self, comparison=None)
