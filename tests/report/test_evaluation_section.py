"""What the page says predictions would have been worth, and what it draws of it."""

from __future__ import annotations

import math
from dataclasses import replace

import pyarrow as pa
import pytest
from sample_runs import SampleRun

from ray_pipeline.report import evaluation_section, write_report
from ray_pipeline.report.curves import column_chart, curve_chart, point_chart
from ray_pipeline.report.evaluation_section import write_evaluation_section
from ray_pipeline.report.scales import skill_scale
from ray_pipeline.results import tables as results
from ray_pipeline.results.contents import MAX_CHARTED, RunContents, read_contents
from ray_pipeline.results.reading import Results


@pytest.fixture
def contents(run_uri: str) -> RunContents:
    return read_contents(Results(SampleRun().write(run_uri)))


def test_figures_of_a_return(contents: RunContents) -> None:
    """Each with its error where it has one; the Sharpe ratio with its deflated probability."""
    section = write_evaluation_section(contents)
    assert (section.absent, section.cost_bps) == ("", "5")
    assert section.n_trials == "70 trials, which are worth 31.2 independent ones"
    assert section.overfitting.startswith("Probability of backtest overfitting 12%: ")
    first = section.models.rows[0]
    assert first.job_id == contents.jobs[0].job_id
    assert (first.spread, first.monotonicity) == ("0.04 ± 0.006", "+1.00")
    assert (first.hit_rate, first.by_chance, first.turnover) == ("52.7%", "50.0%", "41% / 38%")
    assert (first.gross, first.net, first.break_even) == ("0.004", "0.003 ± 0.0008", "21.3")
    assert (first.sharpe, first.deflated) == ("+1.90 ± 0.40", "97%")
    assert (first.p_value, first.is_sure) == ("0.004", True)
    assert (first.drawdown, first.why) == ("0.120", "")
    second = section.models.rows[1]
    assert (second.deflated, second.p_value, second.is_sure) == ("64%", "0.120", False)


def test_tables_of_before_are_marked_by_their_deflated_ratio(contents: RunContents) -> None:
    """They have neither a p-value nor a count of independent trials, nor overfitting."""
    table = contents.evaluated
    assert table is not None
    for name in ("sharpe_p_value", "n_effective_trials"):
        nothing = pa.nulls(table.num_rows, pa.float64())
        table = table.set_column(table.schema.get_field_index(name), name, nothing)
    section = write_evaluation_section(replace(contents, evaluated=table, overfitting=None))
    assert (section.n_trials, section.overfitting) == ("70 trials", "")
    first, second = section.models.rows[:2]
    assert (first.p_value, first.is_sure, second.is_sure) == ("–", True, False)


def test_other_targets_say_why_they_have_no_portfolio(contents: RunContents) -> None:
    """Figures that were not measured are dashes; the reason is there in short and in full."""
    section = write_evaluation_section(contents)
    other = next(row for row in section.models.rows if row.why)
    assert {other.gross, other.net, other.sharpe, other.deflated, other.drawdown} == {"–"}
    assert other.why == "no portfolio"
    assert other.reason.startswith("no portfolio: the target is not among")
    assert section.has_portfolios


def test_pooled_models_come_first_and_lists_are_capped(
    contents: RunContents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the order of the plan, and never by their results; the notes count all."""
    section = write_evaluation_section(contents)
    pooled = [job.job_id for job in contents.jobs if job.view == "cross_sectional"]
    shown = [row.job_id for row in section.models.rows]
    assert shown[: len(pooled)] == pooled
    assert sorted(shown) == sorted(job.job_id for job in contents.jobs)
    assert [row.job_id for row in section.charts.rows] == list(contents.charted)
    first = [f"cs_{target}__{pooled[0].rpartition('__')[2]}" for target in contents.chosen]
    second = [name for name in pooled if name not in first]
    assert contents.charted == tuple([*first, *second, *shown[len(pooled) :]][:MAX_CHARTED])
    assert section.charts.note.startswith(f"Showing 6 of {len(shown)}, pooled models first")
    monkeypatch.setattr(evaluation_section, "MAX_ROWS", len(pooled) + 1)
    section = write_evaluation_section(contents)
    assert [row.job_id for row in section.models.rows] == shown[: len(pooled) + 1]
    assert results.EVALUATED_JOBS in section.models.note


def test_only_charted_jobs_are_read(contents: RunContents) -> None:
    """Their quantiles, decay and curves; of a target's own contents none, but its figures."""
    for table in (contents.quantiles, contents.decay):
        assert table is not None
        assert set(table.column("job_id").unique().to_pylist()) == set(contents.charted)
    assert contents.equity is not None
    drawn = set(contents.equity.column("job_id").unique().to_pylist())
    assert drawn == {name for name in contents.charted if "fwd_ret" in name}


def test_contents_of_one_target_have_its_figures(run_uri: str) -> None:
    """Without what is drawn."""
    found = read_contents(Results(SampleRun().write(run_uri)), "fwd_ret_5d")
    assert found.evaluated is not None
    assert set(found.evaluated.column("target").to_pylist()) == {"fwd_ret_5d"}
    assert (found.charted, found.quantiles, found.equity) == ((), None, None)


def test_absent_evaluations_are_told_apart(contents: RunContents) -> None:
    """A table that is missing and one that is empty read differently."""
    gone = write_evaluation_section(replace(contents, evaluated=None))
    assert gone.absent == f"{results.EVALUATED_JOBS} is missing from the run directory."
    assert contents.evaluated is not None
    empty = write_evaluation_section(replace(contents, evaluated=contents.evaluated.slice(0, 0)))
    assert empty.absent == "No model was trained, so there are no predictions to evaluate."


def test_page_without_portfolios_speaks_of_none(run_uri: str) -> None:
    """Costs and trials are told where they are used."""
    run = SampleRun().write(run_uri)
    write_report(run)
    assert "after 5 basis points" in run.read_text("report.html")
    table = run.read_table(results.EVALUATED_JOBS)
    place = table.schema.get_field_index("net")
    nothing = pa.nulls(table.num_rows, pa.float64())
    run.write_table(results.EVALUATED_JOBS, table.set_column(place, "net", nothing))
    write_report(run)
    assert "basis points of all" not in run.read_text("report.html")


def test_columns_stand_on_zero_and_are_marked_by_their_interval() -> None:
    """Up from zero or down from it; what is not measured leaves its place empty."""
    scale = skill_scale([-0.1, 0.1])
    drawn = str(column_chart([0.1, -0.1, None], [0.02, 0.2, None], "abc", ["t"] * 3, scale))
    assert drawn.count('class="bar yes"') == 1
    assert drawn.count('class="bar no"') == 1
    assert drawn.count("whisker") == 2
    assert [drawn.count(f">{name}</text>") for name in "abc"] == [1, 1, 1]


def test_points_are_joined_where_both_are_measured() -> None:
    """No line over a gap; a point is marked when its interval is above zero."""
    scale = skill_scale([0.0, 0.1])
    values = [0.1, 0.05, math.nan, 0.01]
    drawn = str(point_chart(values, [0.02, 0.1, None, None], "abcd", ["t"] * 4, scale))
    assert drawn.count('class="path no"') == 1
    assert drawn.count("<circle") == 3
    assert drawn.count('class="dot yes"') == 1


def test_curves_span_the_width() -> None:
    """From the first to the last place, higher values higher up."""
    scale = skill_scale([0.0, 1.0])
    drawn = str(
        curve_chart(
            [("yes", [0.0, 0.5, 1.0])], [0.0, 0.5, 1.0], [(0.0, "a"), (1.0, "b")], scale, "rises"
        )
    )
    points = drawn.partition('points="')[2].partition('"')[0].split()
    places = [tuple(map(float, point.split(","))) for point in points]
    assert [x for x, _ in places] == [0, 500, 1000]
    assert places[0][1] > places[1][1] > places[2][1]
    assert 'aria-label="rises"' in drawn


def test_names_of_jobs_are_escaped(contents: RunContents) -> None:
    """A job's name comes with the data."""
    assert contents.quantiles is not None
    drawn = column_chart([1.0], [None], ["<b>"], ["<script>"], skill_scale([1.0]))
    assert "<script>" not in drawn
    assert "<b>" not in drawn
