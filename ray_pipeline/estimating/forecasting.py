"""The estimate of a run on this machine: its shape, the machine's speed, the store's latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from ray_pipeline.estimating.costs import Kind, Speed
from ray_pipeline.estimating.estimate import Estimate, estimate_run
from ray_pipeline.estimating.machine import REFERENCE, measure_speed
from ray_pipeline.estimating.shaping import n_workers_here, shape_of
from ray_pipeline.evaluating.policies import n_trained
from ray_pipeline.inspecting.glimpse import Glimpse
from ray_pipeline.inspecting.panel import LaidPanel
from ray_pipeline.panel.inspection import SymbolInspection
from ray_pipeline.panel.loading import TableRequest
from ray_pipeline.panel.outlines import SymbolOutline
from ray_pipeline.panel.summary import PanelSummary, table_request
from ray_pipeline.records import SymbolPartition, TargetSpec
from ray_pipeline.statistics.folds import Fold
from ray_pipeline.storage import is_remote
from ray_pipeline.traffic import traffic

if TYPE_CHECKING:
    from ray_pipeline.config import ExperimentConfig

__all__ = ["forecast", "forecast_glimpse"]


def forecast(
    config: ExperimentConfig,
    partitions: Mapping[str, SymbolPartition],
    n_rows: Mapping[str, int],
    request: TableRequest,
    targets: Sequence[TargetSpec],
    folds: Sequence[Fold],
    final_start: int | None,
    n_timestamps: int,
    n_workers: int | None,
) -> Estimate:
    """Estimate a run by what is known of its data; nothing more of them is read.

    See `shape_of` for the parameters. The latency is that of the requests that this process has
    sent until now.
    """
    shape = shape_of(
        config,
        partitions,
        n_rows,
        request,
        targets,
        (len(folds), folds[0].test_start / n_timestamps),
        n_workers,
        (is_remote(config.data.data_dir), is_remote(config.output.run_dir)),
    )
    policies = config.evaluation.policies
    if policies is not None:
        shape = replace(shape, policies=(n_trained(policies, len(folds)), policies.jobs == "all"))
    if final_start is not None:
        widths = [fold.test_start - fold.train_start for fold in folds]
        of_fold = sum(widths) / len(folds) / n_timestamps
        shape = replace(shape, windows=(of_fold, 1.0 - final_start / n_timestamps))
    families = (*shape.ranking, *shape.training, *shape.refitted)
    speed = _speed_for(frozenset(each.cost.kind for each in families))
    return estimate_run(shape, speed, traffic().latency_s)


@cache
def _speed_for(kinds: frozenset[Kind]) -> Speed:
    """Measure this machine once, as long as this process lasts."""
    return measure_speed(kinds).beside(REFERENCE)


def forecast_glimpse(
    config: ExperimentConfig,
    partitions: Mapping[str, SymbolPartition],
    seen: Glimpse,
    summary: PanelSummary,
    laid: LaidPanel,
) -> Estimate | None:
    """Estimate a run by what was seen of its batch; None where no target can be ranked."""
    if not laid.targets:
        return None
    looked_at: dict[str, SymbolInspection | SymbolOutline] = {**seen.inspections, **seen.outlines}
    request = table_request(
        summary,
        max_rows=config.data.max_rows_per_symbol,
        min_rows=config.data.min_rows_per_symbol,
    )
    return forecast(
        config,
        {name: each for name, each in partitions.items() if name not in seen.left_out},
        {symbol: each.n_rows for symbol, each in looked_at.items()},
        request,
        laid.targets,
        laid.folds,
        laid.final_start,
        len(laid.axis),
        n_workers_here(config),
    )
