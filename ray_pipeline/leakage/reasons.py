"""Text about leaks: what was found, what it means, and what to do (pure)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ray_pipeline.statistics.leakage import MIN_Z
from ray_pipeline.statistics.look_ahead import ClockFigures

__all__ = [
    "reason_of_balance",
    "reason_of_bars_ahead",
    "reason_of_behaviour",
    "reason_of_clock",
    "reason_of_present",
    "reason_of_value",
]

Findings = Sequence[Mapping[str, Any]]

_BROUGHT = {
    "return": "the return",
    "size": "the size of the returns",
    "range": "the range of the price",
}


def reason_of_value(findings: Findings, n_tested: int) -> str:
    """Describe a copy of the target."""
    shift = int(np.median([f["leaking_shift"] for f in findings]))
    where = "its own row" if shift == 0 else f"the row {abs(shift)} {_way(shift)}"
    return (
        f"equals the target of {where} up to a monotone map (|rank correlation| "
        f"{_mean(findings, 'leaking'):.2f}, {_mean(findings, 'honest'):.2f} with anything known at "
        f"the time) {_among(findings, n_tested)}. {_keep({})}"
    )


def reason_of_behaviour(findings: Findings, n_tested: int) -> str:
    """Describe a feature whose correlations with the target are not those of a predictor."""
    commonest = Counter(f["evidence"] for f in findings if f["test"] == "behaviour")
    evidence = commonest.most_common(1)[0][0]
    told = [f for f in findings if f["evidence"] == evidence]
    symbols = _among(findings, n_tested)
    present, earlier, known = (
        float(np.mean([abs(f[name]) for f in told]))
        for name in ("present", "horizon_earlier", "known")
    )
    if evidence == "edge":
        rows = int(np.median([f["edge_shift"] for f in told]))
        return (
            f"its last change knows a bar to come: |rank correlation| {_mean(told, 'edge'):.2f} "
            f"with the change of the target {rows} rows later {symbols}, as a centred average has. "
            f"{_keep({})}"
        )
    highest = max(abs(f["present"]) for f in findings)
    keep = {"behaviour_min_correlation": highest}
    if evidence == "beyond":
        return (
            f"|rank correlation| with the target is {present:.2f}, still {earlier:.2f} with the "
            f"one that starts where it ends, and {known:.2f} with the last known one {symbols}: "
            f"it knows more bars to come than the target spans. {_keep(keep)}"
        )
    vanishing = (
        f"|rank correlation| with the target is {present:.2f} and {earlier:.2f} when the feature "
        "is taken a horizon earlier"
    )
    if evidence == "profile":
        return (
            f"{vanishing}, in between as a copy of the target and not as its own memory {symbols}. "
            f"{_keep(keep)}"
        )
    # Below the higher limit, the course of the correlations would still accuse it.
    of_course = any(max(abs(f["after_z"]), f["before_z"]) >= MIN_Z for f in told)
    limits = {"implausible_correlation": highest} | (keep if of_course else {})
    return (
        f"{vanishing} {symbols}: so much of it, all at once, is what a column that holds the "
        f"target itself says, or an extremely strong predictor. {_keep(limits)}"
    )


def reason_of_clock(
    findings: Findings, n_tested: int, figures: ClockFigures, least: float, *, within: bool
) -> str:
    """Describe a feature that knows the rest of its block.

    Parameters
    ----------
    findings
        Of the symbols that show it.
    n_tested
        Symbols that have the feature.
    figures
        Of all symbols together.
    least
        `leakage.clock_min_correlation` that would acquit it.
    within
        Whether the second half of the block tells it, and not the last row.
    """
    clock, brought = findings[0]["clock"], _BROUGHT[findings[0]["outcome"]]
    symbols = _among(findings, n_tested)
    if within:
        seen = (
            f"seen from its first half, |rank correlation| {figures.inside:.2f} with {brought} of "
            f"its second half, but {abs(figures.outside):.2f} with that of bars as far ahead "
            f"beyond its end {symbols}"
        )
    else:
        seen = (
            f"seen from its first half, |rank correlation| {figures.rest:.2f} with {brought} of "
            f"all its bars to come, but {abs(figures.beyond):.2f} from its last bar with that of "
            f"as many bars beyond its end {symbols}"
        )
    return (
        f"knows the rest of the {clock} that it stands in: {seen}. A prediction does not end with "
        f"the {clock}; what is computed of all its bars does. Join it once its last bar is over. "
        f"{_keep({'clock_min_correlation': least})}"
    )


def reason_of_balance(findings: Findings, n_tested: int) -> str:
    """Describe a feature that sums to the same over every block."""
    clock, brought = findings[0]["clock"], _BROUGHT[findings[0]["outcome"]]
    blocks = int(np.median([f["blocks"] for f in findings]))
    return (
        f"is scaled by the whole {clock} that it stands in: over {_mean(findings, 'value'):.0%} of "
        f"{blocks} such blocks its values add up to the same, though they move with {brought} "
        f"(|rank correlation| {_mean(findings, 'moved'):.2f}) {_among(findings, n_tested)}. So the "
        "first ones must know the last, as with a mean, deviation or percentile of a block that "
        "is not over. Compute these of bars up to the row, or of the block before. "
        f"{_keep({})}"
    )


def reason_of_bars_ahead(findings: Findings, n_tested: int) -> str:
    """Describe a feature that says too much about a span of bars that is not a target's."""
    span = int(np.median([f["span"] for f in findings]))
    earlier = float(np.mean([abs(f["earlier"]) for f in findings]))
    highest = max(f["value"] for f in findings)
    return (
        f"says implausibly much of the next {span} bars: |rank correlation| "
        f"{_mean(findings, 'value'):.2f} with their returns, and {earlier:.2f} when it is taken "
        f"{span} bars earlier {_among(findings, n_tested)}. So does what is computed of them: "
        "their range, high or low. Compute it of bars up to the row. "
        f"{_keep({'implausible_correlation': highest})}"
    )


def reason_of_present(findings: Findings, n_tested: int) -> str:
    """Describe a feature that was smoothed with later bars."""
    lag = int(np.median([f["lag"] for f in findings]))
    brought = _BROUGHT[findings[0]["outcome"]]
    return (
        f"was computed with bars to come: {_mean(findings, 'value'):.0%} of what past bars leave "
        f"open of its last change is explained by bars 2 and more rows later, most by {brought} "
        f"{lag} rows later (|rank correlation| {_mean(findings, 'largest'):.2f}) "
        f"{_among(findings, n_tested)}. A predictor says that much of the next bar at best; a "
        "centred window, a filter run forwards and backwards, or an interpolation does of later "
        "ones. Compute it of bars up to the row. "
        f"{_keep({'present_min_explained': max(f['value'] for f in findings)})}"
    )


def _keep(limits: Mapping[str, float]) -> str:
    """Say how to keep the feature: the config's limits above which it is acquitted."""
    raised = {name: math.floor(100 * above + 1) / 100 for name, above in limits.items()}
    if not limits or max(raised.values()) > 1.0:
        return "If it is known at its row all the same, keep it: leakage.policy: warn"
    keys = " and ".join(f"leakage.{name} to {limit:.2f}" for name, limit in raised.items())
    return f"If it is known at its row, keep it: raise {keys}, or set leakage.policy: warn"


def _way(shift: int) -> str:
    return "later" if shift > 0 else "earlier"


def _mean(findings: Findings, name: str) -> float:
    return float(np.mean([f[name] for f in findings]))


def _among(findings: Findings, n_tested: int) -> str:
    return f"in {len(findings)} of {n_tested} symbols"
