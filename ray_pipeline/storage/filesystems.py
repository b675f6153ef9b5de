"""From a URI to a filesystem and a path inside it: the only place that opens one.

Credentials are never passed on: each process finds its own in its environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TypeAlias

import fsspec
from fsspec.core import strip_protocol, url_to_fs
from fsspec.implementations.local import LocalFileSystem
from fsspec.registry import known_implementations, registry

from ray_pipeline.credentials import credential_keys, secret_in_address
from ray_pipeline.errors import ConfigError
from ray_pipeline.wording import closest

__all__ = [
    "FileSystem",
    "absolute_uri",
    "is_local",
    "is_remote",
    "is_s3",
    "join",
    "open_filesystem",
    "overlap",
    "refuse_credentials",
    "uri_of",
]

FileSystem: TypeAlias = fsspec.AbstractFileSystem

_LOCAL = frozenset({"", "file", "local"})
_S3 = frozenset({"s3", "s3a"})
_ALIASES = {
    **dict.fromkeys(_LOCAL, "file"),
    **{"s3a": "s3", "gcs": "gs", "az": "abfs", "abfss": "abfs"},
}
_STORES_OF_FSSPEC = frozenset({"hdfs"})
_NAMED = ("s3://", "gs://", "az://", "file://", "memory://")


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
    if (secret := secret_in_address(text)) is not None:
        raise ConfigError(
            f"{text.partition('://')[0]}://…: the address holds {secret}. Remove it: credentials "
            "come from the environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    if any(ord(char) < 32 or 127 <= ord(char) < 160 for char in text):
        raise ConfigError(
            f"{text!r} holds control characters, which an address may not. Rename it."
        )
    protocol, rest = _split(text)
    has_folder = rest.strip("/") or (protocol in _LOCAL and rest)
    if not has_folder or text.startswith("://"):
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


def overlap(
    uri: str,
    other: str,
    options: Mapping[str, object] | None = None,
    other_options: Mapping[str, object] | None = None,
) -> bool:
    """Whether two addresses name one folder, or one of them lies inside the other.

    Symbolic links, relative paths and other spellings of a protocol are seen through. The same
    bucket at two endpoints is two places.
    """
    if _endpoint(options) != _endpoint(other_options) and not _is_path(uri):
        return False
    steps, other_steps = _steps(uri), _steps(other)
    n_shared = min(len(steps), len(other_steps))
    return steps[:n_shared] == other_steps[:n_shared]


def uri_of(fs: FileSystem, path: str) -> str:
    """Return the address of a path as a person would write it (local paths stay paths)."""
    if is_local(fs):
        return path
    protocol = fs.protocol if isinstance(fs.protocol, str) else fs.protocol[0]
    return f"{protocol}://{path.lstrip('/')}"


def is_local(fs: FileSystem) -> bool:
    """Whether the filesystem is this machine's own."""
    return isinstance(fs, LocalFileSystem)


def is_remote(uri: str) -> bool:
    """Whether an address is that of an object store, which takes requests."""
    return _split(uri)[0] not in {*_LOCAL, "memory"}


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


def _is_path(uri: str) -> bool:
    return _split(uri)[0] in _LOCAL


def _steps(uri: str) -> list[str]:
    """Split an address into its protocol and the names on the way down."""
    protocol, rest = _split(uri)
    if protocol in _LOCAL:
        rest = os.path.realpath(os.path.expanduser(rest))
    return [_ALIASES.get(protocol, protocol), *filter(None, rest.replace(os.sep, "/").split("/"))]


def _endpoint(options: Mapping[str, object] | None) -> object:
    given = dict(options or {})
    nested = given.get("client_kwargs")
    return given.get("endpoint_url") or (
        nested.get("endpoint_url") if isinstance(nested, Mapping) else None
    )


def _local_path(path: str) -> str:
    absolute = os.path.abspath(os.path.expanduser(path))
    return str(strip_protocol(f"file://{absolute}"))  # with slashes, on Windows too


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
    alternatives = f"Use a local path, {', '.join(_NAMED)} or another store that fsspec knows."
    if "::" in protocol or "::" in uri.partition("://")[2]:
        raise ConfigError(
            f"{uri}: chained addresses (::) do not name a folder that every worker could read and "
            f"write. {alternatives}"
        )
    if protocol not in known_implementations and protocol not in registry:
        meant = closest(protocol.lower(), [name.removesuffix("://") for name in _NAMED])
        hint = f"; did you mean {meant}://?" if meant else "."
        raise ConfigError(f"{uri}: unknown storage protocol {protocol!r}{hint} {alternatives}")
    # What fsspec brings along wraps other filesystems (zip, tar, reference, cached…), cannot be
    # listed (data, http), or is one connection that threads must not share (ftp, sftp, smb).
    known = str(known_implementations.get(protocol, {}).get("class", ""))
    if known.startswith("fsspec.") and protocol not in _STORES_OF_FSSPEC:
        raise ConfigError(
            f"{uri}: {protocol}:// is not a store of folders that many workers can list, read and "
            f"write at a time. {alternatives}"
        )
    try:
        # Some name the account or the server in the address.
        fs, path = url_to_fs(uri, **options, use_listings_cache=False)
    except ImportError as error:
        raise ConfigError(f"{uri}: {protocol}:// needs another package: {error}") from error
    # Whatever another package's constructor raises, the address or its options are wrong.
    except Exception as error:
        raise ConfigError(
            f"{uri}: {protocol}:// cannot be opened: {type(error).__name__}: "
            f"{' '.join(str(error).split())}. Check the address and storage_options."
        ) from error
    return fs, str(path).rstrip("/")
