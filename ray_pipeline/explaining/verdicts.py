"""How a target got its verdict, in words (pure)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ray_pipeline.ranking.decide import TargetRow
from ray_pipeline.results.figures import is_measured, probability, signed
from ray_pipeline.results.verdicts import ordinal
from ray_pipeline.routing.comparison import better_model
from ray_pipeline.wording import plural

__all__ = ["difference_verdict", "source_of_p", "source_of_q", "view_verdict"]

_CORRECTIONS = {
    "bh": "Benjamini–Hochberg",
    "by": "Benjamini–Yekutieli",
    "max_statistic": "comparison with the largest statistic of each shift (Westfall–Young)",
}


def source_of_p(row: TargetRow, rules: Mapping[str, Any]) -> str:
    """Say where a p-value comes from, and its adjustments within the target."""
    if row.null == "circular_shift":
        return (
            "p is the rank of t among those of the same search, including all families, on "
            "circularly shifted labels (circular-shift null)"
        )
    n_families = len(rules["families"])
    paid = f", paid for the choice among {n_families} families" if n_families > 1 else ""
    return f"p is one-sided, from t with HAC errors (analytic null){paid}"


def source_of_q(n_tests: int, rules: Mapping[str, Any]) -> str:
    """Say what a q-value corrects for."""
    return (
        f"q is p after {_CORRECTIONS[rules['fdr']]} over "
        f"{plural(n_tests, 'test')}, one per target and view"
    )


def view_verdict(row: TargetRow, p_values: Sequence[float], alpha: float) -> str:
    """Retrace the steps from a p-value to the verdict.

    Parameters
    ----------
    p_values
        All p-values that were tested together.
    """
    if math.isnan(row.q_value):
        return row.reason
    place = sum(p <= row.p_value for p in p_values)
    smallest = "the smallest" if place == 1 else f"the {ordinal(place)} smallest"
    return f"p is {smallest}, q {probability(row.q_value)} {_conclusion(row, alpha)}"


def _conclusion(row: TargetRow, alpha: float) -> str:
    if row.doubtful:
        # The doubt may concern the other view, or another figure of its trained models.
        limit = f" (limit of skill {row.max_skill:g})" if row.skill > row.max_skill else ""
        side = "above" if row.q_value > alpha else "at most"
        return f"is {side} alpha {alpha:g}, but the target is doubtful{limit}"
    if row.q_value > alpha:
        return f"is above alpha {alpha:g}: no evidence"
    if not row.predictable:
        return f"is at most alpha {alpha:g}, but skill not above 0: no evidence"
    return f"is at most alpha {alpha:g}, skill above 0: predictable"


def difference_verdict(row: Mapping[str, Any], n_tests: int, rules: Mapping[str, Any]) -> str:
    """Say whether one of two models is better on a symbol.

    Parameters
    ----------
    row
        Row of ``routing/routes.parquet``.
    n_tests
        Number of the target's symbols whose difference was tested.
    """
    q, alpha, least = row["difference_q_value"], rules["symbol_alpha"], rules["min_difference"]
    if not is_measured(q):
        return "not measured, so neither model counts as better"
    among = f"among {plural(n_tests, 'symbol')}"
    found = f"q {probability(q)} of exceeding min_difference={least:g}, {among}, is"
    if q > alpha:
        return f"{found} above alpha {alpha:g}: neither model counts as better"
    shrunk = row.get("difference_shrunk", row["difference"])  # earlier versions did not shrink
    better = better_model(q, shrunk, alpha, least)
    if better == 0:
        return (
            f"{found} at most alpha {alpha:g}, but shrunk to {signed(shrunk)} by the evidence of "
            "all symbols, so the difference is too small: neither model counts as better"
        )
    name = "own" if better > 0 else "pooled"
    return f"{found} at most alpha {alpha:g}: the {name} model is better"
