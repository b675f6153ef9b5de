"""A summary for people of what an import read, wrote and dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ray_pipeline.importing.columns import ColumnPlan
from ray_pipeline.importing.writing import Written
from ray_pipeline.wording import agreeing, plural, size_text, some_of

__all__ = ["Imported", "outcome_lines"]

_MANY_REPEATED = 0.2  # share of the rows; successive downloads overlap a little


@dataclass(slots=True)
class Imported:
    """The result of an import.

    Attributes
    ----------
    source, out, interval
        Where from, where to, and the bar interval.
    n_files, n_known_files
        Source files that were read, and unchanged ones that had been read before.
    source_bytes
        Bytes of the files that were read.
    passed_over
        Files of the source that are not imported, by reason.
    n_read
        Rows that were read.
    dropped
        Rows that were left out, by reason.
    assumed
        Rows with an assumption, by assumption.
    written
        How the other rows were used.
    symbols
        Symbols of these rows.
    plan
        Columns, None if nothing was read.
    panel_files, panel_bytes, panel_symbols
        The panel's current files of this interval.
    config
        Path of the panel's config, and whether it was written now.
    seconds
        Duration.
    """

    source: str
    out: str
    interval: str
    n_files: int = 0
    n_known_files: int = 0
    source_bytes: int = 0
    passed_over: Sequence[tuple[str, int]] = ()
    n_read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    assumed: Counter[str] = field(default_factory=Counter)
    written: Written = field(default_factory=Written)
    symbols: set[str] = field(default_factory=set)
    plan: ColumnPlan | None = None
    panel_files: int = 0
    panel_bytes: int = 0
    panel_symbols: int = 0
    seconds: float = 0.0

    def document(self) -> dict[str, Any]:
        """Return plain values for ``--json``."""
        written = self.written
        return {
            "source": self.source,
            "out": self.out,
            "interval": self.interval,
            "files": {
                "read": self.n_files,
                "read_before": self.n_known_files,
                "bytes": self.source_bytes,
                "passed_over": dict(self.passed_over),
            },
            "rows": {
                "read": self.n_read,
                "dropped": dict(sorted(self.dropped.items())),
                "assumed": dict(sorted(self.assumed.items())),
                "added": self.n_added,
                "repeated": written.n_repeated,
                "contradicting": written.n_contradicting,
                "replaced": written.n_replaced,
                "known": written.n_known,
            },
            "columns": {
                "written": {} if self.plan is None else dict(self.plan.types),
                "left_behind": {} if self.plan is None else dict(self.plan.left_behind),
            },
            "symbols": len(self.symbols),
            "written": {
                "files": written.n_files,
                "bytes": written.n_bytes,
                "unchanged": written.n_unchanged,
            },
            "panel": {
                "symbols": self.panel_symbols,
                "files": self.panel_files,
                "bytes": self.panel_bytes,
            },
            "seconds": round(self.seconds, 3),
        }

    @property
    def n_added(self) -> int:
        """Rows that are new in the panel."""
        each = self.written
        return each.n_rows - each.n_repeated - each.n_replaced - each.n_known


def _told_apart(plan: ColumnPlan | None) -> str:
    """Name the text columns, which may distinguish symbols."""
    names = [] if plan is None else [name for name, kind in plan.types if kind == "string"]
    return f" (here perhaps {some_of(names, at_most=4)})" if names else ""


_REPEATED = "the same symbol and time occurs again later, and the last one counts"


def _contradicting(n_rows: int) -> str:
    return f"; {n_rows:,} of them {agreeing(n_rows, 'differs', 'differ')} from it" * bool(n_rows)


def outcome_lines(done: Imported) -> Iterator[str]:
    """Report what was read, dropped and written, and what to do next."""
    before = f" ({done.n_known_files:,} others were imported before)" * bool(done.n_known_files)
    yield (
        f"read     {done.n_read:,} rows of {plural(len(done.symbols), 'symbol')} from "
        f"{plural(done.n_files, 'file')}, {size_text(done.source_bytes)}{before}"
    )
    for what, n_rows in sorted(done.assumed.items()):
        yield f"assumed  {what} ({plural(n_rows, 'row')})"
    for why, n_rows in sorted(done.dropped.items()):
        yield f"dropped  {plural(n_rows, 'row')}: {why}"
    each = done.written
    for n_rows, why in (
        (each.n_repeated, _REPEATED + _contradicting(each.n_contradicting)),
        (each.n_known, "the panel already has them, unchanged"),
    ):
        if n_rows:
            yield f"dropped  {plural(n_rows, 'row')}: {why}"
    if each.n_repeated > _MANY_REPEATED * done.n_read:
        yield (
            "         if these belong to several symbols, name the columns that distinguish them: "
            f"--columns symbol=item_id+store_id{_told_apart(done.plan)}"
        )
    for why, n_files in done.passed_over:
        yield f"left     {plural(n_files, 'file')}: {why}"
    for name, why in () if done.plan is None else done.plan.left_behind:
        yield f"left     column {name!r}: {why}"
    yield (
        f"wrote    {plural(done.n_added, 'new row')}, and {each.n_replaced:,} in place of older "
        f"ones with the same symbol and time: {plural(each.n_files, 'file')}, "
        f"{size_text(each.n_bytes)}; {plural(each.n_unchanged, 'file')} stayed as before"
    )
    yield (
        f"panel    {done.out}, interval {done.interval}: {plural(done.panel_symbols, 'symbol')}, "
        f"{plural(done.panel_files, 'file')}, {size_text(done.panel_bytes)}"
    )
