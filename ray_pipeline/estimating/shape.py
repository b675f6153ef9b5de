"""How large a run is, before it is made: all that its work is told from (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from ray_pipeline.estimating.costs import Models

__all__ = ["RunShape", "SearchShape"]


@dataclass(frozen=True, slots=True)
class SearchShape:
    """A search for hyperparameters: trials of a job and fold, inner folds, trials of the run."""

    n_trials: int
    n_splits: int
    max_trials: int | None


@dataclass(frozen=True, slots=True)
class RunShape:
    """The size of a run.

    Attributes
    ----------
    is_computed
        Whether features and targets are computed as a symbol is read.
    n_symbols, n_rows, n_files
        Of the batch: symbols, their rows together, and their files.
    largest
        Rows of the symbol that has the most.
    n_columns
        Columns that are read of a symbol's files.
    n_features, n_targets
        Of a symbol's table; targets are those that are ranked.
    n_suspects
        Features that are screened for leaks.
    n_compared
        Features and targets that are computed over the batch.
    hopes
        Of each target, how likely it is to be found predictable.
    n_folds, min_train_fraction
        Folds of the walk, and the share of the time before the first.
    is_pooled, is_own
        Whether the cross-sectional and the symbol-specific view are ranked.
    is_compared
        Whether pooled models learn labels compared within their timestamp, so that those of labels
        as they are come besides.
    pool_rows, trained_rows
        Rows of the pooled panel, and those that pooled models are trained on in the end.
    ranking, training
        The families of both.
    has_average
        Whether every route has an average of its models besides.
    n_shifts
        Circular shifts, 0 with an analytic null.
    methods
        Of feature selection.
    refitted
        Models that these fit to a fold and target, where ranking has not.
    top_n_targets, max_jobs
        Bounds of what goes on.
    search
        None where hyperparameters are not searched.
    n_workers
        None where nobody knows before: on a cluster that is joined.
    cpus_per_worker
        Threads of a worker.
    is_serial
        Whether units run in the driver, without Ray.
    is_data_remote, is_run_remote
        Whether data and results are in an object store.
    windows
        Shares of the time that train for a fold, and in the end, where they roll; None: all that
        came before.
    policies
        Models that comparing policies of retraining takes of each pooled job; and whether of own
        ones too.
    not_counted
        What takes time that nothing is known of: stages and families of your own.
    """

    is_computed: bool
    n_symbols: int
    n_rows: int
    largest: int
    n_files: int
    n_columns: int
    n_features: int
    n_targets: int
    n_suspects: int
    n_compared: int
    hopes: tuple[float, ...]
    n_folds: int
    min_train_fraction: float
    is_pooled: bool
    is_own: bool
    is_compared: bool
    pool_rows: int
    trained_rows: int
    ranking: tuple[Models, ...]
    training: tuple[Models, ...]
    has_average: bool
    n_shifts: int
    methods: tuple[str, ...]
    refitted: tuple[Models, ...]
    top_n_targets: int
    max_jobs: int | None
    search: SearchShape | None
    n_workers: int | None
    cpus_per_worker: int
    is_serial: bool
    is_data_remote: bool
    is_run_remote: bool
    windows: tuple[float, float] | None = None
    policies: tuple[int, bool] = (0, False)
    not_counted: tuple[str, ...] = ()
