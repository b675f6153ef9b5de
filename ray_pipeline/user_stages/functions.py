"""Functions of the user's own: found by entry point or dotted path, checked, fingerprinted."""

from __future__ import annotations

import hashlib
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points, packages_distributions, version
from pathlib import Path
from platform import python_version
from types import ModuleType
from typing import Any

from ray_pipeline.errors import ConfigError
from ray_pipeline.panel.columns import some_of

__all__ = ["GROUP", "UserStage", "find_stage", "load_function", "takes_symbol"]

GROUP = "ray_pipeline.stages"
"""Entry points of this group are stages that installed packages bring."""


@dataclass(frozen=True, slots=True)
class UserStage:
    """A stage of the user's own, as the driver found it; small enough to travel with every unit.

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
    """Find a stage's function, and check that it takes its options.

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
        When there is no such function, or it does not take these options.
    """
    subject = f"stages.{name}"
    path = _entry_point(subject, name) if function is None else _normalised(subject, function)
    try:
        found, source_sha256 = load_function(path)
    except ConfigError as error:
        raise ConfigError(f"{subject}.function: {error}") from error
    _check_options(subject, path, found, options)
    return UserStage(name, path, source_sha256, options)


def load_function(path: str) -> tuple[Callable[..., Any], str]:
    """Import a function by ``module:name``, and hash the source of its module.

    Raises
    ------
    ConfigError
        When the module cannot be imported or has no such function.
    """
    module_name, _, attribute = path.partition(":")
    module = _imported(module_name)
    found = getattr(module, attribute, None)
    if found is None:
        functions = sorted(name for name, value in vars(module).items() if inspect.isroutine(value))
        raise ConfigError(
            f"module {module_name!r} ({_place(module)}) has no {attribute!r}"
            f"{_did_you_mean(attribute, functions)}; its functions are {some_of(functions)}."
        )
    if not callable(found) or found.__hash__ is None:
        raise ConfigError(
            f"{path} ({_place(module)}) is a {type(found).__name__}; a function is needed."
        )
    return found, _source_sha256(module_name, found)


def takes_symbol(function: Callable[..., Any]) -> bool:
    """Tell whether a function asks for the symbol: it has a parameter of that name."""
    signature = _signature(function)
    return signature is not None and "symbol" in signature.parameters


def _entry_point(subject: str, name: str) -> str:
    installed = {point.name: point.value for point in entry_points(group=GROUP)}
    if name not in installed:
        raise ConfigError(
            f"{subject}: no installed package has a stage {name!r}"
            f"{_did_you_mean(name, sorted(installed))}; installed are "
            f"{some_of(sorted(installed))}. Name a function, such as function: "
            f"my_module:{name}, or install a package with an entry point of that name in the "
            f"group '{GROUP}'."
        )
    return _normalised(subject, installed[name].partition("[")[0].strip())


def _normalised(subject: str, function: str) -> str:
    separator = ":" if ":" in function else "."
    module, _, attribute = function.rpartition(separator)
    names = [*module.split("."), attribute]
    if not all(name.isidentifier() for name in names):
        raise ConfigError(
            f"{subject}.function: found {function!r}; a function at the top level of a module is "
            "needed, such as my_module:turnover or my_package.my_module.turnover."
        )
    if module == "__main__":
        raise ConfigError(
            f"{subject}.function: {function} is in the program that is running, which workers "
            "cannot import. Put the function into a module of its own."
        )
    return f"{module}:{attribute}"


def _imported(name: str) -> ModuleType:
    try:
        return import_module(name)
    # Whatever a user's module raises while it is imported, the config names a wrong one.
    except Exception as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and (name == missing or name.startswith(f"{missing}.")):
            raise ConfigError(
                f"no module {missing!r}. Python looked in {_searched()}. Put it into the working "
                "directory or beside the config, or install it; on a cluster the workers have to "
                "find it too."
            ) from error
        last = traceback.extract_tb(error.__traceback__)[-1]
        # A file that is no Python was never entered; its error names the line itself.
        place = "" if isinstance(error, SyntaxError) else f" ({last.filename}:{last.lineno})"
        raise ConfigError(
            f"module {name!r} cannot be imported: {type(error).__name__}: {error}{place}."
        ) from error


def _searched() -> str:
    """Name the folders that modules are imported from, those of Python itself in one word."""
    installed = tuple(str(Path(prefix).resolve()) for prefix in (sys.prefix, sys.base_prefix))
    folders = dict.fromkeys(Path(entry or ".").resolve() for entry in sys.path)
    there = [str(folder) for folder in folders if folder.is_dir()]
    own = [folder for folder in there if not folder.startswith(installed)]
    return f"{some_of([*own, 'the installed packages'])} ({sys.prefix})"


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


# By the function, not its name: what is loaded is what runs, whatever its file says by now.
@cache
def _source_sha256(module_name: str, function: Callable[..., Any]) -> str:
    """Hash the module that is named and the one that defines the function, often the same."""
    defining = str(getattr(function, "__module__", None) or module_name)
    parts = [_fingerprint(name) for name in sorted({module_name, defining})]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _fingerprint(module_name: str) -> str:
    """Return a module's source or, where it has none, the version of what it came with."""
    loader = getattr(getattr(sys.modules.get(module_name), "__spec__", None), "loader", None)
    get_source = getattr(loader, "get_source", None)
    source = get_source(module_name) if get_source is not None else None
    if source is not None:
        return f"{module_name}\n{source}"
    top = module_name.partition(".")[0]
    distributions = packages_distributions().get(top, [])
    versions = [f"{name} {version(name)}" for name in sorted(set(distributions))]
    return "\n".join([module_name, *(versions or [f"python {python_version()}"])])


def _place(module: ModuleType) -> str:
    return getattr(module, "__file__", None) or "built in"


def _did_you_mean(found: str, choices: list[str]) -> str:
    close = get_close_matches(found, choices, n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""
