"""What was computed for a fold is kept by what it was computed of: a panel that grows gains folds.

A fold between dates is the same fold in a longer panel. Units that walk over folds are done again,
since there is one fold more; what they compute for each of the others is found here. It is found by
a digest of all that goes into it, the very cells among them, so that a restated bar, another
feature or an edited module is another fold. A kept result is the computed one to the bit; without
it, or where it is damaged, the same is computed again.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.execution.artifacts import text_of
from ray_pipeline.identity import Identity, identity_of
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.storage import RunDirectory

__all__ = ["Arrays", "FoldMemo", "digest_of"]

Arrays = Mapping[str, NDArray[Any]]

_CHECKSUM_BYTES = 32


@dataclass(slots=True)
class FoldMemo:
    """Results of folds by digest, those of one unit; a plain one keeps nothing.

    Attributes
    ----------
    code
        The code that computes here, part of every digest; None keeps nothing.
    known
        Of earlier panels.
    used
        Of this one: what is kept for the next.
    """

    code: Identity | None = None
    known: Mapping[str, dict[str, NDArray[Any]]] = field(default_factory=dict)
    used: dict[str, Arrays] = field(default_factory=dict)

    def recall(
        self,
        parts: Iterable[object],
        compute: Callable[[], Arrays],
        is_enough: Callable[[Arrays], bool] = lambda _: True,
    ) -> Arrays:
        """Return what was computed of these parts, or compute it.

        Parameters
        ----------
        parts
            All that the result depends on: arrays, and values that a unit's spec may hold.
        is_enough
            Whether a known result holds all that is asked for now.
        """
        if self.code is None:
            return compute()
        key = digest_of(self.code, *parts)
        if key not in self.used:
            found = self.known.get(key)
            self.used[key] = compute() if found is None or not is_enough(found) else found
        return self.used[key]

    @staticmethod
    @contextmanager
    def kept(run: RunDirectory, frame: PanelFrame, module: str, *names: str) -> Iterator[FoldMemo]:
        """Read what a unit left of its folds, and leave what it used of that and computed.

        Parameters
        ----------
        frame
            Only a panel that is read up to a date is one that grows by whole folds.
        module
            Where the code is that computes, with all that it can reach.
        names
            Of the unit: not what it depends on, but what it is about.
        """
        if not frame.grows:
            yield FoldMemo()
            return
        path = "/".join(("units/folds", *(quote(name, safe="") for name in names)))
        content = run.find_bytes(f"{path}.npz")
        memo = FoldMemo(identity_of(module), _unpacked(content))
        yield memo
        is_same = memo.used.keys() == memo.known.keys()
        if not is_same or any(memo.known[key] is not found for key, found in memo.used.items()):
            # Beside the unit's own files: no record speaks of it, and the next panel replaces it.
            run.swap_bytes(f"{path}.npz", content, _packed(memo.used))


def digest_of(*parts: object) -> str:
    """Return a SHA-256 over arrays, to the bit, and over values that JSON can hold."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            content = np.ascontiguousarray(part)
            total.update(f"{content.dtype.str}{content.shape}".encode())
            total.update(content.data.cast("B") if content.size else b"")
        else:
            text = text_of(part).encode()
            total.update(len(text).to_bytes(8, "big") + text)
    return total.hexdigest()


def _packed(results: Mapping[str, Arrays]) -> bytes:
    arrays = {
        f"{key}/{name}": array for key, found in results.items() for name, array in found.items()
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    content = buffer.getvalue()
    return hashlib.sha256(content).digest() + content


def _unpacked(content: bytes | None) -> dict[str, dict[str, NDArray[Any]]]:
    """Return what `_packed` was given; nothing of what is not as it was written."""
    if content is None:
        return {}
    checksum, packed = content[:_CHECKSUM_BYTES], content[_CHECKSUM_BYTES:]
    if hashlib.sha256(packed).digest() != checksum:
        return {}
    found: dict[str, dict[str, NDArray[Any]]] = {}
    try:
        with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
            for name in arrays.files:
                key, _, of_array = name.partition("/")
                found.setdefault(key, {})[of_array] = arrays[name]
    except (ValueError, zipfile.BadZipFile):
        return {}
    return found
