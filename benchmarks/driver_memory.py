"""What the driver of a run holds and does as the number of symbols grows.

Writes panels of noise (daily, 200 rows by default) with few and with many symbols and ranks each in
a run of its own process; nothing is predictable there, so that a run ends after the ranking. Memory
is the largest that the driver held for itself (resident, without what it shares with Ray's object
store), at the end of which the report is written.

    python benchmarks/driver_memory.py
    python benchmarks/driver_memory.py --symbols 500 5000 --rows 200 --features 20 --targets 4
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ray_pipeline.cli import main as command
from ray_pipeline.memory import own_memory

DAY_NS = 86_400 * 10**9
FIRST_NS = 16_000 * DAY_NS


def write_panel(root: Path, n_symbols: int, n_rows: int, n_features: int, n_targets: int) -> None:
    """Write one file of noise per symbol."""
    days = pa.array(FIRST_NS + DAY_NS * np.arange(n_rows), pa.timestamp("ns", tz="UTC"))
    for i in range(n_symbols):
        random = np.random.default_rng(i)
        columns = {f"f{j}": random.standard_normal(n_rows) for j in range(n_features)}
        columns |= {f"fwd_ret_{j + 1}d": random.standard_normal(n_rows) for j in range(n_targets)}
        folder = root / "interval=1d" / f"symbol=S{i:05d}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"ts": days, **columns}), folder / "part-0.parquet")


class OwnPeak(threading.Thread):
    """Samples the memory of this process, ten times a second (Linux)."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_bytes = 0

    def run(self) -> None:
        """Sample until the process ends."""
        while True:
            self.peak_bytes = max(self.peak_bytes, own_memory())
            time.sleep(0.1)


def measure(config: str) -> int:
    """Run a config in this process, and print what it took."""
    peak = OwnPeak()
    peak.start()
    times = time.process_time()
    code = command(["run", config])
    print(json.dumps([peak.peak_bytes, time.process_time() - times]))
    return code


def measured_apart(script: str, config: Path) -> list[float]:
    """Run a config by a script's ``--measure`` in a process of its own; return what it printed."""
    done = subprocess.run(
        [sys.executable, script, "--measure", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
        text=True,
    )
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--symbols", type=int, nargs="+", default=[500, 5000])
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--features", type=int, default=3)
    parser.add_argument("--targets", type=int, default=1)
    parser.add_argument("--measure", metavar="CONFIG", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        return measure(options.measure)
    print(f"{options.rows} rows, {options.features} features, {options.targets} targets")
    with tempfile.TemporaryDirectory() as folder:
        for n_symbols in options.symbols:
            root = Path(folder) / str(n_symbols)
            write_panel(root / "data", n_symbols, options.rows, options.features, options.targets)
            config = root / "run.yaml"
            config.write_text(
                f"data: {{data_dir: {root}/data, min_rows_per_symbol: 100}}\n"
                "validation: {n_splits: 2}\n"
                "target_ranking: {families: [ridge]}\n"
                "execution: {address: local}\n"
                f"output: {{run_dir: {root}/run}}\n"
            )
            start = time.perf_counter()
            n_bytes, cpu_s = measured_apart(__file__, config)
            wall = time.perf_counter() - start
            n_units = len(list((root / "run" / "units").glob("*/*.json")))
            print(
                f"{n_symbols:6} symbols  {n_units:6} units  {wall:6.1f} s  driver "
                f"{n_bytes / 2**20:5.0f} MiB, {cpu_s:5.1f} s of CPU, "
                f"{1000 * cpu_s / n_units:.2f} ms per unit",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
