"""User-defined stages: functions found by entry point or dotted path, and checked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from ray_pipeline.errors import ConfigError
from ray_pipeline.user_code.functions import did_you_mean, function_path, load_function
from ray_pipeline.wording import some_of

__all__ = ["GROUP", "STAGE_PREFIX", "UserStage", "find_stage", "takes_symbol"]

STAGE_PREFIX = "stage_"
"""Prefix of a user's stage wherever it appears next to the built-in ones."""

GROUP = "ray_pipeline.stages"
"""Entry points of this group are stages provided by installed packages."""


@dataclass(frozen=True, slots=True)
class UserStage:
    """A user-defined stage found by the driver; small enough to travel with every unit.

    Attributes
    ----------
    name
        Its key in the config's ``stages``.
    function
        ``module:name``, importable by the workers.
    source_sha256
        Hash of the source of the function's module: an edited function is another stage.
    options
        Keyword arguments of the function.
    """

    name: str
    function: str
    source_sha256: str
    options: Mapping[str, Any]


def find_stage(name: str, function: str | None, options: Mapping[str, Any]) -> UserStage:
    """Find a stage's function, and check that it accepts its options.

    Parameters
    ----------
    name
        Key in the config's ``stages``.
    function
        ``my_module:turnover`` or ``my_module.turnover``; None: the entry point of that name.
    options
        Keyword arguments.

    Raises
    ------
    ConfigError
        When there is no such function, or it does not accept these options.
    """
    subject = f"stages.{name}"
    path = (
        _entry_point(subject, name)
        if function is None
        else function_path(f"{subject}.function", function, "turnover")
    )
    try:
        found, source_sha256 = load_function(path)
    except ConfigError as error:
        raise ConfigError(f"{subject}.function: {error}") from error
    _check_options(subject, path, found, options)
    return UserStage(name, path, source_sha256, options)


def takes_symbol(function: Callable[..., Any]) -> bool:
    """Tell whether a function asks for the symbol: it has a parameter of that name."""
    signature = _signature(function)
    return signature is not None and "symbol" in signature.parameters


def _entry_point(subject: str, name: str) -> str:
    installed = {point.name: point.value for point in entry_points(group=GROUP)}
    if name not in installed:
        raise ConfigError(
            f"{subject}: no installed package has a stage {name!r}"
            f"{did_you_mean(name, sorted(installed))}; installed are "
            f"{some_of(sorted(installed))}. Name a function, such as function: "
            f"my_module:{name}, or install a package with an entry point of that name in the "
            f"group '{GROUP}'."
        )
    return function_path(
        f"{subject}.function", installed[name].partition("[")[0].strip(), "turnover"
    )


def _check_options(
    subject: str, path: str, function: Callable[..., Any], options: Mapping[str, Any]
) -> None:
    signature = _signature(function)
    if signature is None:
        return
    given = dict(options)
    if takes_symbol(function):
        if "symbol" in given:
            raise ConfigError(
                f"{subject}.options: 'symbol' is given to {path} by the run; remove the option."
            )
        given["symbol"] = ""
    try:
        signature.bind(None, **given)
    except TypeError as error:
        name = path.partition(":")[2]
        raise ConfigError(
            f"{subject}.options: {path} does not take them: {error}. It is called as "
            f"{name}(table{''.join(f', {key}=…' for key in given)}) and is {name}{signature}."
        ) from error


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # some functions written in C do not tell
        return None
