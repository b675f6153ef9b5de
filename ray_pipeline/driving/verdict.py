"""What came of a run, in one sentence (pure)."""

from __future__ import annotations

from ray_pipeline.errors import ExecutionError
from ray_pipeline.ranking.ranking import Ranking
from ray_pipeline.routing.jobs import TrainingPlan

__all__ = ["verdict"]


def verdict(
    ranking: Ranking, plan: TrainingPlan, n_models: int, n_failed: int, alpha: float
) -> str:
    """Say what was found and trained.

    That nothing can be predicted is a result. That nothing could be trained although something
    can be predicted is a failure, and never called anything else.

    Raises
    ------
    ExecutionError
        When models were wanted and not one was trained.
    """
    n_targets = len({row.target for row in ranking.targets})
    n_predictable = len({row.target for row in ranking.targets if row.predictable})
    units = "1 unit" if n_failed == 1 else f"{n_failed} units"
    failed = f"; {units} failed, see failures.parquet" if n_failed else ""
    if n_predictable == 0:
        return (
            f"none of {n_targets} targets is predictable at a false-discovery rate of {alpha:g}; "
            f"nothing was trained{failed}"
        )
    found = f"{n_predictable} of {n_targets} targets predictable"
    n_wanted = len(plan.jobs) + len(plan.left_out)
    if n_wanted == 0:
        return f"{found}, but no route leads to a model; nothing was trained{failed}"
    if n_models == 0:
        raise ExecutionError(
            f"{found}, but not one of {n_wanted} models could be trained; failures.parquet and "
            "training_plan.json say why."
        )
    return f"{found}, {n_models} of {n_wanted} models trained{failed}"
