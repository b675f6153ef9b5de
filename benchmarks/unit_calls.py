"""Unit functions called by hand, as an executor calls them: with a folder for their files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ray_pipeline.execution.artifacts import working_in
from ray_pipeline.execution.protocol import Unit

__all__ = ["call"]


def call(function: Callable[..., Any], state: object, spec: object, *shared: object) -> Any:
    """Call a unit function; equal specs share a folder, others do not."""
    with working_in(Unit(function.__name__, "called", function, spec).folder):
        return function(state, spec, *shared)
