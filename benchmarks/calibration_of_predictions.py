"""Whether probabilities and intervals of ``predict`` hold on later bars that no model has seen.

    python benchmarks/calibration_of_predictions.py ../shared/data --panel daily
    python benchmarks/calibration_of_predictions.py ../shared/data --panel crypto

Cuts the last fifth of the time off, runs the pipeline on the rest with
benchmarks/calibration_of_predictions.yaml (every target is trained, predictable or not), predicts
the whole panel, computes the targets there, and prints, of the bars after the cut alone,

- of binary targets: by tenth of the probability the share of ones less the mean probability, with
  its HAC standard error, for the probability given and for one fixed at the cut
  (the share of ones in each tenth of the score over the walk-forward);
- of real-valued ones: the share of labels inside the interval, in eighths of the time, and the
  lowest, tenth, ninetieth and highest percentile of the symbols' shares;
- of all others: label less what was expected, by tenth of the expectation, in standard deviations.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from held_out import cut_panel, labels_of, without_mean
from numpy.typing import NDArray

from ray_pipeline.intervals import Interval
from ray_pipeline.panel.cross_section import base_of
from ray_pipeline.statistics.hac import hac_lag, hac_mean

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CONFIG = Path(__file__).with_suffix(".yaml")
COINS = ("ARB", "AVAX", "BONK", "BTC", "DOGE", "ETH", "FET", "PEPE", "SOL", "XRP")
FOLDERS = {"daily": "sp500_daily_2013_2018", "crypto": "binance_usdt_5m_2024"}
EVERY, MINUTES = 8, 15
"""Of the stocks every eighth; five-minute bars of coins are joined to longer ones."""
N_TENTHS, N_SPANS = 10, 8
"""Parts of the predictions and of the time."""


def take_panel(source: Path, out: Path, panel: str) -> None:
    """Write some of the stocks as they are, or some of the coins in longer bars."""
    files = sorted(source.rglob("*.parquet"))
    if panel == "daily":
        files = files[::EVERY]
    else:
        wanted = {f"symbol={name}USDT" for name in COINS}
        files = [file for file in files if file.parent.name in wanted]
    for file in files:
        table, name = _read(file), file.relative_to(source)
        if panel == "crypto":
            table = _longer_bars(table, MINUTES)
            name = Path(f"interval={MINUTES}m", *name.parts[1:])
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, target)


def _longer_bars(table: pa.Table, minutes: int) -> pa.Table:
    times = table["ts"].cast(pa.timestamp("ns", "UTC")).cast(pa.int64()).to_numpy()
    order = np.argsort(times, kind="stable")
    columns = {
        name: table[name].to_numpy()[order].astype(float)
        for name in ("open", "high", "low", "close", "volume")
    }
    length = minutes * 60 * 10**9
    bars, first = np.unique(times[order] // length, return_index=True)
    last = np.append(first[1:], len(times)) - 1
    return pa.table(
        {
            "ts": pa.array(bars * length, pa.timestamp("ns", "UTC")),
            "open": columns["open"][first],
            "high": np.maximum.reduceat(columns["high"], first),
            "low": np.minimum.reduceat(columns["low"], first),
            "close": columns["close"][last],
            "volume": np.add.reduceat(columns["volume"], first),
        }
    )


@dataclass(frozen=True)
class Later:
    """What was said of a target after the cut, and what came."""

    time_ns: Ints
    symbols: Ints
    labels: Floats
    columns: dict[str, Floats]


def later_rows(
    run: Path, out: Path, panel: Path, cut: int
) -> Iterable[tuple[str, str, int, Later]]:
    """Give target, task, horizon, and its rows after the cut."""
    record = json.loads((run / "run.json").read_text())
    facts = {}
    for file in sorted(run.glob("models/*/metadata.json")):
        metadata = json.loads(file.read_text())
        facts[metadata["target"]] = (metadata["task"], metadata["horizon_bars"])
    targets = sorted(facts)
    symbols = json.loads((out / "predictions.json").read_text())["symbols"]
    files = {name: each["file"] for name, each in symbols.items() if each["file"]}
    interval = Interval(record["data"]["bar_seconds"])
    labels = {
        unquote(file.parent.name.removeprefix("symbol=")): labels_of(file, targets, interval)
        for file in sorted(panel.rglob("*.parquet"))
    }
    for target in targets:
        if target != base_of(target):
            without_mean(labels, target, set(record["cross_section"]["members"]))
    tables = {name: _read(out / file) for name, file in files.items()}
    for target in targets:
        pieces: list[tuple[Any, ...]] = []
        names = [f"{target}__{end}" for end in ("score", "prob", "expected", "low", "high")]
        for i, (symbol, table) in enumerate(tables.items()):
            times = table["ts"].cast(pa.int64()).to_numpy()
            own = labels[symbol]
            actual = own.values[target][np.searchsorted(own.time_ns, times)]
            kept = (times >= cut) & np.isfinite(actual)
            values = [
                table[name].to_numpy(zero_copy_only=False)[kept]
                for name in names
                if name in table.column_names
            ]
            pieces.append((times[kept], np.full(kept.sum(), i), actual[kept], *values))
        joined = [np.concatenate(each) for each in zip(*pieces, strict=True)]
        ends = [name for name in names if name in tables[symbol].column_names]
        columns = dict(zip(ends, joined[3:], strict=True))
        columns = {name.rpartition("__")[2]: values for name, values in columns.items()}
        task, horizon = facts[target]
        yield target, task, horizon, Later(joined[0], joined[1], joined[2], columns)


def _read(file: Path) -> pa.Table:
    with file.open("rb") as handle:
        return pq.read_table(handle)


def tenths(values: Floats) -> Ints:
    """Return the tenth of each value, from 0."""
    bounds = np.quantile(values, np.arange(1, N_TENTHS) / N_TENTHS)
    return np.searchsorted(bounds, values, side="right")


def deviations(rows: Later, given: Floats, horizon: int) -> tuple[Floats, Floats]:
    """Return mean label less mean of what was given, by tenth of it, and the HAC errors."""
    tenth = tenths(given)
    times, at = np.unique(rows.time_ns, return_inverse=True)
    found, errors = np.full(N_TENTHS, np.nan), np.full(N_TENTHS, np.nan)
    for k in range(N_TENTHS):
        mine = tenth == k
        if not mine.any():
            continue
        found[k] = float((rows.labels - given)[mine].mean())
        sums = np.bincount(at[mine], (rows.labels - given)[mine] - found[k], len(times))
        # Of a ratio of sums over timestamps.
        error = hac_mean(sums, hac_lag(len(times), horizon)).std_error
        errors[k] = error * len(times) / mine.sum()
    return found, errors


def report_binary(target: str, horizon: int, rows: Later, fixed: Floats) -> None:
    """Print how probabilities compare with what happened."""
    for name, given in (("prob", rows.columns["prob"]), ("fixed at the cut", fixed)):
        found, errors = deviations(rows, given, horizon)
        within = int((np.abs(found) <= 0.02).sum())
        likely = int((np.abs(found) <= 0.02 + 2 * errors).sum())
        brier = float(((given - rows.labels) ** 2).mean())
        print(
            f"{target:<22}{name:<17}rate {rows.labels.mean():.3f}  mean {given.mean():.3f}  "
            f"brier {brier:.4f}  worst tenth {np.nanmax(np.abs(found)):.3f}  mean "
            f"{np.nanmean(np.abs(found)):.3f}  within 0.02: {within} of 10, but for two errors "
            f"{likely}"
        )
        print("    by tenth  " + " ".join(f"{value:+.3f}" for value in found))
        print("    error     " + " ".join(f"{value:6.3f}" for value in errors))


def report_expected(target: str, rows: Later) -> None:
    """Print how labels compare with what was expected."""
    expected = rows.columns["expected"]
    spread = float(rows.labels.std())
    tenth = tenths(expected)
    off = [
        float((rows.labels - expected)[tenth == k].mean() / spread) if (tenth == k).any() else 0.0
        for k in range(N_TENTHS)
    ]
    explained = 1 - float(((rows.labels - expected) ** 2).mean()) / spread**2
    print(
        f"{target:<22}expected  explained {explained:+.4f}  by tenth "
        + " ".join(f"{value:+.2f}" for value in off)
    )


def report_interval(target: str, rows: Later) -> None:
    """Print the share of labels inside, over time and by symbol."""
    inside = (rows.labels >= rows.columns["low"]) & (rows.labels <= rows.columns["high"])
    _, at = np.unique(rows.time_ns, return_inverse=True)
    span = at * N_SPANS // (at.max() + 1)
    over_time = np.bincount(span, inside) / np.bincount(span)
    counts = np.bincount(rows.symbols)
    shares = np.bincount(rows.symbols, inside)[counts > 0] / counts[counts > 0]
    low, tenth, ninetieth, high = np.quantile(shares, (0.0, 0.1, 0.9, 1.0))
    among = float(((shares >= 0.88) & (shares <= 0.92)).mean())
    print(
        f"{target:<22}interval  inside {inside.mean():.3f}  over time "
        + " ".join(f"{value:.3f}" for value in over_time)
        + f"  symbols {low:.3f} {tenth:.3f} {ninetieth:.3f} {high:.3f}, 0.88 to 0.92: {among:.0%}"
    )


def fixed_at_the_cut(run: Path, target: str, scores: Floats) -> Floats:
    """Return the share of ones of the walk-forward in each tenth of the score."""
    with (run / "predictions/out_of_sample.parquet").open("rb") as handle:
        table = pq.read_table(handle, filters=[("target", "=", target)])
    standing, actual = table["standing"].to_numpy(), table["actual"].to_numpy()
    known = np.isfinite(actual)
    tenth = np.minimum((standing[known] * N_TENTHS).astype(int), N_TENTHS - 1)
    counts = np.bincount(tenth, minlength=N_TENTHS)
    shares = np.bincount(tenth, actual[known], N_TENTHS) / np.maximum(counts, 1)
    found: Floats = shares[np.minimum((scores * N_TENTHS).astype(int), N_TENTHS - 1)]
    return found


def main() -> None:
    """Cut, run, predict, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder that holds both panels")
    parser.add_argument("--panel", choices=sorted(FOLDERS), required=True)
    parser.add_argument("--keep", type=Path, help="folder for run and predictions; made once")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = options.keep or Path(folder)
        whole, early, run, out = (root / name for name in ("whole", "early", "run", "out"))
        take_panel(options.data / FOLDERS[options.panel], whole, options.panel)
        cut = cut_panel(whole, early)
        program = [sys.executable, "-m", "ray_pipeline"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        changes = ["--set", f"data.data_dir={early}", "--set", f"output.run_dir={run}"]
        subprocess.run([*program, "run", str(CONFIG), *changes], check=True, env=environment)
        subprocess.run(
            [*program, "predict", str(run), "--data-dir", str(whole), "--out", str(out)],
            check=True,
            env=environment,
        )
        for target, task, horizon, rows in later_rows(run, out, whole, cut):
            if task == "binary":
                fixed = fixed_at_the_cut(run, target, rows.columns["score"])
                report_binary(target, horizon, rows, fixed)
                continue
            report_expected(target, rows)
            if "low" in rows.columns:
                report_interval(target, rows)


if __name__ == "__main__":
    main()
