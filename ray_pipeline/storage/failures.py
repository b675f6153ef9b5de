"""What a filesystem raises, turned into one error that names what was tried and where."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ray_pipeline.errors import StorageError
from ray_pipeline.storage.filesystems import FileSystem, is_s3
from ray_pipeline.storage.s3_errors import BrokenBodyError, advice, error_code, n_requests

__all__ = ["storage_errors"]

# Not every library below fsspec raises OSErrors. Theirs can only have been raised when their
# module is loaded, so none of these optional packages is imported for it.
_FAILURES = (
    ("builtins", "OSError"),
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("aiohttp", "ClientError"),
    ("gcsfs.retry", "HttpError"),
    ("pyarrow", "ArrowException"),
)


@contextmanager
def storage_errors(action: str, uri: str, fs: FileSystem | None = None) -> Iterator[None]:
    """Raise `StorageError` for whatever goes wrong with a file inside the block.

    Parameters
    ----------
    action
        What was tried, as it follows "Cannot": ``"read"``, ``"list"``…
    uri
        Where.
    fs
        The filesystem; with an S3 one, the message says how many tries were made.

    Raises
    ------
    StorageError
        ``Cannot read s3://bucket/x: Please reduce your request rate (10 tries).``
    """
    try:
        yield
    except StorageError:
        raise
    except _loaded(*_FAILURES) as error:
        raise StorageError(f"Cannot {action} {uri}: {_reason(error, uri, fs)}.") from error


def _loaded(*names: tuple[str, str]) -> tuple[type[BaseException], ...]:
    kinds = (getattr(sys.modules.get(module), name, None) for module, name in names)
    return tuple(kind for kind in kinds if kind is not None)


def _reason(error: BaseException, uri: str, fs: FileSystem | None) -> str:
    said = (error.strerror if isinstance(error, OSError) else None) or str(error)
    text = said.strip().rstrip(".") or type(error).__name__
    if error_code(error) == "NoSuchBucket":
        text = "the bucket does not exist"
    elif isinstance(error, FileNotFoundError):
        text = "it does not exist"
    elif isinstance(error, OSError) and error.filename and not uri.endswith(str(error.filename)):
        text = f"{text}: {error.filename}"
    tries = _n_tries(error, fs)
    tried = f"{text} ({tries} tries)" if tries > 1 else text
    return "; ".join(filter(None, (tried, advice(error))))


def _n_tries(error: BaseException, fs: FileSystem | None) -> int:
    """Count requests: botocore's attempts, times the rounds of s3fs if it repeats this error."""
    if fs is None or not is_s3(fs):
        return 1
    if isinstance(error, BrokenBodyError):
        return error.n_tries
    rounds = int(fs.retries)
    told = error.__cause__ or error
    response = getattr(told, "response", None)
    if isinstance(response, dict):
        attempts = n_requests(response)
        repeated = "SlowDown" in str(told) or "reduce your request rate" in str(told)
        return attempts * rounds if repeated else attempts
    attempts = int(fs.config_kwargs["retries"].get("total_max_attempts", 1))
    if isinstance(error, _loaded(("botocore.exceptions", "HTTPClientError"))):
        return attempts * rounds
    return attempts if isinstance(error, _loaded(("botocore.exceptions", "ConnectionError"))) else 1
