"""The identity of code: the source of all modules that it can reach, and library versions.

Finished work is found again by what it depends on, which includes its code: an edit that can change
a result, or another version of a library that computes it, makes it unfinished work, and nobody has
to remember to raise a version number.
"""

from __future__ import annotations

import ast
import hashlib
import sys
import tokenize
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.abc import Traversable
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.resources import files
from importlib.util import find_spec
from platform import python_version

__all__ = [
    "MISSING",
    "Identity",
    "ModuleSource",
    "Reach",
    "identity_of",
    "installed_version",
    "package_sha256",
    "reach",
]

MISSING = "not installed"

_CARRIERS = frozenset(
    {
        *("aiobotocore", "boto3", "botocore", "fsspec", "s3fs"),
        *("pydantic", "pydantic_core", "yaml"),
        "threadpoolctl",
    }
)
"""Libraries that only transport bytes, settings and calls. They compute no number: bytes are
stored data, and settings are part of what work depends on anyway. Any other library counts."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Code as one value, equal wherever the same code is installed.

    Attributes
    ----------
    sha256
        Hash of the modules' names and text.
    libraries
        Sorted distributions that take part in the computation, with their versions.
    """

    sha256: str
    libraries: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ModuleSource:
    """Text of a module, with newlines only, and whether it is a package's ``__init__``.

    The text is None for an extension module.
    """

    text: str | None
    is_package: bool = False


@dataclass(frozen=True, slots=True)
class Reach:
    """What code can reach: its own modules by name, and other packages."""

    modules: Mapping[str, ModuleSource]
    libraries: frozenset[str]


@cache
def identity_of(*modules: str, libraries: tuple[str, ...] = ()) -> Identity:
    """Return the identity of modules and of everything they can reach.

    Modules of the same top-level package count by their text, and so do those of this package; all
    others count by the version of their distribution.

    Parameters
    ----------
    modules
        Names of modules.
    libraries
        Additional distributions, whether or not a module imports them.

    Examples
    --------
    >>> one = identity_of("ray_pipeline.statistics.folds")
    >>> [name for name, _ in one.libraries]
    ['numpy']
    """
    own = {name.partition(".")[0] for name in (*modules, __name__)}
    found = reach(modules, _find, own)
    total = hashlib.sha256()
    for name, source in sorted(found.modules.items()):
        for part in (name, source.text or ""):
            content = part.encode()
            total.update(len(content).to_bytes(8, "big") + content)
    opaque = {name.partition(".")[0] for name, each in found.modules.items() if each.text is None}
    named = {
        name for library in found.libraries - _CARRIERS | opaque for name in _distributions(library)
    }
    versions = {name: installed_version(name) for name in named | set(libraries)}
    return Identity(total.hexdigest(), tuple(sorted(versions.items())))


@cache
def installed_version(distribution: str) -> str:
    """Return the installed version of a distribution."""
    if distribution == "python":
        return python_version()
    try:
        return version(distribution)
    except PackageNotFoundError:
        return MISSING


@cache
def package_sha256() -> str:
    """Hash the source of all modules of this package; any edit changes the hash."""
    total = hashlib.sha256()
    for name, text in sorted(_sources_below(files(__name__.partition(".")[0]), "")):
        for content in (name.encode(), text.encode()):
            total.update(len(content).to_bytes(8, "big") + content)
    return total.hexdigest()


def _sources_below(folder: Traversable, path: str) -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _sources_below(entry, f"{path}{entry.name}/")
        elif entry.name.endswith(".py"):
            yield f"{path}{entry.name}", entry.read_text(encoding="utf-8")


def reach(
    roots: Iterable[str], find: Callable[[str], ModuleSource | None], own: Iterable[str]
) -> Reach:
    """Follow the imports of modules, including those inside functions.

    Imports for type checkers only and imports by a computed name are not followed. Importing
    ``a.b.c`` runs ``a`` and ``a.b`` as well.

    Parameters
    ----------
    roots
        Names of modules.
    find
        Returns the source of a module, None if the name is not a module.
    own
        Top-level packages whose modules are followed.
    """
    followed = frozenset(own)
    modules: dict[str, ModuleSource] = {}
    libraries: set[str] = set()
    waiting = [above for root in roots for above in _with_packages(root)]
    while waiting:
        name = waiting.pop()
        if name in modules:
            continue
        top = name.partition(".")[0]
        if top not in followed:
            if top not in sys.stdlib_module_names:
                libraries.add(top)
            continue
        source = find(name)
        if source is None:
            continue  # a function or a class of the package above it
        modules[name] = source
        waiting.extend(_imports(name, source))
    return Reach(modules, frozenset(libraries))


# Most modules are reached from every stage: each is parsed once, which takes a millisecond or two.
@cache
def _imports(name: str, source: ModuleSource) -> frozenset[str]:
    return frozenset(_imported_by(name, source))


def _imported_by(name: str, source: ModuleSource) -> Iterator[str]:
    if source.text is None:
        return
    for node in _import_nodes(ast.parse(source.text)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _with_packages(alias.name)
            continue
        base = node.module or ""
        if node.level:
            above = name.split(".")
            above = above[: len(above) - node.level + source.is_package]
            base = ".".join([*above, base] if base else above)
        for alias in node.names:
            yield from _with_packages(base if alias.name == "*" else f"{base}.{alias.name}")


def _import_nodes(parent: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    waiting = [parent]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and _is_type_checking(node.test):
            waiting.extend(node.orelse)
        elif isinstance(node, ast.stmt | ast.Module | ast.ExceptHandler | ast.match_case):
            waiting.extend(ast.iter_child_nodes(node))  # an expression holds no import


def _is_type_checking(test: ast.expr) -> bool:
    if isinstance(test, ast.Attribute):
        return test.attr == "TYPE_CHECKING"
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _with_packages(name: str) -> Iterator[str]:
    """Yield a module and the packages above it.

    Examples
    --------
    >>> list(_with_packages("a.b.c"))
    ['a', 'a.b', 'a.b.c']
    """
    parts = name.split(".")
    yield from (".".join(parts[:n]) for n in range(1, len(parts) + 1))


@cache
def _find(name: str) -> ModuleSource | None:
    """Read a module's source without importing it, nor the packages above it."""
    spec = _spec_of(name)
    if spec is None:
        return None
    return ModuleSource(_text_of(name, spec), spec.submodule_search_locations is not None)


@cache
def _spec_of(name: str) -> ModuleSpec | None:
    above, _, _ = name.rpartition(".")
    if not above:
        try:
            return find_spec(name)
        except ValueError:
            return None  # created in this process, so no other process could import it
    package = _spec_of(above)
    if package is None or package.submodule_search_locations is None:
        return None
    return PathFinder.find_spec(name, package.submodule_search_locations)


def _text_of(name: str, spec: ModuleSpec) -> str | None:
    if spec.loader is None:
        return ""  # a folder without an ``__init__``
    get_source = getattr(spec.loader, "get_source", None)
    if get_source is not None:
        text: str | None = get_source(name)
        return text
    if spec.origin is not None and spec.origin.endswith(".py"):
        with tokenize.open(spec.origin) as file:
            return file.read()
    return None


@cache
def _distributions(library: str) -> tuple[str, ...]:
    """Name the distribution of a top-level package, or the package itself if unknown."""
    if library in sys.stdlib_module_names:
        return ("python",)
    if installed_version(library) != MISSING:
        return (library,)
    return tuple(sorted(set(_all_distributions().get(library, [library]))))


@cache
def _all_distributions() -> Mapping[str, list[str]]:
    return packages_distributions()
