"""The features that carry a target, from feature selection (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ray_pipeline.records import VIEW_NAMES, View
from ray_pipeline.results.contents import RunContents
from ray_pipeline.results.effects import effect_words, feature_effects
from ray_pipeline.results.tables import FEATURES

__all__ = ["explain_features"]

Row = Mapping[str, Any]


def explain_features(
    contents: RunContents, target: str, symbol: str | None, alpha: float
) -> dict[str, Any]:
    """Return the features of the pooled models and of the symbols' own.

    Parameters
    ----------
    contents
        With only this target's rows.
    symbol
        Keep only its own features.
    alpha
        Maximum p of an own model to select features for it.
    """
    table = contents.features
    rows: Sequence[Row] = [] if table is None else table.to_pylist()
    rows = sorted(rows, key=lambda row: row["rank"])
    pooled = [row for row in rows if row["symbol"] is None]
    own: dict[str, list[Row]] = {}
    for row in rows:
        if row["symbol"] is not None and symbol in (None, row["symbol"]):
            own.setdefault(row["symbol"], []).append(row)
    selected = {name: [row["feature"] for row in own[name] if row["selected"]] for name in own}
    counts = Counter(feature for names in selected.values() for feature in names)
    needed_pooled = "the target is not predictable in the cross-sectional view"
    needed_own = f"a symbol's own model needs a skill above 0 with p at most {alpha:g} for it"
    quarantined = contents.symbols.quarantined if contents.symbols is not None else ()
    if symbol in {item.symbol for item in quarantined}:
        needed_own = f"{symbol} was left out"
    return {
        "pooled": {
            "absent": ""
            if pooled
            else _why_none(contents, target, "cross_sectional", needed_pooled),
            "agreement": pooled[0]["set_stability"] if pooled else None,
            "rows": pooled,
        },
        "own": {
            "absent": "" if own else _why_none(contents, target, "symbol_specific", needed_own),
            "agreement": next(
                (row["symbols_stability"] for of in own.values() for row in of), None
            ),
            "n_symbols": len(own),
            "selected_by": selected,
            "frequency": [
                {"feature": feature, "n_symbols": n, "symbol_frequency": n / len(own)}
                for feature, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            ],
            "rows": own.get(symbol, []) if symbol is not None else [],
        },
        # Runs of version 0.5.0 and earlier did not measure how features move scores.
        "effects": _effects(contents, target, symbol),
        # Runs of version 0.2.0 and earlier did not measure what their selections kept.
        "kept": [] if contents.kept is None else contents.kept.to_pylist(),
    }


def _effects(contents: RunContents, target: str, symbol: str | None) -> list[dict[str, Any]]:
    """Tell how features move the score of the pooled model, or of a symbol's own one."""
    if contents.effects is None:
        return []
    view: View = "cross_sectional" if symbol is None else "symbol_specific"
    rows = contents.targets or ()
    family = next((row.family for row in rows if (row.target, row.view) == (target, view)), None)
    found = feature_effects(contents.effects, target, symbol, family)
    return [each.document() | {"words": effect_words(each)} for each in found.values()]


def _why_none(contents: RunContents, target: str, view: View, needed: str) -> str:
    if contents.features is None:
        return contents.why_absent(FEATURES)
    rows = [row for row in contents.targets or () if row.target == target]
    if any(row.doubtful for row in rows):
        return "None were selected: the target is doubtful."
    if not any(row.predictable for row in rows):
        return "None were selected: the target is not predictable."
    if target not in contents.chosen:
        return "None were selected: the target was not chosen."
    if not any(row.view == view for row in rows):
        return f"None were selected: the {VIEW_NAMES[view]} view was not ranked."
    return f"None were selected: {needed}."
