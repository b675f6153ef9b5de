"""Rows of the ranking tables by their figures, for tests of what is decided from them."""

from __future__ import annotations

import math
from typing import Any

from ray_pipeline.ranking.decide import SymbolRow, TargetRow
from ray_pipeline.records import View
from ray_pipeline.routing.decide import RouteRow
from ray_pipeline.samples.evidence import Evidence

TARGET = "fwd_ret_1d"


def pooled_row(
    skill: float = 0.1, p: float = 0.001, q: float = 0.002, predictable: bool = True
) -> TargetRow:
    """Return the pooled model's row of the target."""
    return TargetRow(
        target=TARGET,
        view="cross_sectional",
        family="ridge",
        task="regression",
        horizon_bars=1,
        skill=skill,
        std_error=0.02,
        t_stat=skill / 0.02,
        p_value=p,
        q_value=q,
        n_symbols=3,
        n_rows=500,
        predictable=predictable,
        rank=1,
        reason="",
    )


def symbol_row(
    symbol: str = "A",
    view: View = "symbol_specific",
    skill: float = 0.1,
    p: float = 0.001,
    q: float = 0.002,
    predictable: bool = True,
    family: str | None = "lightgbm",
    reason: str = "",
) -> SymbolRow:
    """Return a symbol's row: of its own model, or of the pooled one over its own time."""
    return SymbolRow(
        target=TARGET,
        symbol=symbol,
        view=view,
        family=family,
        task="regression",
        horizon_bars=1,
        skill=skill,
        std_error=0.03,
        t_stat=skill / 0.03,
        p_value=p,
        q_value=q,
        n_rows=400,
        predictable=predictable,
        rank=1,
        reason=reason,
    )


def difference(
    skill: float, std_error: float = 0.01, freedom: float = 100.0, n_rows: int = 300
) -> Evidence:
    """Return paired evidence: own less pooled."""
    return Evidence(skill, std_error, math.nan, math.nan, n_rows, freedom)


def rank_record(
    paired: Evidence | None, own_families: tuple[str, ...] = ("ridge", "lightgbm")
) -> dict[str, Any]:
    """Return what routing reads of a symbol's ranking: its paired differences."""
    pairs = {} if paired is None else {"ridge": {"lightgbm": paired.to_record()}}
    return {"own_families": list(own_families), "targets": {TARGET: {"paired": pairs}}}


def route_row(route: str, symbol: str = "A", target: str = TARGET, **figures: Any) -> RouteRow:
    """Return a decided route."""
    values: dict[str, Any] = {
        "target": target,
        "symbol": symbol,
        "route": route,
        "reason": f"because of {symbol}",
        "pooled_predictable": route in ("CROSS_SECTIONAL", "BOTH"),
        "pooled_family": "ridge",
        "pooled_skill": 0.12345,
        "pooled_std_error": 0.02,
        "pooled_p_value": 0.001,
        "pooled_q_value": 0.002,
        "pooled_time_skill": 0.1,
        "pooled_time_std_error": 0.03,
        "own_predictable": route in ("SYMBOL_SPECIFIC", "BOTH"),
        "own_family": "ridge",
        "own_skill": 0.1,
        "own_std_error": 0.03,
        "own_p_value": 0.001,
        "own_q_value": 0.002,
        "difference": 0.0,
        "difference_std_error": 0.01,
        "difference_q_value": 1.0,
        "difference_shrunk": 0.0,
        "n_own_rows": 400,
        "n_paired_rows": 300,
    }
    return RouteRow(**(values | figures))
