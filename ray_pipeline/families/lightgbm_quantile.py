"""LightGBM for the median and two bounds: how far a label may be from what is expected of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.families.hyperparameters import AUTO, Number, check_hyperparameters
from ray_pipeline.families.label_forms import LabelForm
from ray_pipeline.families.lightgbm import (
    ALLOWED,
    DEFAULTS,
    SEARCHED,
    Boosting,
    LightGBMModel,
    load_booster,
)
from ray_pipeline.families.lightgbm_capacity import ADAPTIVE
from ray_pipeline.families.model_files import reading, unpack_document
from ray_pipeline.families.protocol import Model, Problem, predict_each
from ray_pipeline.families.searching import SearchDimension, with_defaults

__all__ = ["LightGBMQuantileFamily", "QuantileBoosters"]

_DEFAULTS = {"lower": 0.1, "upper": 0.9}
# Labels are clipped at their 1 % and 99 % quantiles: what lies beyond is not there to be learned.
_BOUNDS = {"lower": Number(0.01, 0.49), "upper": Number(0.51, 0.99)}

_DOCUMENT = "quantiles.json"
_NAMES = ("lower.txt", "median.txt", "upper.txt")
_ORDINARY = "model.txt"


@dataclass(frozen=True)
class QuantileBoosters:
    """One booster for each of three quantiles."""

    quantiles: tuple[float, float, float]
    boosters: tuple[LightGBMModel, LightGBMModel, LightGBMModel]

    @property
    def importances(self) -> NDArray[np.float64]:
        """Total gain of the median's splits on each feature."""
        return self.boosters[1].importances

    @property
    def n_rounds(self) -> int:
        """Trees of the median; each quantile stops by its own loss."""
        return self.boosters[1].n_rounds

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict the median of each row, as `predict_quantiles` does."""
        median: NDArray[np.float64] = self.predict_quantiles(X)[1]
        return median

    def predict_quantiles(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict the quantiles of each row, shape (3, n_samples), sorted.

        Boosters that know nothing of each other may cross; sorting a row's three values never
        takes them further from the true quantiles (Chernozhukov, Fernández-Val & Galichon 2010).
        """
        return np.sort(np.stack([booster.predict(X) for booster in self.boosters]), axis=0)

    def to_files(self) -> dict[str, bytes]:
        """LightGBM's text format for each quantile, and a document that says which they are."""
        document = {"family": "lightgbm_quantile", "quantiles": list(self.quantiles)}
        texts = [booster.text.encode() for booster in self.boosters]
        return {
            _DOCUMENT: json.dumps(document).encode(),
            **dict(zip(_NAMES, texts, strict=True)),
        }


class LightGBMQuantileFamily:
    """Gradient-boosted quantiles of real-valued targets.

    A binary target has no quantiles worth the name, and the median of a few ordered grades is the
    same grade nearly everywhere, which orders nothing: these are fitted as by the family lightgbm,
    and their models predict no quantiles.

    Labels are never compared within their timestamp: a bound is of use in the label's own unit.
    """

    name = "lightgbm_quantile"
    libraries = ("lightgbm",)
    label_form: LabelForm = "as_they_are"

    def fit(
        self,
        X: NDArray[np.float32],
        feature_names: Sequence[str],
        problems: Sequence[Problem],
        hyperparameters: Mapping[str, Any],
    ) -> list[Model]:
        """Bin once, then boost each problem for each quantile; see `Family.fit`."""
        settings = {**_DEFAULTS, **hyperparameters}
        quantiles = float(settings.pop("lower")), 0.5, float(settings.pop("upper"))
        boosting = Boosting(X, settings)
        open_ = {name: AUTO for name in ADAPTIVE if name not in hyperparameters}
        models: list[Model] = []
        for problem in problems:
            if problem.task != "regression":
                models.append(boosting.fit(problem, settings=open_))
                continue
            low, middle, high = (boosting.fit(problem, quantile) for quantile in quantiles)
            models.append(QuantileBoosters(quantiles, (low, middle, high)))
        return models

    def predict(self, models: Sequence[Model], X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict by each model; see `Family.predict`."""
        return predict_each(models, X)

    def search_space(self) -> Mapping[str, SearchDimension]:
        """Search the boosters; the bounds are what is asked for; see `Searchable`."""
        return with_defaults(SEARCHED, DEFAULTS)

    def check_hyperparameters(self, hyperparameters: Mapping[str, Any]) -> None:
        """Accept those of lightgbm, and the two bounds."""
        check_hyperparameters(self.name, hyperparameters, {**ALLOWED, **_BOUNDS})

    def load(self, files: Mapping[str, bytes]) -> Model:
        """Rebuild what the target's kind made of it: three boosters, or one."""
        if _ORDINARY in files:
            return load_booster(self.name, files, _ORDINARY)
        document = unpack_document(self.name, files, _DOCUMENT)
        with reading(self.name, _DOCUMENT):
            low, middle, high = (float(quantile) for quantile in document["quantiles"])
        lower, median, upper = (load_booster(self.name, files, name) for name in _NAMES)
        return QuantileBoosters((low, middle, high), (lower, median, upper))
