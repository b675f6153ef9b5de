"""How far the calibrated numbers of a target can be trusted, as a unit of work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.calibration.meanings import (
    Meaning,
    known_times,
    make_map,
    outcome_table,
    rows_of,
    views_of,
)
from ray_pipeline.calibration.measuring import ToldRows, measure_intervals, measure_predicted
from ray_pipeline.calibration.records import CalibrationRow
from ray_pipeline.calibration.walk_forward import history_outcomes, read_walks
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.records import View
from ray_pipeline.statistics.delayed_outcomes import NEVER, DelayedRows, Waiting, walk_online
from ray_pipeline.statistics.reliability import label_reach
from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.served_jobs import ServedJob

__all__ = ["ReliabilitySpec", "measure_reliability", "measured", "told_rows"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_READ_AT_ONCE = 4_000_000
"""Rows of the whole walk-forward for which that of so many symbols is read at once."""

_WALKED_AT_ONCE = 1_000_000
"""Rows of all symbols that are walked over together: about 200 bytes each."""


@dataclass(frozen=True, slots=True)
class ReliabilitySpec:
    """A target.

    Attributes
    ----------
    predictions
        Table of all out-of-sample predictions; its name hashes what it depends on.
    jobs
        Trained jobs of the target, in the order of the plan, without what they are trained on.
    served
        Each symbol that some serve, with the places of these in `jobs`.
    read_at_once, walked_at_once
        Rows that are held at a time; they change no value.
    """

    predictions: str
    meaning: Meaning
    jobs: tuple[ServedJob, ...]
    served: tuple[tuple[str, tuple[int, ...]], ...]
    read_at_once: int = _READ_AT_ONCE
    walked_at_once: int = _WALKED_AT_ONCE


@dataclass(frozen=True, slots=True, eq=False)
class _WalkedRows:
    """Scored rows of symbols, by time and then by symbol; labels are NaN where there is none."""

    rows: DelayedRows
    labels: Floats


def measure_reliability(reader: PanelReader, spec: ReliabilitySpec) -> dict[str, Any]:
    """Calibrate a target's walk-forward by what was known before each row, and measure it.

    Unit function.
    """
    return {"rows": [asdict(row) for row in measured(told_rows(reader.run, spec), spec.meaning)]}


def measured(rows: ToldRows, meaning: Meaning) -> list[CalibrationRow]:
    """Measure all figures that a target has."""
    if meaning.task == "binary":
        return measure_predicted(rows, "probability")
    found = measure_predicted(rows, "expected")
    if meaning.task == "regression":
        found += measure_intervals(rows, meaning.coverage)
    return found


def told_rows(run: RunDirectory, spec: ReliabilitySpec) -> ToldRows:
    """Return the rows of the walk-forward that have a label, with what they were told.

    Symbols that models of the same views serve are calibrated together, as ``predict`` does it.
    """
    pieces = []
    for members, walked in _walked(run, spec):
        given = _told(walked.rows, spec, len(members))
        # Numbers of the walk are those of the group.
        symbols = np.array(members, dtype=np.int64)[walked.rows.symbols]
        pieces.append((walked.rows.time_ns, walked.rows.known_ns, symbols, walked.labels, given))
    time_ns, known_ns, symbols, labels, given = (
        np.concatenate([piece[i] for piece in pieces]) for i in range(5)
    )
    known = known_ns < NEVER
    reach = label_reach(np.unique(time_ns), time_ns[known], known_ns[known])
    has_label = np.isfinite(labels)
    return ToldRows(
        target=spec.meaning.target,
        names=tuple(symbol for symbol, _ in spec.served),
        time_ns=time_ns[has_label],
        symbols=symbols[has_label],
        outcomes=labels[has_label],
        given=given[has_label],
        reach=reach,
    )


def _walked(
    run: RunDirectory, spec: ReliabilitySpec
) -> Iterator[tuple[tuple[int, ...], _WalkedRows]]:
    """Give the symbols that models of the same views serve, by their places, with their rows."""
    served = [
        (symbol, tuple(spec.jobs[place] for place in places)) for symbol, places in spec.served
    ]
    views = [views_of(jobs, spec.meaning.target) for _, jobs in served]
    groups = {
        group: tuple(i for i, each in enumerate(views) if each == group) for group in set(views)
    }
    number = {i: k for members in groups.values() for k, i in enumerate(members)}
    with run.open_table(spec.predictions) as file:
        n_parts = min(len(served), -(-file.metadata.num_rows // spec.read_at_once))
    found: dict[tuple[View, ...], list[_WalkedRows]] = {group: [] for group in groups}
    for part in np.array_split(np.arange(len(served)), max(1, n_parts)):
        walks = read_walks(run, [served[i] for i in part], spec.predictions)
        for i, (_, walk) in zip(part.tolist(), walks, strict=True):
            own = _rows_of(walk, served[i][1], spec.meaning, views[i], number[i])
            found[views[i]].append(own)
    for group in sorted(groups):
        pieces = found.pop(group)
        rows = DelayedRows.joined([piece.rows for piece in pieces])
        by_time = tuple(
            np.concatenate([getattr(piece.rows, name) for piece in pieces])
            for name in ("symbols", "time_ns")
        )
        labels = np.concatenate([piece.labels for piece in pieces])[np.lexsort(by_time)]
        yield groups[group], _WalkedRows(rows, labels)


def _rows_of(
    walk: pa.Table,
    jobs: Sequence[ServedJob],
    meaning: Meaning,
    views: tuple[View, ...],
    symbol: int,
) -> _WalkedRows:
    times, scores, actual = history_outcomes(walk, jobs, meaning.target, views)
    table = outcome_table(times, known_times(times, meaning.horizon_bars), scores, actual)
    return _WalkedRows(rows_of(table, symbol), actual[np.isfinite(scores)])


def _told(rows: DelayedRows, spec: ReliabilitySpec, n_symbols: int) -> Floats:
    online = make_map(spec.meaning, n_symbols)
    waiting = Waiting(online.n_given)
    n_rows, n_kept = len(rows.time_ns), len(spec.meaning.columns)
    given = np.full((n_rows, n_kept), np.nan)
    start = 0
    while start < n_rows:
        # Rows of one timestamp belong together.
        last = rows.time_ns[min(start + spec.walked_at_once, n_rows) - 1]
        end = int(np.searchsorted(rows.time_ns, last, side="right"))
        given[start:end] = walk_online(online, rows.take(np.arange(start, end)), waiting)[
            :, :n_kept
        ]
        start = end
    return given
