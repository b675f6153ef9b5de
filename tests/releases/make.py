"""Make what a release leaves behind: `python tests/releases/make.py` writes tests/releases/VERSION.

Run once, with the release itself, and kept: later versions open what it wrote. It uses the command
line and the oldest keys of the config alone, so that it need not change with what lies behind them;
without limits, since what is planted in so few rows is stronger than any market.
All paths are relative: what is kept says nothing of the machine that made it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ray_pipeline import __version__
from ray_pipeline.cli import main

DAY_NS = 86_400 * 10**9
FIRST_NS = 1_700_000_000 * 10**9 // DAY_NS * DAY_NS
N_TRAINED = 200
N_REPLAYED = 40
N_NEW = 20
STRENGTHS = {"0700": 0.45, "AAPL": 0.45, "BRK/B": 0.4, "MSFT": -0.45}
"""Correlation of `signal` with the label, which one symbol has the other way round."""

CONFIG = """\
experiment: {name: release, seed: 7}
data: {data_dir: panel, interval: 1d, min_rows_per_symbol: 100}
validation: {n_splits: 2}
target_ranking:
  families: [ridge, lightgbm]
  hyperparameters: {lightgbm: {n_estimators: 5}}
doubt: {max_skill: {"*": null}, max_hit_rate: {"*": null}, max_sharpe: {"*": null}}
feature_selection: {methods: [linear, univariate]}
training:
  families: [ridge, lightgbm]
  hyperparameters: {lightgbm: {n_estimators: 3, num_leaves: 4}}
evaluation: {n_quantiles: 2}
execution: {executor: serial}
output: {run_dir: run}
"""


def table(symbol: str) -> pa.Table:
    """Return a symbol whose `fwd_ret_1d` is planted, while `fwd_ret_5d` is noise."""
    random = np.random.default_rng(sum(symbol.encode()))
    n_rows = N_TRAINED + N_NEW
    signal, noise, shock, other = random.standard_normal((4, n_rows)).astype(np.float32)
    strength = STRENGTHS[symbol]
    label = strength * signal + np.float32(np.sqrt(1 - strength**2)) * shock
    times = FIRST_NS + DAY_NS * np.arange(n_rows)
    return pa.table(
        {
            "ts": pa.array(times, pa.timestamp("ns", tz="UTC")),
            "signal": signal,
            "noise": noise,
            "fwd_ret_1d": label / 100,
            "fwd_ret_5d": other / 100,
        }
    )


def make() -> None:
    """Write the config, the finished run, and rows to score: the last it knew and new ones."""
    folder = Path(__file__).parent / __version__
    folder.mkdir()
    os.chdir(folder)
    Path("run.yaml").write_text(CONFIG, encoding="utf-8")
    for symbol in STRENGTHS:
        rows = table(symbol)
        recent = rows.slice(N_TRAINED - N_REPLAYED).select(["ts", "signal", "noise"])
        for root, part in (("panel", rows.slice(0, N_TRAINED)), ("recent", recent)):
            name = symbol.replace("/", "%2F")
            path = Path(root, "interval=1d", f"symbol={name}", f"{name}.parquet")
            path.parent.mkdir(parents=True)
            pq.write_table(part, path)
    if code := main(["run", "run.yaml"]):
        raise SystemExit(code)
    # Most of the bytes, and of no use to who opens a finished run; `report` writes its page anew.
    shutil.rmtree("panel")
    shutil.rmtree("run/units")
    Path("run/report.html").unlink()


if __name__ == "__main__":
    make()
