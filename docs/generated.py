"""The parts of pages that are made of the code, by the names that pages give them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from gen_commands import command_sections
from gen_config import config_sections
from gen_errors import error_table
from gen_python import public_names

__all__ = ["GENERATORS", "filled"]

ROOT = Path(__file__).resolve().parents[1]
_PLACE = re.compile(r"^<!-- generated: (.+?) -->$", re.MULTILINE)
_LINKS = {
    "](ARCHITECTURE.md": "](architecture.md",
    "](CONTRIBUTING.md": "](contributing.md",
    "](CHANGELOG.md": "](changes.md",
    "](docs/": "](../",
}


def _file_of_the_repository(name: str) -> str:
    """Return a Markdown file of the root, without its title, its links as the pages need them."""
    text = (ROOT / name).read_text("utf-8").partition("\n")[2]
    for written, needed in _LINKS.items():
        text = text.replace(written, needed)
    return text


GENERATORS: dict[str, Callable[[], str]] = {
    "commands": command_sections,
    "config": config_sections,
    "errors": error_table,
    "public names": public_names,
    "architecture": lambda: _file_of_the_repository("ARCHITECTURE.md"),
    "contributing": lambda: _file_of_the_repository("CONTRIBUTING.md"),
    "changes": lambda: _file_of_the_repository("CHANGELOG.md"),
}


def filled(markdown: str) -> str:
    """Replace each ``<!-- generated: NAME -->`` by what it names.

    Raises
    ------
    KeyError
        When nothing is made under that name.
    """
    return _PLACE.sub(lambda place: GENERATORS[place[1]](), markdown)
