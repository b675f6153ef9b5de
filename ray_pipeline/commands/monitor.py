"""``ray-pipeline monitor``: compare a run's promise with its outcome."""

from __future__ import annotations

import argparse
import os

from ray_pipeline.commands.command import ALARM, Command, add_json
from ray_pipeline.terminal import put, put_json

__all__ = ["COMMAND"]


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_dir", metavar="RUN_DIR")
    parser.add_argument(
        "--since",
        metavar="TIME",
        help="monitor only live predictions from this time on, e.g. after acting on an alarm",
    )
    add_json(parser)


def _execute(options: argparse.Namespace) -> int:
    from ray_pipeline.monitoring.lines import monitoring_document, monitoring_lines
    from ray_pipeline.monitoring.watching import MONITOR_PAGE, monitor_run

    found = monitor_run(options.run_dir, options.since, (os.getcwd(),))
    if options.json:
        put_json(monitoring_document(found))
    else:
        put(*monitoring_lines(found), "", f"page  {found.run}/{MONITOR_PAGE}")
    return ALARM if found.alarms else 0


COMMAND = Command(
    name="monitor",
    summary="compare live skill with the promise, and look for drift",
    add_arguments=_add_arguments,
    execute=_execute,
    epilog="Exit code 0: no alarm; 3: an alarm; 1 and 2 as for every command.",
)
