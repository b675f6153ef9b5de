"""A run's config as written: YAML to plain values, with the place of each value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from ray_pipeline.bounds import MAX_INT
from ray_pipeline.config.shapes import child, wants_text

__all__ = ["ConfigProblem", "Document", "Path", "Place", "dotted", "parse_yaml", "write_yaml"]

Path = tuple[str | int, ...]
"""Keys and list positions from the top of the config: ``("data", "symbols", 1)``."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value was written: a file and a line, or (line 0) an override or a whole file."""

    source: str
    line: int = 0

    def __str__(self) -> str:
        """Write it as compilers do: ``run.yaml:12``."""
        return f"{self.source}:{self.line}" if self.line else self.source


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """A problem to fix: where it was written, where in the config it is, and what is wrong."""

    place: Place
    path: Path
    message: str


@dataclass(slots=True)
class Document:
    """The values of a source, their places, and the syntax problems."""

    values: Any = None
    places: dict[Path, Place] = field(default_factory=dict)
    problems: list[ConfigProblem] = field(default_factory=list)

    def place_of(self, path: Path) -> Place:
        """Return the place of a value, or of the nearest enclosing thing that was written."""
        while path not in self.places and path:
            path = path[:-1]
        return self.places[path]


def dotted(path: Path) -> str:
    """Write a path as users do: ``data.symbols[1]``."""
    return "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" for step in path
    ).removeprefix(".")


def parse_yaml(
    source: str, text: bytes | str, annotation: Any, *, below: Path = (), numbered: bool = True
) -> Document:
    """Read one YAML document.

    Numbers, booleans and null are those of YAML 1.2 (`1e-3` is a number; `NO`, `1:30`, `0700` and
    dates are text), and if the annotation wants text, the scalar is taken as written.

    Parameters
    ----------
    source
        Name of the places: the file's path, or the override.
    text
        The document.
    annotation
        The type at this place of the config.
    below
        Where in the config the document stands.
    numbered
        Whether places have line numbers.

    Returns
    -------
    Document
        ``values`` is None for an empty document. Wrong syntax is a problem with its line.
    """
    document = Document(places={below: Place(source)})
    size = len(text)
    if size > _MAX_BYTES:
        message = f"has {size:,} bytes; a config has at most {_MAX_BYTES:,}"
        document.problems.append(ConfigProblem(Place(source), below, message))
        return document
    try:
        node = yaml.compose(text, Loader=_Loader)
        if node is not None:
            _require_small(node)
            builder = _Builder(source, document, numbered=numbered)
            document.values = builder.value(node, annotation, below)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = Place(source, mark.line + 1) if mark is not None and numbered else Place(source)
        document.problems.append(ConfigProblem(place, below, _syntax_message(error)))
    except _TooLargeError as error:
        document.values = None
        document.problems.append(ConfigProblem(Place(source), below, str(error)))
    except RecursionError:
        document.problems.append(
            ConfigProblem(Place(source), below, "nested too deeply to be a config")
        )
    return document


def write_yaml(values: Mapping[str, Any]) -> str:
    """Write plain values as YAML that `parse_yaml` and any other reader read alike."""
    written = yaml.dump(
        dict(values), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000
    )
    return str(written)


_TAG = "tag:yaml.org,2002:"
_RESOLVERS = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*(?:_[0-9]+)*)", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
)


def _float(text: str) -> float:
    return float(re.sub(r"\.(?=inf|nan)", "", text.lower()))


_MAX_BYTES = 2**19
"""Size of a config: room for fifty thousand symbols, for which PyYAML needs ten seconds."""

_MAX_VALUES = 100_000
"""Limit for values of a config with its aliases expanded: a few hundred bytes can make billions."""

_MAX_CHARACTERS = 8 * _MAX_BYTES
"""Characters of these values: an alias repeats its text as well."""

_MAX_DEPTH = 32
"""Levels of a config; only the options of a store or a stage need more than four."""


class _TooLargeError(Exception):
    """A document holds more than a config may."""


_SCALARS: dict[str, Callable[[str], Any]] = {
    "null": lambda _: None,
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
    "int": int,
    "float": _float,
    "str": str,
}


class _Loader(yaml.SafeLoader):
    """PyYAML's parser with the scalars of YAML 1.2 instead of 1.1."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  replaces PyYAML's own


class _Dumper(yaml.SafeDumper):
    """Quotes text that YAML 1.1 or 1.2 would read as something else; repeats, never aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


for _name, _pattern, _first in _RESOLVERS:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(_TAG + _name, re.compile(rf"^(?:{_pattern})$"), _first)


_HINTS = (
    ("alias", "put text that starts with '*' or '&' in quotes, such as \"*\""),
    ("'\\t'", "indent with spaces, not tabs"),
    ("single document", "keep one document in the file"),
    ("mapping values are not allowed", "check the indentation, and quote text that holds ': '"),
    ("could not find expected ':'", "write 'key: value', with a space after the colon"),
    ("<stream end>", "a bracket or quote is not closed"),
    ("expected ',' or", "close the list or mapping with its bracket"),
)


def _syntax_message(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError):
        said = ", ".join(part for part in (error.context, error.problem) if part)
    else:
        said = str(getattr(error, "reason", error))
    hint = next((f"; {advice}" for part, advice in _HINTS if part in said), "")
    return f"not valid YAML: {said}{hint}"


def _require_small(root: yaml.Node) -> None:
    """Refuse a document that its aliases make too large, before expanding any of it.

    Raises
    ------
    _TooLargeError
        When it holds more than a config may.
    """
    n_values, n_characters, depth = _size(root, {})
    if n_values > _MAX_VALUES or n_characters > _MAX_CHARACTERS:
        raise _TooLargeError(
            f"holds more than {_MAX_VALUES:,} values or {_MAX_CHARACTERS:,} characters once its "
            "aliases (*name) are expanded; write a smaller config"
        )
    if depth > _MAX_DEPTH:
        raise _TooLargeError(f"nested too deeply: a config has at most {_MAX_DEPTH} levels")


def _size(node: yaml.Node, known: dict[int, tuple[int, int, int]]) -> tuple[int, int, int]:
    """Return a node's values, characters and levels with its aliases expanded.

    Each node is measured once, however often it is repeated; one that contains itself counts as
    nothing here, and is refused later.
    """
    if isinstance(node, yaml.ScalarNode):
        return 1, len(node.value), 1
    if id(node) not in known:
        known[id(node)] = (0, 0, 0)
        children = node.value
        if isinstance(node, yaml.MappingNode):
            children = [part for pair in node.value for part in pair]
        sizes = [_size(part, known) for part in children]
        known[id(node)] = (
            1 + sum(size[0] for size in sizes),
            sum(size[1] for size in sizes),
            1 + max((size[2] for size in sizes), default=0),
        )
    return known[id(node)]


_HALF_A_PAIR = "half of a surrogate pair is not a character; write the character itself"


def _has_half_a_pair(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)


class _Builder:
    """Turns YAML nodes into values, and records their places and problems."""

    def __init__(self, source: str, document: Document, *, numbered: bool) -> None:
        self._source = source
        self._document = document
        self._numbered = numbered
        self._open: set[int] = set()

    def value(self, node: yaml.Node, annotation: Any, path: Path) -> Any:
        # The line of a key was noted before; that of a list item or of the top is its own.
        if self._numbered and (not path or isinstance(path[-1], int)):
            self._document.places[path] = self._place(node)
        if node.tag.removeprefix(_TAG) not in (*_SCALARS, "seq", "map"):
            self._report(node, path, f"unknown YAML tag {node.tag!r}; remove it")
            return None
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, annotation, path)
        if id(node) in self._open:
            self._report(node, path, "refers to itself; write the value itself")
            return None
        self._open.add(id(node))
        built = (
            self._mapping(node, annotation, path)
            if isinstance(node, yaml.MappingNode)
            else [
                self.value(item, child(annotation, position), (*path, position))
                for position, item in enumerate(node.value)
            ]
        )
        self._open.remove(id(node))
        return built

    def _mapping(self, node: yaml.MappingNode, annotation: Any, path: Path) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._report(key_node, path, "found a list or mapping as a key; keys are text")
                continue
            key = key_node.value
            here = (*path, key)
            if _has_half_a_pair(key):
                self._report(key_node, path, f"found the key {key!r}; {_HALF_A_PAIR}")
                continue
            if key in built:
                first = self._document.places[here].line
                where = f" (first on line {first})" if first else ""
                self._report(key_node, here, f"duplicate key '{dotted(here)}'{where}; keep one")
                continue
            self._document.places[here] = self._place(key_node)
            built[key] = self.value(value_node, child(annotation, key), here)
        return built

    def _scalar(self, node: yaml.ScalarNode, annotation: Any, path: Path) -> Any:
        in_list = bool(path) and isinstance(path[-1], int)
        # `interval:` means that it is not given, but [NULL] is a list with the symbol NULL.
        kind = node.tag.removeprefix(_TAG)
        if wants_text(annotation) and (in_list or kind != "null"):
            kind = "str"
        shown = node.value if len(node.value) <= 40 else node.value[:40] + "…"
        try:
            value = _SCALARS[kind](node.value)
        except (ValueError, KeyError):
            # Python reads at most 4,300 digits: a loop over them would take quadratic time.
            need = f"cannot read {shown!r} as {kind}"
        else:
            if isinstance(value, str) and _has_half_a_pair(value):
                need = f"found {shown!r}; {_HALF_A_PAIR}"
            elif kind == "int" and abs(value) > MAX_INT:
                need = f"found {shown}; whole numbers go up to {MAX_INT:,}"
            else:
                return value
        self._report(node, path, need)
        return None

    def _place(self, node: yaml.Node) -> Place:
        return Place(self._source, node.start_mark.line + 1 if self._numbered else 0)

    def _report(self, node: yaml.Node, path: Path, message: str) -> None:
        self._document.problems.append(ConfigProblem(self._place(node), path, message))
