"""Scoring many symbols by a run's models, beside a loop in Python and the plain way.

A panel of random features of which one predicts; a run on its first symbols trains a ridge and a
LightGBM model, pooled and own; then all symbols are scored:

- ``predict``: the command, in this process and, with ``--workers``, on Ray (its start included);
- ``load_run``: the run loaded once, a table read and scored for one symbol after the other;
- plain: for each file `pandas.read_parquet`, both pooled models loaded, `predict` of each. It
  checks nothing, places nothing in [0, 1], proves nothing and writes the raw predictions alone.

    python benchmarks/scoring.py --symbols 200 --rows 20000 --workers 2
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ray_pipeline.config.loading import parse_experiment_config
from ray_pipeline.driving.progress import Silent
from ray_pipeline.families import load_family
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.predicting import PredictOptions, load_run, predict_panel

TARGET = "fwd_ret_1h"
N_TRAINED = 6
HOUR_NS = 3_600 * 10**9
CONFIG = """
data: {{data_dir: {data}, symbols: [{symbols}], max_rows_per_symbol: 3000}}
validation: {{n_splits: 2}}
target_ranking: {{families: [ridge]}}
doubt: {{max_skill: {{"*": null}}, max_hit_rate: {{"*": null}}, max_sharpe: {{"*": null}}}}
feature_selection: {{methods: [linear, univariate], min_stability: 0.0}}
training: {{families: [ridge, lightgbm], hyperparameters: {{lightgbm: {{n_estimators: {trees}}}}}}}
execution: {{executor: serial}}
output: {{run_dir: {run}}}
"""


def write_panel(root: Path, n_symbols: int, n_rows: int, n_features: int) -> list[str]:
    """Write hourly symbols whose next return follows the first feature."""
    names = [f"S{i:04d}" for i in range(n_symbols)]
    for i, name in enumerate(names):
        random = np.random.default_rng(i)
        X = random.standard_normal((n_rows, n_features)).astype(np.float32)
        label = 0.01 * (0.4 * X[:, 0] + 0.9 * random.standard_normal(n_rows))
        times = pa.array(HOUR_NS * np.arange(n_rows), pa.timestamp("ns", "UTC"))
        columns = {f"x{j}": X[:, j] for j in range(n_features)}
        path = root / "interval=1h" / f"symbol={name}" / f"{name}.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.table({"ts": times, **columns, TARGET: label}), path)
    return names


def file_of(data: Path, symbol: str) -> Path:
    """Name a symbol's file."""
    return data / "interval=1h" / f"symbol={symbol}" / f"{symbol}.parquet"


def by_loop(run_dir: Path, data: Path, symbols: list[str], out: Path) -> None:
    """Load the run once, score one symbol after the other, write each."""
    run = load_run(str(run_dir))
    out.mkdir()
    for symbol in symbols:
        table = pq.ParquetFile(file_of(data, symbol)).read()
        pq.write_table(run.predict(table, symbol=symbol, in_sample=True), out / f"{symbol}.parquet")


def plainly(run_dir: Path, data: Path, symbols: list[str], out: Path) -> None:
    """Load the pooled models for each file, predict, write."""
    out.mkdir()
    for symbol in symbols:
        frame = pd.read_parquet(file_of(data, symbol))
        predicted: dict[str, Any] = {"ts": frame["ts"]}
        for family in ("ridge", "lightgbm"):
            folder = run_dir / "models" / f"cs_{TARGET}__{family}"
            metadata = pd.read_json(folder / "metadata.json", typ="series")
            files = {name: (folder / name).read_bytes() for name in metadata["files"]}
            X = frame[metadata["features"]].to_numpy(dtype=np.float32)
            predicted[family] = load_family(family).load(files).predict(X)
        pd.DataFrame(predicted).to_parquet(out / f"{symbol}.parquet")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=60)
    parser.add_argument("--rows", type=int, default=5_000)
    parser.add_argument("--features", type=int, default=20)
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--workers", type=int, default=0, help="on Ray as well, with so many")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        data, run_dir = root / "data", root / "run"
        symbols = write_panel(data, options.symbols, options.rows, options.features)
        text = CONFIG.format(
            data=data, run=run_dir, trees=options.trees, symbols=", ".join(symbols[:N_TRAINED])
        )
        print(run_pipeline(parse_experiment_config(text, "benchmark"), Silent()).message)
        n_rows = options.symbols * options.rows
        print(f"{options.symbols} symbols x {options.rows:,} rows, {options.trees} trees")

        def command(n_workers: int, name: str) -> None:
            chosen = PredictOptions(n_workers=n_workers, in_sample=True)
            predict_panel(str(run_dir), str(data), str(root / name), Silent(), chosen)

        ways: dict[str, Callable[[], None]] = {
            "plain: pandas, models loaded per file": lambda: plainly(
                run_dir, data, symbols, root / "plain"
            ),
            "load_run, one symbol after the other": lambda: by_loop(
                run_dir, data, symbols, root / "loop"
            ),
            "ray-pipeline predict, in this process": lambda: command(0, "serial"),
        }
        if options.workers:
            ways[f"ray-pipeline predict, Ray, {options.workers} workers"] = lambda: command(
                options.workers, "ray"
            )
        plain = 0.0
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds = time.perf_counter() - start
            plain = plain or seconds
            print(
                f"{name:40} {seconds:7.2f} s  {n_rows / seconds:12,.0f} rows/s  "
                f"{plain / seconds:5.2f} of plain",
                flush=True,
            )


if __name__ == "__main__":
    main()
