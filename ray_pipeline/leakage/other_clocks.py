"""Look-ahead by the data's own clock: the search in one symbol, and what all symbols say (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.leakage.clocks import natural_clocks
from ray_pipeline.leakage.findings import MIN_SYMBOL_SHARE, LeakFinding
from ray_pipeline.records import TargetSpec
from ray_pipeline.statistics.bar_path import returns_behind
from ray_pipeline.statistics.clock_scores import block_starts, rank_features, score_clock
from ray_pipeline.statistics.look_ahead import (
    LookAheadLimits,
    clock_z,
    is_clock_leak,
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
    brought = {
        outcome: found
        for outcome, series in zip(OUTCOMES, (path, np.abs(path)), strict=True)
        if (found := surprises(series, time_of_day)) is not None
    }
    if not brought:
        return {"tested": [], "findings": []}
    tested: list[str] = []
    findings: list[dict[str, Any]] = []
    for first in range(0, len(names), CHUNK):
        chunk = names[first : first + CHUNK]
        values = features[:, first : first + CHUNK].astype(np.float64)
        tested += [name for name, column in zip(chunk, values.T, strict=True) if _varies(column)]
        findings += [
            finding | {"target": target.name, "feature": chunk[finding["feature"]]}
            for finding in (
                *_of_clocks(values, time_ns, bar_seconds, brought, limits),
                *_of_present(values, brought, limits),
            )
        ]
    return {"tested": tested, "findings": findings}


def _varies(column: NDArray[np.float64]) -> bool:
    known = column[np.isfinite(column)]
    return len(known) > 0 and bool(known.min() < known.max())


def _of_clocks(
    features: NDArray[np.float64],
    time_ns: NDArray[np.int64],
    bar_seconds: int,
    brought: Mapping[str, Surprises],
    limits: LookAheadLimits,
) -> Iterator[dict[str, Any]]:
    """Yield for each feature the clearest finding of all clocks."""
    ranks = rank_features(features)
    clearest: dict[int, dict[str, Any]] = {}
    for clock in natural_clocks(time_ns, bar_seconds):
        scores = score_clock(ranks, block_starts(clock.block), list(brought.values()))
        for outcome, forms in zip(brought, scores or (), strict=False):
            for score in forms:
                suspects = np.flatnonzero(np.abs(score.inside) >= limits.clock_min_correlation)
                for j in map(int, suspects):
                    inside, outside = float(score.inside[j]), float(score.outside[j])
                    figures = inside, outside, float(score.n_blocks[j])
                    z = clock_z(figures[0], figures[2])
                    if is_clock_leak(*figures, limits) and z > clearest.get(j, {"z": 0.0})["z"]:
                        clearest[j] = {
                            "feature": j,
                            "test": "other clock",
                            "clock": clock.name,
                            "outcome": outcome,
                            "value": abs(figures[0]),
                            "outside": abs(figures[1]),
                            "z": z,
                        }
    yield from clearest.values()


def _of_present(
    features: NDArray[np.float64], brought: Mapping[str, Surprises], limits: LookAheadLimits
) -> Iterator[dict[str, Any]]:
    for j, scores in enumerate(score_present(features, list(brought.values()))):
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


def merge_look_aheads(records: Sequence[Mapping[str, Any]]) -> list[LeakFinding]:
    """Join what the symbols found, sorted by target, feature and test.

    A feature is accused where at least `MIN_SYMBOL_SHARE` of the symbols that have it do so.
    """
    tested: Counter[str] = Counter()
    found: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for record in records:
        tested.update(record["tested"])
        for finding in record["findings"]:
            key = (finding["target"], finding["feature"], finding["test"])
            found.setdefault(key, []).append(finding)
    merged = []
    for (target, feature, test), findings in sorted(found.items()):
        n_tested = tested[feature]
        if len(findings) < MIN_SYMBOL_SHARE * n_tested:
            continue
        value = float(np.mean([finding["value"] for finding in findings]))
        reason = f"{_REASONS[test](findings)} in {len(findings)} of {n_tested} symbols"
        merged.append(LeakFinding(target, feature, test, value, reason))
    return merged


def _clock_reason(findings: Sequence[Mapping[str, Any]]) -> str:
    (clock, outcome), _ = Counter((f["clock"], f["outcome"]) for f in findings).most_common(1)[0]
    told = [f for f in findings if (f["clock"], f["outcome"]) == (clock, outcome)]
    inside, outside = (float(np.mean([f[name] for f in told])) for name in ("value", "outside"))
    of_bars = "return" if outcome == "return" else "size of the returns"
    return (
        f"knows the rest of the {clock} that it stands in: in its first half |rank correlation| "
        f"{inside:.2f} with the {of_bars} of its second half, and {outside:.2f} across its end at "
        "the same distance"
    )


def _present_reason(findings: Sequence[Mapping[str, Any]]) -> str:
    explained, largest = (
        float(np.mean([f[name] for f in findings])) for name in ("value", "largest")
    )
    lag = int(np.median([f["lag"] for f in findings]))
    return (
        f"goes on smoothly into the bars to come, which explain {explained:.0%} of its last "
        f"change (|rank correlation| {largest:.2f} with the bar {lag} rows later)"
    )


_REASONS = {"other clock": _clock_reason, "smooth present": _present_reason}
