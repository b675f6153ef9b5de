"""Search spaces: the families' own, with the user's changes (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ray_pipeline.errors import ConfigError
from ray_pipeline.families import Family, Searchable, SearchDimension, load_family
from ray_pipeline.families.searching import Value

__all__ = ["Space", "first_trial", "search_spaces"]

Space = Mapping[str, SearchDimension]
"""Search ranges by hyperparameter, in name order."""

_KEY = "training.search.spaces"


def search_spaces(
    families: Sequence[str], given: Mapping[str, Mapping[str, tuple[Value, ...] | None]]
) -> dict[str, Space]:
    """Return the space of each family, empty if there is nothing to search.

    Parameters
    ----------
    families
        Names of the families that are trained.
    given
        By family and hyperparameter: ``(low, high)``, ``(low, high, "log")``, choices, or None to
        leave one out. Others keep the family's default.

    Raises
    ------
    ConfigError
        For a family that is not trained, a range that is empty, and a bound or a choice that the
        family does not accept.

    Examples
    --------
    >>> search_spaces(["ridge"], {"ridge": {"penalty": (0.01, 10, "log")}})["ridge"]["penalty"].low
    0.01
    """
    for name in given:
        if name not in families:
            raise ConfigError(
                f"{_KEY}: the family '{name}' is not among training.families "
                f"({', '.join(families)}). Remove its space, or train it."
            )
    return {name: _space(load_family(name), given.get(name, {})) for name in families}


def _space(family: Family, given: Mapping[str, tuple[Value, ...] | None]) -> Space:
    space = dict(family.search_space()) if isinstance(family, Searchable) else {}
    for name, values in given.items():
        if values is None:
            space.pop(name, None)
            continue
        key = f"{_KEY}.{family.name}.{name}"
        dimension = _dimension(key, values, space.get(name))
        for value in _ends(dimension):
            try:
                family.check_hyperparameters({name: value})
            except ConfigError as error:
                raise ConfigError(f"{key}: {error}") from error
        space[name] = dimension
    return dict(sorted(space.items()))


def _dimension(key: str, values: tuple[Value, ...], own: SearchDimension | None) -> SearchDimension:
    default = None if own is None else own.default
    numbers = [value for value in values if not isinstance(value, bool | str)]
    is_log = len(values) == 3 and values[2] == "log"
    if len(numbers) == 2 and (len(values) == 2 or is_log):
        low, high = numbers
        if low >= high:
            raise ConfigError(
                f"{key}: the range from {low} to {high} is empty; give the lower end first."
            )
        if is_log and low <= 0:
            raise ConfigError(
                f"{key}: a range with log starts at {low}; its lower end must be above 0."
            )
        is_whole = isinstance(low, int) and isinstance(high, int)
        is_float = own is not None and own.kind == "float"
        kind: Any = "int" if is_whole and not is_float else "float"
        return SearchDimension(kind, low, high, is_log, default=default)
    if len(set(map(repr, values))) < len(values):
        raise ConfigError(f"{key}: a choice is named twice; name each once.")
    return SearchDimension("choice", choices=values, default=default)


def _ends(dimension: SearchDimension) -> tuple[Value, ...]:
    if dimension.kind == "choice":
        return dimension.choices
    return dimension.low, dimension.high


def first_trial(space: Space, configured: Mapping[str, Value]) -> dict[str, Value] | None:
    """Place the configured hyperparameters in a space; None if they lie outside it."""
    point = {name: configured.get(name, each.default) for name, each in space.items()}
    inside = {
        name: value
        for name, value in point.items()
        if value is not None and space[name].holds(value)
    }
    return inside if len(inside) == len(space) else None
