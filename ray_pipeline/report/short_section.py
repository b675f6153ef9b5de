"""The run for somebody with five minutes: what was found, and whether to believe it (pure)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ray_pipeline.ranking.decide import TargetRow
from ray_pipeline.report.data_section import DataSection, LeftOut, MergedFinding, merge_findings
from ray_pipeline.report.evaluation_section import EvaluationSection
from ray_pipeline.report.feature_section import FeatureSection
from ray_pipeline.report.model_section import ModelSection
from ray_pipeline.report.route_section import RouteSection
from ray_pipeline.report.run_section import RunSection, follows_membership
from ray_pipeline.report.short_targets import ShortTarget, ToldLine, short_target, verdict_of
from ray_pipeline.results.capping import Capped
from ray_pipeline.results.contents import RunContents
from ray_pipeline.results.figures import count, is_measured, shortened
from ray_pipeline.results.steadiness import FoldSkills
from ray_pipeline.results.tables import RANKED_TARGETS
from ray_pipeline.wording import plural, some_of

__all__ = ["MAX_FOUND", "ShortSection", "write_short_section"]

MAX_FOUND = 6
MAX_NOT_FOUND = 8
MAX_KINDS = 3
"""Leaks, reasons or features that are named in one place; the section has the others."""
MAX_WARNINGS = 8
MAX_TEXT = 300


@dataclass(frozen=True, slots=True)
class ShortSection:
    """The first screen.

    Attributes
    ----------
    absent
        Why there are no targets, empty where there are some.
    found
        Targets that can be predicted, the strongest first, and those in doubt after them.
    not_found
        A sentence on each of the others.
    dropped
        What the run did without, and why.
    wrong
        What could be wrong with the result.
    """

    absent: str
    found: Capped[ShortTarget]
    not_found: Capped[str]
    dropped: tuple[ToldLine, ...]
    wrong: tuple[ToldLine, ...]


def write_short_section(
    contents: RunContents,
    run: RunSection,
    features: FeatureSection,
    routes: RouteSection,
    models: ModelSection,
    evaluation: EvaluationSection,
    data: DataSection,
    skills: Mapping[str, FoldSkills],
) -> ShortSection:
    """Lay out the first screen, of the sections that follow it: the same figures stand there.

    Parameters
    ----------
    skills
        Of pooled models fold by fold, by target.
    """
    by_target: dict[str, list[TargetRow]] = {}
    for row in sorted(contents.targets or (), key=lambda row: (row.target, row.view)):
        by_target.setdefault(row.target, []).append(row)
    names = _found(contents, by_target)
    others = sorted((name for name in by_target if name not in names), key=_strength(by_target))
    found = tuple(
        short_target(contents, name, by_target[name], features, routes, skills.get(name))
        for name in names[:MAX_FOUND]
    )
    told = tuple(verdict_of(contents, name, by_target[name]) for name in others[:MAX_NOT_FOUND])
    absent = "" if contents.targets is not None else contents.why_absent(RANKED_TARGETS)
    return ShortSection(
        absent=absent,
        found=Capped(found, len(names), "strongest first", RANKED_TARGETS),
        not_found=Capped(told, len(others), "closest to evidence first", RANKED_TARGETS),
        dropped=tuple(_dropped(features, models, data)),
        wrong=tuple(_wrong(contents, run, evaluation, data)),
    )


def _found(contents: RunContents, by_target: Mapping[str, Sequence[TargetRow]]) -> list[str]:
    doubtful = [each.target for each in contents.doubted]
    predictable = [name for name, rows in by_target.items() if any(row.predictable for row in rows)]
    order = [*contents.chosen, *sorted(predictable, key=_strength(by_target))]
    believed = [name for name in dict.fromkeys(order) if name not in doubtful]
    return [*believed, *doubtful]


def _strength(by_target: Mapping[str, Sequence[TargetRow]]) -> Callable[[str], tuple[float, str]]:
    """Return what sorts targets by the smallest q-value of their views, unmeasured ones last."""

    def place(name: str) -> tuple[float, str]:
        measured = [row.q_value for row in by_target[name] if is_measured(row.q_value)]
        return min(measured, default=math.inf), name

    return place


def _dropped(
    features: FeatureSection, models: ModelSection, data: DataSection
) -> Iterator[ToldLine]:
    leaks = data.leaks
    if data.leaks_absent:
        yield ToldLine("Leaks", data.leaks_absent, "leaks")
    elif not leaks.rows:
        yield ToldLine("Leaks", "No feature was found to know a target's future.", "leaks")
    else:
        named = [
            f"{row.feature} was {row.action} for {row.target} ({shortened(row.reason, MAX_TEXT)})"
            for row in leaks.rows[:MAX_KINDS]
        ]
        text = f"{'; '.join(named)}{_and_more(leaks.n_total - len(named))}."
        is_used = any(row.action != "dropped" for row in leaks.rows)
        yield ToldLine("Leaks", text, "leaks", is_bad=is_used)
    yield from _left_out("Rejected symbols", data.rejected)
    yield from _left_out("Quarantined symbols", data.quarantined)
    if data.columns.rows:
        named = [f"{row.column} ({row.role})" for row in data.columns.rows]
        yield ToldLine("Columns", f"{some_of(named, 2 * MAX_KINDS)}.", "data")
    rejected = [
        f"{target.target}: {target.rejected}" for target in features.targets.rows if target.rejected
    ]
    for text in rejected[:MAX_KINDS]:
        yield ToldLine("Features", text, "features")
    if len(rejected) > MAX_KINDS:
        more = plural(len(rejected) - MAX_KINDS, "more target")
        yield ToldLine("Features", f"Of {more} as well.", "features")
    if models.left_out.rows:
        what, why = models.left_out.rows[0]
        text = f"{plural(models.left_out.n_total, 'model')} not planned, such as {what}: {why}."
        yield ToldLine("Models", text, "models")
    if models.untrained.rows:
        text = f"{plural(models.untrained.n_total, 'planned model')} not trained."
        yield ToldLine("Models", text, "models", is_bad=True)


def _left_out(name: str, rows: Capped[LeftOut]) -> Iterator[ToldLine]:
    if rows.rows:
        merged = merge_findings({row.symbol: [row.reason] for row in rows.rows})
        told = [_told(each, "symbol") for each in merged[:MAX_KINDS]]
        more = _and_more(len(merged) - len(told), "reason")
        yield ToldLine(name, f"{count(rows.n_total)}: {'; '.join(told)}{more}.", "data")


def _wrong(
    contents: RunContents, run: RunSection, evaluation: EvaluationSection, data: DataSection
) -> Iterator[ToldLine]:
    if data.failures.rows:
        error = shortened(data.failures.rows[0].error, MAX_TEXT)
        text = f"{plural(data.failures.n_total, 'unit')} of work failed, the first with: {error}"
        yield ToldLine("Failures", text, "data", is_bad=True)
    elif data.failures_absent:
        yield ToldLine("Failures", data.failures_absent, "data")
    if contents.record.data.n_rows is not None and not follows_membership(contents.record.data):
        universe = dict(run.facts)["Universe"]
        yield ToldLine("Universe", f"{universe[0].upper()}{universe[1:]}.", "run")
    if evaluation.overfitting:
        yield ToldLine("Overfitting", evaluation.overfitting, "evaluation")
    yield from _warnings(contents)
    for text in data.assumptions[:MAX_KINDS]:
        yield ToldLine("Assumed", text, "data")
    if data.findings.rows:
        first = _told(data.findings.rows[0], "symbol")
        text = f"{first}{_and_more(data.findings.n_total - 1, 'finding')}."
        yield ToldLine("Data", text, "data")


def _warnings(contents: RunContents) -> Iterator[ToldLine]:
    """Tell warnings once that differ in their numbers alone; of doubt the targets tell."""
    texts = [text for text in contents.record.warnings if not text.startswith("doubtful:")]
    merged = merge_findings({f"{place:09d}": [text] for place, text in enumerate(texts)})
    for each in merged[:MAX_WARNINGS]:
        times = f" ({each.n_symbols} times)" if each.n_symbols > 1 else ""
        yield ToldLine("Warning", f"{shortened(each.text, MAX_TEXT)}{times}", "data")
    if len(merged) > MAX_WARNINGS:
        text = f"{plural(len(merged) - MAX_WARNINGS, 'more warning')}."
        yield ToldLine("Warning", text, "data")


def _told(found: MergedFinding, noun: str) -> str:
    return f"{shortened(found.text, MAX_TEXT)} ({plural(found.n_symbols, noun)}: {found.symbols})"


def _and_more(n: int, noun: str = "") -> str:
    if n <= 0:
        return ""
    return f", and {plural(n, f'more {noun}')}" if noun else f", and {count(n)} more"
