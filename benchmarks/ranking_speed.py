"""Ranking seven targets in both views, beside the plain way of doing it.

    python benchmarks/ranking_speed.py

The plain way is what one writes with scikit-learn's API: for each target and fold one
`LGBMRegressor` on all cores, over the pooled rows and for each symbol, every fit with bins of
its own, purged training rows included. The steps between it and ours are timed one by one. Skill
is measured alike for all: the mean rank correlation of a timestamp's symbols in the pooled view,
of a symbol's test fold in the symbol-specific one, on the same rows.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray
from planted import PLANTS, draw_panel
from unit_calls import call

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.execution.threads import ThreadLimits
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.loading import TableRequest
from ray_pipeline.panel.reader import SymbolRows
from ray_pipeline.panel.table import SymbolTable
from ray_pipeline.ranking.own import walk_symbol
from ray_pipeline.ranking.pooled import PooledFoldSpec, rank_pooled_fold
from ray_pipeline.records import TargetSpec
from ray_pipeline.samples.learned import LabelComparison
from ray_pipeline.samples.pool import Pool
from ray_pipeline.samples.walk import FamilySettings
from ray_pipeline.statistics.folds import Fold, train_rows, walk_forward_folds
from ray_pipeline.statistics.skill import grouped_skill

Floats = NDArray[np.float64]

N_SPLITS = 5
TARGETS = tuple(plant.target for plant in PLANTS)
OURS = ExperimentConfig.model_validate({"data": {"data_dir": "unused"}}).target_ranking
COMPARISON = LabelComparison.of(OURS.compare, OURS.min_cs)


@dataclass(frozen=True)
class Panel:
    """A planted panel, the same rows for all symbols.

    Attributes
    ----------
    X
        Shape (n_symbols, n_bars, n_features).
    Y
        Labels, NaN = missing, shape (n_symbols, n_bars, n_targets).
    """

    X: NDArray[np.float32]
    Y: Floats
    frame: PanelFrame

    @property
    def names(self) -> tuple[str, ...]:
        """Features in order."""
        return self.frame.request.features

    def rows(self, symbol: int) -> SymbolRows:
        """Return one symbol's rows."""
        table = SymbolTable(
            symbol=f"S{symbol:02d}",
            time_ns=np.arange(self.X.shape[1]),
            features=self.X[symbol],
            feature_names=self.names,
            targets=self.Y[symbol],
            target_names=self.frame.request.targets,
        )
        return SymbolRows(table, np.arange(self.X.shape[1]))

    def pool(self) -> Pool:
        """Return the rows of all symbols, by timestamp."""
        n_symbols, n_bars = self.X.shape[:2]
        positions = np.repeat(np.arange(n_bars), n_symbols)
        horizons = tuple(sorted({target.horizon for target in self.frame.targets}))
        return Pool(
            symbols=tuple(f"S{i:02d}" for i in range(n_symbols)),
            feature_names=self.names,
            target_names=self.frame.request.targets,
            horizons=horizons,
            positions=positions,
            cells=positions,
            symbol_index=np.tile(np.arange(n_symbols, dtype=np.int32), n_bars),
            X=np.ascontiguousarray(self.X.swapaxes(0, 1)).reshape(-1, self.X.shape[2]),
            Y=np.ascontiguousarray(self.Y.swapaxes(0, 1)).reshape(-1, self.Y.shape[2]),
            label_ends=positions[:, np.newaxis] + np.array([each.count for each in horizons]),
            spacing=1.0,
        )


def make_panel(n_symbols: int, n_bars: int, n_noise: int, seed: int) -> Panel:
    """Draw the planted panel and lay its folds."""
    X, Y = draw_panel(n_symbols, n_bars, n_noise, seed)
    names = tuple(f"x{j}" for j in range(X.shape[2]))
    target_names = tuple(target.name for target in TARGETS)
    request = TableRequest("labeled", "ts", names, target_names, None, 1, 3_600, 1)
    folds = walk_forward_folds(n_bars, N_SPLITS, 0.4, 20)
    return Panel(X, Y, PanelFrame("axis", n_bars, folds, 0, request, TARGETS, seed))


@dataclass
class Predictions:
    """Out-of-sample predictions of all targets in both views; NaN = none.

    Attributes
    ----------
    pooled, own
        Shape (n_symbols, n_bars, n_targets).
    """

    pooled: Floats
    own: Floats


@dataclass(frozen=True)
class Way:
    """How to fit the boosted trees of all targets, and in how many processes."""

    title: str
    parameters: dict[str, Any] = field(default_factory=dict)
    ours: tuple[str, ...] = ()
    n_processes: int = 1


def predict(panel: Panel, way: Way) -> Predictions:
    """Predict every test row in both views."""
    shape = panel.Y.shape
    result = Predictions(np.full(shape, np.nan), np.full(shape, np.nan))
    work: list[Callable[[], Piece]] = [partial(pooled_fold, way, f) for f in panel.frame.folds]
    work += [partial(own_symbol, way, symbol) for symbol in range(len(panel.X))]
    for view, symbols, bars, values in _performed(panel, work, way.n_processes):
        getattr(result, view)[symbols, bars] = values
    return result


Piece = tuple[str, Any, slice, Floats]
_PANEL: dict[str, Any] = {}


def _start_worker(panel: Panel) -> None:
    # Workers of a run hold the pool in shared memory, ready: it is not part of what is compared.
    _PANEL["panel"], _PANEL["pool"] = panel, panel.pool()


def _performed(panel: Panel, work: list[Callable[[], Piece]], n_processes: int) -> Iterator[Piece]:
    if n_processes == 1:
        _start_worker(panel)
        yield from (one() for one in work)
        return
    with ProcessPoolExecutor(n_processes, initializer=_start_worker, initargs=(panel,)) as workers:
        for future in [workers.submit(one) for one in work]:
            yield future.result()


def pooled_fold(way: Way, fold: Fold) -> Piece:
    """Fit the pooled models of a fold and predict its test rows."""
    panel, pool = _PANEL["panel"], _PANEL["pool"]
    start, end = np.searchsorted(pool.positions, [fold.test_start, fold.test_end]).tolist()
    if way.ours:
        values = _our_pooled(panel.frame, pool, fold.index, way.ours)
    else:
        ends = {t.name: pool.ends(t.horizon) for t in TARGETS}
        values = _plain(pool.X, pool.Y, ends, fold, slice(start, end), way)
    values = values.reshape(-1, len(panel.X), panel.Y.shape[2]).swapaxes(0, 1)
    return "pooled", slice(None), slice(fold.test_start, fold.test_end), values


def own_symbol(way: Way, symbol: int) -> Piece:
    """Walk over a symbol with its own models."""
    panel = _PANEL["panel"]
    frame, rows = panel.frame, panel.rows(symbol)
    first = frame.test_start
    values = np.full((frame.n_timestamps - first, len(frame.targets)), np.nan)
    if way.ours:
        with ThreadLimits(1).applied():
            walked = walk_symbol(rows, frame, _settings(way.ours))
        for j, target in enumerate(frame.targets):
            sample = walked[way.ours[-1], target.name]
            values[sample.positions - first, j] = sample.centred_percentile
    else:
        ends = {t.name: rows.label_ends(t.horizon) for t in TARGETS}
        for fold in frame.folds:
            tested = slice(fold.test_start, fold.test_end)
            values[fold.test_start - first : fold.test_end - first] = _plain(
                panel.X[symbol], panel.Y[symbol], ends, fold, tested, way
            )
    return "own", symbol, slice(first, None), values


def _settings(families: tuple[str, ...]) -> tuple[FamilySettings, ...]:
    return FamilySettings.from_config(families, OURS.hyperparameters)


class _Tables:
    """Keeps the table that a unit writes; stands in for the run directory and its reader."""

    def __init__(self) -> None:
        self.run = self
        self.table: Any = None

    def write_table(self, name: str, table: Any) -> None:
        """Keep it."""
        self.table = table


def _our_pooled(frame: PanelFrame, pool: Pool, fold: int, families: tuple[str, ...]) -> Floats:
    reader: Any = _Tables()
    with ThreadLimits(1).applied():
        call(
            rank_pooled_fold,
            reader,
            PooledFoldSpec(frame, (), fold, _settings(families), COMPARISON),
            pool,
        )
    columns = [reader.table[f"{families[-1]}_{j}"].to_numpy() for j in range(len(frame.targets))]
    return np.stack(columns, axis=1).astype(np.float64)


def _plain(
    X: NDArray[np.float32],
    Y: Floats,
    label_ends: dict[str, NDArray[np.int64]],
    fold: Fold,
    tested: slice,
    way: Way,
) -> Floats:
    """Fit one model per target on the purged rows before a fold, and predict its rows."""
    values = np.empty((tested.stop - tested.start, len(TARGETS)))
    for j, target in enumerate(TARGETS):
        usable = train_rows(label_ends[target.name], fold, 0) & np.isfinite(Y[:, j])
        binary = target.task == "binary"
        model = (lgb.LGBMClassifier if binary else lgb.LGBMRegressor)(
            verbosity=-1, **way.parameters
        )
        model.fit(X[usable], Y[usable, j])
        found = model.predict_proba(X[tested])[:, 1] if binary else model.predict(X[tested])
        values[:, j] = found
    return values


def skills(panel: Panel, predictions: Predictions) -> tuple[Floats, Floats]:
    """Mean rank correlation (or 2·AUC − 1) per target: pooled, own; each of shape (n_targets,)."""
    first = panel.frame.test_start
    fold_of = np.searchsorted(
        [f.test_start for f in panel.frame.folds], np.arange(panel.X.shape[1]), "right"
    )
    groups = {"pooled": np.arange(panel.X.shape[1])[np.newaxis].repeat(len(panel.X), 0)}
    groups["own"] = fold_of + 1000 * np.arange(len(panel.X))[:, np.newaxis]
    found = []
    for view in ("pooled", "own"):
        per_target = []
        for j, target in enumerate(TARGETS):
            actual = panel.Y[:, first:, j]
            predicted = getattr(predictions, view)[:, first:, j]
            known = np.isfinite(actual) & np.isfinite(predicted)
            measured = grouped_skill(
                predicted[known], actual[known], groups[view][:, first:][known], target.task
            )
            per_target.append(float(measured.skills.mean()))
        found.append(np.array(per_target))
    return found[0], found[1]


def with_targets(panel: Panel, n_targets: int) -> Panel:
    """Return the panel with as many targets of several horizons, each lacking labels of its own."""
    random = np.random.default_rng(n_targets)
    source = [TARGETS.index(t) for t in TARGETS if t.task == "regression"]
    kept = [source[j % len(source)] for j in range(n_targets)]
    Y = panel.Y[..., kept]
    Y[random.random(Y.shape) < 0.01] = np.nan
    targets = tuple(
        TargetSpec(f"y_{j}", TARGETS[place].horizon_bars, "regression")
        for j, place in enumerate(kept)
    )
    request = replace(panel.frame.request, targets=tuple(target.name for target in targets))
    return Panel(panel.X, Y, replace(panel.frame, request=request, targets=targets))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--symbols", type=int, default=12)
    parser.add_argument("--bars", type=int, default=4000)
    parser.add_argument("--noise", type=int, default=40, help="noise features")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", help="ways by their number")
    args = parser.parse_args()
    n_cores = len(os.sched_getaffinity(0))
    panel = make_panel(args.symbols, args.bars, args.noise, args.seed)
    small = {
        "n_estimators": 50,
        "learning_rate": 0.1,
        "num_leaves": 15,
        "colsample_bytree": 0.5,
        "reg_lambda": 1.0,
    }
    ways = (
        Way(f"plain: library defaults, {n_cores} threads", {"n_jobs": n_cores}),
        Way("smaller models: 50 trees of 15 leaves", small | {"n_jobs": n_cores}),
        Way("63 bins", small | {"n_jobs": n_cores, "max_bin": 63}),
        Way(f"{n_cores} workers of one thread", small | {"n_jobs": 1, "max_bin": 63}, (), n_cores),
        Way("ours without ridge: bins shared by targets", {}, ("lightgbm",), n_cores),
        # Its skill is that of the trees, like for like; ridge's own stands in the line below.
        Way("ours: ridge and trees (skill of the trees)", {}, ("ridge", "lightgbm"), n_cores),
        Way("ours: ridge alone", {}, ("ridge",), n_cores),
    )
    print(
        f"{args.symbols} symbols × {args.bars} bars, {panel.X.shape[2]} features, {N_SPLITS} folds"
    )
    names = " ".join(f"{t.name.removeprefix('y_'):>11}" for t in TARGETS)
    print(f"{'':43} {'s':>6} {'of plain':>8}  {'view':6} {names}", flush=True)
    plain = None
    for number, way in enumerate(ways, start=1):
        if args.only and str(number) not in args.only:
            continue
        started = time.perf_counter()
        predictions = predict(panel, way)
        seconds = time.perf_counter() - started
        plain = plain or seconds
        pooled, own = skills(panel, predictions)
        for view, found in (("pooled", pooled), ("own", own)):
            head = f"{number} {way.title:41} {seconds:6.1f} {seconds / plain:8.2f}"
            cells = " ".join(f"{skill:14.3f}" for skill in found)
            print(f"{head if view == 'pooled' else ' ' * 59}  {view:6} {cells}", flush=True)
    print("ridge in both views, each target with missing labels of its own")
    for n_targets in (1, 10, 100):
        many = with_targets(panel, n_targets)
        started = time.perf_counter()
        predict(many, ways[-1])
        print(f"{n_targets:4} targets {time.perf_counter() - started:6.1f} s", flush=True)


if __name__ == "__main__":
    main()
