"""Columns that are binned once and joined to data sets of any of them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

__all__ = ["BinnedColumns"]


WORTH_JOINING = 2.0
"""Data sets that a column must be in, on average, to be binned by itself: on few rows that takes
about twice as long as with the others of one data set."""


class BinnedColumns:
    """Data sets of some columns of a design matrix; those of several are binned once.

    Finding the bins takes longer than boosting few trees on them, and a column's bins depend on
    its values alone. Trees are those of a data set that is made of the columns at once.

    Parameters
    ----------
    X
        Design matrix, shape (n_samples, n_features), NaN = missing.
    binning
        LightGBM's parameters.
    asked
        Columns of each data set that will be asked for.
    """

    def __init__(
        self,
        X: NDArray[np.float32],
        binning: Mapping[str, Any],
        asked: Sequence[NDArray[np.int64]],
    ) -> None:
        self._X, self._binning = X, dict(binning)
        self._binned: dict[int, Any] = {}
        n_different = len(np.unique(np.concatenate(asked)))
        self._joins = sum(map(len, asked)) > WORTH_JOINING * n_different

    def joined(self, columns: NDArray[np.int64]) -> Any:
        """Return the `lightgbm.Dataset` of some columns, at least one, in their order."""
        names = [f"f{place}" for place in range(len(columns))]
        if not self._joins:
            return self._made(self._X.take(columns, axis=1), names)
        first, *others = columns.tolist()
        every = list(range(len(self._X)))
        data = self._column(first).subset(every, params=self._binning).construct()
        with warnings.catch_warnings():
            # That the values themselves are not joined as well: bins are all that is needed.
            warnings.simplefilter("ignore", UserWarning)
            for j in others:
                data.add_features_from(self._column(j))
        return data.set_feature_name(names)

    def _column(self, j: int) -> Any:
        if j not in self._binned:
            self._binned[j] = self._made(self._X.take([j], axis=1), [f"c{j}"])
        return self._binned[j]

    def _made(self, X: NDArray[np.float32], names: list[str]) -> Any:
        return lgb.Dataset(X, feature_name=names, params=self._binning).construct()
