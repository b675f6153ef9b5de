"""The arguments of the commands."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import Any, NoReturn

from ray_pipeline.bounds import MAX_COUNT, MAX_INT
from ray_pipeline.credentials import address_without_secrets
from ray_pipeline.display import capped, escaped
from ray_pipeline.version import __version__
from ray_pipeline.wording import closest

__all__ = ["build_parser"]


_CHOICE = re.compile(r"invalid choice: '(.*?)' \(choose from (.*)\)$", re.DOTALL)


class _Parser(argparse.ArgumentParser):
    """A parser whose messages are fit for a terminal, and suggest what was meant."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and what is wrong, and end with exit code 2."""
        choice = _CHOICE.search(message)
        if choice is not None:
            close = closest(choice[1], re.findall(r"[a-z]+", choice[2]))
            message += f". Did you mean {close!r}?" if close else ""
        super().error(address_without_secrets(capped(escaped(message))))


def _whole(least: int, most: int) -> Callable[[str], int]:
    """Return what reads a whole number within bounds."""

    def read(text: str) -> int:
        value = int(text) if re.fullmatch(r"[-+]?[0-9]{1,19}", text) else None
        if value is None or not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f"found {text!r}; a whole number from {least} to {most} is needed"
            )
        return value

    return read


def build_parser() -> argparse.ArgumentParser:
    """Return the parser; what it parses names its command in `command`."""
    parser = _Parser(
        prog="ray-pipeline",
        description="Which targets of a panel can be predicted, by which features, for which "
        "symbols; then the models, trained on Ray.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    run = _command(commands, "run", "run the whole pipeline, or continue it")
    _config_arguments(run)
    run.add_argument("--run-dir", metavar="URI", help="instead of output.run_dir")
    run.add_argument("--address", help="instead of execution.address")
    run.add_argument("--fresh", action="store_true", help="forget the units finished before")
    run.add_argument(
        "--replace",
        action="store_true",
        help="put the result in place of another config's, once it is complete",
    )

    discover = _command(commands, "discover", "list symbols, files and rejections")
    discover.add_argument("data_dir", metavar="DATA_DIR")
    discover.add_argument("--interval", help="bar interval, such as 5m")
    discover.add_argument(
        "--batch-size",
        type=_whole(1, MAX_COUNT),
        metavar="N",
        help="symbols that a run would sample",
    )
    discover.add_argument(
        "--seed",
        type=_whole(0, MAX_INT),
        default=0,
        metavar="N",
        help="seed of the sample (default 0)",
    )
    discover.add_argument("--json", action="store_true", help="print one JSON document")

    check = _command(commands, "check", "validate a config on one partition")
    _config_arguments(check)
    check.add_argument("--json", action="store_true", help="print one JSON document")

    label = _command(commands, "label", "write the labeled panel for a set of bars")
    _config_arguments(label)
    label.add_argument("--out", metavar="URI", required=True, help="where to write the panel")

    predict = _command(commands, "predict", "score new data, each symbol by its route")
    predict.add_argument("run_dir", metavar="RUN_DIR")
    predict.add_argument("--data-dir", metavar="URI", required=True, help="the new data")
    predict.add_argument("--out", metavar="URI", required=True, help="where to write the scores")
    predict.add_argument("--interval", help="of the new data; that of the run, where it has one")
    for name in ("targets", "symbols"):
        text = f"score these {name} alone"
        predict.add_argument(f"--{name}", nargs="+", metavar="NAME", default=[], help=text)
    predict.add_argument("--since", metavar="TS", help="no rows before this time (ISO 8601, UTC)")
    predict.add_argument(
        "--n-workers",
        type=_whole(0, MAX_COUNT),
        metavar="N",
        help="0: in this process, no Ray",
    )
    predict.add_argument("--address", help="instead of the run's execution.address")
    predict.add_argument("--json", action="store_true", help="print one JSON document")
    _add_readers(commands)
    return parser


def _add_readers(commands: Any) -> None:
    """Add the commands that tell of runs and of the program."""
    status = _command(commands, "status", "progress and failures of a run")
    status.add_argument("run_dir", metavar="RUN_DIR")
    status.add_argument("--json", action="store_true", help="print one JSON document")

    report = _command(commands, "report", "write report.html again")
    report.add_argument("run_dir", metavar="RUN_DIR")

    explain = _command(
        commands, "explain", "why a target ranked as it did, by which features, for whom"
    )
    explain.add_argument("run_dir", metavar="RUN_DIR")
    explain.add_argument("--target", required=True, help="one that the run ranked")
    explain.add_argument("--symbol", help="tell of this symbol alone")
    explain.add_argument("--json", action="store_true", help="print one JSON document")

    compare = _command(
        commands, "compare", "what differs in the results of two runs, and where first"
    )
    compare.add_argument("run_a", metavar="RUN_A")
    compare.add_argument("run_b", metavar="RUN_B")
    compare.add_argument("--json", action="store_true", help="print one JSON document")
    compare.epilog = "Exit code 0: equal; 1: different; 2: the runs could not be compared."

    quickstart = _command(
        commands, "quickstart", "a sample panel with planted truths, and a run on it"
    )
    quickstart.add_argument("dest", metavar="DEST", nargs="?", default="quickstart")

    features = _command(
        commands, "features", "the features of bars: name, group, lookback, formula"
    )
    features.add_argument(
        "set", metavar="SET", nargs="?", help="standard, alpha158, intraday or cross_sectional"
    )
    features.add_argument("--json", action="store_true", help="print one JSON document")

    _command(commands, "schema", "JSON Schema of the config")


def _command(commands: Any, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(command=name)
    return parser


def _config_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="YAML file of the run")
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="override one key, such as data.symbol_batch_size=15; may be repeated",
    )
