"""A generated sample panel with planted truths, a commented config, and a run on them."""

from ray_pipeline.quickstart.command import quickstart_config, run_quickstart, write_quickstart
from ray_pipeline.quickstart.comparison import Comparison, Found, PlantedFinding, compare
from ray_pipeline.quickstart.sample import make_sample
from ray_pipeline.quickstart.table import comparison_lines
from ray_pipeline.quickstart.truth import (
    NOTHING_PLANTED,
    PLANTED,
    PlantedLeak,
    PlantedTarget,
    PlantedTwin,
    Truth,
)

__all__ = [
    "NOTHING_PLANTED",
    "PLANTED",
    "Comparison",
    "Found",
    "PlantedFinding",
    "PlantedLeak",
    "PlantedTarget",
    "PlantedTwin",
    "Truth",
    "compare",
    "comparison_lines",
    "make_sample",
    "quickstart_config",
    "run_quickstart",
    "write_quickstart",
]
