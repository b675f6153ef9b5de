"""A sample of the sources' times: the distance between bars, before anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.importing.chunks import GroupSpan
from ray_pipeline.importing.columns import TIME, ColumnPlan, Given
from ray_pipeline.importing.reading import Tally, read_span
from ray_pipeline.importing.sources import SourceFile
from ray_pipeline.intervals import Interval
from ray_pipeline.panel.reading_rules import TimeRules
from ray_pipeline.storage import FileSystem

__all__ = ["SampledTimes", "interval_of", "sample_times", "spread"]

_N_PLACES = 4
"""Positions in the order of files at which some consecutive files are read, such as consecutive
days."""

_N_IN_A_ROW = 3
_N_SYMBOLS = 50
_NS = 10**9


@dataclass(frozen=True, slots=True)
class SampledTimes:
    """Sorted, unique times of a few symbols; and the share of repeated rows."""

    by_symbol: tuple[NDArray[np.int64], ...]
    repeated_share: float

    @property
    def usual_step(self) -> tuple[int | None, float, int]:
        """Return the most frequent step in nanoseconds, its share, and how many steps there are.

        Of equally frequent ones, the smallest.
        """
        counts: Counter[int] = Counter()
        for times in self.by_symbol:
            counts.update(np.diff(times).tolist())
        if not counts:
            return None, 0.0, 0
        step = min(counts, key=lambda step: (-counts[step], step))
        return step, counts[step] / counts.total(), counts.total()


def spread(files: Sequence[SourceFile]) -> list[SourceFile]:
    """Return some consecutive files at some positions, in order."""
    starts = np.linspace(0, max(0, len(files) - _N_IN_A_ROW), _N_PLACES).round().astype(int)
    places = {int(start) + i for start in starts for i in range(_N_IN_A_ROW)}
    return [files[place] for place in sorted(places) if place < len(files)]


def sample_times(
    fs: FileSystem, files: Sequence[SourceFile], given: Given, rules: TimeRules
) -> SampledTimes:
    """Read the times of a few symbols."""
    by_symbol: dict[str, list[NDArray[np.int64]]] = {}
    plan = ColumnPlan(given, (), ())
    for file in spread(files):
        rows = next(read_span(fs, file, GroupSpan(0, 0, 1), plan, rules, None, Tally()), None)
        if rows is None:
            continue
        time_ns, codes = rows.table[TIME].to_numpy(), rows.symbols.indices.to_numpy()
        for code, symbol in enumerate(rows.symbols.dictionary.to_pylist()):
            if symbol in by_symbol or len(by_symbol) < _N_SYMBOLS:
                by_symbol.setdefault(symbol, []).append(time_ns[codes == code])
    n_rows = sum(len(part) for parts in by_symbol.values() for part in parts)
    times = tuple(np.unique(np.concatenate(parts)) for parts in by_symbol.values())
    return SampledTimes(times, 1.0 - sum(map(len, times)) / max(n_rows, 1))


def interval_of(step_ns: int) -> Interval | None:
    """Return the length of bars at this distance."""
    for months in (1, 3, 12):
        found = Interval(months, "mo")
        if found.has_step(step_ns):
            return found
    return Interval(step_ns // _NS) if step_ns % _NS == 0 and step_ns else None
