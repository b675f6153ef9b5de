"""Labeling: values of features per second and core, beside the same features in plain pandas.

    python benchmarks/labeling_speed.py

One symbol's random walk, one process, one thread; times are of the processor, the best of some
rounds in which both take turns. `standard` is compared on the features that pandas has the
statistics for. Values are compared too. `pandas_features.py` is what the other side runs.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from pandas_features import pandas_alpha158, pandas_standard

from ray_pipeline.panel.bars import FEATURE_SETS, Bars, compute_features

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
    print(f"{'set':10} {'features':>8} {'values/s':>13} {'pandas/s':>13} {'ratio':>6}  differ by")
    for name, in_pandas in (("alpha158", pandas_alpha158), ("standard", pandas_standard)):
        expected = in_pandas(table)
        compared = [feature for feature in FEATURE_SETS[name] if feature in expected]
        got = compute_features(bars, compared)
        differences = [
            np.nanmax(
                np.abs(got[:, column] - expected[feature]) / (1.0 + np.abs(expected[feature]))
            )
            for column, feature in enumerate(compared)
        ]
        ours, theirs = [], []
        for _ in range(options.rounds):
            ours.append(seconds(lambda names=compared: compute_features(bars, names)))
            theirs.append(seconds(lambda features=in_pandas: features(table)))
        n_values = options.rows * len(compared)
        print(
            f"{name:10} {len(compared):8} {n_values / min(ours):13,.0f} "
            f"{n_values / min(theirs):13,.0f} {min(theirs) / min(ours):6.1f}  "
            f"{max(differences):.0e}"
        )
    for name in FEATURE_SETS:
        names = FEATURE_SETS[name]
        best = min(
            seconds(lambda names=names: compute_features(bars, names, BAR_SECONDS))
            for _ in range(options.rounds)
        )
        print(f"{name:10} {len(names):8} {options.rows * len(names) / best:13,.0f}   all of it")


if __name__ == "__main__":
    main()
