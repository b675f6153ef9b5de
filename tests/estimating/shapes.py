"""Shapes of runs, made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ray_pipeline.estimating.costs import Models, Speed
from ray_pipeline.estimating.shape import RunShape

REFERENCE = Speed(trees=1.0, linear=1.0, columns=1.0)
RIDGE = Models.of("ridge", {})
TREES = Models.of("lightgbm", {"n_estimators": 50})
LARGE_TREES = Models.of("lightgbm", {"n_estimators": 300})

DAILY = RunShape(
    is_computed=True,
    n_symbols=60,
    n_rows=75_000,
    largest=1_259,
    n_files=60,
    n_columns=6,
    n_features=82,
    n_targets=3,
    n_suspects=0,
    n_compared=0,
    hopes=(0.25, 0.25, 0.9),
    n_folds=5,
    min_train_fraction=0.4,
    is_pooled=True,
    is_own=True,
    is_compared=True,
    pool_rows=75_000,
    trained_rows=75_000,
    ranking=(RIDGE, TREES),
    training=(LARGE_TREES, RIDGE),
    has_average=False,
    n_shifts=0,
    methods=("gain", "linear", "univariate"),
    refitted=(),
    top_n_targets=10,
    max_jobs=None,
    search=None,
    n_workers=2,
    cpus_per_worker=1,
    is_serial=False,
    is_data_remote=False,
    is_run_remote=False,
)
"""Sixty daily stocks on two cores."""


def shape(**changes: Any) -> RunShape:
    """Return the daily shape with some changes."""
    return replace(DAILY, **changes)
