"""Calibration as units of work: the meaning of a target's scores, learned in time order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ray_pipeline.calibration.meanings import (
    OUTCOMES,
    Meaning,
    make_map,
    rows_of,
    teachers,
    views_of,
)
from ray_pipeline.calibration.walk_forward import history_source_rows
from ray_pipeline.execution.artifacts import table_name
from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.records import View
from ray_pipeline.statistics.delayed_outcomes import DelayedRows, Waiting, walk_online
from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.served_jobs import ServedJob, only_named

__all__ = [
    "CalibrateSpec",
    "CalibratedRows",
    "OutcomeSource",
    "calibrate_target",
    "calibrate_units",
    "read_calibrated",
    "run_calibration",
]

_ROWS_AT_ONCE = 1_000_000
"""Rows of all symbols that are processed together: about 200 bytes each."""


@dataclass(frozen=True, slots=True)
class OutcomeSource:
    """The place of a symbol's scores and outcomes, for one target.

    Attributes
    ----------
    jobs, history
        What serves the symbol, and the table of its walk-forward, if it has one.
    known_ns, table, row_groups
        From when on models scored it, and the place of these scores, as `OUTCOMES`; None: it was
        not scored.
    """

    symbol: str
    jobs: tuple[ServedJob, ...]
    history: str | None
    known_ns: int | None = None
    table: str | None = None
    row_groups: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CalibrateSpec:
    """A target of symbols that models of the same views serve; `rows_at_once` changes no value."""

    meaning: Meaning
    views: tuple[View, ...]
    sources: tuple[OutcomeSource, ...]
    rows_at_once: int = _ROWS_AT_ONCE


@dataclass(frozen=True, slots=True)
class CalibratedRows:
    """The place of the meanings of a symbol's scores: a row group of each of these tables."""

    tables: tuple[str, ...]
    row_group: int


def calibrate_units(
    meanings: Mapping[str, Meaning],
    served: Mapping[str, Sequence[ServedJob]],
    of_run: Mapping[str, Sequence[ServedJob]],
    scored: Mapping[str, Mapping[str, Any]],
    history: Mapping[str, str],
) -> list[Unit]:
    """Make a unit per target and views that learns what scores mean from all outcomes.

    Symbols of the run contribute their walk-forward, and scored symbols also their later outcomes.

    Parameters
    ----------
    meanings
        By target.
    served, of_run
        The models that serve each symbol to be scored, and each of the run.
    scored
        Records of `score_symbol` by symbol.
    history
        Table of each symbol's walk-forward.
    """
    groups: dict[tuple[str, tuple[View, ...]], list[OutcomeSource]] = {}
    for symbol, record in scored.items():
        jobs = only_named(served[symbol])
        for target in dict.fromkeys(job.target for job in jobs if job.target in meanings):
            source = OutcomeSource(
                symbol,
                jobs,
                history.get(symbol),
                record["known_ns"],
                record["outcomes"],
                tuple(record["outcome_groups"][target]),
            )
            groups.setdefault((target, views_of(jobs, target)), []).append(source)
    units = []
    for (target, views), sources in sorted(groups.items(), key=lambda group: group[0]):
        there = {source.symbol for source in sources}
        others = [
            OutcomeSource(symbol, only_named(of_run[symbol]), history.get(symbol))
            for symbol in teachers(of_run, target, views)
            if symbol not in there
        ]
        ordered = sorted((*sources, *others), key=lambda source: source.symbol)
        spec = CalibrateSpec(meanings[target], views, tuple(ordered))
        units.append(Unit("calibrate", " ".join((target, *views)), calibrate_target, spec))
    return units


def run_calibration(
    runner: UnitRunner, units: Sequence[Unit]
) -> dict[str, dict[str, CalibratedRows]]:
    """Return where the meanings of scores are, by symbol and target.

    Raises
    ------
    ExecutionError
        When a target cannot be calibrated.
    """
    records = runner.run_required(units) if units else {}
    found: dict[str, dict[str, CalibratedRows]] = {}
    for unit in units:
        tables = tuple(records[unit.key]["tables"])
        for symbol, row_group in records[unit.key]["row_groups"].items():
            rows = CalibratedRows(tables, row_group)
            found.setdefault(symbol, {})[unit.spec.meaning.target] = rows
    return found


def calibrate_target(reader: PanelReader, spec: CalibrateSpec) -> dict[str, Any]:
    """Process all rows of a target in time order and write their meanings (unit function).

    Each table holds a stretch of time, and a row group of each symbol that was scored.
    """
    online = make_map(spec.meaning, len(spec.sources))
    waiting = Waiting(online.n_given)
    names = ("time_ns", *spec.meaning.columns)
    schema = pa.schema(
        [(name, pa.int64() if name == "time_ns" else pa.float64()) for name in names]
    )
    written = [i for i, source in enumerate(spec.sources) if source.table]
    tables = []
    bounds = _stretches(reader, spec)
    for k, (start, end) in enumerate(pairwise(bounds)):
        rows = DelayedRows.joined(
            [
                rows_of(_between(_outcomes_of(reader, source, spec), start, end), i)
                for i, source in enumerate(spec.sources)
            ]
        )
        given = walk_online(online, rows, waiting)[:, : len(names) - 1]
        order = np.argsort(rows.symbols, kind="stable")
        cuts = np.searchsorted(rows.symbols[order], np.arange(len(spec.sources) + 1))
        tables.append(table_name(f"calibrated-{k:04d}"))
        pieces = (
            pa.table([rows.time_ns[at], *given[at].T], schema=schema)
            for at in (order[cuts[i] : cuts[i + 1]] for i in written)
        )
        reader.run.write_tables(tables[-1], schema, pieces)
    places = {spec.sources[i].symbol: place for place, i in enumerate(written)}
    return {"tables": tables, "row_groups": places}


def read_calibrated(run: RunDirectory, where: CalibratedRows) -> pa.Table:
    """Read what a symbol's scores mean: ``time_ns``, and the target's columns."""
    pieces = []
    for name in where.tables:
        with run.open_table(name) as file:
            pieces.append(file.read_row_group(where.row_group))
    return pa.concat_tables(pieces)


def _outcomes_of(reader: PanelReader, source: OutcomeSource, spec: CalibrateSpec) -> pa.Table:
    pieces = [OUTCOMES.empty_table()]
    if source.history is not None:
        walked = reader.run.read_table(source.history)
        rows = history_source_rows(walked, source.jobs, spec.meaning, spec.views)
        if source.known_ns is not None:
            rows = rows.filter(pc.less(rows["time_ns"], source.known_ns))
        pieces.append(rows)
    if source.table is not None:
        with reader.run.open_table(source.table) as file:
            pieces.append(file.read_row_groups(source.row_groups))
    return pa.concat_tables(pieces)


def _stretches(reader: PanelReader, spec: CalibrateSpec) -> list[int]:
    """Return bounds of time spans, each with about as many rows as are held at once."""
    counts, firsts, lasts = [], [], []
    for source in spec.sources:
        times = _outcomes_of(reader, source, spec)["time_ns"].to_numpy()
        if len(times):
            counts.append(len(times))
            firsts.append(int(times[0]))
            lasts.append(int(times[-1]))
    if not counts:
        return [0, 1]
    n_stretches = -(-sum(counts) // spec.rows_at_once)
    first, end = min(firsts), max(lasts) + 1
    return [first + (end - first) * k // n_stretches for k in range(n_stretches + 1)]


def _between(table: pa.Table, start: int, end: int) -> pa.Table:
    times = table["time_ns"]
    return table.filter(pc.and_(pc.greater_equal(times, start), pc.less(times, end)))
