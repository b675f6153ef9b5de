"""From evidence to verdicts: which targets are predictable, in which view (pure)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.ranking.multiplicity import Correction, SingleTest, corrected_p_values
from ray_pipeline.ranking.shifts import shift_p_value
from ray_pipeline.records import QUESTIONS, Question, TargetSpec, Task, View
from ray_pipeline.samples.evidence import Evidence, best_family, strongest_family
from ray_pipeline.statistics.tails import normal_upper_quantile, t_upper_tail
from ray_pipeline.wording import plural

__all__ = [
    "Null",
    "RankVerdict",
    "Row",
    "SymbolRow",
    "TargetRow",
    "by_evidence",
    "choose_targets",
    "in_order",
    "is_hinted",
    "symbol_rows",
    "target_row",
    "with_verdicts",
]

Null = Literal["analytic", "circular_shift"]
RankVerdict = Literal["", "predictable", "doubtful", "no evidence", "too little data"]
"""Beginning of `reason`; empty before rows are judged, and in tables of version 0.1.0."""


@dataclass(frozen=True, slots=True)
class TargetRow:
    """One row of ``target_ranking/targets.parquet``; figures are NaN where nothing was measured.

    `null` says where the p-value comes from: the HAC t-test, or labels rolled around the time axis.
    `degrees_of_freedom` are those of `t_stat`. `max_skill` is the limit beyond which such a target
    is `doubtful`, NaN where there is none. `question` is the question that the figures answer.
    """

    target: str
    view: View
    family: str | None
    task: Task
    horizon_bars: int
    skill: float
    std_error: float
    t_stat: float
    p_value: float
    q_value: float
    n_symbols: int
    n_rows: int
    predictable: bool
    rank: int
    reason: str
    null: Null = "analytic"
    degrees_of_freedom: float = math.nan
    verdict: RankVerdict = ""
    doubtful: bool = False
    max_skill: float = math.nan
    question: Question = ""


@dataclass(frozen=True, slots=True)
class SymbolRow:
    """One row of ``target_ranking/symbols.parquet``.

    In the cross-sectional view, the skill is that of a pooled model of raw labels over this
    symbol's own time, and its `null` is always the analytic one: in both views the `question` is
    what the symbol does over time.
    """

    target: str
    symbol: str
    view: View
    family: str | None
    task: Task
    horizon_bars: int
    skill: float
    std_error: float
    t_stat: float
    p_value: float
    q_value: float
    n_rows: int
    predictable: bool
    rank: int
    reason: str
    null: Null = "analytic"
    degrees_of_freedom: float = math.nan
    verdict: RankVerdict = ""
    doubtful: bool = False
    max_skill: float = math.nan
    question: Question = ""


Row = TypeVar("Row", TargetRow, SymbolRow)


def target_row(
    target: TargetSpec,
    view: View,
    families: Mapping[str, Evidence],
    n_symbols: int,
    shifted: NDArray[np.float64] | None = None,
) -> TargetRow:
    """Return a target's row with its better family, before verdicts.

    Parameters
    ----------
    shifted
        Largest z-score of the families on the labels of each circular shift, shape (n_shifts,);
        None for the analytic null.
    """
    best, null = _best_by(families, shifted)
    family, evidence = best if best is not None else (None, Evidence.none())
    shared = _unjudged(target, view, QUESTIONS[view], family, evidence)
    return TargetRow(**shared, n_symbols=n_symbols, null=null)


def _best_by(
    families: Mapping[str, Evidence], shifted: NDArray[np.float64] | None
) -> tuple[tuple[str, Evidence] | None, Null]:
    """Choose a family, give it its p-value, and say which null that is.

    The analytic null is used if the other is unavailable: nothing was measured, or too few shifts
    left labels for a symbol.
    """
    strongest = None if shifted is None else strongest_family(families)
    if shifted is not None and strongest is not None:
        name, evidence = strongest
        # The shift null also searched all families, so there is nothing to adjust.
        p_value = shift_p_value(evidence.z_score, shifted)
        if not math.isnan(p_value):
            return (name, replace(evidence, p_value=p_value)), "circular_shift"
    return best_family(families), "analytic"


def symbol_rows(
    targets: Sequence[TargetSpec],
    records: Mapping[str, Mapping[str, Any]],
    pooled_family: Mapping[str, str],
    min_oos_rows: int,
    shifted: Mapping[str, Mapping[str, NDArray[np.float64]]] | None = None,
) -> list[SymbolRow]:
    """Return the rows of all (target, symbol, view), before verdicts.

    Parameters
    ----------
    records
        Results of `rank_symbol` by symbol.
    pooled_family
        The family that represents the pooled view, by target; a target without one has no
        cross-sectional rows.
    min_oos_rows
        Minimum number of predictions for a p-value.
    shifted
        By symbol and target: largest z-score of the symbol's own families on the labels of each
        circular shift, shape (n_shifts,); None for the analytic null.
    """
    rows: list[SymbolRow] = []
    for target in targets:
        for symbol in sorted(records):
            record = records[symbol]["targets"][target.name]
            own = {name: Evidence.from_record(item) for name, item in record["own"].items()}
            own = {name: _enough(item, min_oos_rows) for name, item in own.items()}
            best, null = _best_by(own, None if shifted is None else shifted[symbol][target.name])
            fallback = own[min(own)] if own else Evidence.none()
            family, evidence = best if best is not None else (None, fallback)
            if records[symbol]["own_families"]:
                own_row = _unjudged(target, "symbol_specific", "over time", family, evidence)
                rows.append(SymbolRow(**own_row, symbol=symbol, null=null))
            if target.name in pooled_family:
                name = pooled_family[target.name]
                shared = Evidence.none()
                if name in record["pooled"]:
                    shared = Evidence.from_record(record["pooled"][name])
                shared = _enough(shared, min_oos_rows)
                pooled_row = _unjudged(target, "cross_sectional", "over time", name, shared)
                rows.append(SymbolRow(**pooled_row, symbol=symbol))
    return rows


def _enough(evidence: Evidence, min_rows: int) -> Evidence:
    if evidence.n_rows >= min_rows:
        return evidence
    return replace(evidence, std_error=math.nan, t_stat=math.nan, p_value=math.nan)


def _unjudged(
    target: TargetSpec, view: View, question: Question, family: str | None, evidence: Evidence
) -> dict[str, Any]:
    """Fields shared by rows of both tables, before verdicts."""
    return {
        "target": target.name,
        "view": view,
        "family": family,
        "task": target.task,
        "horizon_bars": target.horizon_bars,
        "skill": evidence.skill,
        "std_error": evidence.std_error,
        "t_stat": evidence.t_stat,
        "p_value": evidence.p_value,
        "q_value": math.nan,
        "n_rows": evidence.n_rows,
        "degrees_of_freedom": evidence.degrees_of_freedom,
        "predictable": False,
        "rank": 0,
        "reason": "",
        "question": question,
    }


def with_verdicts(
    rows: Sequence[Row],
    alpha: float,
    method: Correction,
    shifted_of: Callable[[Row], NDArray[np.float64]] | None = None,
) -> list[Row]:
    """Assign q-values, verdicts, ranks and reasons to rows that were tested together.

    A row is predictable when ``q_value ≤ alpha`` and ``skill > 0``. Ranks count from 1 within a
    view, predictable rows first, then by skill.

    Parameters
    ----------
    shifted_of
        Returns the null statistics for a row of the circular-shift null, shape (n_shifts,).
    """
    q = corrected_p_values([_test(row, shifted_of) for row in rows], method)
    n_tests = int(np.sum(~np.isnan(q)))
    judged = [
        replace(
            row,
            q_value=float(value),
            predictable=verdict == "predictable",
            verdict=verdict,
            reason=f"{verdict}: {why}",
        )
        for row, value in zip(rows, q, strict=True)
        for verdict, why in (_judged(row, float(value), alpha, n_tests),)
    ]
    return in_order(judged)


def in_order(rows: Sequence[Row]) -> list[Row]:
    """Rank rows within their view: predictable ones first, then by skill."""
    ranked: list[Row] = []
    for view in ("cross_sectional", "symbol_specific"):
        members = [row for row in rows if row.view == view]
        members.sort(key=_order)
        ranked.extend(replace(row, rank=place) for place, row in enumerate(members, start=1))
    return ranked


def _test(row: Row, shifted_of: Callable[[Row], NDArray[np.float64]] | None) -> SingleTest:
    if row.null == "analytic" or shifted_of is None:
        return SingleTest(row.p_value)
    z_score = float(normal_upper_quantile(t_upper_tail(row.t_stat, row.degrees_of_freedom)))
    return SingleTest(row.p_value, z_score, shifted_of(row))


def _order(row: TargetRow | SymbolRow) -> tuple[bool, float, str, str]:
    skill = -row.skill if not math.isnan(row.skill) else math.inf
    symbol = row.symbol if isinstance(row, SymbolRow) else ""
    return not row.predictable, skill, row.target, symbol


def _judged(
    row: TargetRow | SymbolRow, q: float, alpha: float, n_tests: int
) -> tuple[RankVerdict, str]:
    """Return the verdict and the figures behind it."""
    if math.isnan(q):
        if row.n_rows == 0:
            return "too little data", "no fold had enough labels that differ to train and test on"
        return "too little data", plural(row.n_rows, "out-of-sample row")
    figures = f"skill {row.skill:+.4f} (t {row.t_stat:.2f}), q {q:.2g}"
    if math.isnan(row.std_error):
        return (
            "too little data",
            f"{plural(row.n_rows, 'prediction holds', 'predictions hold')} too few independent "
            "labels",
        )
    if q > alpha:
        return "no evidence", f"{figures} > alpha {alpha:g} over {plural(n_tests, 'test')}"
    if row.skill <= 0:
        return "no evidence", f"{figures}, but the skill is not positive"
    return "predictable", f"{figures} ≤ alpha {alpha:g} over {plural(n_tests, 'test')}"


def is_hinted(skill: float, p_value: float, alpha: float) -> bool:
    """Tell whether a skill shows evidence before the correction for the number of tests."""
    return skill > 0 and p_value <= alpha


def by_evidence(row: TargetRow) -> tuple[float, float, str]:
    """Return the sort key of measured rows, strongest first."""
    return row.q_value, -row.t_stat, row.target


def choose_targets(rows: Sequence[TargetRow], top_n: int) -> list[str]:
    """Return the targets to continue with: predictable in some view, strongest first.

    A target that is doubtful in any view is not predictable in any. Ordered by the smaller q-value
    of the two views, then by the larger t-statistic, then by name.
    """
    strongest: dict[str, tuple[float, float, str]] = {}
    for row in rows:
        if row.predictable:
            key = by_evidence(row)
            strongest[row.target] = min(strongest.get(row.target, key), key)
    return sorted(strongest, key=lambda name: strongest[name])[:top_n]
