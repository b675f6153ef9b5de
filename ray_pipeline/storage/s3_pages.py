"""Paged S3 listings: one LIST request per 1,000 keys, several key ranges at a time.

s3fs' own ``find`` neither says how far it is nor pages ranges concurrently, and its ``glob`` and
``walk`` send one request per folder. obstore 0.12 parses pages outside of the interpreter lock and
lists 100,000 keys in half the time, but its listing ends at the first key with an empty segment
or a dot for one, tells ``symbol=A/`` as ``symbol=A``, sends no ``encoding-type``, takes no prefix
that breaks off within a name, and can neither limit nor start a listing by folder.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeAlias

from ray_pipeline.storage.s3_answers import ListedObject, Page
from ray_pipeline.storage.s3_requests import ListRequest, is_directory_bucket

__all__ = ["Ask", "list_keys", "list_level"]

Ask: TypeAlias = Callable[[ListRequest], Page]

_N_THREADS = 16
# Twice the threads, so that a range with more files than the others does not end alone.
_MAX_RANGES = 32
# A range ends in the middle of a page, on average: two pages each keep the requests below one
# and a half times those of a flat listing.
_MIN_PAGES_PER_RANGE = 2
# Learning the folder names takes one key in `files per folder`: below four files each, that
# would cost more than a quarter of the flat listing that it is to speed up.
_MIN_FILES_PER_FOLDER = 4


@dataclass(frozen=True, slots=True)
class _Range:
    """The keys beyond `after` up to and with `end` (None: to the end), next asked for so."""

    request: ListRequest
    after: str
    end: str | None


def list_keys(ask: Ask, bucket: str, folder: str, prefix: str = "") -> Iterator[list[ListedObject]]:
    """Yield the objects whose keys begin with ``folder + prefix``, page by page.

    One flat listing, unless a page of it shows that more follow with several files per folder:
    then the folders' names are listed, which cut what is left into ranges of keys, and these are
    paged concurrently. Requests stay below one per page, one per 1,000 folders, and one per
    range.

    Parameters
    ----------
    ask
        Sends one request. It is called from several threads.
    bucket
        The bucket's name.
    folder
        Key of a folder with its slash, or nothing for the bucket itself.
    prefix
        What the keys must go on with.

    Yields
    ------
    list of ListedObject
        At most 1,000 at a time, in no particular order. An object may come twice.

    Raises
    ------
    FileNotFoundError
        When the bucket does not exist.
    """
    request = ListRequest(bucket, folder + prefix)
    # Directory buckets have neither an order of keys nor StartAfter.
    may_split = not is_directory_bucket(bucket)
    page = ask(request)
    while True:
        yield page.objects
        if page.token is None:
            return
        again = replace(request, token=page.token)
        if may_split and _can_be_cut(page, folder):
            may_split = False
            objects, folders = _ordered_level(ask, request)
            ranges = _cut(again, page, folders, folder)
            if len(ranges) > 1:
                yield objects
                if (yield from _in_ranges(ask, ranges, folders, folder)):
                    return
                # Some range cannot be trusted, so that no other can: all over, in the store's
                # own order, which is complete whatever that order is.
                again = request
        page = ask(again)


def list_level(
    ask: Ask, request: ListRequest, n_wanted: int | None = None
) -> tuple[list[ListedObject], list[str]]:
    """List one level with a delimiter.

    Returns
    -------
    tuple
        Objects directly at the request's prefix and the whole keys of the folders there, with
        their slash; together at most `n_wanted` of them when given. In the store's order.
    """
    by_folder = replace(request, by_folder=True, max_keys=n_wanted)
    objects: list[ListedObject] = []
    folders: list[str] = []
    for page in _pages(ask, by_folder):
        objects += page.objects
        folders += page.folders
        if n_wanted is not None and len(objects) + len(folders) >= n_wanted:
            break
    return objects, folders


def _pages(ask: Ask, request: ListRequest) -> Iterator[Page]:
    page = ask(request)
    yield page
    while page.token is not None:
        page = ask(replace(request, token=page.token))
        yield page


def _can_be_cut(page: Page, folder: str) -> bool:
    """Whether a page shows many files per folder, and keys in order."""
    many = len(page.objects) >= _MIN_FILES_PER_FOLDER * len(_names(page.objects, folder)) > 0
    return many and _ascends([item.key for item in page.objects])


def _names(objects: Sequence[ListedObject], folder: str) -> set[str]:
    """Return the names that begin below `folder`, those of folders with their slash."""
    start = len(folder)
    return {item.key[: item.key.find("/", start) + 1] or item.key for item in objects}


def _ordered_level(ask: Ask, request: ListRequest) -> tuple[list[ListedObject], list[str]]:
    """Return the level's objects, and its folders if the store tells them in the order of keys.

    Ranges need the folders one after the other as their keys with the slash are ordered. S3 does
    that, but a store that keeps real folders may have ``BRK/`` before ``BRK-A/``.
    """
    try:
        objects, folders = list_level(ask, request)
    except PermissionError:  # the policy may allow it without a delimiter alone
        return [], []
    return objects, folders if _ascends(folders) else []


def _cut(again: ListRequest, page: Page, folders: Sequence[str], folder: str) -> list[_Range]:
    """Cut what follows the page into ranges with equal numbers of folders.

    The first one goes on from the page. The others start after a folder's key with its slash, so
    that they begin with all that lies in it. The last has no end: a folder that appears while
    this goes on is within one of them, wherever it is.
    """
    last = page.objects[-1].key
    ahead = [key for key in folders if key > last]
    # The page may have broken off within its last folder. One that fills a page alone may fill
    # any number of them.
    n_whole = len(_names(page.objects, folder)) - 1
    n_wanted = len(ahead) // n_whole // _MIN_PAGES_PER_RANGE if n_whole else len(ahead) + 1
    n_ranges = min(n_wanted, _MAX_RANGES)
    if n_ranges < 2:
        return []
    starts = [ahead[i * len(ahead) // n_ranges] for i in range(1, n_ranges)]
    return [_Range(again, last, starts[0])] + [
        _Range(replace(again, token="", start_after=after), after, end)
        for after, end in pairwise([*starts, None])
        if after is not None
    ]


def _in_ranges(
    ask: Ask, ranges: Sequence[_Range], folders: Sequence[str], folder: str
) -> Generator[list[ListedObject], None, bool]:
    """Page the ranges concurrently; return whether they can have been complete.

    They cannot when the store keeps another order than that of the keys, or passes over a folder
    that it has named, as one does that takes StartAfter for a place in its tree.
    """
    named = {key for key in folders if key > ranges[0].after}
    pool = ThreadPoolExecutor(_N_THREADS)
    try:
        waiting: dict[Future[Page], _Range] = {pool.submit(ask, it.request): it for it in ranges}
        while waiting:
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                asked, page = waiting.pop(future), future.result()
                keys = [item.key for item in page.objects]
                if not _ascends([asked.after, *keys]):
                    return False
                n_inside = len(keys) if asked.end is None else bisect_right(keys, asked.end)
                objects = page.objects[:n_inside]
                named -= _names(objects, folder)
                yield objects
                if page.token is not None and n_inside == len(keys):
                    going_on = replace(asked.request, token=page.token, start_after="")
                    rest = replace(asked, request=going_on, after=keys[-1] if keys else asked.after)
                    waiting[pool.submit(ask, going_on)] = rest
    finally:
        # After a failure nothing more is asked for than what is on its way.
        pool.shutdown(cancel_futures=True)
    return not named


def _ascends(keys: Sequence[str]) -> bool:
    # Code points are in the order of the bytes of their UTF-8.
    return all(before < after for before, after in pairwise(keys))
