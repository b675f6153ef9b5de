"""A run's walk-forward of a target as one long table: scores, their meanings and outcomes.

Every row was predicted by models that had seen only earlier data: out of sample, never by the final
models.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.calibration.meanings import (
    Meaning,
    known_times,
    make_map,
    outcome_table,
    rows_of,
    views_of,
)
from ray_pipeline.calibration.walk_forward import history_outcomes, read_walks
from ray_pipeline.errors import ArtifactError
from ray_pipeline.predicting.history import require_standings
from ray_pipeline.predicting.trained import TrainedRun
from ray_pipeline.records import View
from ray_pipeline.statistics.delayed_outcomes import DelayedRows, walk_online
from ray_pipeline.training.predictions import GROUP
from ray_pipeline.training.served_jobs import ServedJob

__all__ = ["walked_scores"]

Floats = NDArray[np.float64]


def walked_scores(trained: TrainedRun, target: str) -> pa.Table:
    """Return the out-of-sample scores of a target, as ``predict --history`` has them.

    Returns
    -------
    pyarrow.Table
        ``ts`` (UTC), ``symbol``, ``score`` in [0, 1]; its meaning from the outcomes known before
        each row: ``prob`` for a binary target, ``expected`` for others and, for real values,
        ``low`` and ``high``; ``actual``, the label, null if unknown; ``group``, if the run compared
        symbols within groups. Sorted by time and symbol.

    Raises
    ------
    ConfigError
        When the target has no model.
    ArtifactError
        When a version before 0.5.0 made the run, without standings.
    """
    trained.jobs_of([target])
    require_standings(trained.run)
    meaning = next(iter(trained.meanings([target])), None)
    by_views: dict[tuple[View, ...], list[tuple[str, tuple[ServedJob, ...]]]] = {}
    for symbol, jobs in trained.serving_all().items():
        own = tuple(job for job in jobs if job.target == target)
        if own:
            by_views.setdefault(views_of(own, target), []).append((symbol, own))
    pieces = [
        _walk_of(trained, target, views, served, meaning)
        for views, served in sorted(by_views.items())
    ]
    if not pieces:
        raise ArtifactError(f"{trained.run.uri}: no symbol is served by the models of {target}.")
    rows = pa.concat_tables(pieces)
    rows = rows.filter(rows["score"].is_valid())
    return rows.sort_by([("ts", "ascending"), ("symbol", "ascending")])


def _walk_of(
    trained: TrainedRun,
    target: str,
    views: tuple[View, ...],
    served: Sequence[tuple[str, tuple[ServedJob, ...]]],
    meaning: Meaning | None,
) -> pa.Table:
    """Return the rows of symbols with models of the same views, which are calibrated together."""
    found, learned = [], []
    for place, ((symbol, walk), (_, jobs)) in enumerate(
        zip(read_walks(trained.run, served), served, strict=True)
    ):
        times, scores, actual = history_outcomes(walk, jobs, target, views)
        columns = {
            "ts": pa.array(times, pa.timestamp("ns", "UTC")),
            "symbol": pa.repeat(symbol, len(times)),
            "score": pa.array(scores, from_pandas=True),
            "actual": pa.array(actual, from_pandas=True),
        }
        if GROUP in walk.column_names:
            columns[GROUP] = _groups_at(walk, times)
        found.append(columns)
        if meaning is not None:
            known = known_times(times, meaning.horizon_bars)
            learned.append(rows_of(outcome_table(times, known, scores, actual), place))
    if meaning is not None:
        _add_meanings(found, learned, meaning)
    meant = () if meaning is None else meaning.figures
    order = ["ts", "symbol", "score", *meant, "actual", GROUP]
    return pa.concat_tables(
        [pa.table({name: its[name] for name in order if name in its}) for its in found]
    )


def _add_meanings(
    found: Sequence[dict[str, pa.Array]], learned: Sequence[DelayedRows], meaning: Meaning
) -> None:
    rows = DelayedRows.joined(learned)
    given = walk_online(make_map(meaning, len(found)), rows)
    for place, columns in enumerate(found):
        mine = np.flatnonzero(rows.symbols == place)
        times = columns["ts"].cast(pa.int64()).to_numpy()
        at = np.searchsorted(times, rows.time_ns[mine])
        for j, name in enumerate(meaning.figures):
            values: Floats = np.full(len(times), np.nan)
            values[at] = given[mine, j]
            columns[name] = pa.array(values, from_pandas=True)


def _groups_at(walk: pa.Table, times: NDArray[np.int64]) -> pa.Array:
    """Return the group of each time, from any of the jobs."""
    of_rows = walk["ts"].cast(pa.int64()).to_numpy()
    first = np.unique(of_rows, return_index=True)
    at = first[1][np.searchsorted(first[0], times)]
    return pc.take(walk[GROUP], pa.array(at)).combine_chunks()
