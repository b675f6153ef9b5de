"""A run from Python: a config in any form, and optionally the data as a frame."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ray_pipeline.config import (
    ExperimentConfig,
    build_experiment_config,
    dump_config,
    load_experiment_config,
    parse_experiment_config,
)
from ray_pipeline.driving.places import (
    Directory,
    options_for,
    place_of_results,
    require_usable,
)
from ray_pipeline.driving.progress import Progress, Reporter
from ray_pipeline.driving.workers import names_own_modules
from ray_pipeline.errors import ConfigError
from ray_pipeline.notebook.frames import as_table
from ray_pipeline.notebook.opened import Run
from ray_pipeline.notebook.partitions import split_frame, write_partitions
from ray_pipeline.pipeline import check_families, run_pipeline
from ray_pipeline.storage import RunDirectory
from ray_pipeline.user_code.functions import import_from

__all__ = ["AnyConfig", "run"]

AnyConfig = str | os.PathLike[str] | Mapping[str, Any] | ExperimentConfig

_PLACEHOLDER = "data.data_dir=(the frame)"
_BESIDE = "-panel"
"""Suffix of the folder next to the run directory that stores frames as partitions."""


def run(
    config: AnyConfig,
    data: Any = None,
    *,
    symbol: str | None = None,
    run_dir: str | os.PathLike[str] | None = None,
    panel_dir: str | os.PathLike[str] | None = None,
    overrides: Sequence[str] = (),
    fresh: bool = False,
    replace: bool = False,
    progress: bool = True,
) -> Run:
    """Run the pipeline, or the rest of it, and return the result.

    Like ``ray-pipeline run``, but it also accepts a data frame. The same call continues a run that
    was stopped, and returns one that is done without recomputing it.

    Parameters
    ----------
    config
        The path of a YAML file, a mapping of sections (``{"data": {"interval": "1d"}}``), or an
        `ExperimentConfig`. Missing keys have their defaults; ``ray-pipeline schema`` lists the
        keys.
    data
        A long pandas, polars or Arrow frame, with a column for the symbol and one for the time,
        sorted or not, used instead of ``data.data_dir``; None: read that. It is written once, as a
        Parquet file per symbol, into a folder named after its content.
    symbol
        Name of the frame's symbol column; None: that of ``data.columns.symbol``, or the first
        column named symbol, ticker, asset or similar.
    run_dir
        Replaces ``output.run_dir``.
    panel_dir
        Where to write the frame; None: next to the run directory, with ``-panel`` appended to its
        name. Workers must be able to reach it: on a cluster of several machines, use a shared disk
        or a store.
    overrides
        ``KEY=VALUE`` texts that replace single keys, as in `load_experiment_config`.
    fresh
        Forget the work that earlier runs finished in this directory.
    replace
        Replace a result of another config or frame, once this one is complete.
    progress
        Report progress on standard error; a notebook shows a single line. False: only warnings and
        failures.

    Returns
    -------
    Run
        The result, which a notebook shows as a short verdict.

    Raises
    ------
    ConfigError, DataError, DiscoveryError
        When config and data do not fit together, or the run directory holds another's result.
    RunInUseError
        When another process is working on the run directory.
    ExecutionError
        When the run as a whole failed; `open_run` opens what it left, with the reason.

    Examples
    --------
    A small frame needs no Ray:

    >>> import ray_pipeline
    >>> config = {
    ...     "experiment": {"name": "first_look"},
    ...     "data": {"interval": "1h"},
    ...     "columns": {"targets": ["fwd_ret_6h"]},
    ...     "execution": {"executor": "serial"},
    ... }
    >>> run = ray_pipeline.run(config, frame, progress=False)  # doctest: +SKIP
    >>> run.status, sorted(run.targets["view"])  # doctest: +SKIP
    ('done', ['cross_sectional', 'symbol_specific'])
    >>> print(run.explain("fwd_ret_6h")["ranking"]["n_targets"])  # doctest: +SKIP
    1
    >>> run.table("predictions", ["ts", "symbol", "prediction"]).column_names  # doctest: +SKIP
    ['ts', 'symbol', 'prediction']
    """
    checked = _checked(config, overrides, run_dir, has_frame=data is not None)
    check_families(checked)
    if names_own_modules(checked):
        beside = [] if isinstance(config, Mapping | ExperimentConfig) else [_folder_of(config)]
        import_from(os.getcwd(), *beside)
    reporter = Progress(sys.stderr, is_quiet=not progress)
    if data is not None:
        checked = _with_frame(checked, data, symbol, panel_dir, reporter)
    elif symbol is not None or panel_dir is not None:
        raise ConfigError("run: symbol and panel_dir are for a data frame, and data is None.")
    result = run_pipeline(checked, reporter, fresh=fresh, replace=replace)
    reporter.say(f"done: {result.message}")
    return Run(result.run_dir, options_for(result.run_dir, checked))


def _checked(
    config: AnyConfig,
    overrides: Sequence[str],
    run_dir: str | os.PathLike[str] | None,
    *,
    has_frame: bool,
) -> ExperimentConfig:
    if isinstance(overrides, str):
        raise ConfigError(f"overrides={overrides!r} is one text; a list is needed: [{overrides!r}]")
    keys = [*overrides]
    if run_dir is not None:
        keys.append(f"output.run_dir={os.fspath(run_dir)}")
    if has_frame:
        # Required in a config, but unknown before the run directory is known.
        keys.append(_PLACEHOLDER)
    if isinstance(config, ExperimentConfig):
        return parse_experiment_config(dump_config(config), "config", keys)
    if isinstance(config, str | os.PathLike):
        return load_experiment_config(config, keys)
    return build_experiment_config(config, keys)


def _folder_of(path: str | os.PathLike[str]) -> str:
    return os.path.dirname(os.path.abspath(path))


def _with_frame(
    config: ExperimentConfig,
    data: Any,
    symbol: str | None,
    panel_dir: str | os.PathLike[str] | None,
    reporter: Reporter,
) -> ExperimentConfig:
    """Write the frame, and return the config that reads it from there."""
    split = split_frame(as_table(data), config.data, symbol)
    results = place_of_results(config)
    place = os.fspath(panel_dir) if panel_dir is not None else f"{results.uri.rstrip('/')}{_BESIDE}"
    # The data's options were given for a store, perhaps that of the data which the frame replaces.
    options = dict(config.data.storage_options) if "://" in place else {}
    if panel_dir is None and config.output.storage_options is not None:
        options = dict(config.output.storage_options)
    require_usable(results, config, Directory("panel_dir", place, options))
    folder = RunDirectory(place, options)
    where = write_partitions(split, folder, config.data.interval, reporter.say)
    found = config.data.model_copy(
        update={"data_dir": where, "layout": None, "storage_options": options}
    )
    return config.model_copy(update={"data": found})
