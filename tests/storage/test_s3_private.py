"""The private parts of s3fs and botocore that we build on, and the versions they were read in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from checked_versions import look_again

pytest.importorskip("s3fs", reason="needs ray-pipeline[s3]")

from fsspec.asyn import sync

from ray_pipeline.storage import s3_requests
from ray_pipeline.storage.s3_answers import ListedObject
from ray_pipeline.storage.s3_filesystem import S3FileSystem
from ray_pipeline.storage.s3_requests import ListRequest, list_page

if TYPE_CHECKING:
    from conftest import Store


def test_private_parts_were_read_in_this_version_of_s3fs() -> None:
    """The one method that all requests go through, and the client that they are sent with."""
    look_again("s3fs", "2026.9", "storage/s3_filesystem.py")


def test_every_request_of_s3fs_goes_through_the_method_that_we_override(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever s3fs did by another way would have neither our patience nor new credentials."""
    asked: list[str] = []

    async def once(self: S3FileSystem, method: str, *more: Any, **arguments: Any) -> Any:
        asked.append(method)
        return {"ETag": '"e"', "ContentLength": 3}

    monkeypatch.setattr(S3FileSystem, "_once", once)
    fs = S3FileSystem(anon=True, skip_instance_cache=True)
    (tmp_path / "local").write_bytes(b"abc")
    fs.pipe_file("bucket/a", b"abc")
    fs.put_file(str(tmp_path / "local"), "bucket/b")
    fs.rm_file("bucket/a")
    fs.call_s3("copy_object", Bucket="bucket")
    assert asked == ["put_object", "put_object", "delete_object", "copy_object"]
    fs.cp_file("bucket/b", "bucket/c")
    assert set(asked[4:]) <= {"head_object", "copy_object"}
    assert "copy_object" in asked[4:]


def test_the_client_of_s3fs_is_another_after_it_is_told_to_look_again() -> None:
    """By that we know whether somebody else has renewed it while we waited."""
    fs = S3FileSystem(anon=True, skip_instance_cache=True)

    async def renewed() -> tuple[Any, Any]:
        await fs.set_session()
        before = fs._s3
        await fs.set_session(refresh=True)
        return before, fs._s3

    before, after = sync(fs.loop, renewed)
    assert before is not None
    assert after is not before
    assert fs.retries == 1  # tries are ours alone


def test_private_parts_were_read_in_this_version_of_botocore() -> None:
    """The event before an answer is parsed, and what its handlers are given to change."""
    look_again("botocore", "1.43", "storage/s3_requests.py")


def test_botocore_leaves_listings_to_us(s3_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its event a listing is right, but many times slower: nothing else would tell."""

    def parsed_by_botocore(answer: Any) -> None:
        pytest.fail(f"botocore parsed the answer itself: {sorted(answer)}")

    monkeypatch.setattr(s3_requests, "page_from_botocore", parsed_by_botocore)
    s3_store.put("a.parquet", b"abc")
    bucket = s3_store.path.partition("/")[0]
    page = list_page(s3_store.fs, ListRequest(bucket, f"{s3_store.path.partition('/')[2]}/"))
    assert [type(item) for item in page.objects] == [ListedObject]
    assert page.objects[0].key.endswith("/a.parquet")
    assert page.objects[0].size_bytes == 3


def test_other_users_of_the_client_get_what_botocore_parses(s3_store: Store) -> None:
    """The handler touches no listing but our own, nor anything that is not a list of keys."""
    s3_store.put("a.parquet", b"abc")
    bucket, _, prefix = s3_store.path.partition("/")
    list_page(s3_store.fs, ListRequest(bucket, f"{prefix}/"))  # registers it
    answer = s3_store.fs.call_s3("list_objects_v2", Bucket=bucket, Prefix=f"{prefix}/")
    assert [item["Key"] for item in answer["Contents"]] == [f"{prefix}/a.parquet"]
    with pytest.raises(FileNotFoundError):
        list_page(s3_store.fs, ListRequest("no-such-bucket", ""))
