"""Thread limits in this process."""

from __future__ import annotations

import os

import numpy as np
import pyarrow as pa
import pytest
from threadpoolctl import threadpool_info  # type: ignore[import-untyped]

from ray_pipeline.execution.threads import ThreadLimits


def blas_threads() -> set[int]:
    np.ones((2, 2)) @ np.ones((2, 2))
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def observe_and_fail(seen: list[object]) -> None:
    with ThreadLimits(3).applied():
        seen += [blas_threads(), pa.cpu_count()]
        seen += [os.environ["OMP_NUM_THREADS"], os.environ["MKL_NUM_THREADS"]]
        raise ZeroDivisionError


def test_limits_end_with_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside one BLAS thread; afterwards the process is as it was, also after an exception."""
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before = (blas_threads(), pa.cpu_count())
    inside: list[object] = []
    with pytest.raises(ZeroDivisionError):
        observe_and_fail(inside)
    assert inside == [{1}, 3, "3", "1"]
    assert (blas_threads(), pa.cpu_count()) == before
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ
