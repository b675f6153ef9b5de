"""A planted look-ahead: its carrier is named, and the skill goes as far as it comes late."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from frames import MemoryReader, make_frame, make_table, partition_of, pool_of
from numpy.typing import NDArray
from unit_calls import call

from ray_pipeline.doubt.units import (
    DoubtSpec,
    LateSliceSpec,
    PooledLateSpec,
    SymbolDoubtSpec,
    doubt_late,
    doubt_pooled,
    doubt_slice,
    doubt_symbol,
    earlier,
    late_column,
)
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.table import SymbolTable
from ray_pipeline.records import TargetSpec
from ray_pipeline.samples.learned import LabelComparison
from ray_pipeline.samples.walk import FamilySettings

RIDGE = FamilySettings("ridge")
LIGHTGBM = FamilySettings("lightgbm", (("n_estimators", 20),))
HORIZON = 4
TARGET = TargetSpec("fwd_ret_4b", HORIZON, "regression")
N_ROWS = 600
FEATURES = ("momentum", "oracle", "noise")
SYMBOLS = tuple(f"S{i}" for i in range(8))
Floats = NDArray[np.float64]


def table_of(symbol: str, correlation: float) -> SymbolTable:
    """Return a symbol whose `oracle` holds the coming return with noise of its own in it."""
    random = np.random.default_rng([5, *symbol.encode()])
    returns = random.standard_normal(N_ROWS + HORIZON)
    label = np.lib.stride_tricks.sliding_window_view(returns[1:], HORIZON).sum(axis=1)[:N_ROWS]
    standard = label / label.std()
    noise = random.standard_normal(N_ROWS)
    oracle = correlation * standard + np.sqrt(1 - correlation**2) * noise
    momentum = np.r_[np.zeros(3), returns[:-3]][:N_ROWS]
    features = np.column_stack([momentum, oracle, random.standard_normal(N_ROWS)])
    return make_table(symbol, features, {TARGET.name: label}, names=FEATURES)


@pytest.fixture(scope="module")
def reader() -> MemoryReader:
    return MemoryReader([table_of(symbol, 0.45) for symbol in SYMBOLS])


@pytest.fixture(scope="module")
def frame() -> PanelFrame:
    return make_frame(N_ROWS, (TARGET,), FEATURES)


def measured_pooled(
    reader: MemoryReader, frame: PanelFrame, family: FamilySettings, n_sampled: int | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Do what the stage does: carriers, slices, and the skill with them late."""
    state: Any = reader
    pool, slices = pool_of(reader, frame, n_sampled)
    spec = DoubtSpec(frame, TARGET.name, family, 3, LabelComparison("z_score", 3), slices)
    carriers = call(doubt_pooled, state, spec, pool)
    names = tuple(name for name, _ in carriers["shares"][: carriers["n_carriers"]])
    late = tuple((name, bars) for name in names for bars in (1, HORIZON))
    tables = tuple(
        call(doubt_slice, state, LateSliceSpec(frame, partition_of(symbol), rows, late))["table"]
        for symbol, rows in zip(pool.symbols, slices, strict=True)
    )
    return carriers, call(doubt_late, state, PooledLateSpec(spec, names, tables), pool)


def skills(measured: dict[str, Any]) -> dict[str, float]:
    return {name: record["skill"] for name, record in measured["together"].items()}


@pytest.mark.parametrize("family", [RIDGE, LIGHTGBM], ids=lambda family: family.name)
def test_a_pooled_look_ahead_is_named_and_collapses(
    reader: MemoryReader, frame: PanelFrame, family: FamilySettings
) -> None:
    """The oracle is first; a bar late it knows three bars of four, a horizon late nothing."""
    carriers, measured = measured_pooled(reader, frame, family)
    assert carriers["shares"][0][0] == "oracle"
    assert carriers["n_carriers"] == 1
    found = skills(measured)
    assert found["skill"] > 0.3
    # Of the sum of four changes a bar earlier three are in this label: a correlation of 3/4.
    assert 0.55 < found["bar"] / found["skill"] < 0.95
    assert abs(found["horizon"]) < 0.06
    assert abs(found["without"]) < 0.06
    assert measured["alone"] == {}


def test_own_models_of_a_symbol_say_the_same(reader: MemoryReader, frame: PanelFrame) -> None:
    """Over a symbol's own time, by models of its own."""
    state: Any = reader
    spec = SymbolDoubtSpec(frame, partition_of("S0"), ((TARGET.name, RIDGE),), 3)
    record = call(doubt_symbol, state, spec)["targets"][TARGET.name]
    assert record["shares"][0][0] == "oracle"
    found = skills(record)
    assert found["skill"] > 0.3
    assert abs(found["horizon"]) < 0.15
    assert abs(found["without"]) < 0.15


def test_twins_are_late_together(frame: PanelFrame) -> None:
    """Alone, each is replaced by the other: only together does the skill go."""
    tables = [table_of(symbol, 0.45) for symbol in SYMBOLS]
    names = (*FEATURES, "twin")
    doubled = [
        make_table(
            each.symbol,
            np.column_stack([each.features, each.features[:, 1]]),
            {TARGET.name: each.targets[:, 0]},
            names=names,
        )
        for each in tables
    ]
    wide = make_frame(N_ROWS, (TARGET,), names)
    carriers, measured = measured_pooled(MemoryReader(doubled), wide, RIDGE)
    assert {name for name, _ in carriers["shares"][:2]} == {"oracle", "twin"}
    assert carriers["n_carriers"] == 2
    assert set(measured["alone"]) == {"oracle", "twin"}
    alone = measured["alone"]["oracle"]["horizon"]["skill"]
    found = skills(measured)
    assert alone > 0.9 * found["skill"]
    assert abs(found["horizon"]) < 0.06


def test_one_bar_is_one_bar_where_timestamps_were_sampled(
    reader: MemoryReader, frame: PanelFrame
) -> None:
    """The value comes from the symbol's table, not from the sampled row before."""
    n_sampled = N_ROWS // 3
    _, measured = measured_pooled(reader, frame, RIDGE, n_sampled)
    found = skills(measured)
    assert 0.5 < found["bar"] / found["skill"] < 1.0
    assert abs(found["horizon"]) < 0.1


def test_slices_hold_earlier_rows_of_the_symbol(reader: MemoryReader, frame: PanelFrame) -> None:
    """By hand: the feature of the row so many bars before, nothing at the start."""
    state: Any = reader
    _, slices = pool_of(reader, frame, N_ROWS // 3)
    late = (("oracle", 1), ("oracle", HORIZON))
    name = call(doubt_slice, state, LateSliceSpec(frame, partition_of("S0"), slices[0], late))
    table = reader.run.read_table(name["table"])
    positions = reader.run.read_table(slices[0]).column("position").to_numpy()
    oracle = reader.tables["S0"].features[:, 1]
    for bars in (1, HORIZON):
        column = table.column(late_column("oracle", bars)).to_numpy()
        before = positions - bars
        expected = np.where(before >= 0, oracle[np.maximum(before, 0)], np.nan)
        assert np.array_equal(column, expected.astype(np.float32), equal_nan=True)


def test_earlier_than_the_first_row_there_is_nothing() -> None:
    """Also where a horizon is longer than the table."""
    values = np.arange(6, dtype=np.float32).reshape(3, 2)
    assert np.array_equal(
        earlier(values, 1), np.array([[np.nan] * 2, [0, 1], [2, 3]], np.float32), equal_nan=True
    )
    assert np.isnan(earlier(values, 9)).all()


def test_an_honest_feature_of_memory_stays(frame: PanelFrame) -> None:
    """What lasts is not gone a horizon late: being late does not prove anything."""
    random = np.random.default_rng(3)
    tables = []
    for symbol in SYMBOLS:
        level = np.zeros(N_ROWS)
        shocks = random.standard_normal(N_ROWS)
        for i in range(1, N_ROWS):
            level[i] = 0.98 * level[i - 1] + shocks[i]
        label = level / level.std() + random.standard_normal(N_ROWS)
        features = np.column_stack([random.standard_normal((N_ROWS, 2)), level])
        tables.append(make_table(symbol, features, {TARGET.name: label}, names=FEATURES))
    carriers, measured = measured_pooled(MemoryReader(tables), frame, RIDGE)
    assert carriers["shares"][0][0] == "noise"  # the name of the column, and what holds the level
    found = skills(measured)
    assert found["horizon"] > 0.7 * found["skill"] > 0.3


def test_a_horizon_of_one_bar_is_measured_once(reader: MemoryReader) -> None:
    """One walk tells both, and both are told."""
    target = TargetSpec(TARGET.name, 1, "regression")
    state: Any = reader
    spec = SymbolDoubtSpec(
        make_frame(N_ROWS, (target,), FEATURES), partition_of("S0"), ((target.name, RIDGE),), 3
    )
    record = call(doubt_symbol, state, spec)["targets"][target.name]
    assert record["together"]["bar"] == record["together"]["horizon"]
    assert record["together"]["bar"]["skill"] < record["together"]["skill"]["skill"]
