"""A model family that writes down what it was given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ray_pipeline.families import LabelForm, Model, Problem


@dataclass
class RecordedModel:
    """Predicts the first feature."""

    importances: NDArray[np.float64] = field(default_factory=lambda: np.ones(1))

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        return X[:, 0].astype(np.float64)

    def to_files(self) -> dict[str, bytes]:
        return {}


@dataclass
class RecordingFamily:
    """Keeps copies of the features and of the labels on the training rows of each fit.

    Of each problem: rows, labels, task and seed, then the weights and offsets of the rows.
    """

    name: str = "recording"
    label_form: LabelForm = "residuals"
    fits: list[tuple[NDArray[np.float32], list[tuple[Any, ...]]]] = field(default_factory=list)

    def fit(
        self,
        X: NDArray[np.float32],
        feature_names: Sequence[str],
        problems: Sequence[Problem],
        hyperparameters: Mapping[str, Any],
    ) -> list[Model]:
        del feature_names, hyperparameters
        told = [
            (
                *(p.rows.copy(), p.y[p.rows].copy(), p.task, p.seed),
                *(None if of is None else of[p.rows].copy() for of in (p.weights, p.offsets)),
            )
            for p in problems
        ]
        self.fits.append((X.copy(), told))
        return [RecordedModel() for _ in problems]

    def predict(self, models: Sequence[Model], X: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.stack([model.predict(X) for model in models])

    def check_hyperparameters(self, hyperparameters: Mapping[str, Any]) -> None:
        del hyperparameters

    def load(self, files: Mapping[str, bytes]) -> Model:
        raise NotImplementedError


@contextmanager
def recorded(label_form: LabelForm = "residuals") -> Iterator[RecordingFamily]:
    """Let the walk find this family whatever name it asks for."""
    family = RecordingFamily(label_form=label_form)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ray_pipeline.samples.walk.load_family", lambda name: family)
        patch.setattr("ray_pipeline.families.label_forms.load_family", lambda name: family)
        yield family
