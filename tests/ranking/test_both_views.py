"""A symbol's own models and the pooled ones, on panels where it is known what they can find."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from frames import MemoryReader, make_frame, make_table, partition_of, pool_of
from scipy import stats
from unit_calls import call

from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.table import SymbolTable
from ray_pipeline.ranking.own import OutOfSample, SymbolRankingSpec, outcomes_of, rank_symbol
from ray_pipeline.ranking.pooled import (
    MIN_REFERENCE,
    PooledFoldSpec,
    PooledPredictions,
    PooledSpec,
    assemble_predictions,
    centred_percentile_by_symbol,
    rank_pooled_fold,
    summarise_pooled,
)
from ray_pipeline.ranking.settings import RankingSettings
from ray_pipeline.records import TargetSpec
from ray_pipeline.samples.evidence import Evidence
from ray_pipeline.samples.learned import LabelComparison
from ray_pipeline.samples.walk import FamilySettings
from ray_pipeline.statistics.skill import centred_percentile

RIDGE = (FamilySettings("ridge"),)
TARGETS = (
    TargetSpec("signal", 1, "regression"),
    TargetSpec("noise", 1, "regression"),
    TargetSpec("flag", 1, "binary"),
)
COMPARISON = LabelComparison("z_score", 3)
N_TIMESTAMPS = 400
FEATURES = ("x0", "x1")


def _table(symbol: str, sign: float, random: np.random.Generator, first: int = 0) -> SymbolTable:
    """Return a symbol whose label follows `x0` with its own sign, and nothing else."""
    X = random.standard_normal((N_TIMESTAMPS, 2))
    label = sign * 0.5 * X[:, 0] + random.standard_normal(N_TIMESTAMPS)
    targets = {
        "signal": label,
        "noise": random.standard_normal(N_TIMESTAMPS),
        "flag": (label > 1.0).astype(float),
    }
    for values in targets.values():
        values[-1] = np.nan
    rows = slice(first, None)
    positions = np.arange(N_TIMESTAMPS)[rows]
    return make_table(symbol, X[rows], {k: v[rows] for k, v in targets.items()}, positions)


class _Panel:
    """Eight symbols on which `x0` works, one where it works the other way, one listed late."""

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        tables = [_table(f"S{i}", 1.0, random) for i in range(8)]
        tables += [_table("contrary", -1.0, random), _table("late", 1.0, random, first=300)]
        self.reader = MemoryReader(tables)
        self.frame = make_frame(N_TIMESTAMPS, TARGETS, FEATURES)
        self.pool, self.slices = pool_of(self.reader, self.frame)
        state: Any = self.reader
        records = [
            call(
                rank_pooled_fold,
                state,
                PooledFoldSpec(self.frame, self.slices, fold.index, RIDGE, COMPARISON),
                self.pool,
            )
            for fold in self.frame.folds
        ]
        self.tables = tuple(record["table"] for record in records)
        self.spec = PooledSpec(
            self.frame, self.slices, self.tables, RankingSettings(RIDGE, 3, COMPARISON)
        )
        self.predictions = assemble_predictions(state, self.spec, self.pool)

    def rank(self, symbol: str, pooled: PooledPredictions | None) -> dict[str, Any]:
        state: Any = self.reader
        families = ("ridge",) if pooled is not None else ()
        spec = SymbolRankingSpec(partition_of(symbol), self.frame, RIDGE, self.tables, families)
        return call(rank_symbol, state, spec, pooled)


@pytest.fixture(scope="module")
def panel() -> _Panel:
    return _Panel()


# the cross-section


def test_pooled_models_find_what_orders_the_symbols_and_nothing_else(panel: _Panel) -> None:
    """A planted signal in real-valued and binary labels; none in noise."""
    state: Any = panel.reader
    summary = summarise_pooled(state, panel.spec, panel.pool)["targets"]
    evidence = {
        name: Evidence.from_record(item["families"]["ridge"]) for name, item in summary.items()
    }
    assert evidence["signal"].skill > 0.2
    assert evidence["signal"].p_value < 1e-4
    assert evidence["flag"].p_value < 1e-3
    assert evidence["noise"].p_value > 0.05
    assert summary["signal"]["n_symbols"] == 10
    # Test rows with a label: 240 timestamps, the last of them without one.
    assert summary["signal"]["n_rows"] == 9 * 239 + 99
    assert evidence["signal"].n_rows == 239


def test_joined_predictions_are_sorted_by_symbol_and_time(panel: _Panel) -> None:
    """Every test row of every symbol, once, where its symbol's slice says."""
    predictions = panel.predictions
    assert predictions.symbols == panel.pool.symbols
    for symbol in predictions.symbols:
        positions = predictions.positions[predictions.rows_of(symbol)]
        own = panel.reader.tables[symbol].time_ns
        assert np.array_equal(positions, own[own >= panel.frame.test_start])
    assert set(predictions.percentiles) == {("ridge", target.name) for target in TARGETS}
    assert np.abs(predictions.percentiles["ridge", "signal"]).max() <= 1.0


def test_standing_is_taken_among_the_symbols_own_training_predictions() -> None:
    """A symbol whose predictions are always high does not stand high all the time."""
    random = np.random.default_rng(0)
    symbols = np.repeat(np.arange(2, dtype=np.int32), 100)
    reference = random.standard_normal(200) + 10.0 * symbols
    values = np.array([0.0, 10.0, 0.0])
    tested = np.array([0, 1, 1], dtype=np.int32)
    found = centred_percentile_by_symbol(values, tested, reference, symbols)
    assert found[0] == centred_percentile(values[:1], reference[:100])[0]
    assert found[1] == centred_percentile(values[1:2], reference[100:])[0]
    assert abs(found[0]) < 0.5
    assert found[2] == -1.0


def test_a_symbol_without_a_history_stands_among_all() -> None:
    """Fewer training rows than the least, or none: there is nothing of its own to stand among."""
    reference = np.arange(100.0)
    symbols = np.r_[np.zeros(MIN_REFERENCE), np.ones(100 - MIN_REFERENCE)].astype(np.int32)
    values, tested = np.array([20.0, 20.0, 20.0]), np.array([0, 1, 2], dtype=np.int32)
    found = centred_percentile_by_symbol(values, tested, reference, symbols)
    everywhere = centred_percentile(values[:1], reference)[0]
    assert found[0] == centred_percentile(values[:1], reference[:MIN_REFERENCE])[0] != everywhere
    assert found[1:].tolist() == [everywhere, everywhere]


# a symbol's own time


def test_own_models_find_what_holds_for_their_symbol(panel: _Panel) -> None:
    """Also where it is the opposite of what holds for the others; never in noise."""
    for symbol in ("S0", "contrary"):
        targets = panel.rank(symbol, panel.predictions)["targets"]
        own = {name: Evidence.from_record(targets[name]["own"]["ridge"]) for name in targets}
        assert own["signal"].skill > 0.25
        assert own["signal"].p_value < 0.001
        assert own["flag"].skill > 0.2
        assert own["noise"].p_value > 0.05
        assert own["signal"].n_rows == 239


def test_own_and_pooled_models_are_compared_on_the_same_rows(panel: _Panel) -> None:
    """Equal for a symbol like the others, far better for the contrary one."""
    alike = panel.rank("S0", panel.predictions)["targets"]["signal"]
    contrary = panel.rank("contrary", panel.predictions)["targets"]["signal"]
    difference = Evidence.from_record(alike["paired"]["ridge"]["ridge"])
    assert abs(difference.skill) < 0.05
    assert 0.05 < difference.p_value < 0.95
    assert contrary["pooled"]["ridge"]["skill"] < -0.25
    difference = Evidence.from_record(contrary["paired"]["ridge"]["ridge"])
    assert difference.skill > 0.5
    assert difference.p_value < 1e-4
    expected = contrary["own"]["ridge"]["skill"] - contrary["pooled"]["ridge"]["skill"]
    assert difference.skill == pytest.approx(expected, abs=1e-6)
    assert difference.n_rows == 239


def test_a_symbol_that_is_listed_late_has_fewer_rows_of_its_own(panel: _Panel) -> None:
    """No model before it has a history, and no row of the pooled one without an own outcome."""
    targets = panel.rank("late", panel.predictions)["targets"]["signal"]
    folds = panel.frame.folds
    assert [(fold.test_start, fold.test_end) for fold in folds] == [
        (160, 240),
        (240, 320),
        (320, 400),
    ]
    # Listed at 300: at the third fold it has 19 labels, too few for a model or a comparison.
    assert targets == {"own": {}, "pooled": {}, "paired": {}}


def test_without_a_pool_only_own_models_are_measured(panel: _Panel) -> None:
    """The record of a run that ranks the symbol-specific view alone."""
    record = panel.rank("S1", None)
    assert record["own_families"] == ["ridge"]
    assert record["targets"]["signal"]["pooled"] == record["targets"]["signal"]["paired"] == {}


def test_block_series_add_up_to_the_skill(panel: _Panel) -> None:
    """The series that a symbol leaves for the target's figure has its skill as its sum."""
    record = panel.rank("S2", panel.predictions)
    series = panel.reader.run.read_table(record["series"])
    assert series.column_names == ["ridge_0", "ridge_1", "ridge_2"]
    assert series.num_rows == 240
    for j, target in enumerate(TARGETS):
        skill = record["targets"][target.name]["own"]["ridge"]["skill"]
        assert series.column(f"ridge_{j}").to_numpy().sum() == pytest.approx(skill)


def test_outcomes_compare_labels_with_those_that_trained(panel: _Panel) -> None:
    """Centred percentile among the purged labels before the fold; NaN where nothing is tested."""
    frame: PanelFrame = panel.frame
    rows = panel.reader.rows(partition_of("S3"), frame)
    found = outcomes_of(rows, frame)["signal"]
    y = rows.target("signal")
    assert np.isnan(found[: frame.test_start]).all()
    assert np.isnan(found[-1])
    for fold in frame.folds:
        reference = y[: fold.test_start - 1]
        tested = np.arange(fold.test_start, min(fold.test_end, N_TIMESTAMPS - 1))
        percentiles = [stats.percentileofscore(reference, value, "mean") for value in y[tested]]
        assert found[tested] == pytest.approx(np.array(percentiles) / 50 - 1)


def test_rows_are_matched_by_position() -> None:
    """Rows without a prediction or a label are left out; `at` keeps those of another model."""
    nan = np.nan
    sample = OutOfSample.where_known(
        np.array([3, 5, 8, 9]), np.array([0.1, nan, 0.3, 0.4]), np.array([1.0, 1.0, 0.5, nan])
    )
    assert sample.positions.tolist() == [3, 8]
    assert sample.at(np.array([8, 9])).centred_percentile.tolist() == [0.3]
    assert sample.at(np.array([1])).outcome.tolist() == []
