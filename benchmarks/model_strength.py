"""What models gain by setting themselves by their training rows, and what that costs.

    python benchmarks/model_strength.py
    python benchmarks/model_strength.py --data ../shared/data --panels daily coins stocks

Walks forward over each panel with the ranking's models as they were (ridge with a penalty of 0.1;
LightGBM of 15 leaves at a rate of 0.1) and as they are, and with the average of both families'
ranks. Prints the skill across symbols and over each symbol's own time with HAC errors, the
difference to the first line with the error of the difference, and seconds of one core.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import signal

from ray_pipeline.bars import Bars, compute_features, compute_targets, feature_names, target_task
from ray_pipeline.config import ExperimentConfig
from ray_pipeline.execution.threads import ThreadLimits
from ray_pipeline.families import Problem, label_form, load_family
from ray_pipeline.intervals import Interval
from ray_pipeline.records import TargetSpec
from ray_pipeline.samples.learned import LabelComparison, LearnedLabels
from ray_pipeline.statistics.folds import label_end_positions, walk_forward_folds
from ray_pipeline.statistics.hac import overlapping_mean
from ray_pipeline.statistics.skill import (
    centred_percentile,
    grouped_ranks,
    grouped_skill,
    outcome,
    time_contributions,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OURS = ExperimentConfig.model_validate({"data": {"data_dir": "unused"}}).target_ranking
COMPARISON = LabelComparison.of(OURS.compare, OURS.min_cs)
TREES = OURS.hyperparameters["lightgbm"]
BEFORE = {"ridge": {"penalty": 0.1}, "lightgbm": {"num_leaves": 15, "learning_rate": 0.1} | TREES}
NOW = {"ridge": {}, "lightgbm": TREES}
N_SPLITS = 5


@dataclass(frozen=True)
class Panel:
    """Rows sorted by position and then by symbol; `ends` by horizon."""

    X: NDArray[np.float32]
    Y: Floats
    positions: Ints
    symbols: NDArray[np.int32]
    ends: dict[int, Ints]
    targets: tuple[TargetSpec, ...]
    n_timestamps: int

    def rows(self, kept: NDArray[np.bool_]) -> Panel:
        """Return some of the rows."""
        ends = {horizon: each[kept] for horizon, each in self.ends.items()}
        columns = self.X[kept], self.Y[kept], self.positions[kept], self.symbols[kept]
        return Panel(*columns, ends, self.targets, self.n_timestamps)

    @property
    def spacing(self) -> int:
        """Positions from one timestamp to the next."""
        return max(1, int(np.median(np.diff(np.unique(self.positions)))))


def planted(
    n_symbols: int, n_bars: int, n_features: int, strength: float, horizon: int, nonlinear: bool
) -> Panel:
    """Draw persistent features, half of them common to all symbols, and labels that some carry.

    The carriers are the own parts of 20 features, or two interactions of the first four.
    """
    random = np.random.default_rng([n_symbols, n_features, horizon])

    def series(n_series: int) -> Floats:
        shocks = random.standard_normal((n_bars + 200, n_series, n_features))
        return signal.lfilter([np.sqrt(1 - 0.95**2)], [1.0, -0.95], shocks, axis=0)[200:]

    own = series(n_symbols)
    X = (own + series(1)) / np.sqrt(2.0)
    carried = own[..., :20] @ random.choice([-1.0, 1.0], 20) / np.sqrt(20.0)
    if nonlinear:
        carried = (own[..., 0] * own[..., 1] + np.abs(own[..., 2]) * own[..., 3]) / 1.5
    shocks = random.standard_normal((n_bars + horizon, n_symbols))
    shocks = np.cumsum((shocks + random.standard_normal((n_bars + horizon, 1))), axis=0)
    labels = np.full((n_bars, n_symbols), np.nan)
    labels[: n_bars - horizon] = (shocks[horizon:n_bars] - shocks[: n_bars - horizon]) / np.sqrt(
        2.0 * horizon
    )
    positions = np.repeat(np.arange(n_bars), n_symbols)
    return Panel(
        X.reshape(-1, n_features).astype(np.float32),
        (labels + strength * carried).reshape(-1, 1),
        positions,
        np.tile(np.arange(n_symbols, dtype=np.int32), n_bars),
        {horizon: positions + horizon},
        (TargetSpec(f"y_{horizon}", horizon, "regression"),),
        n_bars,
    )


def real(folder: Path, n_symbols: int, horizons: dict[str, int], seconds: int, every: int) -> Panel:
    """Read the symbols with the longest histories and keep every so many timestamps."""
    files = sorted(folder.glob("*/*/*.parquet"), key=lambda f: (-pq.read_metadata(f).num_rows, f))
    names = feature_names("standard")
    times, features, labels = [], [], []
    for file in sorted(files[:n_symbols]):
        with file.open("rb") as handle:  # by handle: a path with symbol=… would add a column
            table = pq.read_table(handle)
        ts = table.column("ts").cast(pa.timestamp("ns", "UTC")).cast(pa.int64()).to_numpy()
        ts, first = np.unique(ts, return_index=True)
        fields = ("open", "high", "low", "close", "volume")
        bars = Bars(ts, *[table.column(name).to_numpy().astype(float)[first] for name in fields])
        times.append(ts)
        features.append(compute_features(bars, names, seconds).astype(np.float32))
        labels.append(compute_targets(bars, list(horizons), Interval(seconds)))
    axis = np.unique(np.concatenate(times))
    places = [np.searchsorted(axis, ts) for ts in times]
    ends = {
        horizon: np.concatenate([label_end_positions(each, horizon) for each in places])
        for horizon in set(horizons.values())
    }
    positions = np.concatenate(places)
    symbols = np.repeat(np.arange(len(places), dtype=np.int32), [len(each) for each in places])
    kept = np.flatnonzero(positions % every == 0)
    kept = kept[np.lexsort((symbols[kept], positions[kept]))]
    targets = tuple(TargetSpec(name, bars, target_task(name)) for name, bars in horizons.items())
    return Panel(
        np.concatenate(features)[kept],
        np.concatenate(labels)[kept],
        positions[kept],
        symbols[kept],
        {horizon: each[kept] for horizon, each in ends.items()},
        targets,
        len(axis),
    )


Series = dict[str, Floats]
"""By target: what the skill is the mean of."""


@dataclass(frozen=True)
class Predicted:
    """Test rows of a panel in order, and by target what a model says of them."""

    rows: Ints
    values: dict[str, Floats]
    percentiles: dict[str, Floats]
    outcomes: dict[str, Floats]


def walk(panel: Panel, view: str, family: str, hyperparameters: dict[str, Any]) -> Predicted:
    """Fit before each fold and predict it."""
    pieces: list[Predicted] = []
    longest = max(target.horizon_bars for target in panel.targets)
    for fold in walk_forward_folds(panel.n_timestamps, N_SPLITS, 0.4, longest):
        start, end = np.searchsorted(panel.positions, [fold.test_start, fold.test_end]).tolist()
        problems: dict[str, Problem] = {}
        for j, target in enumerate(panel.targets):
            y, ends = panel.Y[:start, j], panel.ends[target.horizon_bars][:start]
            learned = LearnedLabels.as_they_are(y, ends, target.task)
            if view == "pooled" and COMPARISON is not None:
                places = panel.positions[:start]
                form = label_form(family)
                learned = LearnedLabels.compared(
                    y, places, places, ends, target.task, COMPARISON, form
                )
            problem = learned.fold_problem(fold, 0, 7 + j)
            if problem is not None:
                problems[target.name] = problem
        if not problems or start == end:
            continue
        fitter = load_family(family)
        names = [f"f{j}" for j in range(panel.X.shape[1])]
        models = fitter.fit(panel.X[:start], names, list(problems.values()), hyperparameters)
        tested = fitter.predict(models, panel.X[start:end])
        known = fitter.predict(models, panel.X[:start]) if view == "own" else tested
        piece = Predicted(np.arange(start, end), dict(zip(problems, tested, strict=True)), {}, {})
        for k, (name, problem) in enumerate(problems.items() if view == "own" else ()):
            target = next(each for each in panel.targets if each.name == name)
            reference = problem.y[problem.rows]
            actual = panel.Y[start:end, panel.targets.index(target)]
            piece.percentiles[name] = centred_percentile(tested[k], known[k][problem.rows])
            piece.outcomes[name] = np.full(end - start, np.nan)
            there = np.isfinite(actual)
            piece.outcomes[name][there] = outcome(actual[there], reference, target.task)
        pieces.append(piece)

    def joined(part: str) -> dict[str, Floats]:
        common = set.intersection(*(set(getattr(piece, part)) for piece in pieces))
        return {n: np.concatenate([getattr(p, part)[n] for p in pieces]) for n in sorted(common)}

    rows = np.concatenate([piece.rows for piece in pieces])
    return Predicted(rows, joined("values"), joined("percentiles"), joined("outcomes"))


def averaged(panel: Panel, view: str, members: list[Predicted]) -> Predicted:
    """Average what the families say: ranks within the timestamp, or percentiles over time."""
    rows = members[0].rows
    _, group = np.unique(panel.positions[rows], return_inverse=True)
    if view == "own":
        names = members[0].percentiles
        mean = {n: np.mean([each.percentiles[n] for each in members], axis=0) for n in names}
        return Predicted(rows, {}, mean, members[0].outcomes)
    names = members[0].values
    ranks = {
        n: np.sum([grouped_ranks(each.values[n], group) for each in members], axis=0) for n in names
    }
    return Predicted(rows, ranks, {}, {})


def series_of(panel: Panel, view: str, found: Predicted) -> Series:
    """Return the skill of each timestamp, or of each row."""
    series: Series = {}
    for j, target in enumerate(panel.targets):
        actual = panel.Y[found.rows, j]
        known = np.isfinite(actual)
        if view == "pooled" and target.name in found.values:
            series[target.name] = grouped_skill(
                found.values[target.name][known],
                actual[known],
                panel.positions[found.rows][known],
                target.task,
            ).skills
        elif view == "own" and target.name in found.percentiles:
            series[target.name] = time_contributions(
                found.percentiles[target.name][known],
                found.outcomes[target.name][known],
                target.task,
            )
    return series


def lines(panels: list[Panel], view: str) -> Iterator[tuple[str, float, list[Series]]]:
    """Yield the title, the seconds and the series of each way, for each symbol or the pool."""
    members: dict[str, list[Predicted]] = {}
    for title, ways in (("before", BEFORE), ("now", NOW)):
        for family in ("ridge", "lightgbm"):
            started = time.process_time()
            found = [walk(panel, view, family, ways[family]) for panel in panels]
            seconds = time.process_time() - started
            series = [series_of(p, view, each) for p, each in zip(panels, found, strict=True)]
            members[f"{title} {family}"] = found
            yield f"{family} {title}", seconds, series
    pairs = zip(panels, members["now ridge"], members["now lightgbm"], strict=True)
    average = [(panel, averaged(panel, view, list(each))) for panel, *each in pairs]
    yield "average of both", 0.0, [series_of(panel, view, each) for panel, each in average]


def estimate(pieces: list[Floats], horizon: int, spacing: int) -> str:
    """Mean over symbols, its error as if they were one and the same."""
    found = [overlapping_mean(piece, horizon, spacing) for piece in pieces]
    mean, error = (np.mean([getattr(e, name) for e in found]) for name in ("mean", "std_error"))
    return f"{mean:+.4f} ± {error:.4f}"


def report(name: str, panel: Panel, view: str, n_own: int) -> None:
    """Print a view of a panel, a line for each way."""
    panels = [panel]
    if view == "own":
        panels = [panel.rows(panel.symbols == symbol) for symbol in range(n_own)]
    first: dict[str, list[Series]] = {}
    for title, seconds, series in lines(panels, view):
        # The average is compared with the trees as they are, a family with itself as it was.
        base = first.setdefault("average" if "average" in title else title.split()[0], series)
        if title == "lightgbm now":
            first["average"] = series
        cells = []
        for target in panel.targets:
            mine = [each[target.name] for each in series if target.name in each]
            cell = f"{target.name} {estimate(mine, target.horizon_bars, panel.spacing)}"
            if base is not series:
                pairs = zip(series, base, strict=True)
                less = [a[target.name] - b[target.name] for a, b in pairs if target.name in a]
                cell += f" ({estimate(less, target.horizon_bars, panel.spacing)})"
            cells.append(cell)
        print(f"{name:9} {view:6} {title:16} {seconds:6.1f} s  {'  '.join(cells)}", flush=True)


PLANTED: dict[str, Callable[[], Panel]] = {
    "weak": lambda: planted(40, 800, 150, 0.05, 1, nonlinear=False),
    "strong": lambda: planted(15, 1_200, 40, 0.4, 5, nonlinear=True),
    "null": lambda: planted(30, 800, 80, 0.0, 10, nonlinear=False),
}
REAL: dict[str, tuple[str, int, dict[str, int], int, int, int]] = {
    "daily": (
        *("sp500_daily_2013_2018", 60),
        *({"fwd_ret_5d": 5, "fwd_ret_20d": 20, "y_will_peak_5d_1.0": 5}, 86_400, 2),
    ),
    "stocks": ("us_stocks_5m_2024", 17, {"fwd_ret_5m": 1, "fwd_ret_60m": 12}, 300, 9),
    "coins": ("binance_usdt_5m_2024", 8, {"fwd_ret_15m": 3, "fwd_ret_60m": 12}, 300, 20),
}


def main() -> None:
    """Measure the panels that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder that holds the real panels")
    parser.add_argument("--panels", nargs="+", choices=[*PLANTED, *REAL])
    parser.add_argument("--views", nargs="+", choices=["pooled", "own"], default=["pooled", "own"])
    parser.add_argument("--own-symbols", type=int, default=8, help="symbols with own models")
    options = parser.parse_args()
    for name in options.panels or [*PLANTED, *(REAL if options.data else ())]:
        if name in REAL and options.data is None:
            parser.error(f"--panels {name} needs --data.")
        if name in REAL:
            folder, *settings = REAL[name]
            panel = real(options.data / folder, *settings)
        else:
            panel = PLANTED[name]()
        with ThreadLimits(1).applied():
            for view in options.views:
                report(name, panel, view, options.own_symbols)


if __name__ == "__main__":
    main()
