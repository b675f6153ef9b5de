"""The meaning of new rows' scores, learned from the walk-forward and the ledger's outcomes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ray_pipeline.calibration.meanings import OUTCOMES, Meaning, known_times, outcome_table
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.ledger.ledger import MEANINGS, PREDICTIONS
from ray_pipeline.predicting.calibrating import (
    CalibratedRows,
    calibrate_units,
    read_calibrated,
    run_calibration,
)
from ray_pipeline.predicting.history import read_history
from ray_pipeline.predicting.trained import TrainedRun
from ray_pipeline.training.served_jobs import ServedJob

__all__ = ["LiveRows", "with_meanings"]

_KEY = ("symbol", "target")


@dataclass(frozen=True, slots=True, eq=False)
class LiveRows:
    """Rows that the current models scored.

    Attributes
    ----------
    earlier, new
        Predictions in the ledger, and those to be added.
    outcomes
        The known outcomes of both.
    """

    earlier: pa.Table
    new: pa.Table
    outcomes: pa.Table


def with_meanings(
    runner: UnitRunner,
    trained: TrainedRun,
    live: LiveRows,
    served: Mapping[str, Sequence[ServedJob]],
    folder: str,
) -> pa.Table:
    """Return the new predictions with probabilities, expected labels and intervals.

    A row's values depend on the run and on what was known by its time: later rows never change
    them.

    Parameters
    ----------
    served
        The models that serve each symbol.
    folder
        Folder of the run directory for the units' tables.

    Raises
    ------
    ExecutionError
        When the walk-forward cannot be sorted, or a target not be calibrated.
    """
    meanings = {meaning.target: meaning for meaning in trained.meanings(trained.targets)}
    if not meanings or not live.new.num_rows:
        return live.new
    rows = pa.concat_tables([live.earlier, live.new]).select(["ts", *_KEY, "score"])
    known = live.outcomes.select(["ts", *_KEY, "actual"])
    rows = rows.join(known, ["ts", *_KEY], join_type="left outer")
    rows = rows.sort_by([(name, "ascending") for name in (*_KEY, "ts")])
    of_run = trained.serving_all()
    symbols = sorted(set(rows["symbol"].to_pylist()) & set(served))
    jobs = {symbol: tuple(served[symbol]) for symbol in symbols}
    history = read_history(
        runner, trained.run, trained.run_options, trained.content, {**jobs, **of_run}
    )
    records = _records(trained, rows, symbols, jobs, meanings, folder)
    units = calibrate_units(meanings, {**jobs, **of_run}, of_run, records, history)
    told = run_calibration(runner, units)
    pieces = [_told_of(trained, told, symbol, meanings) for symbol in symbols]
    found = live.new.drop_columns(MEANINGS)
    found = found.join(pa.concat_tables(pieces), ["ts", *_KEY], join_type="left outer")
    return found.select(PREDICTIONS.names).cast(PREDICTIONS)


def _records(
    trained: TrainedRun,
    rows: pa.Table,
    symbols: Sequence[str],
    jobs: Mapping[str, Sequence[ServedJob]],
    meanings: Mapping[str, Meaning],
    folder: str,
) -> dict[str, dict[str, object]]:
    """Write scores and outcomes, a row group per symbol and target; return where they are."""
    pieces: list[pa.Table] = []
    groups: dict[str, dict[str, list[int]]] = {}
    by_key = _by_key(rows)
    for symbol in symbols:
        groups[symbol] = {}
        for target in dict.fromkeys(job.target for job in jobs[symbol] if job.target in meanings):
            piece = by_key.get((symbol, target), rows.slice(0, 0))
            times = piece["ts"].cast(pa.int64()).to_numpy()
            known = known_times(times, meanings[target].horizon_bars)
            actual = piece["actual"].to_numpy().astype(np.float64)
            groups[symbol][target] = [len(pieces)]
            pieces.append(outcome_table(times, known, piece["score"].to_numpy(), actual))
    total = hashlib.sha256()
    for piece in pieces:
        for column in piece.columns:
            total.update(np.ascontiguousarray(column.to_numpy()).tobytes())
        total.update(b"|")
    name = f"{folder}/live-{total.hexdigest()[:32]}.parquet"
    trained.home.write_tables(name, OUTCOMES, iter(pieces))
    first_ns = int(pc.min(rows["ts"].cast(pa.int64())).as_py())
    return {
        symbol: {"known_ns": first_ns, "outcomes": name, "outcome_groups": groups[symbol]}
        for symbol in symbols
    }


def _by_key(rows: pa.Table) -> dict[tuple[str, str], pa.Table]:
    """Split a table that is sorted by symbol and target."""
    keys = list(zip(rows["symbol"].to_pylist(), rows["target"].to_pylist(), strict=True))
    starts = [i for i, key in enumerate(keys) if i == 0 or keys[i - 1] != key]
    ends = [*starts[1:], len(keys)]
    return {
        keys[start]: rows.slice(start, end - start) for start, end in zip(starts, ends, strict=True)
    }


def _told_of(
    trained: TrainedRun,
    told: Mapping[str, Mapping[str, CalibratedRows]],
    symbol: str,
    meanings: Mapping[str, Meaning],
) -> pa.Table:
    """Return the meanings of a symbol's scores, as rows of the ledger."""
    schema = pa.schema(
        [PREDICTIONS.field(name) for name in ("ts", *_KEY)]
        + [PREDICTIONS.field(name) for name in MEANINGS]
    )
    pieces = [schema.empty_table()]
    for target, where in told.get(symbol, {}).items():
        found = read_calibrated(trained.home, where)
        columns = dict(_columns(found, meanings[target]))
        n_rows = found.num_rows
        arrays = [
            found["time_ns"].cast(schema.field("ts").type),
            pa.repeat(symbol, n_rows),
            pa.repeat(target, n_rows),
            *(columns.get(name, pa.nulls(n_rows, pa.float64())) for name in MEANINGS),
        ]
        pieces.append(pa.table(arrays, schema=schema))
    return pa.concat_tables(pieces)


def _columns(found: pa.Table, meaning: Meaning) -> Iterator[tuple[str, pa.ChunkedArray]]:
    """Return the columns of a target by meaning, NaN as null."""
    for name in meaning.columns:
        values = found[name].to_numpy()
        yield name.removeprefix(f"{meaning.target}__"), pa.array(values, from_pandas=True)
