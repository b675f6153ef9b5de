"""How often noise counts as evidence: the tests of both views on panels that nothing predicts.

    python benchmarks/calibration.py --panels 200
    python benchmarks/calibration.py --panels 200 --families ridge --shifts 29

Labels overlap and their noise is shared between symbols. Features are persistent and know
nothing (`ar:0.9`), or are made of the past of the very returns that the labels are made of
(`returns`, and `level` with the price itself), which nothing predicts all the same. At a nominal
5 % each share of p < 0.05 should be close to 5 %, and the adjusted ones at most that. With
`--shifts` p-values and verdicts are those of the circular-shift null: the better family's p, and q
by the largest statistic. With `--signal` the first feature knows something of the next bar, and
the shares are those of signals found (power) beside the size that the same tests have without.

    python benchmarks/calibration.py --panels 200 --families ridge --features ar:0.9 --signal 0.1
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from itertools import chain
from multiprocessing import get_context
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import signal, stats
from unit_calls import call

from ray_pipeline.execution.threads import ThreadLimits
from ray_pipeline.families import load_family
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.loading import TableRequest
from ray_pipeline.panel.reader import SymbolRows
from ray_pipeline.panel.table import SymbolTable
from ray_pipeline.ranking.decide import TargetRow, target_row, with_verdicts
from ray_pipeline.ranking.own import SymbolRankingSpec, rank_symbol
from ray_pipeline.ranking.pooled import PooledFoldSpec, rank_pooled_fold
from ray_pipeline.ranking.settings import RankingSettings
from ray_pipeline.ranking.shifted_own import (
    ShiftedMeanSpec,
    ShiftedSymbolSpec,
    rank_symbol_shifted,
    summarise_symbols_shifted,
)
from ray_pipeline.ranking.shifted_pooled import ShiftedPoolSpec, rank_pool_shifted
from ray_pipeline.ranking.shifts import draw_shifts
from ray_pipeline.records import SymbolPartition, TargetSpec, View
from ray_pipeline.samples import walk
from ray_pipeline.samples.evidence import (
    Evidence,
    PredictedRows,
    SkillMeasure,
    evidence_of,
    series_evidence,
)
from ray_pipeline.samples.learned import LabelComparison
from ray_pipeline.samples.pool import Pool, PoolSpec, SliceSpec, assemble_pool, write_slice
from ray_pipeline.samples.walk import FamilySettings
from ray_pipeline.statistics.folds import walk_forward_folds
from ray_pipeline.statistics.skill import grouped_skill

Floats = NDArray[np.float64]

BURN_IN = 300
"""Bars before the panel starts, for features that look back."""

N_SPLITS = 5
_FOR_GOOD = ExitStack()
COMPARISON = LabelComparison("rank", 3)
"""How pooled models see labels, by default."""


@dataclass(frozen=True)
class Settings:
    """A panel's shape and the models that look for something in it."""

    features: str = "ar:0.9"
    n_symbols: int = 6
    n_bars: int = 800
    horizons: tuple[int, ...] = (1, 5, 20)
    families: tuple[str, ...] = ("ridge", "lightgbm")
    n_trees: int = 15
    n_shifts: int = 0
    """Circular shifts that p-values come from; 0 for the analytic null."""
    alpha: float = 0.05
    """Nominal level of every test, and of the correction for many."""
    common: float = 0.3
    """Share of the variance that all symbols have in common, of returns and of features."""
    signal: float = 0.0
    """Correlation of the first feature with the return of the bar that follows it; 0 for none."""


class Memory:
    """Tables by name: the part of a run directory that ranking needs."""

    def __init__(self) -> None:
        self._tables: dict[str, pa.Table] = {}

    def write_table(self, name: str, table: pa.Table) -> None:
        """Keep a table."""
        self._tables[name] = table

    def read_table(self, name: str) -> pa.Table:
        """Return a table."""
        return self._tables[name]

    def read_tables(self, names: Iterable[str]) -> Iterator[pa.Table]:
        """Read tables one after the other."""
        return map(self.read_table, names)


class SimulatedReader:
    """Stands in for `PanelReader`: the units of ranking get their rows from here."""

    def __init__(self, tables: Mapping[str, SymbolTable]) -> None:
        self.run = Memory()
        self.tables = tables

    def rows(self, partition: SymbolPartition, frame: PanelFrame) -> SymbolRows:
        """Return a symbol's rows; every symbol has every timestamp."""
        table = self.tables[partition.symbol]
        return SymbolRows(table, np.arange(frame.n_timestamps))


def simulate(
    settings: Settings, seed: np.random.SeedSequence
) -> tuple[SimulatedReader, PanelFrame]:
    """Return a panel in which no feature says anything about a label but a planted signal."""
    random = np.random.default_rng(seed)
    n_rows = BURN_IN + settings.n_bars
    returns = _correlated(random.standard_t(4, (n_rows, settings.n_symbols + 1)), settings.common)
    prices = np.cumsum(returns, axis=0)
    features = _features(settings, random, prices)
    if settings.signal:
        prices = _planted(prices, features[:, :, 0], settings.signal)
    names = tuple(f"x{j}" for j in range(features.shape[2]))
    targets = tuple(TargetSpec(f"y_{h}", h, "regression") for h in settings.horizons)
    target_names = tuple(target.name for target in targets)
    tables = {}
    for i in range(settings.n_symbols):
        labels = np.full((settings.n_bars, len(targets)), np.nan)
        for j, h in enumerate(settings.horizons):
            labels[:-h, j] = (prices[h:, i] - prices[:-h, i])[BURN_IN:]
        tables[f"S{i:02d}"] = SymbolTable(
            symbol=f"S{i:02d}",
            time_ns=np.arange(settings.n_bars, dtype=np.int64),
            features=features[BURN_IN:, i].astype(np.float32),
            feature_names=names,
            targets=labels,
            target_names=target_names,
        )
    request = TableRequest("labeled", "ts", names, target_names, None, 1, 86_400, 1)
    folds = walk_forward_folds(settings.n_bars, N_SPLITS, 0.4, max(settings.horizons))
    frame = PanelFrame("axis", settings.n_bars, folds, 0, request, targets, int(random.integers(9)))
    return SimulatedReader(tables), frame


def _correlated(noise: Floats, common: float) -> Floats:
    """Mix the last column into all others."""
    mixed: Floats = np.sqrt(1 - common) * noise[:, :-1] + np.sqrt(common) * noise[:, -1:]
    return mixed


def _planted(prices: Floats, known: Floats, correlation: float) -> Floats:
    """Let a feature, shape (n_rows, n_symbols), say something about the next bar's return."""
    symbols = slice(known.shape[1])
    returns = np.diff(prices[:, symbols], axis=0)
    share = correlation / np.sqrt(1.0 - correlation**2)
    returns += share * returns.std() * known[:-1] / known.std()
    planted: Floats = np.cumsum(np.r_[prices[:1, symbols], returns], axis=0)
    return planted


def _features(settings: Settings, random: np.random.Generator, prices: Floats) -> Floats:
    """Return features, shape (n_rows, n_symbols, n_features)."""
    kind, _, number = settings.features.partition(":")
    if kind == "ar":
        noise = random.standard_normal((4, len(prices), settings.n_symbols + 1))
        series = signal.lfilter([1.0], [1.0, -float(number)], noise, axis=1)
        return np.stack([_correlated(one, settings.common) for one in series], axis=2)
    past = [prices - np.roll(prices, window, axis=0) for window in (5, 20, 60, 200)]
    return np.stack(past if kind == "returns" else [*past, prices], axis=2)


def measure(settings: Settings, seed: np.random.SeedSequence) -> list[tuple[tuple[Any, ...], bool]]:
    """Rank one panel; return whether each test, named by (view, horizon, test), found something."""
    reader, frame = simulate(settings, seed)
    families = tuple(
        FamilySettings(name, (("n_estimators", settings.n_trees),) if name == "lightgbm" else ())
        for name in settings.families
    )
    shifted = _shifted(reader, frame, families, settings.n_shifts) if settings.n_shifts else {}
    found: list[tuple[tuple[Any, ...], bool]] = []
    rows: list[TargetRow] = []
    for view, target, evidence, naive in (
        *_cross_sectional(reader, frame, families),
        *_symbol_specific(reader, frame, families),
    ):
        key = (view, target.horizon_bars)
        found += [((*key, name), item.p_value < settings.alpha) for name, item in evidence.items()]
        found.append(((*key, "iid"), naive < settings.alpha))
        if view != "one symbol":
            null = shifted.get((view, target.name))
            rows.append(target_row(target, view, evidence, settings.n_symbols, null))
            found.append(((*key, "best"), rows[-1].p_value <= settings.alpha))
    judged = with_verdicts(
        rows,
        settings.alpha,
        "max_statistic" if shifted else "bh",
        lambda row: shifted[row.view, row.target],
    )
    found += [((row.view, row.horizon_bars, "predictable"), row.predictable) for row in judged]
    found.append((("any", 0, "predictable"), any(row.predictable for row in judged)))
    return found


Measured = Iterator[tuple[View | Any, TargetSpec, dict[str, Evidence], float]]


def _cross_sectional(
    reader: Any, frame: PanelFrame, families: tuple[FamilySettings, ...]
) -> Measured:
    pool, names = _pool(reader, frame)
    records = [
        call(
            rank_pooled_fold,
            reader,
            PooledFoldSpec(frame, names, fold.index, families, COMPARISON),
            pool,
        )
        for fold in frame.folds
    ]
    predictions = pa.concat_tables([reader.run.read_table(record["table"]) for record in records])
    index = predictions["row"].to_numpy()
    for j, target in enumerate(frame.targets):
        actual = pool.target(target.name)[index]
        evidence: dict[str, Evidence] = {}
        naive = 1.0
        for family in families:
            values = predictions[f"{family.name}_{j}"].to_numpy().astype(np.float64)
            known = np.isfinite(values) & np.isfinite(actual)
            times = pool.positions[index][known]
            sample = (values[known], actual[known], times)
            measure = SkillMeasure("cross_sectional", target.task, target.horizon_bars, 1.0, 3)
            evidence[family.name] = evidence_of(measure, PredictedRows(*sample, times))
            if family is families[0]:
                naive = _independent(grouped_skill(*sample, target.task).skills)
        yield "cross_sectional", target, evidence, naive


def _pool(reader: Any, frame: PanelFrame) -> tuple[Pool, tuple[str, ...]]:
    symbols = tuple(sorted(reader.tables))
    slices = tuple(
        call(write_slice, reader, SliceSpec(SymbolPartition(symbol, ()), frame, frame.n_timestamps))
        for symbol in symbols
    )
    names = tuple(record["table"] for record in slices)
    return assemble_pool(reader, PoolSpec(symbols, names, frame, frame.n_timestamps)), names


def _symbol_specific(
    reader: Any, frame: PanelFrame, families: tuple[FamilySettings, ...]
) -> Measured:
    symbols = sorted(reader.tables)
    records = [
        call(
            rank_symbol,
            reader,
            SymbolRankingSpec(SymbolPartition(symbol, ()), frame, families, (), ()),
        )
        for symbol in symbols
    ]
    series = [reader.run.read_table(record["series"]) for record in records]
    n_positions = frame.folds[-1].test_end - frame.test_start
    for j, target in enumerate(frame.targets):
        evidence: dict[str, Evidence] = {}
        naive = 1.0
        for family in families:
            mean = np.mean([table[f"{family.name}_{j}"].to_numpy() for table in series], axis=0)
            own = [record["targets"][target.name]["own"][family.name] for record in records]
            evidence[family.name] = series_evidence(
                mean,
                target.horizon_bars,
                n_positions / len(mean),
                n_rows=sum(item["n_rows"] for item in own),
                own_errors=[item["std_error"] for item in own],
            )
            if family is families[0]:
                naive = _independent(mean)
        yield "symbol_specific", target, evidence, naive
        first = records[0]["targets"][target.name]["own"]
        alone = {name: Evidence.from_record(item) for name, item in first.items()}
        naive = _independent(series[0][f"{families[0].name}_{j}"].to_numpy())
        yield "one symbol", target, alone, naive


def _shifted(
    reader: Any, frame: PanelFrame, families: tuple[FamilySettings, ...], n_shifts: int
) -> dict[tuple[str, str], Floats]:
    """Statistics of each shift by (view, target)."""
    horizon = max(target.horizon_bars for target in frame.targets)
    shifts = draw_shifts(frame.n_timestamps, n_shifts, horizon, frame.seed)
    pool, slices = _pool(reader, frame)
    names = tuple(family.name for family in families)
    pooled = rank_pool_shifted(
        reader,
        ShiftedPoolSpec(frame, slices, RankingSettings(families, 3, COMPARISON), shifts),
        pool,
    )
    records = [
        call(
            rank_symbol_shifted,
            reader,
            ShiftedSymbolSpec(SymbolPartition(symbol, ()), frame, families, 100, shifts),
        )
        for symbol in sorted(reader.tables)
    ]
    series, errors = (tuple(record[kind] for record in records) for kind in ("series", "errors"))
    own = summarise_symbols_shifted(reader, ShiftedMeanSpec(frame, names, series, errors, shifts))
    return {
        (view, name): np.array(values)
        for view, record in (("cross_sectional", pooled), ("symbol_specific", own))
        for name, values in record["z_scores"].items()
    }


def _independent(series: Floats) -> float:
    """One-sided p-value of the textbook t-test, which takes the values for independent."""
    return float(stats.ttest_1samp(series, 0.0, alternative="greater").pvalue)


def shares(
    settings: Settings, seeds: Sequence[np.random.SeedSequence], n_processes: int = 1
) -> dict[tuple[Any, ...], float]:
    """Rank as many panels as there are seeds; return how often each test found something."""
    if n_processes == 1:
        panels = [measure(settings, seed) for seed in seeds]
    else:
        # New processes: OpenMP's threads, if a caller has such, do not survive a fork.
        new = get_context("spawn")
        with ProcessPoolExecutor(n_processes, new, _prepare_process) as processes:
            panels = list(processes.map(measure, [settings] * len(seeds), seeds, chunksize=4))
    hits: dict[tuple[Any, ...], list[bool]] = defaultdict(list)
    for key, hit in chain.from_iterable(panels):
        hits[key].append(hit)
    return {key: float(np.mean(found)) for key, found in hits.items()}


def _prepare_process() -> None:
    """Use one thread, as a worker of one CPU does, and look for families' packages once.

    For fits this small LightGBM's threads wait for each other, the longer the more else there is to
    do, and looking through all installed packages takes longer than a fit.
    """
    setattr(walk, "load_family", cache(load_family))  # noqa: B010 (for type checkers)
    _FOR_GOOD.enter_context(ThreadLimits(1).applied())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--panels", type=int, default=200)
    parser.add_argument("--features", nargs="+", default=["ar:0.9", "ar:0.95", "returns", "level"])
    parser.add_argument("--families", nargs="+", default=["ridge", "lightgbm"])
    parser.add_argument("--symbols", type=int, default=6)
    parser.add_argument("--bars", type=int, default=800)
    parser.add_argument("--trees", type=int, default=15)
    parser.add_argument("--shifts", type=int, default=0, help="of the circular-shift null")
    parser.add_argument("--signal", type=float, default=0.0, help="IC planted at the next bar")
    parser.add_argument("--alpha", type=float, default=0.05, help="nominal level")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    tests = (*args.families, "best", "iid", "predictable")
    columns = (f"{'features':9}", f"{'view':16}", f"{'horizon':>7}", *(f"{t:>11}" for t in tests))
    kind = f"panels with an IC of {args.signal:g}" if args.signal else "null panels"
    print(f"share of {args.panels} {kind} with p < {args.alpha} (predictable: q ≤ {args.alpha})")
    print(" ".join(columns), flush=True)
    for features, seed in zip(
        args.features, np.random.SeedSequence(args.seed).spawn(len(args.features)), strict=True
    ):
        started = time.perf_counter()
        settings = Settings(
            features=features,
            n_symbols=args.symbols,
            n_bars=args.bars,
            families=tuple(args.families),
            n_trees=args.trees,
            n_shifts=args.shifts,
            alpha=args.alpha,
            signal=args.signal,
        )
        found = shares(settings, seed.spawn(args.panels), args.processes)
        for view in ("cross_sectional", "symbol_specific", "one symbol"):
            for horizon in settings.horizons:
                cells = [found.get((view, horizon, test)) for test in tests]
                texts = ("" if cell is None else f"{cell:.1%}" for cell in cells)
                print(f"{features:9} {view:16} {horizon:7} " + " ".join(f"{t:>11}" for t in texts))
        some = found["any", 0, "predictable"]
        seconds = time.perf_counter() - started
        print(f"{features:9} some target predictable: {some:.1%} of panels ({seconds:.0f} s)")


if __name__ == "__main__":
    main()
