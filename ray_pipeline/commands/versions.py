"""``ray-pipeline versions``: list the versions of a run's models, or choose which one serves."""

from __future__ import annotations

import argparse

from ray_pipeline.commands.command import Command, add_json, told
from ray_pipeline.terminal import put, put_json

__all__ = ["COMMAND"]


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_dir", metavar="RUN_DIR")
    change = parser.add_mutually_exclusive_group()
    change.add_argument("--promote", metavar="VERSION", help="make this version serve")
    change.add_argument(
        "--rollback", action="store_true", help="go back to the version that served before"
    )
    parser.add_argument(
        "--why", metavar="TEXT", help="reason for the journal, which also records who and when"
    )
    add_json(parser)


def _execute(options: argparse.Namespace) -> int:
    from ray_pipeline.driving.versioning import serve_version
    from ray_pipeline.versions.changing import list_versions, version_lines

    if options.promote is not None or options.rollback:
        serve_version(options.run_dir, options.promote, options.why, told(options).say)
    found = list_versions(options.run_dir)
    if options.json:
        put_json(found)
    else:
        put(*version_lines(found))
    return 0


COMMAND = Command(
    name="versions",
    summary="list the versions of a run's models, or choose which one serves",
    add_arguments=_add_arguments,
    execute=_execute,
    epilog="`predict --version VERSION` scores with any of them.",
)
