"""From a few symbols on this machine to what thousands take on a cluster: constants, then a model.

Runs the whole pipeline without Ray on a few generated symbols of two lengths, in processes of their
own, and takes from them: core-seconds per million cells (rows × features) by stage, bytes of a
worker per cell, and bytes on the disk. The model scales them to a cluster: of each stage a part
that grows with the cells, and one that grows with features and symbols alone, such as scoring
features on a bounded number of rows. Pooled work counts as if it grew with the symbols; it does
not, since its rows are bounded too (`target_ranking.max_cs_rows`).

    python benchmarks/cluster_model.py
    python benchmarks/cluster_model.py --symbols 500 --rows 1000000 --features 300 --nodes 10
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from driver_memory import measure, measured_apart

from ray_pipeline.panel import blocks, reader

N_SYMBOLS = 3
N_FEATURES = 60
N_TARGETS = 2
LENGTHS = (30_000, 90_000)  # longer than the rows that selection samples, as long symbols are

PER_SYMBOL = ("inspect", "leakage", "pool", "target_ranking", "feature_selection", "training")
KEYS_PER_LIST = 1000


def write_panel(root: Path, n_rows: int) -> None:
    """Write symbols in which every target is predictable, so that all stages have work."""
    times = pa.array(60 * 10**9 * np.arange(1, n_rows + 1), pa.timestamp("ns", tz="UTC"))
    for i in range(N_SYMBOLS):
        random = np.random.default_rng(i)
        features = random.standard_normal((n_rows, N_FEATURES))
        columns: dict[str, Any] = {f"f{j:03d}": features[:, j] for j in range(N_FEATURES)}
        for t in range(N_TARGETS):
            noise = random.standard_normal(n_rows)
            columns[f"fwd_ret_{t + 1}m"] = 0.1 * features[:, t] + noise
        folder = root / "interval=1m" / f"symbol=S{i}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"ts": times, **columns}), folder / "part-0.parquet")


def constants(folder: Path) -> dict[str, Any]:
    """Run both lengths, and take what the longer one costs more per cell."""
    found = []
    for n_rows in LENGTHS:
        root = folder / str(n_rows)
        write_panel(root / "data", n_rows)
        config = root / "run.yaml"
        config.write_text(
            f"data: {{data_dir: {root}/data, interval: 1m}}\n"
            "target_ranking: {max_cs_rows: 20000}\n"
            "execution: {executor: serial}\n"
            f"output: {{run_dir: {root}/run}}\n"
        )
        peak_bytes, _ = measured_apart(__file__, config)
        record = json.loads((root / "run" / "run.json").read_text())
        files = list((root / "data").rglob("*.parquet"))
        left = [path for path in (root / "run" / "units").rglob("*") if path.is_file()]
        found.append(
            {
                "cells": n_rows * N_FEATURES,
                "seconds": {name: record["timings_s"][name] for name in PER_SYMBOL},
                "peak": peak_bytes,
                "file": sum(path.stat().st_size for path in files) / N_SYMBOLS,
                "left": sum(path.stat().st_size for path in left) / N_SYMBOLS,
            }
        )
    short, long = found
    cells = long["cells"] - short["cells"]
    return {
        "seconds": {
            name: _linear(short["seconds"][name], long["seconds"][name], cells, long["cells"])
            for name in PER_SYMBOL
        },
        "worker_bytes": (long["peak"] - short["peak"]) / cells,
        "idle_bytes": short["peak"] - (long["peak"] - short["peak"]) / cells * short["cells"],
        "file_bytes": (long["file"] - short["file"]) / cells,
        "left_bytes": (long["left"] - short["left"]) / cells,
    }


def _linear(short: float, long: float, more_cells: int, all_cells: int) -> tuple[float, float]:
    """Return the seconds per cell, and per feature besides, of one symbol."""
    per_cell = max(0.0, long - short) / more_cells / N_SYMBOLS
    return per_cell, max(0.0, long / N_SYMBOLS - per_cell * all_cells) / N_FEATURES


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--symbols", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=300)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--cpus", type=int, default=8, help="per node")
    parser.add_argument("--memory-gib", type=float, default=32, help="per node")
    parser.add_argument("--measure", metavar="CONFIG", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        reader.CACHE_BYTES = 0  # the table at hand only: what a long one leaves room for
        # In blocks that are small beside the table, as those of a long one are.
        blocks.WHOLE_BYTES, blocks.BLOCK_BYTES = 0, 4 << 20
        return measure(options.measure)
    with tempfile.TemporaryDirectory() as folder:
        each = constants(Path(folder))
    print(f"{N_SYMBOLS} symbols, {LENGTHS} rows, {N_FEATURES} features, {N_TARGETS} targets")
    for name, (per_cell, per_feature) in each["seconds"].items():
        print(
            f"  {name:18} {1e6 * per_cell:6.2f} core-seconds per million cells, "
            f"{1e3 * per_feature:5.1f} ms per feature and symbol"
        )
    print(
        f"  worker {each['worker_bytes']:.1f} bytes per cell + {each['idle_bytes'] / 2**20:.0f} MiB"
    )
    print(
        f"  data {each['file_bytes']:.1f}, left in units/ {each['left_bytes']:.2f} bytes per cell"
    )

    cells = options.rows * options.features
    all_cells = cells * options.symbols
    per_symbol = [
        per_cell * cells + per_feature * options.features
        for per_cell, per_feature in each["seconds"].values()
    ]
    core_hours = options.symbols * sum(per_symbol) / 3600
    worker_gib = (each["worker_bytes"] * cells + each["idle_bytes"]) / 2**30
    # Ray leaves 70 % of a node's memory to workers, the rest to its object store.
    fit = min(options.cpus, int(options.memory_gib * 0.7 / worker_gib))
    print(
        f"{options.symbols:,} symbols × {options.rows:,} rows × {options.features} features on "
        f"{options.nodes} nodes of {options.cpus} CPUs and {options.memory_gib:g} GiB:"
    )
    print(f"  data {all_cells * each['file_bytes'] / 2**40:.1f} TiB")
    print(f"  units/ {all_cells * each['left_bytes'] / 2**40:.2f} TiB")
    print(f"  {-(-options.symbols // KEYS_PER_LIST)} LIST pages at one file per symbol")
    print(f"  {worker_gib:.1f} GiB per worker: {fit} fit on a node")
    print(f"  {core_hours:,.0f} core-hours", end="")
    print(f", {core_hours / fit / options.nodes:.0f} h" if fit else ", on no such node")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
