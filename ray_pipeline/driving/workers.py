"""Workers of a run: their state, and the executor that runs them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import partial

from ray_pipeline.bars import function_paths
from ray_pipeline.config import ExperimentConfig
from ray_pipeline.driving.places import require_shared
from ray_pipeline.driving.progress import Reporter
from ray_pipeline.execution import Executor, SerialExecutor, UnitStore
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.storage import RunDirectory
from ray_pipeline.user_code.functions import import_from
from ray_pipeline.wording import plural

__all__ = ["names_own_modules", "open_executor"]


def names_own_modules(config: ExperimentConfig) -> bool:
    """Tell whether a stage or a feature is a user-defined function."""
    return bool(config.stages or function_paths(config.labeling.features))


@contextmanager
def open_executor(
    config: ExperimentConfig,
    run: RunDirectory,
    reporter: Reporter,
    store: UnitStore | None = None,
    reader: type[PanelReader] = PanelReader,
) -> Iterator[Executor]:
    """Yield the executor that the config asks for, and close it.

    Parameters
    ----------
    store
        Where finished units are recorded; by default in the run directory.
    reader
        The state that each worker keeps between units.

    Raises
    ------
    ConfigError
        When the data are in the memory of this process and other processes would have to read them.
    """
    store = store or run.units
    settings = config.execution
    make_state = partial(reader, config.data.data_dir, dict(config.data.storage_options), run)
    executor: Executor
    if settings.executor == "serial":
        executor = SerialExecutor(
            make_state, store, settings.cpus_per_worker, settings.max_attempts
        )
    else:
        require_shared(config, config.data.data_dir, run.uri)
        from ray_pipeline.execution import RayExecutor, RaySettings
        from ray_pipeline.execution.ray_session import import_paths

        # Starting or joining Ray takes seconds, many of them on a busy machine.
        reporter.say("getting Ray ready")
        executor = RayExecutor(
            partial(
                _importing_from, import_paths() if names_own_modules(config) else [], make_state
            ),
            store,
            RaySettings(
                address=settings.address,
                n_workers=settings.n_workers,
                cpus_per_worker=settings.cpus_per_worker,
                max_attempts=settings.max_attempts,
                unit_timeout_s=settings.unit_timeout_s,
                memory_per_worker_bytes=settings.memory_per_worker_bytes,
                max_worker_memory_bytes=settings.max_worker_memory_bytes,
                node_wait_s=settings.node_wait_s,
                name=config.experiment.name,
                on_wait=reporter.say,
            ),
        )
        reporter.say(f"Ray is ready for {plural(executor.n_workers, 'worker')}")
    try:
        # Ray prints its raylets' complaints to standard output, which is for results.
        with redirect_stdout(sys.stderr):
            yield executor
    finally:
        executor.close()


def _importing_from(folders: Sequence[str], make_state: Callable[[], PanelReader]) -> PanelReader:
    """Build a worker's state after letting it import from where the driver does.

    Workers of our own Ray can do so anyway; those of an existing cluster know only the working
    directory.
    """
    import_from(*folders)
    return make_state()
