"""Which features carry a skill, and what its going or staying is said to mean."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ray_pipeline.doubt.carriers import (
    MAX_CARRIERS,
    MAX_NAMED,
    Carriers,
    LateSkills,
    doubt_rows,
    find_carriers,
    reading,
)
from ray_pipeline.samples.evidence import Evidence


def evidence(skill: float) -> Evidence:
    return Evidence(skill, 0.01, skill / 0.01, 0.0, 1000, 900.0)


def late(skill: float, bar: float, horizon: float, without: float) -> LateSkills:
    return LateSkills(*map(evidence, (skill, bar, horizon, without)))


@pytest.mark.parametrize(
    ("shares", "carriers"),
    [
        ([0.1, 0.8, 0.1], ("b",)),
        ([0.4, 0.35, 0.25], ("a", "b")),
        ([0.25, 0.5, 0.25], ("b",)),
        ([0.0, 0.0, 0.0], ("a", "b", "c")),  # nothing was fitted: nobody is told apart
        ([0.3, 0.3, 0.4], ("c", "a")),
    ],
)
def test_carriers_have_half_of_the_importance(
    shares: list[float], carriers: tuple[str, ...]
) -> None:
    """The most important ones, until they have half of it together; equals in their order."""
    assert find_carriers(("a", "b", "c"), np.array(shares)).names == carriers


def test_carriers_are_few() -> None:
    """Where importance is spread, the first few are looked at and the first ten named."""
    names = tuple(f"f{j}" for j in range(50))
    found = find_carriers(names, np.full(50, 0.02))
    assert found.names == names[:MAX_CARRIERS]
    assert len(found.shares) == MAX_NAMED
    assert Carriers.from_record(found.to_record()) == found


@pytest.mark.parametrize(
    ("found", "horizon", "start"),
    [
        (late(0.5, 0.05, 0.01, 0.0), 12, "Most of it is gone one bar late"),
        (late(0.5, 0.4, 0.01, 0.0), 12, "Most of it is gone one horizon late"),
        (late(0.5, 0.01, 0.01, 0.0), 1, "Most of it is gone one bar late"),
        (late(0.5, 0.45, 0.4, 0.0), 3, "Most of it is left one horizon late"),
        (late(0.5, 0.1, 0.1, 0.45), 3, "Without, the skill is still beyond its limit"),
        (late(0.5, math.nan, math.nan, 0.0), 3, "Most of it is gone one bar late"),
    ],
)
def test_reading(found: LateSkills, horizon: int, start: str) -> None:
    """What goes within a bar, within the label, later, or not with these features at all."""
    text = reading(Carriers((("body_1h", 0.9),), 1), found, horizon, 0.25)
    told, _, meaning = text.partition(". ")
    assert told.startswith("body_1h is 90% of the importance; skill +0.50, ")
    # A horizon of one bar is told once.
    assert (f"one horizon ({horizon} bars) late" in told) == (horizon > 1)
    assert meaning.startswith(start)


def test_rows_have_the_carriers_together_and_each_alone() -> None:
    """Others have their importance alone."""
    carriers = Carriers((("a", 0.4), ("b", 0.3), ("c", 0.2)), 2)
    together = {
        name: evidence(skill).to_record()
        for name, skill in (("skill", 0.5), ("bar", 0.2), ("horizon", 0.1), ("without", 0.0))
    }
    alone = {
        "a": {"bar": evidence(0.3).to_record(), "horizon": evidence(0.25).to_record()},
        "b": {"bar": evidence(0.4).to_record(), "horizon": evidence(0.35).to_record()},
    }
    measured = {"together": together, "alone": alone}
    rows = doubt_rows("t", "cross_sectional", None, "ridge", 3, 0.25, carriers, measured)
    assert [(row.feature, row.carries, round(row.importance, 9)) for row in rows] == [
        (None, True, 0.7),
        ("a", True, 0.4),
        ("b", True, 0.3),
        ("c", False, 0.2),
    ]
    assert [row.bar_late for row in rows[:3]] == [0.2, 0.3, 0.4]
    assert [row.horizon_late for row in rows[:3]] == [0.1, 0.25, 0.35]
    assert rows[0].without == 0.0
    assert math.isnan(rows[1].without)
    assert math.isnan(rows[3].skill)
    assert rows[0].reason.startswith("a, b are 70% of the importance")
    assert {row.reason for row in rows[1:]} == {""}


def test_a_lone_carrier_has_the_figures_of_all() -> None:
    """They were measured once."""
    together = {name: evidence(0.3).to_record() for name in ("skill", "bar", "horizon", "without")}
    carriers = Carriers((("a", 0.9), ("b", 0.1)), 1)
    measured = {"together": together, "alone": {}}
    every, lone, other = doubt_rows("t", "symbol_specific", "S", "r", 1, 0.2, carriers, measured)
    assert (lone.feature, lone.reason) == ("a", "")
    assert lone.without == every.without == 0.3
    assert math.isnan(other.skill)


def test_without_a_limit_what_is_left_is_held_against_the_skill() -> None:
    """Another figure is in doubt: where most of the skill stays, other features carry it too."""
    carriers = Carriers((("a", 0.3), ("b", 0.1)), 1)
    spread = reading(carriers, late(0.2, 0.19, 0.18, 0.15), 5, math.nan)
    assert spread.endswith("Without, most of it is left: other features carry it as well")
    gone = reading(carriers, late(0.2, 0.02, 0.01, 0.01), 5, math.nan)
    assert "Most of it is gone one bar late" in gone
