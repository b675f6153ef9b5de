"""A small problem of each kind, for each family: what a saved model is tried on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from problems import INSTALLED, fit_one, noise_features, problem

from ray_pipeline.families import Model, Problem
from ray_pipeline.records import Task

TASKS: tuple[Task, ...] = ("regression", "binary", "ordinal")
N_TRAINED = 240


def features() -> NDArray[np.float32]:
    """Return 300 rows of four features, a tenth of their cells missing."""
    X = noise_features(300, 4)
    X[np.random.default_rng(2).random(X.shape) < 0.1] = np.nan
    return X


def labels(task: Task, seed: int = 1) -> NDArray[np.float64]:
    """Return labels that rise with f0 and fall with f1; three grades of it, or two."""
    X = np.nan_to_num(features())
    score = X[:, 0] - X[:, 1] + 0.7 * np.random.default_rng(seed).standard_normal(len(X))
    if task == "regression":
        return score.astype(np.float64)
    edges = [0.0] if task == "binary" else [-0.8, 0.8]
    return np.digitize(score, edges).astype(np.float64)


def case(task: Task, weighted: bool = True) -> Problem:
    """Return the problem of fitting the first rows, later ones counting more."""
    given = problem(labels(task), task, np.arange(N_TRAINED))
    if not weighted:
        return given
    return Problem(
        given.y, given.rows, task, given.seed, weights=np.linspace(0.5, 1.5, len(given.y))
    )


def fitted_cases() -> Iterator[tuple[str, Task, Model]]:
    """Fit each installed family on each kind of target."""
    for family in INSTALLED:
        for task in TASKS:
            yield family, task, fit_one(family, features()[:N_TRAINED], case_of_rows(task))


def case_of_rows(task: Task) -> Problem:
    """Return the case on its training rows alone."""
    whole = case(task)
    weights = whole.weights
    assert weights is not None
    return Problem(whole.y[:N_TRAINED], whole.rows, task, whole.seed, weights=weights[:N_TRAINED])


def write_cases(folder: Path) -> None:
    """Fit all cases in this process, and write files and predictions of each."""
    for family, task, model in fitted_cases():
        place = folder / family / task
        place.mkdir(parents=True)
        for name, content in model.to_files().items():
            (place / name).write_bytes(content)
        np.save(folder / f"{family}-{task}.npy", model.predict(features()))


def predict_cases(folder: Path, out: Path) -> None:
    """Load all cases of a folder, and write what they predict."""
    from ray_pipeline.families import load_family

    for place in sorted(folder.glob("*/*")):
        family, task = place.parts[-2:]
        files = {path.name: path.read_bytes() for path in place.iterdir()}
        model = load_family(family).load(files)
        np.save(out / f"{family}-{task}.npy", model.predict(features()))
