"""What the chosen features keep of the skill of all: fitted anew, on the folds' own choices.

A fold's model is fitted on the features that the fold chose, as ranking fitted it on all, and
predicts the fold's test rows. No test row has a say in what its own fold chose.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.families import label_form, load_family
from ray_pipeline.panel.frame import PanelFrame, derive_seed
from ray_pipeline.samples.walk import FamilySettings
from ray_pipeline.selection.choosing import Designs
from ray_pipeline.statistics.folds import Fold

__all__ = ["predict_by_chosen"]

Floats = NDArray[np.float64]


def predict_by_chosen(
    designs: Designs,
    target: str,
    fold: Fold,
    features: Sequence[str],
    family: FamilySettings,
    frame: PanelFrame,
    symbol: str | None = None,
) -> tuple[Floats, Floats] | None:
    """Fit a fold's model as ranking did, but on some features alone.

    Parameters
    ----------
    symbol
        Of an own model, whose seed ranking derives from it.

    Returns
    -------
    tuple or None
        Predictions of the fold's test rows, shape (n_test,), and of its training rows, shape
        (n_train,); None where ranking had none.
    """
    design = designs.of(target)
    start, end = design.split(fold)
    own = () if symbol is None else (symbol,)
    seed = derive_seed(
        frame.seed, "target_ranking", family.name, target, *own, f"fold {fold.index}"
    )
    problem = designs.problem(target, fold, label_form(family.name), seed)
    if problem is None or start == end:
        return None
    # In the order of the panel: the order by strength would be another model of trees.
    asked = frozenset(features)
    columns = [j for j, name in enumerate(design.feature_names) if name in asked]
    X = np.ascontiguousarray(design.X[:end, columns])
    names = [design.feature_names[j] for j in columns]
    (model,) = load_family(family.name).fit(
        X[:start], names, [problem], dict(family.hyperparameters)
    )
    return model.predict(X[start:]), model.predict(X[problem.rows])
