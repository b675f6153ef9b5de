"""Look-ahead by the data's own clock: the search in one symbol, and what all symbols say (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.leakage.clocks import Clock, held_clock, natural_clocks
from ray_pipeline.leakage.findings import MIN_SYMBOL_SHARE, LeakFinding
from ray_pipeline.records import TargetSpec
from ray_pipeline.statistics.bar_path import returns_behind
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
    is_clock_leak,
    is_clock_suspect,
    is_smooth_present,
)
from ray_pipeline.statistics.present_scores import score_present
from ray_pipeline.statistics.surprises import Surprises, surprises

__all__ = ["merge_look_aheads", "search_look_aheads"]

_DAY_NS = 86_400 * 10**9
MAX_ROWS = 20_000
"""The newest rows are enough."""

CHUNK = 32
"""Features at a time, which bounds the memory."""

OUTCOMES = ("return", "size")
"""What bars bring: their return, and its size."""


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
        Its name, and the bars that it looks ahead.
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
    surprising = dict(zip(OUTCOMES, (returns, sizes), strict=True))
    # Sums of returns are what blocks are made of; only their sizes are known in part beforehand.
    brought = Brought(np.where(np.isfinite(path), path, 0.0), sizes.values)
    natural = {
        block_starts(clock.block).tobytes(): clock for clock in natural_clocks(time_ns, bar_seconds)
    }
    views = _views(natural.values(), brought)
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
                *_of_present(values, ranks, surprising, limits),
            )
        ]
    return {"tested": tested, "findings": findings}


def _varies(column: NDArray[np.float64]) -> bool:
    known = column[np.isfinite(column)]
    return len(known) > 0 and bool(known.min() < known.max())


def _views(clocks: Iterable[Clock], brought: Brought) -> list[tuple[str, ClockView]]:
    """Prepare those clocks that have enough blocks, with their names."""
    return [
        (clock.name, view)
        for clock in clocks
        if (view := ClockView.of(block_starts(clock.block), brought)) is not None
    ]


def _held_clocks(
    features: NDArray[np.float64], natural: Container[bytes]
) -> list[tuple[Clock, list[int]]]:
    """Return clocks that features are held over, none of them natural, with these features."""
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
    views: Sequence[tuple[str, ClockView]],
    members: Sequence[int],
    limits: LookAheadLimits,
) -> Iterator[dict[str, Any]]:
    """Yield for each of some features, clock and outcome the clearest suspicion."""
    if len(members) < ranks.scores.shape[1]:
        ranks = FeatureRanks(ranks.scores[:, members], ranks.known[:, members])
    clearest: dict[tuple[int, str, str], ClockFigures] = {}
    for clock, view in views:
        for outcome, forms in zip(OUTCOMES, score_clock(ranks, view), strict=True):
            for score in forms:
                least = WEAKER * limits.clock_min_correlation
                for j in map(int, np.flatnonzero(np.abs(score.inside) >= least)):
                    figures = ClockFigures.of(
                        float(score.inside[j]),
                        float(score.outside[j]),
                        float(score.rest[j]),
                        float(score.freedom[j]),
                    )
                    known = clearest.get((j, clock, outcome))
                    if is_clock_suspect(figures, limits) and (known is None or figures.z > known.z):
                        clearest[j, clock, outcome] = figures
    for (j, clock, outcome), figures in clearest.items():
        yield {
            "feature": members[j],
            "test": "other clock",
            "clock": clock,
            "outcome": outcome,
        } | asdict(figures)


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


def merge_look_aheads(
    records: Sequence[Mapping[str, Any]], limits: LookAheadLimits
) -> list[LeakFinding]:
    """Join what the symbols found, sorted by target, feature and test.

    A feature is accused where at least `MIN_SYMBOL_SHARE` of the symbols that have it suspect it of
    the same; of a block, where their figures together are those of a leak. Of several blocks the
    one is named of which it knows most.
    """
    tested: Counter[str] = Counter()
    found: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for record in records:
        tested.update(record["tested"])
        for finding in record["findings"]:
            key = tuple(finding[name] for name in ("target", "feature", "test", "outcome"))
            found.setdefault((*key, finding.get("clock", "")), []).append(finding)
    clearest: dict[tuple[str, str, str], tuple[float, float, str]] = {}
    for (target, feature, test, *_), findings in sorted(found.items()):
        n_tested = tested[feature]
        if len(findings) < MIN_SYMBOL_SHARE * n_tested:
            continue
        if test == "other clock":
            judged = _judged_by_clock(findings, n_tested, limits)
        else:
            judged = _judged_by_present(findings, n_tested)
        known = clearest.get((target, feature, test))
        if judged is not None and (known is None or judged[0] > known[0]):
            clearest[target, feature, test] = judged
    return [
        LeakFinding(target, feature, test, value, reason)
        for (target, feature, test), (_, value, reason) in sorted(clearest.items())
    ]


def _judged_by_clock(
    findings: Sequence[Mapping[str, Any]], n_tested: int, limits: LookAheadLimits
) -> tuple[float, float, str] | None:
    """Return how clear a leak is, its value and the reason; None where it is none."""
    of_symbols = [
        ClockFigures(*(finding[field.name] for field in fields(ClockFigures)))
        for finding in findings
    ]
    figures = ClockFigures.pooled(of_symbols, n_tested)
    if not is_clock_leak(figures, limits):
        return None
    clock, outcome = findings[0]["clock"], findings[0]["outcome"]
    of_bars = "return" if outcome == "return" else "size of the returns"
    reason = (
        f"knows the rest of the {clock} that it stands in: from its first half |rank correlation| "
        f"{figures.inside:.2f} with the {of_bars} of its second half, {abs(figures.outside):.2f} "
        f"at the same distance across its end in {len(findings)} of {n_tested} symbols"
    )
    return figures.z, figures.inside, reason


def _judged_by_present(
    findings: Sequence[Mapping[str, Any]], n_tested: int
) -> tuple[float, float, str]:
    """Return how clear a leak is, its value and the reason."""
    explained, largest = (
        float(np.mean([f[name] for f in findings])) for name in ("value", "largest")
    )
    lag = int(np.median([f["lag"] for f in findings]))
    reason = (
        "goes on smoothly into the bars to come: from the next but one on, they explain "
        f"{explained:.0%} of what bars up to now leave unexplained of its last change (|rank "
        f"correlation| {largest:.2f} with the bar {lag} rows later) in {len(findings)} of "
        f"{n_tested} symbols"
    )
    return explained, explained, reason
