"""The groups within which symbols are compared: their source and sizes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import ConfigError
from ray_pipeline.groups import RowGroups
from ray_pipeline.panel.columns import column_kind
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.membership import members_at
from ray_pipeline.panel.outlines import SymbolOutline
from ray_pipeline.panel.row_groups import GroupSource
from ray_pipeline.panel.time_axis import decode_runs, encode_runs
from ray_pipeline.records import MembershipSpans, SymbolPartition, TimeRun
from ray_pipeline.stages.context import StageContext
from ray_pipeline.wording import agreeing, plural, some_of

__all__ = ["GroupSize", "Grouped", "Grouping", "describe_groups", "find_groups", "presumed_groups"]

if TYPE_CHECKING:
    from ray_pipeline.config.stage_sections import TargetRankingConfig

Ints = NDArray[np.int64]

_MOST_NAMED = 5

_MAX_COUNTS = 50_000_000
"""Groups times timestamps that are counted (200 MB of numbers); beyond that, every other
timestamp."""


@dataclass(frozen=True, slots=True)
class GroupSize:
    """One group.

    Attributes
    ----------
    n_symbols
        Symbols that ever belong to it.
    median, largest
        Number of them with a row at a timestamp, over the timestamps with any.
    """

    name: str
    n_symbols: int
    median: float
    largest: int


@dataclass(frozen=True, slots=True)
class Grouping:
    """The groups within which symbols are compared.

    Attributes
    ----------
    column
        Name of the groups.
    from_files, from_universe
        Symbols whose groups are a column of their own files, and those whose groups come from the
        universe's table.
    groups
        By name.
    n_rows
        Rows of all symbols, inside the universe.
    without
        (symbol, rows without a group, its rows) of symbols with such rows, the most first.
    is_whole
        Whether the groups of all symbols are known; otherwise each may have more.
    """

    column: str
    from_files: int
    from_universe: int
    groups: tuple[GroupSize, ...]
    n_rows: int
    without: tuple[tuple[str, int, int], ...]
    is_whole: bool = True

    def too_small(self, min_cs: int) -> list[GroupSize]:
        """Return the groups that never have enough symbols to be compared, as far as is known."""
        return [group for group in self.groups if self.is_whole and group.largest < min_cs]

    def warnings(self, min_cs: int) -> list[str]:
        """Say which rows are compared with no others, one sentence per reason."""
        told = []
        if self.without:
            n_rows = sum(n for _, n, _ in self.without)
            worst = [f"{symbol} ({n} of {of})" for symbol, n, of in self.without]
            told.append(
                f"columns.group: {plural(n_rows, 'row')} of {plural(len(worst), 'symbol')} "
                f"{agreeing(n_rows, 'has', 'have')} no {self.column} and "
                f"{agreeing(n_rows, 'is', 'are')} compared with nobody; a symbol's own models take "
                f"{agreeing(n_rows, 'it', 'them')}. The most: {some_of(worst, _MOST_NAMED)}"
            )
        small = self.too_small(min_cs)
        if small:
            sizes = [f"{group.name} ({group.largest})" for group in small]
            them = agreeing(len(small), "it", "them")
            told.append(
                f"columns.group: {len(small)} of {plural(len(self.groups), 'group')} never "
                f"{agreeing(len(small), 'has', 'have')} the {min_cs} symbols at a timestamp that "
                f"target_ranking.min_cs needs, so that nothing in {them} is compared: "
                f"{some_of(sizes, _MOST_NAMED)}"
            )
        return told

    def require_comparable(self, ranking: TargetRankingConfig) -> None:
        """Raise ConfigError if nothing is ever compared and only comparisons were requested."""
        compared = len(self.groups) > len(self.too_small(ranking.min_cs))
        if not compared and ranking.views == ("cross_sectional",):
            raise ConfigError(
                f"columns.group={self.column!r}: no group ever has the {ranking.min_cs} symbols at "
                "a timestamp that target_ranking.min_cs needs. Add symbols, name a coarser group, "
                "or add the view symbol_specific."
            )

    def to_record(self, min_cs: int) -> dict[str, Any]:
        """Return the entry of ``run.json`` and ``check --json``."""
        small = self.too_small(min_cs)
        return {
            "column": self.column,
            "n_symbols_by_files": self.from_files,
            "n_symbols_by_universe": self.from_universe,
            "groups": [
                {
                    "name": group.name,
                    "n_symbols": group.n_symbols,
                    "median_symbols": group.median,
                    "most_symbols": group.largest,
                    "is_compared": group not in small,
                }
                for group in self.groups
            ],
            "n_rows": self.n_rows,
            "n_rows_without": sum(n for _, n, _ in self.without),
            "n_symbols_without": len(self.without),
        }


class Grouped(Protocol):
    """What is known about a symbol's groups; part of a `SymbolInspection`."""

    @property
    def columns(self) -> tuple[tuple[str, str], ...]: ...  # noqa: D102 (see `SymbolInspection`)
    @property
    def runs(self) -> tuple[TimeRun, ...]: ...  # noqa: D102
    @property
    def group_source(self) -> GroupSource: ...  # noqa: D102
    @property
    def group_runs(self) -> tuple[tuple[int, str | None], ...]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class PresumedGroups:
    """The groups of a symbol that was not read, as if it had a row at every timestamp."""

    columns: tuple[tuple[str, str], ...]
    runs: tuple[TimeRun, ...]
    group_source: GroupSource
    group_runs: tuple[tuple[int, str | None], ...]


def presumed_groups(
    column: str,
    outlines: Mapping[str, SymbolOutline],
    partitions: Mapping[str, SymbolPartition],
    axis: Ints,
) -> dict[str, PresumedGroups]:
    """Return the groups of symbols whose rows were not read, if they are known otherwise.

    The footers of its files give the group of a symbol that has only one; the universe's table
    gives those of a symbol whose files lack the column, as far as this is known.
    """
    found: dict[str, PresumedGroups] = {}
    runs = encode_runs(axis)
    for symbol, outline in outlines.items():
        spans = partitions[symbol].groups
        if any(name == column for name, _ in outline.columns):
            if outline.only_group is not None:
                of_all = ((int(axis[0]), outline.only_group),)
                found[symbol] = PresumedGroups(outline.columns, runs, "files", of_all)
        elif spans is not None:
            changes = RowGroups.from_spans(spans, axis).runs(axis)
            found[symbol] = PresumedGroups(outline.columns, runs, "universe", changes)
    return found


def find_groups(
    column: str,
    inspections: Mapping[str, Grouped],
    axis: Ints,
    memberships: Mapping[str, MembershipSpans | None],
    universe_columns: Sequence[str] = (),
) -> Grouping:
    """Count the symbols of each group at each timestamp.

    Parameters
    ----------
    column
        The config's ``columns.group``.
    axis
        The panel's timestamps, nanoseconds since 1970, shape (n_timestamps,).
    memberships
        When each symbol belongs to the universe; a row outside has no group.
    universe_columns
        Columns of the universe's table other than symbol, from and to.

    Raises
    ------
    ConfigError
        When neither the files nor the universe's table have the column; the message suggests
        others.
    """
    sources = Counter(each.group_source for each in inspections.values())
    if sources.total() == sources["nowhere"]:
        raise ConfigError(_nowhere(column, inspections, universe_columns))
    named = {name for each in inspections.values() for _, name in each.group_runs} - {None}
    every = -(-max(len(named), 1) * len(axis) // _MAX_COUNTS)
    n_counted = -(-len(axis) // every)
    counts: dict[str, NDArray[np.int32]] = {}
    symbols: Counter[str] = Counter()
    without: list[tuple[str, int, int]] = []
    n_rows = 0
    for symbol, each in sorted(inspections.items()):
        time_ns = decode_runs(each.runs)
        inside = members_at(memberships.get(symbol), time_ns)
        time_ns = time_ns if inside is None else time_ns[inside]
        n_rows += len(time_ns)
        runs = each.group_runs or ((int(axis[0]), None),)
        # A stretch of rows of one group ends where the next begins.
        edges = [*np.searchsorted(time_ns, [start for start, _ in runs]).tolist(), len(time_ns)]
        found: Counter[str | None] = Counter()
        for (_, name), start, end in zip(runs, edges[:-1], edges[1:], strict=True):
            found[name] += end - start
            if name is not None and end > start:
                places = np.searchsorted(axis, time_ns[start:end])
                places = places[places % every == 0] // every
                counts.setdefault(name, np.zeros(n_counted, dtype=np.int32))[places] += 1
        symbols.update(name for name, count in found.items() if name is not None and count)
        if found[None]:
            without.append((symbol, found[None], len(time_ns)))
    return Grouping(
        column=column,
        from_files=sources["files"],
        from_universe=sources["universe"],
        groups=tuple(
            GroupSize(name, symbols[name], *_median_and_largest(of))
            for name, of in sorted(counts.items())
        ),
        n_rows=n_rows,
        without=tuple(sorted(without, key=lambda item: (-item[1], item[0]))),
    )


def describe_groups(
    context: StageContext,
    frame: PanelFrame,
    inspections: Mapping[str, Grouped],
    memberships: Mapping[str, MembershipSpans | None],
) -> None:
    """Describe the groups within which symbols are compared, if the config asks for groups."""
    column, min_cs = context.config.columns.group, context.config.target_ranking.min_cs
    if column is None:
        return
    axis = context.run.read_table(frame.axis).column("time_ns").to_numpy()
    columns = context.batch.universe_columns
    found = find_groups(column, inspections, axis, memberships, columns)
    found.require_comparable(context.config.target_ranking)
    context.account.warn(found.warnings(min_cs))
    context.account.note(groups=found.to_record(min_cs))


def _median_and_largest(counts: NDArray[np.int32]) -> tuple[float, int]:
    there = counts[counts > 0]
    return (float(np.median(there)), int(there.max())) if len(there) else (0.0, 0)


def _nowhere(
    column: str, inspections: Mapping[str, Grouped], universe_columns: Sequence[str]
) -> str:
    """Say that the groups are nowhere, and suggest others."""
    kinds: dict[str, str] = {}
    for each in inspections.values():
        kinds |= {name: column_kind(arrow_type) for name, arrow_type in each.columns}
    texts = sorted(name for name, kind in kinds.items() if kind == "text" and name != "symbol")
    in_files = f"their text columns are {some_of(texts)}" if texts else "they have no text column"
    message = f"columns.group={column!r} is not a column of the symbols' files ({in_files})"
    if universe_columns:
        message += f", nor of data.universe, which has {some_of(list(universe_columns))}"
    else:
        message += " and data.universe has no groups either"
    return f"{message}. Name one of these, or give a table of symbol and {column} as data.universe."
