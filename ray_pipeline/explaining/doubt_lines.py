"""What carries a doubtful skill, in lines for a person (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ray_pipeline.columns import aligned, wrapped
from ray_pipeline.results.figures import count, percentage, with_error

__all__ = ["doubt_lines"]

Row = Mapping[str, Any]

MAX_LISTED = 3
"""Number of models listed one by one."""


def doubt_lines(found: Mapping[str, Any]) -> list[str]:
    """List the features that carry a doubtful figure, and what remains of it without them."""
    rows = found["doubt"]["rows"]
    if not rows:
        return ["doubt", *wrapped(found["doubt"]["absent"])]
    return list(_lines(rows))


def _lines(rows: list[Row]) -> Iterator[str]:
    yield "doubt: skill with features as they are, late, and left out"
    together = [row for row in rows if row["feature"] is None]
    for head in together[:MAX_LISTED]:
        whose = "pooled" if head["symbol"] is None else f"own models of {head['symbol']}"
        yield from wrapped(f"{whose}, {head['family']}: {head['reason']}.")
        key = ("view", "symbol")
        same = [row for row in rows if all(row[name] == head[name] for name in key)]
        yield from _table(head, [row for row in same if row["feature"] is not None])
    n_more = len(together) - MAX_LISTED
    if n_more > 0:
        yield from wrapped(f"doubt.parquet has {count(n_more)} more.")


def _table(head: Row, features: list[Row]) -> Iterator[str]:
    header = ["feature", "importance", "as it is", "one bar late", "one horizon late", "without"]
    yield from aligned(header, [_row(row) for row in (head, *features)])


def _row(row: Row) -> list[str]:
    return [
        row["feature"] or "all that carry it",
        percentage(row["importance"]),
        with_error(row["skill"], row["skill_std_error"]),
        with_error(row["bar_late"], row["bar_late_std_error"]),
        with_error(row["horizon_late"], row["horizon_late_std_error"]),
        with_error(row["without"], row["without_std_error"]),
    ]
