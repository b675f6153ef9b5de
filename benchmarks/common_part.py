"""Labels and features that symbols largely share: how much of what tells symbols apart is found.

    python benchmarks/common_part.py
    python benchmarks/common_part.py --null
    python benchmarks/common_part.py --compare raw

Draws a daily panel of 300 symbols × 1,500 days with 150 persistent features. Half of the variance
of each feature, and of the label, is common to all symbols at a timestamp; the own part of the
label follows the own parts of 20 features with a rank IC of 0.05 across symbols, and of none with
`--null`. Symbols join and leave. Runs the stages up to target ranking with the default config,
and prints each target's rows beside the skill of the planted signal itself (the oracle).
Exits with 1 when less than 0.85 of the oracle's skill is found, or anything in the null panel.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import signal

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.driving.progress import Progress
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.statistics.folds import walk_forward_folds
from ray_pipeline.statistics.skill import grouped_skill

Floats = NDArray[np.float64]

TARGET = "fwd_ret_1d"
RANK_IC = 0.05
N_CARRIERS = 20
COMMON = 0.5
"""Share of the variance, of features and label, that all symbols have in common."""

MEMORY = 0.95
"""Autocorrelation of the features, of their common and of their own part."""

DAILY_DEVIATION = 0.02
LEAST_SHARE = 0.85


@dataclass(frozen=True)
class Shape:
    """Size of the panel."""

    n_symbols: int
    n_days: int
    n_features: int


@dataclass(frozen=True)
class Panel:
    """Arrays of all symbols at all timestamps, before any joins or leaves.

    Attributes
    ----------
    X
        Shape (n_symbols, n_days, n_features), float32.
    y, oracle
        Label, and the planted part of it, shape (n_symbols, n_days).
    member
        Whether the symbol is there, shape (n_symbols, n_days).
    """

    X: NDArray[np.float32]
    y: Floats
    oracle: Floats
    member: NDArray[np.bool_]


def draw_panel(shape: Shape, rank_ic: float, seed: int) -> Panel:
    """Draw the panel of a seed; a rank IC of 0 plants nothing."""
    random = np.random.default_rng(seed)
    loadings = random.choice([-1.0, 1.0], N_CARRIERS) * random.uniform(0.5, 1.5, N_CARRIERS)
    loadings /= np.sqrt(np.sum(loadings**2))
    common = _persistent(random, (shape.n_days, shape.n_features))
    X = np.empty((shape.n_symbols, shape.n_days, shape.n_features), dtype=np.float32)
    oracle = np.empty((shape.n_symbols, shape.n_days))
    for symbol in range(shape.n_symbols):
        own = _persistent(random, (shape.n_days, shape.n_features))
        oracle[symbol] = own[:, :N_CARRIERS] @ loadings
        X[symbol] = math.sqrt(COMMON) * common + math.sqrt(1.0 - COMMON) * own
    # Of a normal pair: rank correlation = 6 / π · asin(correlation / 2) (Pearson 1907).
    correlation = 2.0 * math.sin(math.pi * rank_ic / 6.0)
    noise = random.standard_normal(oracle.shape)
    own_label = correlation * oracle + math.sqrt(1.0 - correlation**2) * noise
    market = random.standard_normal(shape.n_days)
    y = DAILY_DEVIATION * (math.sqrt(COMMON) * market + math.sqrt(1.0 - COMMON) * own_label)
    return Panel(X, y, oracle, _membership(random, shape))


def _persistent(random: np.random.Generator, shape: tuple[int, int]) -> Floats:
    shocks = random.standard_normal(shape)
    shocks[1:] *= math.sqrt(1.0 - MEMORY**2)
    series: Floats = signal.lfilter([1.0], [1.0, -MEMORY], shocks, axis=0)
    return series


def _membership(random: np.random.Generator, shape: Shape) -> NDArray[np.bool_]:
    """Draw who is there: a third of the symbols throughout, a third joins late, a third leaves."""
    days = np.arange(shape.n_days)
    member = np.ones((shape.n_symbols, shape.n_days), dtype=bool)
    for symbol in range(shape.n_symbols):
        when = random.integers(shape.n_days // 4, shape.n_days * 3 // 4)
        if symbol % 3 == 1:
            member[symbol] = days >= when
        elif symbol % 3 == 2:
            member[symbol] = days < when
    return member


def write_panel(folder: Path, panel: Panel) -> None:
    """Write daily labeled partitions, one file a symbol."""
    n_symbols, n_days, n_features = panel.X.shape
    times = np.datetime64("2015-01-01", "us") + np.arange(n_days).astype("timedelta64[D]")
    for symbol in range(n_symbols):
        there = panel.member[symbol]
        columns: dict[str, Any] = {"ts": pa.array(times[there], pa.timestamp("us", "UTC"))}
        for j in range(n_features):
            columns[f"x{j:03d}"] = pa.array(panel.X[symbol, there, j])
        columns[TARGET] = pa.array(panel.y[symbol, there])
        path = folder / "interval=1d" / f"symbol=S{symbol:03d}" / "part-0.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.table(columns), path)


def oracle_skill(panel: Panel, config: ExperimentConfig) -> float:
    """Mean rank IC across symbols of the planted signal, over the timestamps that are tested."""
    n_days = panel.y.shape[1]
    section = config.validation
    folds = walk_forward_folds(n_days, section.n_splits, section.min_train_fraction, 1)
    tested = np.arange(folds[0].test_start, folds[-1].test_end)
    there = panel.member[:, tested].T
    days = np.broadcast_to(tested[:, np.newaxis], there.shape)
    found = grouped_skill(
        panel.oracle[:, tested].T[there], panel.y[:, tested].T[there], days[there], "regression"
    )
    return float(found.skills.mean())


def main() -> None:
    """Draw, run, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--symbols", type=int, default=300)
    parser.add_argument("--days", type=int, default=1500)
    parser.add_argument("--features", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--null", action="store_true", help="plant nothing")
    parser.add_argument("--view", choices=("both", "cross_sectional"), default="both")
    parser.add_argument("--executor", choices=("ray", "serial"), default="ray")
    parser.add_argument("--compare", help="target_ranking.compare, other than the default")
    args = parser.parse_args()
    panel = draw_panel(
        Shape(args.symbols, args.days, args.features), 0.0 if args.null else RANK_IC, args.seed
    )
    ranking: dict[str, Any] = {} if args.compare is None else {"compare": args.compare}
    if args.view != "both":
        ranking["views"] = [args.view]
    with tempfile.TemporaryDirectory() as folder:
        config = ExperimentConfig.model_validate(
            {
                "experiment": {"name": "common_part", "seed": args.seed},
                "data": {"data_dir": f"{folder}/panel"},
                "target_ranking": ranking,
                "execution": {"executor": args.executor},
                "output": {"run_dir": f"{folder}/run"},
            }
        )
        write_panel(Path(folder, "panel"), panel)
        oracle = oracle_skill(panel, config)
        del panel
        started = time.perf_counter()
        print(run_pipeline(config, Progress(sys.stderr)).message)
        seconds = time.perf_counter() - started
        rows = pq.read_table(Path(folder, "run/target_ranking/targets.parquet")).to_pylist()
    for row in rows:
        print(
            f"{row['view']:<16} {row['family']:<12} skill {row['skill']:+.4f} ± "
            f"{row['std_error']:.4f}, q {row['q_value']:.2g}: {row['reason']}"
        )
    if args.null:
        print(f"null panel, {seconds:.0f} s")
        sys.exit(1 if any(row["predictable"] for row in rows) else 0)
    across = next(row["skill"] for row in rows if row["view"] == "cross_sectional")
    print(f"oracle {oracle:+.4f}: {across / oracle:.2f} of it found, {seconds:.0f} s")
    sys.exit(1 if across < LEAST_SHARE * oracle else 0)


if __name__ == "__main__":
    main()
