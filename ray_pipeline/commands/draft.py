"""The config that ``ray-pipeline init`` is writing: keys with comments, and the findings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ray_pipeline.display import escaped

__all__ = ["GUESS", "ConfigDraft"]

GUESS = "guess"
"""Marks a line for a person to check: it was not in the data, or it is ambiguous."""


@dataclass(slots=True)
class ConfigDraft:
    """Keys of the config in order, by section: value as YAML, and comment."""

    keys: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)
    guesses: list[str] = field(default_factory=list)

    @property
    def named(self) -> set[str]:
        """The keys so far."""
        return {f"{section}.{name}" for section in self.keys for name, _, _ in self.keys[section]}

    def put(self, key: str, value: str, why: str) -> None:
        """Write a key, ``section.name``, with the finding as its comment."""
        section, _, name = key.partition(".")
        self.keys.setdefault(section, []).append((name, value, why))

    def guess(self, key: str, value: str, why: str) -> None:
        """Write a key for a person to check."""
        self.put(key, value, f"{GUESS}: {why}")
        self.guesses.append(f"{key}: {value} ({why})")

    def text(self, heading: Iterable[str]) -> str:
        """Return the YAML below some comment lines."""
        # Whatever a file's names hold, a comment ends with its line.
        lines = [f"# {escaped(line, keep='')}".rstrip() for line in heading]
        for section, keys in self.keys.items():
            lines += ["", f"{section}:"]
            width = max(len(f"{name}: {value}") for name, value, _ in keys)
            for name, value, why in keys:
                said = f"{name}: {value}"
                lines.append(f"  {said:{min(width, 60)}}  # {escaped(why, keep='')}")
        return "\n".join(lines) + "\n"
