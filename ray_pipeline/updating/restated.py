"""Past rows that differ from those on which models were trained: which, when, and by how much."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from ray_pipeline.wording import agreeing, plural, some_of

__all__ = ["Restatement", "restatements"]

_LEAST = 1e-12
"""Relative change of a month's mean that is worth reporting."""


@dataclass(frozen=True, slots=True)
class Restatement:
    """A symbol whose past has changed.

    Attributes
    ----------
    first, last
        First and last month that differs, ``2024-05``.
    n_months
        Months that differ.
    n_rows
        Rows of these months minus the previous number.
    column, change
        The column whose monthly mean changed most, among those with recorded means, and its
        relative change; empty and None if none did.
    gone
        Columns that had values in these months and have none now.
    """

    symbol: str
    first: str
    last: str
    n_months: int
    n_rows: int
    column: str
    change: float | None
    gone: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """Format it as a sentence."""
        when = self.first if self.first == self.last else f"{self.first} to {self.last}"
        rows = f", {plural(abs(self.n_rows), 'row')} {'more' if self.n_rows > 0 else 'fewer'}"
        sizes = []
        if self.gone:
            columns = agreeing(len(self.gone), "column", "columns")
            are = agreeing(len(self.gone), "is", "are")
            sizes.append(f"{columns} {some_of(self.gone)} {are} gone")
        if self.change is not None:
            sizes.append(f"the mean of {self.column} by up to {_percent(self.change)}")
        size = "; ".join(sizes) or "single values, which the means of the months do not show"
        months = f"{plural(self.n_months, 'month')} {agreeing(self.n_months, 'differs', 'differ')}"
        return f"{self.symbol}, {when} ({months}{rows if self.n_rows else ''}): {size}"


def _percent(share: float) -> str:
    return f"{100 * share:+.0f} %" if abs(share) >= 0.1 else f"{100 * share:+.2g} %"


def restatements(before: pa.Table, after: pa.Table) -> tuple[Restatement, ...]:
    """Compare the months of symbols with those on which models were trained.

    Parameters
    ----------
    before, after
        Rows of `ray_pipeline.inspecting.digests.DIGESTS`; the latter only has symbols that differ.

    Examples
    --------
    >>> def month(sha256: str, mean: float) -> pa.Table:
    ...     means = [{"column": "close", "mean": mean}]
    ...     row = {"symbol": "A", "month": date(2024, 5, 1), "n_rows": 21, "sha256": sha256}
    ...     return pa.Table.from_pylist([row | {"means": means}])
    >>> [each.told for each in restatements(month("a", 100.0), month("b", 98.0))]
    ['A, 2024-05 (1 month differs): the mean of close by up to -2 %']
    """
    found = []
    for symbol in sorted(set(after["symbol"].to_pylist())):
        was, now = _months_of(before, symbol), _months_of(after, symbol)
        differing = sorted(
            month
            for month in {*was, *now}
            if was.get(month, _NO_ROWS)["sha256"] != now.get(month, _NO_ROWS)["sha256"]
        )
        if not differing:
            continue
        pairs = [(was.get(each, _NO_ROWS), now.get(each, _NO_ROWS)) for each in differing]
        column, change = _largest_change(pairs)
        found.append(
            Restatement(
                symbol=symbol,
                first=f"{differing[0]:%Y-%m}",
                last=f"{differing[-1]:%Y-%m}",
                n_months=len(differing),
                n_rows=sum(later["n_rows"] - earlier["n_rows"] for earlier, later in pairs),
                column=column,
                change=change,
                gone=_gone(pairs),
            )
        )
    return tuple(found)


_NO_ROWS: Mapping[str, Any] = {"sha256": "", "n_rows": 0, "means": [], "empty": []}


def _months_of(table: pa.Table, symbol: str) -> dict[date, Mapping[str, Any]]:
    rows = table.filter(pa.compute.equal(table["symbol"], symbol)).to_pylist()
    return {row["month"]: row for row in rows}


def _gone(pairs: list[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> tuple[str, ...]:
    """Return the columns that lost all their values in these months.

    Runs before 0.6.0 recorded means of the first columns, but not which columns have no value.
    """
    pairs = [pair for pair in pairs if pair[0]["n_rows"] and pair[1]["n_rows"]]
    empty = [set(later.get("empty") or ()) for _, later in pairs]
    candidates = set.intersection(*empty) if empty else set()
    had: set[str] = set()
    for earlier, _ in pairs:
        if earlier.get("empty") is not None:
            had |= candidates - set(earlier["empty"])
        had |= {each["column"] for each in earlier["means"] if each["mean"] is not None}
    return tuple(sorted(candidates & had))


def _largest_change(
    pairs: list[tuple[Mapping[str, Any], Mapping[str, Any]]],
) -> tuple[str, float | None]:
    """Return the column with the largest relative change of its mean, and that change.

    A volume is named only if nothing else changed: in a split, prices are more informative.
    """
    largest: tuple[str, float | None] = ("", None)
    for earlier, later in pairs:
        now = {each["column"]: each["mean"] for each in later["means"]}
        for each in earlier["means"]:
            before, after = each["mean"], now.get(each["column"])
            if before is None or after is None or not math.isfinite(before) or before == 0.0:
                continue
            change = after / before - 1.0
            if abs(change) <= _LEAST:
                continue
            is_first = largest[1] is None or (largest[0] == "volume" != each["column"])
            is_larger = abs(change) > abs(largest[1] or 0.0)
            if is_first or (is_larger and each["column"] != "volume"):
                largest = each["column"], change
    return largest
