"""Retraining on a schedule: which model serves a fold, and which schedule one would have followed.

Folds are counted from 0; the model of fold k is trained on what was known before k began.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["follow_best", "model_of", "predicted_by"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def model_of(fold: int, every: int | None) -> int:
    """Return the fold whose model serves a fold; `every` None: the first one's serves all.

    Examples
    --------
    >>> [model_of(fold, 3) for fold in range(7)], model_of(6, None)
    ([0, 0, 0, 3, 3, 3, 6], 0)
    """
    return 0 if every is None else fold - fold % every


def predicted_by(n_folds: int, schedules: Sequence[int | None]) -> dict[int, tuple[int, ...]]:
    """Return the folds that each model serves under any of some schedules; others need no model.

    Examples
    --------
    >>> predicted_by(5, [2, None])
    {0: (0, 1, 2, 3, 4), 2: (2, 3), 4: (4,)}
    """
    served: dict[int, set[int]] = {}
    for every in schedules:
        for fold in range(n_folds):
            served.setdefault(model_of(fold, every), set()).add(fold)
    return {model: tuple(sorted(served[model])) for model in sorted(served)}


def follow_best(
    skill_of: Callable[[int, Bools], float],
    n_policies: int,
    folds: Ints,
    known: Ints,
    starts: Ints,
) -> Ints:
    """Return the policy that each fold would have followed: the best one by what was known then.

    The outcome of the fold itself, and of earlier rows whose labels were not known when it began,
    has no say. So the skill along the followed policies is that of a rule which anybody could have
    kept, and the choice among policies is paid for (Varma & Simon 2006, "Bias in error estimation
    when using cross-validation for model selection", BMC Bioinformatics 7; here over time, as
    Pesaran & Timmermann 1995, J. Finance 50, choose among models).

    Parameters
    ----------
    skill_of
        Skill of a policy on some of the rows, a mask of shape (n_rows,); NaN where it has none.
    folds, known
        Fold of each row, and the position at which its label was known, shape (n_rows,).
    starts
        Position at which each fold begins, shape (n_folds,).

    Returns
    -------
    ndarray
        Shape (n_folds,): the first policy as long as nothing is known, and the first of equals.
    """
    followed = np.zeros(len(starts), dtype=np.int64)
    for fold, start in enumerate(starts.tolist()):
        seen = (folds < fold) & (known < start)
        if not seen.any():
            continue
        skills = [skill_of(policy, seen) for policy in range(n_policies)]
        ranked = [-math.inf if math.isnan(skill) else skill for skill in skills]
        followed[fold] = int(np.argmax(ranked))
    return followed
