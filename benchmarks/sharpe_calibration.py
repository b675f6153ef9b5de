"""How often the Sharpe ratios of worthless models pass for more, and how often true ones do.

    python benchmarks/sharpe_calibration.py --panels 200

A panel is that of ``calibration.py``: every family is fitted on every target in both views, as in
a run whose targets all turn out predictable, and each model's long–short portfolio is evaluated
without costs. Its labels overlap, and its families and targets are alike. Shares are of panels in
which any model passes, and of all models: with a probabilistic ratio above 0.95, which knows of
one trial; with a deflated one above 0.95; and where the best of as many worthless trials shows
such a ratio with a probability below 0.05. Beside them stand the trials that the run counts, the
independent ones that they are worth, and the mean probability of backtest overfitting. With a
signal the first feature has that IC with the next bar's return, and shares are of the models of
the shortest label, which it tells most of.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from calibration import Settings, SimulatedReader, simulate
from numpy.typing import NDArray

from ray_pipeline.evaluating.comparison import TestRange
from ray_pipeline.evaluating.deflation import Trials, deflate
from ray_pipeline.evaluating.measure import evaluate_job
from ray_pipeline.evaluating.overfitting import ComparedJob, likeness, overfitting_rows
from ray_pipeline.evaluating.records import EvaluatedJob, EvaluationSettings, Predictions
from ray_pipeline.evaluating.units import sliced_returns
from ray_pipeline.families import Problem
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.records import TargetSpec, View
from ray_pipeline.samples.walk import FamilySettings, fold_problem, predict_fold
from ray_pipeline.statistics.folds import Fold

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DAY_NS = 86_400 * 10**9
EVALUATION = EvaluationSettings(n_quantiles=5, cost_bps=0.0, min_cs=3)
COUNTS = ("counted", "effective", "overfitting")


@dataclass(frozen=True)
class Rows:
    """Rows of one symbol or of several, by time and then symbol."""

    X: NDArray[np.float32]
    labels: Floats
    positions: Ints
    symbols: Ints

    @classmethod
    def of(cls, reader: SimulatedReader, symbols: Sequence[str]) -> Rows:
        """Take the rows of some symbols, which all have every timestamp."""
        tables = [reader.tables[symbol] for symbol in symbols]
        n_times = len(tables[0].time_ns)
        n_rows = n_times * len(tables)
        return cls(
            X=np.stack([table.features for table in tables], axis=1).reshape(n_rows, -1),
            labels=np.stack([table.targets for table in tables], axis=1).reshape(n_rows, -1),
            positions=np.repeat(np.arange(n_times), len(tables)),
            symbols=np.tile(np.arange(len(tables)), n_times),
        )

    def problem(self, target: TargetSpec, index: int, fold: Fold, before: int) -> Problem | None:
        """Return the training problem of a fold, purged."""
        ends = self.positions[:before] + target.horizon_bars
        return fold_problem(self.labels[:before, index], ends, target.task, fold, 0, fold.index)


def walk(
    rows: Rows, frame: PanelFrame, families: Sequence[FamilySettings]
) -> Iterator[tuple[str, TargetSpec, Predictions]]:
    """Predict the test rows of every family and target, out of sample."""
    found: dict[tuple[str, int], list[Floats]] = {}
    for fold in frame.folds:
        before, end = np.searchsorted(rows.positions, (fold.test_start, fold.test_end)).tolist()
        problems = {
            index: rows.problem(target, index, fold, before)
            for index, target in enumerate(frame.targets)
        }
        predicted = predict_fold(
            rows.X[:before],
            rows.X[before:end],
            frame.request.features,
            families,
            tuple(problems),
            lambda index, _, problems=problems: problems[index],
            lambda _, __, values: values,
            tuple(problems),
        )
        for family, by_target in predicted.items():
            for index, prediction in by_target.items():
                found.setdefault((family, index), []).append(prediction.values)
    tested = np.flatnonzero(rows.positions >= frame.test_start)
    tested = tested[np.lexsort((rows.positions[tested], rows.symbols[tested]))]
    place = np.argsort(tested)
    positions = rows.positions[tested]
    for (family, index), parts in found.items():
        prediction = np.empty(len(tested))
        prediction[place] = np.concatenate(parts)
        yield (
            family,
            frame.targets[index],
            Predictions(
                symbols=rows.symbols[tested],
                positions=positions,
                cells=positions,
                stretches=np.zeros(len(tested), dtype=np.int64),
                time_ns=positions * DAY_NS,
                prediction=prediction,
                label=rows.labels[tested, index],
            ),
        )


@dataclass(frozen=True)
class Found:
    """What the run of a panel would say, of its best model and of each."""

    naive: NDArray[np.bool_]
    deflated: NDArray[np.bool_]
    luck: NDArray[np.bool_]
    counted: int
    effective: float
    overfitting: float
    is_planted: NDArray[np.bool_]


def measure(settings: Settings, n_own: int, seed: np.random.SeedSequence) -> Found:
    """Evaluate all models of a panel."""
    reader, frame = simulate(settings, seed)
    families = tuple(
        FamilySettings(name, (("n_estimators", settings.n_trees),) if name == "lightgbm" else ())
        for name in settings.families
    )
    symbols = sorted(reader.tables)
    tested = TestRange(frame.test_start, frame.folds[-1].test_end - frame.test_start)
    axis = np.arange(frame.n_timestamps) * DAY_NS
    jobs, rows, slices = [], [], []
    for symbol, names in [(None, symbols), *((symbol, [symbol]) for symbol in symbols[:n_own])]:
        for family, target, predictions in walk(Rows.of(reader, names), frame, families):
            job = _job(family, target, symbol)
            found = evaluate_job(predictions, job, EVALUATION)
            if found.returns is not None:
                jobs.append(ComparedJob(job.job_id, target.name, job.view, symbol, family))
                rows.append(found.job)
                slices.append(sliced_returns(found.returns, axis, tested))
    trials = Trials(
        n_ranked=2 * len(frame.targets),
        n_trained=2 * len(frame.targets),
        n_families=len(families),
        n_questions=len({job.question for job in jobs}),
        n_jobs=len(jobs),
        n_searched=0,
    )
    returns = np.stack(slices, axis=1)
    deflated = deflate(rows, trials, likeness(jobs, returns))
    return Found(
        naive=np.array([row.probabilistic_sharpe > 0.95 for row in deflated]),
        deflated=np.array([row.deflated_sharpe > 0.95 for row in deflated]),
        luck=np.array([row.sharpe_p_value < 0.05 for row in deflated]),
        counted=deflated[0].n_trials,
        effective=deflated[0].n_effective_trials,
        overfitting=overfitting_rows(jobs, returns)[0].probability,
        is_planted=np.array([row.horizon_bars == min(settings.horizons) for row in deflated]),
    )


def _job(family: str, target: TargetSpec, symbol: str | None) -> EvaluatedJob:
    view: View = "cross_sectional" if symbol is None else "symbol_specific"
    return EvaluatedJob(
        job_id=f"{symbol}_{target.name}_{family}",
        target=target.name,
        view=view,
        symbol=symbol,
        family=family,
        task=target.task,
        horizon_bars=target.horizon_bars,
        is_return=True,
        span=target.horizon_bars,
        spacing=1.0,
        table="",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--panels", type=int, default=200)
    parser.add_argument("--features", default="ar:0.9")
    parser.add_argument("--families", nargs="+", default=["ridge", "lightgbm"])
    parser.add_argument("--symbols", type=int, default=8)
    parser.add_argument("--own", type=int, default=3, help="symbols with models of their own")
    parser.add_argument("--bars", type=int, default=800)
    parser.add_argument("--trees", type=int, default=10)
    parser.add_argument("--signals", type=float, nargs="+", default=[0.0, 0.05, 0.1])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    kinds = ("naive", "deflated", "luck")
    columns = (
        f"{'IC':>5}",
        *(f"{f'{kind}, {of}':>16}" for kind in kinds for of in ("any", "each")),
    )
    print(" ".join((*columns, f"{'counted':>8} {'effective':>9} {'overfitting':>11}")), flush=True)
    for signal in args.signals:
        started = time.perf_counter()
        settings = Settings(
            features=args.features,
            n_symbols=args.symbols,
            n_bars=args.bars,
            families=tuple(args.families),
            n_trees=args.trees,
            signal=signal,
        )
        seeds = np.random.SeedSequence((args.seed, round(signal * 1e6))).spawn(args.panels)
        one = partial(measure, settings, args.own)
        if args.processes == 1:
            found = list(map(one, seeds))
        else:
            with ProcessPoolExecutor(args.processes) as processes:
                found = list(processes.map(one, seeds))
        cells = []
        for kind in kinds:
            hits = [getattr(each, kind) for each in found]
            if signal:  # of the models that answer the planted question
                hits = [hit[each.is_planted] for hit, each in zip(hits, found, strict=True)]
            cells += [np.mean([hit.any() for hit in hits]), np.mean(np.concatenate(hits))]
        counts = [np.mean([getattr(each, kind) for each in found]) for kind in COUNTS]
        line = [f"{signal:5.2f}", *(f"{cell:16.1%}" for cell in cells)]
        line += [f"{counts[0]:8.0f} {counts[1]:9.1f} {counts[2]:11.2f}"]
        print(" ".join(line), f" ({time.perf_counter() - started:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
