"""From predictions to figures: means, errors, differences and the choice between families."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import signal, stats

from ray_pipeline.samples import evidence as module
from ray_pipeline.samples.evidence import (
    Evidence,
    PredictedRows,
    SkillMeasure,
    SkillSeries,
    best_family,
    block_sums,
    evidence_of,
    paired_evidence,
    series_evidence,
    skill_series,
    time_evidence,
)
from ray_pipeline.statistics.hac import hac_lag, hac_mean
from ray_pipeline.statistics.skill import even_bets, grouped_skill, time_contributions

Floats = NDArray[np.float64]


def _evidence(p_value: float, skill: float = 0.1) -> Evidence:
    return Evidence(skill, 0.05, skill / 0.05, p_value, 500, 20.0)


def _tested(series: Floats, span: int, spacing: float = 1.0) -> Evidence:
    """Evidence of a series that is tested as it is."""
    return time_evidence(SkillSeries.of_timestamps(series), span, spacing)


def _paired(own: Floats, pooled: Floats, span: int, spacing: float) -> Evidence:
    """Evidence of the difference of two series that are tested as they are."""
    both = map(SkillSeries.of_timestamps, (own, pooled))
    return paired_evidence(*both, span, spacing)


# the mean of one series


def test_skill_over_time_is_the_mean_with_its_hac_error() -> None:
    """The lag follows the horizon and the spacing of the rows."""
    series = np.random.default_rng(0).standard_normal(400) / 3
    expected = hac_mean(series, hac_lag(400, 20, 2.0), 10.0)
    found = _tested(series, 20, 2.0)
    assert (found.skill, found.std_error) == (expected.mean, expected.std_error)
    assert (found.p_value, found.n_rows) == (expected.p_value, 400)


def test_nothing_predicted_is_nothing_measured() -> None:
    """Without a row there is no figure, and no p-value that could be counted as a test."""
    found = _tested(np.empty(0), 5)
    assert found.n_rows == 0
    assert all(math.isnan(getattr(found, name)) for name in ("skill", "std_error", "p_value"))


def test_evidence_survives_its_record() -> None:
    """A resumed run reads back the bits that the unit wrote, missing figures included."""
    for item in (_evidence(1 / 3), Evidence.none(), _tested(np.ones(100), 1)):
        record = json.loads(json.dumps(item.to_record()))
        assert repr(Evidence.from_record(record)) == repr(item)


# the cross-section


def test_cross_sectional_skill_is_the_mean_rank_ic_over_timestamps() -> None:
    """Spearman's correlation at each timestamp with enough symbols; the others do not count."""
    random = np.random.default_rng(0)
    positions = np.repeat(np.arange(200), random.integers(1, 9, 200))
    prediction = random.standard_normal(len(positions))
    actual = 0.3 * prediction + random.standard_normal(len(positions))
    correlations = [
        stats.spearmanr(prediction[positions == t], actual[positions == t]).statistic
        for t in range(200)
        if np.sum(positions == t) >= 4
    ]
    measure = SkillMeasure("cross_sectional", "regression", span=3, spacing=1.0, min_cs=4)
    found = evidence_of(measure, PredictedRows(prediction, actual, positions, positions))
    assert found.skill == pytest.approx(np.mean(correlations))
    assert found.n_rows == len(correlations)
    assert found.p_value < 0.01


def test_cross_section_without_enough_symbols_is_not_measured() -> None:
    """Two symbols cannot be ranked by three."""
    positions = np.repeat(np.arange(100), 2)
    values = np.random.default_rng(0).standard_normal(200)
    measure = SkillMeasure("cross_sectional", "regression", span=1, spacing=1.0, min_cs=3)
    found = evidence_of(measure, PredictedRows(values, values, positions, positions))
    assert (found.n_rows, math.isnan(found.p_value)) == (0, True)


# the skill that a view measures


def _rows(**changes: Any) -> PredictedRows:
    """Return two hundred timestamps of four symbols, some of them without a label."""
    random = np.random.default_rng(3)
    values: dict[str, Any] = {
        name: random.standard_normal(800) for name in ("prediction", "actual")
    }
    values["actual"][::7] = np.nan
    values["centred_percentile"], values["outcome"] = random.uniform(-1, 1, (2, 800))
    positions = np.repeat(np.arange(200), 4)
    return PredictedRows(**(values | {"positions": positions, "cells": positions} | changes))


def test_each_view_measures_its_own_series_of_labelled_rows() -> None:
    """Across symbols the skills of timestamps, over time products of percentile and outcome."""
    rows = _rows()
    there = np.isfinite(rows.actual)
    across = SkillMeasure("cross_sectional", "regression", span=3, spacing=2.0, min_cs=4)
    own = replace(across, view="symbol_specific")
    assert rows.centred_percentile is not None
    assert rows.outcome is not None
    by_hand = grouped_skill(
        rows.prediction[there], rows.actual[there], rows.positions[there], "regression", 4
    )
    over_time = time_contributions(
        rows.centred_percentile[there], rows.outcome[there], "regression"
    )
    assert skill_series(across, rows).contributions.tolist() == by_hand.skills.tolist()
    assert skill_series(own, rows).contributions.tolist() == over_time.tolist()
    assert evidence_of(across, rows) == _tested(by_hand.skills, 3, 2.0)
    even = time_contributions(
        even_bets(rows.centred_percentile[there]), rows.outcome[there], "regression"
    )
    plain, tested = _tested(over_time, 3, 2.0), _tested(even, 3, 2.0)
    found = evidence_of(own, rows)
    assert (found.skill, found.std_error) == (plain.skill, plain.std_error)
    assert (found.t_stat, found.p_value) == (tested.t_stat, tested.p_value)
    assert found.p_value != plain.p_value


def test_skill_over_time_needs_standings() -> None:
    """Predictions alone cannot be taken for centred percentiles."""
    measure = SkillMeasure("symbol_specific", "regression", span=1, spacing=1.0, min_cs=3)
    with pytest.raises(ValueError, match="needs the centred percentiles and outcomes"):
        skill_series(measure, _rows(centred_percentile=None))


# the mean over symbols


@given(
    seed=st.integers(0, 2**32),
    n_positions=st.integers(1, 60),
    max_blocks=st.integers(1, 60),
)
def test_blocks_of_all_symbols_add_up_to_the_mean_of_their_skills(
    seed: int, n_positions: int, max_blocks: int
) -> None:
    """Whatever rows each symbol has, and however many positions share a block."""
    random = np.random.default_rng(seed)
    skills, series = [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_BLOCKS", max_blocks)
        for _ in range(3):
            present = np.flatnonzero(random.random(n_positions) < 0.7)
            contributions = random.standard_normal(len(present))
            sums, per_block = block_sums(contributions, 100 + present, 100, n_positions)
            assert len(sums) == min(max_blocks, n_positions)
            assert per_block * len(sums) == pytest.approx(n_positions)
            skills.append(contributions.mean() if len(present) else 0.0)
            series.append(sums)
    assert np.sum(np.mean(series, axis=0)) == pytest.approx(np.mean(skills), abs=1e-12)


def test_blocks_keep_the_order_of_time() -> None:
    """By hand: six positions in three blocks, a symbol with rows at 10, 11, 14 and 15."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_BLOCKS", 3)
        sums, per_block = block_sums(
            np.array([1.0, 2.0, 3.0, 5.0]), np.array([10, 11, 14, 15]), 10, 6
        )
    assert (sums * 4).tolist() == [3.0, 0.0, 8.0]
    assert per_block == 2.0


def _mean_of_symbols(series: Floats) -> Evidence:
    """Evidence of symbols with one row at each position, shape (n_symbols, n_positions)."""
    n_positions = series.shape[1]
    sums = [block_sums(row, np.arange(n_positions), 0, n_positions)[0] for row in series]
    errors = [_tested(row, 1).std_error for row in series]
    return series_evidence(np.mean(sums, axis=0), 1, 1.0, series.size, errors)


def test_symbols_that_err_together_have_the_larger_error() -> None:
    """Ten copies of one symbol say no more than one; ten independent ones a third of its error."""
    random = np.random.default_rng(0)
    one, others = random.standard_normal(500), random.standard_normal((10, 500))
    alone = _tested(one, 1)
    copies, independent = _mean_of_symbols(np.tile(one, (10, 1))), _mean_of_symbols(others)
    assert copies.skill == pytest.approx(alone.skill)
    assert copies.std_error == pytest.approx(alone.std_error)
    assert independent.std_error == pytest.approx(alone.std_error / math.sqrt(10), rel=0.2)
    assert copies.n_rows == 5000


def test_longer_blocks_keep_the_error_of_the_mean() -> None:
    """Four positions to a block, or one: the same mean with about the same error."""
    random = np.random.default_rng(1)
    noise = random.standard_normal(2010)
    series = signal.lfilter(np.ones(10), [1.0], noise)[10:]
    fine = series_evidence(series / 2000, 10, 1.0, 2000)
    coarse = series_evidence(series.reshape(-1, 4).sum(axis=1) / 2000, 10, 4.0, 2000)
    assert coarse.skill == pytest.approx(fine.skill)
    assert coarse.std_error == pytest.approx(fine.std_error, rel=0.15)


# own − pooled


def test_a_model_is_no_better_than_itself() -> None:
    """The difference of equal contributions is 0, with certainty of nothing."""
    series = np.random.default_rng(0).standard_normal(300)
    found = _paired(series, series, 5, 1.0)
    assert (found.skill, found.std_error, found.p_value) == (0.0, 0.0, 1.0)


def test_opposite_models_differ_by_up_to_two() -> None:
    """The difference of two skills has a range of its own."""
    noise = np.random.default_rng(0).standard_normal(300) * 0.01
    found = _paired(np.full(300, 0.9) + noise, np.full(300, -0.8), 1, 1.0)
    assert found.skill == pytest.approx(1.7, abs=0.01)
    assert found.p_value < 1e-6


def test_common_noise_cancels_in_the_difference() -> None:
    """A small edge shows on the same rows that hide it in either model's own figure."""
    random = np.random.default_rng(0)
    common, edge = random.standard_normal(500), 0.05 + 0.2 * random.standard_normal(500)
    assert _tested(common + edge, 1).p_value > 0.05
    assert _paired(common + edge, common, 1, 1.0).p_value < 0.01
    assert _paired(common, common + edge, 1, 1.0).p_value > 0.99


# the better family


def test_the_better_family_pays_for_two_tries() -> None:
    """Its own figures stay; its p-value doubles."""
    families = {"ridge": _evidence(0.03, 0.1), "lightgbm": _evidence(0.2, 0.3)}
    found = best_family(families)
    assert found == ("ridge", _evidence(0.06, 0.1))


def test_a_family_that_was_not_measured_is_no_try() -> None:
    """One family alone pays nothing; none at all is not evidence."""
    assert best_family({"ridge": _evidence(0.03), "lightgbm": Evidence.none()}) == (
        "ridge",
        _evidence(0.03),
    )
    assert best_family({"ridge": Evidence.none()}) is None
    assert best_family({}) is None


def test_equal_families_resolve_by_name() -> None:
    """The order of a record's keys, which JSON sorts, decides nothing."""
    families: dict[str, Any] = {"b": _evidence(0.2, 0.1), "a": _evidence(0.2, 0.3)}
    assert best_family(families) == best_family(dict(sorted(families.items())))
    assert best_family(families) == ("a", _evidence(0.4, 0.3))
