from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

import pytest
from fake_bucket import FakeBucket, Order, StartAfter, panel_keys

from ray_pipeline.storage.s3_answers import Page
from ray_pipeline.storage.s3_pages import list_keys, list_level
from ray_pipeline.storage.s3_requests import ListRequest, list_page

if TYPE_CHECKING:
    from conftest import Store

SYMBOLS = [f"S{i:04}" for i in range(150)]


def _list(bucket: FakeBucket, name: str = "bucket", prefix: str = "symbol=") -> list[str]:
    pages = list_keys(bucket.ask, name, "root/", prefix)
    return [item.key for item in chain.from_iterable(pages)]


def _n_ranges(bucket: FakeBucket) -> int:
    """Count the ranges that were listed; the first one needs no bound of its own."""
    n_bounds = len({request.start_after for request in bucket.requests} - {""})
    return n_bounds + 1 if n_bounds else 0


def test_few_files_per_folder_are_listed_flat() -> None:
    """250 folders of one file take three pages of 100, each going on where the last one ended."""
    bucket = FakeBucket(panel_keys((f"S{i:04}" for i in range(250)), 1))
    assert _list(bucket) == sorted(bucket.keys)
    assert len(bucket.requests) == 3
    assert not any(request.by_folder for request in bucket.requests)


def test_many_files_per_folder_are_listed_in_ranges() -> None:
    """Each key comes once; requests stay below one per page, per level page and per range."""
    bucket = FakeBucket(panel_keys((f"S{i:04}" for i in range(250)), 8))
    assert sorted(_list(bucket)) == sorted(bucket.keys)
    n_ranges = _n_ranges(bucket)
    assert 8 <= n_ranges <= 10
    assert len(bucket.requests) <= 20 + 3 + n_ranges


def test_first_page_is_not_listed_again() -> None:
    """The ranges begin where the first page ended."""
    bucket = FakeBucket(panel_keys(SYMBOLS, 4))
    listed = _list(bucket)
    assert listed[:100] == sorted(bucket.keys)[:100]
    assert len(listed) == len(set(listed)) == 600
    flat = [request for request in bucket.requests if not request.by_folder]
    assert [request for request in flat if not request.token and not request.start_after] == [
        ListRequest("bucket", "root/symbol=")
    ]


def test_ranges_are_bounded_and_so_is_what_is_asked_at_once() -> None:
    """However large the bucket, there are at most 32 ranges and 16 requests at a time."""
    bucket = FakeBucket(panel_keys(SYMBOLS, 40))
    # The first range goes on by token. All others of the first sixteen wait for each other.
    together = threading.Barrier(15)
    n_come = [0]

    def meet(request: ListRequest) -> None:
        with bucket.lock:
            n_come[0] += bool(request.start_after)
            waits = bool(request.start_after) and n_come[0] <= 15
        if waits:
            together.wait(timeout=60)

    bucket.before_page = meet
    assert set(_list(bucket)) == bucket.keys
    assert _n_ranges(bucket) == 32
    assert 15 <= bucket.most_at_once <= 16


def test_short_rest_is_listed_flat() -> None:
    """Where less than four pages are left, ranges would only cost requests."""
    bucket = FakeBucket(panel_keys(SYMBOLS[:90], 4))
    assert _list(bucket) == sorted(bucket.keys)
    assert _n_ranges(bucket) == 0
    assert len(bucket.requests) == 5


def test_folders_that_fill_pages_are_a_range_each() -> None:
    """A folder of more than a page of files says nothing of how many there are in the others."""
    bucket = FakeBucket(panel_keys(("A", "AB", "B"), 250))
    assert sorted(_list(bucket)) == sorted(bucket.keys)
    assert {request.start_after for request in bucket.requests} == {
        "",
        "root/symbol=AB/",
        "root/symbol=B/",
    }


def test_many_files_that_only_a_later_page_shows_are_listed_in_ranges() -> None:
    """The choice is open until a page shows several files per folder."""
    few, many = (f"A{i:04}" for i in range(100)), (f"B{i:04}" for i in range(400))
    bucket = FakeBucket(panel_keys(few, 1) | panel_keys(many, 4))
    listed = _list(bucket)
    assert len(listed) == 1700
    assert set(listed) == bucket.keys
    assert _n_ranges(bucket) > 1


def test_names_that_begin_like_others_are_listed_once() -> None:
    """Bounds have their slash: ``BRK-A/`` comes before ``BRK/`` and ``BRK.B/`` as in S3."""
    symbols = [f"{stem}{end}" for stem in SYMBOLS[:40] for end in ("", "-A", ".B", "0", "=", "é")]
    bucket = FakeBucket(panel_keys(symbols, 4))
    listed = _list(bucket)
    assert len(listed) == len(set(listed)) == 240 * 4
    assert _n_ranges(bucket) > 1


def test_marker_of_a_folder_is_listed_once() -> None:
    """The key of a folder itself lies in the range that ends there."""
    bucket = FakeBucket(panel_keys(SYMBOLS, 4))
    bucket.keys |= {f"root/symbol={symbol}/" for symbol in SYMBOLS}
    listed = _list(bucket)
    assert len(listed) == len(set(listed)) == 150 * 5
    assert _n_ranges(bucket) > 1


def test_files_beside_the_folders_are_listed() -> None:
    """What lies directly at the level that is cut is told, too."""
    bucket = FakeBucket(panel_keys(SYMBOLS, 4))
    loose = {f"root/symbol={symbol}_$folder$" for symbol in SYMBOLS}
    bucket.keys |= loose
    assert set(_list(bucket)) == bucket.keys


def test_files_that_fall_between_two_ranges_are_listed() -> None:
    """``A.txt`` is before ``A/`` in bytes and after it in a tree: neither range would tell it."""
    # Pages of 100 are such that the file is on neither range's last page.
    keys = panel_keys(["A"], 250) | panel_keys(["B", "C"], 60)
    bucket = FakeBucket(keys, "tree", "drops_keys")
    _list(bucket)
    bounds = {request.start_after for request in bucket.requests} - {""}
    assert bounds
    bucket.keys |= {f"{bound[:-1]}.txt" for bound in bounds}
    bucket.requests.clear()
    assert set(_list(bucket)) == bucket.keys
    assert {request.start_after for request in bucket.requests} - {""} == bounds
    assert bucket.requests.count(ListRequest("bucket", "root/symbol=")) == 1


@pytest.mark.parametrize("start_after", ["known", "unknown", "skips_folder", "drops_keys"])
@pytest.mark.parametrize("names", [SYMBOLS, [*SYMBOLS, *(f"{name}-A" for name in SYMBOLS)]])
def test_server_that_keeps_a_tree_is_listed_completely(
    names: list[str], start_after: StartAfter
) -> None:
    """Whatever its order and whatever it makes of StartAfter, no key is lost."""
    bucket = FakeBucket(panel_keys(names, 4), "tree", start_after)
    bucket.keys |= {f"root/symbol={name}.txt" for name in names}
    assert set(_list(bucket)) == bucket.keys


def test_folders_out_of_order_are_listed_flat() -> None:
    """Bounds between folders that are not in the order of their keys would lose some."""
    bucket = FakeBucket(panel_keys([*SYMBOLS, "S0140-A"], 4), "tree")
    assert len(_list(bucket)) == len(bucket.keys) == 604
    assert _n_ranges(bucket) == 0
    assert len(bucket.requests) == 7 + 2


def test_keys_out_of_order_within_folders_start_the_listing_over() -> None:
    """A page that breaks the order ends the ranges, and one flat listing tells everything."""
    keys = panel_keys(SYMBOLS, 4)
    keys |= {f"root/symbol=S0100/{name}/x" for name in ("a", "a-b")}
    bucket = FakeBucket(keys, "tree")
    assert set(_list(bucket)) == bucket.keys
    assert _n_ranges(bucket) > 1
    again = ListRequest("bucket", "root/symbol=")
    assert bucket.requests.count(again) == 2


def test_keys_out_of_order_on_the_first_page_are_listed_flat() -> None:
    """Where the order can be seen to be another one, not even the folders are asked for."""
    keys = panel_keys(SYMBOLS, 4) | {f"root/symbol=S0001/{name}/x" for name in ("a", "a-b")}
    bucket = FakeBucket(keys, "tree")
    pages = list_keys(bucket.ask, "bucket", "root/", "symbol=")
    first = next(pages)
    assert [item.key for item in first] != sorted(item.key for item in first)
    next(pages)
    assert not any(request.by_folder for request in bucket.requests)
    assert {item.key for item in chain(first, *pages)} <= bucket.keys


@pytest.mark.parametrize("start_after", ["unknown", "skips_folder"])
def test_start_after_that_is_not_honoured_starts_the_listing_over(start_after: StartAfter) -> None:
    """A server that does not know StartAfter, or passes over a folder, is found out."""
    bucket = FakeBucket(panel_keys(SYMBOLS, 4), start_after=start_after)
    assert set(_list(bucket)) == bucket.keys
    assert bucket.requests.count(ListRequest("bucket", "root/symbol=")) == 2


@pytest.mark.parametrize("order", ["none", "bytes"])
def test_directory_bucket_is_listed_flat(order: Order) -> None:
    """S3 Express knows no StartAfter and has keys in order only by chance: its name says so."""
    bucket = FakeBucket(panel_keys(SYMBOLS, 4), order, "unknown")
    assert set(_list(bucket, "panels--use1-az5--x-s3")) == bucket.keys
    assert len(bucket.requests) == 6


def test_denied_level_goes_on_flat() -> None:
    """Listing with a delimiter may be denied where listing without is not."""

    def deny(request: ListRequest) -> None:
        if request.by_folder:
            raise PermissionError(13, "Access Denied")

    bucket = FakeBucket(panel_keys(SYMBOLS, 4), before_page=deny)
    assert _list(bucket) == sorted(bucket.keys)
    assert len(bucket.requests) == 7


def test_failure_in_one_range_ends_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one request meets is raised, and no other is sent than those on their way."""
    ending = threading.Event()

    class Pool(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            super().shutdown(wait=False, cancel_futures=cancel_futures)
            ending.set()
            super().shutdown(wait=wait)

    monkeypatch.setattr("ray_pipeline.storage.s3_pages.ThreadPoolExecutor", Pool)
    bucket = FakeBucket(panel_keys(SYMBOLS, 80))
    n_of_ranges = [0]

    def fail(request: ListRequest) -> None:
        if request.by_folder or not (request.start_after or request.token):
            return
        with bucket.lock:
            n_of_ranges[0] += 1
            is_first = n_of_ranges[0] == 1
        if is_first:
            raise TimeoutError("gone")
        ending.wait(60)

    bucket.before_page = fail
    with pytest.raises(TimeoutError, match="gone"):
        _list(bucket)
    # Of 32 ranges. The thread that failed may have taken one more.
    assert n_of_ranges[0] <= 17
    assert not [each for each in threading.enumerate() if "ThreadPool" in each.name]


def test_listing_that_nobody_waits_for_ends() -> None:
    """A caller that stops in between leaves no thread behind that goes on asking."""
    bucket = FakeBucket(panel_keys(SYMBOLS, 80))
    pages = list_keys(bucket.ask, "bucket", "root/", "symbol=")
    for _ in range(4):
        next(pages)
    pages.close()  # type: ignore[attr-defined]
    assert len(bucket.requests) < 100
    assert not [each for each in threading.enumerate() if "ThreadPool" in each.name]


def _changing(change: Callable[[FakeBucket, int], None]) -> FakeBucket:
    bucket = FakeBucket(panel_keys(SYMBOLS, 8))

    def before(_: ListRequest) -> None:
        with bucket.lock:
            change(bucket, len(bucket.requests))

    bucket.before_page = before
    return bucket


def test_bucket_that_grows_while_it_is_listed() -> None:
    """All that was there comes once; what appears may come or not, in new folders as well."""
    bucket = _changing(lambda it, n: it.keys.update(panel_keys([f"S{n * 7:04}-NEW", f"T{n}"], 3)))
    before = set(bucket.keys)
    listed = _list(bucket)
    assert len(listed) == len(set(listed))
    assert before <= set(listed) <= bucket.keys
    assert any("symbol=T" in key for key in listed)
    assert _n_ranges(bucket) > 1


def test_bucket_that_shrinks_while_it_is_listed() -> None:
    """Files and whole folders that go are not an error, and what stays is there."""

    def shrink(bucket: FakeBucket, n: int) -> None:
        gone = tuple(f"root/symbol=S{i:04}/" for i in range(n * 9, n * 9 + 2))
        bucket.keys = {key for key in bucket.keys if not key.startswith(gone)}
        bucket.keys -= {f"root/symbol={symbol}/{n:05}.parquet" for symbol in SYMBOLS}

    bucket = _changing(shrink)
    before = set(bucket.keys)
    listed = set(_list(bucket))
    assert bucket.keys <= listed <= before
    assert _n_ranges(bucket) > 1


def test_page_without_keys_is_not_the_end() -> None:
    """S3 may answer with an empty page and say that more follows."""
    bucket = FakeBucket(panel_keys(SYMBOLS, 4))
    n_emptied = [0]

    def ask(request: ListRequest) -> object:
        page = bucket.ask(request)
        if page.token and n_emptied[0] < 5 and request.token:
            n_emptied[0] += 1
            return replace(page, objects=[], token=request.token)
        return page

    pages = list_keys(ask, "bucket", "root/", "symbol=")  # type: ignore[arg-type]
    assert {item.key for item in chain.from_iterable(pages)} == bucket.keys
    assert n_emptied[0] > 1
    assert bucket.requests.count(ListRequest("bucket", "root/symbol=")) == 1


@pytest.mark.parametrize("server", ["s3_store", "seaweedfs_store"])
@pytest.mark.parametrize("more", [[], ["S0031-A", "S0031.B"]])
def test_servers_are_listed_completely(
    server: str, more: list[str], request: pytest.FixtureRequest
) -> None:
    """In ranges where the folders come in the order of their keys, flat where they do not."""
    store: Store = request.getfixturevalue(server)
    names = [f"symbol={symbol}/{i:05}.parquet" for symbol in SYMBOLS[:40] + more for i in range(5)]
    store.put_many(names)
    for symbol in SYMBOLS[:40:7]:
        store.put_folder(f"symbol={symbol}")
    store.put("symbol=S0031.txt")
    asked: list[ListRequest] = []

    def ask(one: ListRequest) -> Page:
        asked.append(one)
        return list_page(store.fs, replace(one, max_keys=20))

    bucket, _, folder = store.path.partition("/")
    pages = list_keys(ask, bucket, f"{folder}/", "symbol=")
    listed = {item.key.removeprefix(f"{folder}/") for item in chain.from_iterable(pages)}
    assert {name for name in listed if name[-1] != "/"} == {*names, "symbol=S0031.txt"}
    keeps_a_tree = server == "seaweedfs_store" and more
    assert any(one.start_after for one in asked) == (not keeps_a_tree)


def test_level_is_asked_for_no_more_than_wanted() -> None:
    """A limit ends the listing of a level as soon as it is reached."""
    bucket = FakeBucket(panel_keys((f"S{i:04}" for i in range(250)), 1) | {"root/a"})
    objects, folders = list_level(bucket.ask, ListRequest("bucket", "root/"), 3)
    assert [item.key for item in objects] == ["root/a"]
    assert folders == ["root/symbol=S0000/", "root/symbol=S0001/"]
    assert bucket.requests == [ListRequest("bucket", "root/", by_folder=True, max_keys=3)]
    objects, folders = list_level(bucket.ask, ListRequest("bucket", "root/"))
    assert len(folders) == 250
    assert len(bucket.requests) == 4
