"""The private parts of s3fs that we build on, and the version they were read in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from checked_versions import look_again

pytest.importorskip("s3fs", reason="needs ray-pipeline[s3]")

from fsspec.asyn import sync

from ray_pipeline.storage.s3_filesystem import S3FileSystem


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
