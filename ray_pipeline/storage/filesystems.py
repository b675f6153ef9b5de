"""From a URI to a filesystem and a path inside it: the only place that opens one.

Credentials are never passed on: each process finds its own in its environment.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import fsspec
from fsspec.implementations.local import LocalFileSystem

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
_CREDENTIALS = frozenset(
    {
        "account_key",
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
        "connection_string",
        "key",
        "password",
        "sas_token",
        "secret",
        "token",
        "username",
    }
)
# gcsfs takes the *way* to find credentials in the option that may also hold them.
_TOKEN_METHODS = frozenset({"anon", "browser", "cache", "cloud", "google_default"})

# Standard mode is botocore's back-off with jitter. s3fs repeats a whole request on top of it
# (it alone notices a body that breaks off), by default five times: two are enough here, since
# 2 × 5 tries take about half a minute when the store keeps saying SlowDown.
_S3_ATTEMPTS = 5
_S3_ROUNDS = 2
# Twice the threads that list or read at a time; botocore's default of 10 would make them queue.
_S3_CONNECTIONS = 32


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
        installs it), or an option that holds a credential.
    """
    text = os.fspath(uri)
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
    held = sorted(set(_credential_names(options)))
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


def _credential_names(options: Mapping[str, object]) -> Iterator[str]:
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from _credential_names(value)
        elif name == "token" and value in _TOKEN_METHODS:
            continue
        elif name in _CREDENTIALS and value is not None:
            yield name


def _open_s3(uri: str, options: dict[str, object]) -> FileSystem:
    try:
        import s3fs
    except ImportError as error:
        raise ConfigError(
            f"{uri}: reading and writing S3 needs the package s3fs, which is not installed "
            f"({error}). Run: pip install 'ray-pipeline[s3]'"
        ) from error
    known = {*inspect.signature(s3fs.S3FileSystem.__init__).parameters, "profile", "region"}
    unknown = sorted(set(options) - known)
    if unknown:
        usable = sorted(known - _CREDENTIALS - {"self", "kwargs"})
        raise ConfigError(
            f"storage_options: S3 has no option {', '.join(map(repr, unknown))}. "
            f"Known are: {', '.join(usable)}."
        )
    fs = s3fs.S3FileSystem(**_s3_arguments(options))
    fs.retries = _S3_ROUNDS
    return fs


def _s3_arguments(options: dict[str, object]) -> dict[str, object]:
    region = options.pop("region", None)
    client = _mapping(options.pop("client_kwargs", None), "client_kwargs")
    if region is not None:
        client["region_name"] = region
    config = {
        "retries": {"mode": "standard", "total_max_attempts": _S3_ATTEMPTS},
        "max_pool_connections": _S3_CONNECTIONS,
    } | _mapping(options.pop("config_kwargs", None), "config_kwargs")
    return {
        **options,
        "client_kwargs": client,
        "config_kwargs": config,
        "use_listings_cache": False,
    }


def _mapping(value: object, name: str) -> dict[str, Any]:
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return dict(value)
    raise ConfigError(f"storage_options.{name} must be a mapping; got {value!r}.")


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
