"""Pydantic's findings about a config, in plain English."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from ray_pipeline.config.document import ConfigProblem, Document, Path, dotted
from ray_pipeline.config.fields import PATTERNS
from ray_pipeline.config.shapes import child, section_fields, section_of
from ray_pipeline.wording import closest

__all__ = ["listed", "validation_problems"]

_NEEDS = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a whole number of 64 bits",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "string_unicode": "must be text without halves of surrogate pairs",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "literal_error": "must be {expected}",
}
_KINDS_OF_PYDANTIC = frozenset(get_args(ErrorType))
_MAX_TRANSLATED = 1_000
_MAX_LISTED = 25
_MAX_SHOWN = 60
_MAX_PATH = 200
_PLAIN_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.[0-9]+)?")
_NO_CREDENTIALS = (
    "holds a credential; remove it. Credentials come from the environment of each worker, for "
    "example AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the role of the machine"
)


def validation_problems(
    error: ValidationError, document: Document, root: type[BaseModel]
) -> list[ConfigProblem]:
    """Translate what pydantic reports into problems with their place in the document.

    Parameters
    ----------
    error
        What ``root.model_validate(document.values)`` raised.
    document
        The validated values, and where they were written.
    root
        The model of the whole config, which knows the keys that may have been meant.
    """
    return [
        ConfigProblem(document.place_of(path), path, message)
        for details in error.errors(include_url=False)[:_MAX_TRANSLATED]
        for path, message in _sentences(details, root)
    ]


def listed(problems: list[ConfigProblem], sources: list[str]) -> str:
    """Write problems one per line, by source, and those of a file from top to bottom."""
    ordered = sorted(
        problems, key=lambda problem: (sources.index(problem.place.source), problem.place.line)
    )
    lines = list(dict.fromkeys(_line(problem) for problem in ordered))
    n_more = len(lines) - _MAX_LISTED
    if n_more > 0:
        lines[_MAX_LISTED:] = [f"and at least {n_more:,} more problems"]
    return "\n".join(lines)


def _line(problem: ConfigProblem) -> str:
    place, subject = str(problem.place), _shortened(dotted(problem.path), _MAX_PATH)
    # An override is named by its key, which some messages quote already: once is enough.
    is_said = not subject or place == f"--set {subject}" or f"'{subject}'" in problem.message
    return ": ".join([place, problem.message] if is_said else [place, subject, problem.message])


def _sentences(details: ErrorDetails, root: type[BaseModel]) -> Iterator[tuple[Path, str]]:
    path: Path = details["loc"]
    if path and path[-1] == "[key]":  # pydantic's word for the key itself being wrong
        path = path[:-1]
    context = details.get("ctx", {})
    kind = details["type"]
    if kind == "secret":
        for key in context["keys"]:
            yield (*path, *key.split(".")) if key else path, _NO_CREDENTIALS
    elif kind == "extra_forbidden":
        yield path, _unknown_key(path, root)
    elif kind == "missing":
        yield path, f"missing, and it has no default. {_description(path, root)}"
    elif kind not in _KINDS_OF_PYDANTIC and not details["msg"].startswith("must "):
        # Our own checks say either what a value must be, or everything there is to say.
        yield path, details["msg"]
    else:
        # A value among a store's options may be a secret.
        is_hidden = "storage_options" in path and isinstance(details["input"], str)
        found = "text" if is_hidden else _shown(details["input"])
        may_go = details["input"] is None and _has_default(path, root)
        way_out = "; remove the key to use its default" if may_go else ""
        yield path, f"found {found}; {_need(details, context)}{way_out}"


def _need(details: ErrorDetails, context: dict[str, Any]) -> str:
    kind, found = details["type"], details["input"]
    if kind == "string_pattern_mismatch":
        return PATTERNS[context["pattern"]]
    if kind not in _NEEDS:
        return details["msg"]
    need = _NEEDS[kind].format(**context)
    if isinstance(found, str):
        if kind in {"int_type", "float_type"} and _PLAIN_NUMBER.fullmatch(found):
            need += ", without quotes"
        elif kind == "tuple_type":
            need += f", such as [{found}]"
        elif kind == "literal_error":
            choices = re.findall(r"'([^']*)'", context["expected"])
            need += _did_you_mean(found, choices)
    return need


def _unknown_key(path: Path, root: type[BaseModel]) -> str:
    key, above = str(path[-1]), path[:-1]
    section: Any = root
    for step in above:
        section = child(section, step)
    siblings = sorted(section_fields(section) or {})
    said = f"unknown key '{_shortened(dotted(path), _MAX_PATH)}'"
    if meant := _did_you_mean(key, siblings):
        return said + meant
    elsewhere = [
        f"'{name}.{key}'"
        for name, annotation in (section_fields(root) or {}).items()
        if key in (section_fields(annotation) or {})
    ]
    if elsewhere:
        return f"{said}. Did you mean {' or '.join(elsewhere)}?"
    owner = f"'{dotted(above)}'" if above else "a config"
    return f"{said}. The keys of {owner} are {', '.join(siblings)}"


def _did_you_mean(found: str, choices: list[str]) -> str:
    close = closest(found.lower(), choices, cutoff=0.7)
    return f". Did you mean '{close}'?" if close else ""


def _field(path: Path, root: type[BaseModel]) -> Any:
    """Return pydantic's record of the key at a path, or None if the path is not a key."""
    annotation: Any = root
    for step in path[:-1]:
        annotation = child(annotation, step)
    section = section_of(annotation)
    return section.model_fields.get(str(path[-1])) if section is not None and path else None


def _description(path: Path, root: type[BaseModel]) -> str:
    field = _field(path, root)
    return "" if field is None or field.description is None else str(field.description)


def _has_default(path: Path, root: type[BaseModel]) -> bool:
    field = _field(path, root)
    return field is not None and not field.is_required()


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and not math.isfinite(value):
        return f".{value}".replace(".-", "-.")
    if isinstance(value, str):
        return repr(_shortened(value))
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    return "a mapping" if isinstance(value, dict) else _shortened(repr(value))


def _shortened(text: str, at_most: int = _MAX_SHOWN) -> str:
    return text if len(text) <= at_most else text[:at_most] + "…"
