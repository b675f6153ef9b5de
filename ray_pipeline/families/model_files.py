"""Model files of our own: JSON documents and archives of arrays, read with suspicion."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import ArtifactError

__all__ = ["only_file", "pack_arrays", "reading", "unpack_arrays", "unpack_document"]

_DAMAGE: tuple[type[Exception], ...] = (
    *(AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError),
    *(EOFError, NotImplementedError, OSError, zipfile.BadZipFile, zlib.error),
)
"""What readers of JSON, arrays and archives raise at bytes that are not theirs."""


def only_file(family: str, files: Mapping[str, bytes], name: str) -> bytes:
    """Return the content of a model's file.

    Raises
    ------
    ArtifactError
        When there is no such file, or it is empty.
    """
    if name not in files:
        given = ", ".join(sorted(files)) or "none"
        raise ArtifactError(f"{family}: a model is saved as {name}; the files given are {given}.")
    if not files[name]:
        raise ArtifactError(f"{family}: {name} is empty.")
    return files[name]


@contextmanager
def reading(family: str, name: str, *errors: type[Exception]) -> Iterator[None]:
    """Turn what a damaged file raises inside the block into an ArtifactError.

    Parameters
    ----------
    errors
        Of the library that reads the file; those of JSON, arrays and archives are included.
    """
    try:
        yield
    except ArtifactError:
        raise
    except (*_DAMAGE, *errors) as error:
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise ArtifactError(f"{family}: {name} is damaged or of another format: {why}.") from error


def unpack_document(family: str, files: Mapping[str, bytes], name: str) -> dict[str, Any]:
    """Read a JSON document that says of which family it is.

    Raises
    ------
    ArtifactError
        When it is missing, damaged, or of another family.
    """
    content = only_file(family, files, name)
    with reading(family, name):
        document = json.loads(content)
        found = document["family"]
        _check_family(family, name, found)
        return dict(document)


def pack_arrays(family: str, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Write arrays as NumPy's own archive: no pickle, a checksum for each, equal bytes for equal.

    Parameters
    ----------
    arrays
        Numbers, booleans or text by name; objects would need pickle and are refused.
    """
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, family=np.array(family), **dict(arrays))
    return buffer.getvalue()


def unpack_arrays(family: str, files: Mapping[str, bytes], name: str) -> dict[str, NDArray[Any]]:
    """Read what `pack_arrays` wrote, every checksum compared.

    Raises
    ------
    ArtifactError
        When it is missing, damaged, of another family, or holds what only pickle could read.
    """
    content = only_file(family, files, name)
    with reading(family, name), np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = {key: archive[key] for key in archive.files}
        _check_family(family, name, str(arrays.pop("family")))
        return arrays


def _check_family(family: str, name: str, found: object) -> None:
    if found != family:
        raise ArtifactError(f"{family}: {name} is a model of the family {found!r}.")
