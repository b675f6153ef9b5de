"""Columns that depend on the whole batch: ranks, z-scores and excess returns of bars.

They take two passes: each symbol's base columns first, then blocks of time over all symbols.
``stage`` runs both; what is imported here does not depend on an executor.
"""

from ray_pipeline.panel.cross_section.names import (
    CROSS_SECTIONAL_FEATURES,
    base_of,
    computed_task,
    described_features,
    is_cross_sectional,
    named_features,
)
from ray_pipeline.panel.cross_section.reference import CrossSection
from ray_pipeline.panel.cross_section.values import MIN_MEMBERS

__all__ = [
    "CROSS_SECTIONAL_FEATURES",
    "MIN_MEMBERS",
    "CrossSection",
    "base_of",
    "computed_task",
    "described_features",
    "is_cross_sectional",
    "named_features",
]
