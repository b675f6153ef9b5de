"""What stays bounded for a person and is complete in the document, on synthetic runs."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sample_runs import SampleRun, failed_unit

from ray_pipeline.columns import WIDEST
from ray_pipeline.errors import ConfigError
from ray_pipeline.execution.protocol import Failed, Unit
from ray_pipeline.explaining import explain_target, explanation_lines
from ray_pipeline.explaining.route_lines import strongest_of_each_route
from ray_pipeline.results.tables import EFFECTS, EVALUATION, FEATURES, KEPT, PLAN, ROUTES
from ray_pipeline.routing.assigning import plan_document
from ray_pipeline.routing.jobs import LeftOutModel, TrainingPlan
from ray_pipeline.storage import RunDirectory

TARGET = "fwd_ret_5d"


def section(lines: list[str], title: str) -> list[str]:
    """Return the lines below a title, up to the next empty line that a title follows."""
    start = next(i for i, line in enumerate(lines) if line.startswith(title))
    below = []
    for i, line in enumerate(lines[start + 1 :], start + 1):
        if not line and i + 1 < len(lines) and not lines[i + 1].startswith(" "):
            break
        below.append(line)
    return below


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """Write a run of 200 symbols on 12 features, with names too long for a line."""
    symbols = tuple(f"SYM{i:03d}" for i in range(200))
    prefix = "price_to_moving_average_of_many_days"
    sample = SampleRun(symbols=symbols, n_features=12, feature_prefix=prefix)
    return sample.write(tmp_path_factory.mktemp("many"))


def test_many_symbols_stay_readable(many: RunDirectory) -> None:
    """Thirty symbols, some of each route, and a line on where the others are."""
    found = explain_target(many.uri, TARGET, max_models=20)
    lines = explanation_lines(found)
    assert max(map(len, lines)) <= WIDEST
    routes = section(lines, "routes")
    counts = Counter(
        row["route"] for row in many.read_table(ROUTES).to_pylist() if row["target"] == TARGET
    )
    assert len(counts) == 4
    table = [line.split() for line in routes if re.match(r"  SYM\d", line)]
    shown = Counter(row[1] for row in table)
    assert sum(shown.values()) == 30
    assert set(shown) == set(counts)
    assert (
        "  Showing 30 of 200, strongest evidence of each route first; routing/routes.parquet has "
        "them all."
    ) in routes
    assert "  --symbol explains one, --json lists all." in routes
    told = dict.fromkeys(counts, 0)
    for line in routes:
        if match := re.match(r"  (\w+)\s+(both|the) .* (\d+)$", line):
            told[match[1]] += int(match[3])
    assert told == counts


def test_the_document_has_every_symbol_and_model(many: RunDirectory) -> None:
    """What the lines leave out is in the document; models beyond the limit lack their skill."""
    found = explain_target(many.uri, TARGET)
    assert len(found["routes"]["rows"]) == 200
    jobs = found["models"]["jobs"]
    assert len(jobs) == sum(job["target"] == TARGET for job in many.read_json(PLAN)["jobs"]) > 20
    assert all(job["out_of_sample"] for job in jobs)
    limited = explain_target(many.uri, TARGET, max_models=20)["models"]["jobs"]
    assert [bool(job["out_of_sample"]) for job in limited] == [i < 20 for i in range(len(jobs))]
    title = f"models: {len(jobs)} of {len(jobs)} trained"
    told = section(explanation_lines(found), title)
    assert told[-1] == f"  Showing 20 of {len(jobs)}, most important first; {PLAN} has them all."


def test_worth_of_the_predictions_is_told_with_what_it_leaves_out(many: RunDirectory) -> None:
    """Ten jobs with spread, hits and Sharpe ratio; costs and trials once; the document has all."""
    found = explain_target(many.uri, TARGET, max_models=20)
    jobs = found["models"]["jobs"]
    assert {job["evaluation"]["job_id"] for job in jobs} == {job["job_id"] for job in jobs}
    told = section(explanation_lines(found), "worth of the predictions")
    assert told[1].split()[1:] == [
        "0.04",
        "0.527",
        "0.500",
        "0.003",
        "+1.90",
        "±",
        "0.40",
        "0.970",
        "0.004",
    ]
    text = " ".join(line.strip() for line in told)
    assert "after 5 basis points of the traded amount" in text
    assert "for the best of 70 trials, which are worth 31.2 independent ones; p: " in text
    assert "market impact and capacity are not considered" in text
    assert "Probability of backtest overfitting 31%: in so many of the ways" in text
    assert f"models of {TARGET} with the best net Sharpe ratio" in text
    assert f"Showing 10 of {len(jobs)}, most important first" in text


def test_worth_of_other_targets_says_why_there_is_no_portfolio(tmp_path: Path) -> None:
    """Without costs and trials; and of a run without an evaluation that it has none."""
    run = SampleRun().write(tmp_path)
    target = "y_will_peak_60m_0.8"
    told = section(explanation_lines(explain_target(run.uri, target)), "worth of the predictions")
    assert "  no portfolio: the target is not among evaluation.return_targets" in told
    assert not any("basis points" in line for line in told)
    run.remove(EVALUATION)
    told = section(explanation_lines(explain_target(run.uri, target)), "worth of the predictions")
    assert told == ["  No model's predictions were evaluated."]


def test_strongest_symbols_of_each_route_come_first() -> None:
    """Room is shared among the routes; within one the t-statistic of its model decides."""

    def row(symbol: str, route: str, pooled: float, own: float | None) -> dict[str, Any]:
        figures = {"pooled_time_skill": pooled, "pooled_time_std_error": 0.1}
        error = None if own is None else 0.1
        figures |= {"own_skill": own, "own_std_error": error}
        return {"symbol": symbol, "route": route} | figures

    rows = [
        row("A", "BLOCKED", 0.9, None),
        row("B", "CROSS_SECTIONAL", 0.1, 0.9),
        row("C", "CROSS_SECTIONAL", 0.3, 0.1),
        row("D", "CROSS_SECTIONAL", 0.2, 0.2),
        row("E", "BOTH", 0.9, 0.1),
        row("F", "BOTH", 0.1, 0.2),
        row("G", "BLOCKED", 0.1, 0.01),
    ]
    assert [r["symbol"] for r in strongest_of_each_route(rows, 9)] == list("CDBFEGA")
    assert [r["symbol"] for r in strongest_of_each_route(rows, 4)] == list("CDFG")


def test_shrunk_differences_are_shown_where_the_run_has_them(tmp_path: Path) -> None:
    """A run of before their time lacks the column, and is explained all the same."""
    run = SampleRun().write(tmp_path)
    assert symbol_columns(run)[-2:] == ["q", "shrunk"]
    run.write_table(ROUTES, run.read_table(ROUTES).drop_columns("difference_shrunk"))
    assert symbol_columns(run)[-2:] == ["its", "q"]


def symbol_columns(run: RunDirectory) -> list[str]:
    """Return the header of the table of symbols, by word."""
    lines = section(explanation_lines(explain_target(run.uri, TARGET)), "routes")
    return next(line.split() for line in lines if line.startswith("  symbol"))


def test_models_that_were_not_trained(tmp_path: Path) -> None:
    """Each says why: its unit's error, or that the run was not that far."""
    sample = SampleRun(trains=False)
    run = sample.write(tmp_path)
    jobs = [job for job in run.read_json(PLAN)["jobs"] if job["target"] == TARGET]
    pooled = jobs[0]["job_id"]
    unit = Unit("train_pooled", pooled, run.exists, {})
    sample.failures = [
        Failed(unit, "OutOfMemory", "no room", kind="memory", traceback="", attempts=3)
    ]
    lines = explanation_lines(explain_target(sample.write(tmp_path).uri, TARGET))
    told = section(lines, f"models: 0 of {len(jobs)} trained")
    assert f"  not trained: {pooled}: OutOfMemory: no room" in told
    assert f"  not trained: {jobs[1]['job_id']}: not yet" in told


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        (None, ["mfe_20d", "mfe_20d / SYM03", "cs_mfe__ridge", "sym_mfe__A%2FB__ridge"]),
        ("SYM03", ["mfe_20d", "mfe_20d / SYM03", "cs_mfe__ridge"]),
        ("SYM04", ["mfe_20d", "cs_mfe__ridge"]),
    ],
)
def test_what_was_left_out_of_the_plan(
    tmp_path: Path, symbol: str | None, expected: list[str]
) -> None:
    """What is of the target and may serve the symbol is told, by its job where there is one."""
    run = SampleRun().write(tmp_path)
    left_out = (
        LeftOutModel("mfe_20d", None, None, "too many"),
        LeftOutModel("mfe_20d", "SYM03", None, "too many"),
        LeftOutModel("mfe_20d", None, "cs_mfe__ridge", "too many"),
        LeftOutModel("mfe_20d", "A/B", "sym_mfe__A%2FB__ridge", "too many"),
        LeftOutModel("mdd_20d", "SYM04", None, "too many"),
        LeftOutModel("mfe_20d_more", None, None, "too many"),
    )
    run.write_json(PLAN, plan_document(TrainingPlan((), left_out)))
    found = explain_target(run.uri, "mfe_20d", symbol)
    assert [item["what"] for item in found["models"]["left_out"]] == expected
    lines = explanation_lines(found)
    assert f"  not planned: {expected[-1]}: too many" in lines
    assert "  No model was planned: no route leads to one." in lines


def test_what_version_0_1_0_left_out_is_told_by_its_name(tmp_path: Path) -> None:
    """It wrote one text: the id of a job, or a target and perhaps a symbol."""
    run = SampleRun().write(tmp_path)
    names = ["mfe_20d / SYM03", "cs_mfe_20d__ridge", "mdd_20d"]
    left_out = [{"what": name, "why": "too many"} for name in names]
    run.write_json(PLAN, {"jobs": [], "left_out": left_out})
    lines = explanation_lines(explain_target(run.uri, "mfe_20d"))
    assert [line for line in lines if "not planned" in line] == [
        f"  not planned: {name}: too many" for name in names[:2]
    ]


def test_features_that_were_kept_by_rank_say_so(tmp_path: Path) -> None:
    """Where no feature was stable the list stands on less, and the lines tell it."""
    run = SampleRun().write(tmp_path)
    table = run.read_table(FEATURES)
    reason = "kept by rank: no feature beat its shadows in 60% of the folds"
    told = {"reason": reason, "verdict": "kept by rank"}
    rows = [row | (told if row["selected"] else {}) for row in table.to_pylist()]
    run.write_table(FEATURES, table.from_pylist(rows, schema=table.schema))
    lines = explanation_lines(explain_target(run.uri, TARGET))
    assert section(lines, "features of the pooled models").count(f"  {reason}") == 1


def test_what_a_selection_costs_is_told_by_family(tmp_path: Path) -> None:
    """Skills, difference and error, what models use for it, and where nothing was tried."""
    run = SampleRun().write(tmp_path)
    lines = explanation_lines(explain_target(run.uri, TARGET))
    pooled = " ".join(" ".join(section(lines, "features of the pooled models")).split())
    assert (
        "ridge uses those selected: skill +0.0610 with those selected, +0.0600 with all: "
        "+0.0010 ± 0.0040"
    ) in pooled
    assert "lightgbm uses all features: skill +0.0400 with those selected" in pooled
    assert "-0.0200 ± 0.0040, a loss beyond its error" in pooled
    own = " ".join(" ".join(section(lines, "features of the symbols' own models")).split())
    assert "lightgbm uses all features: what those selected keep was not measured" in own
    run.remove(KEPT)
    told = "\n".join(explanation_lines(explain_target(run.uri, TARGET)))
    assert "ridge uses" not in told


def test_the_way_a_score_moves_with_a_feature_is_told(tmp_path: Path) -> None:
    """Of the pooled model by itself, of one symbol's own with that symbol, and of no old run."""
    run = SampleRun().write(tmp_path)
    document = explain_target(run.uri, TARGET)
    told = [(each["feature"], each["shape"]) for each in document["features"]["effects"]]
    shapes = ("rising", "U-shaped", "none")
    assert told == [(f"momentum_{i:02d}", shape) for i, shape in enumerate(shapes)]
    pooled = " ".join(section(explanation_lines(document), "features of the pooled models"))
    assert "momentum_00: rising, 0.5" in pooled
    assert "5 of 5 folds agree" in pooled
    own = next(
        row["symbol"] for row in run.read_table(EFFECTS).to_pylist() if row["symbol"] is not None
    )
    lines = explanation_lines(explain_target(run.uri, TARGET, own))
    title = f"features of the own models of {own}"
    assert "momentum_01: U-shaped" in " ".join(section(lines, title))
    assert "U-shaped" not in " ".join(section(lines, "features of the pooled models"))
    run.remove(EFFECTS)
    assert explain_target(run.uri, TARGET)["features"]["effects"] == []


def test_many_reasons_to_leave_features_out(tmp_path: Path) -> None:
    """Six reasons are told, each with a few names; the rest is counted."""
    run = SampleRun(n_features=30).write(tmp_path)
    table = run.read_table(FEATURES)
    rows = []
    for row in table.to_pylist():
        twin = (row["rank"] - 1) // 2
        reason = {"reason": f"redundant: says the same as f{twin}"}
        rows.append(row | ({} if row["selected"] else reason))
    run.write_table(FEATURES, table.from_pylist(rows, schema=table.schema))
    told = section(
        explanation_lines(explain_target(run.uri, TARGET)), "features of the pooled models: 8 of 30"
    )
    left_out = [line for line in told if line.startswith("  left out")]
    assert left_out[0] == "  left out: momentum_08, momentum_09 (redundant: says the same as f4)"
    assert len(left_out) == 7
    assert left_out[-1] == f"  left out: 10 more; {FEATURES} says why"


def test_a_target_without_a_figure(tmp_path: Path) -> None:
    """What was not measured shows dashes and the reason, in both views."""
    run = SampleRun().write(tmp_path)
    found = explain_target(run.uri, "ret_zscore_60m")
    lines = explanation_lines(found)
    assert lines[0].startswith("ret_zscore_60m is not predictable in the cross-sectional view (too")
    told = section(lines, "ranking: regression, horizon 40 bars, 8 targets")
    assert told[1].split()[:6] == ["cross-sectional", "–", "–", "–", "–", "–"]
    assert found["ranking"]["views"][0]["skill"] is None
    why = "too little data: no fold had enough labels that differ to train and test on."
    text = " ".join(line.strip() for line in told)
    assert f"cross-sectional (across symbols): {why}" in text
    assert f"symbol-specific (over time): {why}" in text


def test_a_symbol_that_was_lost_on_the_way(tmp_path: Path) -> None:
    """It keeps the figures that it has; the rest says what befell it."""
    lost = {"symbol": "SYM03", "stage": "select_symbol", "reason": "MemoryError: 2 GiB"}
    run = SampleRun(quarantined=[lost], failures=[failed_unit("SYM03", "x")]).write(tmp_path)
    routes, features = run.read_table(ROUTES), run.read_table(FEATURES)
    keep = [row for row in routes.to_pylist() if row["symbol"] != "SYM03"]
    run.write_table(ROUTES, routes.from_pylist(keep, schema=routes.schema))
    keep = [row for row in features.to_pylist() if row["symbol"] != "SYM03"]
    run.write_table(FEATURES, features.from_pylist(keep, schema=features.schema))
    lines = explanation_lines(explain_target(run.uri, TARGET, "SYM03"))
    assert lines[:2] == [
        f"SYM03, {TARGET}: no route",
        "  SYM03 was lost before symbols were routed.",
    ]
    assert "  None were selected: SYM03 was left out." in lines
    assert lines[-1] == "  left out in select_symbol: MemoryError: 2 GiB"
    told = section(explanation_lines(explain_target(run.uri, TARGET)), "routes")
    assert told[-1] == "  1 left out: SYM03 (in select_symbol: MemoryError: 2 GiB)"


def test_long_lists_of_names_are_cut_in_messages(many: RunDirectory) -> None:
    """Twenty symbols of the batch are enough to see what they are called like."""
    with pytest.raises(
        ConfigError, match=r"Its batch is 200 symbols: SYM000, .*SYM019 and 180 more"
    ):
        explain_target(many.uri, TARGET, "OTHER")
