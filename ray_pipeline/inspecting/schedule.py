"""The date up to which a run uses its data: all of it, or up to the last retraining date.

Between two retraining dates, no model changes: a run uses the rows before the last date that the
panel has reached, and its models score later rows. So today's run leaves the same models as
yesterday's, whatever bars arrived in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.errors import ConfigError, DataError
from ray_pipeline.execution.artifacts import table_name
from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.inspecting.folds import date_ns
from ray_pipeline.inspecting.panel import rules_of
from ray_pipeline.intervals import read_duration
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.panel.reading import PartitionReader, naming_symbol
from ray_pipeline.panel.reading_rules import ReadingRules
from ray_pipeline.panel.roles import resolve_time_column
from ray_pipeline.panel.rows import plan_rows
from ray_pipeline.records import SymbolPartition
from ray_pipeline.statistics.anchored_folds import fold_starts
from ray_pipeline.statistics.schedule import lone_end, reached
from ray_pipeline.storage import RunDirectory
from ray_pipeline.wording import iso_time

__all__ = [
    "PanelTimes",
    "TimesSpec",
    "UpTo",
    "dates_on",
    "last_date",
    "look_at_times",
    "panel_times",
    "read_until",
    "retraining_dates",
    "told_until",
]

_BLOCK = 32
"""Symbols per unit: a few kilobytes are read for each."""

_MIN_FOLDS = 2
"""Folds before a retraining date, without which no skill can be measured."""


@dataclass(frozen=True, slots=True)
class UpTo:
    """Retraining dates after this one are ignored, in nanoseconds since 1970."""

    time_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class PanelTimes:
    """When a panel has rows.

    Attributes
    ----------
    axis, n_symbols
        Timestamps in nanoseconds since 1970, and the symbols at each, shape (n_timestamps,).
    """

    axis: NDArray[np.int64]
    n_symbols: NDArray[np.int64]

    @property
    def aside_ns(self) -> int | None:
        """First time of a last date that lies far after all others; None: there is none."""
        n_kept = lone_end(self.axis)
        return int(self.axis[n_kept]) if n_kept < len(self.axis) else None


@dataclass(frozen=True, slots=True)
class TimesSpec:
    """Symbols whose times are read."""

    partitions: tuple[SymbolPartition, ...]
    time_column: str | None
    rules: ReadingRules


def look_at_times(reader: PanelReader, spec: TimesSpec) -> dict[str, Any]:
    """Count the symbols that have a row at each time, and read nothing else (unit function).

    A symbol that cannot be read has no rows here: its inspection says what is wrong with it.

    Returns
    -------
    dict
        Name of a table of times and counts.
    """
    found = [_times_of(partition, reader, spec) for partition in spec.partitions]
    time_ns, counts = np.unique(np.concatenate(found), return_counts=True)
    name = table_name("times")
    reader.run.write_table(name, pa.table({"time_ns": time_ns, "n_symbols": counts}))
    return {"table": name}


def _times_of(
    partition: SymbolPartition, reader: PanelReader, spec: TimesSpec
) -> NDArray[np.int64]:
    opened = PartitionReader(partition, reader.fs, spec.rules)
    try:
        with naming_symbol(partition.symbol), opened as columns:
            name = resolve_time_column([name for name, _ in columns.columns], spec.time_column)
            files, _ = columns.read_timed(name, ())
            return plan_rows(files, name, None, spec.rules).time_ns
    except DataError:
        return np.empty(0, dtype=np.int64)


def read_until(
    runner: UnitRunner,
    run: RunDirectory,
    partitions: Mapping[str, SymbolPartition],
    config: ExperimentConfig,
    interval: str | None,
    at_most: UpTo | None = None,
) -> int | None:
    """Return the time from which on a run ignores rows; None: it uses all of them.

    Raises
    ------
    ConfigError
        When none of the retraining dates has been reached.
    """
    if config.training.retrain_every is None:
        return None if config.data.until is None else date_ns(config.data.until)
    dates = retraining_dates(runner, run, partitions, config, interval)
    known = [each for each in dates if at_most is None or each <= at_most.time_ns]
    return last_date(known, config)


def last_date(dates: Sequence[int], config: ExperimentConfig) -> int:
    """Return the last of some retraining dates.

    Raises
    ------
    ConfigError
        When there is none.
    """
    if not dates:
        raise ConfigError(
            f"training.retrain_every={config.training.retrain_every}: no date of retraining has "
            f"been reached. The first has {_MIN_FOLDS} folds of validation.test_every="
            f"{config.validation.test_every} before it, from validation.first_test="
            f"{config.validation.first_test} on. Set an earlier first_test, or wait for more rows."
        )
    return dates[-1]


def retraining_dates(
    runner: UnitRunner,
    run: RunDirectory,
    partitions: Mapping[str, SymbolPartition],
    config: ExperimentConfig,
    interval: str | None,
) -> tuple[int, ...]:
    """Return the retraining dates that most symbols have reached, in order.

    Returns
    -------
    tuple
        Nanoseconds since 1970 of the first timestamp of each fold that begins there.
    """
    return dates_on(panel_times(runner, run, partitions, config, interval), config)


def dates_on(panel: PanelTimes, config: ExperimentConfig) -> tuple[int, ...]:
    """Return the retraining dates that a panel has reached, in order; see `retraining_dates`.

    Raises
    ------
    ConfigError
        When the config names no schedule.
    """
    validation, training = config.validation, config.training
    every = None if validation.test_every is None else read_duration(validation.test_every)
    retrain = None if training.retrain_every is None else read_duration(training.retrain_every)
    if every is None or retrain is None or validation.first_test is None:
        raise ConfigError("training.retrain_every needs validation.first_test and test_every.")
    axis, n_symbols = panel.axis, panel.n_symbols
    if config.data.until is not None:
        n_kept = int(np.searchsorted(axis, date_ns(config.data.until), side="right"))
        axis, n_symbols = axis[:n_kept], n_symbols[:n_kept]
    n_kept = lone_end(axis)
    axis, n_symbols = axis[:n_kept], n_symbols[:n_kept]
    if not len(axis):
        return ()
    starts = fold_starts(axis, date_ns(validation.first_test), every)
    starts = [each for each in dict.fromkeys(starts) if each < len(axis)]
    step = retrain.count // every.count
    known = set(reached(starts, n_symbols))
    return tuple(
        int(axis[start])
        for index, start in enumerate(starts)
        if index >= _MIN_FOLDS and index % step == 0 and start in known
    )


def panel_times(
    runner: UnitRunner,
    run: RunDirectory,
    partitions: Mapping[str, SymbolPartition],
    config: ExperimentConfig,
    interval: str | None,
) -> PanelTimes:
    """Return the panel's timestamps, and the symbols at each."""
    rules, name = rules_of(config, interval), config.data.time_name
    ordered = [partitions[symbol] for symbol in sorted(partitions)]
    blocks = [tuple(ordered[i : i + _BLOCK]) for i in range(0, len(ordered), _BLOCK)]
    units = [
        Unit(
            "look_at_times", f"from {block[0].symbol}", look_at_times, TimesSpec(block, name, rules)
        )
        for block in blocks
    ]
    records = runner.run_required(units)
    tables = list(run.read_tables(record["table"] for record in records.values()))
    times = np.concatenate([table.column("time_ns").to_numpy() for table in tables])
    counts = np.concatenate([table.column("n_symbols").to_numpy() for table in tables])
    axis, places = np.unique(times, return_inverse=True)
    return PanelTimes(axis, np.bincount(places, counts, len(axis)).astype(np.int64))


def told_until(until_ns: int, config: ExperimentConfig) -> str:
    """Say, as a sentence, up to which date a run uses rows."""
    if config.training.retrain_every is None:
        return f"rows from {iso_time(until_ns)} on are ignored: data.until"
    return (
        f"rows before {iso_time(until_ns)}, the last date of training.retrain_every="
        f"{config.training.retrain_every} that the panel has reached; later rows are for predict "
        "and update"
    )
