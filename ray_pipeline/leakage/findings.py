"""What a search for leaks finds."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MIN_SYMBOL_SHARE", "LeakFinding"]

MIN_SYMBOL_SHARE = 0.5
"""A feature is accused when at least half of the symbols that have it show the leak: a chance
agreement in one short history is not a property of the feature."""


@dataclass(frozen=True, slots=True)
class LeakFinding:
    """A feature that knows a target's future.

    `value` is the mean |rank correlation| over the symbols that show it; of a smooth present, the
    share of the feature's last change that bars to come explain.
    """

    target: str
    feature: str
    test: str
    value: float
    reason: str
