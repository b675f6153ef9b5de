"""What a day costs: CPU time of ``update`` beside that of the whole run, on real daily stocks.

    python benchmarks/daily.py [N_STOCKS] [--first-test 2016-02-08] [--test-every 21d]
        [--without-scratch]

A run on the rows up to a date of retraining; then a day between two dates, the same again (nothing
new), and the day on which a fold is added. The result of that day is compared with that of a run
from scratch on the same data, which is the run that its cost is a share of. Everything is computed
in one process (``execution.executor: serial``), so that its CPU time is all there is.

``--without-scratch`` saves an hour with hundreds of stocks: shares are then of the first run, which
has a fold less, and the result is compared with nothing.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

DATA = Path(__file__).resolve().parents[2] / "shared/data/sp500_daily_2013_2018/interval=1d"


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("n_stocks", type=int, nargs="?", default=30)
    parser.add_argument("--first-test", default="2016-02-08")
    parser.add_argument("--test-every", default="21d")
    parser.add_argument("--n-folds", type=int, default=20, help="before the day of the new fold")
    parser.add_argument("--without-scratch", action="store_true")
    options = parser.parse_args()
    if not DATA.exists():
        sys.exit(f"{DATA} is not there: this measures real data only.")
    paths = sorted(DATA.glob("symbol=*/*.parquet"))
    step = max(1, len(paths) // options.n_stocks)
    paths = paths[::step][: options.n_stocks]
    tables = {path.stem: pq.ParquetFile(path).read() for path in paths}
    days = _days(tables.values())
    first = int(np.searchsorted(days, np.datetime64(options.first_test)))
    due = first + options.n_folds * int(options.test_every.removesuffix("d"))
    if due >= len(days):
        sys.exit(f"{options.n_folds} folds end after the data do; take fewer.")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        config = _config(root, options)

        def measured(what: str, last: int, *command: str) -> float:
            _write(root, tables, days[last])
            seconds, wall = _command(*command)
            told = f"{what:25} {str(days[last])[:10]} {seconds:8.1f} s of CPU, {wall:8.1f} s"
            print(told, flush=True)
            return seconds

        run = str(root / "run")
        whole = measured("run", due - 3, "run", str(config), "--run-dir", run)
        measured("first update", due - 2, "update", run)
        day = measured("a day between two dates", due - 1, "update", run)
        nothing = measured("nothing new", due - 1, "update", run)
        fold = measured("the day of a new fold", due, "update", run)
        compared = "not compared"
        if not options.without_scratch:
            scratch = str(root / "scratch")
            whole = measured("run from scratch", due, "run", str(config), "--run-dir", scratch)
            is_same = _content(run) == _content(scratch)
            compared = f"{'that' if is_same else 'NOT that'} of a run from scratch"
    print(
        f"{len(tables)} stocks, {options.n_folds} folds: a day {day / whole:.1%} of the whole run, "
        f"nothing new {nothing / whole:.1%}, a new fold {fold / whole:.1%}; "
        f"the result is {compared}"
    )


def _days(tables: Any) -> np.ndarray:
    times = [table.column("ts").cast(pa.timestamp("ns", "UTC")).to_numpy() for table in tables]
    return np.unique(np.concatenate(times))


def _write(root: Path, tables: dict[str, pa.Table], last: np.datetime64) -> None:
    """Write the rows up to a day, as a vendor would who writes whole files."""
    for symbol, table in tables.items():
        path = root / f"data/interval=1d/symbol={symbol}/{symbol}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        times = table.column("ts").cast(pa.timestamp("ns", "UTC"))
        kept = table.filter(pa.array(times.to_numpy() <= last))
        pq.write_table(kept, path)


def _config(root: Path, options: argparse.Namespace) -> Path:
    document = {
        "experiment": {"name": "daily", "seed": 7},
        "data": {"data_dir": str(root / "data")},
        "labeling": {
            "features": "standard",
            "targets": ["fwd_ret_5d", "mdd_zscore_10d", "y_will_peak_10d_1.0"],
        },
        "validation": {
            "first_test": date.fromisoformat(options.first_test),
            "test_every": options.test_every,
        },
        "training": {"retrain_every": options.test_every},
        "execution": {"executor": "serial"},
    }
    path = root / "config.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def _command(*arguments: str) -> tuple[float, float]:
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = [sys.executable, "-m", "ray_pipeline", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)}: exit code {done.returncode}\n{done.stderr[-3000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, time.monotonic() - start


def _content(run: str) -> str:
    return str(json.loads((Path(run) / "run.json").read_text())["content_sha256"])


if __name__ == "__main__":
    main()
