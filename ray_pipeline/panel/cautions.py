"""What a user should know about a panel before trusting results on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ray_pipeline.intervals import Interval
from ray_pipeline.panel.columns import MergedColumns
from ray_pipeline.panel.inspection import SymbolInspection, TableKind
from ray_pipeline.panel.mended_bars import MENDABLE
from ray_pipeline.panel.misfits import other_symbols
from ray_pipeline.panel.reading_rules import TimeRules
from ray_pipeline.panel.roles import ADJUSTED_IGNORED
from ray_pipeline.panel.telltales import find_telltales
from ray_pipeline.panel.time_axis import decode_runs, merge_axes, modal_step_ns, step_counts
from ray_pipeline.records import TARGET_PATTERNS, ColumnRoles, first_match
from ray_pipeline.wording import iso_time, some_of

__all__ = ["panel_warnings", "targets_not_asked_for", "unused_patterns"]

# Share of the panel's timestamps that a symbol may lack inside its own span without a warning.
_NOTABLE_ABSENCE = 0.05
_NS = 10**9
_DAY_NS = 86_400 * _NS
# A bar length that fewer than this share of the steps have is not a good description of the data.
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
    yield from _flawed_bars(inspections)
    yield from _leading_zeros(inspections)
    conflicts = {
        name: reason
        for name, reason in sorted(merged.conflicts.items())
        if name not in (roles.time, roles.symbol)
    }
    if conflicts:
        told = [f"{name!r}: {reason}" for name, reason in conflicts.items()]
        yield f"{_count(len(conflicts), 'column is', 'columns are')} ignored: {some_of(told, 5)}"
    if inspections[0].kind == "labeled":
        flat = [
            f"{name!r} ({reason})"
            for name, (kind, reason) in find_telltales(roles.targets, inspections, ()).items()
            if kind in ("constant", "empty")
        ]
        if flat:
            yield f"{_count(len(flat), 'target', 'targets')} cannot be ranked: {some_of(flat, 8)}"


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
            f"{some_of(aware, at_most=5)}; those without are read as UTC; set data.time_zone if "
            "they are not"
        )
    other = [
        inspection.symbol
        for inspection in inspections
        if (step := modal_step_ns(inspection.runs)) is not None and not interval.has_step(step)
    ]
    if other:
        yield f"most steps are not {interval.told} in {some_of(other, at_most=5)}"
    yield from _too_close(inspections, interval)
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
            f"symbols never share a timestamp: bars are stamped {'; '.join(groups)} UTC, so these "
            "groups are never compared with each other. If these are midnights or closes of "
            "several exchanges, data.trading_date: true reads each as its local date"
        )
        return
    yield from _absences(inspections)


def _too_close(inspections: Sequence[SymbolInspection], interval: Interval) -> Iterator[str]:
    """Report bars that lie within the previous one: one is of other data or another clock."""
    least_ns = interval.seconds * _NS // 2
    n_close = {
        each.symbol: n
        for each in inspections
        if (n := sum(n for step, n in step_counts(each.runs).items() if step < least_ns))
    }
    if not n_close:
        return
    worst = max(n_close, key=lambda symbol: n_close[symbol])
    times = decode_runs(next(each.runs for each in inspections if each.symbol == worst))
    at = int(np.flatnonzero(np.diff(times) < least_ns)[0])
    day = (
        " If they are the same day on two clocks, data.trading_date: true reads both as their date."
    )
    yield (
        f"bars come less than half of {interval.told} after the one before in "
        f"{some_of(sorted(n_close), at_most=5)}, {sum(n_close.values()):,} in all; the first of "
        f"{worst} at {iso_time(int(times[at]))} and {iso_time(int(times[at + 1]))}: labels and "
        f"features treat them as two bars.{'' if interval.is_intraday else day}"
    )


def _absences(inspections: Sequence[SymbolInspection]) -> Iterator[str]:
    """Name the symbols that lack the most of the panel's timestamps inside their own span."""
    axis = merge_axes(inspection.runs for inspection in inspections)
    notable = []
    for inspection in inspections:
        first, last = np.searchsorted(axis, (inspection.first_ts_ns, inspection.last_ts_ns))
        expected = int(last - first) + 1
        absent = expected - inspection.n_rows
        if absent > _NOTABLE_ABSENCE * expected:
            notable.append((-absent / expected, inspection.symbol, f"{absent} of {expected}"))
    if notable:
        worst = [f"{symbol} ({told})" for _, symbol, told in sorted(notable)]
        yield (
            f"{_count(len(notable), 'symbol lacks', 'symbols lack')} more than "
            f"{_NOTABLE_ABSENCE:.0%} of the panel's timestamps between its first and its last: "
            f"{some_of(worst, at_most=5)}"
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
    """Report files that contain another symbol than their folder, if most do."""
    others = other_symbols(inspections)
    if others:
        symbol, named = next(iter(others.items()))
        yield (
            f"files name other symbols than their folders in {some_of(list(others), at_most=5)} "
            f"({symbol} is {named[0][0]!r} inside); the names of the folders count"
        )


def _adjusted_prices(inspections: Sequence[SymbolInspection], roles: ColumnRoles) -> Iterator[str]:
    """Say which prices are used if there are both adjusted and unadjusted ones."""
    unused = [name for name, reason in roles.ignored if reason == ADJUSTED_IGNORED]
    closes = [name for name in unused if "close" in name.casefold()]
    if closes and inspections[0].kind == "bars":
        yield (
            f"prices are used as traded: column {closes[0]!r} beside them, adjusted for splits or "
            f"dividends, is not. To use it set data.columns: {{close: {closes[0]}}}"
        )


def _flawed_bars(inspections: Sequence[SymbolInspection]) -> Iterator[str]:
    """Count ticks, splits and stuck prices, and name the symbols that have the most."""
    what = {
        "ticks": "bars are far outside the range of their neighbours",
        "unadjusted_splits": "splits that prices are not adjusted for",
        "stuck_prices": "bars have a price that is stuck",
    }
    for rule in MENDABLE:
        found = [
            (-finding.count, each.symbol, finding.message)
            for each in inspections
            for finding in each.findings
            if finding.rule == rule
        ]
        if found:
            total = -sum(count for count, _, _ in found)
            n_symbols = len({symbol for _, symbol, _ in found})
            _, symbol, message = min(found)
            yield (
                f"{what[rule]}: {total} in {_count(n_symbols, 'symbol', 'symbols')}. "
                f"{'' if n_symbols == 1 else 'The most: '}{symbol}: {message}"
            )


def _leading_zeros(inspections: Sequence[SymbolInspection]) -> Iterator[str]:
    """Say which series begin with zeros, because they may not have existed then."""
    found = sorted(
        (-finding.count, each.symbol, each.n_rows)
        for each in inspections
        for finding in each.findings
        if finding.rule == "leading_zeros"
    )
    if found:
        told = [f"{symbol} ({-count:,} of {n_rows:,} rows)" for count, symbol, n_rows in found]
        yield (
            f"{_count(len(found), 'series begins', 'series begin')} with zeros: "
            f"{some_of(told, at_most=3)}. If nothing could be sold then, predicting 0 counts as "
            "skill but is not a discovery; data.universe sets the date from which a symbol exists"
        )


def _count(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"


def targets_not_asked_for(kind: TableKind, patterns: Sequence[str]) -> Iterator[str]:
    """Say that ``columns.targets`` chooses no computed targets, if it was set for them.

    Parameters
    ----------
    patterns
        The patterns of ``columns.targets``.
    """
    if kind != "labeled" and tuple(patterns) != TARGET_PATTERNS:
        yield (
            f"columns.targets is set ({some_of(list(patterns), 5)}), but it only chooses columns "
            f"of labeled tables, and these are {kind}, whose targets are computed: name them in "
            "labeling.targets instead"
        )


def unused_patterns(key: str, patterns: Iterable[str], targets: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each pattern of a config key that no target matches."""
    for pattern in patterns:
        if not any(first_match(target, [pattern]) for target in targets):
            yield f"{key}: no target is called {pattern!r}, so that entry does nothing"
