"""The meaning of a run's scores, learned once from its walk-forward, for rows in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ray_pipeline.calibration.meanings import Meaning, make_map, rows_of, teachers, views_of
from ray_pipeline.calibration.walk_forward import history_source_rows, read_walks
from ray_pipeline.predicting.trained import TrainedRun
from ray_pipeline.records import View
from ray_pipeline.statistics.delayed_outcomes import DelayedRows, OnlineMap, Waiting, walk_online
from ray_pipeline.training.served_jobs import ServedJob

__all__ = ["LearnedMeanings"]


@dataclass(frozen=True, slots=True, eq=False)
class _Learned:
    """A target of some views, after the walk-forward; symbols are numbered in their order."""

    symbols: tuple[str, ...]
    rows: DelayedRows
    online: OnlineMap
    waiting: Waiting


class LearnedMeanings:
    """Says what scores mean, from the run's walk-forward and later outcomes.

    Given the rows of all symbols since the training, its results are bit-identical to those of
    ``predict``.

    Parameters
    ----------
    trained
        The run, whose out-of-sample predictions are read when a target is first requested.
    """

    def __init__(self, trained: TrainedRun) -> None:
        self._trained = trained
        self._learned: dict[tuple[tuple[str, ...], tuple[str, ...]], _Learned] = {}
        self._jobs: Mapping[str, tuple[ServedJob, ...]] | None = None

    def of(
        self, meaning: Meaning, symbol: str, jobs: Sequence[ServedJob], later: pa.Table
    ) -> pa.Table:
        """Return ``time_ns`` and the target's columns of the later rows of one symbol.

        Parameters
        ----------
        jobs
            What serves the symbol.
        later
            Scores and outcomes of rows after the walk-forward, as `OUTCOMES`.
        """
        views = views_of(jobs, meaning.target)
        return self.of_symbols(meaning, views, {symbol: later})[symbol]

    def of_symbols(
        self, meaning: Meaning, views: tuple[View, ...], later: Mapping[str, pa.Table]
    ) -> dict[str, pa.Table]:
        """Return ``time_ns`` and the target's columns of the later rows of symbols.

        Parameters
        ----------
        views
            The views whose models serve all of these symbols.
        later
            All rows since the training by symbol, as `OUTCOMES`, sorted by time.
        """
        learned = self._of(meaning, views, tuple(later))
        numbers = {name: i for i, name in enumerate(learned.symbols)}
        starts = np.full(len(numbers), np.iinfo(np.int64).max)
        for name, table in later.items():
            if table.num_rows:
                starts[numbers[name]] = table["time_ns"][0].as_py()
        rows = DelayedRows.joined([rows_of(each, numbers[name]) for name, each in later.items()])
        known = learned.rows.time_ns
        if len(known) and len(rows.time_ns) and rows.time_ns[0] <= known[-1]:
            # The walk-forward of some symbols overlaps these rows.
            earlier = learned.rows.take(np.flatnonzero(known < starts[learned.rows.symbols]))
            rows = DelayedRows.joined([earlier, rows])
            given = walk_online(make_map(meaning, len(numbers)), rows)
        else:
            online, waiting = deepcopy(learned.online), deepcopy(learned.waiting)
            given = walk_online(online, rows, waiting)
        found = {}
        names = ["time_ns", *meaning.columns]
        for name in later:
            own = (rows.symbols == numbers[name]) & (rows.time_ns >= starts[numbers[name]])
            arrays = [rows.time_ns[own], *given[own, : len(names) - 1].T]
            found[name] = pa.table([pa.array(values) for values in arrays], names=names)
        return found

    def _of(self, meaning: Meaning, views: tuple[View, ...], asked: tuple[str, ...]) -> _Learned:
        if self._jobs is None:
            self._jobs = self._trained.serving_all()
        known = teachers(self._jobs, meaning.target, views)
        symbols = tuple(sorted({*known, *asked}))
        key = ((meaning.target, *views), symbols)
        if key not in self._learned:
            served = [
                (name, tuple(job for job in self._jobs[name] if job.target == meaning.target))
                for name in known
            ]
            rows = DelayedRows.joined(
                [
                    rows_of(history_source_rows(walk, jobs, meaning, views), symbols.index(name))
                    for (name, walk), (_, jobs) in zip(
                        read_walks(self._trained.run, served), served, strict=True
                    )
                ]
            )
            online = make_map(meaning, len(symbols))
            waiting = Waiting(online.n_given)
            walk_online(online, rows, waiting)
            self._learned[key] = _Learned(symbols, rows, online, waiting)
        return self._learned[key]
