"""A target's task, inferred from the data or set by the config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ray_pipeline.errors import ConfigError
from ray_pipeline.records import Task, first_match

__all__ = ["detect_task", "resolve_task"]

_MAX_ORDINAL_LEVELS = 7


def detect_task(values: Sequence[tuple[float, ...] | None]) -> Task:
    """Infer a target's task from its values in every symbol.

    ``binary`` when all values are 0 or 1; ``ordinal`` when there are at most seven different ones
    and all are whole numbers (−1, 0, 1; −3 … 3); else ``regression``, also if there is no value.

    Parameters
    ----------
    values
        The distinct values per symbol, or None if there are too many to list.
    """
    if any(distinct is None for distinct in values):
        return "regression"
    union = {value for distinct in values if distinct is not None for value in distinct}
    if not union:
        return "regression"
    if union <= {0.0, 1.0}:
        return "binary"
    if len(union) <= _MAX_ORDINAL_LEVELS and all(value.is_integer() for value in union):
        return "ordinal"
    return "regression"


def resolve_task(target: str, found: Task, overrides: Mapping[str, Task]) -> Task:
    """Return the target's task from the config, else the inferred one.

    Parameters
    ----------
    found
        The task inferred from its values.
    overrides
        ``columns.tasks``: glob pattern → task. The first pattern that matches wins.

    Raises
    ------
    ConfigError
        When a target with other values than 0 and 1 is declared binary.
    """
    pattern = first_match(target, overrides)
    if pattern is None:
        return found
    if overrides[pattern] == "binary" and found != "binary":
        raise ConfigError(
            f"columns.tasks: {pattern!r}: target {target!r} cannot be binary: it has other values "
            f"than 0 and 1 ({found} by its values). Make it 'ordinal' or 'regression', or leave "
            "it out."
        )
    return overrides[pattern]
