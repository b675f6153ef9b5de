"""What a run promised beside what its models did on later bars that it never saw.

    python benchmarks/held_out.py ../shared/data --panel daily
    python benchmarks/held_out.py ../shared/data --panel crypto

Cuts the last fifth of the time off, runs the pipeline on the rest with benchmarks/held_out.yaml,
predicts the whole panel from the cut on, computes the targets there, and prints for every pooled
model, and for the mean over the symbols' own models: the out-of-sample skill in the run, the skill
on the later bars, and their difference in standard errors of both.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ray_pipeline.bars import Bars, compute_targets
from ray_pipeline.intervals import Interval
from ray_pipeline.panel.cross_section import base_of
from ray_pipeline.samples.evidence import (
    Evidence,
    PredictedRows,
    SkillMeasure,
    SkillSeries,
    evidence_of,
    time_evidence,
)
from ray_pipeline.statistics.percentile_scale import percentile_of
from ray_pipeline.statistics.skill import outcome

PANELS = {
    "daily": {"folder": "sp500_daily_2013_2018", "n_symbols": 20, "rows": "null"},
    "crypto": {"folder": "binance_usdt_5m_2024", "n_symbols": 8, "rows": "15000"},
}
HELD_OUT_SHARE = 0.2
MIN_CS = 3
FIELDS = ("open", "high", "low", "close", "volume")
CONFIG = Path(__file__).with_suffix(".yaml")

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def cut_panel(panel: Path, out: Path) -> int:
    """Write the bars before the cut in the layout of the panel; return the cut in nanoseconds."""
    files = sorted(panel.rglob("*.parquet"))
    times = np.unique(np.concatenate([_times(_read(file)) for file in files]))
    cut = int(times[int(len(times) * (1 - HELD_OUT_SHARE))])
    for file in files:
        table = _read(file)
        target = out / file.relative_to(panel)
        target.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table.filter(pa.array(_times(table) < cut)), target)
    return cut


def _read(file: Path) -> pa.Table:
    with file.open("rb") as handle:  # by handle: a path with symbol=… would add a column
        return pq.read_table(handle)


def _times(table: pa.Table) -> Ints:
    return table.column("ts").cast(pa.timestamp("ns", "UTC")).cast(pa.int64()).to_numpy()


@dataclass(frozen=True)
class Labels:
    """Labels of one symbol over all of its bars."""

    time_ns: Ints
    values: dict[str, Floats]


def labels_of(file: Path, targets: list[str], interval: Interval) -> Labels:
    """Compute the targets of a symbol on its whole history."""
    table = _read(file)
    times = _times(table)
    order = np.argsort(times, kind="stable")
    times, first = np.unique(times[order], return_index=True)
    columns = [table.column(name).to_numpy().astype(float)[order][first] for name in FIELDS]
    bars = Bars(times, *columns)
    bases = [base_of(name) for name in targets]
    values = compute_targets(bars, bases, interval)
    return Labels(times, {name: values[:, j] for j, name in enumerate(targets)})


def without_mean(labels: dict[str, Labels], target: str, members: set[str]) -> None:
    """Turn forward returns into excess returns: minus the mean of the members at the timestamp."""
    names = sorted(members & set(labels))
    times = np.concatenate([labels[name].time_ns for name in names])
    values = np.concatenate([labels[name].values[target] for name in names])
    axis, index = np.unique(times, return_inverse=True)
    known = np.isfinite(values)
    sums = np.bincount(index[known], values[known], len(axis))
    counts = np.bincount(index[known], minlength=len(axis))
    mean = np.divide(sums, counts, out=np.full(len(axis), np.nan), where=counts >= MIN_CS)
    for name in names:
        own = labels[name]
        own.values[target] = own.values[target] - mean[np.searchsorted(axis, own.time_ns)]


def later_skill(
    run: Path, out: Path, panel: Path, cut: int
) -> dict[tuple[str, str, str], tuple[Evidence, Evidence]]:
    """Return promised and later evidence by target, view and family."""
    record = json.loads((run / "run.json").read_text())
    metadata = [json.loads(file.read_text()) for file in sorted(run.glob("models/*/metadata.json"))]
    targets = sorted({model["target"] for model in metadata})
    predictions = json.loads((out / "predictions.json").read_text())["symbols"]
    files = {symbol: each["file"] for symbol, each in predictions.items() if each["file"]}
    data = record["data"]
    labels = {}
    for symbol in files:
        file = next(
            (panel / f"interval={data['interval']}/symbol={quote(symbol, safe='')}").glob("*")
        )
        labels[symbol] = labels_of(file, targets, Interval(data["bar_seconds"]))
    members = set(record.get("cross_section", {}).get("members", ()))
    for target in targets:
        if target != base_of(target):
            without_mean(labels, target, members)
    scores = {symbol: _read(out / file) for symbol, file in files.items()}
    found = {}
    own: dict[tuple[str, str, str], list[tuple[Evidence, Evidence]]] = defaultdict(list)
    for model in metadata:
        target, family = model["target"], model["family"]
        promised = Evidence.from_record(model["out_of_sample"])
        if model["view"] == "cross_sectional":
            column = f"{target}__pooled__{family}"
            later = pooled(model, scores, labels, column, cut)
            found[target, "pooled", family] = (promised, later)
        else:
            (symbol,) = model["trained_on"]["symbols"]
            column = f"{target}__own__{family}"
            if symbol in scores:
                later = of_symbol(model, scores[symbol], labels[symbol], column, cut)
                own[target, "own", family].append((promised, later))
    for key, pairs in own.items():
        found[key] = (mean_of([a for a, _ in pairs]), mean_of([b for _, b in pairs]))
    return found


def pooled(
    model: dict[str, Any],
    scores: dict[str, pa.Table],
    labels: dict[str, Labels],
    column: str,
    cut: int,
) -> Evidence:
    """Measure a pooled model across the symbols that it serves, at each later timestamp."""
    parts = []
    for symbol in model["serves"]:
        if symbol not in scores:
            continue
        times = _times(scores[symbol])
        prediction = scores[symbol].column(column).to_numpy(zero_copy_only=False)
        actual = _at(labels[symbol], model["target"], times)
        known = (times >= cut) & np.isfinite(prediction) & np.isfinite(actual)
        parts.append((times[known], prediction[known], actual[known]))
    if not parts:
        return Evidence.none()
    times, prediction, actual = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.argsort(times, kind="stable")
    _, positions = np.unique(times[order], return_inverse=True)
    measure = SkillMeasure("cross_sectional", model["task"], model["horizon_bars"], 1.0, MIN_CS)
    return evidence_of(
        measure, PredictedRows(prediction[order], actual[order], positions, positions)
    )


def of_symbol(
    model: dict[str, Any], scores: pa.Table, labels: Labels, column: str, cut: int
) -> Evidence:
    """Measure a symbol's own model over its later time."""
    times = _times(scores)
    prediction = scores.column(column).to_numpy(zero_copy_only=False)
    actual = _at(labels, model["target"], times)
    known = (times >= cut) & np.isfinite(prediction) & np.isfinite(actual)
    n_before = int(np.searchsorted(labels.time_ns, cut)) - model["horizon_bars"]
    before = labels.values[model["target"]][:n_before]
    scale = model["percentile_scale"]  # an average has none: it predicts percentiles
    percentiles = (
        prediction[known] if scale is None else percentile_of(prediction[known], np.array(scale))
    )
    outcomes = outcome(actual[known], before[np.isfinite(before)], model["task"])
    series = SkillSeries.over_time(2.0 * percentiles - 1.0, outcomes, model["task"])
    return time_evidence(series, model["horizon_bars"])


def _at(labels: Labels, target: str, times: Ints) -> Floats:
    index = np.searchsorted(labels.time_ns, times)
    return labels.values[target][index]


def mean_of(pieces: list[Evidence]) -> Evidence:
    """Mean skill over symbols; its error as if they were one and the same (cautious)."""
    skill = float(np.mean([piece.skill for piece in pieces]))
    error = float(np.mean([piece.std_error for piece in pieces]))
    rows = sum(piece.n_rows for piece in pieces)
    return Evidence(skill, error, skill / error, math.nan, rows, math.nan)


def main() -> None:
    """Cut, run, predict, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder that holds both panels")
    parser.add_argument("--panel", choices=sorted(PANELS), required=True)
    parser.add_argument("--symbols", type=int, help="symbols to draw")
    options = parser.parse_args()
    settings = PANELS[options.panel]
    panel = options.data / str(settings["folder"])
    with tempfile.TemporaryDirectory() as folder:
        early, run, out = (Path(folder, name) for name in ("early", "run", "out"))
        cut = cut_panel(panel, early)
        since = str(np.datetime64(cut, "ns").astype("datetime64[s]")) + "Z"
        program = [sys.executable, "-m", "ray_pipeline"]
        n_symbols = options.symbols or settings["n_symbols"]
        pairs = {
            "data.data_dir": early,
            "data.symbol_batch_size": n_symbols,
            "data.max_rows_per_symbol": settings["rows"],
            "output.run_dir": run,
        }
        changes = [text for key, value in pairs.items() for text in ("--set", f"{key}={value}")]
        subprocess.run([*program, "run", str(CONFIG), *changes], check=True)
        symbols = json.loads((run / "symbols.json").read_text())["selected"]
        subprocess.run(
            [
                *program,
                *("predict", str(run), "--data-dir", str(panel), "--out", str(out)),
                *("--since", since, "--symbols", *symbols),
            ],
            check=True,
        )
        print(f"{'target':<24}{'view':<8}{'family':<14}{'promised':>18}{'later':>18}{'z':>7}")
        for (target, view, family), (a, b) in sorted(later_skill(run, out, panel, cut).items()):
            z = (b.skill - a.skill) / math.hypot(a.std_error, b.std_error)
            print(
                f"{target:<24}{view:<8}{family:<14}{a.skill:>+9.3f} ± {a.std_error:.3f}"
                f"{b.skill:>+10.3f} ± {b.std_error:.3f}{z:>+7.1f}"
            )


if __name__ == "__main__":
    main()
