"""Whole runs on planted panels: what was planted is found, in its view, and nothing else.

    python benchmarks/planted_panels.py --seeds 10

Each seed draws a panel of 12 symbols × 4,000 bars: targets that follow two features linearly
(two horizons and a binary one), the product of two features, one feature with opposite signs in
every other symbol, and nothing at all; 40 features of noise, and one of them made a copy of a
label to come. Exits with 1 when a planted target is missed, noise is found, a carrier is not
among the first features, the leak stays, or fewer than 95 % of the routes are right.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from planted import CARRIERS, LEAK, PLANTS, Plant, draw_panel

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.driving.progress import Silent
from ray_pipeline.pipeline import run_pipeline

MIN_ROUTES = 0.95
START = np.datetime64("2024-01-01T00:00", "us")


def write_planted_panel(folder: Path, n_symbols: int, n_bars: int, n_noise: int, seed: int) -> None:
    """Write the panel of a seed as hourly labeled partitions, the leak among its features."""
    X, Y = draw_panel(n_symbols, n_bars, n_noise, seed)
    names = [*CARRIERS, *(f"n{j}" for j in range(n_noise))]
    feature, target, rows_later = LEAK
    leaked = [plant.target.name for plant in PLANTS].index(target)
    times = pa.array(START + np.arange(n_bars).astype("timedelta64[h]"), pa.timestamp("us", "UTC"))
    for symbol in range(n_symbols):
        features = X[symbol].copy()
        features[:-rows_later, names.index(feature)] = np.tanh(Y[symbol, rows_later:, leaked] / 9)
        columns = {"ts": times}
        columns |= {name: pa.array(features[:, j]) for j, name in enumerate(names)}
        columns |= {
            plant.target.name: pa.array(Y[symbol, :, j], from_pandas=True)
            for j, plant in enumerate(PLANTS)
        }
        path = folder / "interval=1h" / f"symbol=S{symbol:02d}" / "part-0.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.table(columns), path)


@dataclass
class Judgement:
    """What a run found beside what was planted.

    Attributes
    ----------
    mistakes
        One sentence for each.
    n_routes, n_right
        Routes, and how many are as planted.
    wrong_routes
        How often which target got which wrong route.
    """

    mistakes: list[str]
    n_routes: int
    n_right: int
    wrong_routes: Counter[tuple[str, str]]


def judge(run_dir: Path) -> Judgement:
    """Hold a run's tables against the plants."""
    ranked = _rows(run_dir, "target_ranking/targets")
    predictable = {(row["target"], row["view"]) for row in ranked if row["predictable"]}
    features = _rows(run_dir, "feature_selection/features")
    routes = _rows(run_dir, "routing/routes")
    mistakes = []
    wrong: Counter[tuple[str, str]] = Counter()
    for plant in PLANTS:
        mistakes += _view_mistakes(plant, predictable)
        mistakes += _feature_mistakes(plant, features)
        wrong.update(
            (plant.target.name, row["route"])
            for row in routes
            if row["target"] == plant.target.name and row["route"] not in plant.routes
        )
    leaks = {(row["feature"], row["action"]) for row in _rows(run_dir, "leakage")}
    if leaks != {(LEAK[0], "dropped")}:
        mistakes.append(f"leaks: {sorted(leaks) or 'none'}, planted is {LEAK[0]} alone")
    return Judgement(mistakes, len(routes), len(routes) - wrong.total(), wrong)


def _view_mistakes(plant: Plant, predictable: set[tuple[str, str]]) -> list[str]:
    name = plant.target.name
    pooled = (name, "cross_sectional") in predictable
    own = (name, "symbol_specific") in predictable
    if not plant.carriers:
        return [f"{name}: noise found predictable"] if pooled or own else []
    if plant.routes == ("SYMBOL_SPECIFIC",):
        missed = [] if own else [f"{name}: not found in the symbol-specific view"]
        return [*missed, f"{name}: found in the pooled view"] if pooled else missed
    return [] if pooled else [f"{name}: not found in the pooled view"]


def _feature_mistakes(plant: Plant, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Look for the carriers at the top, of own models in at least nine symbols of ten."""
    first: dict[str | None, list[str]] = {}
    view = "symbol_specific" if plant.routes == ("SYMBOL_SPECIFIC",) else "cross_sectional"
    for row in sorted(rows, key=lambda row: row["rank"]):
        if (row["target"], row["view"]) == (plant.target.name, view):
            first.setdefault(row["symbol"], []).append(row["feature"])
    n_carriers = len(plant.carriers)
    right = [set(names[:n_carriers]) == set(plant.carriers) for names in first.values()]
    if not plant.carriers or (right and sum(right) >= 0.9 * len(right)):
        return []
    examples = sorted({", ".join(names[:n_carriers]) for names in first.values()})
    return [f"{plant.target.name}: first features are {'; '.join(examples) or 'none'}"]


def _rows(run_dir: Path, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(run_dir / f"{name}.parquet").to_pylist()
    return rows


def run_planted(
    folder: Path, seed: int, sections: Mapping[str, Any], shape: tuple[int, ...]
) -> Judgement:
    """Draw a panel of (symbols, bars, noise features), run the pipeline on it, and judge it."""
    write_planted_panel(folder / "panel", *shape, seed)
    document = {
        "experiment": {"name": f"planted_{seed}", "seed": seed},
        "data": {"data_dir": str(folder / "panel")},
        "output": {"run_dir": str(folder / "run")},
        **sections,
    }
    run_pipeline(ExperimentConfig.model_validate(document), Silent())
    return judge(folder / "run")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--symbols", type=int, default=12)
    parser.add_argument("--bars", type=int, default=4000)
    parser.add_argument("--noise", type=int, default=40)
    parser.add_argument("--trees", type=int, default=50, help="of the models that are trained")
    parser.add_argument("--executor", choices=("ray", "serial"), default="ray")
    args = parser.parse_args()
    sections = {
        "training": {"hyperparameters": {"lightgbm": {"n_estimators": args.trees}}},
        "execution": {"executor": args.executor},
    }
    n_routes = n_right = n_mistakes = 0
    for seed in range(args.first, args.first + args.seeds):
        started = time.perf_counter()
        shape = (args.symbols, args.bars, args.noise)
        with tempfile.TemporaryDirectory() as folder:
            judged = run_planted(Path(folder), seed, sections, shape)
        n_routes, n_right = n_routes + judged.n_routes, n_right + judged.n_right
        n_mistakes += len(judged.mistakes)
        seconds = time.perf_counter() - started
        print(f"seed {seed}: {judged.n_right} of {judged.n_routes} routes right, {seconds:.0f} s")
        for (target, route), count in sorted(judged.wrong_routes.items()):
            print(f"    {target}: {route} in {count} symbols")
        for mistake in judged.mistakes:
            print(f"    {mistake}")
        sys.stdout.flush()
    share = n_right / n_routes
    print(
        f"{args.seeds} seeds: {share:.1%} of {n_routes} routes right, {n_mistakes} other mistakes"
    )
    sys.exit(1 if share < MIN_ROUTES or n_mistakes else 0)


if __name__ == "__main__":
    main()
