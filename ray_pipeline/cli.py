"""The command line: commands → functions → exit codes.

Results go to standard output, progress to standard error. 0: done; 1: the run failed; 2: the
command line, the config or the data directory is wrong; 3: `monitor` has an alarm; 130:
interrupted, and resumable. Only `compare` answers like diff: 0: equal; 1: different; 2: the runs
could not be compared. A result that could not be written to standard output does not give 0 either,
unless it is also in a directory.
"""

from __future__ import annotations

import argparse
import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn

from ray_pipeline.arguments import parse
from ray_pipeline.columns import on_terminal
from ray_pipeline.commands.command import Command, json_log
from ray_pipeline.errors import GIVEN_WRONGLY, RayPipelineError
from ray_pipeline.terminal import (
    OutputLostError,
    complain,
    flush,
    open_missing_streams,
    terminal_columns,
)

if TYPE_CHECKING:
    from ray_pipeline.driving.json_log import JsonLog

__all__ = ["main", "program"]

_INTERRUPTED = 130
_CONTINUES = "; the same command continues from here"


def program() -> NoReturn:
    """Run the command of this process, and end the process with the command's exit code."""
    code = 0

    def leave() -> None:
        """End an interrupted process here, after everything else registered to run at exit.

        The interpreter would be taken down with Ray's threads in it, and would end the process by
        SIGINT if the interrupt had passed through an `exec` of a text on its way.
        """
        if code == _INTERRUPTED:
            with suppress(OutputLostError):  # the exit code says the same
                flush()
            os._exit(code)

    atexit.register(leave)
    for number in (signal.SIGINT, signal.SIGTERM):
        # A shell ignores SIGINT for what it starts in the background.
        if signal.getsignal(number) is not signal.SIG_IGN:
            # Before and after the command there is nothing to clean up.
            signal.signal(number, _stop_at_once)
    code = main()
    sys.exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    open_missing_streams()
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
        raise SystemExit(_ended(lambda: code, lost=2)) from None
    command: Command = options.command
    return _ended(lambda: _executed(command, options), command.lost_code, options)


def _executed(command: Command, options: argparse.Namespace) -> int:
    try:
        with (
            _interruptible(command.is_resumed, json_log(options)),
            on_terminal(terminal_columns()),
        ):
            return command.execute(options)
    except GIVEN_WRONGLY as error:
        return _failed(options, str(error), 2)
    except RayPipelineError as error:
        return _failed(options, str(error), command.failed_code)
    except KeyboardInterrupt:
        how = _how_to_continue(command, options)
        return _failed(options, f"interrupted{how}", _INTERRUPTED, "interrupted")


def _failed(options: argparse.Namespace, message: str, code: int, event: str = "error") -> int:
    """Say why a command ends early, and return its exit code."""
    if (log := json_log(options)) is not None:
        log.write("error", event, message, exit_code=code)
    else:
        complain(message)
    return code


def _how_to_continue(command: Command, options: argparse.Namespace) -> str:
    if not command.is_resumed:
        return ""
    if getattr(options, "fresh", False):  # which would forget the work finished so far
        return "; the same command without --fresh continues from here"
    return _CONTINUES


def _ended(execute: Callable[[], int], lost: int, options: argparse.Namespace | None = None) -> int:
    """Return a command's exit code, or `lost` if its output went nowhere."""
    try:
        code = execute()
        flush()
    except OutputLostError as error:
        message = f"{error}{'' if lost else '; the results are where they belong'}"
        if options is not None:
            return _failed(options, message, lost)
        complain(message)
        return lost
    return code


@contextmanager
def _interruptible(resumes: bool, log: JsonLog | None) -> Iterator[None]:
    """Let a first SIGINT or SIGTERM end the command cleanly, and a second one at once.

    `ray job stop` sends SIGTERM, and so does a spot instance before it goes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def at_once(*_: object) -> None:
        # A run never leaves a half-written file, and Ray ends what a lost driver had started.
        _tell(f"stopped at once{_CONTINUES if resumes else ''}", log)
        os._exit(_INTERRUPTED)

    def in_order(*_: object) -> None:
        for number in before:
            signal.signal(number, at_once)
        _tell("stopping; press again to stop at once", log, "\n")
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    if before[signal.SIGINT] is signal.SIG_IGN:
        del before[signal.SIGINT]  # started in the background by a shell
    for number in before:
        signal.signal(number, in_order)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _stop_at_once(*_: object) -> None:
    _tell("stopped at once")
    os._exit(_INTERRUPTED)


def _tell(text: str, log: JsonLog | None = None, before: str = "") -> None:
    """Write to standard error from a signal handler, where `print` may already be at work."""
    line = f"{before}ray-pipeline: {text}\n"
    if log is not None:
        line = log.line("warning", "stopping", text)
    with suppress(OSError):  # nobody reads it, which must not keep the command from ending
        os.write(2, line.encode())
