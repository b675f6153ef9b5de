"""One small Ray for the tests of a package."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["small_ray"]


@contextmanager
def small_ray() -> Iterator[None]:
    """Start a Ray of two CPUs and end it; one that runs already is used as it is."""
    import ray

    from ray_pipeline.execution.environment import environment_variables
    from ray_pipeline.execution.ray_session import import_paths

    if ray.is_initialized():
        yield
        return
    with environment_variables({"PYTHONPATH": os.pathsep.join(import_paths())}):
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=100 * 2**20,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
        yield
        ray.shutdown()
