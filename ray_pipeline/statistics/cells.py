"""What rows are compared within: a timestamp, or one group of its symbols (a cell of the panel)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["cells_of"]

Ints = NDArray[np.int64]


def cells_of(positions: Ints, groups: NDArray[np.int32]) -> Ints:
    """Give a number to each cell; rows of one timestamp and one group share theirs.

    Parameters
    ----------
    positions
        Timestamp of each row, from 0, shape (n_rows,).
    groups
        Number of each row's group, −1 for none, shape (n_rows,). Such a row is a cell of its own,
        so that nothing is compared with it.

    Returns
    -------
    ndarray
        From 0, ascending with the positions, shape (n_rows,).

    Examples
    --------
    >>> cells_of(np.array([0, 0, 0, 1, 1]), np.array([1, 0, 1, -1, -1], dtype=np.int32)).tolist()
    [1, 0, 1, 2, 3]
    """
    alone = np.flatnonzero(groups < 0)
    n_groups = int(groups.max(initial=-1)) + 1
    numbers = groups.astype(np.int64)
    numbers[alone] = n_groups + np.arange(len(alone))
    keys = positions * (n_groups + len(alone)) + numbers
    cells: Ints = np.unique(keys, return_inverse=True)[1]
    return cells
