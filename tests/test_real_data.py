"""Small runs on real market panels, and canaries: what must not be found, and what must be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from panels import quick_config, symbol_folder, write_panel

from ray_pipeline.labeling import label_panel
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.progress import Silent

pytestmark = pytest.mark.real_data

STOCKS = ["AAPL", "DHR", "LNT", "MSFT"]
FEATURES = [
    "log_return_1",
    "log_return_5",
    "log_return_20",
    "volatility_20",
    "volume_relative_20",
    "sma_distance_20",
    "rsi_14",
    "log_range",
]
FEW_TREES = {
    "families": ["ridge", "lightgbm"],
    "hyperparameters": {"lightgbm": {"n_estimators": 10}},
}
SMALL: dict[str, Any] = {
    "validation": {"n_splits": 3},
    "target_ranking": FEW_TREES,
    "training": FEW_TREES,
}


@pytest.fixture(scope="module")
def stock_bars(market_data: Path) -> Path:
    return market_data / "sp500_daily_2013_2018"


@pytest.fixture(scope="module")
def stock_panel(stock_bars: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, pa.Table]:
    """Label the stocks' bars: features known at the time, and the return of the next five days."""
    folder = tmp_path_factory.mktemp("labeled")
    config = quick_config(
        stock_bars,
        folder,
        data={"symbols": STOCKS},
        labeling={"features": FEATURES, "targets": ["fwd_ret_5d"]},
    )
    label_panel(config, str(folder), Silent())
    wanted = ["ts", *FEATURES, "fwd_ret_5d"]
    return {
        symbol: pq.read_table(symbol_folder(folder, symbol) / f"{symbol}.parquet").select(wanted)
        for symbol in STOCKS
    }


def _json(path: Path) -> Any:
    return json.loads(path.read_text())


def _rows(run_dir: Path, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(run_dir / f"{name}.parquet").to_pylist()
    return rows


def test_daily_stocks(stock_bars: Path, tmp_path: Path) -> None:
    """A run over four stocks, flaws and all: every symbol is used, and what is odd is told."""
    config = quick_config(
        stock_bars,
        tmp_path / "run",
        data={"symbols": STOCKS},
        labeling={"features": FEATURES, "targets": ["fwd_ret_5d", "y_will_peak_10d_1.0"]},
        **SMALL,
    )
    run_pipeline(config, Silent())
    record = _json(tmp_path / "run" / "run.json")
    assert record["status"] == "done"
    assert (record["counts"]["used"], record["counts"]["failed_units"]) == (4, 0)
    symbols = _json(tmp_path / "run" / "symbols.json")["symbols"]
    assert {symbol: symbols[symbol]["n_rows"] for symbol in STOCKS} == {
        "AAPL": 1259,
        "DHR": 1243,
        "LNT": 1259,
        "MSFT": 1259,
    }
    # LNT's close of 2016-05-19 is that of before its split, its open, high and low are not.
    assert symbols["LNT"]["findings"] == [
        "1 bars have an open or close outside [low, high]; kept as they are"
    ]
    ranked = _rows(tmp_path / "run", "target_ranking/targets")
    assert {(row["target"], row["task"], row["horizon_bars"]) for row in ranked} == {
        ("fwd_ret_5d", "regression", 5),
        ("y_will_peak_10d_1.0", "binary", 10),
    }
    assert all(-1 <= row["skill"] <= 1 and 0 <= row["q_value"] <= 1 for row in ranked)
    routes = _rows(tmp_path / "run", "routing/routes")
    assert [(row["target"], row["symbol"]) for row in routes] == [
        (target, symbol) for target in ("fwd_ret_5d", "y_will_peak_10d_1.0") for symbol in STOCKS
    ]


def test_crypto_at_five_minutes(market_data: Path, tmp_path: Path) -> None:
    """Minutes become bars, a session has 288 of them, and only the newest rows are read."""
    config = quick_config(
        market_data / "binance_usdt_5m_2024",
        tmp_path / "run",
        data={"symbols": ["BTCUSDT", "ETHUSDT", "SOLUSDT"], "max_rows_per_symbol": 2000},
        labeling={"features": FEATURES, "targets": ["fwd_ret_60m", "y_will_peak_60m_0.8"]},
        **SMALL,
    )
    run_pipeline(config, Silent())
    record = _json(tmp_path / "run" / "run.json")
    assert record["status"] == "done"
    data = record["data"]
    assert (data["n_rows"], data["bar_seconds"], data["session_bars"]) == (6000, 300, 288)
    ranked = _rows(tmp_path / "run", "target_ranking/targets")
    assert {(row["target"], row["horizon_bars"]) for row in ranked} == {
        ("fwd_ret_60m", 12),
        ("y_will_peak_60m_0.8", 12),
    }


def test_shifted_returns_are_not_predictable(
    stock_panel: dict[str, pa.Table], tmp_path: Path
) -> None:
    """Returns moved by years keep their overlap and clusters, and nothing predicts them."""
    shifted = {}
    for symbol, table in stock_panel.items():
        place = table.column_names.index("fwd_ret_5d")
        moved = np.roll(table["fwd_ret_5d"].to_numpy(), 500)
        shifted[symbol] = table.set_column(place, "fwd_ret_5d", pa.array(moved, from_pandas=True))
    data_dir = write_panel(tmp_path / "data", shifted)
    result = run_pipeline(quick_config(data_dir, tmp_path / "run", **SMALL), Silent())
    assert result.message.startswith("none of 1 targets is predictable")
    ranked = _rows(tmp_path / "run", "target_ranking/targets")
    assert [row["predictable"] for row in ranked] == [False, False]
    assert all(np.isfinite(row["p_value"]) for row in ranked)
    assert _rows(tmp_path / "run", "leakage") == []


def test_future_return_among_the_features_is_found(
    stock_panel: dict[str, pa.Table], tmp_path: Path
) -> None:
    """The return of the days to come, under a harmless name, is screened out before ranking."""
    leaky = {
        symbol: table.append_column("sentiment", table["fwd_ret_5d"].cast(pa.float32()))
        for symbol, table in stock_panel.items()
    }
    data_dir = write_panel(tmp_path / "data", leaky)
    run_pipeline(quick_config(data_dir, tmp_path / "run", **SMALL), Silent())
    (leak,) = _rows(tmp_path / "run", "leakage")
    assert (leak["target"], leak["feature"]) == ("fwd_ret_5d", "sentiment")
    assert (leak["test"], leak["action"]) == ("value", "dropped")
    assert leak["value"] > 0.99
    assert "in 4 of 4 symbols" in leak["reason"]
    assert all(row["skill"] < 0.5 for row in _rows(tmp_path / "run", "target_ranking/targets"))
