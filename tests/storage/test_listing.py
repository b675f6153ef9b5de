"""The conformance suite of listings, for every kind of store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ray_pipeline.errors import StorageError
from ray_pipeline.storage import (
    list_entries,
    list_files,
    list_folders,
    list_names,
    open_filesystem,
)

if TYPE_CHECKING:
    from conftest import S3Server, Store


def _names(store: Store, prefix: str = "") -> list[str]:
    entries = list_entries(store.fs, store.path, prefix).entries
    return [entry.path.removeprefix(f"{store.path}/") for entry in entries]


def test_files_are_listed_at_any_depth_sorted_with_sizes(store: Store) -> None:
    """Every file below the folder, and only those, sorted by path."""
    store.put("b/deep/er/2.txt", b"22")
    store.put("b/1.txt", b"1")
    store.put("a.txt", b"333")
    store.put_folder("empty")
    files = list_files(store.fs, store.path)
    assert [file.path for file in files] == [
        f"{store.path}/a.txt",
        f"{store.path}/b/1.txt",
        f"{store.path}/b/deep/er/2.txt",
    ]
    assert [file.size_bytes for file in files] == [3, 1, 2]


def test_listed_paths_can_be_read(store: Store) -> None:
    """A path from a listing opens the file, whatever characters its name has."""
    for name in ("symbol=BRK%2FB/x y.parquet", "symbol=^GSPC/[1]*?.parquet", "ünï/#1+.parquet"):
        store.put(name, name.encode())
    assert len(list_files(store.fs, store.path)) == 3
    for file in list_files(store.fs, store.path):
        assert store.fs.cat_file(file.path).decode() == file.path.removeprefix(f"{store.path}/")


def test_missing_folder_has_nothing(store: Store) -> None:
    """A missing folder is not an error: an object store cannot tell it from an empty one."""
    missing = f"{store.path}/nope"
    assert list_files(store.fs, missing) == []
    assert list_folders(store.fs, missing) == []
    assert list_names(store.fs, missing) == []


def test_a_file_is_not_a_folder(store: Store) -> None:
    """Nothing lies below a file."""
    store.put("a.txt")
    assert list_files(store.fs, f"{store.path}/a.txt") == []
    assert list_names(store.fs, f"{store.path}/a.txt") == []


def test_sibling_with_the_same_beginning_is_not_below(store: Store) -> None:
    """``root/a`` does not hold the files of ``root/ab``."""
    store.put("a/1.txt")
    store.put("ab/2.txt")
    assert [file.path for file in list_files(store.fs, f"{store.path}/a")] == [
        f"{store.path}/a/1.txt"
    ]


def test_empty_folders_are_entries_that_end_in_a_slash(store: Store) -> None:
    """Folders without a file are told, full ones are not."""
    store.put("full/1.txt")
    store.put_folder("empty")
    assert _names(store) == ["empty/", "full/1.txt"]


def test_entries_can_be_confined_to_a_prefix(store: Store) -> None:
    """Only what begins with the prefix is listed."""
    for name in ("symbol=A/1", "symbol=B/1", "symbols/1", "other/1", "symbol=C"):
        store.put(name)
    assert _names(store, "symbol=") == ["symbol=A/1", "symbol=B/1", "symbol=C"]


def test_one_level_tells_folders_from_files(store: Store) -> None:
    """Names of folders end in a slash; a prefix and a limit narrow the list."""
    for name in ("b/1", "a/x/1", "a/2", "c.txt"):
        store.put(name)
    assert list_names(store.fs, store.path) == ["a/", "b/", "c.txt"]
    assert list_names(store.fs, store.path, limit=2) == ["a/", "b/"]
    assert list_names(store.fs, store.path, "b") == ["b/"]
    assert list_folders(store.fs, store.path) == ["a", "b"]
    assert list_folders(store.fs, store.path, "b") == ["b"]


def test_new_files_are_seen_at_once(store: Store) -> None:
    """Nothing is cached: a second listing sees what was written after the first."""
    store.put("a/1")
    assert _names(store) == ["a/1"]
    store.put("a/2")
    store.put("b/1")
    assert _names(store) == ["a/1", "a/2", "b/1"]
    assert list_folders(store.fs, store.path) == ["a", "b"]


def test_version_changes_with_the_content(store: Store) -> None:
    """Rewriting a file with other content of the same size gives it another version."""
    store.put("a", b"1")
    before = list_files(store.fs, store.path)[0]
    store.put("a", b"2")
    if store.kind == "local":
        os.utime(f"{store.path}/a", ns=(1, 1))  # a disk's clock may tick in milliseconds
    after = list_files(store.fs, store.path)[0]
    assert before.version
    assert '"' not in before.version
    assert before.version != after.version


def test_progress_counts_up_to_all_files(store: Store) -> None:
    """Progress never goes back and ends at the number of entries."""
    for i in range(5):
        store.put(f"symbol={i}/x")
    seen: list[int] = []
    list_files(store.fs, store.path, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 5


def test_local_version_is_the_modification_time(tmp_path: Path) -> None:
    """On a disk the version is the modification time in nanoseconds."""
    (tmp_path / "a").write_bytes(b"1")
    os.utime(tmp_path / "a", ns=(1, 1_700_000_000_123_456_789))
    fs, path = open_filesystem(tmp_path)
    assert list_files(fs, path)[0].version == "1700000000123456789"


def test_many_local_folders_are_all_scanned(tmp_path: Path) -> None:
    """More folders than one thread takes at a stretch are listed completely."""
    for i in range(200):
        (tmp_path / f"symbol={i:03}").mkdir()
        (tmp_path / f"symbol={i:03}" / "x").touch()
    fs, path = open_filesystem(tmp_path)
    seen: list[int] = []
    assert len(list_files(fs, path, seen.append)) == 200
    assert seen[-1] == 200
    assert len(seen) > 2


def test_linked_folders_are_followed_but_never_in_a_circle(tmp_path: Path) -> None:
    """A link to a folder counts as that folder; a link back to a parent is left out."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x").touch()
    root = tmp_path / "root"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "y").touch()
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "a" / "b" / "up").symlink_to(root)
    (root / "dangling").symlink_to(tmp_path / "gone")
    fs, path = open_filesystem(root)
    assert [file.path for file in list_files(fs, path)] == [f"{path}/a/b/y", f"{path}/linked/x"]


def test_unreadable_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the root and the folder below it that refused."""
    (tmp_path / "a").mkdir()
    scandir = os.scandir

    def refuse(folder: str) -> object:
        if folder.endswith("/a"):
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    fs, path = open_filesystem(tmp_path)
    with pytest.raises(StorageError, match=rf"^Cannot list {path}: Permission denied: {path}/a\.$"):
        list_files(fs, path)


def test_s3_version_is_the_bare_etag(s3_store: Store) -> None:
    """The ETag of an object written in one put is its MD5, without quotes."""
    s3_store.put("a", b"1")
    assert list_files(s3_store.fs, s3_store.path)[0].version == "c4ca4238a0b923820dcc509a6f75849b"


def test_missing_bucket_has_nothing(s3_server: S3Server) -> None:
    """A bucket that is not there is like a folder that is not there."""
    fs, path = open_filesystem("s3://no-such-bucket-here/x", s3_server.options)
    assert list_files(fs, path) == []


def test_bucket_root_can_be_listed(s3_store: Store) -> None:
    """A bucket without a prefix is a folder, too."""
    s3_store.put("a/1")
    bucket = s3_store.path.split("/")[0]
    assert [file.path for file in list_files(s3_store.fs, bucket)] == [f"{bucket}/root/a/1"]
    assert list_names(s3_store.fs, bucket) == ["root/"]
