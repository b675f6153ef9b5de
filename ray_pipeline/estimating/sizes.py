"""What a run holds in memory, writes and asks an object store for (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from ray_pipeline.estimating.costs import COSTS
from ray_pipeline.estimating.shape import RunShape
from ray_pipeline.estimating.work import Course, StageWork, evaluated_rows, n_models

__all__ = ["disk_bytes", "memory_bytes", "n_requests"]

BASE_BYTES = 260e6
"""Of a process with the libraries loaded."""

CACHE_BYTES = 512e6
"""Of tables that a worker keeps: `ray_pipeline.panel.reader`."""

TABLE_CELL_BYTES = 5.5
"""Of a table kept, per row × column."""

FITTED_CELL_BYTES = 27.0
"""While models are fitted, per row × feature of their matrix: as it is read, binned, and scaled."""

STREAMED_CELL_BYTES = 2.8
"""Of rows that are streamed into training, per row × feature."""

POOLED_CELL_BYTES = 3.4
"""Of the pooled panel, compressed: per row × column."""

RANKED_ROW_BYTES, IMPORTANCE_BYTES = 7.0, 8.0
"""Of ranking: per tested row of a model, predicted; per feature of a fold's model."""

PREDICTED_ROW_BYTES = 53.0
"""Of a trained model's predictions: three copies of a row."""

TREE_LEAF_BYTES, MODEL_BYTES = 160.0, 8e4
"""Of a saved tree, per leaf, and of a model besides, in its unit and among the models."""

FILE_REQUESTS = 1.5
"""Of a file of the data, each time that it is read: to inspect, and to work on."""

UNIT_REQUESTS, STAGE_REQUESTS, RUN_REQUESTS = 3.2, 5.0, 90.0
"""Of a unit, its record and tables, written and read; of a stage; of the account of a run."""

LEASE_REQUESTS = 0.4
"""Per second."""

SYMBOL_BYTES, RUN_BYTES = 3e4, 5e5
"""Of records by symbol; of the account and the report."""


def memory_bytes(s: RunShape) -> float:
    """Return the most that one worker holds.

    What workers share counts in each of them.
    """
    n_workers = max(s.n_workers or 1, 1)
    n_columns = s.n_features + s.n_targets
    kept = min(CACHE_BYTES, s.n_rows / n_workers * n_columns * TABLE_CELL_BYTES)
    kept = max(kept, s.largest * n_columns * TABLE_CELL_BYTES)
    fitted = max(s.pool_rows if s.is_pooled else 0, s.largest) * FITTED_CELL_BYTES
    streamed = max(s.trained_rows - s.pool_rows, 0) * STREAMED_CELL_BYTES
    return BASE_BYTES + kept + (fitted + streamed) * s.n_features


def disk_bytes(s: RunShape, course: Course) -> float:
    """Return what a run leaves in its directory."""
    pooled = s.pool_rows if s.is_pooled else 0
    tested = (1.0 - s.min_train_fraction) * s.n_targets * len(s.ranking)
    ranked = tested * (2 * pooled + (s.n_rows if s.is_own else 0)) * RANKED_ROW_BYTES
    carried = s.n_symbols * s.n_targets * len(s.ranking) * s.n_folds * s.n_features
    ranked += carried * IMPORTANCE_BYTES if s.is_own else 0.0
    found = pooled * (s.n_features + s.n_targets) * POOLED_CELL_BYTES + ranked
    if s.n_compared:
        found += s.n_rows * s.n_compared * POOLED_CELL_BYTES
    if s.trained_rows > s.pool_rows:
        found += s.trained_rows * (s.n_features + s.n_targets) * POOLED_CELL_BYTES
    found += evaluated_rows(s, course) * PREDICTED_ROW_BYTES
    trees = sum(
        each.n_trees * (each.leaves or course.leaves(s.pool_rows))
        for each in s.training
        if COSTS[each.family].kind == "trees"
    )
    models = n_models(s, course)
    of_a_family = models / max(len(s.training) + s.has_average, 1)
    found += of_a_family * trees * TREE_LEAF_BYTES + models * MODEL_BYTES
    return found + s.n_symbols * SYMBOL_BYTES + RUN_BYTES


def n_requests(s: RunShape, stages: Sequence[StageWork], wall_s: float) -> float:
    """Return the requests of a run to object stores, until its page is written.

    Parameters
    ----------
    wall_s
        Seconds that it takes: a run says again and again that it is alive.
    """
    n_units = sum(stage.n_units for stage in stages)
    n_workers = max(s.n_workers or 1, 1)
    found = 0.0
    if s.is_data_remote:
        found += FILE_REQUESTS * s.n_files * (2.0 if n_workers == 1 else 2.5)
    if s.is_run_remote:
        found += UNIT_REQUESTS * n_units + STAGE_REQUESTS * len(stages) + RUN_REQUESTS
        found += wall_s * LEASE_REQUESTS
    return found
