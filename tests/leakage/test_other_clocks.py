"""Look-ahead by the data's own clock, on planted panels of every kind.

A small version of ``benchmarks/look_ahead.py``, whose figures the README quotes.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_pipeline.leakage.other_clocks import merge_look_aheads, search_look_aheads
from ray_pipeline.leakage.tests import path_target
from ray_pipeline.records import TargetSpec
from ray_pipeline.statistics.look_ahead import LookAheadLimits

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


@pytest.mark.parametrize("kind", KINDS)
def test_running_candles_are_found(benchmark: ModuleType, kind: str) -> None:
    """The candle of a block that is not over: its body, its return, where its close lies."""
    found, planted = benchmark.accused(benchmark.KINDS[kind], 0, "nothing", honest=False)
    running = [name for name in planted if name.endswith((": body", ": return", ": position"))]
    assert len(running) >= 6
    assert set(running) <= set(found)
    assert all("knows the rest of the " in found[name] for name in running)


@pytest.mark.parametrize("driver", ["nothing", "memory 0.9"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_honest_feature_is_accused(benchmark: ModuleType, kind: str, driver: str) -> None:
    """Strong, slow, of the last whole block, of the block so far, of the time of day."""
    found, tested = benchmark.accused(benchmark.KINDS[kind], 0, driver, honest=True)
    assert len(tested) >= 12
    assert found == {}


def test_windows_that_reach_ahead_are_found(benchmark: ModuleType) -> None:
    """Centred means and filters that run both ways know bars to come."""
    found, _ = benchmark.accused(benchmark.KINDS["coins 5m"], 1, "nothing", honest=False)
    for name in ("centred mean of returns", "savgol slope", "filtfilt price"):
        assert "goes on smoothly into the bars to come" in found[name]


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
    (finding,) = merge_look_aheads(records)
    assert (finding.target, finding.feature, finding.test) == (
        "fwd_ret_15m",
        "body_1h",
        "other clock",
    )
    assert finding.value > 0.5
    assert "knows the rest of the hour" in finding.reason
    assert finding.reason.endswith("in 6 of 6 symbols")


def test_one_symbol_of_three_accuses_no_feature() -> None:
    """A chance agreement in one history is not a property of the feature."""
    finding = {
        "target": "y", "feature": "x", "test": "other clock", "clock": "hour",
        "outcome": "return", "value": 0.6, "outside": 0.1, "z": 9.0,
    }  # fmt: skip
    clean = {"tested": ["x"], "findings": []}
    accusing = {"tested": ["x"], "findings": [finding]}
    assert merge_look_aheads([accusing, clean, clean]) == []
    (found,) = merge_look_aheads([accusing, accusing, clean])
    assert found.value == pytest.approx(0.6)
    assert found.reason.endswith("in 2 of 3 symbols")


def test_the_path_is_that_of_the_shortest_return() -> None:
    """Returns before other numbers, those before what is only a sign; none where nothing looks."""
    short, long = (TargetSpec(f"fwd_ret_{h}b", h, "regression") for h in (3, 12))
    peak, range_ahead = TargetSpec("y_up", 1, "binary"), TargetSpec("mfe_2b", 2, "regression")
    assert path_target([peak, long, range_ahead, short]) == short
    assert path_target([peak, range_ahead]) == range_ahead
    assert path_target([peak]) == peak
    assert path_target([]) is None
