"""What lies below a folder, from one flat listing (object stores) or one walk (disks)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import PurePath

from ray_pipeline.errors import StorageError
from ray_pipeline.records import PartitionFile
from ray_pipeline.storage.changes import version_of
from ray_pipeline.storage.failures import storage_errors
from ray_pipeline.storage.filesystems import FileSystem, is_local, is_s3, join, uri_of
from ray_pipeline.storage.s3_errors import error_code
from ray_pipeline.storage.s3_pages import list_keys, list_level
from ray_pipeline.storage.s3_requests import ListRequest, list_page

__all__ = [
    "Progress",
    "list_entries",
    "list_files",
    "list_folders",
    "list_names",
    "listing_denied",
]

Progress = Callable[[int], None]

_N_THREADS = 16
# Folders that one thread scans at a stretch: on a warm disk a folder takes about 5 µs, which is
# less than handing it over would.
_FOLDERS_PER_CHUNK = 64
# Expired or unknown credentials are a PermissionError as well, but no other prefix would help.
_DENIALS = frozenset({"", "403", "AccessDenied", "Forbidden"})


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
        When the store refuses or cannot be reached.
    """
    return [entry for entry in list_entries(fs, path, progress=progress) if entry.path[-1] != "/"]


def list_entries(
    fs: FileSystem, path: str, prefix: str = "", progress: Progress | None = None
) -> list[PartitionFile]:
    """List files like `list_files`, and the folders that are known to be empty.

    An empty folder is an entry of zero bytes whose path ends in a slash, which is also how
    object stores mark one. Only what lies at ``path/prefix…`` is listed.
    """
    listed = _local_entries if is_local(fs) else _s3_entries if is_s3(fs) else _other_entries
    # By path, because a listing that has to start over tells an object twice.
    entries: dict[str, PartitionFile] = {}
    with storage_errors("list", uri_of(fs, path)):
        try:
            for page in listed(fs, path, prefix):
                entries.update((entry.path, entry) for entry in page)
                if progress is not None:
                    progress(len(entries))
        except (FileNotFoundError, NotADirectoryError):
            return []
    return [entries[path] for path in sorted(entries)]


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


def _level_names(fs: FileSystem, path: str, prefix: str, limit: int | None) -> list[str]:
    if is_local(fs):
        with os.scandir(path) as scan:
            return [f"{entry.name}/" if entry.is_dir() else entry.name for entry in scan]
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


def _other_entries(fs: FileSystem, path: str, prefix: str) -> Iterator[list[PartitionFile]]:
    found = fs.find(path, withdirs=True, detail=True)
    if list(found) in ([], [path]) and fs.isdir(path) and not prefix:
        yield [PartitionFile(f"{path}/", 0, "")]
    start = f"{path}/{prefix}"
    parents = {str(parent) for name in found for parent in PurePath(name).parents}
    yield [
        PartitionFile(f"{name}/", 0, "")
        if info["type"] == "directory"
        else PartitionFile(name, int(info["size"] or 0), version_of(info))
        for name, info in found.items()
        if name.startswith(start) and not (info["type"] == "directory" and name in parents)
    ]


def _local_entries(_fs: FileSystem, path: str, prefix: str) -> Iterator[list[PartitionFile]]:
    top, folders = _scan(path)
    start = join(path, prefix) if prefix else path
    yield [entry for entry in top if entry.path.startswith(start)]
    wanted = [folder for folder in folders if folder.startswith(start)]
    if not top and not folders and not prefix:
        yield [PartitionFile(f"{path}/", 0, "")]
    chunks = [
        wanted[first : first + _FOLDERS_PER_CHUNK]
        for first in range(0, len(wanted), _FOLDERS_PER_CHUNK)
    ]
    if len(chunks) <= 1:
        yield from map(_walk, chunks)
        return
    with ThreadPoolExecutor(_N_THREADS) as pool:
        yield from pool.map(_walk, chunks)


def _walk(folders: Iterable[str]) -> list[PartitionFile]:
    found: list[PartitionFile] = []
    pending = list(folders)
    while pending:
        folder = pending.pop()
        try:
            files, below = _scan(folder)
        except FileNotFoundError:
            continue  # removed since its parent was scanned
        found += files if files or below else [PartitionFile(f"{folder}/", 0, "")]
        pending += below
    return found


def _scan(folder: str) -> tuple[list[PartitionFile], list[str]]:
    """Return the regular files and the sub-folders of one folder, following links."""
    files: list[PartitionFile] = []
    folders: list[str] = []
    with os.scandir(folder) as scan:
        for entry in scan:
            path = f"{folder.rstrip('/')}/{entry.name}"
            if entry.is_dir():
                if not (entry.is_symlink() and _leads_back(path)):
                    folders.append(path)
            elif entry.is_file():
                try:
                    status = entry.stat()
                except FileNotFoundError:
                    continue  # removed since the folder was opened
                files.append(PartitionFile(path, status.st_size, str(status.st_mtime_ns)))
    return files, folders


def _leads_back(link: str) -> bool:
    target = os.stat(link)
    return any(os.path.samestat(target, os.stat(parent)) for parent in PurePath(link).parents)
