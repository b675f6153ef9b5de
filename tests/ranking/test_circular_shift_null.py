"""The null by circular shifts: finds what is planted, and nothing more often than it says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from frames import MemoryReader, make_frame, make_table, partition_of, pool_of
from scipy import signal, stats
from unit_calls import call

from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.ranking.decide import symbol_rows, target_row
from ray_pipeline.ranking.own import SymbolRankingSpec, rank_symbol
from ray_pipeline.ranking.pooled import (
    PooledFoldSpec,
    PooledSpec,
    rank_pooled_fold,
    summarise_pooled,
)
from ray_pipeline.ranking.settings import RankingSettings
from ray_pipeline.ranking.shifted_own import (
    ShiftedMeanSpec,
    ShiftedSymbolSpec,
    rank_symbol_shifted,
    summarise_symbols_shifted,
)
from ray_pipeline.ranking.shifted_pooled import ShiftedPoolSpec, rank_pool_shifted
from ray_pipeline.ranking.shifts import draw_shifts, shift_p_value
from ray_pipeline.records import TargetSpec
from ray_pipeline.samples.evidence import Evidence, largest_z_score, strongest_family
from ray_pipeline.samples.learned import LabelComparison
from ray_pipeline.samples.walk import FamilySettings

nan = math.nan

RIDGE = (FamilySettings("ridge"),)
BOTH = (FamilySettings("lightgbm", (("n_estimators", 3),)), FamilySettings("ridge"))
COMPARISON = LabelComparison("z_score", 3)
HORIZON = 10
TARGET = TargetSpec("y", HORIZON, "regression")


def _panel(
    seed: int,
    strength: float = 0.0,
    n_symbols: int = 4,
    n_timestamps: int = 400,
    late: bool = False,
) -> tuple[MemoryReader, PanelFrame]:
    """Return persistent features and overlapping labels, both with a share common to all symbols.

    `strength` is how much the features of a symbol say about its own returns.
    """
    random = np.random.default_rng([seed, 1])
    shape = (n_timestamps, n_symbols + 1)
    noise = random.standard_normal((2, *shape))
    features = signal.lfilter([1.0], [1.0, -0.95], noise, axis=1) * math.sqrt(1 - 0.95**2)
    returns = random.standard_normal((n_timestamps + HORIZON, n_symbols + 1))
    tables = []
    for i in range(n_symbols):
        X = np.sqrt(0.7) * features[:, :, i] + np.sqrt(0.3) * features[:, :, -1]
        own = np.sqrt(0.7) * returns[:, i] + np.sqrt(0.3) * returns[:, -1]
        own[1 : n_timestamps + 1] += strength * X[0]
        label = np.convolve(own, np.ones(HORIZON), "valid")[1 : n_timestamps + 1]
        label[-HORIZON:] = np.nan
        rows = slice(n_timestamps // 4 if late and i == 0 else 0, None)
        positions = np.arange(n_timestamps)[rows]
        tables.append(make_table(f"S{i}", X.T[rows], {"y": label[rows]}, positions))
    frame = make_frame(n_timestamps, (TARGET,), ("x0", "x1"), n_splits=2, seed=seed)
    return MemoryReader(tables), frame


def _shifted(
    reader: Any,
    frame: PanelFrame,
    shifts: Sequence[int],
    families: tuple[FamilySettings, ...] = RIDGE,
) -> dict[str, list[float]]:
    """Return the statistics of both views, and of the first symbol, for each shift."""
    pool, slices = pool_of(reader, frame)
    pooled = rank_pool_shifted(
        reader,
        ShiftedPoolSpec(frame, slices, RankingSettings(families, 3, COMPARISON), tuple(shifts)),
        pool,
    )
    records = [
        call(
            rank_symbol_shifted,
            reader,
            ShiftedSymbolSpec(partition_of(symbol), frame, families, 100, tuple(shifts)),
        )
        for symbol in sorted(reader.tables)
    ]
    mean = summarise_symbols_shifted(
        reader,
        ShiftedMeanSpec(
            frame,
            tuple(family.name for family in families),
            tuple(record["series"] for record in records),
            tuple(record["errors"] for record in records),
            tuple(shifts),
        ),
    )
    return {
        "cross_sectional": pooled["z_scores"]["y"],
        "symbol_specific": mean["z_scores"]["y"],
        "one symbol": records[0]["z_scores"]["y"],
    }


def _p_values(reader: MemoryReader, frame: PanelFrame, n_shifts: int) -> dict[str, float]:
    shifts = draw_shifts(frame.n_timestamps, n_shifts, HORIZON, frame.seed)
    found = _shifted(reader, frame, (0, *shifts))
    return {view: shift_p_value(t[0], np.array(t[1:])) for view, t in found.items()}


def test_a_shift_of_nothing_is_the_ranking_itself() -> None:
    """The statistics under test and under the null are one computation: equal at shift 0."""
    reader, frame = _panel(3, late=True)
    found = _shifted(reader, frame, (0,), BOTH[1:])
    state: Any = reader
    pool, slices = pool_of(reader, frame)
    specs = [PooledFoldSpec(frame, slices, fold.index, RIDGE, COMPARISON) for fold in frame.folds]
    tables = [call(rank_pooled_fold, state, spec, pool)["table"] for spec in specs]
    summary = summarise_pooled(
        state, PooledSpec(frame, slices, tuple(tables), RankingSettings(RIDGE, 3, COMPARISON)), pool
    )["targets"]["y"]["families"]["ridge"]
    assert found["cross_sectional"] == [
        pytest.approx(Evidence.from_record(summary).z_score, rel=1e-9)
    ]
    spec = SymbolRankingSpec(partition_of("S0"), frame, RIDGE, (), ())
    own = call(rank_symbol, state, spec)["targets"]["y"]["own"]["ridge"]
    assert found["one symbol"] == [pytest.approx(Evidence.from_record(own).z_score, rel=1e-9)]


@pytest.mark.parametrize("n_shifts", [19, 39])
def test_what_is_planted_beats_every_shift(n_shifts: int) -> None:
    """In both views p is as small as it can be."""
    reader, frame = _panel(0, strength=0.3, n_timestamps=700)
    found = _p_values(reader, frame, n_shifts)
    assert found == dict.fromkeys(found, 1 / (n_shifts + 1))


def test_noise_is_found_as_often_as_the_p_value_says() -> None:
    """Sixty panels of persistent features and overlapping labels, in each view: p is uniform."""
    n_panels = 60
    p = [_p_values(*_panel(seed), 19) for seed in range(n_panels)]
    for view in ("cross_sectional", "symbol_specific", "one symbol"):
        values = np.array([found[view] for found in p])
        # Binomial limits that a true 5 % (50 %) passes in all but one of a thousand such tests.
        assert np.sum(values <= 0.05) <= stats.binom.ppf(0.999, n_panels, 0.05), view
        below = np.sum(values <= 0.5)
        assert stats.binom.ppf(0.0005, n_panels, 0.5) <= below, view
        assert below <= stats.binom.ppf(0.9995, n_panels, 0.5), view


def test_the_choice_of_a_family_is_part_of_the_null() -> None:
    """Each shift's statistic is that of the better family, and repeating it changes no bit."""
    reader, frame = _panel(5)
    shifts = (100, 200, 250)
    both = _shifted(reader, frame, shifts, BOTH)
    alone = [_shifted(reader, frame, shifts, (family,)) for family in BOTH]
    for view, found in both.items():
        larger = np.maximum(*(one[view] for one in alone))
        assert found == pytest.approx(larger)
    assert _shifted(reader, frame, shifts, BOTH) == both


def test_symbols_of_a_sampled_pool_are_rolled_together() -> None:
    """Its timestamps are rolled: what is planted across symbols is found there too, or not."""
    for strength, strong in ((0.5, True), (0.0, False)):
        reader, frame = _panel(1, strength, n_timestamps=900)
        pool, slices = pool_of(reader, frame, n_sampled=300)
        shifts = draw_shifts(900, 19, HORIZON, 0, pool.spacing)
        state: Any = reader
        spec = ShiftedPoolSpec(frame, slices, RankingSettings(RIDGE, 3, COMPARISON), (0, *shifts))
        t = rank_pool_shifted(state, spec, pool)["z_scores"]["y"]
        assert (shift_p_value(t[0], np.array(t[1:])) == 1 / 20) == strong
        assert np.isfinite(t).all()


def test_shifts_that_do_not_fit_in_memory_are_fitted_in_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the same statistics."""
    reader, frame = _panel(2)
    at_once = _shifted(reader, frame, (100, 150, 200))["cross_sectional"]
    monkeypatch.setattr("ray_pipeline.ranking.shifted_pooled.MAX_LABELS", 2 * 4 * 400)
    assert _shifted(reader, frame, (100, 150, 200))["cross_sectional"] == pytest.approx(at_once)


def test_a_shift_that_leaves_too_few_labels_has_no_statistic() -> None:
    """A symbol listed in the last quarter has no labels half a circle away."""
    reader, frame = _panel(4, n_timestamps=400)
    table = reader.tables["S0"]
    reader.tables["S0"] = make_table("S0", table.features[300:], {"y": table.targets[300:, 0]})
    reader.tables["S0"].time_ns[:] += 300
    found = _shifted(reader, frame, (200,))
    assert math.isnan(found["one symbol"][0])
    assert math.isfinite(found["cross_sectional"][0])
    assert math.isfinite(found["symbol_specific"][0])


# rows of the tables


def _evidence(t_stat: float, p_value: float, std_error: float = 0.04) -> Evidence:
    return Evidence(0.1, std_error, t_stat, p_value, 500, 20.0)


FAMILIES = {"lightgbm": _evidence(2.0, 0.03), "ridge": _evidence(2.5, 0.01)}
SHIFTED = np.r_[np.linspace(-2, 2.3, 38), 3.0]


def test_strongest_family_is_the_one_with_the_largest_statistic() -> None:
    """In name order among equals; without a standard error it is none."""
    assert strongest_family(FAMILIES) == ("ridge", FAMILIES["ridge"])
    twins = {"b": _evidence(1.0, 0.2), "a": _evidence(1.0, 0.2)}
    assert strongest_family(twins) == ("a", twins["a"])
    assert strongest_family({"a": _evidence(0.0, 1.0, nan)}) is None
    assert largest_z_score([*FAMILIES.values(), _evidence(9.0, 1e-9, nan)]) == stats.norm.isf(0.01)
    assert math.isnan(largest_z_score([]))


def test_a_row_says_which_null_its_p_value_is_from() -> None:
    """One shift of 39 was as strong; the analytic p-value pays for two families instead."""
    row = target_row(TARGET, "cross_sectional", FAMILIES, 4, SHIFTED)
    assert (row.null, row.family, row.p_value) == ("circular_shift", "ridge", 2 / 40)
    row = target_row(TARGET, "cross_sectional", FAMILIES, 4)
    assert (row.null, row.family, row.p_value) == ("analytic", "ridge", 0.02)


def test_where_shifts_cannot_speak_the_row_is_analytic_and_says_so() -> None:
    """Too few of them could be measured, or the ranking itself measured nothing."""
    few = np.where(np.arange(39) < 18, SHIFTED, nan)
    row = target_row(TARGET, "symbol_specific", FAMILIES, 4, few)
    assert (row.null, row.p_value) == ("analytic", 0.02)
    row = target_row(TARGET, "symbol_specific", {}, 0, SHIFTED)
    assert (row.null, row.family) == ("analytic", None)


def test_symbols_own_models_have_the_null_too_and_pooled_ones_have_not() -> None:
    """The refits of a symbol give its null for nothing; the pooled ones are not kept by symbol."""
    own = {name: item.to_record() for name, item in FAMILIES.items()}
    record = {"own_families": list(own), "targets": {"y": {"own": own, "pooled": own}}}
    rows = symbol_rows([TARGET], {"A": record}, {"y": "ridge"}, 100, {"A": {"y": SHIFTED}})
    assert [(row.view, row.null, row.p_value) for row in rows] == [
        ("symbol_specific", "circular_shift", 2 / 40),
        ("cross_sectional", "analytic", 0.01),
    ]
