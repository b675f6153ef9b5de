from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ray_pipeline.storage import list_files
from ray_pipeline.storage.s3_pages import _group_prefixes

if TYPE_CHECKING:
    from conftest import S3Server, Store


def test_few_files_per_folder_are_listed_flat(s3_store: Store, s3_server: S3Server) -> None:
    """1,001 folders of one file take two requests, not one per folder."""
    names = [f"symbol=S{i:04}/x.parquet" for i in range(1001)]
    s3_store.put_many(names)
    seen: list[int] = []
    files = list_files(s3_store.fs, s3_store.path, seen.append)
    assert [file.path for file in files] == [f"{s3_store.path}/{name}" for name in names]
    assert s3_server.n_lists() == 2
    assert seen == [1000, 1001]


def test_many_files_per_folder_are_listed_in_ranges(s3_store: Store, s3_server: S3Server) -> None:
    """Beyond a page, folders of many files are paged as several ranges, and none is lost."""
    names = [f"symbol={symbol}/{i:04}.parquet" for symbol in ("A", "AB", "B") for i in range(700)]
    names += ["notes.txt", "symbol=A_$folder$"]
    s3_store.put_many(names)
    files = list_files(s3_store.fs, s3_store.path)
    assert [file.path for file in files] == sorted(f"{s3_store.path}/{name}" for name in names)
    asked = "".join(s3_server.requests)
    assert "prefix=root%2Fsymbol%3DA&" in asked
    assert "prefix=root%2Fsymbol%3DB&" in asked
    assert s3_server.n_lists() <= 6


def test_one_folder_of_many_files_is_listed_flat(s3_store: Store, s3_server: S3Server) -> None:
    """Where there is nothing to split, nothing is listed twice but the names of the folders."""
    names = [f"symbol=A/{i:04}.parquet" for i in range(2100)]
    s3_store.put_many(names)
    files = list_files(s3_store.fs, s3_store.path)
    assert [file.path for file in files] == [f"{s3_store.path}/{name}" for name in names]
    assert s3_server.n_lists() == 4


@pytest.mark.parametrize(
    ("n_groups", "expected"),
    [
        (1, ["symbol="]),
        (2, ["symbol=A", "symbol=B"]),
        (3, ["symbol=A/", "symbol=AB/", "symbol=B/"]),
        (99, ["symbol=A/", "symbol=AB/", "symbol=B/"]),
    ],
)
def test_groups_hold_each_folder_once(n_groups: int, expected: list[str]) -> None:
    """No folder is below two of the prefixes, and there are at most as many as asked for."""
    names = ["symbol=A", "symbol=AB", "symbol=B"]
    groups = _group_prefixes(names, len("symbol="), n_groups)
    assert groups == expected
    for name in names:
        assert sum(f"{name}/x".startswith(group) for group in groups) == 1
