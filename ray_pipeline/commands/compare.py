"""``ray-pipeline compare``: whether two runs computed the same."""

from __future__ import annotations

import argparse

from ray_pipeline.commands.command import Command, add_json
from ray_pipeline.terminal import put, put_json

__all__ = ["COMMAND"]


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_a", metavar="RUN_A")
    parser.add_argument("run_b", metavar="RUN_B")
    add_json(parser)


def _execute(options: argparse.Namespace) -> int:
    from ray_pipeline.comparing import compare_runs, comparison_lines

    found = compare_runs(options.run_a, options.run_b)
    if options.json:
        put_json(found)
    else:
        put(*comparison_lines(found))
    return 0 if found["equal"] else 1


COMMAND = Command(
    name="compare",
    summary="whether the results of two runs differ, and where first",
    add_arguments=_add_arguments,
    execute=_execute,
    epilog="Exit code 0: equal; 1: different; 2: the runs could not be compared.",
    failed_code=2,
    lost_code=2,
)
