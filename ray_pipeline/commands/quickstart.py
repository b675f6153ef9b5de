"""``ray-pipeline quickstart``: make a sample panel, and run the pipeline on it."""

from __future__ import annotations

import argparse

from ray_pipeline.commands.command import Command, told
from ray_pipeline.terminal import put

__all__ = ["COMMAND"]


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dest", metavar="DEST", nargs="?", default="quickstart")


def _execute(options: argparse.Namespace) -> int:
    from ray_pipeline.quickstart import run_quickstart

    return run_quickstart(options.dest, told(options), put)


COMMAND = Command(
    name="quickstart",
    summary="make a sample panel with planted truths, and run the pipeline on it",
    add_arguments=_add_arguments,
    execute=_execute,
    is_resumed=True,
)
