"""How many threads native libraries may use inside one unit."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from ray_pipeline.execution.environment import environment_variables

__all__ = ["ThreadLimits"]

_BLAS_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class ThreadLimits:
    """Thread counts of one worker.

    BLAS gets one thread whatever the CPUs: the order in which it adds depends on their number,
    so that with more the same unit would give other bits. OpenMP (LightGBM) and Arrow get the
    worker's CPUs; an oversubscribed LightGBM is six times slower.

    Parameters
    ----------
    cpus
        CPUs of the worker, at least 1.
    """

    def __init__(self, cpus: int) -> None:
        self._cpus = cpus
        self._controller: ThreadpoolController | None = None
        self._n_modules = 0

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Limit the libraries loaded now, and those that load inside the block."""
        arrow = sys.modules.get("pyarrow")
        arrow_before = arrow.cpu_count() if arrow is not None else 0
        if arrow is not None:
            arrow.set_cpu_count(self._cpus)
        try:
            with (
                environment_variables(self._variables()),
                self._current_controller().limit(limits={"blas": 1, "openmp": self._cpus}),
            ):
                yield
        finally:
            if arrow is not None:
                arrow.set_cpu_count(arrow_before)

    def _variables(self) -> dict[str, str]:
        # Read by each library as it loads, Arrow's pool (OMP_NUM_THREADS) included.
        return {"OMP_NUM_THREADS": str(self._cpus)} | dict.fromkeys(_BLAS_VARIABLES, "1")

    def _current_controller(self) -> ThreadpoolController:
        # A scan of the loaded libraries costs 2 ms: repeated only when something was imported.
        if self._controller is None or len(sys.modules) != self._n_modules:
            self._controller = ThreadpoolController()
            self._n_modules = len(sys.modules)
        return self._controller
