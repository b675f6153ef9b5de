"""``ray-pipeline report``: write a run's page again."""

from __future__ import annotations

import argparse

from ray_pipeline.commands.command import Command
from ray_pipeline.terminal import put

__all__ = ["COMMAND"]


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_dir", metavar="RUN_DIR")


def _execute(options: argparse.Namespace) -> int:
    from ray_pipeline.report import write_report
    from ray_pipeline.results.opening import open_run
    from ray_pipeline.storage import RunDirectory

    run = open_run(options.run_dir)
    put(f"{run.uri}/{write_report(run.files, RunDirectory(options.run_dir))}")
    return 0


COMMAND = Command(
    name="report",
    summary="write report.html again",
    add_arguments=_add_arguments,
    execute=_execute,
    lost_code=0,
)
