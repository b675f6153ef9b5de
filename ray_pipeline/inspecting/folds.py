"""The folds of a panel, as its config asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.intervals import read_duration
from ray_pipeline.statistics.anchored_folds import anchored_folds
from ray_pipeline.statistics.folds import Fold, walk_forward_folds
from ray_pipeline.statistics.training_windows import rolling_folds
from ray_pipeline.wording import iso_time

if TYPE_CHECKING:
    from ray_pipeline.config import ExperimentConfig
    from ray_pipeline.config.data_sections import ValidationConfig

__all__ = ["date_ns", "fold_records", "folds_of", "window_of"]


def folds_of(
    axis: NDArray[np.int64], validation: ValidationConfig, horizon: int, embargo: int
) -> tuple[tuple[Fold, ...], int | None]:
    """Split the axis at the dates that the config names, or into as many folds as it says.

    Also return where the final models' training window begins, None if it expands.

    Raises
    ------
    DataError
        When the axis cannot hold them.
    """
    every = None if validation.test_every is None else read_duration(validation.test_every)
    if every is None or validation.first_test is None:
        folds = walk_forward_folds(
            len(axis), validation.n_splits, validation.min_train_fraction, horizon, embargo
        )
    else:
        folds = anchored_folds(axis, date_ns(validation.first_test), every, horizon, embargo)
    window = read_duration(validation.window)
    if window is None:
        return folds, None
    return rolling_folds(axis, folds, window, horizon, embargo)


def date_ns(day: date) -> int:
    """Return when a date begins, in UTC: nanoseconds since 1970."""
    return int(np.datetime64(day, "ns").astype(np.int64))


def fold_records(folds: Sequence[Fold], axis: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Say when each fold is tested and from when it trains, for documents."""
    return [
        {
            "index": fold.index,
            "train_start": iso_time(int(axis[fold.train_start])),
            "test_start": iso_time(int(axis[fold.test_start])),
            "test_end": iso_time(int(axis[fold.test_end - 1])),
        }
        for fold in folds
    ]


def window_of(config: ExperimentConfig) -> str:
    """Return the training window of a fold, as the config defines it."""
    return config.validation.window
