"""What the predictions of the trained models would have been worth (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from ray_pipeline.report.curves import column_chart, point_chart
from ray_pipeline.report.scales import skill_scale
from ray_pipeline.report.timelines import TimeFigure
from ray_pipeline.report.worth_timelines import (
    WorthCurve,
    compared_worth,
    worth_curve,
    worth_timeline,
)
from ray_pipeline.results.capping import Capped
from ray_pipeline.results.contents import RunContents
from ray_pipeline.results.figures import (
    DASH,
    is_measured,
    label_with_error,
    percentage,
    probability,
    ratio_with_error,
    share,
    signed,
    significant,
    unsigned,
    with_error,
)
from ray_pipeline.results.overfitting import overfitting_of, overfitting_sentence, trials_of
from ray_pipeline.results.tables import EVALUATED_JOBS, EVALUATION
from ray_pipeline.wording import plural

__all__ = ["ChartedJob", "EvaluatedModel", "EvaluationSection", "write_evaluation_section"]

MAX_ROWS = 100

_SURE = 0.05
"""p of a Sharpe ratio below which it is marked."""


@dataclass(frozen=True, slots=True)
class EvaluatedModel:
    """A trained model and what its predictions would have been worth.

    `reason` says why figures are missing or in doubt, `why` of which kind that is.
    """

    job_id: str
    spread: str
    monotonicity: str
    hit_rate: str
    by_chance: str
    turnover: str
    gross: str
    net: str
    break_even: str
    sharpe: str
    deflated: str
    p_value: str
    is_sure: bool
    drawdown: str
    is_doubtful: bool
    why: str
    reason: str


@dataclass(frozen=True, slots=True)
class ChartedJob:
    """Charts of one model; `curve` is None where it has no portfolio, and `reason` says why."""

    job_id: str
    quantiles: Markup
    decay: Markup
    curve: TimeFigure | None
    reason: str


@dataclass(frozen=True, slots=True)
class EvaluationSection:
    """Figures of the models, pooled ones first.

    Attributes
    ----------
    absent
        Why there is none, empty where there are some.
    cost_bps, n_trials
        What all rows have in common.
    overfitting
        A sentence, empty where there is nothing to compare.
    within
        What quantiles and portfolios of pooled models are within, empty where that is all symbols.
    together
        The portfolios of `charts` in one figure; None where there are no two.
    """

    absent: str
    cost_bps: str
    n_trials: str
    has_portfolios: bool
    overfitting: str
    within: str
    models: Capped[EvaluatedModel]
    charts: Capped[ChartedJob]
    together: TimeFigure | None = None


def write_evaluation_section(contents: RunContents) -> EvaluationSection:
    """Lay out the evaluation."""
    table = contents.evaluated
    if table is None or table.num_rows == 0:
        absent = contents.why_absent(EVALUATED_JOBS)
        if table is not None:
            absent = "No model was trained, so there are no predictions to evaluate."
        nothing: Capped[Any] = Capped((), 0, "", EVALUATION)
        return EvaluationSection(absent, "", "", False, "", "", nothing, nothing)
    rows = _pooled_first(table)
    models = tuple(map(_model, rows))
    drawn = _in_order(table, contents.charted)
    found = {row["job_id"]: _of(contents.equity, row["job_id"]) for row in drawn}
    curves = {job_id: worth_curve(of) for job_id, of in found.items() if of}
    charts = tuple(_charts(contents, row, curves.get(row["job_id"])) for row in drawn)
    order = "pooled models first, in the order of the plan"
    return EvaluationSection(
        absent="",
        cost_bps=significant(rows[0]["cost_bps"]),
        n_trials=trials_of(rows[0]),
        has_portfolios=bool(pc.any(table.column("net").is_valid()).as_py()),
        overfitting=_overfitting(contents),
        within=_within(contents),
        models=Capped(models, table.num_rows, order, EVALUATED_JOBS),
        charts=Capped(charts, table.num_rows, f"{order}, a model of each target", f"{EVALUATION}/"),
        together=compared_worth(curves),
    )


def _within(contents: RunContents) -> str:
    groups = contents.record.groups
    if groups is None:
        return ""
    return (
        f"Quantiles of pooled models are those within {groups.column}, and so are the portfolios: "
        "as much is long in a group as is short, its share in the capital that of its symbols."
    )


def _overfitting(contents: RunContents) -> str:
    if contents.overfitting is None:
        return ""
    row = overfitting_of(contents.overfitting.to_pylist())
    return overfitting_sentence(row) if row is not None else ""


def _pooled_first(table: pa.Table) -> list[Mapping[str, Any]]:
    pooled = table.column("symbol").is_null()
    first = table.filter(pooled).slice(0, MAX_ROWS)
    rest = table.filter(pc.invert(pooled)).slice(0, MAX_ROWS - first.num_rows)
    rows: list[Mapping[str, Any]] = pa.concat_tables([first, rest]).to_pylist()
    return rows


def _in_order(table: pa.Table, jobs: Sequence[str]) -> list[Mapping[str, Any]]:
    named = table.filter(pc.is_in(table.column("job_id"), value_set=pa.array(jobs, pa.string())))
    return sorted(named.to_pylist(), key=lambda row: jobs.index(row["job_id"]))


def _model(row: Mapping[str, Any]) -> EvaluatedModel:
    top, bottom = row["turnover_top"], row["turnover_bottom"]
    turnover = DASH
    if is_measured(top) and is_measured(bottom):
        turnover = f"{percentage(top)} / {percentage(bottom)}"
    deflated = row["deflated_sharpe"]
    p_value = row.get("sharpe_p_value")
    # A version of before has no p-value, and its deflated ratio is all that can be marked by.
    judged = p_value if is_measured(p_value) or not is_measured(deflated) else 1.0 - deflated
    return EvaluatedModel(
        job_id=row["job_id"],
        spread=label_with_error(row["spread"], row["spread_std_error"]),
        monotonicity=signed(row["monotonicity"], 2),
        hit_rate=share(row["hit_rate"]),
        by_chance=share(row["hit_rate_by_chance"]),
        turnover=turnover,
        gross=significant(row["gross"]),
        net=label_with_error(row["net"], row["net_std_error"]),
        break_even=unsigned(row["break_even_bps"], 1),
        sharpe=ratio_with_error(row["sharpe"], row["sharpe_std_error"]),
        deflated=percentage(deflated),
        p_value=probability(p_value),
        is_sure=is_measured(judged) and judged < _SURE,
        drawdown=unsigned(row["max_drawdown"]),
        why=f"doubtful: {row['doubted']}" if row["doubtful"] else row["verdict"] or row["reason"],
        is_doubtful=row["doubtful"],
        reason=row["doubt"] if row["doubtful"] else row["reason"],
    )


def _charts(contents: RunContents, row: Mapping[str, Any], curve: WorthCurve | None) -> ChartedJob:
    job_id = row["job_id"]
    quantiles, decay = _of(contents.quantiles, job_id), _of(contents.decay, job_id)
    return ChartedJob(
        job_id=job_id,
        quantiles=_quantile_chart(quantiles) if quantiles else Markup(""),
        decay=_decay_chart(decay) if decay else Markup(""),
        curve=None if curve is None else worth_timeline(job_id, curve),
        reason=row["reason"],
    )


def _of(table: pa.Table | None, job_id: str) -> list[Mapping[str, Any]]:
    if table is None:
        return []
    rows: list[Mapping[str, Any]] = table.filter(
        pc.equal(table.column("job_id"), job_id)
    ).to_pylist()
    return rows


def _ends(values: Sequence[float | None], halves: Sequence[float | None]) -> list[float]:
    ends = []
    for value, half in zip(values, halves, strict=True):
        if is_measured(value):
            width = half if is_measured(half) else 0.0
            ends += [value - width, value + width]
    return ends


def _halves(rows: Sequence[Mapping[str, Any]]) -> list[float | None]:
    errors = [row["std_error"] for row in rows]
    return [2.0 * error if is_measured(error) else None for error in errors]


def _quantile_chart(rows: Sequence[Mapping[str, Any]]) -> Markup:
    values, halves = [row["excess"] for row in rows], _halves(rows)
    titles = [
        f"quantile {row['quantile']}: mean {significant(row['mean_actual'])}, "
        f"{plural(row['n_rows'], 'row')}"
        for row in rows
    ]
    names = [str(row["quantile"]) for row in rows]
    scale = skill_scale(_ends(values, halves), n_ticks=4)
    return column_chart(values, halves, names, titles, scale)


def _decay_chart(rows: Sequence[Mapping[str, Any]]) -> Markup:
    values, halves = [row["rank_ic"] for row in rows], _halves(rows)
    titles = [
        f"{plural(row['lag_bars'], 'bar')} later: {with_error(row['rank_ic'], row['std_error'])}; "
        f"correlation of the ranks {signed(row['rank_autocorrelation'], 2)}"
        for row in rows
    ]
    names = [str(row["lag_bars"]) for row in rows]
    scale = skill_scale(_ends(values, halves), n_ticks=4)
    return point_chart(values, halves, names, titles, scale)
