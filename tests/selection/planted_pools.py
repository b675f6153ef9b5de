"""Small pooled panels with carriers planted among noise, and the frame around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.panel import TableRequest
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.records import Horizon, TargetSpec, Task
from ray_pipeline.samples.design import Design
from ray_pipeline.samples.pool import Pool
from ray_pipeline.samples.walk import FamilySettings
from ray_pipeline.selection.choosing import (
    Designs,
    Importances,
    SelectionSettings,
    agreed,
    choose_in,
)
from ray_pipeline.statistics.folds import Fold

TARGET = "y"
FOLDS = (Fold(0, 150, 200), Fold(1, 200, 250), Fold(2, 250, 300))


def panel_frame(
    n_features: int,
    folds: tuple[Fold, ...] = FOLDS,
    horizon: int = 1,
    embargo: int = 0,
    task: Task = "regression",
    targets: tuple[str, ...] = (TARGET,),
) -> PanelFrame:
    """Return a frame of 300 timestamps with features f0, f1 and so on."""
    return PanelFrame(
        axis="axis.parquet",
        n_timestamps=300,
        folds=folds,
        embargo=embargo,
        request=TableRequest(
            kind="labeled",
            time_column=None,
            features=tuple(f"f{j}" for j in range(n_features)),
            targets=targets,
            max_rows=None,
            min_rows=1,
            bar_seconds=60,
            session_bars=390,
        ),
        targets=tuple(TargetSpec(name, horizon, task) for name in targets),
        seed=7,
    )


def pool_of(
    X: NDArray[np.float32],
    y: NDArray[np.float64],
    n_symbols: int,
    frame: PanelFrame,
) -> Pool:
    """Place rows on the frame: every symbol at every timestamp."""
    n_timestamps = len(y) // n_symbols
    positions = np.repeat(np.arange(n_timestamps), n_symbols)
    horizon = frame.targets[0].horizon_bars
    return Pool(
        symbols=tuple(f"S{i}" for i in range(n_symbols)),
        feature_names=frame.request.features,
        target_names=frame.request.targets,
        horizons=(Horizon(horizon),),
        positions=positions,
        cells=positions,
        symbol_index=np.tile(np.arange(n_symbols, dtype=np.int32), n_timestamps),
        X=X,
        Y=np.repeat(y[:, np.newaxis], len(frame.request.targets), axis=1),
        label_ends=(positions + horizon)[:, np.newaxis],
        spacing=1.0,
    )


def planted_rows(
    n_features: int, n_symbols: int = 3, strength: float = 0.5, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return features of which f0 and f1 carry the labels, each with this correlation."""
    random = np.random.default_rng(seed)
    X = random.standard_normal((300 * n_symbols, n_features)).astype(np.float32)
    noise = random.standard_normal(len(X)) * np.sqrt(1 - 2 * strength**2)
    return X, strength * (X[:, 0] - X[:, 1]).astype(np.float64) + noise


def settings(**changes: Any) -> SelectionSettings:
    """Ask for the default methods, with few rounds, unless `changes` say otherwise."""
    default = SelectionSettings(
        methods=("gain", "linear", "univariate"),
        top_m=None,
        min_stability=0.6,
        redundancy=0.98,
        families=(FamilySettings("lightgbm", (("learning_rate", 0.1), ("n_estimators", 15))),),
    )
    return replace(default, **changes)


def select(
    pool: Pool,
    frame: PanelFrame,
    asked: SelectionSettings,
    importances: Mapping[int, Importances] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return what selection finds for the target: every fold's choice, and what they agree on."""
    target = next(target for target in frame.targets if target.name == TARGET)
    designs = Designs(frame.targets, [Design.of_pool(pool, t, frame) for t in frame.targets], frame)
    choices, own = {}, {}
    for fold in frame.folds:
        found = choose_in(fold, designs, frame, asked, importances.get(fold.index, {}))
        if target.name in found:
            choices[fold.index], own[fold.index] = found[target.name]
    return agreed(pool.feature_names, choices, own, designs.alike(TARGET), asked)
