"""The command line: exit codes, messages, and what goes to which stream."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import jsonschema
import pytest
import yaml
from panels import (
    config_values,
    labeled_table,
    noise_panel,
    planted_panel,
    symbol_folder,
    symbol_names,
    write_config,
    write_panel,
)

import ray_pipeline.discovery.choosing
from ray_pipeline.cli import main

SYMBOLS = symbol_names(4)
REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write four predictable symbols and one folder without a Parquet file."""
    root = write_panel(tmp_path_factory.mktemp("data"), planted_panel(SYMBOLS))
    symbol_folder(root, "EMPTY").mkdir()
    (symbol_folder(root, "EMPTY") / "_SUCCESS").touch()
    return root


def _says(capsys: pytest.CaptureFixture[str], *parts: str) -> None:
    """Expect one message on standard error, nothing on standard output, and no traceback."""
    output = capsys.readouterr()
    assert output.out == ""
    assert "Traceback" not in output.err
    assert output.err.startswith("ray-pipeline: ")
    for part in parts:
        assert part in output.err


# run


def test_done_run(data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 0; the result and what comes next on standard output, the progress elsewhere."""
    config = write_config(tmp_path / "run.yaml", data_dir, tmp_path / "run")
    assert main(["run", str(config)]) == 0
    output = capsys.readouterr()
    done, report, explain, predict = output.out.splitlines()
    assert re.match(r"done: +1 of 1 target predictable \(fwd_ret_1d\), 10 of 10 models", done)
    assert report.split() == ["report:", str(tmp_path / "run" / "report.html")]
    assert f"ray-pipeline explain {tmp_path / 'run'} --target fwd_ret_1d" in explain
    assert f"ray-pipeline predict {tmp_path / 'run'} " in predict
    (batch,) = (line for line in output.err.splitlines() if "4 of 4 symbols from" in line)
    assert all(name in batch for name in SYMBOLS)
    assert "seed" not in batch  # which nothing depends on that was chosen here
    assert "training, per symbol: 4/4" in output.err
    assert "\x1b" not in output.err


def test_noise_run_is_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """That nothing is predictable is a result: exit 0."""
    data_dir = write_panel(tmp_path / "data", noise_panel(SYMBOLS))
    config = write_config(tmp_path / "run.yaml", data_dir, tmp_path / "run")
    assert main(["run", str(config)]) == 0
    assert capsys.readouterr().out.startswith(
        "done: the only target is not predictable at a false-discovery rate of 0.05; nothing was "
        "trained\n"
    )


def test_options_replace_keys(data_dir: Path, tmp_path: Path) -> None:
    """``--set`` and ``--run-dir`` win over the file."""
    config = write_config(tmp_path / "run.yaml", data_dir, tmp_path / "unused")
    options = [
        "--set",
        "data.symbol_batch_size=3",
        "--set",
        "target_ranking.views=[symbol_specific]",
    ]
    assert main(["run", str(config), "--run-dir", str(tmp_path / "other"), *options]) == 0
    assert not (tmp_path / "unused").exists()
    selected = json.loads((tmp_path / "other" / "symbols.json").read_text())["selected"]
    assert len(selected) == 3


def test_interrupted_run(
    data_dir: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exit 130, and the message says that the same command continues."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr("ray_pipeline.ranking.ranking.rank_targets", interrupt)
    config = write_config(tmp_path / "run.yaml", data_dir, tmp_path / "run")
    assert main(["run", str(config)]) == 130
    assert capsys.readouterr().err.endswith(
        "ray-pipeline: interrupted; the same command continues from here\n"
    )
    monkeypatch.setattr(ray_pipeline.discovery.choosing, "discover", interrupt)
    assert main(["check", str(config)]) == 130
    assert capsys.readouterr().err == "ray-pipeline: interrupted\n"


def test_terminated_run(
    data_dir: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SIGTERM ends a run as Ctrl-C does, and the handler of before is back afterwards."""

    def terminate(*_: object) -> NoReturn:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
        pytest.fail("SIGTERM was ignored")

    monkeypatch.setattr("ray_pipeline.ranking.ranking.rank_targets", terminate)
    before = signal.getsignal(signal.SIGTERM)
    config = write_config(tmp_path / "run.yaml", data_dir, tmp_path / "run")
    assert main(["run", str(config)]) == 130
    assert capsys.readouterr().err.endswith("the same command continues from here\n")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted"
    assert signal.getsignal(signal.SIGTERM) is before


def test_foreign_folder_is_spared(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder with models of somebody's own is not a run directory: exit 2, nothing is removed."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.bin").touch()
    config = write_config(tmp_path / "run.yaml", data_dir, tmp_path)
    assert main(["run", str(config), "--fresh"]) == 2
    _says(capsys, "is not a run directory (it has no run.json), yet it holds models, which would")
    assert (tmp_path / "models" / "mine.bin").exists()


# what is wrong with the command line, the config or the data directory


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["frobnicate"], "unknown command 'frobnicate'; `ray-pipeline --help` lists the commands"),
        (["staus", "x"], "unknown command 'staus'. Did you mean 'status'?"),
        (["--log-format", "jsno", "schema"], "'text', 'json'). Did you mean 'json'?"),
        (["discover", "x", "--seed", "-1"], "argument --seed: found '-1'; a whole number from 0"),
        (["discover", "x", "--batch-size", "0"], "'0'; a whole number from 1 to 1000000 is needed"),
        (["discover", "x", "--batch-size", "9" * 5000], "characters left out …]"),
        (["run", "x", "\x1b[2J\u202e"], r"unrecognized arguments: \x1b[2J\u202e"),
        (["discover", "a\udcffb"], r"argument 'a\udcffb' is not UTF-8"),
        (["run", "x", "https://h/?sig=HUSH"], "unrecognized arguments: https://h/?sig=…"),
        (["run"], "the following arguments are required: CONFIG"),
        (["run", "x.yaml", "--frehs"], "unrecognized arguments: --frehs. Did you mean '--fresh'?"),
        (["status", "x", "--jsn=1", "-x"], "--jsn=1 -x. Did you mean '--json'?"),
        (["run", "x.yaml", "--set"], "argument --set: expected one argument"),
        (
            ["discover", "x", "--batch-size", "many"],
            "found 'many'; a whole number from 1 to 1000000 is needed",
        ),
        (["label", "x.yaml"], "the following arguments are required: --out"),
        (["explain", "run"], "the following arguments are required: --target"),
        (["compare", "run"], "the following arguments are required: RUN_B"),
    ],
)
def test_wrong_command_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2 with the usage and what is wrong, before anything is imported or read."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("usage: ray-pipeline")
    assert message in error


def test_missing_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A config that is not there is named, and where to get one."""
    assert main(["run", str(tmp_path / "nope.yaml")]) == 2
    _says(capsys, "nope.yaml: no such file.", "`ray-pipeline quickstart` writes one")


@pytest.mark.parametrize("command", ["run", "check"])
def test_mistyped_key(
    command: str, data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key that does not exist is named with its line and the one that was meant."""
    values = config_values(data_dir, tmp_path / "run")
    values["data"]["symbol_batchsize"] = 15
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(values))
    line = next(
        number
        for number, text in enumerate(path.read_text().splitlines(), start=1)
        if "symbol_batchsize" in text
    )
    assert main([command, str(path)]) == 2
    _says(
        capsys,
        f"run.yaml:{line}: unknown key 'data.symbol_batchsize'. Did you mean 'symbol_batch_size'?",
    )


def test_mistyped_override(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """So is one given by --set."""
    config = write_config(tmp_path / "run.yaml", data_dir, tmp_path / "run")
    assert main(["run", str(config), "--set", "data.symbol_batch=15"]) == 2
    _says(capsys, "--set data.symbol_batch: unknown key", "'symbol_batch_size'")


@pytest.mark.parametrize("command", ["discover", "run", "check", "label"])
def test_wrong_path(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A data directory that is not there: what was searched, and what is there instead."""
    (tmp_path / "panel").mkdir()
    wrong = tmp_path / "pannel"
    config = write_config(tmp_path / "run.yaml", wrong, tmp_path / "run")
    more = ["--out", str(tmp_path / "out")] if command == "label" else []
    assert main([command, str(wrong if command == "discover" else config), *more]) == 2
    _says(
        capsys,
        f"No symbol partition with parquet files under {wrong}: searched "
        f"{wrong}/interval=*/symbol=* (current layout) and {wrong}/symbol=* (legacy layout). "
        "That folder does not exist; the nearest one that does is",
        "panel/",
    )
    assert not (tmp_path / "run").exists()


def test_empty_data_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty folder is said to be empty."""
    assert main(["discover", str(tmp_path)]) == 2
    _says(capsys, f"No symbol partition with parquet files under {tmp_path}", "is empty.")


def test_wrong_interval(data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An interval that is not there: those that are, with their symbol counts."""
    assert main(["discover", str(data_dir), "--interval", "5m"]) == 2
    message = "for interval=5m; found interval=1d (5 symbols). Set data.interval to one of them."
    _says(capsys, message)
    config = write_config(tmp_path / "a.yaml", data_dir, tmp_path, data={"interval": "5m"})
    assert main(["run", str(config)]) == 2
    _says(capsys, message)


def test_wrong_symbols(data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Named symbols none of which is there: each with its reason."""
    config = write_config(tmp_path / "a.yaml", data_dir, tmp_path / "run", data={"symbols": ["X"]})
    assert main(["run", str(config)]) == 2
    _says(capsys, "of 1 symbol none is usable (X: no folder symbol=X under")


def test_unwritable_run_directory(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run directory that cannot be one is refused before any work: exit 2, with the address."""
    (tmp_path / "file").touch()
    config = write_config(tmp_path / "a.yaml", data_dir, tmp_path / "file" / "run")
    assert main(["run", str(config)]) == 2
    _says(capsys, f"output.run_dir {tmp_path}/file/run cannot be made: {tmp_path}/file is not a fo")


# what standard error tells


def _lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_log_for_programs(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every line is an object with time, level, event and message; events have their numbers."""
    config = write_config(
        tmp_path / "run.yaml", data_dir, tmp_path / "run", data={"symbol_batch_size": 3}
    )
    assert main(["run", str(config), "--log-format", "json"]) == 0
    output = capsys.readouterr()
    assert output.out.startswith("done:")
    lines = _lines(output.err)
    for line in lines:
        assert list(line)[:5] == ["time", "level", "event", "elapsed_s", "message"]
        assert line["time"].endswith("+00:00")
    by_event = {line["event"]: line for line in lines}
    batch = by_event["batch"]
    assert (batch["n_discovered"], batch["n_selected"], batch["n_rejected"]) == (4, 3, 1)
    assert (batch["seed"], batch["interval"], batch["data_dir"]) == (7, "1d", str(data_dir))
    assert batch["symbols"] == json.loads((tmp_path / "run/symbols.json").read_text())["selected"]
    assert by_event["estimate"]["wall_s"][0] < by_event["estimate"]["wall_s"][1]
    trained = [line for line in lines if line.get("step") == "train_symbol"]
    assert (trained[-1]["n_done"], trained[-1]["n_total"], trained[-1]["n_before"]) == (3, 3, 0)
    assert trained[-1]["run_left_s"] >= 0
    assert by_event["done"]["targets"] == ["fwd_ret_1d"]
    assert by_event["done"]["run_dir"] == str(tmp_path / "run")


def test_errors_in_the_log_for_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the exit code; an interruption as well."""
    assert main(["--log-format", "json", "check", str(tmp_path / "nope.yaml")]) == 2
    (line,) = _lines(capsys.readouterr().err)
    assert (line["level"], line["event"], line["exit_code"]) == ("error", "error", 2)
    assert "nope.yaml: no such file" in line["message"]

    def interrupt(*_: object, **__: object) -> NoReturn:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
        pytest.fail("SIGTERM was ignored")

    monkeypatch.setattr("ray_pipeline.config.load_experiment_config", interrupt)
    assert main(["run", "x.yaml", "--log-format", "json"]) == 130
    stopping = capsys.readouterr()
    assert _lines(stopping.err)[-1]["event"] == "interrupted"
    assert _lines(stopping.err)[-1]["exit_code"] == 130


def test_quiet_tells_what_a_person_must_not_miss(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Warnings, and symbols that are left out; no progress. The result is told all the same."""
    tables = planted_panel(SYMBOLS) | {"SHORT": labeled_table("SHORT", n_bars=10)}
    short_dir = write_panel(tmp_path / "data", tables)
    config = write_config(tmp_path / "run.yaml", short_dir, tmp_path / "run")
    assert main(["-q", "run", str(config)]) == 0
    output = capsys.readouterr()
    assert output.out.startswith("done:")
    assert output.err
    assert all("warning: " in line or "SHORT: " in line for line in output.err.splitlines())
    assert any("SHORT: 10 rows" in line for line in output.err.splitlines())
    assert main(["run", str(config), "--quiet", "--log-format", "json", "--fresh"]) == 0
    levels = {line["event"]: line["level"] for line in _lines(capsys.readouterr().err)}
    assert levels.pop("unit_left_out") == "warning"
    assert set(levels) <= {"warning"}


# discover


def test_discover_for_people(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line per symbol and per rejection, and the batch by name."""
    assert main(["discover", str(data_dir), "--batch-size", "2", "--seed", "7"]) == 0
    output = capsys.readouterr()
    lines = output.out.splitlines()
    assert lines[0].startswith("4 symbols, 4 files, ")
    assert lines[0].endswith(f" in {data_dir} (current layout, interval 1d)")
    marks = {line[2:5]: line[0] for line in lines[1:5]}
    assert marks == {"S00": "*", "S01": " ", "S02": "*", "S03": " "}
    assert lines[5].startswith("- EMPTY: ")
    assert lines[6] == "* the 2 symbols that a run with seed 7 would take: S00, S02"
    assert output.err == ""


def test_discover_as_json(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One document with exactly these keys, and nothing else on standard output."""
    assert main(["discover", str(data_dir), "--batch-size", "2", "--seed", "7", "--json"]) == 0
    output = capsys.readouterr()
    document = json.loads(output.out)
    assert list(document) == [
        "data_dir",
        "interval",
        "layout",
        "symbols",
        "rejected",
        "selected",
        "seed",
        "n_files",
        "bytes",
    ]
    assert document["symbols"] == SYMBOLS
    assert document["selected"] == ["S00", "S02"]
    assert [rejection["symbol"] for rejection in document["rejected"]] == ["EMPTY"]
    assert (document["interval"], document["layout"], document["seed"]) == ("1d", "current", 7)
    assert (document["data_dir"], document["n_files"]) == (str(data_dir), 4)
    sizes = [path.stat().st_size for path in data_dir.rglob("*.parquet")]
    assert document["bytes"] == sum(sizes)
    assert output.err == ""


# the other commands


def test_features_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Name, group, lookback and formula, of all or of one set; the same as one document."""
    assert main(["features", "intraday"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("  ")[0] == "session_hours"
    assert any("6 sessions" in line for line in lines)
    assert main(["features"]) == 0
    everything = capsys.readouterr().out
    assert re.search(r"^KLEN +alpha158 +1 bar +\(h − l\) / o$", everything, re.MULTILINE)
    assert main(["features", "cross_sectional"]) == 0
    line = capsys.readouterr().out.splitlines()[1]
    assert re.match(r"cs_rank_log_return_5 +cross_sectional +6 bars +place .* log_return_5 ", line)
    assert main(["features", "standard", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert len(listed) == 82
    assert listed[0] == {
        "name": "log_return_1",
        "group": "returns",
        "lookback_bars": 2,
        "lookback_sessions": None,
        "formula": "log(c / c₋1)",
    }
    assert main(["features", "fancy"]) == 2
    assert "unknown set 'fancy'" in capsys.readouterr().err
    assert main(["features", "my_module:mine"]) == 2
    assert "my_module:mine is a function of your own" in capsys.readouterr().err


def test_schema_is_a_json_schema(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is valid, takes what a run takes, and refuses a mistyped key."""
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    values = config_values(data_dir, tmp_path)
    validator.validate(values)
    values["data"]["symbol_batchsize"] = 15
    assert not validator.is_valid(values)


def test_report_is_written_again(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page can be had again from what the run left, and its address is printed."""
    config = write_config(tmp_path / "run.yaml", data_dir, tmp_path / "run")
    assert main(["run", str(config)]) == 0
    page = tmp_path / "run" / "report.html"
    before = page.read_text()
    page.unlink()
    capsys.readouterr()
    assert main(["report", str(tmp_path / "run")]) == 0
    assert capsys.readouterr().out == f"{page}\n"
    assert page.read_text() == before


@pytest.mark.parametrize("command", ["status", "report", "explain", "compare"])
def test_no_run_directory(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder without run.json is not a run directory."""
    more = {"explain": ["--target", "fwd_ret_5d"], "compare": [str(tmp_path)]}.get(command, [])
    assert main([command, str(tmp_path), *more]) == 2
    _says(capsys, f"{tmp_path} is not a run directory: it has no run.json.")


def test_compare_states_its_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """They are not those of the other commands, and its help says so."""
    with pytest.raises(SystemExit):
        main(["compare", "--help"])
    assert "Exit code 0: equal; 1: different; 2: the runs could not be compared." in (
        " ".join(capsys.readouterr().out.split())
    )


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """--version is one line."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"{ray_pipeline.__version__}\n")


# as a program


def _program(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "ray_pipeline", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, **options
    )


def test_module_is_the_program(tmp_path: Path) -> None:
    """``python -m ray_pipeline`` is what ``ray job submit`` runs: same answers, same codes."""
    done = _program("discover", str(tmp_path), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ray-pipeline: No symbol partition with parquet files under")


def test_reader_that_goes_away_is_no_error(data_dir: Path, tmp_path: Path) -> None:
    """``| head`` ends neither the program nor its work, whichever stream it reads."""
    config = write_config(tmp_path / "run.yaml", data_dir, tmp_path / "run")
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "ray_pipeline", "run", str(config)]
    program = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert program.stdout is not None
    # On a slow machine after lines that say how long it lists.
    assert any("4 of 4 symbols" in line for line in program.stdout)
    program.stdout.close()
    assert program.wait() == 0
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "done"
