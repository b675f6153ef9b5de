"""Discovery on every kind of store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from ray_pipeline.discovery import discover, discover_symbols_from_data_dir, resolve_symbols
from ray_pipeline.errors import ConfigError, DiscoveryError, StorageError
from ray_pipeline.records import Discovery, Rejection

if TYPE_CHECKING:
    from conftest import S3Server, Store


def _panel(store: Store, intervals: dict[str, list[str]]) -> None:
    store.put_many(
        f"interval={interval}/symbol={symbol}/{symbol}.parquet"
        for interval, symbols in intervals.items()
        for symbol in symbols
    )


def _discover(store: Store, interval: str | None = None, below: str = "") -> Discovery:
    return discover(store.uri + below, interval, store.options)


def _resolve(store: Store, symbols: list[str], interval: str | None = None) -> Discovery:
    return resolve_symbols(store.uri, symbols, interval, store.options)


def test_current_layout_is_found(store: Store) -> None:
    """Symbols with files, sizes and versions, sorted; stray files are passed over."""
    _panel(store, {"5m": ["B", "A"]})
    store.put("interval=5m/symbol=A/year=2024/part-0.parquet", b"four")
    store.put("interval=5m/_SUCCESS")
    store.put("README.md")
    found = _discover(store)
    assert (found.data_dir, found.interval, found.layout) == (store.uri, "5m", "current")
    assert found.symbols == ["A", "B"]
    root = f"{store.path}/interval=5m"
    assert [(file.path, file.size_bytes) for file in found.partitions[0].files] == [
        (f"{root}/symbol=A/A.parquet", 1),
        (f"{root}/symbol=A/year=2024/part-0.parquet", 4),
    ]
    assert all(file.version for file in found.partitions[0].files)
    assert found.rejected == ()


def test_legacy_layout_is_found(store: Store) -> None:
    """Without an interval folder the symbols are looked for directly below the root."""
    store.put("symbol=0700/x.parquet")
    found = _discover(store)
    assert (found.interval, found.layout, found.symbols) == (None, "legacy", ["0700"])
    assert _discover(store, "5m").symbols == ["0700"]
    assert _resolve(store, ["0700"], "5m").layout == "legacy"


def test_current_layout_comes_first(store: Store) -> None:
    """Legacy folders count only when no interval folder holds a symbol folder."""
    store.put("symbol=OLD/x.parquet")
    store.put("interval=5m/notes.txt")
    assert _discover(store).symbols == ["OLD"]
    assert _discover(store, "5m").symbols == ["OLD"]
    _panel(store, {"5m": ["NEW"]})
    assert _discover(store).symbols == ["NEW"]
    assert _resolve(store, ["NEW"]).symbols == ["NEW"]


@pytest.mark.parametrize(
    ("folder", "wanted"), [("60min", "1h"), ("1H", "60m"), ("1M", "1mo"), ("daily", "1d")]
)
def test_an_interval_is_found_however_it_is_spelled(store: Store, folder: str, wanted: str) -> None:
    """The folder's own spelling is what the run calls it."""
    _panel(store, {folder: ["A"], "5m": ["B"]})
    found = _discover(store, wanted)
    assert (found.interval, found.symbols) == (folder, ["A"])
    assert _discover(store, wanted, f"/interval={folder}").symbols == ["A"]
    assert _resolve(store, ["A"], wanted).symbols == ["A"]


def test_two_spellings_of_one_interval_are_not_chosen_among(store: Store) -> None:
    """Each may be asked for as it stands; a third spelling is answered with both."""
    _panel(store, {"60min": ["A"], "1h": ["B"]})
    assert _discover(store, "1h").symbols == ["B"]
    assert _discover(store, "60min").symbols == ["A"]
    with pytest.raises(DiscoveryError, match=r"interval=60min \(1 symbol\)"):
        _discover(store, "1H")


def test_a_large_m_is_no_minute(store: Store) -> None:
    """A month's bars are not a minute's, whatever a disk makes of capital letters."""
    _panel(store, {"1M": ["A"]})
    with pytest.raises(DiscoveryError, match=r"for interval=1m; found interval=1M \(1 symbol\)"):
        _discover(store, "1m")


def test_interval_chooses_its_folder(store: Store) -> None:
    """Of several intervals only the one asked for is read."""
    _panel(store, {"1m": ["A"], "5m": ["A", "B"]})
    assert _discover(store, "1m").symbols == ["A"]
    assert _discover(store, "5m").symbols == ["A", "B"]
    assert _resolve(store, ["B"], "5m").symbols == ["B"]


def test_interval_without_symbols_is_no_choice(store: Store) -> None:
    """An interval folder that holds no symbol folder does not make the interval ambiguous."""
    _panel(store, {"5m": ["A"]})
    store.put("interval=1m/notes.txt")
    assert _discover(store).interval == "5m"


@pytest.mark.parametrize("find", [_discover, lambda store: _resolve(store, ["A"])])
def test_several_intervals_need_a_choice(store: Store, find: object) -> None:
    """The error lists the intervals by length with their symbol counts."""
    _panel(store, {"15m": ["A"], "1m": ["A", "B"]})
    message = (
        rf"^{store.uri} holds several intervals: interval=1m \(2 symbols\), interval=15m "
        r"\(1 symbol\)\. Set data\.interval to one of them\.$"
    )
    with pytest.raises(ConfigError, match=message):
        find(store)  # type: ignore[operator]
    with pytest.raises(ConfigError, match=message):
        discover_symbols_from_data_dir(store.uri, storage_options=store.options)


def test_wrong_interval_names_the_right_ones(store: Store) -> None:
    """The message says what was asked for and what is there, and the list is empty."""
    _panel(store, {"15m": ["A"], "1m": ["A", "B"]})
    store.put("symbol=OLD/x.parquet")
    message = (
        rf"^No symbol partition with parquet files under {store.uri} for interval=5m; found "
        r"interval=1m \(2 symbols\), interval=15m \(1 symbol\)\. Set data\.interval to one of "
        r"them\.$"
    )
    with pytest.raises(DiscoveryError, match=message):
        _discover(store, "5m")
    with pytest.raises(DiscoveryError, match=message):
        _resolve(store, ["A"], "5m")
    assert discover_symbols_from_data_dir(store.uri, "5m", storage_options=store.options) == []


def test_data_dir_may_be_an_interval_folder(store: Store) -> None:
    """Its interval is taken from its name; another one is an error that names both."""
    _panel(store, {"1m": ["B"], "5m": ["A"]})
    found = _discover(store, below="/interval=5m/")
    assert (found.interval, found.layout, found.symbols) == ("5m", "current", ["A"])
    assert _discover(store, "5m", "/interval=5m").symbols == ["A"]
    message = (
        rf"^{store.uri}/interval=5m holds interval=5m, but data.interval asks for 1m\. "
        rf"Set data.interval to 5m, or data_dir to {store.uri}\.$"
    )
    with pytest.raises(ConfigError, match=message):
        _discover(store, "1m", "/interval=5m")


def test_data_dir_must_not_be_a_symbol_folder(store: Store) -> None:
    """The folder of one symbol is answered with how to say that."""
    _panel(store, {"5m": ["A"]})
    message = (
        rf"^{store.uri}/interval=5m/symbol=A is the folder of one symbol\. Set data_dir to its "
        rf"parent {store.uri}/interval=5m and data\.symbols to \[A\]\.$"
    )
    with pytest.raises(ConfigError, match=message):
        _discover(store, below="/interval=5m/symbol=A")


def test_unusable_symbols_are_rejected(store: Store) -> None:
    """Empty folders, folders of other files and empty files are told apart."""
    _panel(store, {"5m": ["A", "B%2FC"]})
    store.put_folder("interval=5m/symbol=EMPTY")
    store.put("interval=5m/symbol=CSV/x.csv")
    store.put("interval=5m/symbol=ZERO/x.parquet", b"")
    found = _discover(store)
    assert found.symbols == ["A", "B/C"]
    rejected = (
        Rejection("CSV", "no parquet file (1 other file)"),
        Rejection("EMPTY", "empty folder"),
        Rejection("ZERO", "only zero-byte parquet files"),
    )
    assert found.rejected == rejected
    assert _resolve(store, ["A", "ZERO", "CSV", "EMPTY"]).rejected == rejected


def test_only_unusable_symbols_are_an_error(store: Store) -> None:
    """Symbol folders without a single usable file say why, the first few of them."""
    store.put_many(f"interval=5m/symbol=S{i}/x.csv" for i in range(7))
    message = (
        rf"^No symbol partition with parquet files under {store.uri}/interval=5m: of 7 symbols "
        r"none is usable \(S0 and all others: no parquet file \(1 other file\)\)\. These paths do "
        rf"not contain .*: ray-pipeline import {store.uri}/interval=5m --out NEW_FOLDER "
        "--interval I "
    )
    with pytest.raises(DiscoveryError, match=message):
        _discover(store)
    assert discover_symbols_from_data_dir(store.uri, storage_options=store.options) == []


def test_nothing_found_says_what_was_searched_and_what_is_there(store: Store) -> None:
    """Both layouts are named, and the first few entries of the folder."""
    store.put_many(f"panel{i}/x" for i in range(7))
    uri = store.uri
    message = (
        rf"^No symbol partition with parquet files under {uri}: searched {uri}/interval=\*/symbol="
        rf"\* \(current layout\) and {uri}/symbol=\* \(legacy layout\)\. That folder holds "
        r"panel0/, panel1/, panel2/, panel3/, panel4/ and more\.$"
    )
    with pytest.raises(DiscoveryError, match=message):
        _discover(store)
    with pytest.raises(DiscoveryError, match=rf"searched {uri}/interval=5m/symbol=\* \(current"):
        _discover(store, "5m")
    assert discover_symbols_from_data_dir(uri, storage_options=store.options) == []


def test_missing_data_dir_names_the_nearest_folder(store: Store) -> None:
    """A mistyped path is answered with what its nearest existing parent holds."""
    store.put("panel/x")
    message = rf"does not exist; the nearest one that does is {store.uri}, which holds panel/\.$"
    with pytest.raises(DiscoveryError, match=message):
        _discover(store, below="/pannel/deep")
    assert discover_symbols_from_data_dir(f"{store.uri}/no", storage_options=store.options) == []


def test_the_first_few_reasons_are_told(store: Store) -> None:
    """Symbols that cannot be used for different reasons."""
    store.put_many(f"interval=5m/symbol=S{i}/{'x' * i}_.csv" for i in range(6))
    store.put_folder("interval=5m/symbol=T")
    with pytest.raises(DiscoveryError, match=r"\(S0: .*; S1: .*; S4: [^;]*; and 2 more\)\.$"):
        _discover(store)


def test_empty_interval_folder_is_searched_for_symbols_only(store: Store) -> None:
    """With the interval in the path there is one layout to search."""
    store.put("interval=5m/x.parquet")
    message = rf"searched {store.uri}/interval=5m/symbol=\*\. That folder holds x\.parquet\. "
    with pytest.raises(DiscoveryError, match=message):
        _discover(store, below="/interval=5m")


def test_empty_data_dir_is_said_to_be_empty(store: Store) -> None:
    """A folder that exists and holds nothing is not called missing."""
    store.put_folder("panel")
    with pytest.raises(DiscoveryError, match=r"That folder is empty\.$"):
        _discover(store, below="/panel")


def test_file_as_data_dir_is_said_to_be_one(store: Store) -> None:
    """A file is not a data directory."""
    store.put("x.parquet")
    with pytest.raises(DiscoveryError, match=r"That is a file; data_dir must be a folder\.$"):
        _discover(store, below="/x.parquet")


def test_missing_bucket_is_said_to_be_missing(s3_server: S3Server) -> None:
    """Where not even the bucket exists there is no parent to name."""
    with pytest.raises(
        DiscoveryError,
        match=r"That folder does not exist, nor does any above it\. "
        r"Check that bucket no-such-bucket-here exists and can be accessed\.$",
    ):
        discover("s3://no-such-bucket-here/panel", storage_options=s3_server.options)


def test_store_that_refuses_is_no_empty_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that may not be read is an error even where an empty list is allowed."""

    def refuse(folder: str) -> object:
        raise PermissionError(13, "Permission denied", folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(StorageError, match=rf"^Cannot list {tmp_path}: Permission denied\.$"):
        discover_symbols_from_data_dir(tmp_path)


def test_progress_reaches_the_number_of_files(store: Store) -> None:
    """During a long listing, progress is reported."""
    _panel(store, {"5m": ["A", "B", "C"]})
    seen: list[int] = []
    discover(store.uri, None, store.options, progress=seen.append)
    assert seen[-1] == 3


def test_named_symbols_are_found_however_encoded(store: Store) -> None:
    """A name is looked for as it is and URL-encoded; missing ones say where it was looked."""
    _panel(store, {"5m": ["A", "BRK%2FB", "BF%2fB", "^GSPC", "OTHER"]})
    found = _resolve(store, ["^GSPC", "BF/B", "A", "BRK/B", "A", "X/Y"])
    assert found.symbols == ["A", "BF/B", "BRK/B", "^GSPC"]
    assert (found.interval, found.layout) == ("5m", "current")
    address = f"{store.uri}/interval=5m"
    assert found.rejected == (
        Rejection("X/Y", f"no folder symbol=X%2FY or symbol=X%2fY under {address}"),
    )
    by_name = {item.symbol: item for item in _discover(store).partitions}
    assert all(item == by_name[item.symbol] for item in found.partitions)


def test_named_symbol_in_two_spellings_is_rejected(store: Store) -> None:
    """As in discovery, neither folder is preferred."""
    _panel(store, {"5m": ["A", "BRK%2FB", "BRK%2fB"]})
    expected = (
        Rejection("BRK/B", "2 folders decode to this symbol: symbol=BRK%2FB, symbol=BRK%2fB"),
    )
    assert _resolve(store, ["A", "BRK/B"]).rejected == expected
    assert _discover(store).rejected == expected


def test_named_symbols_all_missing_are_an_error(store: Store) -> None:
    """A list of symbols none of which has data is a mistake in the config."""
    _panel(store, {"5m": ["A"]})
    message = (
        rf"under {store.uri}/interval=5m: of 1 symbol none is usable \(Z: no folder symbol=Z "
        rf"under {store.uri}/interval=5m\)\.$"
    )
    with pytest.raises(DiscoveryError, match=message):
        _resolve(store, ["Z"])


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        (["A", 700], r"symbols must be text; got 700 \(int\)\. Put it in quotes"),
        (["A", True], r"symbols must be text; got True \(bool\)"),
        (["A", ""], "symbols holds an empty name"),
        ([], "symbols is empty: name at least one"),
        ("AAPL", "symbols must be a list of names; got the text 'AAPL'"),
    ],
)
def test_names_must_be_text(tmp_path: Path, symbols: list[str], message: str) -> None:
    """What YAML made of an unquoted name is refused instead of searched for."""
    with pytest.raises(ConfigError, match=message):
        resolve_symbols(tmp_path, symbols)


@pytest.mark.parametrize(("interval", "layout"), [("interval=5m/", "current"), ("", "legacy")])
def test_2500_symbols_take_at_most_six_list_requests(
    s3_store: Store, s3_server: S3Server, interval: str, layout: str
) -> None:
    """An object store is listed flat: three pages for the files, a few for the layout."""
    s3_store.put_many(f"{interval}symbol=S{i:04}/x.parquet" for i in range(2500))
    found = _discover(s3_store)
    assert len(found.partitions) == 2500
    assert found.layout == layout
    assert s3_server.n_lists() <= 6
    assert len(s3_server.requests) == s3_server.n_lists()


def test_150_symbols_of_40_files_take_at_most_sixteen_list_requests(
    s3_store: Store, s3_server: S3Server
) -> None:
    """Six pages of files, in ranges: a few requests for the layout, and at most one per range."""
    s3_store.put_many(
        f"interval=5m/symbol=S{i:03}/year={year}/{part}.parquet"
        for i in range(150)
        for year in range(2015, 2025)
        for part in range(4)
    )
    found = _discover(s3_store)
    assert [len(partition.files) for partition in found.partitions] == [40] * 150
    assert s3_server.n_lists() <= 16
    assert len(s3_server.requests) == s3_server.n_lists()
    assert any("start-after=" in request for request in s3_server.requests)


def test_odd_symbols_and_markers_are_found(s3_store: Store) -> None:
    """Names come out as they were before URL-encoding, and the files can be read."""
    folders = {
        "BRK B": "BRK B",
        "A+B": "A+B",
        "BRK/B": "BRK%2FB",
        "100%": "100%25",
        "a=b": "a=b",
        "A&B<C>\"'": "A&B<C>\"'",
        "Z\u00fcrich": "Z\u00fcrich",
        "Zu\u0308rich": "Zu\u0308rich",  # another symbol, though it looks the same
        "\u65e5\u7d4c": "\u65e5\u7d4c",
    }
    for symbol, folder in folders.items():
        s3_store.put(f"interval=5m/symbol={folder}/a b+c.parquet", symbol.encode())
        s3_store.put_folder(f"interval=5m/symbol={folder}")
    s3_store.put_folder("interval=5m")
    s3_store.put("interval=5m/symbol=A_$folder$", b"")
    found = _discover(s3_store)
    assert found.symbols == sorted(folders)
    assert found.rejected == ()
    for partition in found.partitions:
        (file,) = partition.files
        assert s3_store.fs.cat_file(file.path).decode() == partition.symbol
    assert _resolve(s3_store, list(folders)).partitions == found.partitions


def test_other_intervals_are_not_listed(s3_store: Store, s3_server: S3Server) -> None:
    """With the interval given, no request goes below another one."""
    _panel(s3_store, {"1m": ["A"], "5m": ["A"]})
    _discover(s3_store, "5m")
    assert not any("interval%3D1m" in request for request in s3_server.requests)


def test_named_symbols_cost_one_request_each(s3_store: Store, s3_server: S3Server) -> None:
    """Only the named symbols' own folders are listed, and the names of the intervals."""
    _panel(s3_store, {"5m": [f"S{i:03}" for i in range(50)]})
    _resolve(s3_store, ["S007", "S011"])
    prefixes = {
        unquote(part.removeprefix("prefix="))
        for request in s3_server.requests
        for part in request.partition("?")[2].split("&")
        if part.startswith("prefix=")
    }
    below = "root/interval=5m/symbol="
    assert prefixes == {"root/interval=", below, f"{below}S007/", f"{below}S011/"}
    probes = [request for request in s3_server.requests if f"{below}&" in unquote(request)]
    assert len(probes) == 1
    assert "max-keys=21" in probes[0]
    assert s3_server.n_lists() == 4


@pytest.mark.real_data
def test_daily_stocks_are_discovered(market_data: Path) -> None:
    """505 symbols of daily bars, one file each, none rejected."""
    found = discover(market_data / "sp500_daily_2013_2018")
    assert (found.interval, found.layout) == ("1d", "current")
    assert len(found.partitions) == 505
    assert all(len(partition.files) == 1 for partition in found.partitions)
    assert found.rejected == ()
    assert {"AAPL", "BRK.B", "T"} <= set(found.symbols)


@pytest.mark.real_data
def test_crypto_is_discovered_and_resolved(market_data: Path) -> None:
    """Looking for named symbols finds the same files as looking for all."""
    root = market_data / "binance_usdt_5m_2024"
    found = discover(root)
    assert len(found.partitions) + len(found.rejected) == 30
    assert resolve_symbols(root, found.symbols[:3]).partitions == found.partitions[:3]
    assert discover_symbols_from_data_dir(root) == found.symbols
