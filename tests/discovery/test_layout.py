from __future__ import annotations

import pytest

from ray_pipeline.discovery.layout import (
    decode_name,
    interval_counts,
    read_symbols,
    sort_intervals,
    symbol_folders,
)
from ray_pipeline.records import PartitionFile, Rejection


def _read(*names: str, **sizes: int) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Return symbols with the names of their files, and rejections with their reasons."""
    size = sizes.get("size", 9)
    entries = [
        PartitionFile(f"/d/{name}", 0 if name.endswith(("/", "!")) else size, "") for name in names
    ]
    partitions, rejected = read_symbols(entries, "/d")
    found = {
        partition.symbol: [file.path.removeprefix("/d/") for file in partition.files]
        for partition in partitions
    }
    return found, {item.symbol: item.reason for item in rejected}


def test_files_at_any_depth_belong_to_their_symbol() -> None:
    """One file, several files, and files in sub-folders, sorted by path."""
    found, rejected = _read(
        "symbol=B/b.parquet",
        "symbol=A/year=2024/part-1.parquet",
        "symbol=A/year=2024/part-0.parquet",
        "symbol=A/year=2023/x/y.PARQUET",
    )
    assert found == {
        "A": [
            "symbol=A/year=2023/x/y.PARQUET",
            "symbol=A/year=2024/part-0.parquet",
            "symbol=A/year=2024/part-1.parquet",
        ],
        "B": ["symbol=B/b.parquet"],
    }
    assert rejected == {}


@pytest.mark.parametrize(
    ("folder", "symbol"),
    [
        ("0700", "0700"),
        ("1E5", "1E5"),
        ("TRUE", "TRUE"),
        ("NA", "NA"),
        ("null", "null"),
        ("2024-01-01", "2024-01-01"),
        ("BRK%2FB", "BRK/B"),
        ("BTC+USDT", "BTC+USDT"),
        ("a%20b", "a b"),
        ("100%", "100%"),
        ("%C3%BC", "ü"),
        ("a=b", "a=b"),
        ("_X", "_X"),
        (".X", ".X"),
    ],
)
def test_symbols_are_text_as_written(folder: str, symbol: str) -> None:
    """Nothing is inferred, ``+`` is not a space, and a name may begin like a hidden file."""
    found, rejected = _read(f"symbol={folder}/x.parquet")
    assert list(found) == [symbol]
    assert rejected == {}


def test_symbols_are_sorted_by_code_point() -> None:
    """Capitals come before small letters, digits before both."""
    found, _ = _read(*(f"symbol={name}/x.parquet" for name in ("b", "É", "B", "a", "0", "AA", "A")))
    assert list(found) == ["0", "A", "AA", "B", "a", "b", "É"]


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["symbol=X/"], "empty folder"),
        (["symbol=X/sub/"], "empty folder"),
        (["symbol=X/", "symbol=X/a.csv", "symbol=X/b.txt"], "no parquet file (2 other files)"),
        (["symbol=X/a.parquet.gz"], "no parquet file (1 other file)"),
        (["symbol=X/a.parquet!"], "no parquet file (1 other file)"),
        (["symbol=X/_SUCCESS", "symbol=X/.a.crc"], "no parquet file (2 hidden files)"),
        (["symbol=X/_temporary/0/a.parquet"], "no parquet file (1 hidden file)"),
        (["symbol=X/.a.parquet"], "no parquet file (1 hidden file)"),
        (
            ["symbol=X/y=1/_b/a.parquet", "symbol=X/c"],
            "no parquet file (1 other file, 1 hidden file)",
        ),
        (
            ["symbol=X/interval=5m/a.parquet", "symbol=X/interval=1m/a.parquet"],
            "several bar sizes below one symbol (interval=1m, interval=5m): set data.layout to "
            "symbol={symbol}/interval={interval}, and data.interval to one of them",
        ),
        (
            ["symbol=X/a.parquet", "symbol=%58/a.parquet"],
            "2 folders decode to this symbol: symbol=%58, symbol=X",
        ),
    ],
)
def test_unusable_folder_is_rejected_with_what_was_there(names: list[str], reason: str) -> None:
    """The reason counts what the folder holds, and the other symbols are unharmed."""
    found, rejected = _read("symbol=A/a.parquet", *names)
    assert list(found) == ["A"]
    assert rejected == {"X": reason}


def test_zero_byte_parquet_files_do_not_count() -> None:
    """A symbol with nothing else is rejected; beside a real file they are left out."""
    entries = [
        PartitionFile("/d/symbol=X/a.parquet", 0, ""),
        PartitionFile("/d/symbol=X/notes.md", 5, ""),
        PartitionFile("/d/symbol=Y/a.parquet", 0, ""),
        PartitionFile("/d/symbol=Z/a.parquet", 0, ""),
        PartitionFile("/d/symbol=Z/b.parquet", 1, ""),
    ]
    partitions, rejected = read_symbols(entries, "/d")
    assert [(item.symbol, len(item.files)) for item in partitions] == [("Z", 1)]
    assert rejected == (
        Rejection("X", "only zero-byte parquet files (1 other file)"),
        Rejection("Y", "only zero-byte parquet files"),
    )


def test_two_spellings_of_one_symbol_reject_it() -> None:
    """``BRK%2FB`` and ``BRK%2fB`` are the same symbol: neither is chosen, nor are they merged."""
    found, rejected = _read("symbol=BRK%2FB/x.parquet", "symbol=BRK%2fB/x.parquet")
    assert found == {}
    assert rejected == {"BRK/B": "2 folders decode to this symbol: symbol=BRK%2FB, symbol=BRK%2fB"}


def test_folders_that_name_no_symbol_are_rejected() -> None:
    """An empty name, Hive's null and bytes that are not text are not symbols."""
    _, rejected = _read(
        "symbol=/x.parquet",
        "symbol=__HIVE_DEFAULT_PARTITION__/x.parquet",
        "symbol=%FF/x.parquet",
        "symbol=\udcff\udcff/x.parquet",
    )
    assert rejected == {
        "": "the folder names no symbol",
        "__HIVE_DEFAULT_PARTITION__": "Hive's name for rows without a symbol",
        "\ufffd": "the folder name is not UTF-8 text: 'symbol=%FF'",
        "\ufffd\ufffd": r"the folder name is not UTF-8 text: 'symbol=\udcff\udcff'",
    }


def test_what_is_no_symbol_folder_is_passed_over() -> None:
    """Files beside the folders and other folders are none of our business."""
    assert _read("symbol=A.parquet", "_SUCCESS", "Symbol=A/x.parquet", "x/symbol=A/x.parquet") == (
        {},
        {},
    )


@pytest.mark.parametrize(
    ("symbol", "folders"),
    [
        ("AAPL", ["symbol=AAPL"]),
        ("^GSPC", ["symbol=^GSPC", "symbol=%5EGSPC", "symbol=%5eGSPC"]),
        ("BRK/B", ["symbol=BRK%2FB", "symbol=BRK%2fB"]),
        ("A%2FB", ["symbol=A%252FB"]),
        ("ü", ["symbol=ü", "symbol=%C3%BC", "symbol=%c3%bc"]),
    ],
)
def test_folders_of_a_named_symbol(symbol: str, folders: list[str]) -> None:
    """As it is where that decodes to itself, and encoded; never a path of two folders."""
    assert symbol_folders(symbol) == folders
    for folder in folders:
        assert decode_name(folder.removeprefix("symbol=")) == symbol


def test_intervals_are_sorted_by_length_and_counted() -> None:
    """Minutes before hours before days, unknown names last; one symbol is singular."""
    assert sort_intervals(["1d", "tick", "15m", "1h", "1m", "1w", "30s"]) == [
        "30s",
        "1m",
        "15m",
        "1h",
        "1d",
        "1w",
        "tick",
    ]
    assert (
        interval_counts({"15m": 1, "1m": 312})
        == "interval=1m (312 symbols), interval=15m (1 symbol)"
    )
