"""What lies below a folder, from one flat listing (object stores) or one walk (disks)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath
from typing import TypeAlias

from ray_pipeline.errors import StorageError
from ray_pipeline.records import PartitionFile, Unlisted
from ray_pipeline.storage.changes import version_of
from ray_pipeline.storage.failures import storage_errors
from ray_pipeline.storage.filesystems import FileSystem, is_local, is_s3, uri_of
from ray_pipeline.storage.local_listing import is_at_fault, local_entries, local_names
from ray_pipeline.storage.s3_errors import error_code
from ray_pipeline.storage.s3_pages import list_keys, list_level
from ray_pipeline.storage.s3_requests import ListRequest, list_page

__all__ = [
    "Listing",
    "Progress",
    "folder_at_fault",
    "list_entries",
    "list_files",
    "list_folders",
    "list_names",
    "listing_denied",
]

Progress = Callable[[int], None]

_List: TypeAlias = Callable[[FileSystem, str, str], Iterator[Sequence[PartitionFile | Unlisted]]]

# Expired or unknown credentials are a PermissionError as well, but no other prefix would help.
_DENIALS = frozenset({"", "403", "AccessDenied", "Forbidden"})


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies below a folder.

    Attributes
    ----------
    entries
        Files, and the folders that are known to be empty, sorted by path. An empty folder is an
        entry of zero bytes whose path ends in a slash, which is also how object stores mark one.
    unlisted
        What could not be looked at, sorted by path; on local disks alone.
    """

    entries: tuple[PartitionFile, ...]
    unlisted: tuple[Unlisted, ...]


def list_files(fs: FileSystem, path: str, progress: Progress | None = None) -> list[PartitionFile]:
    """List every file below a folder.

    Parameters
    ----------
    fs
        Filesystem from `open_filesystem`.
    path
        Folder inside it; a missing one has no files.
    progress
        Called with the number of files listed so far.

    Returns
    -------
    list of PartitionFile
        Sorted by path. Their version is the ETag on S3, the modification time in nanoseconds on
        a local disk, else what the filesystem tells about modification, if anything.

    Raises
    ------
    StorageError
        When the store refuses or cannot be reached, or something below the folder cannot be
        looked at.
    """
    found = list_entries(fs, path, progress=progress)
    for each in found.unlisted:
        if each.kind == "blocked":
            where = each.path.rstrip("/")
            raise StorageError(f"Cannot list {uri_of(fs, path)}: {each.reason}: {where}.")
    return [entry for entry in found.entries if entry.path[-1] != "/"]


def list_entries(
    fs: FileSystem, path: str, prefix: str = "", progress: Progress | None = None
) -> Listing:
    """List what lies at ``path/prefix…``; what cannot be looked at there ends no listing.

    Raises
    ------
    StorageError
        When the store refuses or cannot be reached, or the folder itself cannot be listed.
    """
    listed: _List = _local_entries if is_local(fs) else _s3_entries if is_s3(fs) else _other_entries
    # By path, because a listing that has to start over tells an object twice.
    entries: dict[str, PartitionFile] = {}
    unlisted: list[Unlisted] = []
    with storage_errors("list", uri_of(fs, path)):
        try:
            for page in listed(fs, path, prefix):
                unlisted += [each for each in page if isinstance(each, Unlisted)]
                entries |= {each.path: each for each in page if isinstance(each, PartitionFile)}
                if progress is not None:
                    progress(len(entries))
        except (FileNotFoundError, NotADirectoryError):
            return Listing((), ())
    return Listing(
        tuple(entries[path] for path in sorted(entries)),
        tuple(sorted(unlisted, key=lambda each: each.path)),
    )


def list_folders(fs: FileSystem, path: str, prefix: str = "") -> list[str]:
    """Name the direct sub-folders that begin with `prefix`, sorted; a missing folder has none."""
    return [name[:-1] for name in list_names(fs, path, prefix) if name[-1] == "/"]


def list_names(fs: FileSystem, path: str, prefix: str = "", limit: int | None = None) -> list[str]:
    """Name what lies directly in a folder, sorted; the names of folders end in a slash.

    With a limit, at most that many names come back (on an object store no more are asked for).
    """
    with storage_errors("list", uri_of(fs, path)):
        try:
            names = _level_names(fs, path, prefix, limit)
        except (FileNotFoundError, NotADirectoryError):
            return []
    return sorted(name for name in names if name.startswith(prefix) and name != "/")[:limit]


def listing_denied(error: StorageError) -> bool:
    """Whether a listing failed because it is not allowed there; it may be elsewhere."""
    cause = error.__cause__
    return isinstance(cause, PermissionError) and error_code(cause) in _DENIALS


def folder_at_fault(error: StorageError) -> bool:
    """Whether a listing failed for that folder alone: denied, or something is wrong with it."""
    cause = error.__cause__
    return listing_denied(error) or (
        isinstance(cause, OSError) and not error_code(cause) and is_at_fault(cause)
    )


def _level_names(fs: FileSystem, path: str, prefix: str, limit: int | None) -> list[str]:
    if is_local(fs):
        return local_names(path)
    start = f"{path.rstrip('/')}/"
    if is_s3(fs):
        bucket, folder = _s3_folder(fs, path)
        # One more than asked for: a folder's own marker may be among them.
        n_wanted = None if limit is None else limit + 1
        request = ListRequest(bucket, folder + prefix)
        objects, folders = list_level(partial(list_page, fs), request, n_wanted)
        keys = [*folders, *(item.key for item in objects)]
        return [key[len(folder) :] for key in keys if key != folder]
    return [
        info["name"][len(start) :] + ("/" if info["type"] == "directory" else "")
        for info in fs.ls(path, detail=True)
        if info["name"].startswith(start)
    ]


def _s3_entries(fs: FileSystem, path: str, prefix: str) -> Iterator[list[PartitionFile]]:
    bucket, folder = _s3_folder(fs, path)
    for page in list_keys(partial(list_page, fs), bucket, folder, prefix):
        yield [PartitionFile(f"{bucket}/{key}", size, etag) for key, size, etag in page]


def _s3_folder(fs: FileSystem, path: str) -> tuple[str, str]:
    """Return the bucket, and the folder's key with its slash (none for the bucket itself)."""
    bucket, key, _ = fs.split_path(path)
    return bucket, f"{key}/" if key else ""


def _local_entries(
    _fs: FileSystem, path: str, prefix: str
) -> Iterator[Sequence[PartitionFile | Unlisted]]:
    return local_entries(path, prefix)


def _other_entries(fs: FileSystem, path: str, prefix: str) -> Iterator[list[PartitionFile]]:
    found = fs.find(path, withdirs=True, detail=True)
    if list(found) in ([], [path]) and fs.isdir(path) and not prefix:
        yield [PartitionFile(f"{path}/", 0, "")]
    start = f"{path}/{prefix}"
    parents = {str(parent) for name in found for parent in PurePath(name).parents}
    yield [
        PartitionFile(f"{name}/", 0, "")
        if info["type"] == "directory"
        else PartitionFile(name, int(info.get("size") or 0), version_of(info))
        for name, info in found.items()
        if name.startswith(start) and not (info["type"] == "directory" and name in parents)
    ]
