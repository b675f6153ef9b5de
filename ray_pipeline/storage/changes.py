"""How a file is told from another that once had its name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from ray_pipeline.records import PartitionFile

__all__ = ["FileChangedError", "require_listed", "require_size", "version_of"]

# The keys under which fsspec's filesystems tell that a file has changed.
_VERSION_KEYS = ("ETag", "etag", "md5Hash", "mtime", "modified", "last_modified", "created")


class FileChangedError(OSError):
    """A file changed after it was listed or opened; the message says what differs."""


def version_of(info: Mapping[str, object]) -> str:
    """Return what an fsspec filesystem or S3 says of a file's version; empty if nothing."""
    return next(iter(_versions(info)), "")


def require_size(listed: PartitionFile, size_bytes: int) -> None:
    """Raise `FileChangedError` when a file has another size than was listed."""
    if size_bytes != listed.size_bytes:
        raise FileChangedError(
            f"had {listed.size_bytes} bytes when it was listed and has {size_bytes} now"
        )


def require_listed(listed: PartitionFile, info: Mapping[str, object]) -> None:
    """Raise `FileChangedError` when a file has another size or version than was listed."""
    require_size(listed, int(str(info["size"])))
    # Some filesystems tell more of one file than of each in a listing: any of it may agree.
    versions = _versions(info)
    if listed.version and versions and listed.version not in versions:
        raise FileChangedError(
            f"was version {listed.version} when it was listed and is {versions[0]} now"
        )


def _versions(info: Mapping[str, object]) -> list[str]:
    values = (info[key] for key in _VERSION_KEYS if info.get(key))
    return [
        value.isoformat() if isinstance(value, datetime) else str(value).strip('"')
        for value in values
    ]
