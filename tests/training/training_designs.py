"""Small panels to train on, their frame, and a family that writes down what it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.families import Problem
from ray_pipeline.panel import TableRequest
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.records import TargetSpec, Task
from ray_pipeline.samples.design import Design
from ray_pipeline.statistics.folds import Fold
from ray_pipeline.training.job_spec import JobSpec
from ray_pipeline.training.settings import TrainingSettings

HOUR_NS = 3_600 * 10**9
AXIS: NDArray[np.int64] = 1_704_067_200 * 10**9 + HOUR_NS * np.arange(300)
"""Hours from 2024-01-01 00:00 UTC on."""

FOLDS = (Fold(0, 150, 200), Fold(1, 200, 250), Fold(2, 250, 300))
FEATURES = ("a", "b", "c", "d")
SETTINGS = TrainingSettings(min_cs=3, sample_weights="none")


def training_frame(embargo: int = 0, seed: int = 7, target: str = "y") -> PanelFrame:
    """Return a frame of 300 hours with four features."""
    return PanelFrame(
        axis="axis.parquet",
        n_timestamps=300,
        folds=FOLDS,
        embargo=embargo,
        request=TableRequest(
            kind="labeled",
            time_column="ts",
            features=FEATURES,
            targets=(target,),
            max_rows=None,
            min_rows=1,
            bar_seconds=3_600,
            session_bars=24,
        ),
        targets=(TargetSpec(target, 5, "regression"),),
        seed=seed,
    )


def target_spec(horizon: int = 5, task: Task = "regression") -> TargetSpec:
    """Return the target ``y``."""
    return TargetSpec("y", horizon, task)


def job_spec(**changes: Any) -> JobSpec:
    """Return a pooled job on b and c, whose folds chose c, (d, a) and b."""
    values: dict[str, Any] = {
        "job_id": "cs_y__fake",
        "target": "y",
        "view": "cross_sectional",
        "family": "fake",
        "features": ("c", "b"),
        "fold_features": ((0, ("c",)), (1, ("d", "a")), (2, ("b",))),
        "hyperparameters": (("depth", 3),),
    }
    return JobSpec(**(values | changes))


def design_of(
    y: NDArray[np.float64],
    X: NDArray[np.float32],
    n_symbols: int = 1,
    horizon: int = 5,
) -> Design:
    """Place rows on the frame: every symbol at every timestamp."""
    positions = np.repeat(np.arange(len(y) // n_symbols), n_symbols)
    return Design(
        view="symbol_specific" if n_symbols == 1 else "cross_sectional",
        symbols=tuple(f"S{i}" for i in range(n_symbols)),
        feature_names=FEATURES[: X.shape[1]],
        X=X,
        y=y,
        positions=positions,
        cells=positions,
        label_ends=positions + horizon,
        symbol_index=np.tile(np.arange(n_symbols, dtype=np.int32), len(y) // n_symbols),
        span=horizon,
        spacing=1.0,
    )


def marked_features(n_rows: int) -> NDArray[np.float32]:
    """Return four features whose values tell their row and column: row + column / 8."""
    marks = np.arange(n_rows)[:, np.newaxis] + np.arange(4) / 8
    return marks.astype(np.float32)


def overlapping_noise(n_rows: int, horizon: int, random: np.random.Generator) -> NDArray[Any]:
    """Return sums of the next `horizon` shocks: labels of a random walk."""
    shocks = random.standard_normal(n_rows + horizon)
    return np.convolve(shocks, np.ones(horizon), "valid")[:n_rows]


@dataclass
class Fit:
    """One call of `RecordingFamily.fit`, and the rows that its model predicted."""

    X: NDArray[np.float32]
    feature_names: tuple[str, ...]
    problem: Problem
    hyperparameters: dict[str, Any]
    predicted: list[NDArray[np.float32]] = field(default_factory=list)

    @property
    def importances(self) -> NDArray[np.float64]:
        """Nothing of interest."""
        return np.zeros(self.X.shape[1])

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict the first column."""
        self.predicted.append(X)
        return X[:, 0].astype(np.float64)

    def to_files(self) -> dict[str, bytes]:
        """Two small files."""
        return {"b.txt": b"second", "a.txt": b"first"}


class RecordingFamily:
    """Hands out `Fit` as its models."""

    def __init__(self) -> None:
        self.name = ""
        self.libraries: tuple[str, ...] = ()
        self.fits: list[Fit] = []

    def load(self, name: str) -> RecordingFamily:
        """Stand for the family of that name."""
        self.name = name
        return self

    def fit(
        self,
        X: NDArray[np.float32],
        feature_names: Sequence[str],
        problems: Sequence[Problem],
        hyperparameters: Mapping[str, Any],
    ) -> list[Fit]:
        """Write the call down."""
        (problem,) = problems
        self.fits.append(Fit(X, tuple(feature_names), problem, dict(hyperparameters)))
        return self.fits[-1:]
