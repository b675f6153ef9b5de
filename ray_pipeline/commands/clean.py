"""``ray-pipeline clean``: delete what a run directory no longer needs."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from ray_pipeline.bounds import MAX_COUNT
from ray_pipeline.commands.command import Command, add_json, told, whole_number
from ray_pipeline.terminal import put, put_json

if TYPE_CHECKING:
    from ray_pipeline.cleaning import Cleaning

__all__ = ["COMMAND"]


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_dir", metavar="RUN_DIR")
    parser.add_argument(
        "--keep",
        type=whole_number(1, MAX_COUNT),
        metavar="N",
        help="number of versions to keep (default output.keep_versions)",
    )
    parser.add_argument(
        "--unfinished",
        action="store_true",
        help="also delete the units from which an unfinished run would resume",
    )
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--dry-run", action="store_true", help="only say what would be deleted")
    choice.add_argument("--yes", action="store_true", help="delete without asking")
    add_json(parser)


def _execute(options: argparse.Namespace) -> int:
    from ray_pipeline.cleaning import clean_run, cleaning_lines, survey_run

    may_ask = sys.stdin is not None and sys.stdin.isatty() and not options.json
    if options.dry_run or not (options.yes or may_ask):
        found = survey_run(options.run_dir, options.keep, unfinished=options.unfinished)
        removed = False
    else:

        def agreed(found: Cleaning) -> bool:
            if options.yes:
                return True
            put(*cleaning_lines(found, removed=False))
            return _asked("Delete it? [y/N] ")

        found, removed = clean_run(
            options.run_dir,
            options.keep,
            agreed,
            told(options).say,
            unfinished=options.unfinished,
        )
    if options.json:
        put_json(found.document() | {"removed": removed})
        return 0
    put(*cleaning_lines(found, removed=removed))
    if found.leftovers and not removed:
        put("nothing was deleted" + ("" if options.dry_run or may_ask else ": add --yes to delete"))
    return 0


def _asked(question: str) -> bool:
    try:
        return input(question).strip().lower() in {"y", "yes"}
    except EOFError:
        return False


COMMAND = Command(
    name="clean",
    summary="delete what a run directory no longer needs, after listing it",
    add_arguments=_add_arguments,
    execute=_execute,
)
