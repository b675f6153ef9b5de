"""``ray-pipeline check``: what a run would work on, judged as the run judges it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from panels import (
    TARGET,
    bars_table,
    labeled_table,
    noise_panel,
    quick_config,
    symbol_names,
    write_config,
    write_panel,
)

from ray_pipeline.cli import main
from ray_pipeline.commands.checking import check_config, check_lines
from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import ConfigError, DiscoveryError, ExecutionError
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.records import BAR_FIELDS

SYMBOLS = symbol_names(3)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write symbols whose tables hold a column of every role; the first one is too short."""
    tables = noise_panel(SYMBOLS, targets=(TARGET, "fwd_ret_250d"))
    tables["S00"] = tables["S00"].slice(0, 50)
    for symbol, table in tables.items():
        wide = table.append_column("p_up_5d", table["signal"])
        tables[symbol] = wide.append_column("sector", pa.array(["tech"] * table.num_rows))
    return write_panel(tmp_path_factory.mktemp("data"), tables)


def test_check_of_columns_with_other_names(tmp_path: Path) -> None:
    """What is read, and that the adjusted close is not, is said; the user may choose it."""
    names = {"ts": "Date", **{field: field.capitalize() for field in BAR_FIELDS}}
    tables = {}
    for symbol in SYMBOLS:
        table = bars_table(symbol)
        table = table.rename_columns([names[name] for name in table.column_names])
        tables[symbol] = table.append_column("Adj Close", table["Close"])
    data_dir = write_panel(tmp_path / "data", tables)
    config = quick_config(data_dir, tmp_path / "run")
    found = check_config(config)
    assert (found["kind"], found["roles"]["time"]) == ("bars", "date")
    (ignored,) = found["roles"]["ignored"]
    assert ignored["column"] == "Adj Close"
    assert "not a feature unless columns.features names it" in ignored["reason"]
    (warning,) = [text for text in found["warnings"] if "Adj Close" in text]
    assert warning.endswith("To use it set data.columns: {close: Adj Close}")
    found = check_config(
        quick_config(data_dir, tmp_path / "run", data={"columns": {"close": "Adj Close"}})
    )
    assert not [text for text in found["warnings"] if "Adj Close" in text]
    assert (
        "open, high and low were multiplied by the ratio of the adjusted to the traded close"
        in found["assumed"]
    )


def test_check_as_json(data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One document: batch, roles of the columns, horizons, and what stands in a target's way."""
    config = write_config(tmp_path / "run.yaml", data_dir, tmp_path / "run")
    assert main(["check", str(config), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["selected"], found["looked_at"]) == (SYMBOLS, "S01")
    assert found["read"] == {"whole": ["S01", "S02"], "n_schemas": 0, "n_unseen": 0}
    (unusable,) = found["unusable"]
    assert unusable["symbol"] == "S00"
    assert "50 rows after cleaning; data.min_rows_per_symbol needs 100." in unusable["reason"]
    assert found["roles"] == {
        "time": "ts",
        "symbol": None,
        "bars": [],
        "value": None,
        "by_products": ["p_up_5d"],
        "features": ["noise_a", "noise_b", "signal"],
        "ignored": [{"column": "sector", "reason": "text"}],
    }
    short, long = sorted(found["targets"], key=lambda target: target["horizon_bars"])
    assert (short["name"], short["horizon_bars"], short["problem"]) == (TARGET, 1, None)
    assert (long["name"], long["horizon_bars"]) == ("fwd_ret_250d", 250)
    assert "320 timestamps are too few to train the first fold" in long["problem"]
    assert (found["kind"], found["bar_seconds"], found["n_rows"]) == ("labeled", 86_400, 320)
    assert found["run_dir"] == str(tmp_path / "run")


def test_check_for_people(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same in lines that fit a terminal; nothing is written or trained."""
    config = write_config(tmp_path / "run.yaml", data_dir, tmp_path / "run")
    assert main(["check", str(config)]) == 0
    output = capsys.readouterr()
    lines = output.out.splitlines()
    assert lines[0] == f"data      {data_dir}  (current layout, interval 1d)"
    assert lines[1] == "symbols   3 of 3 selected, 0 rejected"
    assert lines[2] == "looked at S01: 320 rows, labeled, bars of 86400 s, 1 a day, 365 a year"
    assert lines[3] == "read      all rows of 2 symbols"
    assert "features  3: noise_a, noise_b, signal" in lines
    assert "          never features, because they know the future: p_up_5d" in lines
    assert f"          {TARGET}: regression, horizon 1 bar; no limit for doubt" in lines
    assert any("fwd_ret_250d" in line and "not ranked: 320 timestamps" in line for line in lines)
    assert not [line for line in lines if line.startswith("labels")], "2 symbols compare nothing"
    assert lines[-1] == (f"would run symbol_specific with ridge into {tmp_path / 'run'}")
    assert output.err == ""
    assert not (tmp_path / "run").exists()


def test_no_target_that_can_be_ranked(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the whole batch shows is refused as a run refuses it; a part of it only warns."""
    config = quick_config(data_dir, tmp_path / "run", columns={"targets": ["fwd_ret_250d"]})
    with pytest.raises(ConfigError, match=r"No target can be ranked\. target 'fwd_ret_250d' is"):
        check_config(config)
    monkeypatch.setattr("ray_pipeline.inspecting.glimpse.MAX_WHOLE", 2)
    lines = check_lines(check_config(config))
    assert "read      all rows of 1 symbol, the schemas of 1 more" in lines
    assert lines[-2] == "          the panel is too short: no target can be ranked"


def test_long_lists_are_wrapped(tmp_path: Path) -> None:
    """Eighty features are shown in lines of a terminal's width, none broken in two."""
    data_dir = write_panel(tmp_path / "data", {"S00": bars_table("S00")}, interval=None)
    found = check_config(quick_config(data_dir, tmp_path / "run"))
    lines = check_lines(found)
    first = next(i for i, line in enumerate(lines) if line.startswith("features  82: "))
    shown = lines[first]
    for line in lines[first + 1 :]:
        if not line.startswith(" " * 10):
            break
        shown += f" {line.strip()}"
    assert shown == f"features  82: {', '.join(found['roles']['features'])}"
    assert max(map(len, lines[first : first + 10])) <= 100
    assert lines[0].endswith("(legacy layout)")


@pytest.mark.parametrize(
    ("sections", "error", "message"),
    [
        (
            {"data": {"time_column": "when"}},
            DiscoveryError,
            r"None of the 3 selected symbols can be used: symbol S00: data\.columns\.time='when' "
            r"is not a column; found fwd_ret_1d, ",
        ),
        (
            {
                "columns": {"targets": ["reward_*"], "horizons": {"*": 3}},
                "data": {"kind": "labeled"},
            },
            DiscoveryError,
            r"no target column: tried columns\.targets reward_\*; found fwd_ret_1d ",
        ),
        (
            {"columns": {"targets": ["signal"]}},
            ConfigError,
            r"signal.*columns\.horizons",
        ),
        ({"training": {"families": ["forest"]}}, ConfigError, r"training: unknown model family"),
    ],
)
def test_what_does_not_fit_the_data(
    data_dir: Path, tmp_path: Path, sections: dict[str, Any], error: type[Exception], message: str
) -> None:
    """A config that the data contradict is answered with what is there (exit code 2)."""
    with pytest.raises(error, match=message):
        check_config(quick_config(data_dir, tmp_path / "run", **sections))


def test_a_search_without_room_is_told(data_dir: Path, tmp_path: Path) -> None:
    """So many inner folds that no training rows can hold them."""
    training = {"search": {"n_splits": 500}}
    warnings = check_config(quick_config(data_dir, tmp_path / "run", training=training))["warnings"]
    (warning,) = (text for text in warnings if "training.search" in text)
    assert warning.startswith("training.search.n_splits=500: the 320 rows that were read ca")
    training = {"search": {"n_splits": 3}}
    warnings = check_config(quick_config(data_dir, tmp_path / "run", training=training))["warnings"]
    assert not any("n_splits" in text for text in warnings)


def test_check_does_not_read_a_whole_panel(tmp_path: Path) -> None:
    """Of twenty unusable symbols all rows are read, and no more."""
    short = {name: labeled_table(name, n_bars=5) for name in symbol_names(25)}
    data_dir = write_panel(tmp_path / "data", short)
    with pytest.raises(
        DiscoveryError,
        match=r"None of 20 of the 25 selected symbols can be used: symbol S00: 5 rows after",
    ):
        check_config(quick_config(data_dir, tmp_path / "run"))


def test_bars_give_what_labeling_names(tmp_path: Path) -> None:
    """For bars the roles are those of the columns that would be computed."""
    data_dir = write_panel(tmp_path / "data", {"S00": bars_table("S00")})
    labeling = {"features": ["gap"], "targets": ["y_will_peak_10d_1.0"]}
    found = check_config(quick_config(data_dir, tmp_path / "run", labeling=labeling))
    assert (found["kind"], found["roles"]["features"]) == ("bars", ["gap"])
    (target,) = found["targets"]
    known = {"name": "y_will_peak_10d_1.0", "horizon_bars": 10, "task": "binary", "problem": None}
    assert target.items() >= known.items()


def test_check_says_beyond_which_figures_a_target_is_doubtful(
    data_dir: Path, tmp_path: Path
) -> None:
    """Of its kind, or as the config says; a pattern that no target has is told."""
    limits = {"max_skill": {"fwd_ret_1d": 0.4}, "max_hit_rate": {"fwd_*": None}}
    doubt = limits | {"max_sharpe": {"fwd_rat_*": 2.0}}
    found = check_config(quick_config(data_dir, tmp_path / "run", doubt=doubt))
    by_name = {target["name"]: target["doubted_beyond"] for target in found["targets"]}
    assert by_name[TARGET] == {"skill": 0.4, "hit_rate": None, "sharpe": 7.0}
    assert by_name["fwd_ret_250d"] == {"skill": 0.2, "hit_rate": None, "sharpe": 7.0}
    lines = check_lines(found)
    assert (
        f"          {TARGET}: regression, horizon 1 bar; doubtful beyond skill 0.4, Sharpe ratio 7"
    ) in lines
    unused = "doubt.max_sharpe: no target is called 'fwd_rat_*', so that entry does nothing"
    assert f"warning   {unused}" in lines


def troubled_panel(folder: Path) -> Path:
    """Write symbols that give a run much to say: columns, holes, constants, and a lag."""
    tables = noise_panel(symbol_names(6), targets=(TARGET, "fwd_ret_250d"))
    for k, (symbol, table) in enumerate(tables.items()):
        n_rows = table.num_rows
        lag = [None, *table["noise_a"].to_pylist()[:-1]]
        wide = table.append_column("y_lag_1", pa.array(lag, pa.float64()))
        wide = wide.append_column("row", pa.array(range(n_rows)))
        wide = wide.append_column("code", pa.array([k] * n_rows))
        mixed = pa.array(["x"] * n_rows if k < 3 else [1.5] * n_rows)
        wide = wide.append_column("mixed", mixed)
        if k in (1, 4):
            wide = wide.drop_columns(["noise_b"])
        if k in (2, 5):
            wide = pa.concat_tables([wide.slice(0, 100), wide.slice(150)])
        tables[symbol] = wide
    return write_panel(folder, tables)


def test_check_and_run_say_the_same(tmp_path: Path) -> None:
    """Every warning of a run's first look at the data, in the same words and once per kind."""
    data_dir = troubled_panel(tmp_path / "data")
    ranking = {"max_targets_to_evaluate": 2, "views": ["symbol_specific"], "families": ["ridge"]}
    config = quick_config(data_dir, tmp_path / "run", target_ranking=ranking)
    found = check_config(config)
    run_pipeline(config, Silent())
    said = json.loads((tmp_path / "run" / "run.json").read_text())["warnings"]
    assert found["warnings"] == [text for text in said if "doubt" not in text]
    assert len(found["warnings"]) == 7
    assert [text for text in found["findings"] if "'code'" in text] == [
        "S00 and 5 more: 'code' is 0 wherever it has a value"
    ]
    told = " ".join(found["warnings"])
    for what in ("y_lag_1 (it is 'noise_a'", "row: changes with", "code: one number", "'mixed'"):
        assert told.count(what) == 1
    assert "2 symbols lack more than 5%" in told
    assert "noise_b (not in S01, S04)" in told
    assert "'fwd_ret_250d' is not ranked" in told


@pytest.mark.parametrize(
    ("sections", "error", "message"),
    [
        (
            {"target_ranking": {"views": ["cross_sectional"], "min_cs": 9}},
            ConfigError,
            r"6 symbols are too few for the cross-sectional view: target_ranking\.min_cs needs 9",
        ),
        (
            {"data": {"min_rows_per_symbol": 300}, "execution": {"max_failed_fraction": 0.1}},
            ExecutionError,
            r"2 of 6 symbols failed, more than execution\.max_failed_fraction=0\.1 allows\. "
            r"The first, S02",
        ),
    ],
)
def test_what_check_refuses_a_run_refuses(
    tmp_path: Path, sections: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Both with the same words."""
    config = quick_config(troubled_panel(tmp_path / "data"), tmp_path / "run", **sections)
    for ask in (check_config, lambda config: run_pipeline(config, Silent())):
        with pytest.raises(error, match=message):
            ask(config)


def test_a_view_that_needs_more_symbols_would_not_be_run(tmp_path: Path) -> None:
    """The last line is what a run does, and not what the config asks for."""
    ranking = {"views": ["cross_sectional", "symbol_specific"]}
    data_dir = write_panel(tmp_path / "data", noise_panel([f"S{i:02d}" for i in range(4)]))
    for min_cs, views in ((3, ranking["views"]), (50, ["symbol_specific"])):
        keys = {"target_ranking": ranking | {"min_cs": min_cs}}
        found = check_config(quick_config(data_dir, tmp_path / "run", **keys))
        assert found["views"] == views
        assert f"would run {', '.join(views)} with" in check_lines(found)[-1]


def test_too_few_symbols_for_columns_that_compare_them(tmp_path: Path) -> None:
    """As a run finds once it has compared them."""
    data_dir = write_panel(tmp_path / "data", {name: bars_table(name) for name in SYMBOLS[:2]})
    config = quick_config(data_dir, tmp_path / "run", labeling={"targets": ["excess_ret_5d"]})
    with pytest.raises(ConfigError, match=r"2 symbols are too few for excess_ret_5d"):
        check_config(config)


def test_what_footers_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of symbols whose rows are not read: other kinds and types, too few rows, missing columns."""
    tables = noise_panel(symbol_names(8))
    tables["S01"] = tables["S01"].slice(0, 20)
    tables["S02"] = bars_table("S02")
    text = pa.array(["x"] * tables["S03"].num_rows)
    tables["S03"] = tables["S03"].set_column(
        tables["S03"].schema.get_field_index("noise_a"), "noise_a", text
    )
    tables["S05"] = tables["S05"].drop_columns(["noise_b"])
    data_dir = write_panel(tmp_path / "data", tables)
    monkeypatch.setattr("ray_pipeline.inspecting.glimpse.MAX_WHOLE", 2)
    found = check_config(quick_config(data_dir, tmp_path / "run"))
    assert found["read"] == {"whole": ["S00", "S04"], "n_schemas": 3, "n_unseen": 0}
    reasons = {item["symbol"]: item["reason"] for item in found["unusable"]}
    assert sorted(reasons) == ["S01", "S02", "S03"]
    assert "20 rows after cleaning; data.min_rows_per_symbol needs 100" in reasons["S01"]
    assert "it is bars, and 6 of 7 symbols are a labeled table" in reasons["S02"]
    assert "column 'noise_a' is string here" in reasons["S03"]
    assert any("noise_b (not in S05)" in text for text in found["warnings"])
    monkeypatch.setattr("ray_pipeline.inspecting.glimpse.MAX_OUTLINED_FILES", 3)
    found = check_config(quick_config(data_dir, tmp_path / "run"))
    assert found["read"]["n_unseen"] == 3
    assert any(line.startswith("read      all rows of 2 symbols, ") for line in check_lines(found))


def test_check_estimates_the_run(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As ranges in the document, in a sentence for people; nothing of it is written."""
    config = write_config(tmp_path / "run.yaml", data_dir, tmp_path / "run")
    assert main(["check", str(config), "--json"]) == 0
    estimate = json.loads(capsys.readouterr().out)["estimate"]
    ranges = ["wall_s", "cpu_s", "memory_bytes", "disk_bytes"]
    assert all(0 < estimate[name][0] < estimate[name][1] for name in ranges)
    assert set(estimate["stages_s"]) >= {"inspect", "leakage", "target_ranking"}
    assert (estimate["n_workers"], estimate["n_requests"]) == (1, None)
    assert estimate["not_counted"] == []
    assert main(["check", str(config)]) == 0
    lines = " ".join(capsys.readouterr().out.split())
    assert "estimate This run will take about" in lines
    assert f"in {tmp_path / 'run'}. would run" in lines


def test_check_says_what_it_cannot_estimate(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stages of one's own take a time that nobody knows; of a cluster's workers only the work."""
    (tmp_path / "own_stage_of_check.py").write_text("def count(table):\n    return {'n': 1}\n")
    monkeypatch.syspath_prepend(tmp_path)
    config = quick_config(
        data_dir, tmp_path / "run", stages={"counted": {"function": "own_stage_of_check:count"}}
    )
    estimate = check_config(config)["estimate"]
    assert estimate["not_counted"] == ["stage counted"]
    assert estimate["told"][1] == "Not counted: stage counted."
    joined = quick_config(
        data_dir, tmp_path / "run", execution={"executor": "ray", "address": "auto"}
    )
    estimate = check_config(joined)["estimate"]
    assert (estimate["wall_s"], estimate["n_workers"]) == (None, None)
    assert "of CPU time" in estimate["told"][0]


def test_no_estimate_of_a_run_that_ranks_nothing(tmp_path: Path) -> None:
    """A panel on which no target can be ranked takes no time worth telling."""
    data_dir = write_panel(tmp_path / "data", noise_panel(symbol_names(30), n_bars=120))
    config = quick_config(data_dir, tmp_path / "run", validation={"n_splits": 60})
    found = check_config(config)
    assert found["estimate"] is None
    assert not [line for line in check_lines(found) if line.startswith("estimate")]
