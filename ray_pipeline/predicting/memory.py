"""What the scores of a run meant, learned once from its walk-forward, for tables in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ray_pipeline.predicting.calibrated import Meaning, make_map, rows_of, teachers, views_of
from ray_pipeline.predicting.calibrating import history_source_rows
from ray_pipeline.predicting.history import read_walks
from ray_pipeline.predicting.serving import ServedJob
from ray_pipeline.predicting.trained import TrainedRun
from ray_pipeline.records import View
from ray_pipeline.statistics.delayed_outcomes import DelayedRows, OnlineMap, Waiting, walk_online

__all__ = ["LearnedMeanings"]

_Key = tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Learned:
    """A target of some views, after the walk-forward of all symbols that these serve."""

    symbols: tuple[str, ...]
    rows: DelayedRows
    online: OnlineMap
    waiting: Waiting


class LearnedMeanings:
    """Says what scores mean, by the run's walk-forward and the outcomes of one table.

    Parameters
    ----------
    trained
        The run, whose out-of-sample predictions are read when a target is first asked for.
    """

    def __init__(self, trained: TrainedRun) -> None:
        self._trained = trained
        self._learned: dict[_Key, _Learned] = {}
        self._jobs: Mapping[str, tuple[ServedJob, ...]] | None = None

    def of(
        self,
        meaning: Meaning,
        symbol: str,
        jobs: Sequence[ServedJob],
        later: pa.Table,
    ) -> pa.Table:
        """Return ``time_ns`` and the target's columns of the later rows of a symbol.

        Parameters
        ----------
        jobs
            What serves the symbol.
        later
            Scores and outcomes of rows after the walk-forward, as `OUTCOMES`.
        """
        learned = self._of(meaning, views_of(jobs, meaning.target))
        place = len(learned.symbols)  # one that the run does not know
        if symbol in learned.symbols:
            place = learned.symbols.index(symbol)
        rows = rows_of(later, place)
        known = learned.rows.time_ns
        if len(known) and len(rows.time_ns) and rows.time_ns[0] <= known[-1]:
            # The walk-forward of others goes on beside these rows.
            is_earlier = (learned.rows.symbols != place) | (known < rows.time_ns[0])
            earlier = learned.rows.take(np.flatnonzero(is_earlier))
            joined = DelayedRows.joined([earlier, rows])
            own = (joined.symbols == place) & (joined.time_ns >= rows.time_ns[0])
            given = walk_online(make_map(meaning, len(learned.symbols) + 1), joined)[own]
        else:
            online, waiting = deepcopy(learned.online), deepcopy(learned.waiting)
            given = walk_online(online, rows, waiting)
        columns = meaning.columns
        arrays = [rows.time_ns, *given[:, : len(columns)].T]
        return pa.table([pa.array(values) for values in arrays], names=["time_ns", *columns])

    def _of(self, meaning: Meaning, views: tuple[View, ...]) -> _Learned:
        key = (meaning.target, *views)
        if key not in self._learned:
            if self._jobs is None:
                self._jobs = self._trained.serving_all()
            symbols = teachers(self._jobs, meaning.target, views)
            served = {
                symbol: tuple(job for job in self._jobs[symbol] if job.target == meaning.target)
                for symbol in symbols
            }
            walks = read_walks(self._trained.run, [(name, served[name]) for name in symbols])
            rows = DelayedRows.joined(
                [
                    rows_of(history_source_rows(walk, served[name], meaning, views), i)
                    for i, (name, walk) in enumerate(walks)
                ]
            )
            online = make_map(meaning, len(symbols) + 1)
            waiting = Waiting(online.n_given)
            walk_online(online, rows, waiting)
            self._learned[key] = _Learned(symbols, rows, online, waiting)
        return self._learned[key]
