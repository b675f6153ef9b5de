"""What cannot be looked at on a local disk: it is told, and ends no listing."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from ray_pipeline.errors import StorageError
from ray_pipeline.storage import list_entries, list_files, list_folders, open_filesystem

TOO_MANY = os.strerror(errno.ELOOP)


def listed(root: Path) -> tuple[list[str], dict[str, tuple[str, str]]]:
    """Return the names of entries, and by name what was not listed."""
    fs, path = open_filesystem(root)
    found = list_entries(fs, path)
    return (
        [each.path.removeprefix(f"{path}/") for each in found.entries],
        {each.path.removeprefix(f"{path}/"): (each.kind, each.reason) for each in found.unlisted},
    )


def test_links_that_lead_nowhere_or_back(tmp_path: Path) -> None:
    """A link to itself, two to each other, one to nothing and one to a folder above it."""
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "x").write_bytes(b"x")
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "ping").symlink_to("pong")
    (tmp_path / "pong").symlink_to("ping")
    (tmp_path / "good" / "gone").symlink_to(tmp_path / "nothing")
    (tmp_path / "good" / "up").symlink_to(tmp_path)
    assert listed(tmp_path) == (
        ["good/x"],
        {
            "good/gone/": ("gone", "it is a symbolic link to nothing"),
            "good/up/": ("circle", "it is a symbolic link to a folder above it"),
            "ping/": ("blocked", TOO_MANY),
            "pong/": ("blocked", TOO_MANY),
            "self/": ("blocked", TOO_MANY),
        },
    )
    fs, path = open_filesystem(tmp_path)
    assert list_folders(fs, path) == ["good", "ping", "pong", "self"]
    # Where every file counts, an obstacle is an error.
    with pytest.raises(StorageError, match=rf"^Cannot list {path}: {TOO_MANY}: {path}/ping\.$"):
        list_files(fs, path)


def test_a_root_that_leads_back_is_an_error(tmp_path: Path) -> None:
    """Listed as a folder of its own it would hold everything else a second time."""
    (tmp_path / "x").write_bytes(b"x")
    (tmp_path / "back").symlink_to(".")
    fs, path = open_filesystem(tmp_path / "back")
    with pytest.raises(StorageError, match=rf"^Cannot list {path}: it is a symbolic link to a fol"):
        list_entries(fs, path)


def test_special_files_are_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening a named pipe would wait for ever."""
    (tmp_path / "x").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to(os.devnull)
    monkeypatch.chdir(tmp_path)  # the path of a socket has to be short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("sock")
        assert listed(tmp_path) == (
            ["x"],
            {
                "null": ("special", "it is a device, not a file"),
                "pipe": ("special", "it is a named pipe, not a file"),
                "sock": ("special", "it is a socket, not a file"),
            },
        )
        fs, path = open_filesystem(tmp_path)
        assert [file.path for file in list_files(fs, path)] == [f"{path}/x"]


@pytest.mark.parametrize("n_folders", [1, 100])
def test_folders_that_refuse_or_vanish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_folders: int
) -> None:
    """Denied, too long or removed meanwhile: the folders beside it are listed (by threads too)."""
    errors = {
        "denied": PermissionError(errno.EACCES, "Permission denied"),
        "long": OSError(errno.ENAMETOOLONG, "File name too long"),
        "gone": FileNotFoundError(errno.ENOENT, "No such file or directory"),
        "now_a_file": NotADirectoryError(errno.ENOTDIR, "Not a directory"),
    }
    good = [f"good{i:03}" for i in range(n_folders)]
    for name in (*errors, *good):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").touch()
    scandir = os.scandir

    def scan(folder: str) -> object:
        if (error := errors.get(os.path.basename(folder))) is not None:
            raise error
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", scan)
    vanished = ("gone", "it vanished while it was being listed")
    assert listed(tmp_path) == (
        [f"{name}/x" for name in good],
        {
            "denied/": ("blocked", "Permission denied"),
            "gone/": vanished,
            "long/": ("blocked", "File name too long"),
            "now_a_file/": vanished,
        },
    )


def test_a_disk_that_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says nothing of one folder, so that no folder may be left out for it."""
    (tmp_path / "a").mkdir()
    scandir = os.scandir

    def fail(folder: str) -> object:
        if folder.endswith("/a"):
            raise OSError(errno.EIO, "Input/output error", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", fail)
    fs, path = open_filesystem(tmp_path)
    with pytest.raises(StorageError, match=rf"^Cannot list {path}: Input/output error: {path}/a"):
        list_entries(fs, path)


def test_a_path_that_is_too_long(tmp_path: Path) -> None:
    """A tree deeper than a path may be long is told where it becomes too long."""
    limit = os.pathconf(tmp_path, "PC_PATH_MAX")
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / "x").touch()
    here = os.open(tmp_path / "top", os.O_RDONLY)
    try:
        for _ in range(limit // 200 + 2):
            os.mkdir("d" * 200, dir_fd=here)
            below = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
    finally:
        os.close(here)
    entries, unlisted = listed(tmp_path)
    assert entries == ["top/x"]
    ((name, told),) = unlisted.items()
    assert (len(str(tmp_path)) + len(name) > limit - 210, told) == (
        True,
        ("blocked", os.strerror(errno.ENAMETOOLONG)),
    )
