"""Look-ahead by the data's own clock, on planted panels of every kind.

A small version of ``benchmarks/look_ahead.py``, whose figures the documentation quotes.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import signal

from ray_pipeline.leakage.other_clocks import merge_look_aheads, search_look_aheads
from ray_pipeline.leakage.tests import path_target
from ray_pipeline.records import TargetSpec
from ray_pipeline.statistics.look_ahead import ClockFigures, LookAheadLimits

PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "look_ahead.py"
KINDS = ("coins 5m", "sessions 5m", "daily", "daily, 5-day labels")

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases" / "make.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    """Return the benchmark's module."""
    specification = importlib.util.spec_from_file_location("look_ahead_benchmark", PATH)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_running_candles_are_found(benchmark: ModuleType, kind: str) -> None:
    """The candle of a block that is not over: its body, its return, where its close lies."""
    found, planted = benchmark.accused(benchmark.KINDS[kind], 0, "nothing", honest=False)
    running = [name for name in planted if name.endswith((": body", ": return", ": position"))]
    assert len(running) >= 6
    assert set(running) <= set(found)
    by_clock = [found[name] for name in running if found[name].test == "other clock"]
    assert len(by_clock) >= 3  # a candle as short as the label is found by its behaviour
    assert all("knows the rest of the " in finding.reason for finding in by_clock)


@pytest.mark.slow
@pytest.mark.parametrize("driver", ["nothing", "memory 0.9"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_honest_feature_is_accused(benchmark: ModuleType, kind: str, driver: str) -> None:
    """Strong, slow, of the last whole block, of the block so far, of the time of day."""
    found, tested = benchmark.accused(benchmark.KINDS[kind], 0, driver, honest=True)
    assert len(tested) >= 12
    assert found == {}


def test_windows_that_reach_ahead_are_found_and_those_that_reach_back_are_not() -> None:
    """Centred means, filters that run both ways, what lies ahead; and their honest twins."""
    returns = np.random.default_rng(6).standard_t(4, 5_000) * 0.002
    price = np.cumsum(returns)
    butter = signal.butter(2, 0.1)
    centred, behind = np.ones(21) / 21, np.r_[np.zeros(20), np.ones(21) / 21]
    sizes = np.convolve(np.abs(returns), np.ones(10) / 10)[: len(returns)]
    features = {
        "filtfilt price": signal.filtfilt(*butter, price),
        "price over centred mean": price - np.convolve(price, centred, mode="same"),
        "savgol slope": signal.savgol_filter(price, 15, 2, deriv=1),
        "size ahead over behind": np.r_[sizes[10:], np.full(10, np.nan)] / sizes,
        "lfilter price": signal.lfilter(*butter, price),
        "price over mean": price - np.convolve(price, behind, mode="same"),
        "slope": price - np.r_[np.zeros(15), price[:-15]],
        "size now over behind": np.abs(returns) / sizes,
    }
    record = search_look_aheads(
        np.column_stack(list(features.values())).astype(np.float32)[60:-60],
        list(features),
        np.r_[returns[1:], np.nan][60:-60],
        TargetSpec("fwd_ret_1b", 1, "regression"),
        1_704_067_200 * 10**9 + np.arange(60, 4_940) * 300 * 10**9,
        300,
        LookAheadLimits(),
    )
    found = merge_look_aheads([record], LookAheadLimits())
    smooth = {finding.feature for finding in found if finding.test == "smooth present"}
    assert smooth == set(list(features)[:4])
    assert {finding.feature for finding in found} == smooth
    assert all("was computed with bars to come" in f.reason for f in found)
    assert all("present_min_explained" in f.reason for f in found)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_missing_at_the_start_of_every_block_is_not_taken_for_smoothed(seed: int) -> None:
    """A z-score by the week so far has no value on Mondays; the rest of it is all past bars."""
    random = np.random.default_rng(seed)
    returns = random.standard_t(5, 1_500) * 0.01
    weeks = np.cumsum(returns).reshape(-1, 5)
    count = np.arange(1, 6)
    mean = np.cumsum(weeks, axis=1) / count
    deviation = np.sqrt(np.maximum(np.cumsum(weeks**2, axis=1) / count - mean**2, 1e-18))
    so_far = (weeks - mean) / deviation
    so_far[:, 0] = np.nan
    record = search_look_aheads(
        so_far.reshape(-1, 1).astype(np.float32),
        ["z-score so far"],
        np.r_[returns[1:], np.nan],
        TargetSpec("fwd_ret_1d", 1, "regression"),
        (19_723 + np.arange(1_500) // 5 * 7 + np.arange(1_500) % 5) * 86_400 * 10**9,
        86_400,
        LookAheadLimits(),
    )
    assert merge_look_aheads([record], LookAheadLimits()) == []


def test_the_running_hour_is_named_and_honest_features_are_not(tmp_path: Path) -> None:
    """Market bars with the running hour's candle joined by the time at which it opens."""
    if not CASES.exists():
        pytest.skip("the cases (shared/cases beside the repository) are not here")
    subprocess.run([sys.executable, str(CASES), "running_hour", str(tmp_path)], check=True)
    records = []
    for path in sorted(tmp_path.rglob("*.parquet")):
        table = pq.read_table(path, partitioning=None)
        names = ["ok_ret_3", "ok_ret_24", "ok_vol", "body_1h"]
        times = table["ts"].cast(pa.timestamp("ns", "UTC")).cast(pa.int64()).to_numpy()
        records.append(
            search_look_aheads(
                np.column_stack([table[name].to_numpy() for name in names]),
                names,
                table["fwd_ret_15m"].to_numpy().astype(np.float64),
                TargetSpec("fwd_ret_15m", 3, "regression"),
                times,
                300,
                LookAheadLimits(),
            )
        )
    (finding,) = merge_look_aheads(records, LookAheadLimits())
    assert (finding.target, finding.feature, finding.test) == (
        "fwd_ret_15m",
        "body_1h",
        "other clock",
    )
    assert finding.value > 0.5
    assert "knows the rest of the hour" in finding.reason
    assert " in 6 of 6 symbols." in finding.reason


@pytest.mark.parametrize("late", [False, True])
def test_blocks_of_any_number_of_bars_are_known_by_what_is_held_over_them(late: bool) -> None:
    """The return of eleven bars that begin anywhere: of those running, or of those before."""
    returns = np.random.default_rng(5).standard_t(4, 6_000) * 0.002
    block = (np.arange(6_000) + 4) // 11
    of_block = np.bincount(block, weights=returns)
    feature = np.r_[0.0, of_block[:-1]][block] if late else of_block[block]
    record = search_look_aheads(
        feature.astype(np.float32)[:, None],
        ["x"],
        np.r_[returns[1:], np.nan],
        TargetSpec("fwd_ret_1b", 1, "regression"),
        1_704_067_200 * 10**9 + np.arange(6_000) * 300 * 10**9,
        300,
        LookAheadLimits(),
    )
    found = merge_look_aheads([record], LookAheadLimits())
    assert ["the rest of the 11 bars that" in finding.reason for finding in found] == [True] * (
        not late
    )


def test_one_symbol_of_three_accuses_no_feature() -> None:
    """A chance agreement in one history is not a property of the feature."""
    figures = asdict(ClockFigures(0.6, 0.1, 0.8, 0.2, 9.0, 4.0, 5.0))
    finding = {"target": "y", "feature": "x", "test": "other clock", "clock": "hour", "cut": ""}
    accusing = {"tested": ["x"], "findings": [finding | {"outcome": "return"} | figures]}
    clean: dict[str, Any] = {"tested": ["x"], "findings": []}
    limits = LookAheadLimits()
    assert merge_look_aheads([accusing, clean, clean], limits) == []
    (found,) = merge_look_aheads([accusing, accusing, clean], limits)
    assert found.value == pytest.approx(0.6)
    assert " in 2 of 3 symbols." in found.reason


def test_the_path_is_that_of_the_shortest_return() -> None:
    """Returns before other numbers, those before what is only a sign; none where nothing looks."""
    short, long = (TargetSpec(f"fwd_ret_{h}b", h, "regression") for h in (3, 12))
    peak, range_ahead = TargetSpec("y_up", 1, "binary"), TargetSpec("mfe_2b", 2, "regression")
    assert path_target([peak, long, range_ahead, short]) == short
    assert path_target([peak, range_ahead]) == range_ahead
    assert path_target([peak]) == peak
    assert path_target([]) is None
