"""``--set KEY=VALUE``: one key of the config from the command line."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from ray_pipeline.config.document import ConfigProblem, Document, Path, Place, dotted, parse_yaml
from ray_pipeline.config.shapes import child, holds_keys, holds_scalars, wants_text

__all__ = ["apply_override", "override_source"]


def override_source(override: str) -> str:
    """Return the name of an override in messages: only its key, as the value may be a secret."""
    return f"--set {override.partition('=')[0].strip()}".rstrip()


def apply_override(document: Document, override: str, root: type[BaseModel]) -> None:
    """Put the value of an override into a document, or record what is wrong with it.

    Parameters
    ----------
    document
        Changed in place: the value replaces the existing one as a whole.
    override
        ``data.symbol_batch_size=15``. A key that holds one text takes the value literally; all
        others take YAML, such as ``data.symbols=[0700, TRUE]``.
    root
        The model of the whole config.
    """
    place = Place(override_source(override))
    key, equals, text = (part.strip() for part in override.partition("="))
    if not equals or not all(key.split(".")):
        message = "must be written KEY=VALUE, e.g. data.symbol_batch_size=15"
        document.problems.append(ConfigProblem(place, (), message))
        return
    path, annotation, rest = _resolve(key, root)
    if rest:
        message = f"'{dotted(path)}' has no keys of its own, so '{rest}' cannot be set below it"
        document.problems.append(ConfigProblem(place, path, message))
        return
    value = _parse(place.source, text, annotation, path)
    document.problems.extend(value.problems)
    if not value.problems:
        _put(document, path, value)


def _resolve(key: str, root: type[BaseModel]) -> tuple[Path, Any, str]:
    """Split a dotted key into steps; return them, the annotation there, and what is left over.

    Patterns of targets and names of hyperparameters may contain dots.
    """
    path: Path = ()
    annotation: Any = root
    rest = key
    while rest and holds_keys(annotation):
        step, _, rest = (rest, "", "") if holds_scalars(annotation) else rest.partition(".")
        annotation = child(annotation, step)
        path = (*path, step)
    return path, annotation, rest


def _parse(source: str, text: str, annotation: Any, path: Path) -> Document:
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    is_null = text in {"", "~", "null"}
    if wants_text(annotation) and not (is_quoted or is_null):
        # Not YAML, or `output.run_dir=/data/run #2` would lose its end as a comment.
        return Document(text, {path: Place(source)})
    return parse_yaml(source, text, annotation, below=path, numbered=False)


def _put(document: Document, path: Path, value: Document) -> None:
    section = document.values
    for depth, step in enumerate(path[:-1], start=1):
        if section.get(step) is None:
            section[step] = {}
            document.places[path[:depth]] = value.places[path]
        section = section[step]
        if not isinstance(section, dict):
            return  # The value in the file is wrong, and is reported as such.
    section[path[-1]] = value.values
    document.places = {
        place: where for place, where in document.places.items() if place[: len(path)] != path
    } | value.places
