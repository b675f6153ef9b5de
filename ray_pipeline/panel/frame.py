"""The fixed frame of a run: its time axis, folds, columns and targets.

Decided once by the driver, small enough to travel with every unit of work.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Container
from dataclasses import dataclass, replace
from typing import assert_never

from ray_pipeline.panel.loading import TableRequest
from ray_pipeline.records import TargetSpec, View
from ray_pipeline.statistics.folds import Fold

__all__ = ["PanelFrame", "derive_seed", "positions_spanned"]


@dataclass(frozen=True, slots=True)
class PanelFrame:
    """What every unit needs to know about the panel.

    Attributes
    ----------
    axis
        Name of the table in the run directory that holds the panel's unique timestamps; the
        name contains their hash.
    n_timestamps
        Length of that axis.
    folds
        Walk-forward folds in positions on that axis.
    embargo
        Positions between a training label and the test fold, in addition to the purge.
    request
        Columns of a symbol's table.
    targets
        Targets under study.
    seed
        The run's seed.
    bar_positions
        Positions from one bar of a symbol to its next: 1 where all symbols share their timestamps,
        more if those of other symbols lie in between.
    clock_positions
        Positions within the length of a bar by the clock: 1 on a grid that all symbols share.
    final_start
        First position of the final models' training rows; None if the training window expands, in
        every fold and at the end.
    shorter_sessions
        (bars of a session, symbols) for symbols with fewer than the session in which horizons are
        given.
    """

    axis: str
    n_timestamps: int
    folds: tuple[Fold, ...]
    embargo: int
    request: TableRequest
    targets: tuple[TargetSpec, ...]
    seed: int
    bar_positions: float = 1.0
    clock_positions: float = 1.0
    final_start: int | None = None
    shorter_sessions: tuple[tuple[int, tuple[str, ...]], ...] = ()

    @property
    def test_start(self) -> int:
        """First position that any fold tests."""
        return self.folds[0].test_start

    @property
    def is_rolling(self) -> bool:
        """Whether models train on a window before their fold, not on all that came before."""
        return self.final_start is not None

    @property
    def final_fold(self) -> Fold:
        """The final models' fold: it begins where the data end."""
        return Fold(len(self.folds), self.n_timestamps, self.n_timestamps, self.final_start or 0)

    def positions_of(self, bars: int) -> int:
        """Return the positions that a number of bars of a symbol spans."""
        return positions_spanned(bars, self.bar_positions)

    def span_of(self, target: TargetSpec, view: View, symbol: str | None = None) -> int:
        """Return the span of the target's labels in the time of a view.

        Positions of the panel across symbols, rows of the symbol over its own time.

        Parameters
        ----------
        symbol
            The symbol whose time is used: a day is its own session.
        """
        match view:
            case "cross_sectional":
                if target.clock is not None:
                    return positions_spanned(target.horizon_bars, self.clock_positions)
                return self.positions_of(target.horizon_bars)
            case "symbol_specific":
                if symbol is not None and target.clock is not None:
                    for session_bars, symbols in self.shorter_sessions:
                        if symbol in symbols:
                            return target.clock.in_bars(session_bars)
                return target.horizon_bars
            case _:
                assert_never(view)

    @property
    def grows(self) -> bool:
        """Whether the panel is read up to a date, and grows by whole folds.

        The results of a fold then depend only on earlier data, and can be kept.
        """
        return self.request.rules.until_ns is not None

    def narrowed(self, targets: Container[str]) -> PanelFrame:
        """Return the frame with only these targets, in their current order."""
        # The request does not change, so that a worker's cached table can still be used.
        return replace(self, targets=tuple(t for t in self.targets if t.name in targets))

    def without_features(self, dropped: frozenset[str]) -> PanelFrame:
        """Return the frame without some features."""
        kept = tuple(name for name in self.request.features if name not in dropped)
        return replace(self, request=replace(self.request, features=kept))


def positions_spanned(bars: int, bar_positions: float) -> int:
    """Return the panel positions that bars of a symbol span, at so many positions a bar."""
    return math.ceil(bars * bar_positions)


def derive_seed(seed: int, *names: str) -> int:
    """Derive a seed from the run's and from names, never from a position or a clock.

    Examples
    --------
    >>> derive_seed(7, "ranking", "AAPL") == derive_seed(7, "ranking", "AAPL")
    True
    """
    text = "\x1f".join((str(seed), *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
