"""What MLflow records about a run: a page for the run, and one for each target (pure)."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ray_pipeline.comparing.settings import compare_configs
from ray_pipeline.config import ExperimentConfig, dump_config, read_config_values
from ray_pipeline.config.loading import parse_experiment_config
from ray_pipeline.ranking.decide import TargetRow
from ray_pipeline.records import VIEW_NAMES
from ray_pipeline.results.contents import RunContents
from ray_pipeline.results.figures import moment, probability, shortened, with_error
from ray_pipeline.results.headline import write_headline
from ray_pipeline.results.steadiness import FoldSkills, served_family
from ray_pipeline.results.verdicts import target_verdict
from ray_pipeline.wording import plural

__all__ = ["NOTE", "TrackedPage", "page_of_run", "pages_of_targets", "settings_of"]

NOTE = "mlflow.note.content"
"""The tag that MLflow shows as the description of a run, as Markdown."""

_MAX_TEXT = 500
"""Length of a parameter or tag that every server accepts."""

_RANKED = ("skill", "std_error", "t_stat", "q_value")
_WORTH = (
    *("net_per_year", "cost_bps", "break_even_bps", "turnover_top", "max_drawdown"),
    *("sharpe", "sharpe_std_error", "deflated_sharpe", "hit_rate"),
)
_POOLED = "cross_sectional"


@dataclass(frozen=True)
class TrackedPage:
    """One page.

    Attributes
    ----------
    name
        As shown in lists of runs: only words and dates.
    params
        The settings it was computed with.
    metrics
        Figures by name and step; the step is 0 unless the figure is one of a fold.
    tags
        Texts, among them the description.
    """

    name: str
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[tuple[str, int], float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def settings_of(config: ExperimentConfig) -> dict[str, str]:
    """Return the seed, the data, and each key that is not at its default, by its dotted name.

    Keys that change no result are left out, and so are options of the object store.
    """
    data_dir = config.data.data_dir
    plain = json.dumps({"data": {"data_dir": data_dir}})
    defaults = dump_config(parse_experiment_config(plain, "defaults"))
    differing = compare_configs(
        read_config_values(defaults, "defaults"), read_config_values(dump_config(config), "config")
    )["config"]
    found = {
        "experiment.seed": str(config.experiment.seed),
        "data.data_dir": data_dir,
    }
    for each in differing:
        key, value = str(each["key"]), each["b"]
        if value is not None and not key.startswith("data.storage_options"):
            found[key] = _plain(value)
    return {_allowed(key): shortened(value, _MAX_TEXT) for key, value in found.items()}


def _plain(value: str) -> str:
    """Write a text without quotes, and other values as JSON."""
    read = json.loads(value)
    return read if isinstance(read, str) else value


def page_of_run(
    contents: RunContents, config: ExperimentConfig, uri: str, took: Mapping[str, float]
) -> TrackedPage:
    """Describe a run as a whole: its findings, its size, and what it took.

    Parameters
    ----------
    uri
        The run directory.
    took
        What the command took, as far as that is known: seconds, bytes, requests.
    """
    record, until = contents.record, contents.record.data.last_ts
    headline = write_headline(contents)
    strongest = _strongest(contents.targets or ()) if contents.chosen else None
    tags = {
        NOTE: _note_of_run(contents, uri),
        "result": shortened(record.message or headline.sentence, _MAX_TEXT),
        "error": shortened(record.error or "", _MAX_TEXT),
        "run_dir": uri,
        "interval": record.data.interval or "",
        "data_until": moment(until) if until else "",
        "strongest_target": "" if strongest is None else strongest.target,
        "content_sha256": record.content_sha256 or "",
        "config_sha256": record.config_sha256 or "",
        "input_fingerprint": record.input_fingerprint or "",
        "ray_pipeline": record.versions.get("ray_pipeline", ""),
    }
    figures = {f"count/{name}": float(value) for name, value in record.counts.items()}
    figures |= {f"seconds/{name}": value for name, value in record.timings_s.items()}
    figures |= {f"cost/{name}": value for name, value in took.items()}
    if strongest is not None:
        figures["strongest/skill"], figures["strongest/q_value"] = (
            strongest.skill,
            strongest.q_value,
        )
    return TrackedPage(
        name=f"{record.name}, data until {moment(until)}" if until else record.name,
        params=settings_of(config),
        metrics=_measured(figures),
        tags=tags,
    )


def _note_of_run(contents: RunContents, uri: str) -> str:
    headline = write_headline(contents)
    parts = [headline.sentence, headline.detail, headline.error]
    lines = [" ".join(part for part in parts if part), ""]
    if contents.targets:
        lines += ["| target | verdict | skill | view | symbols by route |", "|---|---|---|---|---|"]
        for target, rows in _by_target(contents.targets).items():
            best = _strongest(rows)
            routes = ", ".join(f"{route} {n}" for route, n in _routes(contents, target).items())
            verdict = _verdict(contents, target, rows)
            lines.append(
                f"| `{_in_cell(target)}` | {verdict} | {with_error(best.skill, best.std_error)} "
                f"| {VIEW_NAMES[best.view]} | {routes} |"
            )
        lines.append("")
    lines.append(f"The artifact `report.html` has the details. Run directory: `{uri}`")
    return "\n".join(lines)


def pages_of_targets(
    contents: RunContents, folds: Mapping[str, FoldSkills]
) -> Iterator[TrackedPage]:
    """Describe each ranked target: its figures in both views, its routes, and its worth."""
    chosen = contents.chosen
    for target, rows in _by_target(contents.targets or ()).items():
        routes = _routes(contents, target)
        jobs = [job for job in contents.jobs if job.target == target]
        trained = [job for job in jobs if job.job_id in contents.trained]
        figures = {
            f"{row.view}/{name}": float(getattr(row, name)) for row in rows for name in _RANKED
        }
        figures |= {f"symbols/{route}": float(n) for route, n in routes.items()}
        figures["models"] = float(len(trained))
        family, why, worth = _worth(contents, target, rows)
        figures |= {f"worth/{name}": value for name, value in worth.items()}
        metrics = _measured(figures)
        if target in folds:
            by_fold = zip(folds[target].folds, folds[target].skills, strict=True)
            metrics |= {(f"{_POOLED}/skill_by_fold", fold): skill for fold, skill in by_fold}
        sentence = target_verdict(target, rows, chosen, contents.doubt_of(target))
        yield TrackedPage(
            name=target,
            params={
                "target": target,
                "task": rows[0].task,
                "horizon_bars": str(rows[0].horizon_bars),
            },
            metrics=metrics,
            tags={
                NOTE: _note_of_target(sentence, rows, routes, len(trained)),
                "verdict": _verdict(contents, target, rows),
                "family": family,
                "worth": shortened(why, _MAX_TEXT),
            },
        )


def _note_of_target(
    sentence: str, rows: Sequence[TargetRow], routes: Mapping[str, int], n_models: int
) -> str:
    lines = [sentence, "", "| view | skill | q | symbols | why |", "|---|---|---|---|---|"]
    lines += [
        f"| {VIEW_NAMES[row.view]} | {with_error(row.skill, row.std_error)} "
        f"| {probability(row.q_value)} | {row.n_symbols} | {_in_cell(row.reason)} |"
        for row in rows
    ]
    served = ", ".join(f"{route} {n}" for route, n in routes.items())
    lines += ["", f"Symbols by route: {served or 'none'}. {plural(n_models, 'model')} trained."]
    return "\n".join(lines)


def _worth(
    contents: RunContents, target: str, rows: Sequence[TargetRow]
) -> tuple[str, str, dict[str, float]]:
    """Return the family of the pooled model that represents the target, and what it was worth.

    In words, where there are some, and in figures.
    """
    ranked = next((row.family for row in rows if row.view == _POOLED), None)
    if contents.evaluated is None:
        return ranked or "", "", {}
    found = {
        row["family"]: row
        for row in contents.evaluated.to_pylist()
        if row["target"] == target and row["view"] == _POOLED
    }
    if not found:
        return ranked or "", "", {}
    family = served_family(list(found), ranked)
    row: Mapping[str, Any] = found[family]
    figures = {name: row[name] for name in _WORTH if row[name] is not None}
    return family, row["reason"], figures


def _verdict(contents: RunContents, target: str, rows: Sequence[TargetRow]) -> str:
    if contents.doubt_of(target) is not None:
        return "doubtful"
    return "predictable" if any(row.predictable for row in rows) else "not predictable"


def _strongest(rows: Sequence[TargetRow]) -> TargetRow:
    """Return the row with the strongest evidence, as in the report's first lines."""
    return min(rows, key=lambda row: (not row.predictable, _or_1(row.q_value), -row.skill))


def _or_1(probability: float) -> float:
    return 1.0 if math.isnan(probability) else probability


def _by_target(rows: Sequence[TargetRow]) -> dict[str, list[TargetRow]]:
    found: dict[str, list[TargetRow]] = {}
    for row in rows:
        found.setdefault(row.target, []).append(row)
    return found


def _routes(contents: RunContents, target: str) -> dict[str, int]:
    """Count the symbols of a target by their route, the most frequent first."""
    if contents.routes is None:
        return {}
    rows = contents.routes.select(["target", "route"]).to_pylist()
    return dict(Counter(row["route"] for row in rows if row["target"] == target).most_common())


def _in_cell(text: str) -> str:
    return re.sub(r"[|\n]", " ", text)


def _measured(figures: Mapping[str, float]) -> dict[tuple[str, int], float]:
    """Drop what was not measured."""
    return {
        (_allowed(name), 0): float(value) for name, value in figures.items() if math.isfinite(value)
    }


def _allowed(name: str) -> str:
    """Keep the letters, digits and few signs that MLflow allows in a name."""
    return re.sub(r"[^\w\-. /]", "_", name)
