"""A section for each command: what it does, and its help as the program prints it."""

from __future__ import annotations

import argparse
import os
from unittest.mock import patch

from ray_pipeline.arguments import build_parser
from ray_pipeline.commands.listing import COMMANDS

__all__ = ["command_sections"]

_COLUMNS = "88"
"""Of the help: what a page has room for."""


def command_sections() -> str:
    """Return the sections as Markdown, the program's own help first."""
    with patch.dict(os.environ, {"COLUMNS": _COLUMNS, "NO_COLOR": "1"}):
        program = build_parser()
        parsers = _parsers(program)
        parts = [_help(program)]
        for command in COMMANDS:
            summary = command.summary[:1].upper() + command.summary[1:]
            parts.append(
                f"## `{command.name}` {{#{command.name}}}\n\n{summary}.\n\n"
                + _help(parsers[command.name])
            )
    return "\n\n".join(parts)


def _parsers(program: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found: dict[str, argparse.ArgumentParser] = {}
    for command in COMMANDS:
        found[command.name] = program.parse_args(_least(command.name)).parser
    return found


def _least(name: str) -> list[str]:
    """Return a command line of a command that has what it needs."""
    needed = {
        "import": ["SRC", "--out", "OUT", "--interval", "1d"],
        "label": ["CONFIG", "--out", "OUT"],
        "predict": ["RUN_DIR", "--data-dir", "DATA", "--out", "OUT"],
        "explain": ["RUN_DIR", "--target", "TARGET"],
        "compare": ["RUN_A", "RUN_B"],
        "completion": ["bash"],
    }
    return [name, *needed.get(name, ["ANY"])]


def _help(parser: argparse.ArgumentParser) -> str:
    return f"```text\n{parser.format_help().rstrip()}\n```"
