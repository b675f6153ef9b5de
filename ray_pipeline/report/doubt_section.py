"""What carries a doubtful skill: features, and the skill when they come late (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ray_pipeline.records import VIEW_NAMES
from ray_pipeline.results.capping import Capped
from ray_pipeline.results.contents import NO_CARRIERS, RunContents
from ray_pipeline.results.figures import percentage, with_error
from ray_pipeline.results.tables import DOUBT
from ray_pipeline.wording import plural, some_of

__all__ = ["CarryingFeature", "DoubtSection", "DoubtedSkill", "write_doubt_section"]

MAX_DOUBTED = 20
"""Models that are laid out."""


@dataclass(frozen=True, slots=True)
class CarryingFeature:
    """A feature, or all that carry the skill together."""

    name: str
    carries: bool
    importance: str
    skill: str
    bar_late: str
    horizon_late: str
    without: str


@dataclass(frozen=True, slots=True)
class DoubtedSkill:
    """A doubtful target in one view, or a symbol's own models of it."""

    target: str
    whose: str
    horizon: str
    reason: str
    features: tuple[CarryingFeature, ...]


@dataclass(frozen=True, slots=True)
class DoubtSection:
    """What is in doubt; nothing in most runs.

    `sentences` has the figure of each doubtful target, `absent` says of which no carrier is known.
    """

    sentences: tuple[str, ...]
    absent: str
    doubted: Capped[DoubtedSkill]


def write_doubt_section(contents: RunContents) -> DoubtSection:
    """Lay out what is in doubt."""
    table = contents.doubts
    rows: list[Mapping[str, Any]] = [] if table is None else table.to_pylist()
    together = [row for row in rows if row["feature"] is None]
    shown = tuple(_doubted(head, rows) for head in together[:MAX_DOUBTED])
    explained = {row["target"] for row in together}
    unknown = [each.target for each in contents.doubted if each.target not in explained]
    return DoubtSection(
        tuple(f"{str(each)[0].upper()}{str(each)[1:]}." for each in contents.doubted),
        f"{some_of(unknown)}: {NO_CARRIERS}" if unknown else "",
        Capped(shown, len(together), "most doubtful first", DOUBT),
    )


def _doubted(head: Mapping[str, Any], rows: list[Mapping[str, Any]]) -> DoubtedSkill:
    key = ("target", "view", "symbol")
    features = [row for row in rows if all(row[name] == head[name] for name in key)]
    own = head["symbol"]
    whose = f"own models of {own}" if own is not None else VIEW_NAMES[head["view"]]
    bars = head["horizon_bars"]
    return DoubtedSkill(
        target=head["target"],
        whose=f"{whose}, {head['family']}",
        horizon=plural(bars, "bar"),
        reason=head["reason"],
        features=tuple(map(_feature, features)),
    )


def _feature(row: Mapping[str, Any]) -> CarryingFeature:
    return CarryingFeature(
        name=row["feature"] or "all that carry it",
        carries=row["carries"],
        importance=percentage(row["importance"]),
        skill=with_error(row["skill"], row["skill_std_error"]),
        bar_late=with_error(row["bar_late"], row["bar_late_std_error"]),
        horizon_late=with_error(row["horizon_late"], row["horizon_late_std_error"]),
        without=with_error(row["without"], row["without_std_error"]),
    )
