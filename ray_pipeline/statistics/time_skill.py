"""Skill over a series' own time that noise cannot have on average.

Correlating predictions with labels over a window centres both on the window's means. A feature
made of past returns moves with the labels that went before it, so these means are related, and
the correlation of a random walk's future with its past comes out negative (Stambaugh 1999,
"Predictive Regressions", J. Financial Economics 54). The training rows teach a model that sign
and the test rows confirm it: skill without predictability, found significant every third time
over a few hundred bars. Here a prediction is ranked among those before it and a label among
those after it. Given all that was known at a row, labels that nothing predicts are then as
likely above as below: each product has mean zero whatever the features are.

Sources: recursive mean adjustment (So & Shin 1999, Statist. Probab. Lett. 43) for the
predictions, forward deviations (Arellano & Bover 1995, J. Econometrics 68) for the labels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.records import Task

__all__ = ["ranks_among_earlier", "skill_contributions"]

Floats = NDArray[np.float64]


def ranks_among_earlier(values: Floats) -> Floats:
    """Rank each value among itself and all before it, from −½ (lowest) to ½ (highest).

    Parameters
    ----------
    values
        Finite, in time order, shape (n_rows,).

    Returns
    -------
    ndarray
        ``Σ_{s<t} sign(x_t − x_s) / (2·(t + 1))``, shape (n_rows,): 0 in the first row and for a
        value in the middle, further out the more rows it is compared with.

    Examples
    --------
    >>> ranks_among_earlier(np.array([5.0, 7.0, 6.0, 1.0])).tolist()
    [0.0, 0.25, 0.0, -0.375]
    """
    n_rows = len(values)
    dense = np.unique(values, return_inverse=True)[1].astype(np.int64)
    n_values = int(dense.max(initial=0)) + 1
    index = np.arange(n_rows)
    signs = np.zeros(n_rows, dtype=np.int64)
    # Bottom-up merging: every row of a right half meets all rows of its left half once.
    width = 1
    while width < n_rows:
        half, pair = index // width, index // (2 * width)
        is_right = half % 2 == 1
        keys = pair * n_values + dense
        left, right = np.sort(keys[~is_right]), keys[is_right]
        # Left halves that have a right one are whole, so `pair` of them lie below.
        before = pair[is_right] * width
        n_below = np.searchsorted(left, right, side="left") - before
        n_not_above = np.searchsorted(left, right, side="right") - before
        signs[is_right] += n_below - (width - n_not_above)
        width *= 2
    return signs / (2.0 * (index + 1.0))


def skill_contributions(prediction: Floats, actual: Floats, folds: Floats, task: Task) -> Floats:
    """Row products whose mean is the skill of predictions over their own time.

    Ordered targets: the correlation of a prediction's rank among the earlier ones with a label's
    rank among the later ones, a rank IC. Binary targets: the same product in the units of
    ``2·AUC − 1``. On rows in random order both estimate what `grouped_skill` does.

    Parameters
    ----------
    prediction, actual
        Finite, in time order, shape (n_rows,).
    folds
        Fold of each row, shape (n_rows,); a fold whose model predicts one value for all of its
        rows contributes 0, however far that value lies from those of other models.
    task
        Binary targets hold 0 and 1.

    Returns
    -------
    ndarray
        Shape (n_rows,), with a mean in [-1, 1].
    """
    live = _varies_within(prediction, folds)
    u = np.where(live, ranks_among_earlier(prediction), 0.0)
    v = ranks_among_earlier(actual[::-1])[::-1]
    if not np.any(u) or not np.any(v[live]):
        return np.zeros(len(prediction))
    u_square, v_square = float(np.mean(u[live] ** 2)), float(np.mean(v[live] ** 2))
    # Binary labels: v is half their deviation, and 2·AUC − 1 = 4·mean(u·v) / (π·(1 − π)).
    scale = v_square if task == "binary" else np.sqrt(u_square * v_square)
    products = u * v / scale
    # An AUC near 1 can come out above it, since its two samples are not the same pairs.
    return products / max(1.0, abs(float(products.mean())))


def _varies_within(values: Floats, groups: Floats) -> NDArray[np.bool_]:
    """Mask of the rows in groups that hold more than one value."""
    labels, inverse = np.unique(groups, return_inverse=True)
    low, high = np.full(len(labels), np.inf), np.full(len(labels), -np.inf)
    np.minimum.at(low, inverse, values)
    np.maximum.at(high, inverse, values)
    return (low < high)[inverse]
