"""What is wrong with one symbol's folder costs that symbol alone."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ray_pipeline.discovery import discover, resolve_symbols
from ray_pipeline.discovery.layout import read_symbols
from ray_pipeline.errors import DiscoveryError
from ray_pipeline.records import Discovery, PartitionFile, Rejection, Unlisted

Spoil = Callable[[Path], None]

TOO_MANY = os.strerror(errno.ELOOP)


def put(root: Path, symbol: str, name: str = "x.parquet") -> Path:
    path = root / "interval=5m" / f"symbol={symbol}" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path.parent


def link_to_itself(folder: Path) -> None:
    folder.symlink_to(folder.name)


def circle_of_links(folder: Path) -> None:
    folder.symlink_to("other")
    (folder.parent / "other").symlink_to(folder.name)


def link_to_its_parent(folder: Path) -> None:
    folder.symlink_to("..")


def dangling_link(folder: Path) -> None:
    folder.symlink_to(folder.parent / "nothing")


def dangling_file(folder: Path) -> None:
    folder.mkdir()
    (folder / "a.parquet").write_bytes(b"x")
    (folder / "b.parquet").symlink_to("nothing")


def looping_file(folder: Path) -> None:
    folder.mkdir()
    (folder / "a.parquet").write_bytes(b"x")
    (folder / "b.parquet").symlink_to("b.parquet")


def looping_year(folder: Path) -> None:
    folder.mkdir()
    (folder / "a.parquet").write_bytes(b"x")
    (folder / "year=2023").symlink_to("year=2023")


def named_pipe(folder: Path) -> None:
    folder.mkdir()
    (folder / "a.parquet").write_bytes(b"x")
    os.mkfifo(folder / "b.parquet")


def pipe_alone(folder: Path) -> None:
    folder.mkdir()
    os.mkfifo(folder / "queue")


SPOILT: list[tuple[Spoil, str]] = [
    (link_to_itself, f"its folder cannot be listed: {TOO_MANY}"),
    (circle_of_links, f"its folder cannot be listed: {TOO_MANY}"),
    (
        link_to_its_parent,
        "its folder cannot be listed: it is a symbolic link to a folder above it",
    ),
    (dangling_file, "b.parquet cannot be listed: it is a symbolic link to nothing"),
    (looping_file, f"b.parquet cannot be listed: {TOO_MANY}"),
    (looping_year, f"year=2023 cannot be listed: {TOO_MANY}"),
    (named_pipe, "b.parquet cannot be listed: it is a named pipe, not a file"),
    (pipe_alone, "empty folder"),
]


def both_ways(root: Path, *symbols: str) -> list[Discovery]:
    """Discover all symbols, and look for those named."""
    return [discover(root), resolve_symbols(root, symbols), resolve_symbols(root, symbols, "5m")]


@pytest.mark.parametrize(
    ("spoil", "reason"), SPOILT, ids=lambda value: getattr(value, "__name__", "")
)
def test_spoilt_folder_is_rejected(tmp_path: Path, spoil: Spoil, reason: str) -> None:
    """It has its reason, whether symbols are discovered or named, and the others are found."""
    for symbol in ("A", "Z"):
        put(tmp_path, symbol)
    spoil(tmp_path / "interval=5m" / "symbol=BAD")
    for found in both_ways(tmp_path, "A", "BAD", "Z"):
        assert (found.symbols, found.interval) == (["A", "Z"], "5m")
        assert found.rejected == (Rejection("BAD", reason),)


def test_dangling_link_is_rejected(tmp_path: Path) -> None:
    """A link to nothing is a folder that does not exist to anyone who asks for it by name."""
    put(tmp_path, "A")
    dangling_link(tmp_path / "interval=5m" / "symbol=BAD")
    assert discover(tmp_path).rejected == (
        Rejection("BAD", "its folder cannot be listed: it is a symbolic link to nothing"),
    )
    address = tmp_path / "interval=5m"
    assert resolve_symbols(tmp_path, ["A", "BAD"]).rejected == (
        Rejection("BAD", f"no folder symbol=BAD under {address}"),
    )


def test_harmless_oddities_cost_nothing(tmp_path: Path) -> None:
    """Hidden ones, links back to what is listed anyway, and pipes that are not Parquet files."""
    folder = put(tmp_path, "A")
    (folder / ".old").symlink_to(".old")
    (folder / "_temporary").symlink_to("nothing")
    (folder / "up").symlink_to("..")
    os.mkfifo(folder / "lock")
    (found, *_) = both_ways(tmp_path, "A")
    assert (found.symbols, found.rejected) == (["A"], ())
    assert [file.path for file in found.partitions[0].files] == [str(folder / "x.parquet")]


def test_folders_that_are_denied_or_vanish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that may not be read and one removed during the listing."""
    for symbol in ("A", "DENIED", "GONE", "Z"):
        put(tmp_path, symbol)
    put(tmp_path, "DEEP", "year=2024/x.parquet")
    scandir = os.scandir

    def scan(folder: str) -> object:
        if folder.endswith(("symbol=DENIED", "year=2024")):
            raise PermissionError(errno.EACCES, "Permission denied", folder)
        if folder.endswith("symbol=GONE"):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", scan)
    denied = (
        Rejection("DEEP", "year=2024 cannot be listed: Permission denied"),
        Rejection("DENIED", "its folder cannot be listed: Permission denied"),
    )
    gone = Rejection("GONE", "its folder cannot be listed: it vanished while it was being listed")
    assert discover(tmp_path).rejected == (*denied, gone)
    named = resolve_symbols(tmp_path, ["A", "DEEP", "DENIED", "GONE", "Z"])
    assert named.symbols == ["A", "Z"]
    assert named.rejected[:2] == denied


@pytest.mark.parametrize("name", ["N" * 300, "A\0B"])
def test_names_that_no_disk_holds(tmp_path: Path, name: str) -> None:
    """A named symbol whose folder cannot exist is rejected like any other that is missing."""
    put(tmp_path, "A")
    found = resolve_symbols(tmp_path, ["A", name])
    assert found.symbols == ["A"]
    (rejection,) = found.rejected
    assert rejection.symbol == name
    assert rejection.reason.startswith(("its folder cannot be listed: File name", "no folder"))


def test_nothing_but_spoilt_folders(tmp_path: Path) -> None:
    """Then there is no panel, and the message says what is wrong with them."""
    (tmp_path / "interval=5m").mkdir()
    link_to_itself(tmp_path / "interval=5m" / "symbol=BAD")
    message = rf"of 1 symbol none is usable \(BAD: its folder cannot be listed: {TOO_MANY}\)\.$"
    for find in (lambda: discover(tmp_path), lambda: resolve_symbols(tmp_path, ["BAD"])):
        with pytest.raises(DiscoveryError, match=message):
            find()


def test_what_is_beside_the_symbols_is_passed_over() -> None:
    """Neither an unlisted file nor a folder of another name is a symbol."""
    partitions, rejected = read_symbols(
        [PartitionFile("/d/symbol=A/a.parquet", 1, "")],
        "/d",
        [
            Unlisted("/d/notes/", "it is a symbolic link to nothing", "gone"),
            Unlisted("/d/symbol=PIPE", "it is a named pipe, not a file", "special"),
        ],
    )
    assert ([item.symbol for item in partitions], rejected) == (["A"], ())
