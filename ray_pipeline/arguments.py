"""The command-line parser, built from the commands."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NoReturn

from ray_pipeline.commands.command import add_logging
from ray_pipeline.commands.listing import COMMANDS
from ray_pipeline.credentials import address_without_secrets
from ray_pipeline.display import capped, escaped
from ray_pipeline.version import __version__
from ray_pipeline.wording import closest

__all__ = ["build_parser", "parse"]


_COMMAND = "COMMAND"
_CHOICE = re.compile(r"invalid choice: '(.*?)' \(choose from (.*)\)$", re.DOTALL)


class _Parser(argparse.ArgumentParser):
    """A parser with messages that fit a terminal and suggest what was probably meant.

    Attributes
    ----------
    added
        Its arguments; for the program's parser, also those of its commands.
    """

    def __init__(self, *about: Any, **named: Any) -> None:
        self.added: list[argparse.Action] = []  # first: the help option is added below
        super().__init__(*about, **named)

    def error(self, message: str) -> NoReturn:
        """Print the usage and the error, and exit with code 2."""
        choice = _CHOICE.search(message)
        if choice is not None:
            close = closest(choice[1], re.findall(r"[\w-]+", choice[2]))
            if message.startswith(f"argument {_COMMAND}:"):
                # `--help` shows the choices with their descriptions.
                message = f"unknown command {choice[1]!r}"
                message += "" if close else f"; `{self.prog} --help` lists the commands"
            message += f". Did you mean {close!r}?" if close else ""
        super().error(address_without_secrets(capped(escaped(message))))

    def add_argument(self, *names: Any, **about: Any) -> argparse.Action:
        """Add an argument, and keep it for the scripts that let a shell complete it."""
        self.added.append(super().add_argument(*names, **about))
        return self.added[-1]

    def _print_message(self, message: str, file: Any = None) -> None:
        """Leave a closed or full stream to the code that flushes it, as Python 3.11.7 does.

        Earlier ones raise here, past the exit code.
        """
        with suppress(OSError):
            super()._print_message(message, file)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return a command line's options; `command` names the command.

    Raises
    ------
    SystemExit
        With code 2 if it is wrong, and with 0 after a help text or the version.
    """
    parser = build_parser()
    for argument in arguments:
        if any("\ud800" <= char <= "\udfff" for char in argument):
            # Neither a record nor Arrow can hold it, so it is refused at once.
            parser.error(f"argument {argument!r} is not UTF-8")
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        own = options.parser
        known = re.findall(r"--[a-z][\w-]*", own.format_help())
        wrong = next((each for each in unknown if each.startswith("-")), None)
        close = None if wrong is None else closest(wrong.partition("=")[0], known)
        hint = f". Did you mean {close!r}?" if close else ""
        own.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
    return options


def build_parser() -> argparse.ArgumentParser:
    """Return the parser; a parsed command line has its command in `command`."""
    parser = _Parser(
        prog="ray-pipeline",
        description="Find out which targets of a panel can be predicted, from which features and "
        "for which symbols, and train the models on Ray.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.set_defaults(program=parser)
    add_logging(parser, of_program=True)
    parsers = parser.add_subparsers(title="commands", metavar=_COMMAND, required=True)
    for command in COMMANDS:
        text = command.summary
        own = parsers.add_parser(command.name, help=text, description=text, epilog=command.epilog)
        own.set_defaults(command=command, parser=own)
        command.add_arguments(own)
        parser.added += own.added
        add_logging(own)
    return parser
