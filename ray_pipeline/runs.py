"""``ray-pipeline runs``: the run directories below a place, and the result of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from ray_pipeline.columns import aligned, wrapped
from ray_pipeline.errors import DiscoveryError, RayPipelineError, StorageError
from ray_pipeline.evaluating.doubt import doubted_worth
from ray_pipeline.ranking.decide import TargetRow, by_evidence, choose_targets
from ray_pipeline.ranking.doubt import doubted_skills
from ray_pipeline.results.documents import RunRecord
from ray_pipeline.results.figures import DASH, signed
from ray_pipeline.results.opening import open_attempt, open_run
from ray_pipeline.results.reading import Results
from ray_pipeline.results.tables import EVALUATED_JOBS, RECORD
from ray_pipeline.storage import (
    FileSystem,
    RunDirectory,
    absolute_uri,
    folder_at_fault,
    is_local,
    join,
    list_names,
    open_filesystem,
)
from ray_pipeline.storage.lease import LEASE, Holder
from ray_pipeline.wording import duration_text, plural, size_text, some_of

__all__ = ["DEPTH", "FoundRuns", "RunSummary", "find_runs", "runs_lines"]

DEPTH = 4
"""Depth of folders that are searched: ``runs/project/month/run``."""

_N_THREADS = 16

State = Literal["running", "stopped", "done", "failed", "interrupted", "unreadable"]


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One line about a run directory.

    Attributes
    ----------
    path, uri
        Its path below the searched folder; its address.
    experiment
        ``experiment.name``.
    state
        As in ``run.json``; ``stopped`` if that says running but no driver is at work;
        ``unreadable`` if it cannot be read, and `error` says why.
    attempt
        State of a later run that should have replaced this result and has not; None: there is none.
    started_at, finished_at, wall_s
        When it began and ended, ISO 8601, and what it took.
    n_symbols, n_targets, n_models
        Selected, ranked, trained; None if the run did not get that far.
    predictable
        Targets that can be predicted and are not doubtful, strongest first.
    best
        The strongest of them, else the one closest to evidence: ``target``, ``view``, ``skill``,
        ``std_error`` and ``q_value``; None if none was measured.
    size_bytes
        Of everything in the directory.
    """

    path: str
    uri: str
    state: State
    experiment: str | None = None
    attempt: State | None = None
    started_at: str | None = None
    finished_at: str | None = None
    wall_s: float | None = None
    n_symbols: int | None = None
    n_targets: int | None = None
    n_models: int | None = None
    predictable: tuple[str, ...] = ()
    best: Mapping[str, Any] | None = None
    message: str | None = None
    error: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class FoundRuns:
    """The runs below a folder, the newest first, and folders that were not searched."""

    uri: str
    runs: tuple[RunSummary, ...]
    unlisted: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "below": self.uri,
            "runs": [asdict(each) for each in self.runs],
            "unlisted": list(self.unlisted),
        }


def find_runs(
    uri: str, depth: int = DEPTH, progress: Callable[[int], None] | None = None
) -> FoundRuns:
    """Find the run directories below a folder, and read the result of each.

    Folders of a run are not searched, nor are hidden ones and those of panels (``key=value``).

    Parameters
    ----------
    depth
        How many folders deep to search.
    progress
        Called with the number of entries seen so far.

    Raises
    ------
    DiscoveryError
        When the folder does not exist.
    StorageError
        When it cannot be listed.
    """
    fs, root = open_filesystem(uri, {})
    found, unlisted = _walk(fs, root, depth, progress)
    base = absolute_uri(uri)
    if not found and not list_names(fs, root, limit=1) and not (is_local(fs) and fs.isdir(root)):
        raise DiscoveryError(
            f"{uri} is not a folder, or is empty. Give a folder with run directories below it, "
            "such as runs."
        )
    with ThreadPoolExecutor(_N_THREADS) as pool:
        runs = list(
            pool.map(lambda path: _summary(path, join(base, path) if path else base), found)
        )
    runs.sort(key=lambda each: (each.started_at or "", each.path), reverse=True)
    return FoundRuns(base, tuple(runs), tuple(unlisted))


def _walk(
    fs: FileSystem, root: str, depth: int, progress: Callable[[int], None] | None
) -> tuple[list[str], list[str]]:
    """Go down level by level; return paths of runs, and of folders that cannot be listed."""
    found: list[str] = []
    unlisted: list[str] = []
    level, n_seen = [""], 0
    with ThreadPoolExecutor(_N_THREADS) as pool:
        for left in range(depth, -1, -1):
            below: list[str] = []
            for path, names in zip(
                level, pool.map(lambda path: _names(fs, root, path), level), strict=True
            ):
                if names is None:
                    unlisted.append(path)
                    continue
                n_seen += len(names)
                if RECORD in names:
                    found.append(path)
                elif left:
                    below += [join(path, name) if path else name for name in _folders(names)]
            if progress is not None:
                progress(n_seen)
            level = below
    return found, unlisted


def _names(fs: FileSystem, root: str, path: str) -> list[str] | None:
    try:
        return list_names(fs, join(root, path) if path else root)
    except StorageError as error:
        if path and folder_at_fault(error):
            return None
        raise


def _folders(names: Sequence[str]) -> Iterator[str]:
    for name in names:
        if name.endswith("/") and not name.startswith(".") and "=" not in name:
            yield name[:-1]


def _summary(path: str, uri: str) -> RunSummary:
    directory = RunDirectory(uri)
    try:
        return _of_run(path, directory, open_run(uri), open_attempt(uri))
    except RayPipelineError as error:
        # A run of a later version, or a damaged one, must not hide the others.
        return RunSummary(path, uri, "unreadable", error=str(error))


def _of_run(
    path: str, directory: RunDirectory, run: Results, attempt: Results | None
) -> RunSummary:
    record = run.record
    rows = run.target_rows() or ()
    predictable = _predictable(run, rows)
    wall_s = run.written_record.get("wall_s")
    return RunSummary(
        path=path,
        uri=directory.uri,
        state=_state(record, directory),
        experiment=record.name,
        attempt=None if attempt is None else _state(attempt.record, directory),
        started_at=record.started_at,
        finished_at=record.finished_at,
        wall_s=wall_s if isinstance(wall_s, int | float) else None,
        n_symbols=record.counts.get("selected"),
        n_targets=len({row.target for row in rows}) if rows else None,
        n_models=record.counts.get("models"),
        predictable=tuple(predictable),
        best=_best(rows, predictable),
        message=record.message,
        error=record.error,
        size_bytes=directory.size_bytes(),
    )


def _state(record: RunRecord, directory: RunDirectory) -> State:
    if record.status != "running":
        return record.status
    holder = Holder.read(directory.find_bytes(LEASE))
    return "stopped" if holder is None or holder.life == "gone" else "running"


def _predictable(run: Results, rows: Sequence[TargetRow]) -> list[str]:
    evaluated = run.table(EVALUATED_JOBS)
    worth = [] if evaluated is None else doubted_worth(evaluated.to_pylist())
    doubtful = {each.target for each in (*doubted_skills(rows), *worth)}
    return [name for name in choose_targets(rows, len(rows)) if name not in doubtful]


def _best(rows: Sequence[TargetRow], predictable: Sequence[str]) -> dict[str, Any] | None:
    measured = [row for row in rows if not math.isnan(row.q_value) and not row.doubtful]
    believed = [row for row in measured if row.predictable and row.target in predictable]
    row = min(believed or measured, key=by_evidence, default=None)
    if row is None:
        return None
    return {
        "target": row.target,
        "view": row.view,
        "skill": row.skill,
        "std_error": None if math.isnan(row.std_error) else row.std_error,
        "q_value": row.q_value,
    }


def runs_lines(found: FoundRuns) -> list[str]:
    """Format the result of `find_runs` for a person: one row per run, the newest first."""
    lines: list[str] = []
    if not found.runs:
        lines.append(f"no run directory below {found.uri}")
    else:
        header = [
            "run",
            "experiment",
            "state",
            "best",
            "started",
            "took",
            "symbols",
            "targets",
            "size",
        ]
        rows = [_row(each) for each in found.runs]
        lines += [line.removeprefix("  ") for line in aligned(header, rows, n_left=5, is_list=True)]
        n_bytes = sum(each.size_bytes or 0 for each in found.runs)
        lines += ["", f"{plural(len(found.runs), 'run')}, {size_text(n_bytes)} in {found.uri}"]
    for each in found.runs:
        if each.state == "unreadable":
            lines += wrapped(f"unreadable {each.path or each.uri}: {each.error}", "", "  ")
    if found.unlisted:
        lines.append(f"not searched, because it cannot be listed: {some_of(found.unlisted, 5)}")
    return lines


def _row(run: RunSummary) -> list[str]:
    state: str = run.state if run.attempt is None else f"{run.state}, next {run.attempt}"
    n_found, n_targets = len(run.predictable), run.n_targets
    return [
        run.path or run.uri,
        run.experiment or DASH,
        state,
        _best_text(run),
        DASH if run.started_at is None else _minute(run.started_at),
        DASH if run.wall_s is None else duration_text(run.wall_s),
        _count(run.n_symbols),
        DASH if n_targets is None else f"{n_found} of {n_targets}",
        DASH if run.size_bytes is None else size_text(run.size_bytes),
    ]


def _best_text(run: RunSummary) -> str:
    if run.best is None:
        return DASH
    best = run.best
    text = f"{best['target']} {signed(best['skill'])}"
    return text if run.predictable else f"none; closest {text}"


def _minute(time: str) -> str:
    try:
        return datetime.fromisoformat(time).strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return time


def _count(n: int | None) -> str:
    return DASH if n is None else f"{n:,}"
