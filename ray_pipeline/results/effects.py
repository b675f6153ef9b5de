"""How features move what a run's models say, read from its table of effects (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ray_pipeline.results.figures import unsigned
from ray_pipeline.results.steadiness import served_family

__all__ = ["FeatureEffect", "effect_words", "feature_effects", "own_shapes"]


@dataclass(frozen=True, slots=True)
class FeatureEffect:
    """The curve of one feature of one model.

    Attributes
    ----------
    values
        Of the feature, rising.
    effects, std_errors
        On the score there, in its standard deviations; None where a single fold has the feature.
    """

    feature: str
    family: str
    shape: str
    strength: float
    n_folds: int
    n_agree: int
    values: tuple[float, ...]
    effects: tuple[float, ...]
    std_errors: tuple[float | None, ...]

    def document(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "feature": self.feature,
            "family": self.family,
            "shape": self.shape,
            "strength": self.strength,
            "n_folds": self.n_folds,
            "n_agree": self.n_agree,
            "values": list(self.values),
            "effects": list(self.effects),
        }


def feature_effects(
    table: pa.Table, target: str, symbol: str | None, ranked: str | None
) -> dict[str, FeatureEffect]:
    """Return the effects in one model of a target, by feature, the best feature first.

    Parameters
    ----------
    table
        ``training/effects.parquet``.
    symbol
        Whose own model; None: the pooled one.
    ranked
        Family that ranking found the better one: that model is told of, where it has effects.
    """
    of_symbol = pc.field("symbol").is_null() if symbol is None else pc.field("symbol") == symbol
    found = table.filter((pc.field("target") == target) & of_symbol).to_pylist()
    families = list(dict.fromkeys(row["family"] for row in found))
    if not families:
        return {}
    family = served_family(families, ranked)
    by_feature: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(found, key=lambda row: (row["rank"], row["quantile"])):
        if row["family"] == family:
            by_feature.setdefault(row["feature"], []).append(row)
    return {feature: _effect(rows) for feature, rows in by_feature.items()}


def _effect(rows: list[Mapping[str, Any]]) -> FeatureEffect:
    first = rows[0]
    return FeatureEffect(
        feature=first["feature"],
        family=first["family"],
        shape=first["shape"],
        strength=first["strength"],
        n_folds=first["n_folds"],
        n_agree=first["n_agree"],
        values=tuple(row["value"] for row in rows),
        effects=tuple(row["effect"] for row in rows),
        std_errors=tuple(row["std_error"] for row in rows),
    )


def own_shapes(table: pa.Table, target: str, ranked: str | None) -> dict[str, Counter[str]]:
    """Count, by feature, in how many symbols' own models its effect has which shape.

    In Arrow but for the counts: with thousands of symbols this table has millions of rows.
    """
    own = (pc.field("target") == target) & (pc.field("view") == "symbol_specific")
    heads = table.filter(own & (pc.field("quantile") == 0.0))
    families = pc.unique(heads.column("family")).to_pylist()
    if not families:
        return {}
    heads = heads.filter(pc.field("family") == served_family(families, ranked))
    found: dict[str, Counter[str]] = {}
    for row in heads.group_by(["feature", "shape"]).aggregate([("symbol", "count")]).to_pylist():
        found.setdefault(row["feature"], Counter())[row["shape"]] = row["symbol_count"]
    return found


def effect_words(effect: FeatureEffect) -> str:
    """Say what a curve shows: its shape, how strong it is, and in how many folds it is so.

    >>> effect_words(FeatureEffect("a", "ridge", "rising", 0.4, 5, 4, (), (), ()))
    'rising, 0.40, 4 of 5 folds agree'
    """
    agree = f"{effect.n_agree} of {effect.n_folds} folds agree"
    return f"{effect.shape}, {unsigned(effect.strength, 2)}, {agree}"
