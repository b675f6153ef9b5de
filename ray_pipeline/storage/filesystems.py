"""From a URI to a filesystem and a path inside it: the only place that opens one.

Credentials are never passed on: each process finds its own in its environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TypeAlias

import fsspec
from fsspec.implementations.local import LocalFileSystem

from ray_pipeline.credentials import credential_keys, holds_password
from ray_pipeline.errors import ConfigError

__all__ = [
    "FileSystem",
    "absolute_uri",
    "is_local",
    "is_s3",
    "join",
    "open_filesystem",
    "refuse_credentials",
    "uri_of",
]

FileSystem: TypeAlias = fsspec.AbstractFileSystem

_LOCAL = frozenset({"", "file", "local"})
_S3 = frozenset({"s3", "s3a"})


def open_filesystem(
    uri: str | os.PathLike[str], storage_options: Mapping[str, object] | None = None
) -> tuple[FileSystem, str]:
    """Open the filesystem of a URI, without any listing cache.

    Parameters
    ----------
    uri
        A local path (made absolute) or any fsspec URI: ``s3://``, ``gs://``, ``file://``,
        ``memory://``…
    storage_options
        fsspec options of an object store that are not secrets. For S3, ``endpoint_url`` and
        ``region`` are understood besides the options of s3fs. Local disks and memory have none.

    Returns
    -------
    tuple
        The filesystem, and the path inside it without protocol and trailing slash.

    Raises
    ------
    ConfigError
        For a URI without a path, an unknown protocol, a missing package (with the command that
        installs it), or an option or address that holds a credential.
    """
    text = os.fspath(uri)
    if holds_password(text):
        raise ConfigError(
            f"{text.partition('://')[0]}://…: the address holds a password. Remove it: credentials "
            "come from the environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    protocol, rest = _split(text)
    if not rest.strip("/") and not (protocol in _LOCAL and rest):
        raise ConfigError(f"{text!r} names no folder: give a path or a URI such as s3://bucket/x.")
    if protocol in _LOCAL:
        return fsspec.filesystem("file", use_listings_cache=False), _local_path(rest)
    if protocol == "memory":
        return fsspec.filesystem("memory"), "/" + rest.strip("/")
    options = dict(storage_options or {})
    refuse_credentials(options)
    if protocol in _S3:
        return _open_s3(text, options), rest.strip("/")
    return _open_other(protocol, text, options)


def absolute_uri(uri: str | os.PathLike[str]) -> str:
    """Return the URI such that every process, whatever its working directory, means the same.

    Local paths become absolute (``~`` is expanded); others lose only a trailing slash.
    """
    text = os.fspath(uri)
    protocol, rest = _split(text)
    if protocol == "" and rest:
        return _local_path(rest)
    if protocol in _LOCAL and rest:
        return f"{protocol}://{_local_path(rest)}"
    return text.rstrip("/")


def join(uri: str, *parts: str) -> str:
    """Append path parts to a URI or path with single slashes.

    >>> join("s3://bucket/run/", "units", "rank/a.json")
    's3://bucket/run/units/rank/a.json'
    """
    tail = "/".join(part.strip("/") for part in parts if part.strip("/"))
    if not tail:
        return uri
    head = uri if uri.endswith("://") else uri.rstrip("/") + "/"
    return head + tail


def uri_of(fs: FileSystem, path: str) -> str:
    """Return the address of a path as a person would write it (local paths stay paths)."""
    if is_local(fs):
        return path
    protocol = fs.protocol if isinstance(fs.protocol, str) else fs.protocol[0]
    return f"{protocol}://{path.lstrip('/')}"


def is_local(fs: FileSystem) -> bool:
    """Whether the filesystem is this machine's own."""
    return isinstance(fs, LocalFileSystem)


def is_s3(fs: FileSystem) -> bool:
    """Whether the filesystem speaks S3 (Amazon's or another's)."""
    protocols = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
    return "s3" in protocols


def refuse_credentials(options: Mapping[str, object]) -> None:
    """Raise `ConfigError` when storage options hold a credential, however deep."""
    held = sorted(credential_keys(options))
    if held:
        raise ConfigError(
            f"storage_options must not hold credentials (found {', '.join(held)}): they would end "
            "up in the run directory. Put them into the environment of every worker, such as "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )


def _split(text: str) -> tuple[str, str]:
    protocol, mark, rest = text.partition("://")
    return (protocol, rest) if mark else ("", text)


def _local_path(path: str) -> str:
    absolute: str = LocalFileSystem._strip_protocol(os.path.abspath(os.path.expanduser(path)))
    return absolute


def _open_s3(uri: str, options: Mapping[str, object]) -> FileSystem:
    try:
        from ray_pipeline.storage.s3_filesystem import open_s3
    except ImportError as error:
        raise ConfigError(
            f"{uri}: reading and writing S3 needs the package s3fs, which is not installed "
            f"({error}). Run: pip install 'ray-pipeline[s3]'"
        ) from error
    return open_s3(options)


def _open_other(protocol: str, uri: str, options: dict[str, object]) -> tuple[FileSystem, str]:
    if protocol not in fsspec.available_protocols():
        raise ConfigError(
            f"{uri}: unknown storage protocol {protocol!r}. Use a local path, s3://, gs://, "
            "file://, memory:// or another protocol of fsspec."
        )
    try:
        kind = fsspec.get_filesystem_class(protocol)
    except ImportError as error:
        raise ConfigError(f"{uri}: {protocol}:// needs another package: {error}") from error
    fs = kind(**options, use_listings_cache=False)
    return fs, str(kind._strip_protocol(uri)).rstrip("/")
