"""Probabilities, expected labels and intervals compared with outcomes (pure)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.calibration.records import CalibratedFigure, CalibrationPart, CalibrationRow
from ray_pipeline.statistics.reliability import Gap, mean_gap, tenths_of, with_shared_error
from ray_pipeline.wording import iso_time

__all__ = ["MIN_SYMBOL_ROWS", "ToldRows", "measure_intervals", "measure_predicted"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

MIN_SYMBOL_ROWS = 50
"""Of a symbol whose coverage is told: with fewer, the lowest is that of the shortest."""

_N_EIGHTHS = 8


@dataclass(frozen=True, slots=True, eq=False)
class ToldRows:
    """Rows of a target that have a label, with what they were told before it; of shape (n_rows,).

    Attributes
    ----------
    symbols
        Places in `names`.
    given
        Probabilities; or expected labels, lower and upper bounds: shape (n_rows, n_given). NaN
        where nothing was known yet.
    reach
        Timestamps that a label reaches over.
    """

    target: str
    names: tuple[str, ...]
    time_ns: Ints
    symbols: Ints
    outcomes: Floats
    given: Floats
    reach: float


def measure_predicted(rows: ToldRows, figure: CalibratedFigure) -> list[CalibrationRow]:
    """Compare probabilities or expected labels with labels: over all rows, and by tenths.

    Returns
    -------
    list
        None where nothing was predicted.
    """
    known = np.flatnonzero(np.isfinite(rows.given[:, 0]))
    if not len(known):
        return []
    predicted = rows.given[known, 0]
    variance = predicted * (1.0 - predicted) if figure == "probability" else None
    tenths = tenths_of(predicted)
    parts: list[tuple[CalibrationPart, int, Flags]] = [("all", 0, np.ones(len(known), np.bool_))]
    parts += [("tenth", int(i) + 1, tenths == i) for i in np.unique(tenths)]
    return [
        _row(
            rows,
            known[chosen],
            figure,
            (part, number),
            mean_gap(
                rows.time_ns[known[chosen]],
                predicted[chosen],
                rows.outcomes[known[chosen]],
                rows.reach,
                None if variance is None else variance[chosen],
            ),
        )
        for part, number, chosen in parts
    ]


def measure_intervals(rows: ToldRows, coverage: float) -> list[CalibrationRow]:
    """Count the labels that intervals held: over all rows, by eighths of time, and by symbol.

    Parameters
    ----------
    coverage
        Share of the labels that they are to hold.

    Returns
    -------
    list
        None where there was no interval.
    """
    low, high = rows.given[:, 1], rows.given[:, 2]
    known = np.flatnonzero(np.isfinite(low))
    if not len(known):
        return []
    outcomes = rows.outcomes[known]
    bounds = np.quantile(outcomes, [(1.0 - coverage) / 2.0, (1.0 + coverage) / 2.0])
    inside = _inside(outcomes, low[known], high[known])
    naive = _inside(outcomes, *bounds)
    width = high[known] - low[known]
    _, place = np.unique(rows.time_ns[known], return_inverse=True)
    eighths = place * _N_EIGHTHS // (int(place.max()) + 1)
    parts: list[tuple[CalibrationPart, int, Flags]] = [("all", 0, np.ones(len(known), np.bool_))]
    parts += [("eighth", int(i) + 1, eighths == i) for i in np.unique(eighths)]
    symbols = rows.symbols[known]
    picked = _picked(symbols, inside)
    parts += [("symbol", i + 1, symbols == symbol) for i, symbol in enumerate(picked.chosen)]
    nominal = np.full(len(known), coverage)
    variance = nominal * (1.0 - nominal)
    gaps = [
        mean_gap(
            rows.time_ns[known[chosen]],
            nominal[chosen],
            inside[chosen],
            rows.reach,
            variance[chosen],
        )
        for _, _, chosen in parts
    ]
    n_eighths = sum(part == "eighth" for part, _, _ in parts)
    gaps[1 : 1 + n_eighths] = with_shared_error(gaps[1 : 1 + n_eighths])
    return [
        _row(
            rows,
            known[chosen],
            "interval",
            (part, number),
            replace(gap, predicted=coverage),  # the mean of equal numbers is off in a last digit
            widths=(float(width[chosen].mean()), float(bounds[1] - bounds[0])),
            naive=float(naive[chosen].mean()),
            n_symbols=picked.n_symbols if part == "symbol" else None,
        )
        for (part, number, chosen), gap in zip(parts, gaps, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Picked:
    """Symbols that stand for all: with the lowest, the middle and the highest coverage."""

    chosen: tuple[int, ...]
    n_symbols: int


def _picked(symbols: Ints, inside: Floats) -> _Picked:
    counts = np.bincount(symbols)
    of_enough = np.flatnonzero(counts >= MIN_SYMBOL_ROWS)
    if len(of_enough) < 2:
        return _Picked((), len(of_enough))
    coverage = np.bincount(symbols, inside)[of_enough] / counts[of_enough]
    order = of_enough[np.argsort(coverage, kind="stable")]
    chosen = (order[0], order[len(order) // 2], order[-1])
    return _Picked(tuple(int(symbol) for symbol in chosen), len(of_enough))


def _inside(outcomes: Floats, low: Floats | float, high: Floats | float) -> Floats:
    found: Floats = ((outcomes >= low) & (outcomes <= high)).astype(np.float64)
    return found


def _row(
    rows: ToldRows,
    chosen: Ints,
    figure: CalibratedFigure,
    part: tuple[CalibrationPart, int],
    gap: Gap,
    *,
    widths: Sequence[float] = (math.nan, math.nan),
    naive: float = math.nan,
    n_symbols: int | None = None,
) -> CalibrationRow:
    times = rows.time_ns[chosen]
    symbols = np.unique(rows.symbols[chosen])
    return CalibrationRow(
        target=rows.target,
        figure=figure,
        part=part[0],
        number=part[1],
        symbol=rows.names[int(symbols[0])] if part[0] == "symbol" else None,
        first_ts=iso_time(int(times.min())),
        last_ts=iso_time(int(times.max())),
        n_rows=gap.n_rows,
        n_times=gap.n_times,
        n_symbols=len(symbols) if n_symbols is None else n_symbols,
        predicted=gap.predicted,
        observed=gap.observed,
        std_error=gap.std_error,
        p_value=gap.p_value,
        width=widths[0],
        naive_width=widths[1],
        naive_observed=naive,
    )
