"""Doubt: figures beyond what such targets have ever shown (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, assert_never

from ray_pipeline.bars.plausible import (
    DEFAULT_LIMITS,
    Plausible,
    Reach,
    TargetKind,
    reach_of,
    target_kind,
)
from ray_pipeline.panel.cautions import unused_patterns
from ray_pipeline.ranking.decide import Row, SymbolRow, TargetRow, in_order
from ray_pipeline.records import VIEW_NAMES, TargetSpec, View, first_match
from ray_pipeline.wording import agreeing

if TYPE_CHECKING:
    from ray_pipeline.config import ExperimentConfig

__all__ = [
    "DoubtLimits",
    "DoubtedFigure",
    "Figure",
    "TargetLimits",
    "beyond",
    "doubt_sentence",
    "doubted_skills",
    "surely",
    "unused_limits",
    "with_doubt",
    "with_doubted_models",
]

Overrides = tuple[tuple[str, float | None], ...]

Figure = Literal["skill", "hit rate", "Sharpe ratio"]

_KEYS: Mapping[Figure, str] = {
    "skill": "max_skill",
    "hit rate": "max_hit_rate",
    "Sharpe ratio": "max_sharpe",
}
_KINDS: Mapping[TargetKind, str] = {
    "direction": "the direction of prices",
    "barrier": "whether prices reach a barrier",
    "extreme": "how far prices go at most",
}
_REACHES: Mapping[Reach, str] = {
    "under a minute": "less than a minute ahead",
    "within a session": "less than a session ahead",
    "a session or longer": "a session or more ahead",
}


@dataclass(frozen=True, slots=True)
class TargetLimits:
    """The limits for the figures of one target.

    Attributes
    ----------
    subject
        The target's subject, if its name reveals it; else empty.
    limits
        Of each figure; None: no limit.
    given
        Figures whose limit the config gives.
    """

    subject: str
    limits: Plausible
    given: frozenset[Figure] = frozenset()

    def of(self, figure: Figure) -> float | None:
        """Return the limit of a figure, None if it has none."""
        match figure:
            case "skill":
                return self.limits.skill
            case "hit rate":
                return self.limits.hit_rate
            case "Sharpe ratio":
                return self.limits.sharpe
            case _:
                assert_never(figure)

    def described(self, figure: Figure) -> str:
        """Return the limit of a figure with its origin, as it follows "beyond"."""
        limit = f"{self.of(figure):g}"
        if figure in self.given:
            return f"{limit}, the limit that doubt.{_KEYS[figure]} gives it"
        return f"{limit}, more than is known of {self.subject}"


@dataclass(frozen=True, slots=True)
class DoubtLimits:
    """Limits of all targets of a run.

    Attributes
    ----------
    skill, hit_rate, sharpe
        By target pattern, the first that matches; None removes the limit.
    std_errors
        Standard errors by which a figure must exceed its limit.
    returns
        Patterns of targets that are returns, whatever their names.
    bar_seconds, session_bars
        Length of a bar, and bars of a session.
    """

    skill: Overrides
    hit_rate: Overrides
    sharpe: Overrides
    std_errors: float
    returns: tuple[str, ...]
    bar_seconds: int
    session_bars: int

    @classmethod
    def from_config(
        cls, config: ExperimentConfig, bar_seconds: int, session_bars: int
    ) -> DoubtLimits:
        """Build the limits from the config and the panel."""
        section = config.doubt
        return cls(
            skill=tuple(section.max_skill.items()),
            hit_rate=tuple(section.max_hit_rate.items()),
            sharpe=tuple(section.max_sharpe.items()),
            std_errors=section.std_errors,
            returns=config.evaluation.return_targets,
            bar_seconds=bar_seconds,
            session_bars=session_bars,
        )

    def of(self, target: TargetSpec) -> TargetLimits:
        """Return a target's limits: those of its kind, unless the config overrides them."""
        name = target.name
        kind = target_kind(name)
        if kind is None and first_match(name, self.returns) is not None:
            kind = "direction"
        subject, known = "", Plausible()
        if kind is not None:
            reach = reach_of(target.horizon_bars, self.bar_seconds, self.session_bars)
            subject, known = f"{_KINDS[kind]} {_REACHES[reach]}", DEFAULT_LIMITS[kind, reach]
        overrides: dict[Figure, Overrides] = {
            "skill": self.skill,
            "hit rate": self.hit_rate,
            "Sharpe ratio": self.sharpe,
        }
        given: dict[Figure, float | None] = {}
        for figure, patterns in overrides.items():
            pattern = first_match(name, (pattern for pattern, _ in patterns))
            if pattern is not None:
                given[figure] = dict(patterns)[pattern]
        return TargetLimits(
            subject,
            Plausible(
                skill=given.get("skill", known.skill),
                hit_rate=given.get("hit rate", known.hit_rate),
                sharpe=given.get("Sharpe ratio", known.sharpe),
            ),
            frozenset(given),
        )


def unused_limits(config: ExperimentConfig, targets: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each pattern of a limit that no target matches."""
    section = config.doubt
    yield from unused_patterns("doubt.max_skill", section.max_skill, targets)
    yield from unused_patterns("doubt.max_hit_rate", section.max_hit_rate, targets)
    yield from unused_patterns("doubt.max_sharpe", section.max_sharpe, targets)


def beyond(figure: float, std_error: float, limit: float | None, std_errors: float) -> bool:
    """Tell whether a figure is certainly beyond a limit; never if it has no error.

    Parameters
    ----------
    std_errors
        Standard errors by which it must exceed the limit.
    """
    return limit is not None and figure - std_errors * std_error > limit


@dataclass(frozen=True, slots=True)
class DoubtedFigure:
    """The figure for which a target is doubtful."""

    target: str
    what: Figure
    value: float
    limit: float

    def __str__(self) -> str:
        """Describe the doubt, as it follows a colon."""
        value = f"{self.value:.2f}" if self.what == "hit rate" else f"{self.value:+.2f}"
        return (
            f"{self.what} {value} on {self.target} is beyond what is believed of such a target "
            f"({self.limit:g})"
        )


def with_doubt(
    rows: Sequence[Row], limits: Mapping[str, TargetLimits], std_errors: float
) -> list[Row]:
    """Call no row predictable whose skill is beyond its limit; order and rank the rows again.

    A target that is doubtful in one view is not predictable in the other, where the same features
    are at work. A symbol is judged separately, because only its table may be at fault.

    Parameters
    ----------
    rows
        With verdicts.
    limits
        By target.
    """
    doubted = [_doubted(row, limits[row.target], std_errors) for row in rows]
    views: dict[str, View] = {
        row.target: row.view for row in doubted if isinstance(row, TargetRow) and row.doubtful
    }
    return in_order([_by_its_other_view(row, views) for row in doubted])


def _doubted(row: Row, of_target: TargetLimits, std_errors: float) -> Row:
    limit = of_target.limits.skill
    if limit is None:
        return row
    row = replace(row, max_skill=limit)
    if not beyond(row.skill, row.std_error, limit, std_errors):
        return row
    where = f" of {row.symbol}" if isinstance(row, SymbolRow) else ""
    return replace(
        row,
        predictable=False,
        doubtful=True,
        verdict="doubtful",
        reason=f"doubtful: skill {row.skill:+.4f} ± {row.std_error:.4f}{where} is beyond "
        f"{of_target.described('skill')}. Look for features that know the future (doubt.parquet "
        "names those that carry the skill) and leave them out by columns.exclude_features; if you "
        f"know why it is so high, raise doubt.max_skill for {row.target}",
    )


def _by_its_other_view(row: Row, views: Mapping[str, View]) -> Row:
    if isinstance(row, SymbolRow) or not row.predictable or row.target not in views:
        return row
    return replace(
        row,
        predictable=False,
        doubtful=True,
        verdict="doubtful",
        reason=f"doubtful: its skill in the {VIEW_NAMES[views[row.target]]} view is beyond what "
        f"is believed of such a target, and the same features are at work here (skill "
        f"{row.skill:+.4f}, q {row.q_value:.2g})",
    )


def with_doubted_models(
    rows: Sequence[TargetRow], doubted: Sequence[DoubtedFigure]
) -> list[TargetRow]:
    """Call no target predictable whose trained models make it doubtful.

    Parameters
    ----------
    rows
        With verdicts, and in their order.
    doubted
        Doubtful figures of trained models.
    """
    first = {figure.target: figure for figure in reversed(doubted)}
    return [
        replace(
            row,
            predictable=False,
            doubtful=True,
            verdict="doubtful",
            reason=f"doubtful: {first[row.target]}, as its trained models showed (skill "
            f"{row.skill:+.4f}, q {row.q_value:.2g})",
        )
        if row.predictable and row.target in first
        else row
        for row in rows
    ]


def doubted_skills(rows: Iterable[TargetRow]) -> list[DoubtedFigure]:
    """Return the skill for which each target that ranking doubts is doubtful: its largest.

    The target whose skill is furthest beyond its limit comes first.
    """
    largest: dict[str, TargetRow] = {}
    for row in sorted(rows, key=lambda row: (row.target, row.view)):
        known = largest.get(row.target)
        is_beyond = row.doubtful and row.skill > row.max_skill
        if is_beyond and (known is None or surely(row) > surely(known)):
            largest[row.target] = row
    found = [
        DoubtedFigure(row.target, "skill", row.skill, row.max_skill) for row in largest.values()
    ]
    return sorted(found, key=lambda each: (each.limit - each.value, each.target))


def surely(row: TargetRow | SymbolRow) -> float:
    """Return a lower bound of a skill, because the larger one may be the noisier."""
    return row.skill - 2.0 * row.std_error


def doubt_sentence(doubted: Sequence[DoubtedFigure]) -> str:
    """Count the doubtful targets and name the first, as text that follows a semicolon."""
    n_doubtful = len({each.target for each in doubted})
    are = agreeing(n_doubtful, "is", "are")
    others = f", and {n_doubtful - 1} more" if n_doubtful > 1 else ""
    return f"{n_doubtful} {are} doubtful: {doubted[0]}{others}"
