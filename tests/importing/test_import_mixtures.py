"""What must not be mixed in one panel is refused, with what to write instead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from import_data import Interrupted, bars, import_all, panel_rows, put_days

from ray_pipeline import cli
from ray_pipeline.commands.checking import check_config
from ray_pipeline.config import load_experiment_config
from ray_pipeline.errors import ConfigError, DataError, DiscoveryError
from ray_pipeline.importing.outcome import outcome_lines

pytestmark = pytest.mark.usefixtures("interrupt_after")


def _csv(folder: Path, name: str, first: str = "2024-01-01", seed: int = 0) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pacsv.write_csv(bars(first, 30, ["A"], seed).drop_columns("symbol"), path)


def test_files_of_another_interval_are_passed_over(tmp_path: Path) -> None:
    """However they spell it: two bar sizes never come into one file."""
    _csv(tmp_path / "source", "A_1d.csv")
    _csv(tmp_path / "source", "A_1h.csv", seed=1)
    pattern = "{symbol}_{interval}.csv"
    done = import_all(
        tmp_path / "source", tmp_path / "panel", symbol_from_path=pattern, interval="1D"
    )
    assert done.n_files == 1
    assert done.passed_over == (("of interval 1h", 1),)


def test_fields_that_differ_within_a_symbol_are_refused(tmp_path: Path) -> None:
    """AAA of two exchanges may be two companies."""
    _csv(tmp_path / "source", "NYSE/AAA.csv")
    _csv(tmp_path / "source", "TSE/AAA.csv", seed=1)
    options = {"symbol_from_path": "{exchange}/{symbol}.csv"}
    with pytest.raises(DiscoveryError, match=r"NYSE/AAA\.csv and TSE/AAA\.csv are both of symbol"):
        import_all(tmp_path / "source", tmp_path / "panel", **options)
    one = import_all(tmp_path / "source", tmp_path / "panel", symbol_from_path="NYSE/{symbol}.csv")
    assert (one.n_files, sorted(one.symbols)) == (1, ["AAA"])


def test_a_day_by_two_clocks_is_refused(tmp_path: Path) -> None:
    """Midnights of New York, then dates: --trading-date makes one of both."""
    table = bars("2024-01-01", 20, ["A"])
    midnights = pa.array(table["ts"].to_numpy() + 5 * 3_600 * 10**9)
    old = table.set_column(0, "ts", midnights.cast(pa.timestamp("ns", "UTC")))
    local = old.set_column(0, "ts", old["ts"].cast(pa.timestamp("ns", "America/New_York")))
    new = table.slice(10).set_column(0, "ts", table["ts"].slice(10).cast(pa.date32()))
    pq.write_table(local, tmp_path / "old.parquet")
    pq.write_table(new, tmp_path / "new.parquet")
    import_all(tmp_path / "old.parquet", tmp_path / "panel")
    with pytest.raises(DataError, match=r"2024-01-11T00:00 and 2024-01-11T05:00 lie within one"):
        import_all(tmp_path / "new.parquet", tmp_path / "panel")
    for name in ("old", "new"):
        import_all(tmp_path / f"{name}.parquet", tmp_path / "dates", trading_date=True)
    (rows,) = panel_rows(tmp_path / "dates").values()
    assert rows["ts"] == table["ts"].to_pylist()
    with pytest.raises(ConfigError, match=r"--trading-date is for daily and longer bars"):
        import_all(tmp_path / "old.parquet", tmp_path / "x", trading_date=True, interval="5m")


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ({}, {"time_zone": "America/New_York"}, r"with no such option, and now with --time-zone A"),
        ({"columns": {"close": "open"}}, {}, r"with --columns close=open, and now with no such"),
    ],
)
def test_sources_read_in_another_way_are_refused(
    tmp_path: Path, before: dict[str, Any], now: dict[str, Any], told: str
) -> None:
    """The rows that they gave before would stay beside the others."""
    put_days(tmp_path / "days", bars("2024-01-01", 5, ["A", "B"]))
    import_all(tmp_path / "days", tmp_path / "panel", **before)
    with pytest.raises(ConfigError, match=told):
        import_all(tmp_path / "days", tmp_path / "panel", **now)
    again = import_all(tmp_path / "days", tmp_path / "panel", **before)
    assert again.n_files == 0


def test_a_wrong_interval_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """With the one that rows follow each other by; weekends and holes are no other interval."""
    put_days(tmp_path / "days", bars("2024-01-01", 30, ["A", "B"]))
    with pytest.raises(ConfigError, match=r"--interval 5m: \d+% of .* by 1d\. Set --interval 1d"):
        import_all(tmp_path / "days", tmp_path / "panel", interval="5m")
    assert not list((tmp_path / "panel").rglob("*.parquet"))
    assert import_all(tmp_path / "days", tmp_path / "panel").n_added == 60


def test_an_import_that_was_interrupted_is_told_to_whoever_reads(
    tmp_path: Path, interrupt_after: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    """In check and init, until the command was run to its end."""
    put_days(tmp_path / "days", bars("2024-01-01", 320, ["A", "B", "C", "D"]))
    out = tmp_path / "panel"
    config = tmp_path / "run.yaml"
    config.write_text(f"data: {{data_dir: {out}}}\nlabeling: {{targets: [fwd_ret_1d]}}\n")
    interrupt_after.append(1)
    with pytest.raises(Interrupted):
        import_all(tmp_path / "days", out)
    found = check_config(load_experiment_config(config))
    assert any(
        "an import into" in text and "has not finished" in text for text in found["warnings"]
    )
    assert cli.main(["init", str(out), "--out", str(tmp_path / "x.yaml")]) == 0
    assert "has not finished: symbols and rows are missing" in capsys.readouterr().out
    import_all(tmp_path / "days", out)
    found = check_config(load_experiment_config(config))
    assert not any("has not finished" in text for text in found["warnings"])


def test_bars_of_one_day_by_two_clocks_are_told(tmp_path: Path) -> None:
    """Where no import stood between: check and run say which symbol, and when."""
    table = bars("2024-01-01", 330, ["A"])
    later = pa.array(table["ts"].to_numpy()[-5:] + 5 * 3_600 * 10**9)
    twice = table.slice(325).set_column(0, "ts", later.cast(pa.timestamp("ns", "UTC")))
    for symbol in ("A", "B", "C"):
        folder = tmp_path / f"panel/interval=1d/symbol={symbol}"
        folder.mkdir(parents=True)
        rows = [table, twice] if symbol == "A" else [table]
        whole = pa.concat_tables(rows).drop_columns("symbol")
        pq.write_table(whole, folder / "p.parquet")
    config = tmp_path / "run.yaml"
    config.write_text(
        f"data: {{data_dir: {tmp_path / 'panel'}}}\nlabeling: {{targets: [fwd_ret_1d]}}\n"
    )
    warnings = check_config(load_experiment_config(config))["warnings"]
    (told,) = (text for text in warnings if "after the one before" in text)
    assert "in A, 5 in all" in told or "in A, 9 in all" in told
    assert "data.trading_date: true" in told


def test_another_encoding_has_to_be_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No name of a column is read with a replacement sign in it."""
    text = "Datum;Kürzel;Eröffnung\n02.01.2024;A;2,5\n03.01.2024;A;3,25\n"
    (tmp_path / "a.csv").write_bytes(text.encode("cp1252"))
    options: dict[str, Any] = {
        "columns": {"time": "Datum", "symbol": "Kürzel", "open": "Eröffnung"},
        "time_format": "%d.%m.%Y",
    }
    with pytest.raises(DataError, match=r"a\.csv: it is not in the encoding utf-8\. .*cp1252"):
        import_all(tmp_path / "a.csv", tmp_path / "panel", **options)
    with pytest.raises(ConfigError, match=r"--encoding klingon: there is no such encoding"):
        import_all(tmp_path / "a.csv", tmp_path / "panel", encoding="klingon", **options)
    import_all(tmp_path / "a.csv", tmp_path / "panel", encoding="cp1252", **options)
    (rows,) = panel_rows(tmp_path / "panel").values()
    assert rows["open"] == [2.5, 3.25]


def test_init_looks_at_symbols_side_by_side_and_at_what_it_does_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A download of several tickers, and text beside Parquet."""
    days = [f"2024-01-{day:02d}" for day in range(1, 29)]
    lines = ["Price,Close,Close,Open,Open", "Ticker,A,B,A,B", "Date,,,,"]
    lines += [f"{day},2.0,20.0,1.5,15.0" for day in days]
    (tmp_path / "wide").mkdir()
    (tmp_path / "wide/prices.csv").write_text("\n".join(lines))
    assert cli.main(["init", str(tmp_path / "wide"), "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["command"].endswith("--interval 1d")
    for symbol in ("AAA", "BBB", "CCC"):
        table = bars("2024-01-01", 320, [symbol]).drop_columns("symbol")
        (tmp_path / "files").mkdir(exist_ok=True)
        pq.write_table(table, tmp_path / f"files/{symbol}.parquet")
    (tmp_path / "files/DDD.csv").write_text("date,close\n")
    line = ["init", str(tmp_path / "files"), "--out", str(tmp_path / "x.yaml")]
    assert cli.main(line) == 0
    said = capsys.readouterr().out
    assert "1 text file beside them is not read; ray-pipeline import does" in said
    assert "there are adjusted ones too" not in said


def test_rows_that_contradict_each_other_are_counted(tmp_path: Path) -> None:
    """Apart from those that merely come again."""
    table = bars("2024-01-01", 5, ["A"])
    close = table["close"].to_numpy().copy()
    close[0] += 1.0
    other = table.set_column(table.column_names.index("close"), "close", pa.array(close))
    (tmp_path / "long").mkdir()
    pq.write_table(table, tmp_path / "long/1.parquet")
    pq.write_table(other, tmp_path / "long/2.parquet")
    done = import_all(tmp_path / "long", tmp_path / "panel")
    assert (done.written.n_repeated, done.written.n_contradicting) == (5, 1)
    (line,) = (each for each in outcome_lines(done) if "occurs again later" in each)
    assert line.endswith("the last one counts; 1 of them differs from it")


def test_a_copy_of_a_known_source_brings_nothing_back(tmp_path: Path) -> None:
    """A file of another date and the same content is the same; corrections stay."""
    table = bars("2024-01-01", 5, ["A"])
    close = pa.array(table["close"].to_numpy() + 0.5)
    corrected = table.set_column(table.column_names.index("close"), "close", close)
    (tmp_path / "long").mkdir()
    pq.write_table(table, tmp_path / "long/1.parquet")
    import_all(tmp_path / "long", tmp_path / "panel")
    pq.write_table(corrected, tmp_path / "long/2.parquet")
    import_all(tmp_path / "long", tmp_path / "panel")
    content = (tmp_path / "long/1.parquet").read_bytes()
    (tmp_path / "long/1.parquet").unlink()
    (tmp_path / "long/1.parquet").write_bytes(content)
    assert import_all(tmp_path / "long", tmp_path / "panel").n_files == 0
    (rows,) = panel_rows(tmp_path / "panel").values()
    assert rows["close"] == corrected["close"].to_pylist()
    pq.write_table(table.slice(0, 3), tmp_path / "long/1.parquet")
    assert import_all(tmp_path / "long", tmp_path / "panel").n_files == 1
