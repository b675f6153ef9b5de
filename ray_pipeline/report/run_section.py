"""The run itself: settings, symbols, period, folds, wall time, hashes (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from ray_pipeline.report.charts import bar, fold_bar
from ray_pipeline.results.contents import RunContents
from ray_pipeline.results.figures import (
    DASH,
    count,
    duration,
    is_measured,
    moment,
    period,
    plural,
)

__all__ = ["FoldRow", "RunSection", "StageTime", "write_run_section"]

_HASHES = ("content_sha256", "config_sha256", "input_fingerprint")


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
    """Facts by name, and the small tables beside them."""

    name: str
    facts: tuple[tuple[str, str], ...]
    hashes: tuple[tuple[str, str], ...]
    folds: tuple[FoldRow, ...]
    stages: tuple[StageTime, ...]


def write_run_section(contents: RunContents) -> RunSection:
    """Lay out ``run.json``."""
    record = contents.record
    data = record.get("data") or {}
    return RunSection(
        name=str(record.get("name") or "unnamed run"),
        facts=_facts(contents, record, data),
        hashes=tuple((name, str(record.get(name) or DASH)) for name in _HASHES),
        folds=_folds(record.get("folds") or [], data),
        stages=_stages(record.get("timings_s") or {}),
    )


def _facts(
    contents: RunContents, record: Mapping[str, Any], data: Mapping[str, Any]
) -> tuple[tuple[str, str], ...]:
    seed = record.get("seed")
    versions = record.get("versions") or {}
    bar_seconds = data.get("bar_seconds")
    bars = f", bars of {count(bar_seconds)} s" if bar_seconds is not None else ""
    layout = ", ".join(
        str(part) for part in (data.get("kind"), data.get("layout")) if part is not None
    )
    return (
        ("Last line of the run", str(record.get("message") or DASH)),
        ("Data", str(data.get("data_dir") or DASH)),
        ("Interval", f"{data.get('interval') or 'not in the path'}{bars}"),
        ("Tables", f"{layout} layout" if layout else DASH),
        ("Symbols", _symbols(contents)),
        ("Rows", _rows(data)),
        ("Period", period(data.get("first_ts"), data.get("last_ts"))),
        (
            "Features, targets",
            f"{_n(contents, 'features')} features, {_n(contents, 'targets')} targets",
        ),
        ("Seed", DASH if seed is None else str(seed)),
        ("Started, finished", _when(record)),
        ("Versions", ", ".join(f"{name} {versions[name]}" for name in sorted(versions)) or DASH),
    )


def _n(contents: RunContents, name: str) -> str:
    return count(contents.count(name))


def _symbols(contents: RunContents) -> str:
    names = ("discovered", "selected", "used", "rejected", "quarantined")
    return ", ".join(f"{_n(contents, name)} {name}" for name in names)


def _rows(data: Mapping[str, Any]) -> str:
    rows, stamps = data.get("n_rows"), data.get("n_timestamps")
    return f"{count(rows)} rows on {count(stamps)} timestamps" if rows is not None else DASH


def _when(record: Mapping[str, Any]) -> str:
    started, finished = record.get("started_at"), record.get("finished_at")
    if not started:
        return DASH
    first, last = _time(started), _time(finished)
    took = f", {duration((last - first).total_seconds())}" if first and last else ""
    return f"{moment(started)} to {moment(finished)}{took}"


def _time(iso: object) -> datetime | None:
    try:
        time = datetime.fromisoformat(str(iso))
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _folds(folds: Sequence[Mapping[str, Any]], data: Mapping[str, Any]) -> tuple[FoldRow, ...]:
    first, last = _time(data.get("first_ts")), _time(data.get("last_ts"))
    rows = []
    for fold in folds:
        start, end = _time(fold.get("test_start")), _time(fold.get("test_end"))
        chart = Markup("")
        if first and last and start and end and last > first:
            span = last - first
            shares = (min(1.0, max(0.0, (time - first) / span)) for time in (start, end))
            chart = fold_bar(*shares)
        test = period(fold.get("test_start"), fold.get("test_end"))
        rows.append(FoldRow(int(fold["index"]), test, chart))
    return tuple(rows)


def _stages(timings: Mapping[str, float | None]) -> tuple[StageTime, ...]:
    """Longest first: JSON keys are sorted, so the stages' own order is not in the file."""
    measured = {stage: time for stage, time in timings.items() if is_measured(time)}
    total = sum(measured.values())
    longest = max(measured.values(), default=0.0)
    rows = [
        StageTime(
            stage.replace("_", " "),
            duration(time),
            bar(time / longest if longest else 0.0, marked=True),
        )
        for stage, time in sorted(measured.items(), key=lambda item: (-item[1], item[0]))
    ]
    if len(rows) > 1:
        rows.append(StageTime(f"all {plural(len(rows), 'stage')}", duration(total), Markup("")))
    return tuple(rows)
