"""Features of a sample of a run's symbols, read from its data as they are today."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ray_pipeline.discovery.choosing import choose_batch
from ray_pipeline.errors import DataError
from ray_pipeline.monitoring.drifting import FeatureSample
from ray_pipeline.panel.cross_section import base_of, is_cross_sectional
from ray_pipeline.panel.loading import load_symbol_table
from ray_pipeline.predicting.trained import TrainedRun
from ray_pipeline.storage import open_filesystem

__all__ = ["sample_features"]

_N_SYMBOLS = 20
_MOST_TIMES = 6_000


def sample_features(
    trained: TrainedRun, symbols: Sequence[str], since_ns: int, import_folders: Sequence[str] = ()
) -> FeatureSample | None:
    """Read the models' features of up to 20 symbols, evenly spread over those given.

    For cross-sectional features, their base features are used: ranks and z-scores always have the
    same distribution.

    Returns
    -------
    FeatureSample or None
        None if no symbol could be read.

    Raises
    ------
    DiscoveryError, ConfigError
        When the run's data are no longer in their place.
    """
    names = dict.fromkeys(
        base_of(name) if is_cross_sectional(name) else name
        for job in trained.jobs
        for name in job.features
    )
    config = trained.config
    batch = choose_batch(config, lambda *_: None)
    there = [symbol for symbol in sorted(symbols) if symbol in batch.partitions]
    taken = there[:: max(1, -(-len(there) // _N_SYMBOLS))]
    request = trained.request(tuple(names), import_folders)
    fs, _ = open_filesystem(config.data.data_dir, config.data.storage_options)
    tables, n_left_out = [], 0
    for symbol in taken:
        try:
            tables.append(load_symbol_table(batch.partitions[symbol], fs, request))
        except DataError:
            n_left_out += 1
    if not tables:
        return None
    times = np.concatenate([table.time_ns for table in tables])
    X = np.concatenate([table.features for table in tables])
    axis = np.unique(times)
    kept = np.isin(times, axis[:: max(1, -(-len(axis) // _MOST_TIMES))])
    return FeatureSample(tuple(names), X[kept], times[kept], since_ns, len(tables), n_left_out)
