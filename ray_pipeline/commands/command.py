"""What a command is: its name, its arguments, and what it does."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ray_pipeline.config import ExperimentConfig

__all__ = ["ALARM", "Command", "add_config", "add_json", "find_own_modules", "whole_number"]


ALARM = 3
"""Exit code where monitoring has something to tell that does not wait."""


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
        Does it and returns the exit code. It imports what it needs when it is called: the program
        answers before Arrow is loaded.
    epilog
        What its own help says last.
    is_resumed
        Whether the same command continues after an interruption.
    failed_code
        Exit code of a failure that is not the command line's, the config's or the data's.
    lost_code
        Exit code where standard output did not take the result; 0 where it is in a directory.
    """

    name: str
    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    execute: Callable[[argparse.Namespace], int]
    epilog: str | None = None
    is_resumed: bool = False
    failed_code: int = 1
    lost_code: int = 1


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add a config and the keys that replace some of its own."""
    parser.add_argument("config", metavar="CONFIG", help="YAML file of the run")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override one key, such as data.symbol_batch_size=15; may be repeated",
    )


def find_own_modules(config: ExperimentConfig, path: str) -> None:
    """Find modules in the working directory too, as `python -m` does, and beside the config."""
    from ray_pipeline.driving.workers import names_own_modules
    from ray_pipeline.user_code.functions import import_from

    if names_own_modules(config):
        import_from(os.getcwd(), os.path.dirname(os.path.abspath(path)))


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Return what reads a whole number within bounds."""

    def read(text: str) -> int:
        value = int(text) if re.fullmatch(r"[-+]?[0-9]{1,19}", text) else None
        if value is None or not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f"found {text!r}; a whole number from {least} to {most} is needed"
            )
        return value

    return read
