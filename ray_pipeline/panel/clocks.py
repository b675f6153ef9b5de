"""The clocks of a batch's symbols: sessions, days of a year, and labels without a bar."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ray_pipeline.bars.clock import find_clock, reach_of_labels
from ray_pipeline.intervals import Interval
from ray_pipeline.panel.inspection import SymbolInspection
from ray_pipeline.panel.time_axis import decode_runs
from ray_pipeline.records import Horizon, TimeRun
from ray_pipeline.wording import some_of

__all__ = ["PanelClocks", "read_clocks"]

_PERIODS = {1: 12, 3: 4, 12: 1}
_WEEK_S = 7 * 86_400

# Shares of missing labels from which on they are reported: over all symbols, and in the worst one.
_NOTABLE, _NOTABLE_OF_ONE = 0.01, 0.05
_N_WORST = 3


@dataclass(frozen=True, slots=True)
class PanelClocks:
    """What the symbols' clocks say about a panel.

    Attributes
    ----------
    sessions
        (bars of a session, periods of a year, symbols), the commonest first. A period is a bar.
    wanting
        (horizon, by symbol: rows whose label lacks a bar, and rows whose horizon is within the
        data).
    """

    sessions: tuple[tuple[int, int, tuple[str, ...]], ...]
    wanting: tuple[tuple[Horizon, Mapping[str, tuple[int, int]]], ...]

    @property
    def session_bars(self) -> int:
        """Bars of a session of most symbols."""
        return self.sessions[0][0]

    @property
    def longest_session(self) -> int:
        """Bars of the longest session of any symbol."""
        return max(bars for bars, _, _ in self.sessions)

    @property
    def shorter(self) -> tuple[tuple[int, tuple[str, ...]], ...]:
        """Symbols whose sessions are shorter than the longest, by their bars."""
        longest = self.longest_session
        found: dict[int, tuple[str, ...]] = {}
        for bars, _, symbols in self.sessions:
            if bars < longest:
                found[bars] = (*found.get(bars, ()), *symbols)
        return tuple(found.items())

    def warnings(self, targets: Mapping[str, Horizon]) -> Iterator[str]:
        """Yield a sentence about differing sessions, and one for each horizon that lacks bars.

        Parameters
        ----------
        targets
            Horizons of the labels that are computed, by target.
        """
        if len({bars for bars, _, _ in self.sessions}) > 1:
            told = "; ".join(
                f"{bars} in {some_of(symbols, at_most=3)}" for bars, _, symbols in self.sessions
            )
            yield (
                f"sessions differ in their number of bars: {told}. A day is each symbol's own "
                "session, and symbols are compared only if their horizons end together"
            )
        for horizon, by_symbol in self.wanting:
            names = sorted(name for name, own in targets.items() if own == horizon)
            n_wanting = sum(n for n, _ in by_symbol.values())
            n_rows = sum(n for _, n in by_symbol.values())
            shares = {symbol: n / of for symbol, (n, of) in by_symbol.items() if of}
            worst = sorted(shares, key=lambda symbol: (-shares[symbol], symbol))[:_N_WORST]
            if not worst or (n_wanting < _NOTABLE * n_rows and shares[worst[0]] < _NOTABLE_OF_ONE):
                continue
            most = ", ".join(f"{symbol} ({shares[symbol]:.1%})" for symbol in worst)
            yield (
                f"{some_of(names, at_most=3)}: {n_wanting / n_rows:.1%} of the labels are missing "
                f"because there is no bar where the horizon ends on the clock, most in {most}. A "
                "horizon in bars, e.g. 12b, counts existing rows instead"
            )


def read_clocks(
    inspections: Sequence[SymbolInspection], interval: Interval, horizons: Sequence[Horizon]
) -> PanelClocks:
    """Find the clock of every symbol; symbols that share their timestamps share it.

    Parameters
    ----------
    inspections
        At least one.
    horizons
        Of labels that are computed from bars.
    """
    of_axis: dict[tuple[TimeRun, ...], list[str]] = {}
    for inspection in inspections:
        of_axis.setdefault(inspection.runs, []).append(inspection.symbol)
    sessions: dict[tuple[int, int], list[str]] = {}
    by_clock = sorted({horizon for horizon in horizons if horizon.unit != "rows"})
    wanting: dict[Horizon, dict[str, tuple[int, int]]] = {horizon: {} for horizon in by_clock}
    for runs, symbols in of_axis.items():
        time_ns = decode_runs(runs)
        clock = find_clock(time_ns, interval)
        periods = _periods(interval, clock.session_bars, clock.days_per_year)
        sessions.setdefault((clock.session_bars, periods), []).extend(symbols)
        for horizon, found in wanting.items():
            reach = reach_of_labels(time_ns, horizon, clock)
            found.update(dict.fromkeys(symbols, (reach.n_wanting, reach.n_in_data)))
    n_symbols = Counter({key: len(symbols) for key, symbols in sessions.items()})
    in_order = sorted(sessions, key=lambda key: (-n_symbols[key], -key[0], -key[1]))
    by_session = ((*key, tuple(sorted(sessions[key]))) for key in in_order)
    return PanelClocks(tuple(by_session), tuple(wanting.items()))


def _periods(interval: Interval, session_bars: int, days_per_year: int | None) -> int:
    """Return the bars of a year: by the calendar, or of its sessions."""
    if interval.unit == "mo":
        return _PERIODS.get(interval.count) or max(round(12 / interval.count), 1)
    if days_per_year is None:
        weeks = interval.seconds / _WEEK_S
        return max(round(52 / weeks), 1)
    return session_bars * days_per_year
