"""What ``check`` estimates of runs of different sizes, beside what they take.

    python benchmarks/estimate.py ../shared/data --executor serial
    python benchmarks/estimate.py ../shared/data --executor ray --cases daily_8 coins
    python benchmarks/estimate.py --families ridge lightgbm

The first two print a row for each run: the middle of each estimate over what was measured, for
time, CPU time, memory and disk. The time of a busy machine says nothing; the CPU time of a run
holds there as well. `--executor serial` gives it by stage, for the constants in
`ray_pipeline.estimating.work`. With Ray it is that of all processes, those of Ray itself among
them. The last one measures models and prints the constants in `ray_pipeline.estimating.costs`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.optimize import nnls

from ray_pipeline.commands.checking import check_config
from ray_pipeline.config import ExperimentConfig, parse_experiment_config
from ray_pipeline.execution import Outcome
from ray_pipeline.families import Problem, load_family
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.quickstart.sample import make_sample
from ray_pipeline.results.stages import STAGES

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """A run: its data below the data folder (or generated ones), and the rest of its config."""

    folder: str
    data: str = ""
    rest: str = ""


BARRIERS = "fwd_ret_1d, fwd_ret_5d, y_will_peak_10d_1.0, mdd_zscore_10d, y_first_touch_10d_1.0"
CASES = {
    "quickstart": Case("generated:sample"),
    "labeled": Case("generated:labeled"),
    "daily_8": Case("sp500_daily_2013_2018", "symbol_batch_size: 8"),
    "daily_25_alpha158": Case(
        "sp500_daily_2013_2018",
        "symbol_batch_size: 25",
        "labeling: {features: alpha158, targets: [fwd_ret_2d, mfe_5d]}",
    ),
    "daily_60": Case(
        "sp500_daily_2013_2018",
        "symbol_batch_size: 60",
        f"labeling: {{targets: [{BARRIERS}, excess_ret_5d]}}",
    ),
    "daily_200": Case(
        "sp500_daily_2013_2018",
        "symbol_batch_size: 200",
        "labeling: {targets: [fwd_ret_1d, fwd_ret_5d, fwd_ret_20d]}",
    ),
    "thin_5m": Case(
        "us_stocks_5m_2024",
        "",
        "labeling: {features: [standard, intraday], "
        "targets: [fwd_ret_60m, fwd_ret_1d, y_will_peak_60m_1.0]}",
    ),
    "coins": Case(
        "binance_usdt_5m_2024",
        "symbol_batch_size: 6, max_rows_per_symbol: 30000",
        "labeling: {targets: [fwd_ret_15m, fwd_ret_60m, y_will_peak_60m_1.0, "
        "y_first_touch_4h_1.0]}",
    ),
    "shifts": Case(
        "generated:sample", "", 'target_ranking: {"null": circular_shift, n_shifts: 19}'
    ),
    "search": Case(
        "sp500_daily_2013_2018",
        "symbol_batch_size: 8",
        "labeling: {targets: [y_will_peak_10d_1.0]}\ntraining: {search: {n_trials: 5}}",
    ),
    "families": Case(
        "sp500_daily_2013_2018",
        "symbol_batch_size: 15",
        "labeling: {targets: [mfe_zscore_5d, fwd_ret_5d]}\n"
        "training: {families: [xgboost, catboost, extra_trees, random_forest, "
        "lightgbm_quantile, elastic_net, rank_average]}",
    ),
    "coins_own_ridge": Case(
        "binance_usdt_5m_2024",
        "symbol_batch_size: 10, max_rows_per_symbol: 20000",
        "labeling: {targets: [fwd_ret_60m, y_will_valley_60m_1.0]}\n"
        "target_ranking: {views: [symbol_specific], families: [ridge]}\n"
        "training: {families: [ridge]}",
    ),
}


@dataclass
class CpuByUnit:
    """A reporter that gives the CPU time since the last unit to the one that ended."""

    seconds: Counter[str] = field(default_factory=Counter)
    last: float = field(default_factory=time.process_time)

    def say(self, text: str, event: str = "message", **facts: Any) -> None:
        """Print a sentence; what led to it is the driver's."""
        print(f"  {text}", file=sys.stderr)
        self._take("driver")

    def remaining(self, left_s: float) -> None:
        """Do nothing."""

    def listed(self, n_files: int) -> None:
        """Do nothing."""

    def outcome(self, outcome: Outcome, n_done: int, n_total: int) -> None:
        """Count."""
        self._take(outcome.unit.stage)

    def _take(self, name: str) -> None:
        now = time.process_time()
        self.seconds[name] += now - self.last
        self.last = now

    def by_stage(self) -> dict[str, float]:
        """Return CPU seconds by stage."""
        stages = {kind.name: stage.name for stage in STAGES for kind in stage.units}
        found: Counter[str] = Counter()
        for unit, seconds in self.seconds.items():
            found[stages.get(unit, unit)] += seconds
        return dict(found)


class FamilyCpu(threading.Thread):
    """CPU seconds of this process and all its descendants, looked at five times a second (Linux).

    What a process used after the last look before its end is missed.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._before = time.process_time()
        self._others: dict[int, float] = {}
        self._stop_event = threading.Event()

    def run(self) -> None:
        """Look until stopped."""
        ticks = os.sysconf("SC_CLK_TCK")
        while not self._stop_event.wait(0.2):
            parents, used = {}, {}
            for place in Path("/proc").glob("[0-9]*/stat"):
                try:
                    fields = place.read_text().rpartition(")")[2].split()
                except (FileNotFoundError, ProcessLookupError):
                    continue  # it ended between the listing and the reading
                pid = int(place.parent.name)
                parents[pid], used[pid] = (
                    int(fields[1]),
                    (int(fields[11]) + int(fields[12])) / ticks,
                )
            for pid, seconds in used.items():
                if _descends(pid, os.getpid(), parents):
                    self._others[pid] = seconds

    def stop(self) -> float:
        """End looking, and return the seconds since the beginning."""
        self._stop_event.set()
        self.join()
        return time.process_time() - self._before + sum(self._others.values())


def _descends(pid: int, ancestor: int, parents: Mapping[int, int]) -> bool:
    while pid in parents and (parent := parents[pid]) != ancestor:
        pid = parent
    return pid in parents


def run_case(name: str, case: Case, data: Path, folder: Path, executor: str) -> None:
    """Check and run one case, and print its row."""
    panel = _generated(case.folder, folder) or data / case.folder
    text = f"""
data: {{data_dir: {panel}{", " if case.data else ""}{case.data}}}
experiment: {{name: {name}, seed: 7}}
execution: {{executor: {executor}}}
output: {{run_dir: {folder}/run_{name}}}
{case.rest}
"""
    config = parse_experiment_config(text, name)
    start = time.perf_counter()
    estimate = check_config(config)["estimate"]
    check_s = time.perf_counter() - start
    reporter, cpu = CpuByUnit(), FamilyCpu()
    cpu.start()
    run_pipeline(config, reporter, fresh=True)
    found = {**_took(config), "cpu_s": cpu.stop()}
    ratios = (
        f"{_middle(estimate[key]) / found[key]:.2f}"
        for key in ("wall_s", "cpu_s", "memory_bytes", "disk_bytes")
    )
    low, high = estimate["wall_s"]
    print(
        f"| {name} | {low:.0f} to {high:.0f} s | {found['wall_s']:.0f} s | {found['cpu_s']:.0f} s "
        f"| {' | '.join(ratios)} | check {check_s:.1f} s, load {os.getloadavg()[0]:.1f} |",
        flush=True,
    )
    if executor == "serial":
        measured = reporter.by_stage()
        for stage in dict.fromkeys((*estimate["stages_s"], *measured)):
            expected = estimate["stages_s"].get(stage)
            told = "–" if expected is None else f"{expected[0]:.1f} to {expected[1]:.1f}"
            print(f"    {stage}: {told} s, {measured.get(stage, 0.0):.1f} s of the CPU")


def _took(config: ExperimentConfig) -> Mapping[str, Any]:
    record = json.loads(Path(config.output.run_dir, "run.json").read_text())
    took: Mapping[str, Any] = record["estimate"]["took"]
    return took


def _middle(bounds: Sequence[float]) -> float:
    return sqrt(bounds[0] * bounds[1])


def _generated(name: str, folder: Path) -> Path | None:
    """Write a generated panel, if the name is of one."""
    tables: Mapping[str, pa.Table]
    if name == "generated:sample":
        tables = make_sample()
    elif name == "generated:labeled":
        tables = {f"S{k:02d}": _labeled(k) for k in range(20)}
    else:
        return None
    panel = folder / name.partition(":")[2]
    for symbol, table in tables.items():
        place = panel / "interval=1h" / f"symbol={symbol}"
        place.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, place / "part.parquet")
    return panel


def _labeled(number: int, n_rows: int = 6_000, n_features: int = 60) -> pa.Table:
    """Make a labeled symbol whose first feature says a little of three targets."""
    random = np.random.default_rng(number)
    hours = np.datetime64("2020-01-01", "ns") + np.arange(n_rows) * np.timedelta64(1, "h")
    X = 0.1 * random.standard_normal((n_rows, n_features)).cumsum(axis=0)
    columns: dict[str, Any] = {"ts": pa.array(hours, pa.timestamp("ns", tz="UTC"))}
    columns |= {f"f{j:02d}": X[:, j].astype(np.float32) for j in range(n_features)}
    change = random.standard_normal(n_rows) + 0.08 * np.r_[0.0, X[:-1, 0]]
    total = np.r_[0.0, change.cumsum()]
    for hours_ahead in (1, 6, 24):
        label = np.full(n_rows, np.nan)
        label[:-hours_ahead] = total[1 + hours_ahead :] - total[1:-hours_ahead]
        columns[f"y_next_{hours_ahead}h"] = label
    return pa.table(columns)


SIZES = ((800, 20), (800, 80), (5_000, 20), (5_000, 80), (20_000, 20), (20_000, 80), (60_000, 40))
"""Rows and features of the matrices that models are measured on."""


def measure_family(name: str) -> None:
    """Fit a family on matrices of several sizes, and print its constants."""
    family = load_family(name)
    has_trees = name not in {"ridge", "elastic_net"}
    random = np.random.default_rng(0)
    rows: list[tuple[float, ...]] = []
    for n, f in SIZES:
        X = np.cumsum(random.standard_normal((n, f)), axis=0).astype(np.float32) % 7
        names = [f"f{j}" for j in range(f)]
        problems = [
            Problem(random.standard_normal(n), np.arange(n)[k:-3], "regression", k) for k in (0, 1)
        ]
        for n_trees in (50, 150) if has_trees else (0,):
            settings = {"n_estimators": n_trees} if has_trees else {}
            one = _cpu_s(partial(family.fit, X, names, problems[:1], settings))
            two = _cpu_s(partial(family.fit, X, names, problems, settings))
            models = family.fit(X, names, problems[:1], settings)
            predicted = _cpu_s(partial(family.predict, models, X))
            rows.append((n, f, n_trees, max(2 * one - two, 0.0), max(two - one, 1e-6), predicted))
    n, f, t, shared, fitted, predicted = np.array(rows).T
    one = np.ones(len(n))
    print(name)
    _print("shared_cell, shared_square", [n * f, n * f * f], shared)
    parts = [one, f, n, n * f]
    _print("base, feature, row, cell; those of a tree", [*parts, *(t * p for p in parts)], fitted)
    _print("predicted_row, predicted_cell", [n * np.maximum(t, 1), n * f], predicted)


def _print(what: str, parts: Sequence[Floats], seconds: Floats) -> None:
    """Fit non-negative constants to seconds; relative errors count."""
    kept = [part for part in parts if part.any()]
    weights = 1.0 / np.maximum(seconds, 1e-3)
    found, _ = nnls(np.stack(kept, axis=1) * weights[:, np.newaxis], seconds * weights)
    worst = np.abs(np.stack(kept, axis=1) @ found - seconds) * weights
    print(f"  {what}: {', '.join(f'{value:.2g}' for value in found)} (±{worst.max():.0%})")


def _cpu_s(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(2):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def main() -> None:
    """Run the cases, or measure families."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?", help="folder that holds the market panels")
    parser.add_argument("--cases", nargs="*", choices=sorted(CASES), default=list(CASES))
    parser.add_argument("--executor", choices=["ray", "serial"], default="serial")
    parser.add_argument("--families", nargs="*", help="measure these instead")
    options = parser.parse_args()
    if options.families:
        for name in options.families:
            measure_family(name)
        return
    print("| run | estimate | took | CPU | time | CPU time | memory | disk | |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name in options.cases:
            run_case(name, CASES[name], options.data, Path(folder), options.executor)


if __name__ == "__main__":
    main()
