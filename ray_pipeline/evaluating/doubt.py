"""Doubt about trained models, whose figures are known only after evaluation (pure)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ray_pipeline.evaluating.records import DecayRow, EvaluatedRow
from ray_pipeline.ranking.doubt import DoubtedFigure, Figure, TargetLimits, beyond

__all__ = ["doubt_worth", "doubted_worth"]

MIN_SYMBOL_SHARE = 0.5
"""Share of a target's evaluated symbols whose own models must be doubtful for the target to be: a
single symbol's table may be at fault by itself."""


def doubt_worth(
    rows: Sequence[EvaluatedRow],
    decay: Iterable[DecayRow],
    limits: Mapping[str, TargetLimits],
    std_errors: float,
) -> list[EvaluatedRow]:
    """Mark the models whose Sharpe ratio, skill or hit rate is beyond its limit.

    A hit rate is compared as if half of the calls were right by chance: with a half more than what
    it is above its own rate by chance.

    Parameters
    ----------
    decay
        Rows of the same models; the skill is that without lag.
    limits
        By target.
    std_errors
        Standard errors by which a figure must be beyond its limit.
    """
    skills = {row.job_id: (row.rank_ic, row.std_error) for row in decay if row.lag_bars == 0}
    return [
        _doubted(row, skills.get(row.job_id, (math.nan, math.nan)), limits[row.target], std_errors)
        for row in rows
    ]


def _doubted(
    row: EvaluatedRow, skill: tuple[float, float], of_target: TargetLimits, std_errors: float
) -> EvaluatedRow:
    hit_rate = 0.5 + row.hit_rate - row.hit_rate_by_chance
    figures: dict[Figure, tuple[float, float]] = {
        "Sharpe ratio": (row.sharpe, row.sharpe_std_error),
        "skill": skill,
        "hit rate": (hit_rate, row.hit_rate_std_error),
    }
    for figure, (value, error) in figures.items():
        limit = of_target.of(figure)
        if limit is not None and beyond(value, error, limit, std_errors):
            return replace(
                row,
                doubtful=True,
                doubted=figure,
                doubted_value=value,
                doubted_limit=limit,
                doubt=f"{_told(figure, value, error, row)} is beyond {of_target.described(figure)}",
            )
    return row


def _told(figure: Figure, value: float, error: float, row: EvaluatedRow) -> str:
    if figure != "hit rate" or value == row.hit_rate:
        return f"{figure} {value:.4g} ± {error:.2g}"
    return (
        f"hit rate {row.hit_rate:.4g} where {row.hit_rate_by_chance:.4g} is chance, as good as "
        f"{value:.4g} ± {error:.2g} where a half is,"
    )


def doubted_worth(rows: Iterable[Mapping[str, Any]]) -> list[DoubtedFigure]:
    """Return a doubtful figure for each target that its trained models make doubtful.

    One pooled model does, and the own models of at least `MIN_SYMBOL_SHARE` of the symbols.

    Parameters
    ----------
    rows
        Of ``evaluation/jobs.parquet``, in their order.
    """
    symbols: dict[str, set[str]] = {}
    doubted: dict[str, set[str]] = {}
    first: dict[str, DoubtedFigure] = {}
    pooled: set[str] = set()
    for row in rows:
        target, symbol = row["target"], row["symbol"]
        if symbol is not None:
            symbols.setdefault(target, set()).add(symbol)
        if not row["doubtful"]:
            continue
        figure = DoubtedFigure(target, row["doubted"], row["doubted_value"], row["doubted_limit"])
        first.setdefault(target, figure)
        if symbol is None:
            pooled.add(target)
        else:
            doubted.setdefault(target, set()).add(symbol)
    return [
        figure
        for target, figure in first.items()
        if target in pooled
        or len(doubted.get(target, ())) >= MIN_SYMBOL_SHARE * max(len(symbols.get(target, ())), 1)
    ]
