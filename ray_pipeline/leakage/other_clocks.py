"""Look-ahead on the data's own clock: the search in one symbol, and the joint verdict (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.leakage.clocks import Clock, held_clock, natural_clocks
from ray_pipeline.leakage.findings import MIN_SYMBOL_SHARE, LeakFinding
from ray_pipeline.leakage.reasons import (
    reason_of_balance,
    reason_of_bars_ahead,
    reason_of_clock,
    reason_of_present,
)
from ray_pipeline.records import TargetSpec
from ray_pipeline.statistics.bar_path import returns_behind
from ray_pipeline.statistics.bars_ahead import score_ahead
from ray_pipeline.statistics.block_balance import BlockSums, balanced_share, moves_with_bars
from ray_pipeline.statistics.clock_scores import (
    Brought,
    ClockView,
    FeatureRanks,
    block_starts,
    rank_features,
    score_clock,
)
from ray_pipeline.statistics.look_ahead import (
    WEAKER,
    ClockFigures,
    LookAheadLimits,
    acquitting_correlation,
    ends_within,
    is_clock_leak,
    is_clock_suspect,
    is_smooth_present,
)
from ray_pipeline.statistics.present_scores import score_present
from ray_pipeline.statistics.surprises import Surprises, steady_path, surprises

__all__ = ["merge_look_aheads", "search_look_aheads"]

_DAY_NS = 86_400 * 10**9
MAX_ROWS = 20_000
"""The newest rows are enough."""

CHUNK = 32
"""Features processed at a time, which bounds the memory."""

OUTCOMES = ("return", "size", "range")
"""Outcomes of bars: their return, its size, and the range between high and low."""

FORMS = ("as it is", "what is new")
"""Of a feature; see `score_clock`."""


def search_look_aheads(
    features: NDArray[np.float32],
    names: Sequence[str],
    labels: NDArray[np.float64],
    target: TargetSpec,
    time_ns: NDArray[np.int64],
    bar_seconds: int,
    limits: LookAheadLimits,
) -> dict[str, Any]:
    """Search one symbol's features for knowledge of the bars behind a target.

    Parameters
    ----------
    features
        Shape (n_rows, n_features), NaN = missing.
    names
        n_features of them.
    labels
        A target's labels, shape (n_rows,); the path of the bars is recovered from them.
    target
        Its name and horizon in bars.
    time_ns
        Times of the rows, shape (n_rows,).
    bar_seconds
        Length of a bar.

    Returns
    -------
    dict
        The features tested, and the findings with their figures.
    """
    features, labels, time_ns = features[-MAX_ROWS:], labels[-MAX_ROWS:], time_ns[-MAX_ROWS:]
    path = returns_behind(labels, target.horizon_bars)
    time_of_day = time_ns % _DAY_NS
    returns, sizes = surprises(path, time_of_day), surprises(np.abs(path), time_of_day)
    if returns is None or sizes is None:
        return {"tested": [], "findings": []}
    surprising = dict(zip(OUTCOMES, (returns, sizes), strict=False))
    # Block returns are sums of bar returns; only their sizes are partly known beforehand.
    brought = Brought.of(
        np.where(np.isfinite(path), path, 0.0),
        sizes.values,
        steady_path(path, time_of_day),
        time_of_day,
    )
    natural = {
        block_starts(clock.block).tobytes(): clock for clock in natural_clocks(time_ns, bar_seconds)
    }
    views = _views(natural.values(), brought)
    cuts = [(clock, block_starts(clock.block)) for clock in natural.values()]
    tested: list[str] = []
    findings: list[dict[str, Any]] = []
    for first in range(0, len(names), CHUNK):
        chunk = names[first : first + CHUNK]
        values = features[:, first : first + CHUNK].astype(np.float64)
        tested += [name for name, column in zip(chunk, values.T, strict=True) if _varies(column)]
        ranks = rank_features(values)
        held = _held_clocks(values, natural.keys())
        findings += [
            finding | {"target": target.name, "feature": chunk[finding["feature"]]}
            for finding in (
                *_of_clocks(ranks, views, range(len(chunk)), limits),
                *chain.from_iterable(
                    _of_clocks(ranks, _views([clock], brought), features_held, limits)
                    for clock, features_held in held
                ),
                *_of_balance(values, cuts, surprising),
                *_of_present(values, ranks, surprising, limits),
                *_of_bars_ahead(ranks, returns, limits),
            )
        ]
    return {"tested": tested, "findings": findings}


def _varies(column: NDArray[np.float64]) -> bool:
    known = column[np.isfinite(column)]
    return len(known) > 0 and bool(known.min() < known.max())


def _views(clocks: Iterable[Clock], brought: Brought) -> list[tuple[Clock, ClockView]]:
    """Prepare those clocks that have enough blocks."""
    return [
        (clock, view)
        for clock in clocks
        if (view := ClockView.of(block_starts(clock.block), brought)) is not None
    ]


def _held_clocks(
    features: NDArray[np.float64], natural: Container[bytes]
) -> list[tuple[Clock, list[int]]]:
    """Return non-natural clocks over which features are constant, with these features."""
    clocks: dict[bytes, tuple[Clock, list[int]]] = {}
    for j, column in enumerate(np.ascontiguousarray(features.T)):
        clock = held_clock(column)
        if clock is not None:
            key = block_starts(clock.block).tobytes()
            if key not in natural:
                clocks.setdefault(key, (clock, []))[1].append(j)
    return list(clocks.values())


def _of_clocks(
    ranks: FeatureRanks,
    views: Sequence[tuple[Clock, ClockView]],
    members: Sequence[int],
    limits: LookAheadLimits,
) -> Iterator[dict[str, Any]]:
    """Yield the suspicions against some features: by clock, outcome, and form of the feature."""
    if len(members) < ranks.scores.shape[1]:
        ranks = ranks.of(members)
    least = WEAKER * limits.clock_min_correlation
    for clock, view in views:
        for outcome, forms in zip(OUTCOMES, score_clock(ranks, view), strict=True):
            for form, score in zip(FORMS, forms, strict=True):
                # A value held over a block has aged by its last row, and says less for that reason
                # alone.
                beyond = np.where(ranks.is_held, score.rest, score.beyond)
                columns = (score.inside, score.outside, score.rest, beyond, score.freedom)
                strength = np.maximum(np.abs(score.inside), np.abs(score.rest))
                for j in map(int, np.flatnonzero(strength >= least)):
                    figures = ClockFigures.of(*(float(column[j]) for column in columns))
                    if is_clock_suspect(figures, limits):
                        yield {
                            "feature": members[j],
                            "test": "other clock",
                            "clock": clock.name,
                            "cut": f"{clock.cut}, {form}",
                            "outcome": outcome,
                        } | asdict(figures)


def _of_balance(
    features: NDArray[np.float64],
    cuts: Sequence[tuple[Clock, NDArray[np.int64]]],
    brought: Mapping[str, Surprises],
) -> Iterator[dict[str, Any]]:
    """Yield features that sum to the same over every block, and move with the bars."""
    sums = BlockSums.of(features)
    for clock, starts in cuts:
        share = balanced_share(sums, starts)
        for j in map(int, np.flatnonzero(share)):
            moved = moves_with_bars(features[:, j], starts, list(brought.values()))
            if moved is not None:
                correlation, which = moved
                yield {
                    "feature": j,
                    "test": "whole block",
                    "clock": clock.name,
                    "cut": clock.cut,
                    "outcome": list(brought)[which],
                    "value": float(share[j]),
                    "moved": correlation,
                    "blocks": len(starts) - 3,
                }


def _of_present(
    features: NDArray[np.float64],
    ranks: FeatureRanks,
    brought: Mapping[str, Surprises],
    limits: LookAheadLimits,
) -> Iterator[dict[str, Any]]:
    for j, scores in enumerate(score_present(features, ranks, list(brought.values()))):
        found = [
            {
                "feature": j,
                "test": "smooth present",
                "outcome": outcome,
                "value": score.explained,
                "largest": score.largest,
                "lag": score.lag,
                "z": score.z,
            }
            for outcome, score in zip(brought, scores, strict=True)
            if score is not None and is_smooth_present(score, limits)
        ]
        yield from found[:1]


def _of_bars_ahead(
    ranks: FeatureRanks, returns: Surprises, limits: LookAheadLimits
) -> Iterator[dict[str, Any]]:
    for j, score in enumerate(score_ahead(ranks, returns)):
        if score is not None and score.strength >= limits.implausible_correlation:
            yield {
                "feature": j,
                "test": "bars ahead",
                "outcome": "return",
                "value": score.strength,
                "earlier": score.earlier,
                "span": score.span,
            }


def merge_look_aheads(
    records: Sequence[Mapping[str, Any]], limits: LookAheadLimits
) -> list[LeakFinding]:
    """Combine the symbols' findings, sorted by target, feature and test.

    A feature is accused where at least `MIN_SYMBOL_SHARE` of the symbols that have it suspect it of
    the same; of a block, where their figures together are those of a leak. Of several blocks the
    one is named of which it knows most.
    """
    tested: Counter[str] = Counter()
    found: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    kind = ("target", "feature", "test", "outcome", "clock", "cut")
    for record in records:
        tested.update(record["tested"])
        for finding in record["findings"]:
            found.setdefault(tuple(finding.get(name, "") for name in kind), []).append(finding)
    judged: dict[tuple[str, str, str], list[_Judged]] = {}
    for (target, feature, test, *_), findings in sorted(found.items()):
        n_tested = tested[feature]
        if len(findings) >= MIN_SYMBOL_SHARE * n_tested:
            verdict = _JUDGES[test](findings, n_tested, limits)
            if verdict is not None:
                judged.setdefault((target, feature, _TESTS[test]), []).append(verdict)
    # A feature that knows its block, or was smoothed, says much about the next bars for that
    # reason.
    explained = {feature for _, feature, test in judged if test != "behaviour"}
    return [
        LeakFinding(target, feature, test, *_told(verdicts))
        for (target, feature, test), verdicts in sorted(judged.items())
        if test != "behaviour" or feature not in explained
    ]


@dataclass(frozen=True, slots=True)
class _Judged:
    """The symbols' joint result for a feature by one test, block and outcome.

    Attributes
    ----------
    clearness
        The clearest result is reported.
    value
        Of the finding.
    acquitted
        The limit of the config from which on this would be not a leak; 0 where none helps.
    reason
        Formats the reason, given the largest of these limits.
    """

    clearness: float
    value: float
    acquitted: float
    reason: Callable[[float], str]


def _told(verdicts: Sequence[_Judged]) -> tuple[float, str]:
    """Return the value and the reason of the clearest."""
    clearest = max(verdicts, key=lambda verdict: verdict.clearness)
    return clearest.value, clearest.reason(max(verdict.acquitted for verdict in verdicts))


def _judge_clock(
    findings: Sequence[Mapping[str, Any]], n_tested: int, limits: LookAheadLimits
) -> _Judged | None:
    of_symbols = [
        ClockFigures(*(finding[field.name] for field in fields(ClockFigures)))
        for finding in findings
    ]
    figures = ClockFigures.pooled(of_symbols, n_tested)
    if not is_clock_leak(figures, limits):
        return None
    within = ends_within(figures, limits)
    return _Judged(
        figures.z,
        figures.inside if within else figures.rest,
        acquitting_correlation(figures),
        lambda least: reason_of_clock(findings, n_tested, figures, least, within=within),
    )


def _judge_balance(
    findings: Sequence[Mapping[str, Any]], n_tested: int, limits: LookAheadLimits
) -> _Judged:
    # Certain rather than only clear; a feature that sums to a constant over hours does so over
    # days.
    clearness = 1_000.0 + float(np.mean([finding["blocks"] for finding in findings]))
    value = float(np.mean([finding["value"] for finding in findings]))
    return _Judged(clearness, value, 0.0, lambda _: reason_of_balance(findings, n_tested))


def _judge_present(
    findings: Sequence[Mapping[str, Any]], n_tested: int, limits: LookAheadLimits
) -> _Judged:
    explained = float(np.mean([finding["value"] for finding in findings]))
    return _Judged(explained, explained, 0.0, lambda _: reason_of_present(findings, n_tested))


def _judge_bars_ahead(
    findings: Sequence[Mapping[str, Any]], n_tested: int, limits: LookAheadLimits
) -> _Judged:
    strength = float(np.mean([finding["value"] for finding in findings]))
    return _Judged(strength, strength, 0.0, lambda _: reason_of_bars_ahead(findings, n_tested))


_JUDGES: Mapping[
    str, Callable[[Sequence[Mapping[str, Any]], int, LookAheadLimits], _Judged | None]
] = {
    "other clock": _judge_clock,
    "whole block": _judge_balance,
    "smooth present": _judge_present,
    "bars ahead": _judge_bars_ahead,
}

_TESTS = {
    "other clock": "other clock",
    "whole block": "other clock",
    "smooth present": "smooth present",
    "bars ahead": "behaviour",
}
"""Names of the searches in the table."""
