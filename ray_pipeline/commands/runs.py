"""``ray-pipeline runs``: list the runs below a folder, with dates and results."""

from __future__ import annotations

import argparse

from ray_pipeline.commands.command import Command, add_json, told, whole_number
from ray_pipeline.terminal import put, put_json

__all__ = ["COMMAND"]

_DEPTH, _DEEPEST = 4, 12


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        metavar="DIR",
        nargs="?",
        default="runs",
        help="folder or URI with run directories below it (default runs)",
    )
    parser.add_argument(
        "--depth",
        type=whole_number(0, _DEEPEST),
        default=_DEPTH,
        metavar="N",
        help=f"levels of folders to search (default {_DEPTH})",
    )
    add_json(parser)


def _execute(options: argparse.Namespace) -> int:
    from ray_pipeline.runs import find_runs, runs_lines

    found = find_runs(options.folder, options.depth, told(options).listed)
    if options.json:
        put_json(found.document())
    else:
        put(*runs_lines(found))
    return 0


COMMAND = Command(
    name="runs",
    summary="list the runs below a folder, with dates and results",
    add_arguments=_add_arguments,
    execute=_execute,
)
