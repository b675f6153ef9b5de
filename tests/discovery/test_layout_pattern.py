"""Discovery by a pattern of paths, on every kind of store."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from ray_pipeline.discovery import discover, discover_symbols_from_data_dir, resolve_symbols
from ray_pipeline.errors import ConfigError, DiscoveryError
from ray_pipeline.records import Discovery, Rejection

if TYPE_CHECKING:
    from conftest import S3Server, Store


def _discover(store: Store, layout: str, interval: str | None = None, below: str = "") -> Discovery:
    return discover(store.uri + below, interval, store.options, layout=layout)


def _resolve(
    store: Store, symbols: list[str], layout: str, interval: str | None = None
) -> Discovery:
    return resolve_symbols(store.uri, symbols, interval, store.options, layout)


@pytest.mark.parametrize(
    ("layout", "names", "symbols"),
    [
        ("{symbol}.parquet", ["A.parquet", "BRK.B.parquet", "README.md"], ["A", "BRK.B"]),
        (
            "ticker={symbol}",
            ["ticker=0700/p.parquet", "ticker=X%2FY/1/2/p.parquet"],
            ["0700", "X/Y"],
        ),
        ("exchange=XNYS/{symbol}/*.parquet", ["exchange=XNYS/A/p.parquet"], ["A"]),
    ],
)
def test_symbols_are_found_by_a_pattern(
    store: Store, layout: str, names: list[str], symbols: list[str]
) -> None:
    """All of them, and named ones alone; the pattern is the layout that is recorded."""
    for name in names:
        store.put(name)
    found = _discover(store, layout)
    assert (found.symbols, found.layout, found.interval) == (symbols, layout, None)
    assert found.rejected == ()
    assert all(file.version and file.size_bytes for p in found.partitions for file in p.files)
    named = _resolve(store, [symbols[-1], "ZZZ"], layout)
    assert named.partitions == found.partitions[-1:]
    assert named.rejected == (
        Rejection("ZZZ", f"no file under {store.uri} fits the layout {layout}"),
    )
    options = {"storage_options": store.options, "layout": layout}
    assert discover_symbols_from_data_dir(store.uri, **options) == symbols


def test_the_interval_of_a_pattern_is_chosen(store: Store) -> None:
    """Named in the path, it is asked for, or the only one; other sizes are not mixed in."""
    layout = "symbol={symbol}/timeframe={interval}"
    names = [("A", "1h"), ("A", "1d"), ("B", "1d")]
    store.put_many(f"symbol={symbol}/timeframe={size}/p.parquet" for symbol, size in names)
    found = _discover(store, layout, "1d")
    assert (found.interval, found.symbols) == ("1d", ["A", "B"])
    assert [len(partition.files) for partition in found.partitions] == [1, 1]
    assert _discover(store, layout, "1h").symbols == ["A"]
    assert _resolve(store, ["A", "B"], layout, "1h").symbols == ["A"]
    several = r"holds several intervals: interval=1h \(1 symbol\), interval=1d \(2 symbols\)\. Set"
    with pytest.raises(ConfigError, match=several):
        _discover(store, layout)
    with pytest.raises(DiscoveryError, match=r"for interval=5m; found interval=1h \(1 symbol\), "):
        _discover(store, layout, "5m")


def test_two_bar_sizes_below_one_symbol_name_the_key_that_chooses(store: Store) -> None:
    """They are refused without a pattern, and one of them is read with the one that is named."""
    store.put_many(
        f"symbol=S{i}/timeframe={size}/p.parquet" for i in range(3) for size in ("1h", "1d")
    )
    with pytest.raises(DiscoveryError, match="of 3 symbols none is usable") as caught:
        discover(store.uri, None, store.options)
    told = re.search(
        r"set data\.layout to (\S+), and data\.interval to one of them", str(caught.value)
    )
    assert told is not None
    assert "timeframe=1d, timeframe=1h" in str(caught.value)
    assert _discover(store, told[1], "1h").symbols == ["S0", "S1", "S2"]


def test_a_data_dir_with_an_interval_goes_with_a_pattern_without(store: Store) -> None:
    """What both name has to agree, and may be named once."""
    store.put("interval=5m/ticker=A/p.parquet")
    assert _discover(store, "ticker={symbol}", below="/interval=5m").interval == "5m"
    assert _discover(store, "interval=5m/ticker={symbol}").interval == "5m"
    twice = r"holds interval=5m already, but the layout {interval}/ticker={symbol} looks for "
    with pytest.raises(ConfigError, match=re.escape(twice)):
        _discover(store, "{interval}/ticker={symbol}", below="/interval=5m")
    with pytest.raises(
        ConfigError, match=r"interval=5m holds interval=5m, but data\.interval asks"
    ):
        _discover(store, "ticker={symbol}", "1m", below="/interval=5m")
    with pytest.raises(ConfigError, match=r"names interval=5m, but data\.interval asks for 1m"):
        _discover(store, "interval=5m/ticker={symbol}", "1m")


@pytest.mark.parametrize(
    ("names", "proposed"),
    [
        (["ticker=A/p.parquet"], r'data\.layout: "ticker=\{symbol\}" \(discover: --layout\)'),
        (["A.parquet", "B.parquet"], r'data\.layout: "\{symbol\}\.parquet"'),
        (["exchange=X/symbol=A/p.parquet"], r'"exchange=\{exchange\}/symbol=\{symbol\}"'),
        (["date=2024-01-02/all.parquet"], "ray-pipeline import {uri} --out NEW_FOLDER"),
        (["A.csv", "B.csv"], "ray-pipeline import {uri} --out NEW_FOLDER"),
    ],
)
@pytest.mark.parametrize("layout", [None, "coin={symbol}"])
def test_the_message_proposes_what_fits(
    store: Store, names: list[str], proposed: str, layout: str | None
) -> None:
    """Where nothing is found, with a pattern or without: what is there, and how it can be read."""
    store.put_many(names)
    with pytest.raises(
        DiscoveryError, match=proposed.format(uri=store.uri) if "{uri}" in proposed else proposed
    ):
        discover(store.uri, None, store.options, layout=layout)


def test_a_pattern_is_left_out_where_none_is_needed(store: Store) -> None:
    """The layout that is read without one."""
    store.put("symbol=A/p.parquet")
    with pytest.raises(DiscoveryError, match="Leave the layout out: this is read without one"):
        _discover(store, "ticker={symbol}")


def test_a_pattern_costs_no_more_requests(s3_store: Store, s3_server: S3Server) -> None:
    """One flat listing of what may fit; with named symbols, of their folders alone."""
    s3_store.put_many(f"{top}/ticker=S{i:03}/p.parquet" for i in range(50) for top in ("1d", "1h"))
    found = _discover(s3_store, "{interval}/ticker={symbol}", "1d")
    assert len(found.symbols) == 50
    assert s3_server.n_lists() == 1
    assert "1h" not in s3_server.requests[-1].partition("?")[2]
    before = s3_server.n_lists()
    assert _resolve(s3_store, ["S007"], "{interval}/ticker={symbol}", "1d").symbols == ["S007"]
    assert s3_server.n_lists() == before + 1
