"""Objects of S3, Amazon's or another's: whole puts, conditional ones, and ranges of one version."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from dataclasses import dataclass

import fsspec.asyn
from s3fs.core import S3_RETRYABLE_ERRORS

from ray_pipeline.records import PartitionFile, WrittenFile
from ray_pipeline.storage.changes import FileChangedError
from ray_pipeline.storage.checksums import written_bytes
from ray_pipeline.storage.filesystems import FileSystem
from ray_pipeline.storage.parquet_ranges import FOOTER_BYTES
from ray_pipeline.storage.s3_errors import (
    GaveUpError,
    MissingBucketError,
    error_code,
    http_status,
    said,
)
from ray_pipeline.storage.s3_filesystem import back_off

__all__ = ["S3Store"]

# One connection to S3 brings 85 MB/s or so, whatever the network can: longer ranges are fetched in
# parts, of the size that Amazon names
# (https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance-design-patterns.html).
_PART_BYTES = 8 << 20

# Beyond 5 GB one request copies nothing.
_TOO_LARGE = frozenset({"EntityTooLarge", "InvalidRequest"})

# A body that breaks off is asked for again; what happens before it begins is botocore's.
_BODY_TRIES = 5
_FIRST_WAIT_S = 0.1
_BROKEN = (*S3_RETRYABLE_ERRORS, ConnectionError, TimeoutError)


@dataclass(frozen=True, slots=True)
class _Answer:
    """The body of a GET, and of which object: its ETag and whole size; whether it is a range."""

    content: bytes
    etag: str
    size_bytes: int
    is_range: bool


class S3Store:
    """An `ObjectStore` on S3."""

    def __init__(self, fs: FileSystem) -> None:
        self._fs = fs

    def exists(self, path: str) -> bool:
        """Whether an object is there.

        By a GET of its first byte: a HEAD that is refused does not say why.
        """
        return self._find(path, "bytes=0-0") is not None

    def find(self, path: str) -> bytes | None:
        """Read a whole object; None where there is none."""
        found = self._find(path)
        return None if found is None else found.content

    def describe(self, path: str, expected: WrittenFile | None = None) -> WrittenFile | None:
        """Say size and checksums of an object; None where there is none.

        It is read only where its ETag is not the MD5 that is expected: servers give that of what
        came in one put, and something else of what came in parts or is encrypted.
        """
        if expected is not None:
            first = self._find(path, "bytes=0-0")
            if first is None:
                return None
            if (first.size_bytes, first.etag) == (expected.size_bytes, expected.md5):
                return expected
        content = self.find(path)
        return None if content is None else written_bytes(content)

    def write(self, path: str, content: bytes) -> None:
        """Write an object: it appears whole, by one put or the end of an upload in parts."""
        self._fs.pipe_file(path, content)

    def write_from(self, path: str, local: str) -> None:
        """Write the content of a local file."""
        self._fs.put_file(local, path)

    def swap(self, path: str, seen: bytes | None, content: bytes) -> bool:
        """Write an object if it still holds what was seen, by a conditional put.

        Some servers know no conditions and write in any case: code that relies on what was written
        has to read it again later.
        """
        found = self._find(path)
        if (None if found is None else found.content) != seen:
            return False
        condition = {"IfNoneMatch": "*"} if found is None else {"IfMatch": f'"{found.etag}"'}
        try:
            self._put(path, content, **condition)
        except OSError as error:
            status = http_status(error)
            if status == 501:
                self._put(path, content)
                return True
            if status not in {404, 409, 412}:
                raise
            # It has changed since, or this was the second try of a put whose answer was lost.
            return self.find(path) == content
        return True

    def copy(self, path: str, target: str) -> None:
        """Copy an object on the store's side."""
        bucket, key, _ = self._fs.split_path(path)
        to_bucket, to_key, _ = self._fs.split_path(target)
        source = {"Bucket": bucket, "Key": key}
        try:
            self._fs.call_s3("copy_object", Bucket=to_bucket, Key=to_key, CopySource=source)
        except OSError as error:
            if error_code(error) not in _TOO_LARGE:
                raise
            self._fs.cp_file(path, target)  # in parts

    def link(self, path: str, target: str) -> None:
        """Copy the object: it has one name alone."""
        self.copy(path, target)

    def remove(self, path: str) -> None:
        """Remove an object."""
        self._fs.rm_file(path)

    def open(self, path: str, listed: PartitionFile | None = None) -> S3File:
        """Open an object for reading ranges of it; one that was listed costs no request."""
        if listed is not None:
            return S3File(self._fs, path, listed.size_bytes, listed.version, "listed")
        tail = self._find(path, f"bytes=-{FOOTER_BYTES}")
        if tail is None:
            raise FileNotFoundError(path)
        return S3File(self._fs, path, tail.size_bytes, tail.etag, "opened", tail.content)

    def _find(self, path: str, byte_range: str | None = None) -> _Answer | None:
        try:
            answer: _Answer = fsspec.asyn.sync(self._fs.loop, _get, self._fs, path, byte_range)
        except FileNotFoundError as error:
            if error_code(error) == "NoSuchBucket":
                raise MissingBucketError(path) from error
            return None
        except OSError as error:
            if byte_range is not None and http_status(error) == 416:
                return _Answer(b"", "", 0, True)  # no range lies within an object without bytes
            raise
        return answer

    def _put(self, path: str, content: bytes, **condition: str) -> None:
        bucket, key, _ = self._fs.split_path(path)
        self._fs.call_s3("put_object", Bucket=bucket, Key=key, Body=content, **condition)


class S3File:
    """One version of an object, of which ranges are fetched at the same time.

    Parameters
    ----------
    fs, path
        Where it is.
    size_bytes, etag
        Which version; with an empty ETag any.
    known_since
        ``listed`` or ``opened``, for messages.
    tail
        Its last bytes, if they are known already.
    """

    is_remote = True

    def __init__(
        self,
        fs: FileSystem,
        path: str,
        size_bytes: int,
        etag: str,
        known_since: str,
        tail: bytes = b"",
    ) -> None:
        self._fs = fs
        self._path = path
        self._etag = etag
        self._known_since = known_since
        self._tail = tail
        self.size_bytes = size_bytes

    def fetch(self, start: int, end: int) -> Future[bytes]:
        """Start reading a range, in parts if it is long."""
        before_tail = self.size_bytes - len(self._tail)
        if start >= before_tail:
            done: Future[bytes] = Future()
            done.set_result(self._tail[start - before_tail : end - before_tail])
            return done
        return asyncio.run_coroutine_threadsafe(self._fetch(start, end), self._fs.loop)

    def close(self) -> None:
        """Do nothing: it holds no connection."""

    async def _fetch(self, start: int, end: int) -> bytes:
        cuts = [*range(start, end, _PART_BYTES), end]
        parts = await asyncio.gather(*map(self._part, cuts, cuts[1:]))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _part(self, start: int, end: int) -> bytes:
        was = f"had ETag {self._etag} when it was {self._known_since}"
        try:
            answer = await _get(self._fs, self._path, f"bytes={start}-{end - 1}", self._etag)
        except OSError as error:
            if http_status(error) in {412, 416}:
                raise FileChangedError(f"{was} and has another now") from error
            raise
        if self._etag and answer.etag != self._etag:  # the server knows no conditions
            raise FileChangedError(f"{was} and has {answer.etag} now")
        # A server without ranges sends the whole object.
        content = answer.content if answer.is_range else answer.content[start:end]
        if len(content) != end - start:
            raise FileChangedError(
                f"had {self.size_bytes} bytes when it was {self._known_since} and has "
                f"{answer.size_bytes} now"
            )
        return content


async def _get(fs: FileSystem, path: str, byte_range: str | None = None, etag: str = "") -> _Answer:
    """Get an object or a range of it, again when the body breaks off, with back-off and jitter."""
    bucket, key, _ = fs.split_path(path)
    arguments = {"Bucket": bucket, "Key": key}
    if byte_range is not None:
        arguments["Range"] = byte_range
    if etag:
        arguments["IfMatch"] = f'"{etag}"'
    n_failures = 0
    while True:
        answer = await fs.ask("get_object", **arguments)
        try:
            content = await answer["Body"].read()
            _require_whole(content, answer.get("ContentLength"))
        except _BROKEN as error:
            n_failures += 1
            if n_failures == _BODY_TRIES:
                reason = f"the answer broke off: {said(error)}"
                raise GaveUpError(reason, _BODY_TRIES) from error
        else:
            span = str(answer.get("ContentRange", ""))
            size_bytes = span.rpartition("/")[2] if span else str(len(content))
            return _Answer(content, answer["ETag"].strip('"'), int(size_bytes), bool(span))
        finally:
            answer["Body"].close()
        await back_off(n_failures, _FIRST_WAIT_S)


def _require_whole(content: bytes, length: int | None) -> None:
    if length is not None and len(content) != length:
        raise ConnectionError(f"{len(content)} of {length} bytes came")
