"""The features of bars or a series: columns, catalogue features, and user-defined functions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.bars import Bars, compute_features
from ray_pipeline.intervals import Interval
from ray_pipeline.panel.quality import within_range
from ray_pipeline.series import ValueSeries, compute_series_features
from ray_pipeline.user_code.features import FeatureFunction, compute_own_features

__all__ = ["asked_for", "computed_features"]


def computed_features(
    given: Bars | ValueSeries,
    features: Sequence[str],
    functions: Sequence[FeatureFunction],
    interval: Interval,
) -> NDArray[np.float32]:
    """Return the features of a symbol.

    Parameters
    ----------
    given
        The input of the computation, including the symbol's own columns.
    features
        Their names, in the order of the matrix.
    functions
        User-defined ones; only those with a requested feature are called.
    interval
        Length of a bar.

    Returns
    -------
    float32 (n_rows, n_features)
        NaN where missing.

    Raises
    ------
    DataError
        When a user-defined function returns unexpected columns, or looks ahead.
    """
    own = {name: given.columns[name] for name in features if name in given.columns}
    own |= compute_own_features(asked_for(functions, features), given)
    names = [name for name in features if name not in own]
    if isinstance(given, Bars):
        of_catalogue = compute_features(given, names, interval.seconds)
    else:
        of_catalogue = compute_series_features(given, names, interval)
    if not own:
        return within_range(of_catalogue, np.float32)
    computed = dict(zip(names, of_catalogue.T, strict=True))
    columns = [own[name] if name in own else computed[name] for name in features]
    return within_range(np.column_stack(columns), np.float32)


def asked_for(
    functions: Sequence[FeatureFunction], features: Sequence[str]
) -> list[FeatureFunction]:
    """Return the functions with a requested feature."""
    return [each for each in functions if set(each.names) & set(features)]
