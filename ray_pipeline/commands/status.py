"""``ray-pipeline status``: how a run stands."""

from __future__ import annotations

import argparse

from ray_pipeline.commands.command import Command, add_json
from ray_pipeline.terminal import put, put_json

__all__ = ["COMMAND"]


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_dir", metavar="RUN_DIR")
    add_json(parser)


def _execute(options: argparse.Namespace) -> int:
    from ray_pipeline.status import run_status, status_lines

    found = run_status(options.run_dir)
    if options.json:
        put_json(found)
    else:
        put(*status_lines(found))
    return 0


COMMAND = Command(
    name="status",
    summary="progress and failures of a run",
    add_arguments=_add_arguments,
    execute=_execute,
)
