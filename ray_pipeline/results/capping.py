"""Lists that stay short on the page, and say so (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ray_pipeline.results.figures import count

__all__ = ["Capped", "capped"]

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Capped(Generic[Row]):
    """The rows that are shown, out of how many, and where the rest is.

    Attributes
    ----------
    rows
        What the page shows.
    n_total
        What there is.
    order
        What the shown ones come first by, as it follows a comma: ``"strongest first"``.
    source
        File of the run directory that holds them all.
    """

    rows: tuple[Row, ...]
    n_total: int
    order: str
    source: str

    @property
    def note(self) -> str:
        """A sentence where rows are missing, nothing otherwise."""
        if len(self.rows) >= self.n_total:
            return ""
        return (
            f"Showing {count(len(self.rows))} of {count(self.n_total)}, {self.order}; "
            f"{self.source} has them all."
        )


def capped(rows: Sequence[Row], limit: int, order: str, source: str) -> Capped[Row]:
    """Keep the first `limit` rows."""
    return Capped(tuple(rows[:limit]), len(rows), order, source)
