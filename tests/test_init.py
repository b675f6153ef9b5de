"""``ray-pipeline init``: a config for data as they lie there, with each guess marked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from panels import bars_table, labeled_table, symbol_names, write_panel

from ray_pipeline import cli
from ray_pipeline.commands.checking import check_config
from ray_pipeline.config import load_experiment_config
from ray_pipeline.config.loading import parse_experiment_config

SYMBOLS = symbol_names(4)
LETTERS = ["t", "o", "h", "l", "c", "v"]


def _run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = cli.main([str(each) for each in arguments])
    return code, *capsys.readouterr()


def _files(root: Path, **tables: pa.Table) -> Path:
    """Write one file per symbol, named after it."""
    root.mkdir(parents=True)
    for symbol, table in tables.items():
        pq.write_table(table, root / f"{symbol}.parquet")
    return root


def _bars(n_bars: int = 320) -> dict[str, pa.Table]:
    return {symbol: bars_table(symbol, n_bars) for symbol in SYMBOLS}


def test_the_proposed_config_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder of files with one-letter columns gets to a report without a line of YAML by hand."""
    letters = {symbol: table.rename_columns(LETTERS) for symbol, table in _bars().items()}
    source, config = _files(tmp_path / "data", **letters), tmp_path / "run.yaml"
    code, said, _ = _run(capsys, "init", source, "--out", config)
    assert code == 0
    assert 'guess     data.layout: "{symbol}.parquet"' in said
    assert (
        "guess     data.columns: {time: t, open: o, high: h, low: l, close: c, volume: v}" in said
    )
    assert "4 symbols in 4 Parquet files" in said
    text = config.read_text()
    assert text.count("# guess:") == 3
    assert "name: data " in text
    found = check_config(load_experiment_config(config))
    assert (found["kind"], len(found["selected"]), found["bar_seconds"]) == ("bars", 4, 86_400)
    quick = [
        "execution.executor=serial",
        "target_ranking.families=[ridge]",
        "validation.n_splits=2",
    ]
    settings = [each for setting in quick for each in ("--set", setting)]
    assert _run(capsys, "run", config, "--run-dir", tmp_path / "run", *settings)[0] == 0
    assert (tmp_path / "run/report.html").exists()


def test_labeled_columns_are_left_to_their_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What needs no key gets none."""
    data_dir = write_panel(tmp_path / "data", {each: labeled_table(each) for each in SYMBOLS})
    code, said, _ = _run(capsys, "init", data_dir, "--out", tmp_path / "run.yaml")
    assert code == 0
    assert "guess " not in said
    assert "labeled, bars of 86400 s" in said
    config = load_experiment_config(tmp_path / "run.yaml")
    assert (config.data.interval, config.data.layout) == ("1d", None)


def test_one_of_several_intervals_is_a_guess(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The shortest, unless it is asked for another."""
    data_dir = tmp_path / "data"
    for interval in ("1d", "1h"):
        write_panel(data_dir, _bars(), interval)
    code, said, _ = _run(capsys, "init", data_dir, "--out", tmp_path / "a.yaml")
    assert "data.interval: 1h (the shortest of 1h (4 symbols), 1d (4 symbols)" in said.replace(
        '"', ""
    )
    code, _, _ = _run(capsys, "init", data_dir, "--interval", "1d", "--out", tmp_path / "b.yaml")
    assert code == 0
    assert load_experiment_config(tmp_path / "b.yaml").data.interval == "1d"


def test_short_symbols_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A panel whose symbols are all shorter than the default gets a lower bound, as a guess."""
    data_dir = write_panel(tmp_path / "data", _bars(200))
    _, said, _ = _run(capsys, "init", data_dir, "--out", tmp_path / "run.yaml")
    assert "guess     data.min_rows_per_symbol: 100" in said


def test_what_is_open_is_said_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A target without a horizon: the file is there, its head says what it lacks, and so does 2."""
    tables = {each: labeled_table(each, targets=("y_up",)) for each in SYMBOLS}
    data_dir, config = write_panel(tmp_path / "data", tables), tmp_path / "run.yaml"
    code, _, complaint = _run(capsys, "init", data_dir, "--out", config)
    assert code == 2
    assert "columns.horizons" in complaint
    assert "# a run needs more: Target 'y_up' does not say how far it looks ahead" in (
        config.read_text()
    )


def test_nothing_is_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A config that is there stays, unless it is to be replaced."""
    data_dir, config = write_panel(tmp_path / "data", _bars()), tmp_path / "run.yaml"
    config.write_text("mine")
    code, _, complaint = _run(capsys, "init", data_dir, "--out", config)
    assert (code, config.read_text()) == (2, "mine")
    assert "--force" in complaint
    assert _run(capsys, "init", data_dir, "--out", config, "--force")[0] == 0
    assert config.read_text() != "mine"
    code, _, complaint = _run(capsys, "init", data_dir, "--out", tmp_path / "no/such/run.yaml")
    assert code == 2
    assert "cannot be written" in complaint


def test_the_template_is_in_the_package(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It loads, and says the defaults; it is printed, or written where it should go."""
    code, said, _ = _run(capsys, "init", "--template")
    assert code == 0
    config = parse_experiment_config(said, "template")
    assert config.validation.n_splits == 5
    out = tmp_path / "all.yaml"
    code, told, _ = _run(capsys, "init", "--template", "--out", out)
    assert code == 0
    assert str(out) in told
    assert out.read_text() == said
    assert _run(capsys, "init", "--template", "--out", out)[0] == 2  # it is there
    code, _, complaint = _run(capsys, "init", "panel", "--template", "--out", out, "--force")
    assert code == 2
    assert "panel" in complaint
    assert out.read_text() == said
    code, _, complaint = _run(capsys, "init")
    assert code == 2
    assert "SRC" in complaint


def test_a_vendor_has_to_be_known_and_to_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message lists the known ones, or the columns that are not there."""
    data_dir = write_panel(tmp_path / "data", _bars())
    code, _, complaint = _run(capsys, "init", data_dir, "--vendor", "nobody")
    assert code == 2
    assert "alpaca, binance" in complaint
    code, _, complaint = _run(capsys, "init", data_dir, "--vendor", "tushare")
    assert code == 2
    assert "'trade_date' are not there; found ts, open" in complaint


def test_csv_needs_an_import(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files that only an import can read: the command is in the message."""
    (tmp_path / "A.csv").write_text("date,close\n2020-01-01,1\n")
    code, said, complaint = _run(capsys, "init", tmp_path, "--out", tmp_path / "run.yaml")
    assert code == 2
    assert f"ray-pipeline import {tmp_path}" in said
    assert "no symbol column" in complaint
    assert not (tmp_path / "run.yaml").exists()


def test_json_has_what_was_found_and_guessed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One document, also where a symbol cannot be read."""
    data_dir = write_panel(tmp_path / "data", _bars())
    (data_dir / "interval=1d/symbol=S00/part-0.parquet").write_bytes(b"PAR1 is not all of it")
    code, said, _ = _run(capsys, "init", data_dir, "--out", tmp_path / "run.yaml", "--json")
    document = json.loads(said)
    assert code == 0
    assert document["open"] is None
    assert any("S00" in text and "Parquet" in text for text in document["found"])
    assert [text.partition(":")[0] for text in document["guesses"]] == ["labeling.targets"]


def test_a_session_by_local_clocks_is_a_guess(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Times without a zone that show New York's hours in winter and summer are that zone's."""
    days = np.arange(np.datetime64("2024-01-02"), np.datetime64("2024-12-31"))
    days = days[np.is_busday(days)]
    minutes = np.arange(570, 960, 30).astype("timedelta64[m]")
    times = (days[:, None].astype("datetime64[m]") + minutes).ravel().astype("datetime64[us]")
    table = bars_table("A", len(times)).set_column(0, "ts", pa.array(times))
    source = write_panel(tmp_path / "data", {"A": table}, interval="30m")
    code, said, _ = _run(capsys, "init", source, "--out", tmp_path / "run.yaml")
    assert code == 0
    assert "guess     data.time_zone: America/New_York (bars from 09:30 to 16:00" in said
    config = load_experiment_config(tmp_path / "run.yaml")
    assert config.data.time_zone == "America/New_York"
    aware = table.set_column(0, "ts", table["ts"].cast(pa.timestamp("us", "UTC")))
    source = write_panel(tmp_path / "aware", {"A": aware}, interval="30m")
    assert "time_zone" not in _run(capsys, "init", source, "--out", tmp_path / "other.yaml")[1]


def test_fixed_point_prices_are_a_guess(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whole numbers beyond any price, whatever the columns are called."""
    tables = {}
    for symbol, table in _bars().items():
        columns = {name: table[name] for name in table.column_names}
        for name in ("open", "high", "low", "close"):
            columns[name] = pa.array(np.round(table[name].to_numpy() * 1e9).astype(np.int64))
        tables[symbol] = pa.table(columns)
    source = write_panel(tmp_path / "data", tables)
    said = _run(capsys, "init", source, "--out", tmp_path / "run.yaml")[1]
    assert "guess     data.price_scale: 1e-09 (prices are whole numbers around 1" in said
    plain = write_panel(tmp_path / "plain", _bars())
    assert "price_scale" not in _run(capsys, "init", plain, "--out", tmp_path / "x.yaml")[1]
