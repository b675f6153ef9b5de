"""How much of a label is its own, where labels overlap in time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["average_uniqueness"]


def average_uniqueness(
    positions: NDArray[np.int64], label_ends: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Average uniqueness of each label of one symbol over the label's life.

    Label i lives at the positions ``(p_i, e_i]``, those whose prices it is made of. With ``c_t``
    labels alive at position t, each owns ``1 / c_t`` of it, and the average of what label i owns
    over its life is its uniqueness: 1 where no other label lives at the same time, ``1 / h`` in
    the midst of labels of h bars that begin at every bar (López de Prado 2018, *Advances in
    Financial Machine Learning*, ch. 4.3–4.5).

    Parameters
    ----------
    positions
        Panel position of each labelled row, shape (n_rows,), in any order.
    label_ends
        Last position that each label has seen, shape (n_rows,).

    Returns
    -------
    ndarray
        In (0, 1], shape (n_rows,). A label that ends where it begins overlaps none: 1.

    Examples
    --------
    Three labels of two bars, begun at bars 0, 1 and 2; the middle one shares both its bars:

    >>> average_uniqueness(np.array([0, 1, 2]), np.array([2, 3, 4])).tolist()
    [0.75, 0.5, 0.75]
    """
    lives = label_ends > positions
    uniqueness = np.ones(len(positions))
    if not lives.any():
        return uniqueness
    origin = int(positions[lives].min())
    begins, ends = positions[lives] - origin, label_ends[lives] - origin
    # Step up at the first position of a life, down after its last; position p is index p - 1.
    steps = np.zeros(int(ends.max()) + 1, dtype=np.int64)
    np.add.at(steps, begins, 1)
    np.add.at(steps, ends, -1)
    n_alive = np.cumsum(steps)[:-1]
    shares = np.divide(1.0, n_alive, out=np.zeros(len(n_alive)), where=n_alive > 0)
    until = np.concatenate([[0.0], np.cumsum(shares)])
    uniqueness[lives] = (until[ends] - until[begins]) / (ends - begins)
    return uniqueness
