"""What schedules of retraining would have earned (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from ray_pipeline.report.charts import interval, scale_axis
from ray_pipeline.report.curves import curve_chart
from ray_pipeline.report.scales import Scale, skill_scale
from ray_pipeline.results.capping import Capped
from ray_pipeline.results.contents import RunContents
from ray_pipeline.results.figures import count, is_measured, probability, signed, with_error
from ray_pipeline.results.policies import by_job, policies_sentence, policy_name
from ray_pipeline.results.tables import POLICIES

__all__ = ["ComparedPolicies", "PolicyLine", "PolicySection", "write_policy_section"]

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PolicyLine:
    """One policy of a job, or the one that is followed."""

    name: str
    chart: Markup
    skill: str
    p_value: str
    excess: str
    n_followed: str
    n_trained: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class ComparedPolicies:
    """The policies of a job; `curve` is empty where its folds are not known."""

    job_id: str
    sentence: str
    axis: Markup
    lines: tuple[PolicyLine, ...]
    curve: Markup


@dataclass(frozen=True, slots=True)
class PolicySection:
    """Jobs whose policies were compared, those with charts; none where nobody asked for it."""

    jobs: Capped[ComparedPolicies]


def write_policy_section(contents: RunContents) -> PolicySection:
    """Lay out the policies of the first jobs, pooled ones before others."""
    if contents.policies is None or contents.policies.num_rows == 0:
        return PolicySection(Capped((), 0, "", POLICIES))
    jobs = by_job(contents.policies.to_pylist())
    by_fold: dict[str, list[Row]] = {}
    for row in [] if contents.policy_folds is None else contents.policy_folds.to_pylist():
        by_fold.setdefault(row["job_id"], []).append(row)
    # Folds are read of the jobs that are drawn, and of no others.
    laid_out = tuple(
        _compared(name, *jobs[name], folds) for name, folds in by_fold.items() if name in jobs
    )
    return PolicySection(
        Capped(laid_out, len(jobs), "pooled models first, in the order of the plan", POLICIES)
    )


def _compared(
    job_id: str, chosen: Row, policies: Sequence[Row], folds: Sequence[Row]
) -> ComparedPolicies:
    rows = (chosen, *policies)
    halves = [_half(row) for row in rows]
    ends = [
        end
        for row, half in zip(rows, halves, strict=True)
        if is_measured(row["skill"])
        for end in (row["skill"] - (half or 0.0), row["skill"] + (half or 0.0))
    ]
    scale = skill_scale(ends)
    return ComparedPolicies(
        job_id=job_id,
        sentence=policies_sentence(chosen, policies),
        axis=scale_axis(scale),
        lines=tuple(_line(row, half, scale) for row, half in zip(rows, halves, strict=True)),
        curve=_curve(folds),
    )


def _half(row: Row) -> float | None:
    return 2.0 * row["std_error"] if is_measured(row["std_error"]) else None


def _line(row: Row, half: float | None, scale: Scale) -> PolicyLine:
    name, is_chosen = policy_name(row), row["kind"] == "chosen"
    skill = with_error(row["skill"], row["std_error"])
    title = f"{name}: {skill}"
    return PolicyLine(
        name=name,
        chart=interval(row["skill"], half, scale, marked=is_chosen, title=title),
        skill=skill,
        p_value=probability(row["p_value"]),
        excess="" if is_chosen else with_error(row["excess"], row["excess_std_error"]),
        n_followed="" if is_chosen else count(row["n_followed"]),
        n_trained=count(row["n_trained"]),
        is_chosen=is_chosen,
    )


def _curve(rows: Sequence[Row]) -> Markup:
    """Draw the skill until then, fold by fold: of the policy followed, of all others dotted."""
    curves: dict[str, list[float]] = {}
    names: dict[int, None] = {}
    for row in rows:
        curve = curves.setdefault(policy_name(row), [])
        total, n_rows = (curve[-2], curve[-1]) if curve else (0.0, 0.0)
        here = row["skill"] * row["n_rows"] if is_measured(row["skill"]) else 0.0
        curve += [total + here, n_rows + row["n_rows"]]
        names[row["fold"]] = None
    if len(names) < 2:
        return Markup("")
    until = {
        name: [total / max(n, 1.0) for total, n in zip(curve[::2], curve[1::2], strict=True)]
        for name, curve in curves.items()
    }
    chosen = next(iter(until))
    ordered = [("no", values) for name, values in until.items() if name != chosen]
    scale = skill_scale([value for values in until.values() for value in values], n_ticks=4)
    shares = [place / (len(names) - 1) for place in range(len(names))]
    ends = [(0.0, f"fold {next(iter(names))}"), (1.0, f"fold {list(names)[-1]}")]
    told = "; ".join(f"{name} {signed(values[-1])} at the end" for name, values in until.items())
    return curve_chart([*ordered, ("yes", until[chosen])], shares, ends, scale, told)
