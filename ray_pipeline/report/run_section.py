"""The run itself: settings, symbols, period, folds, wall time, hashes (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from markupsafe import Markup

from ray_pipeline.intervals import Interval
from ray_pipeline.report.charts import bar, fold_bar
from ray_pipeline.results.contents import RunContents
from ray_pipeline.results.documents import (
    DataFacts,
    FoldSpan,
    GroupingFacts,
    RunRecord,
    SessionFacts,
)
from ray_pipeline.results.figures import (
    DASH,
    count,
    duration,
    moment,
    period,
)
from ray_pipeline.versions.told import ServingVersion, not_serving, serving_lines
from ray_pipeline.wording import plural, some_of

__all__ = ["FoldRow", "RunSection", "StageTime", "follows_membership", "write_run_section"]

_MOST_GROUPS = 30


@dataclass(frozen=True, slots=True)
class FoldRow:
    """A test fold on the run's time axis; no chart where its times could not be read."""

    index: int
    test: str
    chart: Markup


@dataclass(frozen=True, slots=True)
class StageTime:
    """Wall time of a stage and its bar, longest stage full."""

    stage: str
    time: str
    chart: Markup


@dataclass(frozen=True, slots=True)
class RunSection:
    """Facts by name, and the small tables beside them.

    `not_serving` says that another version serves, and is empty otherwise.
    """

    name: str
    not_serving: str
    facts: tuple[tuple[str, str], ...]
    hashes: tuple[tuple[str, str], ...]
    trained_on: str
    folds: tuple[FoldRow, ...]
    stages: tuple[StageTime, ...]


def write_run_section(contents: RunContents, serving: ServingVersion | None = None) -> RunSection:
    """Lay out ``run.json``, and which version of the models serves."""
    record = contents.record
    served = () if serving is None else (("Serves", " ".join(serving_lines(serving))),)
    return RunSection(
        name=record.name,
        not_serving="" if serving is None else not_serving(serving),
        facts=(*_facts(contents, record), *served),
        hashes=(
            ("content_sha256", record.content_sha256 or DASH),
            ("config_sha256", record.config_sha256 or DASH),
            ("input_fingerprint", record.input_fingerprint or DASH),
        ),
        trained_on="everything before"
        if record.window in (None, "expanding")
        else f"the {record.window} before",
        folds=_folds(record.folds, record.data),
        stages=_stages(record.timings_s),
    )


def _facts(contents: RunContents, record: RunRecord) -> tuple[tuple[str, str], ...]:
    seed, versions, data = record.seed, record.versions, record.data
    seconds = f", bars of {count(data.bar_seconds)} s" if data.bar_seconds is not None else ""
    bars = f", bars of {Interval(data.bar_months, 'mo').told}" if data.bar_months else seconds
    layout = ", ".join(part for part in (data.kind, data.layout) if part is not None)
    return (
        ("Last line of the run", record.message or DASH),
        ("Data", data.data_dir or DASH),
        ("Interval", f"{data.interval or 'not in the path'}{bars}"),
        ("Sessions", _sessions(data)),
        ("Tables", f"{layout} layout" if layout else DASH),
        ("Symbols", _symbols(contents)),
        ("Universe", _universe(data)),
        *([("Groups", _groups(record.groups))] if record.groups is not None else []),
        ("Rows", _rows(data)),
        ("Period", period(data.first_ts, data.last_ts)),
        *([("Left aside", f"rows from {data.until[:16]} on")] if data.until is not None else []),
        (
            "Features, targets",
            f"{_counted(contents, 'features')}, {_counted(contents, 'targets')}",
        ),
        ("Seed", DASH if seed is None else str(seed)),
        ("Started, finished", _when(record)),
        *_estimate(record),
        ("Versions", ", ".join(f"{name} {versions[name]}" for name in sorted(versions)) or DASH),
    )


def _session(found: SessionFacts) -> str:
    return f"{plural(found.session_bars, 'bar')}, {count(found.periods_per_year)} a year"


def _sessions(data: DataFacts) -> str:
    """Say how many bars a session and a year have, of which symbols where they differ."""
    told = [
        (
            f"{plural(each.session_bars, 'bar')}, {count(each.periods_per_year)} a year",
            each.n_symbols,
        )
        for each in data.sessions
    ]
    if len(told) == 1:
        return told[0][0]
    return "; ".join(f"{text} in {plural(n, 'symbol')}" for text, n in told) or DASH


def _n(contents: RunContents, name: str) -> str:
    return count(contents.count(name))


def _counted(contents: RunContents, names: str) -> str:
    n = contents.count(names)
    return f"{DASH} {names}" if n is None else plural(n, names.removesuffix("s"), names)


def _symbols(contents: RunContents) -> str:
    names = ("discovered", "selected", "used", "rejected", "quarantined")
    return ", ".join(f"{_n(contents, name)} {name}" for name in names)


def follows_membership(data: DataFacts) -> bool:
    """Tell whether a symbol counts only while it belonged to the universe."""
    return data.universe is not None and data.universe_has_dates


def _universe(data: DataFacts) -> str:
    if follows_membership(data):
        return f"members by {data.universe}, a symbol only while it belonged to it"
    which = "the symbols that have data, at all times"
    if data.universe is not None:
        which = f"the symbols of {data.universe}, which names no dates, at all times"
    return (
        f"{which}: if they are those that are left today, figures leave out the ones that did "
        "badly enough to go (data.universe takes members by date)"
    )


def _groups(found: GroupingFacts) -> str:
    sources = {
        "a column of the files": found.n_symbols_by_files,
        "by the table of the universe": found.n_symbols_by_universe,
    }
    where = [f"{text} of {plural(n, 'symbol')}" for text, n in sources.items() if n]
    small = [group.name for group in found.groups if not group.is_compared]
    sizes = [f"{group.name} {group.median_symbols:g}" for group in found.groups]
    told = f"symbols are {found.told}: {', '.join(where)}; symbols at a timestamp, in the median: "
    told += some_of(sizes, _MOST_GROUPS)
    if small:
        told += f"; never symbols enough to be compared: {some_of(small, _MOST_GROUPS)}"
    if found.n_rows_without:
        told += (
            f"; {plural(found.n_rows_without, 'row')} of {found.n_rows} without a group, compared "
            "with nobody"
        )
    return told


def _rows(data: DataFacts) -> str:
    rows, stamps = data.n_rows, data.n_timestamps
    return (
        f"{plural(rows, 'row')} on {plural(stamps or 0, 'timestamp')}" if rows is not None else DASH
    )


def _when(record: RunRecord) -> str:
    started, finished = record.started_at, record.finished_at
    if not started:
        return DASH
    first, last = _time(started), _time(finished)
    took = f", {duration((last - first).total_seconds())}" if first and last else ""
    return f"{moment(started)} to {moment(finished)}{took}"


def _estimate(record: RunRecord) -> Iterator[tuple[str, str]]:
    """Tell what the run took beside its estimate; of one that did not end, the estimate."""
    told = record.estimate.comparison or record.estimate.told
    if told:
        name = "Took" if record.estimate.comparison else "Estimated"
        yield name, "; ".join(text.removeprefix("took ") for text in told)


def _time(iso: object) -> datetime | None:
    try:
        time = datetime.fromisoformat(str(iso))
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _folds(folds: Sequence[FoldSpan], data: DataFacts) -> tuple[FoldRow, ...]:
    first, last = _time(data.first_ts), _time(data.last_ts)
    rows = []
    for fold in folds:
        start, end = _time(fold.test_start), _time(fold.test_end)
        trained = _time(fold.train_start) or first
        chart = Markup("")
        if first and last and trained and start and end and last > first:
            span = last - first
            times = (trained, start, end)
            shares = (min(1.0, max(0.0, (time - first) / span)) for time in times)
            chart = fold_bar(*shares)
        test = period(fold.test_start, fold.test_end)
        rows.append(FoldRow(fold.index, test, chart))
    return tuple(rows)


def _stages(timings: Mapping[str, float]) -> tuple[StageTime, ...]:
    """Longest first: JSON keys are sorted, so the stages' own order is not in the file."""
    total, longest = sum(timings.values()), max(timings.values(), default=0.0)
    rows = [
        StageTime(
            stage.replace("_", " "),
            duration(time),
            bar(time / longest if longest else 0.0, marked=True),
        )
        for stage, time in sorted(timings.items(), key=lambda item: (-item[1], item[0]))
    ]
    if len(rows) > 1:
        rows.append(StageTime(f"all {plural(len(rows), 'stage')}", duration(total), Markup("")))
    return tuple(rows)
