"""What a user should know of a panel before trusting results on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ray_pipeline.intervals import Interval
from ray_pipeline.panel.columns import MergedColumns
from ray_pipeline.panel.inspection import SymbolInspection
from ray_pipeline.panel.misfits import other_symbols
from ray_pipeline.panel.reading_rules import TimeRules
from ray_pipeline.panel.roles import ADJUSTED_IGNORED
from ray_pipeline.panel.time_axis import merge_axes, modal_step_ns, step_counts
from ray_pipeline.records import ColumnRoles, first_match
from ray_pipeline.wording import iso_time, some_of

__all__ = ["empty_columns", "panel_warnings", "unused_patterns"]

# Share of the panel's timestamps that a symbol may lack inside its own span before it is said.
_NOTABLE_ABSENCE = 0.05
_DAY_NS = 86_400 * 10**9
# A bar length that fewer than this share of the steps have is no good description of the data.
_REGULAR_SHARE = 0.5


def panel_warnings(
    inspections: Sequence[SymbolInspection],
    roles: ColumnRoles,
    merged: MergedColumns,
    interval: Interval,
    rules: TimeRules,
) -> Iterator[str]:
    """Yield one sentence for each thing a user should know before trusting the panel.

    Parameters
    ----------
    inspections
        All of one kind, sorted by symbol.
    roles, merged
        Roles of the union of the columns, and that union.
    interval
        Length of a bar.
    rules
        How times are read.
    """
    yield from _time_warnings(inspections, interval, rules)
    yield from _adjusted_prices(inspections, roles)
    yield from _other_names(inspections)
    for name in sorted(merged.conflicts):
        if name not in (roles.time, roles.symbol):
            yield f"column {name!r} is ignored: {merged.conflicts[name]}"
    if inspections[0].kind == "labeled":
        for name, reason in empty_columns(roles.targets, inspections).items():
            yield f"target {name!r} cannot be ranked: {reason}"


def _time_warnings(
    inspections: Sequence[SymbolInspection], interval: Interval, rules: TimeRules
) -> Iterator[str]:
    names = sorted({inspection.time_column for inspection in inspections})
    if len(names) > 1:
        yield f"time columns are called {', '.join(names)} in different symbols"
    naive = [each.symbol for each in inspections if "naive" in each.clocks]
    aware = [each.symbol for each in inspections if "aware" in each.clocks]
    if naive and aware and rules.zone is None and not rules.trading_date:
        yield (
            f"times have no zone in {some_of(naive, at_most=5)} and one in "
            f"{some_of(aware, at_most=5)}; those without are taken as UTC: data.time_zone says "
            "what they are"
        )
    other = [
        inspection.symbol
        for inspection in inspections
        if (step := modal_step_ns(inspection.runs)) is not None and not interval.has_step(step)
    ]
    if other:
        yield f"most steps are not {interval.told} in {some_of(other, at_most=5)}"
    counts: Counter[int] = Counter()
    for inspection in inspections:
        counts.update(step_counts(inspection.runs))
    n_regular = sum(n for step, n in counts.items() if interval.has_step(step))
    if counts.total() and n_regular < _REGULAR_SHARE * counts.total():
        share = n_regular / counts.total()
        yield (
            f"only {share:.0%} of the steps between bars are {interval.told}: bars are irregular"
        )
    apart = _apart(inspections) if not interval.is_intraday else []
    if len(apart) > 1:
        groups = [f"{some_of(symbols, at_most=3)} at {clock}" for clock, symbols in apart[:5]]
        yield (
            f"symbols never share a timestamp: bars are stamped {'; '.join(groups)} UTC, so "
            "nothing compares these groups with each other. If these are midnights, or closes, of "
            "several exchanges, data.trading_date: true reads each as its local date"
        )
        return
    axis = merge_axes(inspection.runs for inspection in inspections)
    for inspection in inspections:
        first, last = np.searchsorted(axis, (inspection.first_ts_ns, inspection.last_ts_ns))
        expected = int(last - first) + 1
        absent = expected - inspection.n_rows
        if absent > _NOTABLE_ABSENCE * expected:
            yield (
                f"{inspection.symbol} lacks {absent} of the panel's {expected} timestamps "
                "between its first and its last"
            )


def _apart(inspections: Sequence[SymbolInspection]) -> list[tuple[str, list[str]]]:
    """Group symbols by the times of a day at which they have bars; groups share none.

    Returns
    -------
    list
        (a time of the day, symbols), those of most symbols first.
    """
    groups: list[tuple[set[int], list[str]]] = []
    for inspection in inspections:
        times = {run.start_ns % _DAY_NS for run in inspection.runs}
        times |= {
            (run.start_ns + run.step_ns * (run.count - 1)) % _DAY_NS for run in inspection.runs
        }
        symbols = [inspection.symbol]
        for group in [group for group in groups if group[0] & times]:
            groups.remove(group)
            times |= group[0]
            symbols = [*group[1], *symbols]
        groups.append((times, sorted(symbols)))
    groups.sort(key=lambda group: (-len(group[1]), group[1]))
    return [(iso_time(min(times))[11:16], symbols) for times, symbols in groups]


def _other_names(inspections: Sequence[SymbolInspection]) -> Iterator[str]:
    """Say where files call their symbol otherwise than their folder does, as most of them do."""
    others = other_symbols(inspections)
    if others:
        symbol, named = next(iter(others.items()))
        yield (
            f"files name other symbols than their folders in {some_of(list(others), at_most=5)} "
            f"({symbol} is {named[0][0]!r} inside); the names of the folders count"
        )


def _adjusted_prices(inspections: Sequence[SymbolInspection], roles: ColumnRoles) -> Iterator[str]:
    """Say which prices are used where adjusted ones stand beside those as traded."""
    unused = [name for name, reason in roles.ignored if reason == ADJUSTED_IGNORED]
    closes = [name for name in unused if "close" in name.casefold()]
    if closes and inspections[0].kind == "bars":
        yield (
            f"prices are used as traded: column {closes[0]!r} beside them, adjusted for splits or "
            f"dividends, is not. To use it set data.columns: {{close: {closes[0]}}}"
        )


def empty_columns(names: Sequence[str], inspections: Sequence[SymbolInspection]) -> dict[str, str]:
    """Return those of `names` that are missing or one and the same number everywhere, and why."""
    seen: dict[str, set[float]] = {name: set() for name in names}
    for inspection in inspections:
        present = {name for name, _ in inspection.columns}
        n_missing, constant = dict(inspection.n_missing), dict(inspection.constant)
        for name in [name for name in seen if name in present]:
            if n_missing.get(name, 0) == inspection.n_rows:
                continue
            if name not in constant:
                del seen[name]
            else:
                seen[name].add(constant[name])
    return {
        name: f"always {min(values):g}, in every symbol" if values else "no value in any symbol"
        for name, values in seen.items()
        if len(values) <= 1
    }


def unused_patterns(key: str, patterns: Iterable[str], targets: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each pattern of a config key that no target matches."""
    for pattern in patterns:
        if not any(first_match(target, [pattern]) for target in targets):
            yield f"{key}: no target is called {pattern!r}, so that entry does nothing"
