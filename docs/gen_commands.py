"""A section for each command: what it does, and its help as the program prints it."""

from __future__ import annotations

import io
import os
from contextlib import redirect_stdout, suppress
from unittest.mock import patch

from ray_pipeline.arguments import parse
from ray_pipeline.commands.listing import COMMANDS

__all__ = ["command_sections"]

_COLUMNS = "88"
"""Of the help: what a page has room for."""


def command_sections() -> str:
    """Return the sections as Markdown, after the program's own help."""
    parts = [_help()]
    for command in COMMANDS:
        summary = command.summary[:1].upper() + command.summary[1:]
        parts += [f"## `{command.name}` {{#{command.name}}}", f"{summary}.", _help(command.name)]
    return "\n\n".join(parts)


def _help(*command: str) -> str:
    printed = io.StringIO()
    with (
        patch.dict(os.environ, {"COLUMNS": _COLUMNS, "NO_COLOR": "1"}),
        redirect_stdout(printed),
        suppress(SystemExit),
    ):
        parse([*command, "--help"])
    return f"```text\n{printed.getvalue().rstrip()}\n```"
