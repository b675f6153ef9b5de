"""Which features carry a doubtful skill, and how to interpret whether it remains (pure)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.records import View
from ray_pipeline.samples.evidence import Evidence
from ray_pipeline.wording import some_of

__all__ = ["Carriers", "DoubtRow", "LateSkills", "doubt_rows", "find_carriers", "reading"]

ENOUGH_IMPORTANCE = 0.5
"""Share of the importance that the carriers have together."""

MAX_CARRIERS = 3
"""Maximum number of carriers: each costs two more walks over the folds."""

MAX_NAMED = 10
"""Number of features listed by importance."""

MOST = 0.5
"""Share of a skill whose loss counts as losing most of it."""


@dataclass(frozen=True, slots=True)
class Carriers:
    """Features by importance, most important first, of which the first `n_carriers` carry."""

    shares: tuple[tuple[str, float], ...]
    n_carriers: int

    @property
    def names(self) -> tuple[str, ...]:
        """The carriers."""
        return tuple(name for name, _ in self.shares[: self.n_carriers])

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Carriers:
        """Rebuild from `to_record`."""
        shares = tuple((str(name), float(share)) for name, share in record["shares"])
        return cls(shares, int(record["n_carriers"]))

    def to_record(self) -> dict[str, Any]:
        """Plain values for a unit's record."""
        return {"shares": [list(pair) for pair in self.shares], "n_carriers": self.n_carriers}


def find_carriers(names: Sequence[str], shares: NDArray[np.float64]) -> Carriers:
    """Take the most important features until they have half of the total importance.

    Parameters
    ----------
    shares
        Of the importance, shape (n_features,). Equal ones stay in their order.
    """
    order = np.argsort(-shares, kind="stable")[:MAX_NAMED]
    ranked = tuple((names[j], float(shares[j])) for j in order.tolist())
    so_far = np.cumsum([share for _, share in ranked])
    enough = int(np.searchsorted(so_far, ENOUGH_IMPORTANCE)) + 1
    return Carriers(ranked, min(enough, MAX_CARRIERS, len(ranked)))


@dataclass(frozen=True, slots=True)
class DoubtRow:
    """One row of ``doubt.parquet``: a feature that carries a doubtful skill, or all of them.

    Attributes
    ----------
    symbol
        For own models; None for pooled ones.
    feature
        None means all carriers together.
    importance
        Share of the importance in the models of all folds.
    skill, bar_late, horizon_late, without
        Skill of models fitted on at most 30,000 evenly spaced rows: with all features unchanged;
        with this one taken one bar, and one horizon, earlier; and without it. NaN where it was not
        measured: only the carriers together are left out.
    reason
        The interpretation, in the row of all carriers; empty elsewhere.
    """

    target: str
    view: View
    symbol: str | None
    family: str
    horizon_bars: int
    feature: str | None
    carries: bool
    importance: float
    skill: float
    skill_std_error: float
    bar_late: float
    bar_late_std_error: float
    horizon_late: float
    horizon_late_std_error: float
    without: float
    without_std_error: float
    reason: str


Figures = tuple[float, float, float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class LateSkills:
    """Skill with features unchanged, late, and left out; see `DoubtedWalk.measure`."""

    skill: Evidence
    bar: Evidence
    horizon: Evidence
    without: Evidence

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> LateSkills:
        """Rebuild from the records of `DoubtedWalk.measure`."""
        return cls(*(Evidence.from_record(record[name]) for name in cls.__slots__))

    def figures(self) -> Figures:
        """Return the columns of the table, from `DoubtRow.skill` on."""
        found = (self.skill, self.bar, self.horizon, self.without)
        skill, bar, horizon, without = ((each.skill, each.std_error) for each in found)
        return (*skill, *bar, *horizon, *without)


def doubt_rows(
    target: str,
    view: View,
    symbol: str | None,
    family: str,
    horizon_bars: int,
    limit: float,
    carriers: Carriers,
    measured: Mapping[str, Any],
) -> list[DoubtRow]:
    """Return the rows of one doubtful target: all its carriers together, then feature by feature.

    Parameters
    ----------
    measured
        Of `DoubtedWalk.measure`.
    """
    together = LateSkills.from_record(measured["together"])
    known = (target, view, symbol, family, horizon_bars)
    nothing = Evidence.none()
    whole = sum(share for _, share in carriers.shares[: carriers.n_carriers])
    text = reading(carriers, together, horizon_bars, limit)
    rows = [DoubtRow(*known, None, True, whole, *together.figures(), text)]
    for place, (feature, share) in enumerate(carriers.shares):
        found = LateSkills(nothing, nothing, nothing, nothing)
        if carriers.names == (feature,):
            found = together
        elif feature in measured["alone"]:
            alone = {
                when: Evidence.from_record(record)
                for when, record in measured["alone"][feature].items()
            }
            found = LateSkills(together.skill, alone["bar"], alone["horizon"], nothing)
        carries = place < carriers.n_carriers
        rows.append(DoubtRow(*known, feature, carries, share, *found.figures(), ""))
    return rows


def reading(carriers: Carriers, found: LateSkills, horizon_bars: int, limit: float) -> str:
    """Say what carries a skill, and what its loss or persistence suggests.

    Parameters
    ----------
    limit
        Limit of the skill; NaN if another figure is in doubt.
    """
    share = sum(share for _, share in carriers.shares[: carriers.n_carriers])
    are, they = ("are", "they come") if carriers.n_carriers > 1 else ("is", "it comes")
    late = f"{found.bar.skill:+.2f} when {they} one bar late"
    if horizon_bars > 1:
        late += f", {found.horizon.skill:+.2f} one horizon ({horizon_bars} bars) late"
    told = (
        f"{some_of(carriers.names)} {are} {share:.0%} of the importance; skill "
        f"{found.skill.skill:+.2f}, {late}, {found.without.skill:+.2f} without"
    )
    return f"{told}. {_meaning(found, horizon_bars, limit)}"


def _meaning(found: LateSkills, horizon_bars: int, limit: float) -> str:
    def is_gone(late: Evidence) -> bool:
        return not late.skill >= (1.0 - MOST) * found.skill.skill

    if found.without.skill > limit:
        return "Without, the skill is still beyond its limit: other features carry it as well"
    if math.isnan(limit) and not is_gone(found.without):
        return "Without, most of it is left: other features carry it as well"
    if is_gone(found.bar):
        return (
            "Most of it is gone one bar late: a look-ahead of one bar looks so, and so does what "
            "lasts a bar, such as the bid-ask bounce"
        )
    if is_gone(found.horizon):
        return (
            "Most of it is gone one horizon late: it knows what the label knows. A feature that is "
            "made of the label's own bars looks so; honest ones are not that good"
        )
    return (
        "Most of it is left one horizon late: a feature looks so that knows further ahead than the "
        "label, such as the candle of an hour, a day or a week that is not over; and so does a "
        "target that its own past tells"
    )
