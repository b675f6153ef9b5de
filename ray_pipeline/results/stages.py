"""The stages of the pipeline, in the order in which they happen: the one list of them."""

from __future__ import annotations

from ray_pipeline.calibration.stage import CALIBRATION
from ray_pipeline.doubt.doubting import DOUBT
from ray_pipeline.evaluating.evaluating import EVALUATION
from ray_pipeline.evaluating.policies import POLICIES
from ray_pipeline.inspecting.stages import CROSS_SECTION, INSPECT
from ray_pipeline.leakage.screening import LEAKAGE
from ray_pipeline.ranking.ranking import RANKING
from ray_pipeline.routing.assigning import ROUTING
from ray_pipeline.samples.shared_pool import POOL
from ray_pipeline.selection.selecting import SELECTION
from ray_pipeline.stages.stage import Stage
from ray_pipeline.training.entry import TRAINING
from ray_pipeline.training.search.searching import SEARCH
from ray_pipeline.user_code.stages import STAGE_PREFIX
from ray_pipeline.user_stages.fan_out import USER_STAGES

__all__ = ["STAGES", "stage_place", "table_place", "taken_names", "unit_place", "unit_title"]

STAGES: tuple[Stage, ...] = (
    INSPECT,
    CROSS_SECTION,
    LEAKAGE,
    USER_STAGES,
    POOL,
    RANKING,
    DOUBT,
    SELECTION,
    ROUTING,
    SEARCH,
    TRAINING,
    CALIBRATION,
    EVALUATION,
    POLICIES,
)


def taken_names() -> frozenset[str]:
    """Names that a stage of your own cannot have: those of the stages and of their units."""
    units = {kind.name for stage in STAGES for kind in stage.units}
    return frozenset({stage.name for stage in STAGES} | units)


def unit_title(unit: str) -> str:
    """Return the words for units of a name; the name itself where no stage has them."""
    titles = (kind.title_of(unit) for stage in STAGES for kind in stage.units)
    return next((title for title in titles if title is not None), unit)


def stage_place(name: str) -> int:
    """Return a sort key that puts the names of timings into the order of the stages."""
    known = USER_STAGES.name if name.startswith(STAGE_PREFIX) else name
    names = [stage.name for stage in STAGES]
    return names.index(known) if known in names else len(names)


def unit_place(unit: str) -> int:
    """Return a sort key that puts names of units into the order in which they happen."""
    kinds = [kind for stage in STAGES for kind in stage.units]
    places = (place for place, kind in enumerate(kinds) if kind.title_of(unit) is not None)
    return next(places, len(kinds))


def table_place(name: str) -> int:
    """Return a sort key that puts names of results into the order in which stages write them."""
    tables = [table for stage in STAGES for table in stage.tables]
    places = (
        place for place, table in enumerate(tables) if name == table or name.startswith(f"{table}/")
    )
    return next(places, len(tables))
