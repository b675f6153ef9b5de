"""``ray-pipeline completion``: a script for shell completion of commands, options and paths."""

from __future__ import annotations

import argparse

from ray_pipeline.commands.command import Command
from ray_pipeline.terminal import put

__all__ = ["COMMAND"]

_SHELLS = ("bash", "zsh", "fish")
_PATHS = frozenset(
    {"CONFIG", "DATA_DIR", "DEST", "DIR", "FILE", "RUN_A", "RUN_B", "RUN_DIR", "SRC", "URI"}
)
"""Names of the arguments that are paths."""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", metavar="SHELL", choices=_SHELLS, help=", ".join(_SHELLS))


def _execute(options: argparse.Namespace) -> int:
    import shtab

    for argument in options.program.added:
        if argument.metavar in _PATHS:
            argument.complete = shtab.FILE
    put(*shtab.complete(options.program, options.shell).splitlines())
    return 0


COMMAND = Command(
    name="completion",
    summary="a script that lets your shell complete commands, options and paths",
    add_arguments=_add_arguments,
    execute=_execute,
    epilog="Write it where your shell looks: "
    "~/.local/share/bash-completion/completions/ray-pipeline (bash), a file _ray-pipeline in a "
    "folder of $fpath (zsh), ~/.config/fish/completions/ray-pipeline.fish (fish).",
)
