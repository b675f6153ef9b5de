"""The config that an import leaves beside its panel, and what ``init`` says of data to import."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from import_data import bars, put_days

from ray_pipeline import cli
from ray_pipeline.commands.checking import check_config
from ray_pipeline.config import load_experiment_config

pytestmark = pytest.mark.usefixtures("interrupt_after")
SYMBOLS = ["A", "B", "C"]


def _run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = cli.main([str(each) for each in arguments])
    return code, *capsys.readouterr()


def test_the_config_is_one_that_check_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside the panel unless it is named; one that is there stays; short symbols are said."""
    put_days(tmp_path / "days", bars("2024-01-01", 200, SYMBOLS))
    out = tmp_path / "my panel"
    line = ["import", tmp_path / "days", "--out", out, "--interval", "1d"]
    code, said, _ = _run(capsys, *line)
    path = tmp_path / "my panel.yaml"
    assert code == 0
    assert f"config   {path}\n" in said
    assert f"next     ray-pipeline check {path}" in said
    assert "guess    data.min_rows_per_symbol: 100" in said
    config = load_experiment_config(path)
    assert (config.data.data_dir, config.data.interval) == (str(out), "1d")
    assert config.experiment.name == "my-panel"
    assert len(check_config(config)["selected"]) == 3
    path.write_text("mine")
    assert "(already existed, unchanged)" in _run(capsys, *line)[1]
    assert path.read_text() == "mine"
    path.unlink()
    _run(capsys, *line)  # where nothing is read
    assert load_experiment_config(path) == config


def test_a_panel_without_rows_has_no_config(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing could be said of it."""
    put_days(tmp_path / "days", bars("2024-01-01", 3, SYMBOLS))
    line = ["import", tmp_path / "days", "--out", tmp_path / "panel", "--interval", "1d"]
    code, said, _ = _run(capsys, *line, "--since", "2030-01-01")
    assert code == 0
    assert "config   none, for a panel without rows" in said
    assert not (tmp_path / "panel.yaml").exists()


def test_what_a_run_needs_besides_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A panel without targets is imported all the same."""
    table = bars("2024-01-01", 350, SYMBOLS).select(["ts", "symbol", "close"])
    pq.write_table(table, tmp_path / "long.parquet")
    line = ["import", tmp_path / "long.parquet", "--out", tmp_path / "panel", "--interval", "1d"]
    code, _, complaint = _run(capsys, *line)
    assert code == 0
    assert "a run needs more than was found" in complaint
    _run(capsys, *line)
    (tmp_path / "panel.yaml").unlink()
    document = json.loads(_run(capsys, *line, "--json")[1])
    assert document["config"] == str(tmp_path / "panel.yaml")
    assert document["open"]


def _followed(capsys: pytest.CaptureFixture[str], source: Path, out: Path) -> str:
    """Do what ``init`` says, and return the command that it said."""
    code, said, complaint = _run(capsys, "init", source)
    assert code == 2
    assert "an import converts them to the layout" in complaint
    (line,) = (each for each in said.splitlines() if each.startswith("next "))
    command = line.removeprefix("next").strip()
    words = shlex.split(command)
    words[words.index("--out") + 1] = str(out)
    assert cli.main(words[1:]) == 0
    capsys.readouterr()
    assert len(check_config(load_experiment_config(f"{out}.yaml"))["selected"]) == 3
    return command


def test_day_files_are_recognised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By files that follow each other; no file tells how long its bars are."""
    put_days(tmp_path / "days", bars("2024-01-01", 320, SYMBOLS))
    command = _followed(capsys, tmp_path / "days", tmp_path / "panel")
    assert command.endswith("--interval 1d")
    assert "--symbol-from-path" not in command


def test_a_text_file_per_symbol_is_recognised(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the names of the files, where no column has the symbol."""
    (tmp_path / "csv").mkdir()
    for symbol in SYMBOLS:
        table = bars("2024-01-01", 320, [symbol]).drop_columns("symbol")
        pacsv.write_csv(table, tmp_path / "csv" / f"{symbol}.csv")
    command = _followed(capsys, tmp_path / "csv", tmp_path / "panel")
    assert command.endswith("--symbol-from-path '{symbol}.csv' --interval 1d")


def test_local_times_are_recognised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where they show a session of one exchange in summer and winter."""
    times = [
        f"{day} {minute // 60:02d}:{minute % 60:02d}"
        for day in ("2024-01-02", "2024-01-03", "2024-01-04", "2024-07-01", "2024-07-02")
        for minute in range(570, 960, 30)
    ]
    table = bars("2024-01-01", len(times), SYMBOLS)
    text = pa.array([each for each in times for _ in SYMBOLS])
    pq.write_table(table.set_column(0, "when", text), tmp_path / "long.parquet")
    code, said, complaint = _run(capsys, "init", tmp_path / "long.parquet")
    assert (code, "no time column" in complaint) == (2, True)
    pq.write_table(table.set_column(0, "ts", text), tmp_path / "long.parquet")
    code, said, _ = _run(capsys, "init", tmp_path / "long.parquet")
    assert "--time-zone America/New_York --interval 30m" in said
    assert "guess     --time-zone America/New_York: bars from 09:30 to 16:00" in said
