"""Settings on which the ranking of any target depends."""

from __future__ import annotations

from dataclasses import dataclass

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.samples.learned import LabelComparison
from ray_pipeline.samples.walk import FamilySettings

__all__ = ["RankingSettings"]


@dataclass(frozen=True, slots=True)
class RankingSettings:
    """Passed as a whole to the units that measure skill across symbols.

    Units that only fit models get only the families, so they are not redone when another number of
    symbols is required.

    Attributes
    ----------
    families
        Families to try.
    min_cs
        Symbols that a timestamp needs to count across symbols.
    comparison
        How models that are judged across symbols see labels; None: raw.
    """

    families: tuple[FamilySettings, ...]
    min_cs: int
    comparison: LabelComparison | None

    @classmethod
    def from_config(cls, config: ExperimentConfig) -> RankingSettings:
        """Take the settings from the config."""
        section = config.target_ranking
        families = FamilySettings.from_config(section.families, section.hyperparameters)
        return cls(families, section.min_cs, LabelComparison.of(section.compare, section.min_cs))

    @property
    def family_names(self) -> tuple[str, ...]:
        """Names of the families, in their order."""
        return tuple(family.name for family in self.families)
