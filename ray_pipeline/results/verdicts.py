"""Whether a target can be predicted, in one sentence (pure)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ray_pipeline.ranking.decide import TargetRow
from ray_pipeline.ranking.doubt import DoubtedFigure
from ray_pipeline.records import VIEW_NAMES
from ray_pipeline.results.figures import probability, with_error

__all__ = ["ordinal", "target_verdict"]


def target_verdict(
    target: str,
    rows: Sequence[TargetRow],
    chosen: Sequence[str],
    doubted: DoubtedFigure | None = None,
) -> str:
    """Say in one sentence whether a target is predictable, where, and what followed.

    Parameters
    ----------
    rows
        Its rows, one per view; at least one.
    chosen
        Targets that features were selected for, strongest first.
    doubted
        The figure for which the target is doubtful; None where it is not.
    """
    if doubted is not None:
        why = "its trained models showed it" if target in chosen else "nothing is trained for it"
        return f"{target} is doubtful, and {why}: {doubted}."
    holds = [_in_view(row) for row in rows if row.predictable]
    others = [_in_view(row) for row in rows if not row.predictable]
    if not holds:
        return f"{target} is not predictable {' nor '.join(others)}: nothing is trained for it."
    found = f"{target} is predictable {' and '.join(holds)}"
    found += "".join(f" but not {other}" for other in others)
    if target in chosen:
        return f"{found}; it was chosen as {ordinal(chosen.index(target) + 1)} of {len(chosen)}."
    # A predictable target is left out only where as many others were chosen as the config allows.
    return f"{found}; it was not chosen: only the top_n_targets={len(chosen)} strongest are."


def _in_view(row: TargetRow) -> str:
    figures = f"skill {with_error(row.skill, row.std_error)}, q {probability(row.q_value)}"
    if math.isnan(row.q_value):
        figures = "too little data"
    return f"in the {VIEW_NAMES[row.view]} view ({figures})"


def ordinal(place: int) -> str:
    """Write a place in an order.

    >>> ordinal(1), ordinal(12), ordinal(23)
    ('1st', '12th', '23rd')
    """
    if place % 100 in (11, 12, 13):
        return f"{place}th"
    ending = {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{ending}"
