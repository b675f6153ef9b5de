"""The first screen: what was found and how far to believe it, with a link to the evidence."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from parsed_page import ParsedPage
from sample_runs import SampleRun

from ray_pipeline.explaining import explain_target
from ray_pipeline.report import short_section, write_report
from ray_pipeline.report.data_section import write_data_section
from ray_pipeline.report.evaluation_section import write_evaluation_section
from ray_pipeline.report.feature_section import write_feature_section
from ray_pipeline.report.model_section import write_model_section
from ray_pipeline.report.page import render_page
from ray_pipeline.report.route_section import write_route_section
from ray_pipeline.report.run_section import write_run_section
from ray_pipeline.report.short_section import ShortSection, write_short_section
from ray_pipeline.report.short_targets import ToldLine
from ray_pipeline.report.target_section import write_target_section
from ray_pipeline.results.contents import RunContents, read_contents
from ray_pipeline.results.reading import Results
from ray_pipeline.results.steadiness import DatedSkill, FoldSkills
from ray_pipeline.results.tables import REPORT

TARGET = "fwd_ret_5d"


@pytest.fixture
def contents(run_uri: str) -> RunContents:
    return read_contents(Results(SampleRun().write(run_uri)))


def section(contents: RunContents, **skills: FoldSkills) -> ShortSection:
    return write_short_section(
        contents,
        write_run_section(contents),
        write_feature_section(contents),
        write_route_section(contents),
        write_model_section(contents),
        write_evaluation_section(contents),
        write_data_section(contents),
        skills,
    )


def lines(told: tuple[ToldLine, ...], name: str) -> list[ToldLine]:
    return [line for line in told if line.name == name]


def line(told: tuple[ToldLine, ...], name: str) -> ToldLine:
    (only,) = lines(told, name)
    return only


def test_targets_are_told_by_strength_and_the_others_in_a_line(contents: RunContents) -> None:
    """Every target is there once, in the words of explain."""
    short = section(contents)
    assert [each.target for each in short.found.rows] == contents.chosen
    assert short.absent == ""
    n_targets = len({row.target for row in contents.targets or ()})
    assert len(short.found.rows) + len(short.not_found.rows) == n_targets
    assert all(" is not predictable in the " in text for text in short.not_found.rows)


def test_a_verdict_is_that_of_explain(run_uri: str) -> None:
    """Word for word, but for the name that stands above it."""
    contents = read_contents(Results(SampleRun().write(run_uri)))
    short = section(contents)
    for each in short.found.rows:
        verdict = explain_target(run_uri, each.target)["ranking"]["verdict"]
        assert f"{each.target} {each.verdict[0].lower()}{each.verdict[1:]}" == verdict
    for text in short.not_found.rows:
        assert explain_target(run_uri, text.split()[0])["ranking"]["verdict"] == text


def test_a_target_has_what_it_rests_on(contents: RunContents) -> None:
    """How sure, in doubt or not, by which features, for whom, its worth, and whether to believe."""
    first = section(contents, **{TARGET: FoldSkills("ridge", (0, 1), (0.1, 0.2))}).found.rows[0]
    assert first.target == TARGET
    assert [each.section for each in first.lines] == [
        "targets",
        "targets",
        "features",
        "routes",
        "evaluation",
        "calibration",
    ]
    sure = line(first.lines, "How sure").text
    row = next(row for row in contents.targets or () if row.target == TARGET)
    assert f"{row.t_stat:.1f} in the cross-sectional view" in sure
    assert sure.endswith("positive in all of 2 folds, since 2018-01-02 (+0.10 to +0.20).")
    pooled = write_feature_section(contents).targets.rows[0]
    best = pooled.pooled.rows
    carried = line(first.lines, "Carried by").text
    assert carried.startswith(
        f"{best[0].feature} (score {best[0].score}, rising), "
        f"{best[1].feature} (score {best[1].score}, U-shaped), "
        f"{best[2].feature} (score {best[2].score}, hardly any effect)"
    )
    assert carried.endswith(f"of {pooled.n_selected} selected of {pooled.n_features}.")
    worth = line(first.lines, "Worth").text
    assert worth.startswith("Net Sharpe ratio +1.90 ± 0.40 a year after 5 basis points, p 0.120 as")
    assert worth.endswith("; of the pooled ridge model.")
    assert line(first.lines, "Belief").text.startswith("Expected labels can be believed. Intervals")


def test_features_that_mean_nothing_carry_nothing(contents: RunContents) -> None:
    """Selected features that score no more than meaningless ones are not named as carriers."""
    assert contents.features is not None
    rows = contents.features.to_pylist()
    for at, scores in ((0, (0.9, 0.4)), (1, (0.45, 0.4))):
        pooled = [
            row | {"score": scores[min(row["rank"] - 1, 1)]} if row["symbol"] is None else row
            for row in rows
        ]
        features = pa.Table.from_pylist(pooled, schema=contents.features.schema)
        told = line(section(replace(contents, features=features)).found.rows[0].lines, "Carried by")
        if at == 0:
            assert told.text.endswith(
                "; the others score no more than features that mean nothing (0.5)."
            )
            assert told.text.count("(score ") == 1
        else:
            assert told.text.startswith("No feature stands out: ")


def test_routes_are_counted(contents: RunContents) -> None:
    """As many symbols as the section of the routes has of each."""
    table = contents.routes
    assert table is not None
    routes = [row["route"] for row in table.to_pylist() if row["target"] == TARGET]
    told = line(section(contents).found.rows[0].lines, "For whom").text
    served = len(routes) - routes.count("BLOCKED") - routes.count("EXPERIMENTAL_ONLY")
    assert told.startswith(f"{served} of {len(routes)} symbols served: ")
    assert f"{routes.count('CROSS_SECTIONAL')} by the pooled model" in told
    assert ("blocked" in told) is ("BLOCKED" in routes)


def test_other_labels_have_a_spread_and_say_why_no_more(contents: RunContents) -> None:
    """The spread of the quantiles with its error, and why there is no portfolio."""
    assert contents.evaluated is not None
    table = contents.evaluated
    for name in ("sharpe", "net"):
        nothing = pa.nulls(table.num_rows, pa.float64())
        table = table.set_column(table.schema.get_field_index(name), name, nothing)
    worth = line(section(replace(contents, evaluated=table)).found.rows[0].lines, "Worth").text
    assert worth == (
        "Mean label of the top less the bottom quantile 0.04 ± 0.006; of the pooled ridge model."
    )
    gone = section(replace(contents, evaluated=None)).found.rows[0]
    assert line(gone.lines, "Worth").text.startswith("Not measured: evaluation/jobs.parquet is mis")


def test_several_own_models_are_told_by_their_middle(contents: RunContents) -> None:
    """Without a pooled model: the best of them would flatter the run."""
    assert contents.evaluated is not None
    rows = [row for row in contents.evaluated.to_pylist() if row["target"] == TARGET][:1]
    own = [
        rows[0] | {"symbol": f"S{i}", "view": "symbol_specific", "sharpe": ratio}
        for i, ratio in enumerate((3.0, 0.5, 0.25))
    ]
    table = pa.Table.from_pylist(own, contents.evaluated.schema)
    worth = line(section(replace(contents, evaluated=table)).found.rows[0].lines, "Worth").text
    assert worth == (
        "Net Sharpe ratio +0.50 ± 0.40 a year after 5 basis points, both in the median; of the own "
        "lightgbm models of 3 symbols."
    )


def test_doubtful_targets_come_last_and_say_why(contents: RunContents) -> None:
    """With the figure, marked, and with a link to what carries it."""
    targets = tuple(
        replace(row, skill=0.9, max_skill=0.2, doubtful=True, predictable=False)
        if row.target == TARGET
        else row
        for row in contents.targets or ()
    )
    short = section(replace(contents, targets=targets))
    last = short.found.rows[-1]
    assert (last.target, last.is_doubtful) == (TARGET, True)
    assert last.verdict.startswith("Is doubtful, and nothing is trained for it: skill +0.90 on ")
    told = line(last.lines, "In doubt")
    assert (told.section, told.is_bad) == ("doubt", True)
    assert told.text.endswith("is beyond what is believed of such a target (0.2).")


def test_limits_and_symbols_in_doubt_are_told(contents: RunContents) -> None:
    """That nothing is beyond a limit, that there is none, or that own models alone are."""
    rows = contents.targets or ()
    first = section(contents).found.rows[0]
    assert line(first.lines, "In doubt").text.startswith("Not judged: no limit is known")
    judged = replace(contents, targets=tuple(replace(row, max_skill=0.25) for row in rows))
    first = section(judged).found.rows[0]
    assert line(first.lines, "In doubt").text.endswith("believed of such a target (0.25).")
    assert judged.doubts is not None
    row = dict.fromkeys(judged.doubts.column_names)
    doubts = pa.Table.from_pylist(
        [row | {"target": TARGET, "symbol": "SYM01"}], judged.doubts.schema
    )
    told = line(section(replace(judged, doubts=doubts)).found.rows[0].lines, "In doubt")
    assert (told.text, told.section) == (
        "The own models of 1 symbol are; the target is not.",
        "doubt",
    )


def test_what_was_dropped_has_its_reasons(run_uri: str) -> None:
    """Leaks, symbols with the reason they share, features by reason, models that are missing."""
    sample = SampleRun(
        rejected=[{"symbol": name, "reason": "no Parquet file"} for name in ("X", "Y")],
        quarantined=[
            {"symbol": "SYM01", "stage": "inspect", "reason": "120 rows"},
            {"symbol": "SYM02", "stage": "inspect", "reason": "95 rows"},
        ],
        leaks=[
            {"target": TARGET, "feature": f"leak_{i}", "test": "value", "value": 1.0}
            | {"action": "dropped", "reason": "equals the target"}
            for i in range(5)
        ],
    )
    dropped = section(read_contents(Results(sample.write(run_uri)))).dropped
    leak = line(dropped, "Leaks")
    assert (leak.section, leak.is_bad) == ("leaks", False)
    assert leak.text.startswith(f"leak_0 was dropped for {TARGET} (equals the target); leak_1 ")
    assert leak.text.endswith(", and 2 more.")
    assert line(dropped, "Rejected symbols").text == "2: no Parquet file (2 symbols: X, Y)."
    assert line(dropped, "Quarantined symbols").text == (
        "2: 95 to 120 rows (2 symbols: SYM01, SYM02)."
    )
    assert all("not selected: " in each.text for each in lines(dropped, "Features"))
    assert lines(dropped, "Features")
    assert line(dropped, "Models").text.startswith("1 model not planned, such as ")


def test_warnings_are_told_once(run_uri: str) -> None:
    """What differs in its numbers alone is one line; of doubt the targets tell."""
    sample = SampleRun(
        warnings=[
            "SYM07 lacks 310 timestamps",
            "SYM07 lacks 12 timestamps",
            "doubtful: told elsewhere",
            *(f"warning {chr(97 + i)}" for i in range(10)),
        ]
    )
    wrong = section(read_contents(Results(sample.write(run_uri)))).wrong
    warnings = [each.text for each in lines(wrong, "Warning")]
    assert warnings[0] == "SYM07 lacks 12 to 310 timestamps (2 times)"
    assert len(warnings) == short_section.MAX_WARNINGS + 1
    assert warnings[-1] == "3 more warnings."
    assert line(wrong, "Universe").section == "run"
    assert line(wrong, "Overfitting").section == "evaluation"


def test_a_run_that_ended_early_says_what_is_missing(contents: RunContents) -> None:
    """No ranking, no evidence: the first screen says so and the rest of it stands."""
    early = replace(contents, targets=None, features=None, routes=None, evaluated=None, leaks=None)
    short = section(early)
    assert short.absent == "target_ranking/targets.parquet is missing from the run directory."
    assert (short.found.rows, short.not_found.rows) == ((), ())
    assert line(short.dropped, "Leaks").text.startswith("leakage.parquet is missing")


def test_the_page_begins_in_short_and_ends_with_the_hashes(run_uri: str) -> None:
    """Every line leads to a section that is there."""
    run = SampleRun(status="failed", error="ExecutionError: boom").write(run_uri)
    write_report(run)
    html = run.read_text(REPORT)
    page = ParsedPage(html)
    ids = [value for tag, name, value in page.attributes if (tag, name) == ("section", "id")]
    assert (ids[0], ids[1], ids[-1]) == ("short", "run", "hashes")
    links = re.findall(r'<dt><a href="#(\w+)">', html)
    assert len(links) > 10
    assert set(links) <= set(ids)
    assert html.index("5eed" * 16) > html.index('<section id="method">')


@pytest.mark.parametrize(
    ("mean", "told"),
    [
        (0.3, "has been above two standard errors of chance since 2018-"),
        (0.0, "is not above two standard errors of chance at the end."),
    ],
)
def test_since_when_a_skill_is_more_than_chance(
    contents: RunContents, mean: float, told: str
) -> None:
    """Told of the dated skills of the pooled model, where there are enough of them."""
    drawn = mean + 0.1 * np.random.default_rng(1).standard_normal(400)
    drawn -= drawn.mean() - mean
    start = datetime(2018, 1, 2, tzinfo=UTC).timestamp()
    dated = tuple(DatedSkill(start + 86_400.0 * i, 0, float(each)) for i, each in enumerate(drawn))
    skills = FoldSkills("ridge", (0,), (mean,), dated)
    first = section(contents, **{TARGET: skills}).found.rows[0]
    assert told in line(first.lines, "How sure").text
    short = FoldSkills("ridge", (0,), (mean,), dated[:3])
    first = section(contents, **{TARGET: short}).found.rows[0]
    assert "Summed up" not in line(first.lines, "How sure").text


def test_folds_are_drawn_where_the_line_leads(contents: RunContents) -> None:
    """The sentence of the first screen stands again over a dot for each fold."""
    skills = {TARGET: FoldSkills("ridge", (0, 1, 4), (0.1, -0.05, 0.2))}
    (drawn,) = write_target_section(contents, skills).folds
    assert drawn.sentence.endswith("in 2 of 3 folds (−0.05 to +0.20), in all since 2022-01-02.")
    chart = drawn.figure.__html__()
    assert chart.count("<circle") == 3
    assert "fold 1, 2019-01-02 to 2020-01-02: −0.050" in chart
    assert (">2018-01-02<" in chart, ">2023-01-02<" in chart) == (True, True)
    page = render_page(contents, skills=skills)
    assert page.count(drawn.sentence) == 2
    assert "fold by fold</h3>" not in render_page(contents)


def test_names_of_targets_and_features_are_escaped(contents: RunContents) -> None:
    """They come with the data."""
    rows = tuple(
        replace(row, target="<b>", q_value=1e-9, predictable=True, skill=0.1, std_error=math.nan)
        if row.target == TARGET
        else row
        for row in contents.targets or ()
    )
    html = render_page(replace(contents, targets=rows))
    assert "<h3>&lt;b&gt;</h3>" in html
    assert "<b>" not in html
