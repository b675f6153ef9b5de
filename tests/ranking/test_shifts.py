"""Rolled labels: which shifts, where each label comes from, what may train, and the p-value."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.ranking.shifts import (
    LEAST_SHIFTS,
    RolledLabels,
    draw_shifts,
    roll_rows,
    shift_p_value,
)
from ray_pipeline.statistics.folds import label_end_positions

N = 60


# the draw


@pytest.mark.parametrize(("n_timestamps", "horizon"), [(400, 1), (1000, 10), (5000, 60)])
def test_shifts_stay_away_from_no_shift_at_all(n_timestamps: int, horizon: int) -> None:
    """Distinct, ascending, and further from 0 and N than a horizon and the memory of the data."""
    shifts = draw_shifts(n_timestamps, LEAST_SHIFTS, horizon, 3)
    assert len(set(shifts)) == LEAST_SHIFTS
    assert list(shifts) == sorted(shifts)
    margin = horizon + max(3 * horizon, 1.3 * math.sqrt(n_timestamps))
    assert margin <= shifts[0]
    assert shifts[-1] <= n_timestamps - margin


def test_the_seed_alone_decides_the_draw() -> None:
    """Again the same, and others with another seed."""
    assert draw_shifts(1000, 30, 5, 1) == draw_shifts(1000, 30, 5, 1) != draw_shifts(1000, 30, 5, 2)


def test_shifts_that_say_the_same_are_refused() -> None:
    """They must be a horizon apart, and a sampled timestamp: how many that leaves is told."""
    assert len(draw_shifts(1000, 42, 20, 0)) == 42
    with pytest.raises(DataError, match=r"n_shifts=43 .* hold 42 shifts .* 20 apart.* at most 42"):
        draw_shifts(1000, 43, 20, 0)
    # 1.3·√1000 = 42 bars of memory, a quarter of which counts more than a horizon of one bar.
    with pytest.raises(DataError, match=r"hold 83 shifts that are 11 apart"):
        draw_shifts(1000, 84, 1, 0)
    with pytest.raises(DataError, match=r"hold 18 shifts that are 50 apart\. Use more rows"):
        draw_shifts(1000, 19, 5, 0, spacing=49.5)
    with pytest.raises(DataError, match=r"the other 0 hold 0 shifts"):
        draw_shifts(80, 19, 20, 0)


# the roll


def _ragged(random: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Positions and symbols of three symbols: whole, with gaps, and listed late."""
    kept = [np.arange(N), np.flatnonzero(random.random(N) < 0.6), np.arange(35, N)]
    positions = np.concatenate(kept)
    symbols = np.repeat(np.arange(3, dtype=np.int32), [len(rows) for rows in kept])
    order = np.lexsort((symbols, positions))
    return positions[order], symbols[order]


@pytest.mark.parametrize("shift", [1, 17, 45, N - 1])
def test_each_symbol_gets_its_own_label_of_the_shifted_time(shift: int) -> None:
    """From (position + shift) mod N; missing where the symbol has no bar or no label there."""
    random = np.random.default_rng(shift)
    positions, symbols = _ragged(random)
    y = random.standard_normal(len(positions))
    y[random.random(len(y)) < 0.1] = np.nan
    roll = roll_rows(positions, symbols, N, shift)
    rolled = RolledLabels.of(roll, y, positions, positions + 2, N)
    label = {(s, p): value for s, p, value in zip(symbols, positions, y, strict=True)}
    for row, (symbol, position) in enumerate(zip(symbols, positions, strict=True)):
        expected = label.get((symbol, (position + shift) % N), math.nan)
        assert rolled.y[row] == expected or (math.isnan(rolled.y[row]) and math.isnan(expected))
        if math.isfinite(expected):
            assert rolled.starts[row] == position + shift
            assert rolled.ends[row] == position + shift + 2
    assert 0 < np.isfinite(rolled.y).sum() < len(y)


def test_no_shift_moves_nothing() -> None:
    """The identity, gaps or not."""
    positions, symbols = _ragged(np.random.default_rng(0))
    roll = roll_rows(positions, symbols, N, 0)
    assert roll.source.tolist() == list(range(len(positions)))
    assert not roll.laps.any()


def test_what_symbols_have_in_common_at_a_time_they_still_have() -> None:
    """The panel of labels is rolled as one: every pair of symbols keeps its correlation."""
    random = np.random.default_rng(0)
    common = random.standard_normal((N, 1))
    labels = 0.8 * common + 0.6 * random.standard_normal((N, 4))
    positions = np.repeat(np.arange(N), 4)
    symbols = np.tile(np.arange(4, dtype=np.int32), N)
    roll = roll_rows(positions, symbols, N, 23)
    rolled = RolledLabels.of(roll, labels.ravel(), positions, positions, N).y.reshape(N, 4)
    assert np.array_equal(rolled, np.roll(labels, -23, axis=0))
    assert np.corrcoef(rolled.T) == pytest.approx(np.corrcoef(labels.T))
    assert np.corrcoef(rolled.T)[0, 1] > 0.4


# the purge


@pytest.mark.parametrize("embargo", [0, 3])
@pytest.mark.parametrize("shift", [7, 30, 52])
def test_no_training_label_shares_time_with_a_test_label(shift: int, embargo: int) -> None:
    """Label by label, over the seam where the circle closes too; and no other row is lost."""
    horizon = 4
    random = np.random.default_rng(shift)
    positions, symbols = _ragged(random)
    ends = np.empty_like(positions)
    for symbol in range(3):
        rows = symbols == symbol
        ends[rows] = label_end_positions(positions[rows], horizon)
    y = random.standard_normal(len(positions))
    rolled = RolledLabels.of(roll_rows(positions, symbols, N, shift), y, positions, ends, N)
    end_of = {(s, p): e for s, p, e in zip(symbols, positions, ends, strict=True)}

    def interval(row: int) -> tuple[int, range] | None:
        """Lap and times, on the original axis, that the rolled label of a row is about."""
        lap, start = divmod(int(positions[row]) + shift, N)
        end = end_of.get((symbols[row], start))
        return None if end is None else (lap, range(start, int(end) + 1 + embargo))

    n_over_the_seam = 0
    for test_start, test_end in ((24, 42), (42, N)):
        before, end = np.searchsorted(positions, [test_start, test_end]).tolist()
        rows = slice(0, before)
        found = rolled.training_rows(rolled.ends[rows], rows, end, test_start + shift, embargo)
        later = slice(before // 2, before)
        window = rolled.training_rows(rolled.ends[later], later, end, test_start + shift, embargo)
        assert window.tolist() == found[later].tolist()
        tested = [interval(row) for row in range(before, end)]
        for row in range(before):
            told = interval(row)
            if told is None:
                assert not found[row]
                continue
            lap, times = told
            ahead = any(lap * N + time >= test_start + shift for time in times)
            over_the_seam = any(
                label is not None and lap == 0 and label[0] == 1 and times[0] in label[1]
                for label in tested
            )
            assert found[row] == (not ahead and not over_the_seam)
            n_over_the_seam += over_the_seam
    assert n_over_the_seam > 0


def test_without_a_shift_the_purge_is_that_of_the_ranking_stage() -> None:
    """Time is not a circle there: the last labels of the panel cost the first rows nothing."""
    positions = np.arange(N)
    roll = roll_rows(positions, np.zeros(N, dtype=np.int32), N, 0)
    rolled = RolledLabels.of(roll, np.ones(N), positions, positions + 4, N)
    assert (
        rolled.training_rows(rolled.ends[:42], slice(0, 42), N, 42, 1).tolist()
        == (positions[:42] + 4 + 1 < 42).tolist()
    )


# the p-value


def test_p_value_counts_the_observed_one_too() -> None:
    """Never 0; ties count against the finding; a shift without a statistic does not count."""
    shifted = np.arange(19.0)
    assert shift_p_value(99.0, shifted) == 1 / 20
    assert shift_p_value(18.0, shifted) == 2 / 20
    assert shift_p_value(-1.0, shifted) == 1.0
    assert shift_p_value(math.inf, np.r_[shifted, math.nan, math.inf]) == 2 / 21


def test_too_few_shifts_give_no_p_value() -> None:
    """Eighteen that were measured cannot speak at the usual 5 %."""
    assert math.isnan(shift_p_value(99.0, np.r_[np.arange(18.0), [math.nan] * 9]))
