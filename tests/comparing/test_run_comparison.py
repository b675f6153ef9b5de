"""``ray-pipeline compare`` on the directories of real runs."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from panels import (
    config_values,
    planted_panel,
    quick_config,
    read_json,
    symbol_names,
    write_config,
    write_panel,
)
from sample_runs import SampleRun

from ray_pipeline.cli import main
from ray_pipeline.comparing import compare_runs, comparison_lines
from ray_pipeline.config import dump_config
from ray_pipeline.errors import DiscoveryError
from ray_pipeline.results.stages import table_place
from ray_pipeline.results.tables import (
    CALIBRATION,
    DECAY,
    DOUBT,
    EFFECTS,
    EQUITY,
    EVALUATED_JOBS,
    FEATURES,
    KEPT,
    LEAKAGE,
    OVERFITTING,
    PLAN,
    POLICIES,
    POLICY_FOLDS,
    PREDICTIONS,
    QUANTILES,
    RANKED_SYMBOLS,
    RANKED_TARGETS,
    ROUTES,
    content_names,
)
from ray_pipeline.storage import RunDirectory

RIDGE = "models/cs_fwd_ret_1d__ridge/model.json"
LIGHTGBM = "models/cs_fwd_ret_1d__lightgbm/model.txt"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the same twice, the second time from a copy of the data, and with another seed."""
    root = tmp_path_factory.mktemp("compare")
    data_dir = write_panel(root / "data", planted_panel(symbol_names(4)))
    shutil.copytree(data_dir, root / "copy")
    for name, data, seed in (("a", data_dir, 7), ("b", root / "copy", 7), ("seed", data_dir, 8)):
        experiment = {"seed": seed}
        config = write_config(root / f"{name}.yaml", data, root / name, experiment=experiment)
        assert main(["run", str(config)]) == 0
    return root


@pytest.fixture
def edited(runs: Path, tmp_path: Path) -> RunDirectory:
    """Copy a run, to be edited."""
    return RunDirectory(shutil.copytree(runs / "a", tmp_path / "edited"))


def compare(runs: Path, other: RunDirectory) -> dict[str, Any]:
    """Compare the first run with another; the document is strict JSON."""
    found = compare_runs(str(runs / "a"), other.uri)
    json.dumps(found, allow_nan=False)
    return found


def states(found: dict[str, Any]) -> dict[str, str]:
    """Return the files that are not equal, with their states."""
    return {file["name"]: file["state"] for file in found["files"] if file["state"] != "equal"}


def edit(run: RunDirectory, name: str, row: int, column: str, value: Any) -> pa.Table:
    """Replace one value of a table of a run; return the table of before."""
    table = run.read_table(name)
    values = table[column].to_pylist()
    values[row] = value
    i = table.column_names.index(column)
    array = pa.array(values, table[column].type)
    run.write_table(name, table.set_column(i, column, array))
    return table


def test_equal_runs(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 0, and one line with the hash; places differ, and that is told in the document."""
    assert main(["compare", str(runs / "a"), str(runs / "b")]) == 0
    recorded = read_json(runs / "a" / "run.json")["content_sha256"]
    assert capsys.readouterr().out == f"equal: content_sha256 {recorded}\n"
    found = compare(runs, RunDirectory(runs / "b"))
    assert found["equal"]
    assert [file["name"] for file in found["files"]] == content_names(RunDirectory(runs / "a"))
    assert {file["state"] for file in found["files"]} == {"equal"}
    assert found["differences"] == []
    for side in "ab":
        assert found[side]["content_sha256"] == found[side]["recorded_content_sha256"] == recorded
    assert [each["key"] for each in found["settings"]["record"]] == ["input_fingerprint"]
    assert [each["key"] for each in found["settings"]["config"]] == ["data.data_dir"]
    apart = [each["key"] for each in found["settings"]["config_without_effect"]]
    assert apart == ["output.run_dir"]


def test_other_seed(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 1; the seed is named as what may be why, and nothing of it by the run directory."""
    arguments = ["compare", str(runs / "a"), str(runs / "seed")]
    assert main(arguments) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["different", f"  A: {runs / 'a'}", f"  B: {runs / 'seed'}"]
    assert lines[-4:] == [
        "what may be why",
        "  seed: 7 in A, 8 in B",
        "  experiment.seed: 7 in A, 8 in B",
        "  differ, but change no result: output.run_dir",
    ]
    assert main([*arguments, "--json"]) == 1
    output = capsys.readouterr()
    found = json.loads(output.out)
    assert list(found) == ["equal", "a", "b", "files", "differences", "settings"]
    assert not found["equal"]
    assert found["a"]["content_sha256"] != found["b"]["content_sha256"]
    assert output.err == ""


@pytest.mark.parametrize(
    ("name", "row", "column"), [(RANKED_SYMBOLS, 3, "skill"), (PREDICTIONS, 400, "prediction")]
)
def test_planted_last_bit(
    runs: Path, edited: RunDirectory, name: str, row: int, column: str
) -> None:
    """The last bit of one float is found at its row and column, and the edit is told."""
    before = edited.read_table(name)[column][row].as_py()
    after = math.nextafter(before, math.inf)
    table = edit(edited, name, row, column, after)
    found = compare(runs, edited)
    assert states(found) == {name: "different"}
    (difference,) = found["differences"]
    first = difference["first"]
    assert (difference["name"], difference["kind"]) == (name, "table")
    assert (first["row"], first["column"]) == (row, column)
    assert (first["a"], first["b"]) == (repr(before), repr(after))
    assert first["identity"]["symbol"] == repr(table["symbol"][row].as_py())
    assert difference["n_rows_differing"] == 1
    assert difference["columns_differing"] == [{"column": column, "n_rows": 1}]
    assert found["a"]["content_sha256"] == found["a"]["recorded_content_sha256"]
    assert found["b"]["content_sha256"] != found["b"]["recorded_content_sha256"]
    lines = comparison_lines(found)
    assert any(line.startswith("B was changed after the run: run.json has") for line in lines)
    assert not any(line.startswith("A was changed") for line in lines)
    assert lines[-1].startswith("nothing that the runs record is why")


def test_edited_alike(runs: Path, edited: RunDirectory) -> None:
    """Runs with the same recorded hash differ by what is in their files, not by what is noted."""
    edit(edited, RANKED_TARGETS, 0, "skill", 0.5)
    assert (
        edited.read_json("run.json")["content_sha256"]
        == (read_json(runs / "a" / "run.json")["content_sha256"])
    )
    assert not compare(runs, edited)["equal"]
    itself = compare_runs(edited.uri, edited.uri)
    assert itself["equal"]
    lines = comparison_lines(itself)
    assert lines[0] == f"equal: content_sha256 {itself['a']['content_sha256']}"
    assert [line.split(":")[0] for line in lines[1:]] == [
        "A was changed after the run",
        "B was changed after the run",
    ]


def test_nan_and_layout_are_no_difference(runs: Path, edited: RunDirectory, tmp_path: Path) -> None:
    """The same values in other row groups, other JSON layout, and NaN on both sides are equal."""
    other = RunDirectory(shutil.copytree(runs / "a", tmp_path / "other"))
    for run, rows in ((edited, 7), (other, 100_000)):
        edit(run, PREDICTIONS, 5, "prediction", math.nan)
        path = f"{run.uri}/{PREDICTIONS}"
        pq.write_table(run.read_table(PREDICTIONS), path, row_group_size=rows)
    edited.write_text(PLAN, json.dumps(edited.read_json(PLAN)))
    edited.write_text(RIDGE, json.dumps(edited.read_json(RIDGE), indent=7))
    assert compare_runs(edited.uri, other.uri)["equal"]
    edit(other, PREDICTIONS, 5, "prediction", None)
    first = compare_runs(edited.uri, other.uri)["differences"][0]["first"]
    assert (first["row"], first["a"], first["b"]) == (5, "nan", "null")


def test_models_may_hold_nan(runs: Path, edited: RunDirectory) -> None:
    """What no document of a run holds is a value like others in a model's own file."""
    ridge = edited.read_json(RIDGE)
    ridge["coefficients"][0] = math.nan
    edited.write_text(RIDGE, json.dumps(ridge))
    (difference,) = compare(runs, edited)["differences"]
    assert (difference["path"], difference["b"]) == ("coefficients[0]", "NaN")


def test_changed_plan_and_models(runs: Path, edited: RunDirectory) -> None:
    """The first difference of the plan by its path, of a model by line or path."""
    plan = edited.read_json(PLAN)
    feature = plan["jobs"][3]["features"][0]
    plan["jobs"][3]["features"][0] = "other"
    edited.write_json(PLAN, plan)
    ridge = edited.read_json(RIDGE)
    ridge["coefficients"][0] = math.nextafter(ridge["coefficients"][0], 1.0)
    edited.write_json(RIDGE, ridge)
    found = compare(runs, edited)
    assert states(found) == {PLAN: "different", RIDGE: "different"}
    differences = {each["name"]: each for each in found["differences"]}
    assert differences[PLAN] == {
        "name": PLAN,
        "kind": "json",
        "path": "jobs[3].features[0]",
        "a": f'"{feature}"',
        "b": '"other"',
    }
    assert differences[RIDGE]["path"] == "coefficients[0]"
    assert differences[RIDGE]["b"] == repr(ridge["coefficients"][0])
    lines = comparison_lines(found)
    assert "  first difference: jobs[3].features[0]" in lines
    assert '    B  "other"' in lines

    trees = edited.read_text(LIGHTGBM)
    number = trees[: trees.index("leaf_value=")].count("\n") + 1
    edited.write_text(LIGHTGBM, trees.replace("leaf_value=", "leaf_value=9", 1))
    model = compare(runs, edited)["differences"][-1]
    assert (model["name"], model["kind"]) == (LIGHTGBM, "text")
    assert (model["line"], model["character"]) == (number, len("leaf_value=") + 1)
    edited.write_bytes(LIGHTGBM, b"tree\xff")
    model = compare(runs, edited)["differences"][-1]
    assert (model["kind"], model["offset"]) == ("bytes", 4)


def test_metadata_and_records_do_not_count(runs: Path, edited: RunDirectory) -> None:
    """What ``content_sha256`` leaves out is not compared: metadata, failures, report, units."""
    edited.write_text("models/cs_fwd_ret_1d__ridge/metadata.json", "{}")
    edited.write_text("report.html", "")
    edited.remove("failures.parquet")
    edited.remove("units")
    assert compare(runs, edited)["equal"]


def test_missing_and_additional_files(runs: Path, edited: RunDirectory) -> None:
    """They are only in one run, which makes the runs different, and hide no other difference."""
    edited.remove(PLAN)
    edited.remove(RANKED_TARGETS)
    edited.remove(RIDGE)
    edited.write_text("models/new/model.txt", "tree")
    edit(edited, FEATURES, 0, "rank", 99)
    found = compare(runs, edited)
    assert states(found) == {
        RANKED_TARGETS: "only_in_a",
        FEATURES: "different",
        PLAN: "only_in_a",
        RIDGE: "only_in_a",
        "models/new/model.txt": "only_in_b",
    }
    assert [each["name"] for each in found["differences"]] == [FEATURES]
    lines = comparison_lines(found)
    assert f"  only in A  {PLAN}" in lines
    assert "  only in A  1 model file: cs_fwd_ret_1d__ridge/model.json" in lines
    assert "  only in B  1 model file: new/model.txt" in lines
    assert "  equal      9 model files" in lines
    names = [file["name"] for file in found["files"]]
    assert names == sorted(names, key=lambda name: (table_place(name), name))
    turned = compare_runs(edited.uri, str(runs / "a"))
    assert states(turned)[PLAN] == "only_in_b"


def test_first_table_is_told_in_full(runs: Path, edited: RunDirectory) -> None:
    """Of several differing tables the first in the fixed order has the details: rows, columns."""
    table = edited.read_table(RANKED_SYMBOLS)
    changed = table.slice(0, 6).drop_columns("t_stat")
    n_rows = changed["n_rows"].cast(pa.int32())
    changed = changed.set_column(changed.column_names.index("n_rows"), "n_rows", n_rows)
    edited.write_table(RANKED_SYMBOLS, changed)
    edit(edited, PREDICTIONS, 0, "fold", 9)
    found = compare(runs, edited)
    assert states(found) == {RANKED_SYMBOLS: "different", PREDICTIONS: "different"}
    (difference,) = found["differences"]
    assert difference["name"] == RANKED_SYMBOLS
    assert difference["n_rows"] == {"a": table.num_rows, "b": 6}
    assert difference["columns"]["only_in_a"] == ["t_stat"]
    assert [each["column"] for each in difference["columns"]["types"]] == ["n_rows"]
    assert (difference["first"]["row"], difference["first"]["only_in"]) == (6, "a")
    symbol = table["symbol"][6].as_py()
    assert f"'{symbol}'" == difference["first"]["identity"]["symbol"]


@pytest.mark.parametrize("status", ["running", "failed", "interrupted"])
def test_unfinished_run(runs: Path, edited: RunDirectory, status: str) -> None:
    """It is compared as far as it came, and the lines say that it is not done."""
    record = edited.read_json("run.json")
    edited.write_json("run.json", record | {"status": status, "content_sha256": None})
    edited.remove("predictions")
    edited.remove("models")
    found = compare(runs, edited)
    assert found["b"]["status"] == status
    assert set(states(found).values()) == {"only_in_a"}
    verb = {"running": "is still running", "failed": "failed", "interrupted": "was interrupted"}
    caution = f"B {verb[status]}: what it has written so far was compared."
    lines = comparison_lines(found)
    assert caution in lines
    assert not any("changed after the run" in line for line in lines)
    equal = comparison_lines(compare_runs(edited.uri, edited.uri))
    assert equal[0].startswith("equal: content_sha256")
    assert caution in equal


def test_runs_without_results(tmp_path: Path) -> None:
    """Two runs that have written nothing are equal in that, and the line says so."""
    values = {"name": "empty", "status": "running"}
    for name in "ab":
        run = RunDirectory(tmp_path / name)
        run.write_json("run.json", values)
        run.write_text("config.yaml", dump_config(quick_config("data", tmp_path / name)))
    found = compare_runs(str(tmp_path / "a"), str(tmp_path / "b"))
    assert found["files"] == []
    assert comparison_lines(found)[0] == "equal: neither run has written a result"


def test_config_of_another_version(runs: Path, edited: RunDirectory) -> None:
    """Keys that this version does not know are compared as they are written."""
    values = config_values("data", edited.uri, validation={"n_shards": 3})
    edited.write_text("config.yaml", json.dumps(values))
    keys = {each["key"]: each for each in compare(runs, edited)["settings"]["config"]}
    assert keys["validation.n_shards"] == {"key": "validation.n_shards", "a": None, "b": "3"}
    assert keys["validation.embargo_bars"]["b"] is None


def test_no_run_directory(runs: Path, tmp_path: Path) -> None:
    """Whichever of the two is none is named."""
    for pair in ((runs / "a", tmp_path), (tmp_path, runs / "a")):
        with pytest.raises(DiscoveryError, match=rf"{tmp_path} is not a run directory"):
            compare_runs(*map(str, pair))


def test_unreadable_file(
    runs: Path, edited: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that cannot be read is not a difference: exit 2 with its address, as diff does."""
    edited.write_text(FEATURES, "no table")
    assert main(["compare", str(runs / "a"), edited.uri]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"ray-pipeline: Cannot read {edited.uri}/{FEATURES}: ")


def test_any_filesystem(runs: Path, tmp_path: Path) -> None:
    """A run in a store of another kind is compared like one on the disk."""
    local, memory = SampleRun().write(tmp_path), SampleRun().write("memory://compared")
    names = {RANKED_TARGETS, RANKED_SYMBOLS, FEATURES, KEPT, LEAKAGE, DOUBT, ROUTES, PLAN, EFFECTS}
    names |= {
        CALIBRATION,
        EVALUATED_JOBS,
        QUANTILES,
        DECAY,
        OVERFITTING,
        EQUITY,
        POLICIES,
        POLICY_FOLDS,
    }
    found = compare_runs(local.uri, memory.uri)
    assert found["equal"]
    assert {file["name"] for file in found["files"]} == names
    edit(memory, RANKED_TARGETS, 1, "rank", 99)
    assert states(compare_runs(local.uri, memory.uri)) == {RANKED_TARGETS: "different"}
