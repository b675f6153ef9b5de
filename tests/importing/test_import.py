"""Imports from beginning to end, with the shuffle in this process."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from import_data import Interrupted, bars, import_all, panel_rows, put_days, tree

from ray_pipeline.discovery import discover
from ray_pipeline.errors import ConfigError, DataError, DiscoveryError
from ray_pipeline.importing import command
from ray_pipeline.importing.outcome import outcome_lines

pytestmark = pytest.mark.usefixtures("interrupt_after")

SYMBOLS = ["A", "BRK/B", "0700"]


@pytest.fixture(name="days")
def day_files(tmp_path: Path) -> Path:
    """Three symbols over the turn of a year, a file per day."""
    put_days(tmp_path / "days", bars("2023-12-28", 8, SYMBOLS))
    return tmp_path / "days"


def test_day_files_become_a_panel(days: Path, tmp_path: Path) -> None:
    """A file per symbol and year, sorted by time; every row is there with all its values."""
    out = tmp_path / "panel"
    done = import_all(days, out)
    assert list(tree(out)) == [
        f"interval=1d/symbol={folder}/year={year}/part-0.parquet"
        for folder in ("0700", "A", "BRK%2FB")
        for year in (2023, 2024)
    ]
    whole = bars("2023-12-28", 8, SYMBOLS)
    for symbol, folder in (("BRK/B", "BRK%2FB"), ("0700", "0700")):
        files = sorted(out.glob(f"interval=1d/symbol={folder}/*/*.parquet"))
        found = pa.concat_tables(pq.ParquetFile(file).read() for file in files)
        mine = whole.filter(pc.equal(whole["symbol"], symbol)).drop_columns("symbol")
        assert found.select(mine.column_names).equals(mine)
    assert (done.n_read, done.n_added, len(done.symbols)) == (24, 24, 3)
    assert (done.n_files, done.panel_files, done.written.n_files) == (8, 6, 6)
    panel = discover(out)
    assert (panel.symbols, panel.interval) == (["0700", "A", "BRK/B"], "1d")
    assert not list((out / "_import").glob("round-*"))


def test_sources_are_read_once(days: Path, tmp_path: Path) -> None:
    """The same command again reads nothing and changes nothing; new files are added."""
    out = tmp_path / "panel"
    import_all(days, out)
    before = tree(out)
    again = import_all(days, out)
    assert (again.n_files, again.n_known_files, again.n_read) == (0, 8, 0)
    assert tree(out) == before
    put_days(days, bars("2024-01-05", 2, [*SYMBOLS, "NEW"], seed=1))
    more = import_all(days, out)
    assert (more.n_files, more.n_added, more.written.n_files) == (2, 8, 4)
    assert {name for name, content in tree(out).items() if before.get(name) == content} == {
        name for name in before if "year=2023" in name
    }


def test_the_order_of_imports_makes_no_difference(tmp_path: Path) -> None:
    """Days added one after the other give the bytes of all of them at once."""
    table = bars("2023-12-28", 6, SYMBOLS)
    files = put_days(tmp_path / "days", table)
    import_all(tmp_path / "days", tmp_path / "at_once")
    for file in reversed(files):
        import_all(file, tmp_path / "singly")
    assert tree(tmp_path / "singly") == tree(tmp_path / "at_once")


@pytest.mark.parametrize("n_buckets", [0, 1, 2])
def test_an_interrupted_import_is_continued(
    days: Path, tmp_path: Path, interrupt_after: list[int], n_buckets: int
) -> None:
    """Its files are those of one that nothing disturbed, and its account is as well."""
    whole = import_all(days, tmp_path / "whole")
    interrupt_after.append(n_buckets)
    out = tmp_path / "panel"
    with pytest.raises(Interrupted):
        import_all(days, out)
    assert len(tree(out)) < 6
    done = import_all(days, out)
    assert tree(out) == tree(tmp_path / "whole")
    assert (done.n_read, done.n_added) == (whole.n_read, whole.n_added) == (24, 24)
    assert done.written == whole.written
    assert done.symbols == whole.symbols
    assert not list((out / "_import").glob("round-*"))


def test_a_bucket_that_was_cut_short_is_written_again(
    days: Path, tmp_path: Path, interrupt_after: list[int]
) -> None:
    """Files without the record of their bucket are put together with the same rows again."""
    import_all(days, tmp_path / "whole")
    out = tmp_path / "panel"
    interrupt_after.append(2)
    with pytest.raises(Interrupted):
        import_all(days, out)
    for marker in (out / "_import").rglob("bucket-*.json"):
        marker.unlink()
    done = import_all(days, out)
    assert tree(out) == tree(tmp_path / "whole")
    assert done.written.n_known > 0
    assert done.n_added + done.written.n_known == 24


def test_the_newest_row_counts(tmp_path: Path) -> None:
    """Of equal symbols and times the one of the later source, and a new one before an old one."""
    first = bars("2024-01-01", 3, ["A"])
    restated = first.slice(2).set_column(5, "close", pa.array([7.0]))
    (tmp_path / "long").mkdir()
    pq.write_table(first, tmp_path / "long" / "1.parquet")
    pq.write_table(restated, tmp_path / "long" / "2.parquet")
    out = tmp_path / "panel"
    done = import_all(tmp_path / "long", out)
    assert (done.n_read, done.written.n_repeated, done.n_added) == (4, 1, 3)
    (rows,) = panel_rows(out).values()
    assert rows["close"][2] == 7.0
    pq.write_table(
        restated.set_column(5, "close", pa.array([8.0])), tmp_path / "long" / "2.parquet"
    )
    again = import_all(tmp_path / "long", out)
    assert (again.n_files, again.written.n_replaced, again.n_added) == (1, 1, 0)
    (rows,) = panel_rows(out).values()
    assert rows["close"][2] == 8.0
    assert len(rows["close"]) == 3
    pq.write_table(first.slice(0, 2), tmp_path / "long" / "3.parquet")
    known = import_all(tmp_path / "long", out)
    assert (known.written.n_known, known.written.n_unchanged, known.written.n_files) == (2, 1, 0)
    lines = "\n".join(outcome_lines(known))
    assert "dropped  2 rows: the panel already has them, unchanged" in lines
    assert "1 file stayed" in lines


def test_since_leaves_older_rows_out(days: Path, tmp_path: Path) -> None:
    """They are counted; the same files without it are read again, and whole."""
    out = tmp_path / "panel"
    done = import_all(days, out, since="2024-01-02")
    assert dict(done.dropped) == {"before --since": 15}
    assert done.n_added == 9
    assert {name.split("/")[2] for name in tree(out)} == {"year=2024"}
    assert import_all(days, out, since="2024-01-03").n_files == 0
    rest = import_all(days, out)
    assert (rest.n_files, rest.n_added, rest.written.n_known) == (8, 15, 9)


def test_csv_of_all_kinds_is_read(tmp_path: Path) -> None:
    """With other names, compressed or not; symbols stay text, and NA is one."""
    symbols = ["NA", "TRUE", "0700"]
    table = bars("2024-01-01", 4, symbols)
    parts = [table.slice(3 * i, 3) for i in range(4)]
    folder = tmp_path / "csv"
    folder.mkdir()
    for i, part in enumerate(parts):
        names = ["Date", "Ticker", "Open", "High", "Low", "Close", "Vol"]
        day = pc.strftime(part["ts"], "%Y-%m-%d")
        sink = pa.BufferOutputStream()
        pacsv.write_csv(part.set_column(0, "ts", day).rename_columns(names), sink)
        text = sink.getvalue().to_pybytes()
        if i == 0:
            (folder / "0.csv").write_bytes(text)
        elif i == 1:
            (folder / "1.csv.gz").write_bytes(gzip.compress(text))
        elif i == 2:
            (folder / "2.csv.zst").write_bytes(pa.compress(text, "zstd", asbytes=True))
        else:
            (folder / "3.tsv").write_bytes(text.replace(b",", b"\t"))
    (folder / "README.md").write_text("none of these")
    out = tmp_path / "panel"
    done = import_all(folder, out, columns={"volume": "Vol"})
    assert sorted(done.symbols) == sorted(symbols)
    assert done.passed_over == (("neither Parquet nor CSV", 1),)
    (rows,) = (rows for name, rows in panel_rows(out).items() if "symbol=NA/" in name)
    mine = table.filter(pc.equal(table["symbol"], "NA"))
    assert rows["ts"] == mine["ts"].to_pylist()
    assert rows["close"] == mine["close"].to_pylist()
    assert rows["volume"] == mine["volume"].cast(pa.float64()).to_pylist()


def test_a_file_per_symbol_is_read_by_a_pattern(tmp_path: Path) -> None:
    """The path tells the symbol; files that do not fit are counted."""
    folder = tmp_path / "csv"
    folder.mkdir()
    for symbol in ("A", "B"):
        pacsv.write_csv(
            bars("2024-01-01", 4, [symbol]).drop_columns("symbol"), folder / f"{symbol}.csv"
        )
    (folder / "sub").mkdir()
    (folder / "sub" / "C.csv").write_text("ts,close\n")
    out = tmp_path / "panel"
    done = import_all(folder, out, symbol_from_path="{symbol}.csv")
    assert (sorted(done.symbols), done.n_added) == (["A", "B"], 8)
    assert done.passed_over == (("not {symbol}.csv", 1),)
    with pytest.raises(
        DataError, match=r"A\.csv: no symbol column: .*--symbol-from-path '{symbol}"
    ):
        import_all(folder, tmp_path / "other")
    with pytest.raises(
        DiscoveryError, match=r"fits --symbol-from-path x_{symbol}\.csv; .* named A\.csv"
    ):
        import_all(folder, tmp_path / "other", symbol_from_path="x_{symbol}.csv")
    with pytest.raises(ConfigError, match=r"'\*\.csv' names no {symbol}"):
        import_all(folder, tmp_path / "other", symbol_from_path="*.csv")


def test_rows_without_time_or_symbol_are_dropped_and_counted(tmp_path: Path) -> None:
    """Each by its reason; the others are there."""
    table = bars("2024-01-01", 3, ["A", "B"])
    ts = table["ts"].to_pylist()
    table = table.set_column(0, "ts", pa.array([None, *ts[1:]], table["ts"].type))
    table = table.set_column(1, "symbol", pa.array(["A", "B", None, "B", "", "B"]))
    pq.write_table(table, tmp_path / "long.parquet")
    done = import_all(tmp_path / "long.parquet", tmp_path / "panel")
    assert dict(done.dropped) == {"no time": 1, "no symbol": 2}
    assert (done.n_read, done.n_added, done.symbols) == (6, 3, {"B"})
    lines = list(outcome_lines(done))
    assert "dropped  2 rows: no symbol" in lines
    assert "dropped  1 row: no time" in lines


def test_columns_that_only_some_files_have_are_null_elsewhere(tmp_path: Path) -> None:
    """Whole numbers become fractions where another file has these."""
    one, two = bars("2024-01-01", 2, ["A"]), bars("2024-01-03", 2, ["A"])
    (tmp_path / "long").mkdir()
    pq.write_table(one, tmp_path / "long" / "1.parquet")
    volume = two["volume"].cast(pa.float64())
    two = two.set_column(6, "volume", volume).append_column("pe", pa.array([1.5, 2.5]))
    pq.write_table(two.append_column("all", pa.array([[1], [2]])), tmp_path / "long" / "2.parquet")
    out = tmp_path / "panel"
    done = import_all(tmp_path / "long", out)
    (rows,) = panel_rows(out).values()
    assert rows["pe"] == [None, None, 1.5, 2.5]
    assert rows["volume"] == [*one["volume"].to_pylist(), *volume.to_pylist()]
    assert done.plan is not None
    assert done.plan.left_behind == (("all", "list<element: int64> is not a supported type"),)
    text = tmp_path / "long" / "3.parquet"
    pq.write_table(one.append_column("pe", pa.array(["high", "low"])), text)
    with pytest.raises(
        DataError, match=r"column 'pe' is double in \S+2\.parquet and string in \S+3"
    ):
        import_all(tmp_path / "long", tmp_path / "other")


def test_places_that_are_taken_are_refused(days: Path, tmp_path: Path) -> None:
    """The source itself, memory, and a panel that somebody else has written."""
    with pytest.raises(ConfigError, match="lie in one another"):
        import_all(days, days / "panel")
    with pytest.raises(ConfigError, match="in the memory of this process"):
        import_all(days, "memory://panel")
    other = tmp_path / "panel" / "interval=1d" / "symbol=A"
    other.mkdir(parents=True)
    (other / "A.parquet").write_bytes(b"x")
    with pytest.raises(ConfigError, match="holds 1 Parquet file that no import has written"):
        import_all(days, tmp_path / "panel")
    with pytest.raises(ConfigError, match="Unknown interval '5 minutes'"):
        import_all(days, tmp_path / "x", interval="5 minutes")
    with pytest.raises(DiscoveryError, match=r"Nothing to import under .*; there is no file"):
        import_all(tmp_path / "nothing", tmp_path / "x")


def test_damaged_files_are_named(days: Path, tmp_path: Path) -> None:
    """A file that is not Parquet, and a text where numbers are needed."""
    (days / "2024-01-03.parquet").write_bytes(b"not this")
    with pytest.raises(DataError, match=r"days/2024-01-03\.parquet cannot be read: "):
        import_all(days, tmp_path / "panel")
    csv = tmp_path / "csv"
    csv.mkdir()
    lines = [f"2024-01-{day:02},A,{day}.5" for day in range(1, 29)]
    (csv / "a.csv").write_text("ts,symbol,close\n" + "\n".join(lines))
    out = tmp_path / "other"
    import_all(csv / "a.csv", out)
    last = "2024-02-01,A,x"
    (csv / "b.csv").write_text("ts,symbol,close\n" + "\n".join([*lines * 4_000, last]))
    with pytest.raises(DataError, match=r"csv/b\.csv cannot be read: .* invalid value 'x'"):
        import_all(csv, out)
    (csv / "b.csv").write_text("ts,symbol,close\n" + last)
    with pytest.raises(DataError, match=r"b\.csv: column 'close' is string, and close has to be a"):
        import_all(csv, out)


def test_a_column_of_another_type_than_before_is_refused(tmp_path: Path) -> None:
    """With the file that has it; whole numbers and fractions go together."""
    table = bars("2024-01-01", 2, ["A"])
    out = tmp_path / "panel"
    for name, values in (("1", [1, 2]), ("2", [1.5, 2.5])):
        pq.write_table(table.append_column("own", pa.array(values)), tmp_path / f"{name}.parquet")
        import_all(tmp_path / f"{name}.parquet", out)
    (rows,) = panel_rows(out).values()
    assert rows["own"] == [1.5, 2.5]
    pq.write_table(table.append_column("own", pa.array(["x", "y"])), tmp_path / "3.parquet")
    with pytest.raises(
        DataError, match=r"year=2024/part-0\.parquet: column 'own' was double before and is string"
    ):
        import_all(tmp_path / "3.parquet", out)


def test_the_account_is_whole(days: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that a shuffle loses is an error, and so is a bucket that it tells of twice."""
    shuffle = command.shuffled

    def losing(*arguments: object) -> object:
        reports = list(shuffle(*arguments))  # type: ignore[arg-type]
        return [
            each for each in reports if "tally" in each or each["bucket"] != reports[-1]["bucket"]
        ]

    monkeypatch.setattr(command, "shuffled", losing)
    with pytest.raises(Exception, match=r"24 rows were read and \d+ are accounted for"):
        import_all(days, tmp_path / "panel")

    def twice(*arguments: object) -> object:
        reports = list(shuffle(*arguments))  # type: ignore[arg-type]
        return [*reports, reports[-1]]

    monkeypatch.setattr(command, "shuffled", twice)
    with pytest.raises(Exception, match=r"told of bucket \d+ twice"):
        import_all(days, tmp_path / "other")


def test_the_document_holds_what_the_lines_say(days: Path, tmp_path: Path) -> None:
    """Plain values alone."""
    document = import_all(days, tmp_path / "panel").document()
    assert json.loads(json.dumps(document)) == document
    assert document["rows"] == {
        "read": 24,
        "dropped": {},
        "assumed": {},
        "added": 24,
        "repeated": 0,
        "contradicting": 0,
        "replaced": 0,
        "known": 0,
    }
    assert document["panel"]["symbols"] == 3
