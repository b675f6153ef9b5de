"""Findings of a search for leaks."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MIN_SYMBOL_SHARE", "LeakFinding"]

MIN_SYMBOL_SHARE = 0.5
"""Share of the symbols with a feature that must show a leak: a chance agreement in one short
history is not a property of the feature."""


@dataclass(frozen=True, slots=True)
class LeakFinding:
    """A feature that knows a target's future.

    `value` is the mean |rank correlation| over the symbols that show it; for a smoothed feature,
    the share of its last change that later bars explain.
    """

    target: str
    feature: str
    test: str
    value: float
    reason: str
