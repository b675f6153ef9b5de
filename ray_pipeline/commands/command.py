"""What a command is: its name, its arguments, and what it does."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ray_pipeline.config import ExperimentConfig
    from ray_pipeline.driving.json_log import JsonLog
    from ray_pipeline.driving.progress import Reporter

__all__ = [
    "ALARM",
    "Command",
    "add_config",
    "add_json",
    "add_logging",
    "find_own_modules",
    "json_log",
    "told",
    "whole_number",
]


ALARM = 3
"""Exit code when monitoring has raised an alarm."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the command line.

    Attributes
    ----------
    name, summary
        As the program's help lists them.
    add_arguments
        Adds its arguments to its parser.
    execute
        Runs the command and returns the exit code. It imports what it needs when it is called, so
        that the program answers before Arrow is loaded.
    epilog
        The end of its own help.
    is_resumed
        Whether the same command continues after an interruption.
    failed_code
        Exit code of a failure that is not due to the command line, the config or the data.
    lost_code
        Exit code if the result could not be written to standard output; 0 if it is in a directory.
    """

    name: str
    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    execute: Callable[[argparse.Namespace], int]
    epilog: str | None = None
    is_resumed: bool = False
    failed_code: int = 1
    lost_code: int = 1


def add_logging(parser: argparse.ArgumentParser, *, of_program: bool = False) -> None:
    """Add the options for standard error, which may come before or after a command's name.

    Parameters
    ----------
    of_program
        Whether the parser is the program's. Only that one has the defaults: a command's defaults
        would replace what was given before its name.
    """
    if of_program:
        parser.set_defaults(log=None)
    group = parser.add_argument_group("standard error")
    group.add_argument(
        "-q",
        "--quiet",
        action="store_true",
        default=False if of_program else argparse.SUPPRESS,
        help="show only warnings, failures and errors",
    )
    group.add_argument(
        "--log-format",
        choices=("text", "json"),
        default="text" if of_program else argparse.SUPPRESS,
        help="text for people, or one JSON object per line (default text)",
    )


def told(options: argparse.Namespace) -> Reporter:
    """Return the reporter that the command line asks for."""
    if (log := json_log(options)) is not None:
        return log
    from ray_pipeline.driving.progress import Progress

    return Progress(sys.stderr, is_quiet=options.quiet)


def json_log(options: argparse.Namespace) -> JsonLog | None:
    """Return the command's log for programs, always the same; None if it writes for people."""
    if options.log_format != "json":
        return None
    if options.log is None:
        from ray_pipeline.driving.json_log import JsonLog

        options.log = JsonLog(sys.stderr, is_quiet=options.quiet)
    log: JsonLog = options.log
    return log


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add a config and the option that overrides its keys."""
    parser.add_argument("config", metavar="CONFIG", help="YAML config of the run")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override one key, e.g. data.symbol_batch_size=15; may be repeated",
    )


def find_own_modules(config: ExperimentConfig, path: str) -> None:
    """Find modules in the working directory too, as `python -m` does, and next to the config."""
    from ray_pipeline.driving.workers import names_own_modules
    from ray_pipeline.user_code.functions import import_from

    if names_own_modules(config):
        import_from(os.getcwd(), os.path.dirname(os.path.abspath(path)))


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Return a parser of whole numbers within bounds."""

    def read(text: str) -> int:
        value = int(text) if re.fullmatch(r"[-+]?[0-9]{1,19}", text) else None
        if value is None or not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f"found {text!r}; a whole number from {least} to {most} is needed"
            )
        return value

    return read
