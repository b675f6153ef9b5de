"""Probabilities, expected labels and intervals compared with outcomes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ray_pipeline.calibration.meanings import Meaning, make_map
from ray_pipeline.calibration.measuring import (
    MIN_SYMBOL_ROWS,
    ToldRows,
    measure_intervals,
    measure_predicted,
)
from ray_pipeline.calibration.records import CalibrationRow
from ray_pipeline.results.calibration import beyond_luck, calibration_sentences
from ray_pipeline.statistics.delayed_outcomes import NEVER, DelayedRows, walk_online

Floats = NDArray[np.float64]

DAY = 86_400 * 10**9
N_TIMES, N_SYMBOLS = 500, 10


def _told(given: Floats, outcomes: Floats, reach: float = 1.0) -> ToldRows:
    times = np.repeat(np.arange(N_TIMES), N_SYMBOLS)
    return ToldRows(
        "y",
        tuple(f"S{i}" for i in range(N_SYMBOLS)),
        DAY * (16_000 + times),
        np.tile(np.arange(N_SYMBOLS), N_TIMES),
        outcomes,
        given if given.ndim == 2 else given[:, None],
        reach,
    )


def _part(rows: Sequence[CalibrationRow], part: str) -> list[CalibrationRow]:
    return [row for row in rows if row.part == part]


def _dicts(rows: Sequence[CalibrationRow]) -> list[dict[str, Any]]:
    return [asdict(row) for row in rows]


def test_known_probabilities_are_found_right() -> None:
    """Tenths show what was said within their errors, and the sentence says so."""
    rng = np.random.default_rng(0)
    true = rng.uniform(0.2, 0.8, N_TIMES * N_SYMBOLS)
    rows = measure_predicted(_told(true, (rng.uniform(size=len(true)) < true) * 1.0), "probability")
    tenths = _part(rows, "tenth")
    assert [row.number for row in tenths] == list(range(1, 11))
    assert {row.n_rows for row in tenths} == {len(true) // 10}
    for row in tenths:
        assert row.std_error == pytest.approx(
            math.sqrt(row.predicted * (1 - row.predicted) / row.n_rows), rel=0.5
        )
        assert abs(row.observed - row.predicted) < 3.5 * row.std_error
    assert (np.diff([row.predicted for row in tenths]) > 0).all()
    (whole,) = _part(rows, "all")
    assert (whole.n_rows, whole.n_times, whole.n_symbols) == (len(true), N_TIMES, N_SYMBOLS)
    assert whole.predicted == pytest.approx(true.mean())
    assert whole.first_ts[:10] == "2013-10-22"
    assert beyond_luck(_dicts(rows)) == []
    (sentence,) = calibration_sentences(_dicts(rows))
    assert sentence.startswith("Probabilities can be believed: over 5,000 rows")


@pytest.mark.parametrize(
    ("said", "which"),
    [
        (lambda p: np.clip(p + 0.1, 0, 1), set(range(1, 11))),
        (lambda p: 0.5 + 2 * (p - 0.5), {1, 10}),
    ],
)
def test_wrong_probabilities_are_seen_where_they_are_wrong(said: Any, which: set[int]) -> None:
    """Too high throughout, or too far from a half: in the tenths where it is so."""
    rng = np.random.default_rng(1)
    true = rng.uniform(0.3, 0.7, N_TIMES * N_SYMBOLS)
    rows = measure_predicted(
        _told(said(true), (rng.uniform(size=len(true)) < true) * 1.0), "probability"
    )
    off = {row["number"] for row in beyond_luck(_dicts(rows)) if row["part"] == "tenth"}
    assert off >= which if len(which) == 2 else len(off) >= 8
    assert not off & {5, 6} if len(which) == 2 else True
    (sentence,) = calibration_sentences(_dicts(rows))
    assert sentence.startswith("Probabilities are off: ")
    assert "off by more than luck, most where" in sentence


def test_what_says_nothing_is_not_praised() -> None:
    """Expected labels that differ by chance alone are right on average, and tell nothing apart."""
    rng = np.random.default_rng(10)
    said = 0.001 + 1e-6 * rng.normal(size=N_TIMES * N_SYMBOLS)
    came = 0.001 + 0.01 * rng.normal(size=len(said))
    rows = _dicts(measure_predicted(_told(said, came), "expected"))
    tenths = [row for row in rows if row["part"] == "tenth"]
    tenths[0]["observed"], tenths[-1]["observed"] = 0.0012, 0.0008
    (sentence,) = calibration_sentences(rows)
    assert sentence.startswith("Expected labels are within luck of what came, and tell no rows")


def test_coverage_is_that_of_the_rows() -> None:
    """Counted by hand: over all, by eighths of the timestamps, and of the symbols at the ends."""
    rng = np.random.default_rng(2)
    n = N_TIMES * N_SYMBOLS
    outcomes = rng.normal(size=n)
    low, high = np.full(n, -1.2816), np.full(n, 1.2816)
    # From the middle on everything is twice as wild, and of the first symbol all along.
    late = np.repeat(np.arange(N_TIMES), N_SYMBOLS) >= N_TIMES // 2
    outcomes[late] *= 2
    outcomes[::N_SYMBOLS] *= 2
    told = _told(np.column_stack([np.zeros(n), low, high]), outcomes)
    rows = measure_intervals(told, 0.8)
    inside = (outcomes >= low) & (outcomes <= high)
    (whole,) = _part(rows, "all")
    assert whole.predicted == 0.8
    assert whole.observed == pytest.approx(inside.mean())
    assert whole.width == pytest.approx(2.5632)
    bounds = np.quantile(outcomes, [0.1, 0.9])
    assert whole.naive_width == pytest.approx(bounds[1] - bounds[0])
    assert whole.naive_observed == pytest.approx(0.8, abs=0.001)
    eighths = _part(rows, "eighth")
    place = np.repeat(np.arange(N_TIMES), N_SYMBOLS) * 8 // N_TIMES
    assert [row.observed for row in eighths] == pytest.approx(
        [inside[place == i].mean() for i in range(8)]
    )
    off = [row["number"] for row in beyond_luck(_dicts([*_part(rows, "all"), *eighths]))]
    assert {5, 6, 7, 8} <= set(off)
    lowest, middle, highest = _part(rows, "symbol")
    assert (lowest.symbol, lowest.n_symbols) == ("S0", N_SYMBOLS)
    assert lowest.observed == pytest.approx(inside[::N_SYMBOLS].mean())
    assert lowest.observed < middle.observed <= highest.observed
    (sentence,) = calibration_sentences(_dicts(rows))
    assert sentence.startswith("Intervals are off: they held ")


def test_a_walk_that_learns_keeps_its_coverage_through_a_storm() -> None:
    """Intervals as predict gives them: their misses are spread, where a fixed one has its own."""
    rng = np.random.default_rng(3)
    horizon, n_times, n_symbols = 2, 3_000, 6
    scale = np.exp(np.sin(np.arange(n_times) / n_times * 2 * np.pi))
    steps = rng.normal(size=(n_times + horizon, n_symbols)) + rng.normal(
        size=(n_times + horizon, 1)
    )
    steps[:n_times] *= scale[:, None]
    sums = np.cumsum(np.vstack([np.zeros(n_symbols), steps]), axis=0)
    labels = (sums[horizon : n_times + horizon] - sums[:n_times]).ravel()
    times = np.repeat(np.arange(n_times), n_symbols) * DAY
    known = np.where(times < (n_times - horizon) * DAY, times + horizon * DAY, NEVER)
    symbols = np.tile(np.arange(n_symbols), n_times)
    walk = DelayedRows(times, known, symbols, rng.uniform(size=len(times)), labels)
    meaning = Meaning("y", "regression", horizon, 0.8)
    given = walk_online(make_map(meaning, n_symbols), walk)[:, :3]
    told = ToldRows("y", tuple("ABCDEF"), times, symbols, labels, given, float(horizon))
    rows = _dicts(measure_intervals(told, 0.8))
    (whole,) = (row for row in rows if row["part"] == "all")
    assert whole["observed"] == pytest.approx(0.8, abs=0.03)
    assert whole["p_value"] > 0.05
    eighths = [row for row in rows if row["part"] == "eighth"]
    spread, naive = (
        np.ptp([row[name] for row in eighths]) for name in ("observed", "naive_observed")
    )
    assert spread < naive / 2
    sentence = calibration_sentences(rows)[0]
    assert "off" not in sentence.partition(":")[0]


def test_rows_that_were_told_nothing_do_not_count() -> None:
    """Before anything was known there is no probability; of no rows there is no figure."""
    rng = np.random.default_rng(4)
    said = rng.uniform(0.4, 0.6, N_TIMES * N_SYMBOLS)
    said[:100] = np.nan
    outcomes = np.ones(len(said))
    assert measure_predicted(_told(said, outcomes), "probability")[0].n_rows == len(said) - 100
    nothing = np.full((len(said), 3), np.nan)
    assert measure_predicted(_told(nothing, outcomes), "expected") == []
    assert measure_intervals(_told(nothing, outcomes), 0.9) == []


def test_symbols_with_few_rows_are_no_extremes() -> None:
    """The lowest coverage would be that of the shortest history."""
    rng = np.random.default_rng(5)
    n = N_TIMES * N_SYMBOLS
    told = _told(np.column_stack([np.zeros(n), np.full(n, -1.0), np.ones(n)]), rng.normal(size=n))
    # Of the last symbol all but a few rows were told nothing, and all of these are outside.
    last = np.flatnonzero(told.symbols == N_SYMBOLS - 1)
    told.given[last[MIN_SYMBOL_ROWS - 1 :]] = np.nan
    told.outcomes[last] = 50.0
    lowest, _, _ = _part(measure_intervals(told, 0.68), "symbol")
    assert lowest.symbol != f"S{N_SYMBOLS - 1}"
    assert lowest.n_symbols == N_SYMBOLS - 1


def test_with_few_timestamps_nothing_is_claimed() -> None:
    """Labels over a hundred timestamps leave five that do not overlap: no error, no verdict."""
    rng = np.random.default_rng(6)
    said = rng.uniform(0.4, 0.6, N_TIMES * N_SYMBOLS)
    rows = measure_predicted(_told(said, np.ones(len(said)), 150.0), "probability")
    assert all(math.isnan(row.std_error) and math.isnan(row.p_value) for row in rows)
    (sentence,) = calibration_sentences(_dicts(rows))
    assert sentence.startswith("Probabilities, too early to tell: ")
    assert "luck" not in sentence
