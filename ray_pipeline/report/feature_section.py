"""Which features carry the chosen targets (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from ray_pipeline.report.charts import bar
from ray_pipeline.report.effect_curves import effect_curve
from ray_pipeline.results.capping import Capped, capped
from ray_pipeline.results.contents import RunContents
from ray_pipeline.results.effects import (
    FeatureEffect,
    effect_words,
    feature_effects,
    own_shapes,
)
from ray_pipeline.results.figures import (
    DASH,
    count,
    is_measured,
    percentage,
    signed,
    unsigned,
    with_error,
)
from ray_pipeline.results.tables import FEATURES
from ray_pipeline.wording import plural

__all__ = ["FeatureSection", "KeptSkill", "PooledFeature", "SymbolFeature", "write_feature_section"]

MAX_TARGETS = 20
MAX_FEATURES = 50
"""Selected features listed per target."""
MAX_SYMBOL_FEATURES = 20
_AGREEMENT = "Agreement beyond chance (1 is full, 0 is that of random choices)"


MEANINGLESS = 0.5
"""Consensus score of a feature that is as strong as one that means nothing."""


@dataclass(frozen=True, slots=True)
class PooledFeature:
    """A selected feature of a pooled model; `effect` is a small curve, `shape` the same in words.

    Both are empty where the effect was not measured. `stands_out` tells whether the feature is
    stronger than features that mean nothing.
    """

    rank: int
    feature: str
    chart: Markup
    score: str
    stability: str
    reason: str
    effect: Markup
    shape: str
    stands_out: bool


@dataclass(frozen=True, slots=True)
class SymbolFeature:
    """How often a feature was selected over the symbols of a target, and how it moves scores."""

    feature: str
    chart: Markup
    n_symbols: str
    share: str
    shapes: str


@dataclass(frozen=True, slots=True)
class KeptSkill:
    """What the features selected keep of a family's skill; skills are ``all → selected``."""

    models: str
    family: str
    n_features: str
    skills: str
    difference: str
    uses: str


@dataclass(frozen=True, slots=True)
class TargetFeatures:
    """One target's features, pooled and per symbol; either may be absent.

    Attributes
    ----------
    rejected
        A sentence on the pooled features that were not selected, by reason.
    agreement
        A sentence on how far the folds chose the same features, and how far the symbols did.
    n_symbols
        Symbols whose own models had features selected.
    kept
        By view and family; none in runs that did not measure it.
    family
        Of the pooled model whose effects are shown; empty where there are none.
    """

    target: str
    n_features: int
    n_selected: int
    pooled: Capped[PooledFeature]
    rejected: str
    agreement: str
    own: Capped[SymbolFeature]
    n_symbols: int
    kept: tuple[KeptSkill, ...]
    family: str = ""

    @property
    def has_shapes(self) -> bool:
        """Whether any effect of own models was measured."""
        return any(row.shapes for row in self.own.rows)


@dataclass(frozen=True, slots=True)
class FeatureSection:
    """Chosen targets in their order, or why there is nothing to see."""

    absent: str
    targets: Capped[TargetFeatures]


def write_feature_section(contents: RunContents) -> FeatureSection:
    """Lay out feature selection."""
    table = contents.features
    if table is None or table.num_rows == 0:
        absent = contents.why_absent(FEATURES)
        if table is not None:
            absent = "No feature was selected for any target."
        return FeatureSection(absent, capped([], 0, "", FEATURES))
    selected_for = frozenset(table.column("target").unique().to_pylist())
    # Targets of the table that the ranking does not call chosen would be a bug: show them too.
    chosen = contents.chosen
    targets = [target for target in chosen if target in selected_for]
    targets += sorted(selected_for - frozenset(chosen))
    own = _own_counts(table)
    agreements = _agreements(table)
    kept = [] if contents.kept is None else contents.kept.to_pylist()
    shown = tuple(
        _target(
            target,
            _pooled_rows(table, target),
            *own.get(target, ((), 0)),
            agreements.get(target, ""),
            tuple(_kept(row) for row in kept if row["target"] == target),
            *_effects(contents, target),
        )
        for target in targets[:MAX_TARGETS]
    )
    return FeatureSection("", Capped(shown, len(targets), "strongest target first", FEATURES))


def _effects(
    contents: RunContents, target: str
) -> tuple[Mapping[str, FeatureEffect], Mapping[str, Mapping[str, int]]]:
    """Return the effects in the pooled model that is told of, and shapes in the own models."""
    if contents.effects is None:
        return {}, {}
    ranked = [row for row in contents.targets or () if row.target == target]
    family = next((row.family for row in ranked if row.view == "cross_sectional"), None)
    own_family = next((row.family for row in ranked if row.view == "symbol_specific"), None)
    return (
        feature_effects(contents.effects, target, None, family),
        own_shapes(contents.effects, target, own_family),
    )


def _pooled_rows(table: pa.Table, target: str) -> list[Mapping[str, Any]]:
    pooled = (pc.field("target") == target) & (pc.field("view") == "cross_sectional")
    rows: list[Mapping[str, Any]] = table.filter(pooled).to_pylist()
    return sorted(rows, key=lambda row: row["rank"])


def _own_counts(table: pa.Table) -> dict[str, tuple[tuple[tuple[str, int], ...], int]]:
    """Count, per target, the symbols that selected each feature, and all symbols.

    In Arrow: with thousands of symbols this table has millions of rows.
    """
    own = table.filter(pc.field("view") == "symbol_specific")
    symbols = own.group_by("target").aggregate([("symbol", "count_distinct")]).to_pylist()
    chosen = own.filter(pc.field("selected")).group_by(["target", "feature"])
    by_target: dict[str, list[tuple[str, int]]] = {}
    for row in chosen.aggregate([("symbol", "count")]).to_pylist():
        by_target.setdefault(row["target"], []).append((row["feature"], row["symbol_count"]))
    return {
        row["target"]: (
            tuple(sorted(by_target.get(row["target"], []), key=lambda item: (-item[1], item[0]))),
            row["symbol_count_distinct"],
        )
        for row in symbols
    }


def _agreements(table: pa.Table) -> dict[str, str]:
    """Say, per target, how far choices agree beyond chance (1 fully, 0 as if drawn at random)."""
    found: dict[str, list[str]] = {}
    for view, column, of_what in (
        ("cross_sectional", "set_stability", "the folds' choices"),
        ("symbol_specific", "symbols_stability", "the choices of the symbols' own models"),
    ):
        rows = table.filter((pc.field("view") == view) & pc.field(column).is_valid())
        for row in rows.group_by("target").aggregate([(column, "mean")]).to_pylist():
            figure = signed(row[f"{column}_mean"])
            found.setdefault(row["target"], []).append(f"{figure} among {of_what}")
    return {target: f"{_AGREEMENT}: {', '.join(of)}." for target, of in found.items()}


def _target(
    target: str,
    pooled: Sequence[Mapping[str, Any]],
    own: Sequence[tuple[str, int]],
    n_symbols: int,
    agreement: str,
    kept: tuple[KeptSkill, ...],
    effects: Mapping[str, FeatureEffect],
    shapes: Mapping[str, Mapping[str, int]],
) -> TargetFeatures:
    selected = [row for row in pooled if row["selected"]]
    return TargetFeatures(
        target=target,
        n_features=len(pooled),
        n_selected=len(selected),
        pooled=capped(
            [_feature(row, effects.get(row["feature"])) for row in selected],
            MAX_FEATURES,
            "best first",
            FEATURES,
        ),
        rejected=_rejected(
            [row["verdict"] or row["reason"] for row in pooled if not row["selected"]]
        ),
        agreement=agreement,
        own=capped(
            [_own(feature, n, n_symbols, shapes.get(feature, {})) for feature, n in own],
            MAX_SYMBOL_FEATURES,
            "most often selected first",
            FEATURES,
        ),
        n_symbols=n_symbols,
        kept=kept,
        family=next((each.family for each in effects.values()), ""),
    )


def _kept(row: Mapping[str, Any]) -> KeptSkill:
    own = f"own models of {plural(row['n_symbols'], 'symbol')}"
    both = row["skill_all"], row["skill_selected"]
    return KeptSkill(
        models="pooled" if row["view"] == "cross_sectional" else own,
        family=row["family"],
        n_features=f"{count(round(row['n_features']))} of {count(row['n_features_all'])}",
        skills=f"{signed(both[0])} → {signed(both[1])}" if is_measured(both[1]) else DASH,
        difference=with_error(row["difference"], row["std_error"]),
        uses=row["reason"],
    )


def _feature(row: Mapping[str, Any], effect: FeatureEffect | None) -> PooledFeature:
    return PooledFeature(
        rank=row["rank"],
        feature=row["feature"],
        chart=bar(row["score"], marked=True),
        score=unsigned(row["score"]),
        stability=percentage(row["stability"]),
        reason=row["reason"] or "",
        effect=Markup("") if effect is None else effect_curve(effect),
        shape="" if effect is None else effect_words(effect),
        stands_out=row["score"] > MEANINGLESS,
    )


def _own(feature: str, n: int, n_symbols: int, shapes: Mapping[str, int]) -> SymbolFeature:
    told = sorted(shapes.items(), key=lambda item: (-item[1], item[0]))
    return SymbolFeature(
        feature,
        bar(n / n_symbols, marked=True),
        count(n),
        percentage(n / n_symbols),
        ", ".join(f"{shape} {count(times)}" for shape, times in told),
    )


def _rejected(verdicts: Sequence[str]) -> str:
    if not verdicts:
        return ""
    kinds = Counter(verdicts)
    listed = ", ".join(f"{count(n)} {kind}" for kind, n in kinds.most_common())
    return f"{plural(len(verdicts), 'feature')} not selected: {listed}."
