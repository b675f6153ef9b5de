"""The shape of a run, from its config and what is known of its data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ray_pipeline.bars.plausible import TargetKind, reach_of, target_kind
from ray_pipeline.estimating.costs import COSTS, Models
from ray_pipeline.estimating.shape import RunShape, SearchShape
from ray_pipeline.execution.surroundings import inside_a_cluster, usable_cpus
from ray_pipeline.leakage.screening import suspected_features
from ray_pipeline.panel.cross_section import is_cross_sectional
from ray_pipeline.panel.loading import TableRequest
from ray_pipeline.records import BAR_FIELDS, SymbolPartition, TargetSpec
from ray_pipeline.routing.jobs import RANK_AVERAGE
from ray_pipeline.samples.shared_pool import too_few_to_pool
from ray_pipeline.selection.methods import FITTED_BY, IMPORTANCES_OF

if TYPE_CHECKING:
    from ray_pipeline.config import ExperimentConfig

__all__ = ["n_workers_here", "shape_of"]

HOPES: Mapping[TargetKind | None, float] = {
    "direction": 0.25,
    "barrier": 0.9,
    "extreme": 0.9,
    None: 0.6,
}
"""Share of targets that are found predictable, by what they are about: volatility lasts, and which
way prices go is hard."""

HOPE_WITHIN_A_SESSION = 0.65
"""The same of the direction of prices within a session."""


def shape_of(
    config: ExperimentConfig,
    partitions: Mapping[str, SymbolPartition],
    n_rows: Mapping[str, int],
    request: TableRequest,
    targets: Sequence[TargetSpec],
    walk: tuple[int, float],
    n_workers: int | None,
    is_remote: tuple[bool, bool] = (False, False),
) -> RunShape:
    """Return the shape of a run.

    Parameters
    ----------
    partitions
        Of the batch, without symbols that are left out.
    n_rows
        Rows by symbol, of those of which they are known; at least one.
    targets
        Those that are ranked.
    walk
        Test folds, and the share of the timestamps before the first.
    n_workers
        None where nobody knows.
    is_remote
        Whether data and results are in an object store.
    """
    ranking, training = config.target_ranking, config.training
    rows = _rows(partitions, n_rows, request.max_rows)
    computed = (*request.features, *request.targets)
    is_computed = request.kind != "labeled"
    own_views = "symbol_specific" in ranking.views
    is_pooled = "cross_sectional" in ranking.views and not too_few_to_pool(len(partitions), ranking)
    total = sum(rows.values())
    families = [name for name in training.families if name != RANK_AVERAGE]
    search = training.search
    n_columns = len(BAR_FIELDS) + len(request.own_columns) if is_computed else len(computed)
    return RunShape(
        is_computed=is_computed,
        n_symbols=len(partitions),
        n_rows=total,
        largest=max(rows.values()),
        n_files=sum(len(each.files) for each in partitions.values()),
        n_columns=n_columns + 1,
        n_features=len(request.features),
        n_targets=len(targets),
        n_suspects=len(suspected_features(request)),
        n_compared=sum(map(is_cross_sectional, computed)) if is_computed else 0,
        hopes=tuple(_hope(target, request) for target in targets),
        n_folds=walk[0],
        min_train_fraction=walk[1],
        is_pooled=is_pooled,
        is_own=own_views,
        is_compared=ranking.compare != "raw",
        pool_rows=min(total, ranking.max_cs_rows),
        trained_rows=min(total, training.max_cs_rows or ranking.max_cs_rows),
        ranking=_models(ranking.families, ranking.hyperparameters),
        training=_models(families, training.hyperparameters),
        has_average=RANK_AVERAGE in training.families,
        n_shifts=ranking.n_shifts if ranking.null == "circular_shift" else 0,
        methods=tuple(config.feature_selection.methods),
        refitted=_refitted(config),
        top_n_targets=ranking.top_n_targets,
        max_jobs=training.max_jobs,
        search=None
        if search is None
        else SearchShape(search.n_trials, search.n_splits, search.max_trials),
        n_workers=n_workers,
        cpus_per_worker=config.execution.cpus_per_worker,
        is_serial=config.execution.executor == "serial",
        is_data_remote=is_remote[0],
        is_run_remote=is_remote[1],
        not_counted=(
            *(f"stage {name}" for name in config.stages),
            *(f"feature function {each.function}" for each in request.functions),
            *dict.fromkeys(
                f"family {name}" for name in (*ranking.families, *families) if name not in COSTS
            ),
        ),
    )


def _hope(target: TargetSpec, request: TableRequest) -> float:
    """Return how likely a target is to be found predictable."""
    kind = target_kind(target.name)
    reach = reach_of(target.horizon_bars, request.bar_seconds, request.session_bars)
    if kind == "direction" and reach != "a session or longer":
        return HOPE_WITHIN_A_SESSION
    return HOPES[kind]


def _refitted(config: ExperimentConfig) -> tuple[Models, ...]:
    """Return what the methods of feature selection fit in addition."""
    ranking, methods = config.target_ranking, config.feature_selection.methods
    again = [
        name
        for method, name in FITTED_BY.items()
        if method in methods and not (method in IMPORTANCES_OF and name in ranking.families)
    ]
    return _models(again, ranking.hyperparameters)


def _rows(
    partitions: Mapping[str, SymbolPartition], known: Mapping[str, int], max_rows: int | None
) -> dict[str, int]:
    """Return rows by symbol; where they are not known, by the bytes of its files."""
    seen = [symbol for symbol in known if symbol in partitions]
    seen_bytes = sum(partitions[symbol].size_bytes for symbol in seen)
    per_byte = sum(known[symbol] for symbol in seen) / max(seen_bytes, 1)
    found = {
        symbol: known[symbol] if symbol in known else max(1, round(each.size_bytes * per_byte))
        for symbol, each in partitions.items()
    }
    return {symbol: n if max_rows is None else min(n, max_rows) for symbol, n in found.items()}


def _models(
    names: Sequence[str], hyperparameters: Mapping[str, Mapping[str, Any]]
) -> tuple[Models, ...]:
    return tuple(Models.of(name, hyperparameters.get(name, {})) for name in names if name in COSTS)


def n_workers_here(config: ExperimentConfig) -> int | None:
    """Return the workers that a run on this machine has; None where it joins a cluster."""
    settings = config.execution
    if settings.executor == "serial":
        return 1
    is_own = settings.address == "local" or (settings.address is None and not inside_a_cluster())
    if not is_own:
        return settings.n_workers
    n_held = max(1, usable_cpus() // settings.cpus_per_worker)
    return min(settings.n_workers or n_held, n_held)
