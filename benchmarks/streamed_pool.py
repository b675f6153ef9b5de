"""Peak memory of training a pooled model on streamed rows, beside training it in memory.

    python benchmarks/streamed_pool.py --rows 2000000
    python benchmarks/streamed_pool.py --rows 34000000 --no-memory   # about 4 GB

Symbols of 100,000 rows of 50 features each; one file stands for all of them. Each way runs in a
process of its own; its peak memory is given, and bytes per value (rows × features) above what it
held when it began.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np
import pyarrow as pa

from ray_pipeline.families import Problem, StreamingFamily, load_family
from ray_pipeline.panel import TableRequest
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.records import TargetSpec
from ray_pipeline.statistics.folds import Fold
from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.pooled_stream import PooledStream, StreamSpec

N_FEATURES = 50
SYMBOL_ROWS = 100_000
SAMPLE_ROWS = 200_000
HYPERPARAMETERS = {"n_estimators": 10}
TARGET = TargetSpec("y", 12, "regression")
FEATURES = tuple(f"f{j}" for j in range(N_FEATURES))


def frame() -> PanelFrame:
    """Return the frame that the slices were written by."""
    request = TableRequest("labeled", "ts", FEATURES, ("y",), None, 1, 300, 288)
    return PanelFrame("axis", SYMBOL_ROWS, (Fold(0, 1, 2),), 0, request, (TARGET,), 7)


def write_slice(run: RunDirectory) -> None:
    """Write the rows of one symbol as the pipeline does."""
    random = np.random.default_rng(7)
    columns = {"position": np.arange(SYMBOL_ROWS), "end_12rows": np.arange(SYMBOL_ROWS) + 12}
    X = random.standard_normal((SYMBOL_ROWS, N_FEATURES), dtype=np.float32)
    columns |= {f"x_{j}": X[:, j] for j in range(N_FEATURES)}
    columns["y_0"] = X[:, 0] * 0.1 + random.standard_normal(SYMBOL_ROWS)
    run.write_table("slice.parquet", pa.table(columns))


def measure(way: str, folder: str, n_rows: int) -> None:
    """Train, and print seconds and peak memory (in the child)."""
    run = RunDirectory(folder)
    family = load_family("lightgbm")
    start_bytes = _peak_bytes()
    start = time.monotonic()
    n_symbols = n_rows // SYMBOL_ROWS
    if way == "streamed":
        stream = PooledStream(run, StreamSpec(("slice.parquet",) * n_symbols, frame()))
        found = stream.problem(TARGET, FEATURES, None, 7)
        assert found is not None
        assert isinstance(family, StreamingFamily)
        sample = np.concatenate([found[0].rows.block(0)] * (SAMPLE_ROWS // SYMBOL_ROWS))
        family.fit_streamed(sample, FEATURES, found[0], HYPERPARAMETERS)
    else:
        table = run.read_table("slice.parquet")
        X = np.empty((n_rows, N_FEATURES), dtype=np.float32)
        for j in range(N_FEATURES):
            X[:, j] = np.tile(table.column(f"x_{j}").to_numpy(), n_symbols)
        y = np.tile(table.column("y_0").to_numpy(), n_symbols)
        problem = Problem(y, np.arange(n_rows), "regression", 7)
        family.fit(X, FEATURES, [problem], HYPERPARAMETERS)
    taken = {"s": time.monotonic() - start, "peak": _peak_bytes(), "start": start_bytes}
    print(json.dumps(taken))


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Measure both ways and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--no-memory", action="store_true", help="only the streamed way")
    parser.add_argument("--child", nargs=2, metavar=("WAY", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        measure(*options.child, options.rows)
        return
    with tempfile.TemporaryDirectory() as folder:
        write_slice(RunDirectory(folder))
        for way in ("streamed", *(() if options.no_memory else ("in memory",))):
            command = [
                sys.executable,
                __file__,
                "--rows",
                str(options.rows),
                "--child",
                way,
                folder,
            ]
            found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            n_values = options.rows * N_FEATURES
            print(
                f"{way:<10} {options.rows:>12,} rows × {N_FEATURES}: {found['s']:6.1f} s, "
                f"peak {found['peak'] / 2**20:8,.0f} MiB, "
                f"{(found['peak'] - found['start']) / n_values:.2f} bytes a value"
            )


if __name__ == "__main__":
    main()
