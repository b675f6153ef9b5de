"""The command line: commands → functions → exit codes.

Results go to standard output, progress to standard error. 0: done; 1: the run failed; 2: the
command line, the config or the data directory is wrong; 130: interrupted, and resumable. Only
`compare` answers as diff does: 0: equal; 1: different; 2: the runs could not be compared. A
result that standard output did not take is not 0 either, unless it is in a directory all the same.
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
from dataclasses import fields
from typing import TYPE_CHECKING, NoReturn

from ray_pipeline.arguments import build_parser
from ray_pipeline.errors import (
    ArtifactError,
    ConfigError,
    DamagedFileError,
    DiscoveryError,
    RayPipelineError,
    RunInUseError,
)
from ray_pipeline.terminal import (
    OutputLostError,
    complain,
    flush,
    open_missing_streams,
    put,
    put_json,
)

if TYPE_CHECKING:
    from ray_pipeline.config import ExperimentConfig

__all__ = ["main", "program"]

_INTERRUPTED = 130
_CONTINUES = "; the same command continues from here"


def program() -> NoReturn:
    """Be the program: run the command of this process, and end it with the command's exit code."""
    code = 0

    def leave() -> None:
        """End an interrupted process here, after all else that was registered for its end.

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
            # Before and after the command there is nothing to put in order.
            signal.signal(number, _stop_at_once)
    code = main()
    sys.exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    open_missing_streams()
    try:
        options = build_parser().parse_args(arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
        raise SystemExit(_ended(lambda: code, lost=2)) from None
    lost = 0 if options.command in _LEAVING_RESULTS else 2 if options.command == "compare" else 1
    return _ended(lambda: _executed(options), lost)


def _executed(options: argparse.Namespace) -> int:
    resumes = options.command in _RESUMING
    try:
        with _interruptible(resumes):
            return _COMMANDS[options.command](options)
    except (ArtifactError, ConfigError, DamagedFileError, DiscoveryError, RunInUseError) as error:
        complain(str(error))
        return 2
    except RayPipelineError as error:
        complain(str(error))
        return 2 if options.command == "compare" else 1
    except KeyboardInterrupt:
        complain(f"interrupted{_CONTINUES if resumes else ''}")
        return _INTERRUPTED


def _ended(execute: Callable[[], int], lost: int) -> int:
    """Return a command's exit code, or `lost` where what it printed went nowhere."""
    try:
        code = execute()
        flush()
    except OutputLostError as error:
        complain(f"{error}{'' if lost else '; the results are where they belong'}")
        return lost
    return code


def _run(options: argparse.Namespace) -> int:
    from ray_pipeline.config import load_experiment_config
    from ray_pipeline.driving.progress import Progress
    from ray_pipeline.pipeline import run_pipeline

    config = load_experiment_config(options.config, _overrides(options))
    _find_own_modules(config, options.config)
    result = run_pipeline(
        config, Progress(sys.stderr), fresh=options.fresh, replace=options.replace
    )
    put(f"done: {result.message}")
    put(f"report: {result.report}")
    return 0


def _find_own_modules(config: ExperimentConfig, path: str) -> None:
    """Find modules in the working directory too, as `python -m` does, and beside the config."""
    from ray_pipeline.driving.workers import names_own_modules
    from ray_pipeline.user_code.functions import import_from

    if names_own_modules(config):
        import_from(os.getcwd(), os.path.dirname(os.path.abspath(path)))


def _overrides(options: argparse.Namespace) -> list[str]:
    overrides = list(options.set)
    if options.run_dir is not None:
        overrides.append(f"output.run_dir={options.run_dir}")
    if options.address is not None:
        overrides.append(f"execution.address={options.address}")
    return overrides


def _discover(options: argparse.Namespace) -> int:
    from ray_pipeline.discovery import discover, select_symbol_batch
    from ray_pipeline.driving.progress import Progress

    found = discover(options.data_dir, options.interval, None, Progress(sys.stderr).listed)
    seed = options.seed
    selected = select_symbol_batch(found.symbols, options.batch_size, seed)
    n_files = sum(len(partition.files) for partition in found.partitions)
    n_bytes = sum(partition.size_bytes for partition in found.partitions)
    if options.json:
        document = {
            "data_dir": found.data_dir,
            "interval": found.interval,
            "layout": found.layout,
            "symbols": found.symbols,
            "rejected": [{"symbol": r.symbol, "reason": r.reason} for r in found.rejected],
            "selected": selected,
            "seed": seed,
            "n_files": n_files,
            "bytes": n_bytes,
        }
        put_json(document)
        return 0
    interval = f", interval {found.interval}" if found.interval else ""
    where = f"{found.data_dir} ({found.layout} layout{interval})"
    put(f"{len(found.symbols)} symbols, {n_files} files, {_bytes(n_bytes)} in {where}")
    width = max(len(partition.symbol) for partition in found.partitions)
    chosen = set(selected)
    for partition in found.partitions:
        mark = "*" if partition.symbol in chosen and options.batch_size else " "
        size = _bytes(partition.size_bytes)
        put(f"{mark} {partition.symbol:{width}}  {len(partition.files):5d} files  {size:>10}")
    for rejection in found.rejected:
        put(f"- {rejection.symbol}: {rejection.reason}")
    if options.batch_size:
        named = ", ".join(selected)
        put(f"* the {len(selected)} symbols that a run with seed {seed} would take: {named}")
    return 0


def _check(options: argparse.Namespace) -> int:
    from ray_pipeline.commands.checking import check_config, check_lines
    from ray_pipeline.config import load_experiment_config
    from ray_pipeline.driving.progress import Progress

    config = load_experiment_config(options.config, options.set)
    _find_own_modules(config, options.config)
    found = check_config(config, Progress(sys.stderr).listed)
    if options.json:
        put_json(found)
    else:
        put(*check_lines(found))
    return 0


def _label(options: argparse.Namespace) -> int:
    from ray_pipeline.commands.labeling import label_panel
    from ray_pipeline.config import load_experiment_config
    from ray_pipeline.driving.progress import Progress

    config = load_experiment_config(options.config, options.set)
    _find_own_modules(config, options.config)
    labeled = label_panel(config, options.out, Progress(sys.stderr))
    for symbol, error in labeled.failed:
        put(f"- {symbol}: {error}")
    put(
        f"{labeled.n_symbols} symbols, {labeled.n_rows:,} rows, {labeled.n_features} features and "
        f"{labeled.n_targets} targets written to {labeled.out}"
    )
    return 0 if labeled.n_symbols else 1


def _predict(options: argparse.Namespace) -> int:
    from ray_pipeline.driving.progress import Progress
    from ray_pipeline.predicting import PredictOptions, predict_panel, prediction_lines

    names = [field.name for field in fields(PredictOptions)]
    chosen = PredictOptions(**{name: getattr(options, name) for name in names})
    progress = Progress(sys.stderr)
    own = [os.getcwd()]  # where a run finds features of your own
    found = predict_panel(options.run_dir, options.data_dir, options.out, progress, chosen, own)
    if options.json:
        put_json(found)
    else:
        put(*prediction_lines(found))
        put(f"predictions: {options.out}")
    return 0


def _status(options: argparse.Namespace) -> int:
    from ray_pipeline.status import run_status, status_lines

    found = run_status(options.run_dir)
    if options.json:
        put_json(found)
    else:
        put(*status_lines(found))
    return 0


def _report(options: argparse.Namespace) -> int:
    from ray_pipeline.report import write_report
    from ray_pipeline.results.opening import open_run

    run = open_run(options.run_dir)
    put(f"{run.uri}/{write_report(run.files)}")
    return 0


def _explain(options: argparse.Namespace) -> int:
    from ray_pipeline.explaining import MAX_MODELS, explain_target, explanation_lines

    n_models = None if options.json else MAX_MODELS
    found = explain_target(options.run_dir, options.target, options.symbol, n_models)
    if options.json:
        put_json(found)
    else:
        put(*explanation_lines(found))
    return 0


def _compare(options: argparse.Namespace) -> int:
    from ray_pipeline.comparing import compare_runs, comparison_lines

    found = compare_runs(options.run_a, options.run_b)
    if options.json:
        put_json(found)
    else:
        put(*comparison_lines(found))
    return 0 if found["equal"] else 1


def _quickstart(options: argparse.Namespace) -> int:
    from ray_pipeline.driving.progress import Progress
    from ray_pipeline.quickstart import run_quickstart

    return run_quickstart(options.dest, Progress(sys.stderr), put)


def _features(options: argparse.Namespace) -> int:
    from ray_pipeline.panel.cross_section import described_features

    features = described_features(options.set)
    if options.json:
        put_json(
            [
                {
                    "name": each.name,
                    "group": each.group,
                    "lookback_bars": None if each.n_sessions else each.lookback,
                    "lookback_sessions": each.n_sessions or None,
                    "formula": each.formula,
                }
                for each in features
            ]
        )
        return 0
    width = max(len(each.name) for each in features)
    for each in features:
        count = each.n_sessions or each.lookback
        unit = ("session" if each.n_sessions else "bar") + ("s" if count > 1 else "")
        put(f"{each.name:{width}}  {each.group:15}  {f'{count} {unit}':10}  {each.formula}")
    return 0


def _schema(options: argparse.Namespace) -> int:
    from ray_pipeline.config import config_schema

    put_json(config_schema())
    return 0


@contextmanager
def _interruptible(resumes: bool) -> Iterator[None]:
    """Let a first SIGINT or SIGTERM end the command in order, and a second one at once.

    SIGTERM is what `ray job stop` sends, and the notice of a spot machine.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def at_once(*_: object) -> None:
        # Nothing of a run is ever half written, and Ray ends what a lost driver had started.
        _tell(f"ray-pipeline: stopped at once{_CONTINUES if resumes else ''}\n")
        os._exit(_INTERRUPTED)

    def in_order(*_: object) -> None:
        for number in before:
            signal.signal(number, at_once)
        _tell("\nray-pipeline: stopping; once more to stop at once\n")
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
    _tell("ray-pipeline: stopped at once\n")
    os._exit(_INTERRUPTED)


def _tell(text: str) -> None:
    """Write to standard error from a signal handler, where `print` may already be at work."""
    with suppress(OSError):  # nobody listens, which must not keep the command from ending
        os.write(2, text.encode())


def _bytes(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


_COMMANDS = {
    "run": _run,
    "discover": _discover,
    "check": _check,
    "label": _label,
    "predict": _predict,
    "status": _status,
    "report": _report,
    "explain": _explain,
    "compare": _compare,
    "quickstart": _quickstart,
    "features": _features,
    "schema": _schema,
}
_RESUMING = ("run", "predict", "quickstart")
_LEAVING_RESULTS = ("run", "predict", "report")
