"""A doubted skill in a rolling window: measured by models of the window's rows alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from frames import make_frame

from ray_pipeline.doubt.walks import DoubtedWalk, Late
from ray_pipeline.records import TargetSpec
from ray_pipeline.samples.design import Design
from ray_pipeline.samples.walk import FamilySettings

TARGET = TargetSpec("y", 2, "regression")
FEATURES = ("a", "b")
N = 300


def _measured(past: float, *, rolling: bool) -> object:
    """Measure a symbol whose rows before the last window are scaled."""
    frame = make_frame(N, [TARGET], FEATURES)
    if rolling:
        folds = tuple(replace(fold, train_start=fold.test_start - 100) for fold in frame.folds)
        frame = replace(frame, folds=folds[-1:], final_start=N - 100)
    else:
        frame = replace(frame, folds=frame.folds[-1:])
    random = np.random.default_rng(0)
    X = random.standard_normal((N, 2)).astype(np.float32)
    y = X[:, 0] + random.standard_normal(N)
    late = np.roll(X[:, :1], 1, axis=0)
    first = frame.folds[0].test_start - 100
    X[:first] *= past
    y[:first] = past * X[:first, 1]
    positions = np.arange(N)
    design = Design(
        "symbol_specific", ("S",), FEATURES, X, y, positions, positions + 2, positions,
        np.zeros(N, dtype=np.int32), 2, 1.0,
    )  # fmt: skip
    walk = DoubtedWalk.of(design, TARGET, frame, FamilySettings("ridge"), 3)
    (fold,) = walk.folds
    assert fold.kept[0] == (first if rolling else 0)
    return walk.measure(Late((0,), late, late)), walk.shares().tolist()


def test_rows_before_the_window_have_no_say() -> None:
    """Another relation in the rows before it changes no figure; where it expands it does."""
    assert _measured(1.0, rolling=True) == _measured(-7.0, rolling=True)
    assert _measured(1.0, rolling=False) != _measured(-7.0, rolling=False)
