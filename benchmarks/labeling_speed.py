"""Labeling: values of features per second and core, beside the same features in pandas.

    python benchmarks/labeling_speed.py

One symbol's random walk, one process, one thread; times are of the processor, the best of some
rounds in which all take turns. Two rivals: plain pandas, which calls a function for every window
where it has no method, and pandas with views of windows from NumPy (`pandas_features.py`).
Values are compared too.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Mapping, Sequence

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from pandas_features import by_apply, by_view, pandas_alpha158, pandas_standard

from ray_pipeline.bars import FEATURE_SETS, Bars, compute_features

FIELDS = ("open", "high", "low", "close", "volume")
BAR_SECONDS = 300


def random_walk(n_rows: int) -> Bars:
    rng = np.random.default_rng(0)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.002, n_rows)))
    opening = close * np.exp(rng.normal(0.0, 0.001, n_rows))
    high = np.maximum(opening, close) * np.exp(rng.exponential(0.001, n_rows))
    low = np.minimum(opening, close) * np.exp(-rng.exponential(0.001, n_rows))
    volume = np.exp(rng.normal(10.0, 1.0, n_rows))
    return Bars(np.arange(n_rows) * BAR_SECONDS * 10**9, opening, high, low, close, volume)


def seconds(run: Callable[[], object]) -> float:
    begin = time.process_time()
    run()
    return time.process_time() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    bars = random_walk(options.rows)
    table = pd.DataFrame({field: getattr(bars, field) for field in FIELDS})
    print(f"{options.rows:,} bars, best of {options.rounds} rounds, processor time")
    print("values per second; in brackets how many times as fast as these we are")
    print(f"{'set':10} {'features':>8} {'ours':>12} {'plain pandas':>20}", end=" ")
    print(f"{'pandas and NumPy':>20}  differ by")
    for name, in_pandas in (("alpha158", pandas_alpha158), ("standard", pandas_standard)):
        names = FEATURE_SETS[name]
        runs = {
            "ours": lambda names=names: compute_features(bars, names),
            "plain pandas": lambda run=in_pandas: run(table, by_apply),
            "pandas and NumPy": lambda run=in_pandas: run(table, by_view),
        }
        best = dict.fromkeys(runs, float("inf"))
        for _ in range(options.rounds):
            for who, run in runs.items():
                best[who] = min(best[who], seconds(run))
        ours, n_values = best.pop("ours"), options.rows * len(names)
        print(f"{name:10} {len(names):8} {n_values / ours:12,.0f}", end=" ")
        for theirs in best.values():
            print(f"{n_values / theirs:12,.0f} ({theirs / ours:4.1f}×)", end=" ")
        print(f" {difference(bars, names, in_pandas(table)):.0e}")
    names = FEATURE_SETS["intraday"]
    best_alone = min(
        seconds(lambda: compute_features(bars, names, BAR_SECONDS)) for _ in range(options.rounds)
    )
    print(f"{'intraday':10} {len(names):8} {options.rows * len(names) / best_alone:12,.0f}")


def difference(bars: Bars, names: Sequence[str], expected: Mapping[str, pd.Series]) -> float:
    """Return the largest difference between our values and theirs, relative to 1 + |value|."""
    got = compute_features(bars, names)
    return max(
        float(np.nanmax(np.abs(values - expected[name]) / (1.0 + np.abs(expected[name]))))
        for name, values in zip(names, got.T, strict=True)
    )


if __name__ == "__main__":
    main()
