"""What each section says, before it becomes HTML."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Literal, get_args

import pyarrow as pa
import pytest
from sample_runs import SampleRun

from ray_pipeline.doubt.carriers import DoubtRow
from ray_pipeline.report import feature_section, route_section
from ray_pipeline.report.data_section import merge_findings
from ray_pipeline.report.doubt_section import write_doubt_section
from ray_pipeline.report.evaluation_section import write_evaluation_section
from ray_pipeline.report.feature_section import write_feature_section
from ray_pipeline.report.model_section import write_model_section
from ray_pipeline.report.page import render_page
from ray_pipeline.report.route_section import write_route_section
from ray_pipeline.report.run_section import write_run_section
from ray_pipeline.report.symbol_section import write_symbol_section
from ray_pipeline.report.target_section import interval_scale, write_target_section
from ray_pipeline.results import tables as results
from ray_pipeline.results.contents import RunContents, read_contents
from ray_pipeline.results.documents import (
    DataFacts,
    EvidenceRecord,
    LeftOutJob,
    ModelRecord,
    PlanRecord,
    RunRecord,
)
from ray_pipeline.results.headline import write_headline
from ray_pipeline.results.reading import Results
from ray_pipeline.routing.decide import ROUTE_ORDER, Route

NAN = math.nan


@pytest.fixture
def contents(run_uri: str) -> RunContents:
    return read_contents(Results(SampleRun().write(run_uri)))


def test_headline_counts_targets_views_and_models(contents: RunContents) -> None:
    """Targets are counted once although they have a row per view."""
    rows = contents.targets or ()
    headline = write_headline(contents)
    n_models = len(contents.trained)
    assert headline.sentence == (
        "3 of 8 targets are predictable (3 in the cross-sectional view, 3 in the symbol-specific "
        f"view); {n_models} of {n_models + 1} wanted models were trained."
    )
    strongest = min(rows, key=lambda row: (row.q_value != row.q_value, row.q_value))
    assert headline.detail.startswith(f"Strongest evidence: {strongest.target} (cross-sectional)")


@pytest.mark.parametrize(
    ("n_models", "ending"),
    [(0, "; no model was trained."), (1, "; 1 of 42 wanted models was trained.")],
)
def test_headline_says_when_models_are_missing(
    contents: RunContents, n_models: int, ending: str
) -> None:
    """Models that routes wanted and that were not trained, planned or left out, are counted."""
    job = contents.jobs[0]
    jobs = tuple(job.model_copy(update={"job_id": f"{i}"}) for i in range(40))
    trained = frozenset(item.job_id for item in jobs[:n_models])
    plan = PlanRecord(jobs=jobs, left_out=(LeftOutJob(what="a", why="b"),) * 2)
    sentence = write_headline(replace(contents, plan=plan, trained=trained)).sentence
    assert sentence.endswith(ending)


def test_headline_of_one_target_is_singular(run_uri: str) -> None:
    """One target is predictable, not one targets are."""
    sample = SampleRun(targets=("fwd_ret_5d",), trains=False)
    sentence = write_headline(read_contents(Results(sample.write(run_uri)))).sentence
    assert sentence.startswith("1 of 1 target is predictable (1 in the cross-sectional view")


@pytest.mark.parametrize(
    ("status", "start", "until"),
    [
        ("interrupted", "The run was interrupted before its end; the same", "Until then"),
        ("running", "The run is not finished", "So far"),
        ("failed", "The run failed.", "Until then"),
    ],
)
def test_headline_of_an_unfinished_run_tells_what_was_found_until_then(
    contents: RunContents,
    status: Literal["interrupted", "running", "failed"],
    start: str,
    until: str,
) -> None:
    """A run that did not end well never reads like one that did."""
    headline = write_headline(replace(contents, record=RunRecord(name="early", status=status)))
    assert headline.sentence.startswith(start)
    assert headline.detail.startswith(f"{until}: 3 of 8 targets are predictable")
    nothing = write_headline(
        replace(contents, record=RunRecord(name="early", status=status), targets=None)
    )
    assert nothing.detail.startswith("No target was ranked")


def test_failed_run_without_an_error_says_its_last_line(contents: RunContents) -> None:
    """The error is never empty."""
    failed = RunRecord(name="early", status="failed", message="9 of 15 failed")
    assert write_headline(replace(contents, record=failed)).error == "9 of 15 failed"
    silent = RunRecord(name="early", status="failed")
    assert write_headline(replace(contents, record=silent)).error == "no error recorded"


def test_done_run_without_a_ranking_says_so(contents: RunContents) -> None:
    """Nothing is claimed about targets that nobody ranked."""
    sentence = write_headline(replace(contents, targets=None)).sentence
    assert sentence == "The run is done, but it left no target ranking."


def test_chosen_targets_are_those_the_run_chose(contents: RunContents) -> None:
    """The strongest predictable targets, as many as the run's own count."""
    assert len(contents.chosen) == 3
    fewer = replace(
        contents, record=contents.record.model_copy(update={"counts": {"chosen_targets": 1}})
    )
    assert fewer.chosen == contents.chosen[:1]
    section = write_target_section(fewer)
    verdicts = {row.target: (row.predictable, row.chosen) for row in section.views[0].targets.rows}
    assert verdicts[contents.chosen[0]] == (True, True)
    assert verdicts[contents.chosen[1]] == (True, False)


def test_one_wide_interval_does_not_squash_the_others(contents: RunContents) -> None:
    """An error twelve times the others' is cut; intervals of ordinary width never are."""
    rows = [row for row in contents.targets or () if row.std_error == row.std_error]
    widest = max(row.std_error for row in rows)
    scale = interval_scale(rows)
    assert all(scale.holds(row.skill) for row in rows)
    assert scale.high < 2 * widest
    for row in rows:
        if row.std_error < widest:
            assert scale.holds(row.skill - 2 * row.std_error)
            assert scale.holds(row.skill + 2 * row.std_error)
    wide = [replace(row, predictable=row.std_error == widest) for row in rows]
    assert interval_scale(wide).high > 2 * widest + min(row.skill for row in rows)


def test_strips_name_the_symbols_at_the_ends(contents: RunContents) -> None:
    """Highest and lowest symbol of each chosen target, in both views."""
    section = write_symbol_section(contents)
    assert [view.title for view in section.views] == ["Cross-sectional", "Symbol-specific"]
    first = section.views[0].strips.rows[0]
    assert first.target == contents.chosen[0]
    assert first.n_symbols == "15"
    assert contents.skills is not None
    rows = [
        row
        for row in contents.skills.to_pylist()
        if (row["target"], row["view"]) == (first.target, "cross_sectional")
    ]
    best = max(rows, key=lambda row: row["skill"])
    assert first.best.startswith(f"{best['symbol']} +")
    median = sorted(row["skill"] for row in rows)[7]
    assert first.median == f"{median:+.3f}"


def test_without_a_chosen_target_there_are_no_strips(run_uri: str) -> None:
    """The section says why and where the figures are."""
    section = write_symbol_section(read_contents(Results(SampleRun(strength=0.0).write(run_uri))))
    assert section.views == ()
    assert section.absent == (
        "No target was chosen. target_ranking/symbols.parquet has every symbol's figures."
    )


def test_features_are_listed_best_first_with_the_rejected_counted(contents: RunContents) -> None:
    """Selected ones with their reasons; the others by kind of reason."""
    section = write_feature_section(contents)
    assert [target.target for target in section.targets.rows] == contents.chosen
    first = section.targets.rows[0]
    assert (first.n_selected, first.n_features) == (8, 30)
    assert [row.rank for row in first.pooled.rows] == list(range(1, 9))
    assert first.pooled.rows[0].reason == "chosen in 100% of 5 folds"
    assert first.rejected == "22 features not selected: 22 unstable."
    assert first.agreement == (
        "Agreement beyond chance (1 is full, 0 is that of random choices): +0.750 among the folds' "
        "choices, +0.250 among the choices of the symbols' own models."
    )


def test_what_the_selection_keeps_is_told_by_family(contents: RunContents) -> None:
    """Skills with all and with those selected, their difference, and what models use."""
    first = write_feature_section(contents).targets.rows[0]
    pooled = [row for row in first.kept if row.models == "pooled"]
    assert [(row.family, row.n_features, row.skills) for row in pooled] == [
        ("ridge", "8 of 30", "+0.060 → +0.061"),
        ("lightgbm", "8 of 30", "+0.060 → +0.040"),
    ]
    assert pooled[1].difference == "−0.020 ± 0.004"
    assert [row.uses.partition(":")[0] for row in pooled] == ["those selected", "all features"]
    own = [row for row in first.kept if row.models != "pooled"]
    assert own[0].models.startswith("own models of ")
    assert (own[1].skills, own[1].difference) == ("–", "–")


def test_runs_that_did_not_prove_their_selection_have_no_table_of_it(contents: RunContents) -> None:
    """Version 0.2.0 and before."""
    section = write_feature_section(replace(contents, kept=None))
    assert all(target.kept == () for target in section.targets.rows)


def test_own_features_count_the_symbols_that_selected_them(contents: RunContents) -> None:
    """Counted over the symbols with own models, most frequent first."""
    first = write_feature_section(contents).targets.rows[0]
    assert contents.features is not None
    rows = [
        row
        for row in contents.features.to_pylist()
        if row["target"] == first.target and row["symbol"] is not None
    ]
    assert first.n_symbols == len({row["symbol"] for row in rows})
    best = first.own.rows[0]
    n_best = sum(row["selected"] for row in rows if row["feature"] == best.feature)
    assert best.n_symbols == str(n_best)
    counts = [int(row.n_symbols) for row in first.own.rows]
    assert counts == sorted(counts, reverse=True)


def test_feature_lists_are_capped(contents: RunContents, monkeypatch: pytest.MonkeyPatch) -> None:
    """Targets, their features and their symbols' features each have a limit and a note."""
    monkeypatch.setattr(feature_section, "MAX_TARGETS", 1)
    monkeypatch.setattr(feature_section, "MAX_FEATURES", 5)
    section = write_feature_section(contents)
    assert section.targets.note.startswith("Showing 1 of 3, strongest target first")
    assert section.targets.rows[0].pooled.note.startswith("Showing 5 of 8, best first")


def test_routes_are_counted_per_target_and_listed_served_first(contents: RunContents) -> None:
    """Counts add up to the symbols; the chosen targets' served symbols lead the list."""
    assert set(ROUTE_ORDER) == set(get_args(Route))
    section = write_route_section(contents)
    assert [row.target for row in section.targets.rows][:3] == contents.chosen
    for row in section.targets.rows:
        assert sum(int(n) for n in row.counts if n != "–") == 15
    order = {str(route): place for place, route in enumerate(ROUTE_ORDER)}
    listed = [(row.target, order[row.route], row.symbol) for row in section.symbols.rows]
    first = [item for item in listed if item[0] == contents.chosen[0]]
    assert listed[:15] == first == sorted(first)
    assert section.symbols.rows[0].reason.startswith(section.symbols.rows[0].why)


def test_routes_are_capped(contents: RunContents, monkeypatch: pytest.MonkeyPatch) -> None:
    """The note counts all rows, not the shown ones."""
    monkeypatch.setattr(route_section, "MAX_ROUTES", 7)
    section = write_route_section(contents)
    assert len(section.symbols.rows) == 7
    assert section.symbols.note.startswith("Showing 7 of 120, chosen targets first")


def test_models_show_rows_features_and_evidence(contents: RunContents) -> None:
    """In the order of the plan, with what their metadata say."""
    section = write_model_section(contents)
    assert [row.job_id for row in section.models.rows] == [job.job_id for job in contents.jobs]
    first = section.models.rows[0]
    assert first.trained_on == "15 symbols"
    assert (first.skill, first.std_error) == ("+0.032", "0.011")
    assert (first.n_rows, first.n_features) == ("36,000", "8")
    assert section.untrained.rows == ()
    assert section.left_out.rows == (("mfe_20d / SYM03", "feature selection gave no features"),)


def test_model_without_evidence_has_dashes(contents: RunContents) -> None:
    """Figures that are null in the metadata are not measured, not zero."""
    job_id = contents.jobs[0].job_id
    empty = ModelRecord(out_of_sample=EvidenceRecord(skill=None, std_error=None))
    section = write_model_section(replace(contents, models={job_id: empty}))
    first = section.models.rows[0]
    assert {first.skill, first.std_error, first.p_value, first.n_rows, first.period} == {"–"}


@pytest.mark.parametrize(
    ("n_jobs", "absent"),
    [
        (0, "Nothing was planned for training"),
        (1, "No planned model was trained."),
        (None, "training_plan.json is missing from the run directory."),
    ],
)
def test_no_model_has_its_reason(contents: RunContents, n_jobs: int | None, absent: str) -> None:
    """Nothing planned, nothing trained and no plan are three things."""
    plan = None if n_jobs is None else PlanRecord(jobs=contents.jobs[:n_jobs], left_out=())
    bare = replace(contents, plan=plan, trained=frozenset(), models={})
    assert write_model_section(bare).absent.startswith(absent)


def test_findings_that_differ_in_numbers_are_one_with_their_range() -> None:
    """Numbers outside quotes are joined; those of column names tell findings apart."""
    merged = merge_findings(
        {
            "A": ["3 infinite cells of 'x 1' are treated as missing", "'c' is 1.5 wherever set"],
            "B": ["12 infinite cells of 'x 1' are treated as missing"],
            "C": ["7 infinite cells of 'x 2' are treated as missing", "cells are beyond float32"],
            "D": ["5 infinite cells of 'x 1' are treated as missing", "'c' is -2e-05 wherever set"],
        }
    )
    assert [(finding.text, finding.n_symbols, finding.symbols) for finding in merged] == [
        ("3 to 12 infinite cells of 'x 1' are treated as missing", 3, "A, B, D"),
        ("'c' is -2e-05 to 1.5 wherever set", 2, "A, D"),
        ("7 infinite cells of 'x 2' are treated as missing", 1, "C"),
        ("cells are beyond float32", 1, "C"),
    ]


def test_findings_name_a_few_symbols_and_count_the_rest() -> None:
    """A finding in many symbols stays one line."""
    (finding,) = merge_findings({f"S{i:02d}": ["no value"] for i in range(12)})
    assert finding.symbols == "S00, S01, S02, S03, S04, S05, S06, S07 and 4 more"


def test_run_section_tells_sessions_and_months(contents: RunContents) -> None:
    """Sessions of symbols that differ are told by their number, months in months."""
    session = {"session_bars": 78, "periods_per_year": 19_656, "n_symbols": 17}
    coin = {"session_bars": 288, "periods_per_year": 105_120, "n_symbols": 1}
    for data, expected in (
        ({"sessions": [session]}, {"Sessions": "78 bars, 19,656 a year"}),
        (
            {"sessions": [session, coin]},
            {
                "Sessions": "78 bars, 19,656 a year in 17 symbols; "
                "288 bars, 105,120 a year in 1 symbol"
            },
        ),
        ({"bar_seconds": 300}, {"Sessions": "–", "Interval": "not in the path, bars of 300 s"}),
        (
            {"bar_seconds": 2_629_746, "bar_months": 1, "interval": "1M"},
            {"Interval": "1M, bars of 1 month"},
        ),
    ):
        record = RunRecord(name="told", status="done", data=DataFacts.model_validate(data))
        facts = dict(write_run_section(replace(contents, record=record)).facts)
        assert {name: facts[name] for name in expected} == expected


def test_run_section_survives_an_early_end(contents: RunContents) -> None:
    """A record that holds little gives dashes, no folds and no times."""
    section = write_run_section(replace(contents, record=RunRecord(name="early", status="failed")))
    facts = dict(section.facts)
    assert section.name == "early"
    assert facts["Rows"] == facts["Period"] == facts["Seed"] == "–"
    assert facts["Symbols"].startswith("– discovered, – selected")
    assert section.folds == ()
    assert section.stages == ()
    assert dict(section.hashes)["content_sha256"] == "–"


def test_stage_times_are_longest_first_with_their_sum(contents: RunContents) -> None:
    """The sum stands last."""
    record = contents.record.model_copy(update={"timings_s": {"a": 1.0, "b_c": 60.0}})
    section = write_run_section(replace(contents, record=record))
    times = [(stage.stage, stage.time) for stage in section.stages]
    assert times == [("b c", "1 min 00 s"), ("a", "1.0 s"), ("all 2 stages", "1 min 01 s")]


def test_contents_of_one_target(run_uri: str) -> None:
    """Its rows alone with all their columns, and the models that serve a symbol, up to a limit."""
    run = SampleRun().write(run_uri)
    for name, part in ((results.FEATURES, "features"), (results.RANKED_SYMBOLS, "skills")):
        table = getattr(read_contents(Results(run), "fwd_ret_5d"), part)
        whole = run.read_table(name)
        kept = [row for row in whole.to_pylist() if row["target"] == "fwd_ret_5d"]
        assert (table.to_pylist(), table.schema) == (kept, whole.schema)
    jobs = [job for job in read_contents(Results(run)).jobs if job.target == "fwd_ret_5d"]
    ids = [job.job_id for job in jobs]
    assert list(read_contents(Results(run), "fwd_ret_5d", max_models=None).models) == ids
    assert list(read_contents(Results(run), "fwd_ret_5d", max_models=2).models) == ids[:2]
    serving = [job.job_id for job in jobs if "SYM02" in job.serves]
    assert 0 < len(serving) < len(ids)
    assert list(read_contents(Results(run), "fwd_ret_5d", "SYM02").models) == serving


def test_absent_tables_are_told_apart(contents: RunContents) -> None:
    """A table that is missing and one that is empty read differently."""
    assert contents.features is not None
    empty = replace(contents, features=contents.features.slice(0, 0))
    assert write_feature_section(empty).absent == "No feature was selected for any target."
    gone = write_feature_section(replace(contents, features=None)).absent
    assert gone == f"{results.FEATURES} is missing from the run directory."


# doubt


def doubted(contents: RunContents, *targets: str) -> RunContents:
    """Return the contents with these targets in doubt in the pooled view."""
    rows = tuple(
        replace(row, skill=0.52, max_skill=0.2, predictable=False, doubtful=True)
        if row.target in targets and row.view == "cross_sectional"
        else replace(row, predictable=row.predictable and row.target not in targets)
        for row in contents.targets or ()
    )
    return replace(contents, targets=rows)


def test_headline_tells_doubtful_targets_apart(contents: RunContents) -> None:
    """They are not among the predictable ones, and the first is told with figure and limit."""
    found = write_headline(doubted(contents, "fwd_ret_5d"))
    assert found.sentence.startswith("2 of 8 targets are predictable (2 in the cross-sectional ")
    assert found.sentence.endswith(
        "; 1 is doubtful: skill +0.52 on fwd_ret_5d is beyond what is believed of such a target "
        "(0.2)."
    )
    assert "fwd_ret_5d" not in found.detail


def test_headline_of_nothing_but_doubt(contents: RunContents) -> None:
    """No target is predictable, and the strongest figure is not evidence of anything."""
    names = {row.target for row in contents.targets or ()}
    found = write_headline(replace(doubted(contents, *names), trained=frozenset()))
    assert found.sentence.startswith("No target is predictable: nothing was trained; 8 are doubt")
    assert found.sentence.endswith(", and 7 more.")
    assert found.detail.startswith("Leave out what carries it, or raise the limit")


def test_trained_models_make_a_target_doubtful_in_the_headline(contents: RunContents) -> None:
    """Known only after the evaluation, it counts all the same."""
    evaluated = contents.evaluated
    assert evaluated is not None
    rows = evaluated.to_pylist()
    first = next(row for row in rows if row["symbol"] is None)
    first |= {"doubtful": True, "doubted": "Sharpe ratio", "doubted_value": 73.4}
    first |= {"doubted_limit": 7.0, "doubt": "Sharpe ratio 73.4 ± 4 is beyond 7"}
    table = pa.Table.from_pylist(rows, schema=evaluated.schema)
    changed = replace(contents, evaluated=table)
    name = first["target"]
    assert write_headline(changed).sentence.endswith(
        f"; 1 is doubtful: Sharpe ratio +73.40 on {name} is beyond what is believed of such a "
        "target (7)."
    )
    models = write_evaluation_section(changed).models.rows
    (model,) = (model for model in models if model.is_doubtful)
    assert (model.job_id, model.why) == (first["job_id"], "doubtful: Sharpe ratio")
    assert model.reason == "Sharpe ratio 73.4 ± 4 is beyond 7"


def test_section_of_doubt(run_uri: str) -> None:
    """What carries each doubtful skill, most doubtful first; bounded."""
    figures = {"family": "ridge", "horizon_bars": 3, "skill": 0.5, "skill_std_error": 0.01}
    figures |= {"bar_late": 0.3, "bar_late_std_error": 0.01, "horizon_late": 0.0}
    figures |= {"horizon_late_std_error": 0.02, "without": -0.01, "without_std_error": 0.02}
    unmeasured = dict.fromkeys(("skill", "skill_std_error"), NAN)
    rows = [
        DoubtRow(
            target="fwd_ret_5d",
            view="symbol_specific" if symbol else "cross_sectional",
            symbol=symbol,
            feature=feature,
            carries=feature != "noise",
            importance=0.1 if feature == "noise" else 0.9,
            reason="" if feature else "oracle is 90% of the importance",
            **(figures if feature is None else figures | unmeasured),
        )
        for symbol in (None, *(f"S{i:02d}" for i in range(30)))
        for feature in (None, "oracle", "noise")
    ]
    contents = read_contents(Results(SampleRun(doubts=rows).write(run_uri)))
    section = write_doubt_section(doubted(contents, "fwd_ret_5d"))
    assert section.sentences == (
        "Skill +0.52 on fwd_ret_5d is beyond what is believed of such a target (0.2).",
    )
    assert (len(section.doubted.rows), section.doubted.n_total) == (20, 31)
    first, second = section.doubted.rows[:2]
    assert (first.whose, first.horizon) == ("cross-sectional, ridge", "3 bars")
    assert second.whose == "own models of S00, ridge"
    assert [row.name for row in first.features] == ["all that carry it", "oracle", "noise"]
    assert [row.carries for row in first.features] == [True, True, False]
    assert first.features[0].horizon_late == "0.000 ± 0.020"
    assert first.features[1].skill == "–"


def test_most_runs_have_no_section_of_doubt(contents: RunContents) -> None:
    """Nor a link to it."""
    section = write_doubt_section(contents)
    assert (section.sentences, section.doubted.rows) == ((), ())
    page = render_page(contents)
    assert 'href="#doubt"' not in page
    assert 'id="doubt"' not in page


def test_effects_of_features_are_drawn_and_named(contents: RunContents) -> None:
    """As a curve with a text alternative, in the table and on the first screen; without, a dash."""
    target = write_feature_section(contents).targets.rows[0]
    first, second, third, fourth = target.pooled.rows[:4]
    assert (target.family, first.feature) == ("ridge", "momentum_00")
    assert [row.shape.partition(",")[0] for row in (first, second, third)] == [
        "rising",
        "U-shaped",
        "none",
    ]
    assert 'aria-label="momentum_00: rising, 0.' in first.effect
    assert (fourth.effect, fourth.shape) == ("", "")
    page = render_page(contents)
    assert "momentum_00 (score" in page
    assert ", rising), momentum_01" in page
    own = {row.feature: row.shapes for row in target.own.rows}
    assert (own["momentum_00"], own["momentum_03"]) == ("rising 6", "")
    plain = write_feature_section(replace(contents, effects=None)).targets.rows[0]
    assert (plain.family, plain.has_shapes, plain.pooled.rows[0].shape) == ("", False, "")
    assert "Effect, ridge" not in render_page(replace(contents, effects=None))


def test_a_weak_effect_looks_weak(contents: RunContents) -> None:
    """No curve is blown up to the size of its cell: nothing stays a flat line."""
    rows = write_feature_section(contents).targets.rows[0].pooled.rows
    heights = []
    for row in (rows[0], rows[2]):
        (points,) = re.findall(r'<polyline class="path yes" points="([^"]*)"', row.effect)
        places = [float(point.split(",")[1]) for point in points.split()]
        heights.append(max(places) - min(places))
    assert heights[0] > 15
    assert heights[1] < 5
