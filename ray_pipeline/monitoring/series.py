"""From the walk-forward and the ledger to skills that can be compared: one measure for both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.monitoring.records import ModelSeries
from ray_pipeline.records import Task, View
from ray_pipeline.statistics.cells import cells_of
from ray_pipeline.statistics.hac import hac_lag
from ray_pipeline.statistics.past_skill import past_contributions
from ray_pipeline.statistics.skill import dated_skills

__all__ = ["JobFacts", "TargetFacts", "model_series"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_GROUP = "group"
_ENOUGH = 0.8
"""Of a timestamp's labels have to be known, or later ones be known, for it to count."""


@dataclass(frozen=True, slots=True)
class JobFacts:
    """View and family of a job."""

    view: View
    family: str


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """Task and horizon of a target."""

    task: Task
    horizon_bars: int


@dataclass(frozen=True, slots=True)
class _Rows:
    """Scores in the order of time and then symbol, all of shape (n_rows,)."""

    time_ns: Ints
    symbols: NDArray[np.object_]
    standing: Floats
    actual: Floats
    groups: NDArray[np.object_]


def model_series(
    ledger: pa.Table,
    predictions: Callable[[str], pa.Table],
    jobs: Mapping[str, JobFacts],
    targets: Mapping[str, TargetFacts],
    min_cs: int,
    since_ns: int | None = None,
) -> list[ModelSeries]:
    """Measure the skill of every target and view before and since.

    A score is the mean of the standings of all models that serve a symbol; the walk-forward's
    predictions are put together in the same way, and those of symbols alone that have live ones.
    Across symbols a skill is the rank correlation of a timestamp, over time the mean over symbols
    of `past_contributions`.

    Parameters
    ----------
    ledger
        Live predictions: ``ts``, ``symbol``, ``target``, ``view``, ``job_id``, ``score`` and
        ``actual``. Views and jobs may be several, joined by ``+``.
    predictions
        Gives the walk-forward's of a target: those of all targets can be more than memory holds.
    jobs
        By job. Of a job that is not there the family is the end of its name.
    targets
        Targets that are watched.
    min_cs
        Symbols that a timestamp needs.
    since_ns
        Live predictions before it do not count; None: all do.
    """
    if since_ns is not None:
        ledger = ledger.filter(pc.greater_equal(ledger["ts"].cast(pa.int64()), since_ns))
    found = []
    predicted = set(ledger["target"].unique().to_pylist())
    for target in [name for name in targets if name in predicted]:
        of_target = ledger.filter(pc.equal(ledger["target"], target))
        before = predictions(target)
        for view in _views(of_target):
            live = of_target.filter(pc.match_substring(of_target["view"], view))
            series = _series(target, view, live, before, jobs, targets[target], min_cs)
            if series is not None:
                found.append(series)
    return found


def _views(table: pa.Table) -> list[View]:
    texts = {part for text in table["view"].unique().to_pylist() for part in text.split("+")}
    return [view for view in ("cross_sectional", "symbol_specific") if view in texts]


def _series(
    target: str,
    view: View,
    ledger: pa.Table,
    predictions: pa.Table,
    jobs: Mapping[str, JobFacts],
    facts: TargetFacts,
    min_cs: int,
) -> ModelSeries | None:
    served = _served(ledger, jobs)
    live = _rows(ledger.rename_columns(_renamed(ledger, {"score": "standing"})))
    before = _composite(predictions, served)
    begins = int(live.time_ns[0])
    before = _taken(before, before.time_ns < begins)
    axis = np.unique(np.concatenate((before.time_ns, live.time_ns)))
    n_before = int(np.searchsorted(axis, begins))
    known = np.searchsorted(axis, before.time_ns) < n_before - facts.horizon_bars
    counted = _counted(live, facts.horizon_bars)
    measured = _measured(
        view,
        _taken(before, known & np.isfinite(before.actual)),
        _taken(live, counted),
        axis,
        facts,
        min_cs,
    )
    old_axis, old, new_axis, new = measured
    spacing = _spacing(old_axis, new_axis)
    if spacing > 1:
        new_axis, new = _thinned(new_axis, new, spacing)
    models = sorted({family for pairs in served.values() for each, family in pairs if each == view})
    return ModelSeries(
        target=target,
        view=view,
        models="+".join(models),
        task=facts.task,
        horizon_bars=facts.horizon_bars,
        before_ns=old_axis,
        before=old,
        live_ns=new_axis,
        live=new,
        spacing=float(spacing),
        old_ns=before.time_ns,
        old_standings=before.standing,
        new_ns=live.time_ns,
        new_standings=live.standing,
    )


def _measured(
    view: View, before: _Rows, live: _Rows, axis: Ints, facts: TargetFacts, min_cs: int
) -> tuple[Ints, Floats, Ints, Floats]:
    """Return times and skills before and since."""
    if view == "cross_sectional":
        parts = [_across(rows, axis, facts.task, min_cs) for rows in (before, live)]
        return (*parts[0], *parts[1])
    begins = int(live.time_ns[0]) if len(live.time_ns) else np.iinfo(np.int64).max
    joined = _Rows(
        *(
            np.concatenate((getattr(before, name), getattr(live, name)))
            for name in _Rows.__dataclass_fields__
        )
    )
    times, skills = _over_time(joined, axis, facts, len(np.unique(before.time_ns)))
    since = times >= begins
    return times[~since], skills[~since], times[since], skills[since]


def _across(rows: _Rows, axis: Ints, task: Task, min_cs: int) -> tuple[Ints, Floats]:
    if not len(rows.time_ns):
        return np.empty(0, dtype=np.int64), np.empty(0)
    positions = np.searchsorted(axis, rows.time_ns)
    names = sorted({each for each in rows.groups.tolist() if each is not None})
    numbers = {name: i for i, name in enumerate(names)}
    if names:
        groups = np.array([numbers.get(each, -1) for each in rows.groups.tolist()], dtype=np.int32)
        cells = cells_of(positions, groups)
    else:
        cells = positions
    times, skills = dated_skills(rows.standing, rows.actual, positions, cells, task, min_cs)
    return axis[times], skills


def _over_time(rows: _Rows, axis: Ints, facts: TargetFacts, n_before: int) -> tuple[Ints, Floats]:
    """Mean over symbols of what each row contributes; a timestamp without any has no skill."""
    step = hac_lag(n_before, facts.horizon_bars)
    positions = np.searchsorted(axis, rows.time_ns)
    sums, counts = np.zeros(len(axis)), np.zeros(len(axis))
    order = np.argsort(rows.symbols, kind="stable")
    names, starts = np.unique(rows.symbols[order], return_index=True)
    for rows_of_one in np.split(order, starts[1:]) if len(names) else ():
        own = rows_of_one[np.argsort(positions[rows_of_one], kind="stable")]
        each = past_contributions(
            rows.standing[own],
            rows.actual[own],
            positions[own],
            step,
            facts.horizon_bars,
            facts.task,
        )
        there = np.isfinite(each)
        sums[positions[own][there]] += each[there]
        counts[positions[own][there]] += 1
    found = counts > 0
    return axis[found], sums[found] / counts[found]


def _served(
    ledger: pa.Table, jobs: Mapping[str, JobFacts]
) -> dict[str, frozenset[tuple[str, str]]]:
    """Return the views and families of the models that served each symbol last."""
    last = dict(zip(ledger["symbol"].to_pylist(), ledger["job_id"].to_pylist(), strict=True))
    views = dict(zip(ledger["symbol"].to_pylist(), ledger["view"].to_pylist(), strict=True))
    return {
        symbol: frozenset(_pairs(text.split("+"), views[symbol].split("+"), jobs))
        for symbol, text in last.items()
    }


def _pairs(
    names: Sequence[str], views: Sequence[str], jobs: Mapping[str, JobFacts]
) -> Iterable[tuple[str, str]]:
    for name in names:
        if name in jobs:
            yield jobs[name].view, jobs[name].family
        else:
            view = "symbol_specific" if name.startswith("sym_") else "cross_sectional"
            yield view if view in views else views[0], name.rsplit("__", 1)[-1]


def _composite(predictions: pa.Table, served: Mapping[str, frozenset[tuple[str, str]]]) -> _Rows:
    """Put the walk-forward's predictions together as scores are: means of families, then views."""
    parts = []
    for pairs in sorted(set(served.values()), key=sorted):
        symbols = pa.array([symbol for symbol, each in served.items() if each == pairs])
        rows = predictions.filter(pc.is_in(predictions["symbol"], symbols))
        is_asked = pa.array(np.zeros(rows.num_rows, dtype=bool))
        for view, family in sorted(pairs):
            of_pair = pc.and_(pc.equal(rows["view"], view), pc.equal(rows["family"], family))
            is_asked = pc.or_(is_asked, of_pair)
        parts.append(rows.filter(is_asked))
    rows = pa.concat_tables(parts) if parts else predictions.slice(0, 0)
    if _GROUP not in rows.column_names:
        rows = rows.append_column(_GROUP, pa.nulls(rows.num_rows, pa.string()))
    # One thread: sums of floats depend on their order.
    of_views = rows.group_by(["ts", "symbol", "view"], use_threads=False).aggregate(
        [("standing", "mean"), ("actual", "max"), (_GROUP, "max")]
    )
    joined = of_views.group_by(["ts", "symbol"], use_threads=False).aggregate(
        [("standing_mean", "mean"), ("actual_max", "max"), (f"{_GROUP}_max", "max")]
    )
    names = {
        "standing_mean_mean": "standing",
        "actual_max_max": "actual",
        f"{_GROUP}_max_max": _GROUP,
    }
    return _rows(joined.rename_columns(_renamed(joined, names)))


def _renamed(table: pa.Table, names: Mapping[str, str]) -> list[str]:
    return [names.get(name, name) for name in table.column_names]


def _rows(table: pa.Table) -> _Rows:
    """Take rows with a standing, one per time and symbol: the one that was written first."""
    table = table.sort_by([("ts", "ascending"), ("symbol", "ascending")])
    times = table["ts"].cast(pa.int64()).to_numpy()
    symbols = np.array(table["symbol"].to_pylist(), dtype=object)
    groups = table[_GROUP].to_pylist() if _GROUP in table.column_names else [None] * len(times)
    found = _Rows(
        times,
        symbols,
        _floats(table["standing"]),
        _floats(table["actual"]),
        np.array(groups, dtype=object),
    )
    first = np.ones(len(times), dtype=bool)
    first[1:] = (times[1:] != times[:-1]) | (symbols[1:] != symbols[:-1])
    return _taken(found, first & np.isfinite(found.standing))


def _floats(column: pa.ChunkedArray) -> Floats:
    values: Floats = pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy()
    return values


def _taken(rows: _Rows, kept: NDArray[np.bool_]) -> _Rows:
    return _Rows(*(getattr(rows, name)[kept] for name in _Rows.__dataclass_fields__))


def _counted(rows: _Rows, horizon: int) -> NDArray[np.bool_]:
    """Tell labelled rows of timestamps whose labels are all there that will come."""
    times, place = np.unique(rows.time_ns, return_inverse=True)
    labelled = np.isfinite(rows.actual)
    n_labelled = np.bincount(place, weights=labelled, minlength=len(times))
    share = n_labelled / np.maximum(np.bincount(place, minlength=len(times)), 1)
    last = int(np.flatnonzero(n_labelled)[-1]) if n_labelled.any() else -1
    complete = (share >= _ENOUGH) | (np.arange(len(times)) <= last - horizon)
    found: NDArray[np.bool_] = labelled & complete[place]
    return found


def _spacing(before: Ints, live: Ints) -> int:
    """Return how many live timestamps there are for one before, where those were sampled."""
    if len(before) < 3 or len(live) < 3:
        return 1
    return max(1, round(float(np.median(np.diff(before)) / np.median(np.diff(live)))))


def _thinned(times: Ints, skills: Floats, spacing: int) -> tuple[Ints, Floats]:
    n = len(times) // spacing * spacing
    return (
        times[spacing - 1 : n : spacing],
        skills[:n].reshape(-1, spacing).mean(axis=1),
    )
