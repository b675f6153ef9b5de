"""Features in lines for a person: of the pooled models, and of the symbols' own (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ray_pipeline.columns import aligned, wrapped
from ray_pipeline.records import View
from ray_pipeline.results.capping import capped
from ray_pipeline.results.figures import (
    DASH,
    is_measured,
    percentage,
    signed,
    unsigned,
)
from ray_pipeline.results.tables import FEATURES
from ray_pipeline.wording import plural, some_of

__all__ = ["own_feature_lines", "pooled_feature_lines"]

Row = Mapping[str, Any]

MAX_FEATURES = 10
MAX_REASONS = 6
MAX_NAMES = 4

_LEGEND = (
    "A score of 0.5, combined over the methods and their different units, is as strong as a "
    "meaningless feature; features that no method finds stronger are left out."
)


def pooled_feature_lines(found: Row) -> list[str]:
    """List the features of the pooled models, best first, and what was left out."""
    pooled = found["features"]["pooled"]
    title = "features of the pooled models"
    if pooled["absent"]:
        return [title, *wrapped(pooled["absent"])]
    return [
        *_table(title, pooled["rows"], found["rules"]["methods"]),
        *([] if found["symbol"] else _effect_lines(found["features"]["effects"])),
        *_kept_lines(found["features"]["kept"], "cross_sectional"),
    ]


def own_feature_lines(found: Row) -> list[str]:
    """List the features that most of the symbols' own models use, or those of one symbol."""
    own = found["features"]["own"]
    title = "features of the symbols' own models"
    if found["symbol"] is not None:
        title = f"features of the own models of {found['symbol']}"
    if own["absent"]:
        return [title, *wrapped(own["absent"])]
    kept = _kept_lines(found["features"]["kept"], "symbol_specific")
    if found["symbol"] is not None:
        effects = _effect_lines(found["features"]["effects"])
        return [*_table(title, own["rows"], found["rules"]["methods"]), *effects, *kept]
    agreement = _agreement(own["agreement"], "the symbols")
    named = [f"{row['feature']} {percentage(row['symbol_frequency'])}" for row in own["frequency"]]
    chosen = some_of(named, MAX_FEATURES)
    n_symbols = plural(own["n_symbols"], "symbol")
    return [
        f"{title}: {n_symbols}{agreement}",
        *wrapped(f"share of them that it is selected for: {chosen}"),
        *kept,
    ]


def _kept_lines(rows: Sequence[Row], view: View) -> Iterator[str]:
    """Say, by family, how much skill the selected features keep, and what models use."""
    for row in rows:
        if row["view"] == view:
            measured = row["skill_selected"] is not None
            some = plural(row["n_symbols"], "symbol")
            over = f", over {some}" if measured and view == "symbol_specific" else ""
            yield from wrapped(f"{row['family']} uses {row['reason']}{over}")


def _effect_lines(effects: Sequence[Row]) -> Iterator[str]:
    """Say how the score moves along each feature, on rows that the folds' models had not seen."""
    if effects:
        yield from wrapped(
            f"along each feature the score of {effects[0]['family']} moves so (shape, strength in "
            "standard deviations of the score):"
        )
        for row in effects:
            yield from wrapped(f"{row['feature']}: {row['words']}")


def _agreement(figure: float | None, of: str) -> str:
    """Tell how far choices agree: 1 is full agreement, 0 is that of random choices."""
    return f"; agreement of {of} {signed(figure, 2)}" if is_measured(figure) else ""


def _table(title: str, rows: Sequence[Row], methods: Sequence[str]) -> Iterator[str]:
    selected = [row for row in rows if row["selected"]]
    agreement = _agreement(rows[0]["set_stability"], "the folds")
    yield f"{title}: {len(selected)} of {len(rows)}{agreement}"
    shown = capped(selected, MAX_FEATURES, "best first", FEATURES)
    yield from aligned(
        ["feature", "score", "stability", *methods],
        [
            [
                row["feature"],
                unsigned(row["score"]),
                percentage(row["stability"]),
                *(_strength(row[method]) for method in methods),
            ]
            for row in shown.rows
        ],
    )
    yield from wrapped(_LEGEND)
    for reason in dict.fromkeys(row["reason"] for row in selected if _is_telling(row)):
        yield from wrapped(reason)
    if shown.note:
        yield from wrapped(shown.note)
    yield from _left_out([row for row in rows if not row["selected"]])


def _is_telling(row: Row) -> bool:
    """Whether the reason of a selected feature says more than its stability."""
    return bool(row["verdict"] == "kept by rank")


def _strength(value: float | None) -> str:
    """Write a method's own figure: methods differ by orders of magnitude."""
    if not is_measured(value):
        return DASH
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def _left_out(rows: Sequence[Row]) -> Iterator[str]:
    """Summarise by reason, ordered by the best feature that each left out."""
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        by_reason.setdefault(row["reason"], []).append(row["feature"])
    for reason in list(by_reason)[:MAX_REASONS]:
        names = by_reason.pop(reason)
        yield from wrapped(f"left out: {some_of(names, MAX_NAMES)} ({reason})")
    if by_reason:
        n_others = sum(map(len, by_reason.values()))
        yield from wrapped(f"left out: {n_others} more; {FEATURES} says why")
