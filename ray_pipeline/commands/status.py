"""``ray-pipeline status``: the state of a run."""

from __future__ import annotations

import argparse
import time
from typing import Any

from ray_pipeline.commands.command import Command, add_json, whole_number
from ray_pipeline.terminal import Screen, put, put_json

__all__ = ["COMMAND"]

_EVERY_S, _LONGEST_S = 5, 3_600


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_dir", metavar="RUN_DIR")
    parser.add_argument(
        "--watch",
        action="store_true",
        help="keep reporting until the run ends, and exit with its code; with --json, report only "
        "then",
    )
    parser.add_argument(
        "--every",
        type=whole_number(1, _LONGEST_S),
        default=_EVERY_S,
        metavar="SECONDS",
        help=f"between two looks with --watch (default {_EVERY_S})",
    )
    add_json(parser)


def _execute(options: argparse.Namespace) -> int:
    from ray_pipeline.status import run_status, status_lines

    code = 0
    if options.watch:
        found, code = _watch(options)
    else:
        found = run_status(options.run_dir)
    if options.json:
        put_json(found)
    else:
        put(*status_lines(found))
    return code


def _watch(options: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Report the run's state until it has ended; return its last status and its exit code."""
    from ray_pipeline.status import Watch, run_status, status_lines, status_sentence

    watch, screen, told = Watch(), Screen(), ""
    while True:
        found = run_status(options.run_dir)
        code = watch.ended(found, time.monotonic())
        if code is not None:
            screen.clear()
            return found, code
        if screen.is_terminal and not options.json:
            screen.show(status_lines(found))
        elif not options.json and (sentence := status_sentence(found)) != told:
            told = sentence
            put(sentence)
        time.sleep(options.every)


COMMAND = Command(
    name="status",
    summary="show progress and failures of a run",
    add_arguments=_add_arguments,
    execute=_execute,
    epilog="Exit code of --watch: 0: the run is done; 1: it failed, or its driver died; 130: it "
    "was interrupted.",
)
