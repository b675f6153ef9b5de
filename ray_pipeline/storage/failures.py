"""What a filesystem raises, turned into one error that names what was tried and where."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ray_pipeline.errors import StorageError
from ray_pipeline.storage.s3_errors import GaveUpError, advice, error_code, said
from ray_pipeline.wording import plural

__all__ = ["reason_of", "storage_errors"]

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
def storage_errors(action: str, uri: str) -> Iterator[None]:
    """Raise `StorageError` for whatever goes wrong with a file inside the block.

    Parameters
    ----------
    action
        What was tried, as it follows "Cannot": ``"read"``, ``"list"``…
    uri
        Where.

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
        raise StorageError(f"Cannot {action} {uri}: {_reason(error, uri)}.") from error


def reason_of(error: StorageError) -> str:
    """Return what stood in the way, without what was tried and where."""
    cause = error.__cause__ or error
    return "; ".join(filter(None, (said(cause), advice(cause))))


def _loaded(*names: tuple[str, str]) -> tuple[type[BaseException], ...]:
    kinds = (getattr(sys.modules.get(module), name, None) for module, name in names)
    return tuple(kind for kind in kinds if kind is not None)


def _reason(error: BaseException, uri: str) -> str:
    text = " ".join(said(error).split())
    if error_code(error) == "NoSuchBucket":
        text = "the bucket does not exist"
    elif isinstance(error, FileNotFoundError):
        text = "it does not exist"
    elif isinstance(error, OSError) and error.filename and not uri.endswith(str(error.filename)):
        text = f"{text}: {error.filename}"
    if isinstance(error, GaveUpError) and error.n_tries > 1:
        text = f"{text} ({plural(error.n_tries, 'try', 'tries')})"
    return "; ".join(filter(None, (text, advice(error))))
