"""Synthetic panels for whole runs: labeled ones with a planted truth or none, and bars.

With them a short config for runs on them, and readers for what these leave behind.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from numpy.typing import NDArray

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.config.loading import parse_experiment_config

DAY_NS = 86_400 * 10**9
FIRST_NS = 1_400_000_000 * 10**9 // DAY_NS * DAY_NS

FEATURES = ("signal", "noise_a", "noise_b")
TARGET = "fwd_ret_1d"

UNDOUBTED: dict[str, dict[str, None]] = {
    "max_skill": {"*": None},
    "max_hit_rate": {"*": None},
    "max_sharpe": {"*": None},
}
"""No limits: what is planted to be found in a few hundred rows is stronger than any market."""

USUAL_DOUBT: dict[str, dict[str, float]] = {name: {} for name in UNDOUBTED}
"""The limits of the package."""

QUICK: dict[str, dict[str, Any]] = {
    "experiment": {"name": "planted", "seed": 7},
    "data": {"min_rows_per_symbol": 100},
    "validation": {"n_splits": 2},
    "target_ranking": {"families": ["ridge"]},
    "doubt": UNDOUBTED,
    # Whatever it keeps: so that units of all kinds are there, and models of few features.
    "feature_selection": {"methods": ["linear", "univariate"], "accept": "always"},
    "training": {
        "families": ["ridge", "lightgbm"],
        "hyperparameters": {"lightgbm": {"n_estimators": 5}},
    },
    "execution": {"executor": "serial"},
}
"""Sections that make a run as short as it can be without leaving a stage out."""


def symbol_names(n_symbols: int) -> list[str]:
    """Name symbols ``S00``, ``S01`` and so on."""
    return [f"S{i:02d}" for i in range(n_symbols)]


def labeled_table(
    symbol: str,
    n_bars: int = 320,
    strength: float = 0.4,
    seed: int = 0,
    targets: Sequence[str] = (TARGET,),
) -> pa.Table:
    """Return a daily symbol whose labels `signal` predicts, or nothing does.

    Parameters
    ----------
    strength
        Correlation of `signal` with the label of its row; 0 plants nothing. Below 0.5, where an
        unpersistent feature would be taken for a leak.
    targets
        Names of the labels, each with noise of its own; the last bar has none.
    """
    random = np.random.default_rng([seed, *symbol.encode()])
    features = random.standard_normal((n_bars, len(FEATURES)))
    columns: dict[str, Any] = {"ts": times(n_bars)}
    columns |= {name: features[:, j] for j, name in enumerate(FEATURES)}
    for name in targets:
        noise = random.standard_normal(n_bars)
        label = 0.01 * (strength * features[:, 0] + np.sqrt(1 - strength**2) * noise)
        label[-1] = np.nan
        columns[name] = pa.array(label, from_pandas=True)
    return pa.table(columns)


def bars_table(symbol: str, n_bars: int = 320, seed: int = 0) -> pa.Table:
    """Return daily bars of a random walk."""
    random = np.random.default_rng([seed, *symbol.encode()])
    close = 100 * np.exp(np.cumsum(0.01 * random.standard_normal(n_bars)))
    opened = close * np.exp(0.002 * random.standard_normal(n_bars))
    spread = 0.005 * (1 + random.random(n_bars))
    return pa.table(
        {
            "ts": times(n_bars),
            "open": opened,
            "high": np.maximum(opened, close) * (1 + spread),
            "low": np.minimum(opened, close) * (1 - spread),
            "close": close,
            "volume": 1e6 * np.exp(0.3 * random.standard_normal(n_bars)),
        }
    )


def remembering_bars(symbol: str, n_bars: int = 320) -> pa.Table:
    """Return daily bars whose returns have an autocorrelation of 0.4."""
    close = remembering_closes(np.random.default_rng([1, *symbol.encode()]), n_bars)
    columns: dict[str, Any] = {"ts": times(n_bars), "open": close, "close": close}
    columns |= {"high": 1.01 * close, "low": 0.99 * close}
    return pa.table(columns | {"volume": bars_table(symbol, n_bars)["volume"]})


def remembering_closes(
    random: np.random.Generator, n_bars: int, memory: float = 0.4
) -> NDArray[np.float64]:
    """Return closes of returns that keep a share `memory` of the one before."""
    returns = 0.01 * random.standard_normal(n_bars)
    for i in range(1, n_bars):
        returns[i] += memory * returns[i - 1]
    closes: NDArray[np.float64] = 100 * np.exp(np.cumsum(returns))
    return closes


def times(n_bars: int) -> pa.Array:
    """Return consecutive days, UTC."""
    days: NDArray[np.int64] = FIRST_NS + DAY_NS * np.arange(n_bars)
    return pa.array(days, pa.timestamp("ns", tz="UTC"))


def planted_panel(symbols: Sequence[str], **options: Any) -> dict[str, pa.Table]:
    """Return a panel in which every symbol is predictable, by one model or by its own."""
    return {symbol: labeled_table(symbol, **options) for symbol in symbols}


def noise_panel(symbols: Sequence[str], **options: Any) -> dict[str, pa.Table]:
    """Return a panel in which nothing is."""
    return planted_panel(symbols, strength=0.0, **options)


def write_panel(
    root: Path, tables: Mapping[str, pa.Table], interval: str | None = "1d", name: str = "part-0"
) -> Path:
    """Write one file per symbol, in the legacy layout when there is no interval."""
    for symbol, table in tables.items():
        path = symbol_folder(root, symbol, interval) / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)
    return root


def symbol_folder(root: Path, symbol: str, interval: str | None = "1d") -> Path:
    """Name the folder of a symbol."""
    parent = root if interval is None else root / f"interval={interval}"
    return parent / f"symbol={quote(symbol, safe='')}"


def config_values(data_dir: object, run_dir: object, **sections: Any) -> dict[str, Any]:
    """Return `QUICK` with a place for data and results, and with keys replaced."""
    values = copy.deepcopy(QUICK)
    values["data"]["data_dir"] = str(data_dir)
    values["output"] = {"run_dir": str(run_dir)}
    for section, keys in sections.items():
        values[section] = values.get(section, {}) | keys
    return values


def quick_config(data_dir: object, run_dir: object, **sections: Any) -> ExperimentConfig:
    """Return a checked config; see `config_values`."""
    text = yaml.safe_dump(config_values(data_dir, run_dir, **sections))
    return parse_experiment_config(text, "test config")


def write_config(path: Path, data_dir: object, run_dir: object, **sections: Any) -> Path:
    """Write a config file; see `config_values`."""
    path.write_text(yaml.safe_dump(config_values(data_dir, run_dir, **sections)))
    return path


def read_json(path: Path) -> Any:
    """Read a JSON file of a run directory."""
    return json.loads(path.read_text())


def read_rows(run_dir: Path, name: str) -> list[dict[str, Any]]:
    """Read a table of a run directory, named without its ``.parquet``."""
    rows: list[dict[str, Any]] = pq.read_table(run_dir / f"{name}.parquet").to_pylist()
    return rows
