"""What a family must offer to train on more rows than memory holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.families.protocol import Model
from ray_pipeline.records import Task

__all__ = ["RowStream", "StreamedProblem", "StreamingFamily"]


class RowStream(Protocol):
    """Training rows that are read block by block, as often as needed, always in one order."""

    @property
    def block_rows(self) -> tuple[int, ...]:
        """Rows of each block, each at least 1."""
        ...

    def block(self, index: int) -> NDArray[np.float32]:
        """Read a block, shape (block_rows[index], n_features), NaN = missing."""
        ...


@dataclass(frozen=True, slots=True)
class StreamedProblem:
    """One target to fit on rows that are streamed.

    Attributes
    ----------
    rows
        Features of the training rows.
    y
        Labels of the training rows in the order of the blocks, finite, shape (n_rows,).
    task, seed
        As in `Problem`.
    weights
        Weight of each row, finite and above 0, shape (n_rows,); None weighs all alike.
    positions
        Panel position of each row, best ascending within a block, shape (n_rows,); None: the rows
        come in the order of time.
    offsets, groups
        As in `Problem`, shape (n_rows,).
    """

    rows: RowStream
    y: NDArray[np.float64]
    task: Task
    seed: int
    weights: NDArray[np.float64] | None = None
    positions: NDArray[np.int64] | None = None
    offsets: NDArray[np.float64] | None = None
    groups: NDArray[np.int64] | None = None

    def in_time(self) -> NDArray[np.int64]:
        """Return the rows in the order of time, those of a position in the order of the blocks."""
        if self.positions is None:
            return np.arange(len(self.y))
        return np.argsort(self.positions, kind="stable")


@runtime_checkable
class StreamingFamily(Protocol):
    """A family that keeps streamed rows in a compact form of its own."""

    def fit_streamed(
        self,
        sample: NDArray[np.float32],
        feature_names: Sequence[str],
        problem: StreamedProblem,
        hyperparameters: Mapping[str, Any],
    ) -> Model:
        """Fit one model.

        Parameters
        ----------
        sample
            Rows to learn scales and bins from, shape (n_sample, n_features), NaN = missing: like
            the streamed ones, none of them is of a test fold.
        """
        ...
