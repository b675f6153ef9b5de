"""Text as vendors and spreadsheets write it: what the first lines tell is told, or refused."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
from import_data import import_all, panel_rows

from ray_pipeline.errors import DataError

pytestmark = pytest.mark.usefixtures("interrupt_after")

YFINANCE = """\
Price,Close,High,Low,Open,Volume
Ticker,A,A,A,A,A
Date,,,,,
2024-01-02,2.0,3.0,1.0,1.5,100
2024-01-03,2.5,3.5,1.5,2.0,200
"""
SIDE_BY_SIDE = """\
Price,Close,Close,Open,Open
Ticker,A,B,A,B
Date,,,,
2024-01-02,2.0,20.0,1.5,15.0
2024-01-03,,21.0,,16.0
"""
KLINES = """\
1704067200000,1.0,3.0,0.5,2.0,10,1704067499999,20,5,4,8,0
1704067500000,2.0,4.0,1.5,3.0,11,1704067799999,33,6,5,9,0
"""
STOOQ = """\
<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>
A.US,5,20240102,153000,1,3,0.5,2,10,0
A.US,5,20240102,153500,2,4,1.5,3,11,0
"""


def _rows(tmp_path: Path, symbol: str) -> dict[str, list[Any]]:
    """Return the columns of a symbol, whose rows are of one year."""
    panel = panel_rows(tmp_path / "panel")
    (rows,) = (rows for name, rows in panel.items() if f"symbol={symbol}/" in name)
    return rows


def _put(tmp_path: Path, **files: str) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, "utf-8")
    return folder


def test_the_header_of_yfinance_tells_the_symbol(tmp_path: Path) -> None:
    """Column tuples over the name of the index, as its downloads are saved by ``to_csv``."""
    done = import_all(_put(tmp_path, A=YFINANCE), tmp_path / "panel")
    rows = _rows(tmp_path, "A")
    assert (done.n_read, sorted(done.symbols)) == (2, ["A"])
    assert rows["close"] == [2.0, 2.5]
    assert str(rows["ts"][0].date()) == "2024-01-02"


@pytest.mark.parametrize("swap", [False, True])
def test_symbols_side_by_side_are_taken_apart(tmp_path: Path, swap: bool) -> None:
    """Whichever level the symbols are on; a row where a symbol has no value is none of its own."""
    first, second, *rest = SIDE_BY_SIDE.splitlines()
    text = "\n".join([second, first, *rest] if swap else [first, second, *rest])
    done = import_all(_put(tmp_path, prices=text), tmp_path / "panel")
    assert sorted(done.symbols) == ["A", "B"]
    assert _rows(tmp_path, "A")["close"] == [2.0]
    assert _rows(tmp_path, "B")["open"] == [15.0, 16.0]


def test_a_header_that_contradicts_the_path_is_refused(tmp_path: Path) -> None:
    """One of them is wrong about whose prices these are."""
    source = _put(tmp_path, B=YFINANCE)
    with pytest.raises(DataError, match=r"columns are of A, and --symbol-from-path reads B\."):
        import_all(source, tmp_path / "panel", symbol_from_path="{symbol}.csv")


def test_files_of_binance_need_no_line_of_names(tmp_path: Path) -> None:
    """As they come, packed or not."""
    source = _put(tmp_path)
    with zipfile.ZipFile(source / "BTCUSDT-5m-2024-01.zip", "w") as archive:
        archive.writestr("BTCUSDT-5m-2024-01.csv", KLINES)
    (source / "ETHUSDT-5m-2024-01.csv").write_text(KLINES)
    done = import_all(source, tmp_path / "panel", interval="5m", symbol_from_path="{symbol}-5m-*.*")
    assert sorted(done.symbols) == ["BTCUSDT", "ETHUSDT"]
    rows = _rows(tmp_path, "BTCUSDT")
    assert rows == _rows(tmp_path, "ETHUSDT")
    assert rows["close"] == [2.0, 3.0]
    assert rows["ts"][1].isoformat() == "2024-01-01T00:05:00+00:00"


def test_an_archive_of_several_files_is_refused(tmp_path: Path) -> None:
    """Which of them is meant is not for the import to say."""
    source = _put(tmp_path)
    with zipfile.ZipFile(source / "a.zip", "w") as archive:
        archive.writestr("a.csv", KLINES)
        archive.writestr("b.csv", KLINES)
    with pytest.raises(DataError, match=r"a\.zip: it is an archive of 2 files; one is needed"):
        import_all(source, tmp_path / "panel", symbol_from_path="{symbol}.zip")


def test_columns_without_names_are_named_by_their_order(tmp_path: Path) -> None:
    """No row is lost to a line of names that is none."""
    text = "20240102,1.0,3.0,0.5,2.0,10\n20240103,2.0,4.0,1.5,3.0,11\n"
    source = _put(tmp_path, A=text)
    options = {"symbol_from_path": "{symbol}.csv"}
    with pytest.raises(DataError, match=r"the first line holds values.*--header time,open"):
        import_all(source, tmp_path / "panel", **options)
    header = ["date", "open", "high", "low", "close"]
    with pytest.raises(DataError, match=r"--header names 5 columns, and the first line has 6"):
        import_all(source, tmp_path / "panel", header=header, **options)
    done = import_all(source, tmp_path / "panel", header=[*header, "volume"], **options)
    assert (done.n_read, done.n_added) == (2, 2)
    assert _rows(tmp_path, "A")["close"] == [2.0, 3.0]


def test_dates_with_a_clock_beside_them_are_instants(tmp_path: Path) -> None:
    """Each bar keeps its own time: none is taken for another of its day."""
    done = import_all(_put(tmp_path, a=STOOQ), tmp_path / "panel", interval="5m")
    assert (done.n_read, done.n_added, sorted(done.symbols)) == (2, 2, ["A.US"])
    rows = _rows(tmp_path, "A.US")
    assert [each.strftime("%d %H:%M") for each in rows["ts"]] == ["02 15:30", "02 15:35"]


def test_text_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    """Semicolons between values that have a comma, and the mark that Excel puts first."""
    text = "﻿Datum;ticker;Close\n02.01.2024;A;2,5\n03.01.2024;A;3,25\n"
    done = import_all(
        _put(tmp_path, a=text),
        tmp_path / "panel",
        columns={"time": "Datum"},
        time_format="%d.%m.%Y",
    )
    assert done.n_added == 2
    assert _rows(tmp_path, "A")["close"] == [2.5, 3.25]
