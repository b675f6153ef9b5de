"""Paged S3 listings: one LIST request per 1,000 keys, several key ranges at a time.

s3fs' own ``find`` neither says how far it is nor pages ranges concurrently, and its ``glob`` and
``walk`` send one request per folder.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ray_pipeline.storage.filesystems import FileSystem

__all__ = ["list_keys", "list_level"]

_MAX_RANGES = 64
_N_THREADS = 16
# Learning the folder names takes one key in `files per folder`: below four files each, that
# would cost more than a quarter of the flat listing that it is to speed up.
_MIN_FILES_PER_FOLDER = 4


def list_keys(fs: FileSystem, path: str, prefix: str = "") -> Iterator[list[dict[str, Any]]]:
    """Yield the objects below ``path/prefix``, page by page, in no particular order.

    One flat listing, unless its first page shows that many more follow with several files per
    folder: then the folders below ``path`` are listed by name, grouped by their first
    characters, and the groups are paged concurrently. Groups are prefixes, not ``StartAfter``
    bounds, because directory buckets and some other servers do not list in key order.

    Parameters
    ----------
    fs
        An s3fs filesystem.
    path
        ``bucket`` or ``bucket/key``.
    prefix
        What the key must go on with after ``path/``.

    Yields
    ------
    list of dict
        Objects as S3 lists them (``Key``, ``Size``, ``ETag``), at most 1,000.

    Raises
    ------
    FileNotFoundError
        When the bucket does not exist.
    """
    pages = _pages(fs, path, prefix)
    first = next(pages)
    objects = first.get("Contents", [])
    below = _start(fs, path)
    folders = {item["Key"][len(below) :].split("/", 1)[0] for item in objects}
    many_per_folder = len(objects) >= _MIN_FILES_PER_FOLDER * len(folders) > 0
    groups: list[str] = []
    if first.get("IsTruncated") and many_per_folder:
        loose, names = list_level(fs, path, prefix)
        # The page may have broken off within its last folder.
        n_pages = math.ceil(len(names) / max(len(folders) - 1, 1))
        groups = _group_prefixes(names, len(prefix), min(n_pages, _MAX_RANGES))
    if len(groups) <= 1:
        yield objects
        for page in pages:
            yield page.get("Contents", [])
        return
    ranges = tuple(below + group for group in groups)
    yield [item for item in loose if not item["Key"].startswith(ranges)]
    with ThreadPoolExecutor(_N_THREADS) as pool:
        yield from pool.map(lambda group: _all_objects(fs, path, group), groups)


def list_level(
    fs: FileSystem, path: str, prefix: str = "", max_keys: int | None = None
) -> tuple[list[dict[str, Any]], list[str]]:
    """List one level with a delimiter.

    Returns
    -------
    tuple
        Objects directly at ``path/prefix…`` and the names of the folders there; together at
        most `max_keys` of them when given.
    """
    below = len(_start(fs, path))
    objects: list[dict[str, Any]] = []
    folders: list[str] = []
    for page in _pages(fs, path, prefix, delimiter="/", max_keys=max_keys):
        objects += page.get("Contents", [])
        folders += [item["Prefix"][below:-1] for item in page.get("CommonPrefixes", [])]
        if max_keys is not None and len(objects) + len(folders) >= max_keys:
            break
    return objects, folders


def _pages(
    fs: FileSystem, path: str, prefix: str, delimiter: str = "", max_keys: int | None = None
) -> Iterator[dict[str, Any]]:
    arguments: dict[str, Any] = {
        "Bucket": fs.split_path(path)[0],
        "Prefix": _start(fs, path) + prefix,
        **fs.req_kw,
    }
    if delimiter:
        arguments["Delimiter"] = delimiter
    if max_keys is not None:
        arguments["MaxKeys"] = max_keys
    while True:
        page = fs.call_s3("list_objects_v2", **arguments)
        yield page
        if not page.get("IsTruncated"):
            return
        arguments["ContinuationToken"] = page["NextContinuationToken"]


def _all_objects(fs: FileSystem, path: str, prefix: str) -> list[dict[str, Any]]:
    return [item for page in _pages(fs, path, prefix) for item in page.get("Contents", [])]


def _start(fs: FileSystem, path: str) -> str:
    key: str = fs.split_path(path)[1]
    return f"{key}/" if key else ""


def _group_prefixes(names: Iterable[str], n_fixed: int, n_groups: int) -> list[str]:
    """Return the longest equally long prefixes that make at most `n_groups` groups of folders.

    A name ends in its slash, so that each folder is below exactly one of the prefixes.
    """
    ended = [f"{name}/" for name in names]
    longest = max(map(len, ended), default=0)
    groups = {name[:n_fixed] for name in ended}
    for length in range(n_fixed + 1, longest + 1):
        finer = {name[:length] for name in ended}
        if len(finer) > n_groups:
            break
        groups = finer
    return sorted(groups)
