"""Patterns of paths: what they tell, and what does not fit."""

from __future__ import annotations

import pytest

from ray_pipeline.discovery.bar_sizes import looks_like_interval, several_sizes
from ray_pipeline.discovery.patterns import LayoutPattern, sort_by_pattern
from ray_pipeline.discovery.proposing import propose_layout
from ray_pipeline.errors import ConfigError
from ray_pipeline.records import PartitionFile, Rejection, Unlisted

_Told = tuple[str, str | None, tuple[str, ...], str]


@pytest.mark.parametrize(
    ("pattern", "path", "told"),
    [
        ("{symbol}.parquet", "BRK%2FB.parquet", ("BRK%2FB", None, (), "")),
        ("{symbol}.parquet", "A.PARQUET", ("A", None, (), "")),
        ("{symbol}.parquet", "x/A.parquet", None),
        ("ticker={symbol}", "ticker=BRK%2FB/2024/a.parquet", ("BRK/B", None, (), "2024/a.parquet")),
        ("ticker={symbol}", "ticker=0700/a.parquet", ("0700", None, (), "a.parquet")),
        ("ticker={symbol}", "symbol=A/a.parquet", None),
        ("ticker={symbol}", "ticker=A/a.csv", None),
        (
            "{exchange}/{symbol}/{interval}/*.parquet",
            "XNYS/A/1d/p.parquet",
            ("A", "1d", ("exchange=XNYS",), "p.parquet"),
        ),
        ("{exchange}/{symbol}/{interval}/*.parquet", "XNYS/A/1d/2024/p.parquet", None),
        ("XNYS/{symbol}/*.parquet", "XNAS/A/p.parquet", None),
        ("{symbol}_{interval}.parquet", "BRK_B_1d.parquet", ("BRK_B", "1d", (), "")),
        (
            "symbol={symbol}/**/tf={interval}",
            "symbol=A/tf=1d/p.parquet",
            ("A", "1d", (), "p.parquet"),
        ),
        (
            "symbol={symbol}/**/tf={interval}",
            "symbol=A/x/y/tf=1d/p.parquet",
            ("A", "1d", (), "x/y/p.parquet"),
        ),
        ("*/{symbol}.parquet", "2024/A.parquet", ("A", None, (), "2024/")),
        ("a.b/{symbol}.parquet", "axb/A.parquet", None),
    ],
)
def test_a_path_tells_what_its_pattern_names(pattern: str, path: str, told: _Told | None) -> None:
    """Fields are text within one level, decoded behind ``key=`` alone; the rest has to fit."""
    found = LayoutPattern(pattern).read(path)
    if found is None:
        assert told is None
    else:
        assert (found.symbol, found.interval, found.others, found.rest) == told


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("ticker={ticker}", r"names no \{symbol\} \(its fields: ticker\): put \{symbol\} where"),
        ("*.parquet", r"names no \{symbol\}: put \{symbol\} where"),
        ("symbol={symbol}/{symbol}.parquet", "names symbol more than once: write \\* where"),
        ("{symbol", "has a brace outside its fields; fields are written"),
        ("{sym bol}/{symbol}", "has a brace outside its fields"),
        ("s3://bucket/{symbol}", "is an address; it must be relative to data_dir"),
        ("/{symbol}", "is an address"),
        ("../{symbol}", "has an empty, '.' or '..' level"),
        ("a//{symbol}", "has an empty, '.' or '..' level"),
        ("a**/{symbol}", r"has \*\* next to other text"),
        ("{exchange}{symbol}", "has two fields with nothing between them"),
        ("{symbol}.csv", "names files that are not Parquet; ray-pipeline import converts"),
        ("{symbol}.csv.gz", "names files that are not Parquet"),
    ],
)
def test_a_text_that_is_no_pattern_is_refused(pattern: str, fault: str) -> None:
    """The message names the text, what is wrong with it, and what to write."""
    with pytest.raises(ConfigError, match=fault):
        LayoutPattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "interval", "start"),
    [
        ("{symbol}.parquet", None, ("", "")),
        ("ticker={symbol}", None, ("", "ticker=")),
        ("a/exchange=XNYS/t_{symbol}.parquet", None, ("a/exchange=XNYS", "t_")),
        ("interval={interval}/symbol={symbol}", None, ("", "interval=")),
        ("interval={interval}/symbol={symbol}", "5m", ("interval=5m", "symbol=")),
        ("x{interval}y/{symbol}", "5m", ("", "x")),
        ("**/{symbol}.parquet", None, ("", "")),
    ],
)
def test_no_more_is_listed_than_may_fit(
    pattern: str, interval: str | None, start: tuple[str, str]
) -> None:
    """The listing starts where the pattern, with the interval asked for, is plain text."""
    assert LayoutPattern(pattern).start(interval) == start


def _sort(pattern: str, *names: str, interval: str | None = None) -> tuple[dict[str, int], object]:
    entries = [PartitionFile(f"/d/{n}", 0 if n.endswith(("/", "!")) else 1, "") for n in names]
    found = sort_by_pattern(entries, "/d", LayoutPattern(pattern))
    partitions, rejected = found.of_interval(interval, LayoutPattern(pattern))
    return {p.symbol: len(p.files) for p in partitions}, {r.symbol: r.reason for r in rejected}


def test_symbols_of_two_exchanges_are_refused_with_both() -> None:
    """Files that differ in a field beside symbol and interval are not one series of bars."""
    pattern = "{exchange}/{symbol}/*.parquet"
    found, rejected = _sort(pattern, "XNYS/A/p.parquet", "XNAS/A/p.parquet", "XNYS/B/p.parquet")
    assert found == {"B": 1}
    assert rejected == {
        "A": "files of exchange=XNAS and of exchange=XNYS: put one of them into data.layout in "
        "place of {exchange} (such as XNAS), or * where they are one symbol's"
    }
    names = ("XNYS/A/p.parquet", "XNAS/A/p.parquet")
    assert _sort("XNYS/{symbol}/*.parquet", *names) == ({"A": 1}, {})
    assert _sort("*/{symbol}/*.parquet", *names) == ({"A": 2}, {})


def test_unusable_symbols_are_rejected_with_their_reason() -> None:
    """Empty, hidden and other files, and those at another depth, are not data of their symbol."""
    found, rejected = _sort(
        "{symbol}/{interval}/*.parquet",
        "A/1d/p.parquet",
        "B/1d/_p.parquet",
        "C/1d/p.csv",
        "D/p.parquet",
        "E/",
        "_tmp/1d/p.parquet",
        "stray.parquet",
        "F/1h/p.parquet",
        interval="1d",
    )
    assert found == {"A": 1}
    assert rejected == {
        "B": "no parquet file (1 hidden file)",
        "C": "no parquet file (1 other file)",
        "D": "no file fits {symbol}/{interval}/*.parquet (there is D/p.parquet)",
        "E": "empty folder",
    }


def test_two_spellings_of_one_symbol_are_refused() -> None:
    """Merging them could double its rows."""
    _, rejected = _sort("ticker={symbol}", "ticker=A%2FB/p.parquet", "ticker=A%2fB/p.parquet")
    assert rejected == {"A/B": "2 folders decode to this symbol: A%2FB, A%2fB"}


def test_bar_sizes_that_a_pattern_does_not_name_are_refused() -> None:
    """With the interval in the pattern one of them is taken, else neither."""
    names = ("ticker=A/1h/p.parquet", "ticker=A/1d/p.parquet")
    found, rejected = _sort("ticker={symbol}", *names)
    assert found == {}
    assert rejected == {
        "A": "several bar sizes of one symbol (1d, 1h): put {interval} into data.layout (as in "
        "{interval}), and set data.interval to one of them"
    }
    assert _sort("ticker={symbol}/{interval}", *names, interval="1h") == ({"A": 1}, {})


def test_what_cannot_be_looked_at_rejects_its_symbol() -> None:
    """Nobody knows what of its data is missing; above the symbols, that holds for all."""
    pattern = LayoutPattern("{exchange}/{symbol}")
    files = [PartitionFile(f"/d/X/{name}/p.parquet", 1, "") for name in "AB"]
    unlisted = [Unlisted("/d/X/A/2024/", "denied", "blocked"), Unlisted("/d/Y/", "no", "blocked")]
    found = sort_by_pattern(files, "/d", pattern, unlisted)
    partitions, rejected = found.of_interval(None, pattern)
    assert [each.symbol for each in partitions] == ["B"]
    assert rejected == (Rejection("A", "X/A/2024/ cannot be listed: denied"),)
    assert [each.path for each in found.unplaced] == ["/d/Y/"]


@pytest.mark.parametrize(
    "text", ["5m", "5min", "1h", "60min", "1d", "1wk", "1mo", "daily", "Hourly"]
)
def test_bar_sizes_are_told_from_names(text: str) -> None:
    """The usual spellings."""
    assert looks_like_interval(text)


@pytest.mark.parametrize("text", ["2024", "01", "0d", "1q", "AAPL", "M", "part-0", "12345d", ""])
def test_other_names_are_no_bar_sizes(text: str) -> None:
    """Years, months, numbers of files and symbols."""
    assert not looks_like_interval(text)


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (["timeframe=1h/a.parquet", "timeframe=1d/a.parquet"], "timeframe={interval}"),
        (["freq=D/a.parquet", "freq=h/a.parquet"], "freq={interval}"),
        (["1h/a.parquet", "1d/a.parquet"], "{interval}"),
        (["2024/1h/a.parquet", "2024/1d/a.parquet"], "**/{interval}"),
        (["A_1h.parquet", "A_1d.parquet"], "*_{interval}.parquet"),
        (["1h.parquet", "1d.parquet"], "{interval}.parquet"),
        (["timeframe=1h/a.parquet", "timeframe=1h/b.parquet"], None),
        (["year=2023/a.parquet", "year=2024/a.parquet"], None),
        (["period=2023/a.parquet", "period=2024/a.parquet"], None),
        (["A_1h_2023.parquet", "A_1h_2024.parquet"], None),
        (["part-0.parquet", "part-1.parquet"], None),
        (["month=1/a.parquet", "month=2/a.parquet"], None),
    ],
)
def test_two_bar_sizes_are_found_in_levels_and_names(paths: list[str], found: str | None) -> None:
    """With the level of a pattern that would tell them apart."""
    sizes = several_sizes(paths)
    assert (None if sizes is None else sizes[1]) == found


@pytest.mark.parametrize(
    ("levels", "layout"),
    [
        ([["S0.parquet", "S1.parquet"]], "{symbol}.parquet"),
        ([["AAPL.parquet", "BRK-B.parquet", "^GSPC.parquet"]], "{symbol}.parquet"),
        ([["A_1d.parquet", "B_1d.parquet"]], "{symbol}_{interval}.parquet"),
        ([["ticker=A/", "ticker=B/", "_SUCCESS"], ["part-0.parquet"]], "ticker={symbol}"),
        (
            [["exchange=XNYS/"], ["symbol=A/"], ["part-0.parquet"]],
            "exchange={exchange}/symbol={symbol}",
        ),
        ([["A/", "B/"], ["1d/", "1h/"], ["p.parquet"]], "{symbol}/{interval}"),
        ([["XNYS/"], ["A/", "B/"], ["2023/", "2024/"], ["p.parquet"]], "{exchange}/{symbol}"),
        ([["1d/"], ["A.parquet", "B.parquet"]], "{interval}/{symbol}.parquet"),
        ([["symbol=A/"], ["timeframe=1d/"], ["p.parquet"]], "symbol={symbol}/timeframe={interval}"),
        ([["date=2024-01-02/"], ["all.parquet"]], ""),
        ([["date=2024-01-02/"], ["A.parquet", "B.parquet"]], "date=*/{symbol}.parquet"),
        ([["2024-01-02.parquet", "2024-01-03.parquet"]], ""),
        ([["bars.parquet"]], ""),
        ([["part-00000.parquet", "part-00001.parquet"]], ""),
        ([["A.csv", "B.csv"]], ""),
        ([["A.csv.gz"]], ""),
        ([["README.md"]], None),
        ([[]], None),
        ([], None),
    ],
)
def test_a_pattern_is_proposed_from_names(levels: list[list[str]], layout: str | None) -> None:
    """A pattern where paths tell the symbol, an import where they do not, nothing for nothing."""
    assert propose_layout(levels) == layout
