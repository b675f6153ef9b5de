"""A stage of the pipeline, described once.

Progress, status, the journal, publishing, timings and resuming use only a stage's entry. The
entries are listed in `ray_pipeline.results.stages`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ray_pipeline.stages.context import StageContext

__all__ = ["Stage", "UnitKind"]


@dataclass(frozen=True, slots=True)
class UnitKind:
    """A kind of units of work, with the words that progress uses for them.

    Both may end with ``*``, for the rest of a name of units that comes from the config.
    """

    name: str
    title: str

    def title_of(self, unit: str) -> str | None:
        """Return the title of units of a name, None if they are of another kind."""
        if not self.name.endswith("*"):
            return self.title if unit == self.name else None
        prefix = self.name.removesuffix("*")
        if not unit.startswith(prefix):
            return None
        return self.title.removesuffix("*") + unit.removeprefix(prefix)


def _always(_: StageContext) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Stage:
    """What the pipeline needs to know about a stage.

    Attributes
    ----------
    name
        Its name in timings and status.
    run
        Does the work: reads what earlier stages put into the context, runs units, writes the
        stage's tables, and puts its own result into the context.
    units
        Kinds of its units, in the order in which they happen.
    sections
        Sections of the config that it reads; changing another redoes none of its units.
    tables
        Files and folders that it writes, relative to the run directory.
    needs
        Names of the stages whose results it reads.
    applies
        Whether the run has this stage at all.
    is_timed
        Whether it is timed as a whole; False if it times its parts itself.
    """

    name: str
    run: Callable[[StageContext], None]
    units: tuple[UnitKind, ...] = ()
    sections: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    applies: Callable[[StageContext], bool] = _always
    is_timed: bool = True
