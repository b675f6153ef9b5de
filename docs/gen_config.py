"""A section for each part of the config, with every key: type, bounds, default, what it does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ray_pipeline.config import config_schema

__all__ = ["anchor", "config_sections"]

_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
    "array": "list",
    "object": "mapping",
}
_NO_TYPING_ERROR = 100_000
"""From here on a bound is there to catch typing errors, and nobody needs to know it."""


def config_sections() -> str:
    """Return the sections as Markdown, in the order of a config."""
    schema = config_schema()
    parts: list[str] = []
    for name, node in schema["properties"].items():
        section = _resolved(node, schema)
        parts.append(f"## `{name}` {{#{anchor(name)}}}\n\n{_described(node, section)}")
        parts += _keys(name, section, schema)
    return "\n\n".join(parts)


def anchor(key: str) -> str:
    """Return the anchor of a key: ``data-symbol_batch_size``."""
    return key.replace(".", "-").replace("<", "").replace(">", "")


def _keys(prefix: str, section: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    required = section.get("required", ())
    for name, node in _members(section):
        key = f"{prefix}.{name}"
        default = "Required." if name in required else _default(node)
        yield (
            f"### `{key}` {{#{anchor(key)}}}\n\n"
            f"{_described(node, {})}\n\n"
            f"Type: {_type(node, schema)}. {default}"
        )
        for model in _models(node, schema):
            yield from _keys(key, model, schema)
    for model in _models(section, schema):
        if model is not section:
            yield from _keys(f"{prefix}.<name>", model, schema)


def _members(section: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return list(section.get("properties", {}).items())


def _models(node: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Find the models whose keys stand below a key: by a reference, or below names of one's own."""
    for each in (*node.get("anyOf", ()), *node.get("patternProperties", {}).values()):
        found = _resolved(each, schema)
        if "properties" in found:
            yield found
        elif "anyOf" in each:
            yield from _models(each, schema)


def _resolved(node: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    place = node.get("$ref")
    if place is None:
        return node
    found: Mapping[str, Any] = schema["$defs"][place.rpartition("/")[2]]
    return found


def _described(node: Mapping[str, Any], section: Mapping[str, Any]) -> str:
    text = node.get("description") or section["description"]
    # Markdown would take a placeholder such as <target> for a tag, and a glob for emphasis.
    for mark, written in (("<", "&lt;"), ("*", "&#42;"), ("_", "&#95;")):
        text = text.replace(mark, written)
    return str(text).rstrip(".") + "."


def _default(node: Mapping[str, Any]) -> str:
    if "default" not in node:
        return "No default."
    return f"Default: `{json.dumps(node['default'], ensure_ascii=False)}`."


def _type(node: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "$ref" in node:
        found = _resolved(node, schema)
        return "mapping of the keys below" if "properties" in found else "any value"
    if "anyOf" in node:
        options = [_type(each, schema) for each in node["anyOf"]]
        return " or ".join(dict.fromkeys(options))
    if "enum" in node:
        return " or ".join(f"`{value}`" for value in node["enum"])
    if "const" in node:
        return f"`{node['const']}`"
    given = node.get("type", "any")
    names = [given] if isinstance(given, str) else given
    return " or ".join(_plain_type(name, node, schema) for name in names)


def _plain_type(name: str, node: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if name == "array" and "items" in node:
        return f"list of {_grouped(node['items'], schema)}"
    if name == "object" and isinstance(node.get("additionalProperties"), Mapping):
        return f"mapping of text to {_grouped(node['additionalProperties'], schema)}"
    if name in {"integer", "number"}:
        return _TYPES[name] + _bounds(node)
    return _TYPES.get(name, "any value")


def _grouped(node: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    found = _type(node, schema)
    return f"({found})" if " or " in found else found


def _bounds(node: Mapping[str, Any]) -> str:
    words = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
    }
    told = [
        f"{word} {node[key]:,}"
        for key, word in words.items()
        if key in node and abs(node[key]) < _NO_TYPING_ERROR
    ]
    return f", {' and '.join(told)}" if told else ""
