"""User-defined functions: imported by a path, and fingerprinted by their source."""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
import traceback
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.metadata import packages_distributions, version
from pathlib import Path
from platform import python_version
from types import ModuleType
from typing import Any

from ray_pipeline.errors import ConfigError
from ray_pipeline.wording import closest, some_of

__all__ = ["did_you_mean", "function_path", "has_source", "import_from", "load_function"]

_MAX_IMPORTS_AWAY = 3


def import_from(*folders: str) -> None:
    """Find modules in these folders too, after all others."""
    sys.path.extend(folder for folder in folders if folder not in sys.path)


def function_path(subject: str, function: str, example: str) -> str:
    """Convert the path of a function to the form ``module:name``.

    Parameters
    ----------
    subject
        The key of the config that names it, for messages.
    function
        ``my_module:name`` or ``my_module.name``.
    example
        Name of a function, for messages.

    Raises
    ------
    ConfigError
        When it is not a path, or the function is in the running program.
    """
    separator = ":" if ":" in function else "."
    module, _, attribute = function.rpartition(separator)
    names = [*module.split("."), attribute]
    if not all(name.isidentifier() for name in names):
        raise ConfigError(
            f"{subject}: found {function!r}; a function at the top level of a module is "
            f"needed, such as my_module:{example} or my_package.my_module.{example}."
        )
    if module == "__main__":
        raise ConfigError(
            f"{subject}: {function} is in the program that is running, which workers "
            "cannot import. Put the function into a module of its own."
        )
    return f"{module}:{attribute}"


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
            f"{did_you_mean(attribute, functions)}; its functions are {some_of(functions)}."
        )
    if not callable(found) or found.__hash__ is None:
        raise ConfigError(
            f"{path} ({_place(module)}) is a {type(found).__name__}; a function is needed."
        )
    return found, _source_sha256(module_name, found)


def has_source(path: str, source_sha256: str) -> bool:
    """Tell whether a function's source is the one that was hashed, without running any of it.

    Importing a module runs it, so code named by a run directory must be checked before that.

    Parameters
    ----------
    path
        ``module:name``.
    source_sha256
        The hash from `load_function`. The function may be defined in a module that the named module
        imports, up to three imports away.

    Raises
    ------
    ConfigError
        When there is no such module.
    """
    module_name = path.partition(":")[0]
    if _spec(module_name) is None:
        raise _missing(module_name)
    seen, waiting = {module_name}, [module_name]
    for _ in range(_MAX_IMPORTS_AWAY + 1):
        if any(_joint_sha256(module_name, defining) == source_sha256 for defining in waiting):
            return True
        found = dict.fromkeys(name for each in waiting for name in _imported_names(each))
        waiting = [name for name in found if name not in seen and _spec(name) is not None]
        seen.update(waiting)
    return False


def _missing(name: str) -> ConfigError:
    return ConfigError(
        f"no module {name!r}. Python looked in {_searched()}. Put it into the working directory or "
        "beside the config, or install it; on a cluster the workers have to find it too."
    )


def _imported(name: str) -> ModuleType:
    try:
        return import_module(name)
    # Whatever a user's module raises during import, the config names a wrong module.
    except Exception as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and (name == missing or name.startswith(f"{missing}.")):
            raise _missing(missing) from error
        last = traceback.extract_tb(error.__traceback__)[-1]
        # A file that is not Python was never entered; its error already names the line.
        place = "" if isinstance(error, SyntaxError) else f" ({last.filename}:{last.lineno})"
        raise ConfigError(
            f"module {name!r} cannot be imported: {type(error).__name__}: {error}{place}."
        ) from error


def _searched() -> str:
    """Name the folders from which modules are imported, summarising those of Python itself."""
    installed = tuple(str(Path(prefix).resolve()) for prefix in (sys.prefix, sys.base_prefix))
    folders = dict.fromkeys(Path(entry or ".").resolve() for entry in sys.path)
    there = [str(folder) for folder in folders if folder.is_dir()]
    own = [folder for folder in there if not folder.startswith(installed)]
    return f"{some_of([*own, 'the installed packages'])} ({sys.prefix})"


# From the function, not its name: the loaded code is what runs, even if its file has changed.
@cache
def _source_sha256(module_name: str, function: Callable[..., Any]) -> str:
    """Hash the module that is named and the one that defines the function, often the same."""
    defining = str(getattr(function, "__module__", None) or module_name)
    return _joint_sha256(module_name, defining)


def _joint_sha256(module_name: str, defining: str) -> str:
    parts = [_fingerprint(name) for name in sorted({module_name, defining})]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _fingerprint(module_name: str) -> str:
    """Return a module's source or, without one, the version of its distribution."""
    source = _source(module_name)
    if source is not None:
        return f"{module_name}\n{source}"
    top = module_name.partition(".")[0]
    distributions = packages_distributions().get(top, [])
    versions = [f"{name} {version(name)}" for name in sorted(set(distributions))]
    return "\n".join([module_name, *(versions or [f"python {python_version()}"])])


def _source(module_name: str) -> str | None:
    get_source = getattr(getattr(_spec(module_name), "loader", None), "get_source", None)
    source: str | None = None if get_source is None else get_source(module_name)
    return source


def _spec(module_name: str) -> ModuleSpec | None:
    """Find a module without importing it, nor the packages that it is in."""
    if module_name in sys.modules:
        return sys.modules[module_name].__spec__
    found: ModuleSpec | None = None
    name, above = "", None
    for part in module_name.split("."):
        name = f"{name}.{part}".removeprefix(".")
        found = next(filter(None, (each.find_spec(name, above) for each in sys.meta_path)), None)
        if found is None:
            return None
        above = list(found.submodule_search_locations or ())
    return found


def _imported_names(module_name: str) -> list[str]:
    """Name the modules that a module's text imports, and those from which it may import names."""
    try:
        tree = ast.parse(_source(module_name) or "")
    except SyntaxError:
        return []
    package = module_name if _is_package(module_name) else module_name.rpartition(".")[0]
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".") if node.level else []
            above = above[: len(above) + 1 - node.level] if node.level else []
            names.append(".".join(filter(None, [*above, node.module or ""])))
    return list(dict.fromkeys(filter(None, names)))


def _is_package(module_name: str) -> bool:
    return getattr(_spec(module_name), "submodule_search_locations", None) is not None


def _place(module: ModuleType) -> str:
    return getattr(module, "__file__", None) or "built in"


def did_you_mean(found: str, choices: list[str]) -> str:
    """Return the choice that was probably meant, in brackets after a space; or nothing."""
    close = closest(found, choices)
    return f" (did you mean {close!r}?)" if close else ""
