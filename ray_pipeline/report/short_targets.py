"""One target in a few sentences, each with the section that has the evidence (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any

import pyarrow.compute as pc

from ray_pipeline.ranking.decide import TargetRow
from ray_pipeline.records import VIEW_NAMES
from ray_pipeline.report.feature_section import (
    MEANINGLESS,
    FeatureSection,
    PooledFeature,
    TargetFeatures,
)
from ray_pipeline.report.route_section import RouteSection
from ray_pipeline.results.calibration import calibration_verdicts
from ray_pipeline.results.contents import RunContents
from ray_pipeline.results.cumulated import beyond_chance_since, cumulated_skill
from ray_pipeline.results.figures import (
    count,
    is_measured,
    label_with_error,
    moment,
    probability,
    ratio_with_error,
    significant,
    unsigned,
)
from ray_pipeline.results.overfitting import trials_of
from ray_pipeline.results.steadiness import FoldSkills, served_family, steadiness_sentence
from ray_pipeline.results.tables import EVALUATED_JOBS
from ray_pipeline.results.verdicts import target_verdict
from ray_pipeline.routing.decide import NOT_SERVED, ROUTE_ORDER, Route
from ray_pipeline.wording import plural

__all__ = ["ShortTarget", "ToldLine", "short_target", "verdict_of"]

Row = Mapping[str, Any]

N_FEATURES = 3

_SHARPE = "Net Sharpe ratio"
_SPREAD = "Mean label of the top less the bottom quantile"

_BY_ROUTE: Mapping[Route, str] = {
    "CROSS_SECTIONAL": "by the pooled model",
    "BOTH": "by the pooled model and their own together",
    "SYMBOL_SPECIFIC": "by their own model",
    "EXPERIMENTAL_ONLY": "experimental only",
    "BLOCKED": "blocked",
}


@dataclass(frozen=True, slots=True)
class ToldLine:
    """A sentence, what it is about, and the section of the page that has the evidence."""

    name: str
    text: str
    section: str
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class ShortTarget:
    """A target that was found, or is in doubt; its name is not repeated in the verdict."""

    target: str
    verdict: str
    is_doubtful: bool
    lines: tuple[ToldLine, ...]


def verdict_of(contents: RunContents, target: str, rows: Sequence[TargetRow]) -> str:
    """Say in one sentence whether a target is predictable.

    Parameters
    ----------
    rows
        Of this target, one per view.
    """
    return target_verdict(target, rows, contents.chosen, contents.doubt_of(target))


def short_target(
    contents: RunContents,
    target: str,
    rows: Sequence[TargetRow],
    features: FeatureSection,
    routes: RouteSection,
    skills: FoldSkills | None,
) -> ShortTarget:
    """Say what is to be known of a target in five minutes.

    Parameters
    ----------
    rows
        Of this target, one per view.
    features, routes
        As the page lays them out: the same figures stand there.
    skills
        Of its pooled model, fold by fold; None where they are not known.
    """
    lines = (
        _sure(contents, rows, skills),
        _doubt(contents, target, rows),
        *_carriers(features, target),
        *_served(routes, target),
        _worth(contents, target, rows),
        *_belief(contents, target),
    )
    verdict = verdict_of(contents, target, rows).removeprefix(f"{target} ")
    is_doubtful = contents.doubt_of(target) is not None
    return ShortTarget(target, f"{verdict[0].upper()}{verdict[1:]}", is_doubtful, lines)


def _sure(contents: RunContents, rows: Sequence[TargetRow], skills: FoldSkills | None) -> ToldLine:
    measured = [row for row in rows if is_measured(row.t_stat)]
    believed = [row for row in measured if row.predictable] or measured
    told = [f"{unsigned(row.t_stat, 1)} in the {VIEW_NAMES[row.view]} view" for row in believed]
    text = f"Standard errors from chance: {', '.join(told)}." if told else "Not measured."
    if skills is not None:
        text += f" {steadiness_sentence(skills, contents.record.folds)}{_since(rows, skills)}"
    return ToldLine("How sure", text, "targets")


def _since(rows: Sequence[TargetRow], skills: FoldSkills) -> str:
    """Say since when the skill, summed up, is more than chance would bring."""
    horizon = next((row.horizon_bars for row in rows if row.view == "cross_sectional"), None)
    if horizon is None or not skills.dated:
        return ""
    sums = cumulated_skill(skills.dated, horizon)
    if not is_measured(float(sums.half_widths[-1])):
        return ""
    since = beyond_chance_since(sums)
    if since is None:
        return " Summed up, its skill is not above two standard errors of chance at the end."
    day = moment(datetime.fromtimestamp(since, UTC).isoformat())
    return f" Summed up, its skill has been above two standard errors of chance since {day}."


def _doubt(contents: RunContents, target: str, rows: Sequence[TargetRow]) -> ToldLine:
    name = "In doubt"
    found = contents.doubt_of(target)
    if found is not None:
        text = str(found)
        return ToldLine(name, f"{text[0].upper()}{text[1:]}.", "doubt", is_bad=True)
    own: set[str | None] = set()
    if contents.doubts is not None:
        together = (pc.field("target") == target) & pc.field("feature").is_null()
        own = {*contents.doubts.filter(together).column("symbol").to_pylist()} - {None}
    if own:
        text = f"The own models of {plural(len(own), 'symbol')} are; the target is not."
        return ToldLine(name, text, "doubt", is_bad=True)
    limits = {f"{row.max_skill:g}" for row in rows if is_measured(row.max_skill)}
    if not limits:
        text = "Not judged: no limit is known of such a target, and the config gives none."
    else:
        text = f"No: no skill is beyond what is believed of such a target ({', '.join(limits)})."
    return ToldLine(name, text, "targets")


def _carriers(section: FeatureSection, target: str) -> Iterator[ToldLine]:
    for found in section.targets.rows:
        if found.target == target:
            yield ToldLine("Carried by", _told_features(found), "features")


def _told_features(found: TargetFeatures) -> str:
    rows = found.pooled.rows
    if rows:
        best = [each for each in rows if each.stands_out][:N_FEATURES]
        named = [f"{each.feature} (score {each.score}{_shape(each)})" for each in best or rows[:1]]
        of = f"of {count(found.n_selected)} selected of {count(found.n_features)}"
        bar = f"score no more than features that mean nothing ({MEANINGLESS})"
        if not best:
            return f"No feature stands out: all {bar}. The best is {named[0]}, {of}."
        weak = f"; the others {bar}" if len(best) < min(N_FEATURES, len(rows)) else ""
        return f"{', '.join(named)}, {of}{weak}."
    often = found.own.rows[:N_FEATURES]
    named = [f"{each.feature} ({each.share})" for each in often]
    if not named:
        return "No feature was selected."
    of = plural(found.n_symbols, "symbol")
    return f"{', '.join(named)}: shares of the own models of {of} that select them."


def _shape(feature: PooledFeature) -> str:
    """Say which way the score goes with the feature; nothing where that was not measured."""
    shape = feature.shape.partition(",")[0]
    return f", {'hardly any effect' if shape == 'none' else shape}" if shape else ""


def _served(section: RouteSection, target: str) -> Iterator[ToldLine]:
    for row in section.targets.rows:
        if row.target != target:
            continue
        by_route = dict(zip(ROUTE_ORDER, row.n_symbols, strict=True))
        told = [f"{count(n)} {_BY_ROUTE[route]}" for route, n in by_route.items() if n]
        n = sum(row.n_symbols)
        n_served = n - sum(by_route[route] for route in NOT_SERVED)
        text = f"{count(n_served)} of {plural(n, 'symbol')} served: {', '.join(told)}."
        yield ToldLine("For whom", text, "routes")


def _worth(contents: RunContents, target: str, rows: Sequence[TargetRow]) -> ToldLine:
    name, section = "Worth", "evaluation"
    if contents.evaluated is None:
        return ToldLine(name, f"Not measured: {contents.why_absent(EVALUATED_JOBS)}", section)
    jobs = contents.evaluated.filter(pc.field("target") == target).to_pylist()
    if not jobs:
        return ToldLine(name, "Not measured: no model of it was trained.", section)
    family = {row.view: row.family for row in rows}
    pooled = [job for job in jobs if job["symbol"] is None]
    if pooled:
        job = _of_family(pooled, family.get("cross_sectional"))[0]
        text = f"{_of_one(job)}; of the pooled {job['family']} model"
    else:
        own = _of_family(jobs, family.get("symbol_specific"))
        text = _of_one(own[0]) if len(own) == 1 else _of_many(own)
        of = f"the own {own[0]['family']}"
        whose = f"{of} model of {own[0]['symbol']}"
        text += f"; of {whose if len(own) == 1 else f'{of} models of {len(own)} symbols'}"
    return ToldLine(name, f"{text}.", section)


def _of_family(jobs: Sequence[Row], ranked: str | None) -> list[Row]:
    family = served_family([job["family"] for job in jobs], ranked)
    return [job for job in jobs if job["family"] == family]


def _of_one(job: Row) -> str:
    if is_measured(job["sharpe"]):
        ratio = ratio_with_error(job["sharpe"], job["sharpe_std_error"])
        p = probability(job.get("sharpe_p_value"))
        best = f"p {p} as the best of {trials_of(job)}"
        return f"{_SHARPE} {ratio} a year {_after_costs(job)}, {best}"
    if is_measured(job["spread"]):
        spread = label_with_error(job["spread"], job["spread_std_error"])
        why = f"; {job['reason']}" if job["reason"] else ""
        return f"{_SPREAD} {spread}{why}"
    return f"Not measured: {job['reason'] or 'too little data'}"


def _of_many(jobs: Sequence[Row]) -> str:
    """Give the middle of several models, and that of their errors."""
    for figure in ("sharpe", "spread"):
        error = f"{figure}_std_error"
        measured = [job for job in jobs if is_measured(job[figure]) and is_measured(job[error])]
        if not measured:
            continue
        value, width = (median(job[name] for job in measured) for name in (figure, error))
        if figure == "sharpe":
            told = f"{_SHARPE} {ratio_with_error(value, width)} a year {_after_costs(jobs[0])}"
        else:
            told = f"{_SPREAD} {label_with_error(value, width)}"
        return f"{told}, both in the median"
    return _of_one(jobs[0])


def _after_costs(job: Row) -> str:
    return f"after {significant(job['cost_bps'])} basis points"


def _belief(contents: RunContents, target: str) -> Iterator[ToldLine]:
    if contents.calibration is None:
        return
    rows = contents.calibration.filter(pc.field("target") == target).to_pylist()
    verdicts = calibration_verdicts(rows)
    if verdicts:
        yield ToldLine("Belief", f"{'. '.join(verdicts)}.", "calibration")
