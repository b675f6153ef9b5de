"""Verdicts from skills before and since deployment (pure)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.monitoring.records import ModelSeries, SkillPoint, SkillVerdict, WatchedRow
from ray_pipeline.ranking.decide import TargetRow
from ray_pipeline.records import QUESTIONS, VIEW_NAMES
from ray_pipeline.results.figures import probability, signed
from ray_pipeline.statistics.family_wise import holm
from ray_pipeline.statistics.promise import (
    SkillPromise,
    SkillWatch,
    change_point,
    promise_of,
    watch,
)
from ray_pipeline.statistics.tails import normal_upper_quantile
from ray_pipeline.wording import iso_time, plural

__all__ = ["ALPHA", "chosen_above", "judge"]

Floats = NDArray[np.float64]

_LATELY = 3
"""Number of blocks that is enough to show, but too few to judge."""

ALPHA = 0.05
"""Probability of any false alarm for a run's skills, however often it is checked."""


@dataclass(frozen=True, slots=True)
class _Watched:
    series: ModelSeries
    promise: SkillPromise
    seen: SkillWatch


def chosen_above(rows: Sequence[TargetRow], alpha: float, n_families: int) -> float:
    """Return the t statistic above which a target became predictable, −∞ if unknown.

    The correction accepts p-values up to ``alpha · k/m`` if k of m targets are predictable; they
    already include the correction for choosing the better family.
    """
    measured = [row for row in rows if not math.isnan(row.p_value)]
    n_passed = sum(row.predictable for row in measured)
    if not n_passed:
        return -math.inf
    return float(normal_upper_quantile(alpha * n_passed / len(measured) / n_families))


def judge(
    series: Sequence[ModelSeries], threshold: float
) -> tuple[list[WatchedRow], list[SkillPoint]]:
    """Judge every model by its promise, corrected for their number.

    Parameters
    ----------
    threshold
        From `chosen_above`.
    """
    watched = []
    for each in series:
        promise = promise_of(each.before, each.horizon_bars, each.spacing, threshold)
        watched.append(_Watched(each, promise, watch(promise, each.live, ALPHA)))
    adjusted, noticed = _adjusted(watched)
    rows = [
        _row(each, p_value, when)
        for each, p_value, when in zip(watched, adjusted, noticed, strict=True)
    ]
    return rows, [point for each in watched for point in _history(each)]


def _adjusted(watched: Sequence[_Watched]) -> tuple[list[float], list[int | None]]:
    """Return p-values adjusted for all models, and when each fell to at most `ALPHA`.

    Computed after every block of any model: a p-value that is valid at every look stays valid.
    """
    ends = [each.series.live_ns[each.seen.ends - 1] for each in watched]
    looks = np.unique(np.concatenate(ends)) if ends else np.empty(0, dtype=np.int64)
    noticed: list[int | None] = [None] * len(watched)
    latest = np.ones(len(watched))
    for look in looks:
        done = [int(np.searchsorted(each, look, side="right")) for each in ends]
        now = np.array(
            [each.seen.p_value[n - 1] if n else 1.0 for each, n in zip(watched, done, strict=True)]
        )
        latest = holm(now)
        for place in np.flatnonzero(latest <= ALPHA):
            if noticed[place] is None:
                noticed[place] = int(look)
    return latest.tolist(), noticed


def _row(each: _Watched, p_adjusted: float, noticed: int | None) -> WatchedRow:
    series, promise, seen = each.series, each.promise, each.seen
    n = len(seen.ends)
    skill, low, high, p_value = (
        (float(seen.mean[-1]), float(seen.low[-1]), float(seen.high[-1]), float(seen.p_value[-1]))
        if n
        else (math.nan, -1.0, 1.0, 1.0)
    )
    verdict = _verdict(p_value, p_adjusted, low, high, promise.skill)
    is_alarm = verdict in ("below promise", "no skill left")
    since = None
    if is_alarm:
        first = change_point(series.live, promise.skill, promise.block)
        since = iso_time(int(series.live_ns[first]))
        now = float(series.live[first:].mean())
    name = f"{series.target} ({VIEW_NAMES[series.view]}, {series.models})"
    promised = signed(promise.skill)
    seen_of = f"{signed(skill)} over {plural(n * promise.block, 'timestamp')}"
    match verdict:
        case "below promise" | "no skill left":
            reason = (
                f"{name}: {verdict} since about {_day(since)}: skill {signed(now)} since then, "
                f"where {promised} was promised (p {probability(p_adjusted)})"
            )
        case "holds":
            reason = f"{name}: {seen_of}, certainly above 0; {promised} was promised"
        case _:
            reason = f"{name}: {_early(each, n, seen_of)}"
    return WatchedRow(
        target=series.target,
        view=series.view,
        models=series.models,
        task=series.task,
        horizon_bars=series.horizon_bars,
        estimated=promise.estimate,
        std_error=promise.std_error,
        promised=promise.skill,
        first_ts=iso_time(int(series.live_ns[0])) if len(series.live_ns) else None,
        last_ts=iso_time(int(series.live_ns[-1])) if len(series.live_ns) else None,
        n_live=len(series.live),
        n_blocks=n,
        block=promise.block,
        skill=skill,
        lately=_lately(each),
        low=low,
        high=high,
        p_value=p_value,
        p_adjusted=p_adjusted,
        verdict=verdict,
        since=since,
        noticed=None if noticed is None or not is_alarm else iso_time(noticed),
        reason=reason,
        to_do=_to_do(verdict),
        question=QUESTIONS[series.view],
    )


def _verdict(
    p_value: float, p_adjusted: float, low: float, high: float, promised: float
) -> SkillVerdict:
    """Judge: below the promise by the p-value, above 0 or near it by the confidence sequence.

    A model that would be below its promise on its own, but not after correction, does not hold
    either.
    """
    if p_adjusted <= ALPHA:
        is_gone = low <= 0.0 and high < promised / 2.0
        return "no skill left" if is_gone or high <= 0.0 else "below promise"
    return "holds" if low > 0.0 and p_value > ALPHA else "too early"


def _early(each: _Watched, n_blocks: int, seen_of: str) -> str:
    promise, series = each.promise, each.series
    if math.isnan(promise.skill):
        return (
            f"too early: {plural(len(series.before), 'timestamp')} before the first live "
            "prediction are too few to promise anything"
        )
    if not n_blocks:
        return (
            f"too early: {plural(len(series.live), 'live timestamp')} with known labels, and the "
            f"test looks at whole blocks of {promise.block}"
        )
    own = float(each.seen.p_value[-1])
    if own <= ALPHA:
        return (
            f"too early: {signed(_lately(each))} lately, where {signed(promise.skill)} was "
            f"promised: below it by itself (p {probability(own)}), not for certain among so many "
            "models. Watch it"
        )
    if promise.skill <= 0.0:
        return f"too early: {seen_of}; nothing above chance was promised, nor is it certain now"
    return f"too early: {seen_of}; neither above 0 nor below {signed(promise.skill)} for certain"


def _lately(each: _Watched) -> float:
    n = len(each.seen.ends) * each.promise.block
    last = each.series.live[max(0, n - _LATELY * each.promise.block) : n]
    return float(last.mean()) if len(last) else math.nan


def _to_do(verdict: SkillVerdict) -> str:
    match verdict:
        case "no skill left":
            return (
                "Stop using its scores. Look at the drift below, then run again with the latest "
                "data: if the target is no longer predictable, there is nothing to retrain."
            )
        case "below promise":
            return (
                "Trust its scores less: the skill since then is what to expect. Look at the drift "
                "below and retrain on the latest data."
            )
        case _:
            return ""


def _history(each: _Watched) -> list[SkillPoint]:
    series, seen = each.series, each.seen
    return [
        SkillPoint(
            series.target,
            series.view,
            series.models,
            iso_time(int(series.live_ns[end - 1])),
            int(end),
            *(float(of[i]) for of in (seen.mean, seen.low, seen.high, seen.p_value)),
        )
        for i, end in enumerate(seen.ends)
    ]


def _day(since: str | None) -> str:
    return (since or "")[:10]
