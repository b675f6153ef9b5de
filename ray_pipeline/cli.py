"""The command line: commands → functions → exit codes.

Results go to standard output, progress to standard error. 0: done; 1: the run failed; 2: the
command line, the config or the data directory is wrong; 130: interrupted, and resumable. Only
`compare` answers as diff does: 0: equal; 1: different; 2: the runs could not be compared.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

from ray_pipeline import __version__
from ray_pipeline.errors import (
    ArtifactError,
    ConfigError,
    DiscoveryError,
    RayPipelineError,
    RunInUseError,
)

__all__ = ["main"]

_CONTINUES = "; the same command continues from here"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        with _interruptible(options.resumes):
            return command(options)
    except (ArtifactError, ConfigError, DiscoveryError, RunInUseError) as error:
        print(f"ray-pipeline: {error}", file=sys.stderr)
        return 2
    except RayPipelineError as error:
        print(f"ray-pipeline: {error}", file=sys.stderr)
        return 2 if command is _compare else 1
    except KeyboardInterrupt:
        print(f"ray-pipeline: interrupted{_CONTINUES if options.resumes else ''}", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace) -> int:
    from ray_pipeline.config import load_experiment_config
    from ray_pipeline.pipeline import run_pipeline
    from ray_pipeline.progress import Progress

    config = load_experiment_config(options.config, _overrides(options))
    if config.stages:
        _import_from_near(options.config)
    result = run_pipeline(config, Progress(sys.stderr), fresh=options.fresh)
    _put(f"done: {result.message}")
    _put(f"report: {result.report}")
    return 0


def _import_from_near(config: str) -> None:
    """Find modules in the working directory too, as `python -m` does, and beside the config."""
    for folder in (os.getcwd(), os.path.dirname(os.path.abspath(config))):
        if folder not in sys.path:
            sys.path.append(folder)


def _overrides(options: argparse.Namespace) -> list[str]:
    overrides = list(options.set)
    if options.run_dir is not None:
        overrides.append(f"output.run_dir={options.run_dir}")
    if options.address is not None:
        overrides.append(f"execution.address={options.address}")
    return overrides


def _discover(options: argparse.Namespace) -> int:
    from ray_pipeline.discovery import discover, select_symbol_batch
    from ray_pipeline.progress import Progress

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
        _print_json(document)
        return 0
    interval = f", interval {found.interval}" if found.interval else ""
    where = f"{found.data_dir} ({found.layout} layout{interval})"
    _put(f"{len(found.symbols)} symbols, {n_files} files, {_bytes(n_bytes)} in {where}")
    width = max(len(partition.symbol) for partition in found.partitions)
    chosen = set(selected)
    for partition in found.partitions:
        mark = "*" if partition.symbol in chosen and options.batch_size else " "
        size = _bytes(partition.size_bytes)
        _put(f"{mark} {partition.symbol:{width}}  {len(partition.files):5d} files  {size:>10}")
    for rejection in found.rejected:
        _put(f"- {rejection.symbol}: {rejection.reason}")
    if options.batch_size:
        named = ", ".join(selected)
        _put(f"* the {len(selected)} symbols that a run with seed {seed} would take: {named}")
    return 0


def _check(options: argparse.Namespace) -> int:
    from ray_pipeline.checking import check_config, check_lines
    from ray_pipeline.config import load_experiment_config
    from ray_pipeline.progress import Progress

    config = load_experiment_config(options.config, options.set)
    if config.stages:
        _import_from_near(options.config)
    found = check_config(config, Progress(sys.stderr).listed)
    if options.json:
        _print_json(found)
    else:
        _put("\n".join(check_lines(found)))
    return 0


def _label(options: argparse.Namespace) -> int:
    from ray_pipeline.config import load_experiment_config
    from ray_pipeline.labeling import label_panel
    from ray_pipeline.progress import Progress

    config = load_experiment_config(options.config, options.set)
    labeled = label_panel(config, options.out, Progress(sys.stderr))
    for symbol, error in labeled.failed:
        _put(f"- {symbol}: {error}")
    _put(
        f"{labeled.n_symbols} symbols, {labeled.n_rows:,} rows, {labeled.n_features} features and "
        f"{labeled.n_targets} targets written to {labeled.out}"
    )
    return 0 if labeled.n_symbols else 1


def _predict(options: argparse.Namespace) -> int:
    from ray_pipeline.predicting import PredictOptions, predict_panel, prediction_lines
    from ray_pipeline.progress import Progress

    names = [field.name for field in fields(PredictOptions)]
    chosen = PredictOptions(**{name: getattr(options, name) for name in names})
    progress = Progress(sys.stderr)
    found = predict_panel(options.run_dir, options.data_dir, options.out, progress, chosen)
    if options.json:
        _print_json(found)
    else:
        _put("\n".join(prediction_lines(found)))
        _put(f"predictions: {options.out}")
    return 0


def _status(options: argparse.Namespace) -> int:
    from ray_pipeline.run.status import run_status, status_lines

    found = run_status(options.run_dir)
    if options.json:
        _print_json(found)
    else:
        _put("\n".join(status_lines(found)))
    return 0


def _report(options: argparse.Namespace) -> int:
    from ray_pipeline.report import write_report
    from ray_pipeline.run.status import open_run

    run = open_run(options.run_dir)
    _put(f"{run.uri}/{write_report(run)}")
    return 0


def _explain(options: argparse.Namespace) -> int:
    from ray_pipeline.explaining import MAX_MODELS, explain_target, explanation_lines

    n_models = None if options.json else MAX_MODELS
    found = explain_target(options.run_dir, options.target, options.symbol, n_models)
    if options.json:
        _print_json(found)
    else:
        _put("\n".join(explanation_lines(found)))
    return 0


def _compare(options: argparse.Namespace) -> int:
    from ray_pipeline.comparing import compare_runs, comparison_lines

    found = compare_runs(options.run_a, options.run_b)
    if options.json:
        _print_json(found)
    else:
        _put("\n".join(comparison_lines(found)))
    return 0 if found["equal"] else 1


def _quickstart(options: argparse.Namespace) -> int:
    from ray_pipeline.progress import Progress
    from ray_pipeline.quickstart import run_quickstart

    return run_quickstart(options.dest, Progress(sys.stderr), _put)


def _schema(options: argparse.Namespace) -> int:
    from ray_pipeline.config import config_schema

    _print_json(config_schema())
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
        os._exit(130)

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


def _tell(text: str) -> None:
    """Write to standard error from a signal handler, where `print` may already be at work."""
    os.write(2, text.encode())


def _put(text: str) -> None:
    """Print a result. A reader that has seen enough (`| head`) changes no exit code."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Python would complain again when it flushes while exiting.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_json(document: Any) -> None:
    _put(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def _bytes(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ray-pipeline",
        description="Which targets of a panel can be predicted, by which features, for which "
        "symbols; then the models, trained on Ray.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    run = _command(commands, "run", _run, "run the whole pipeline, or continue it")
    _config_arguments(run)
    run.add_argument("--run-dir", metavar="URI", help="instead of output.run_dir")
    run.add_argument("--address", help="instead of execution.address")
    run.add_argument("--fresh", action="store_true", help="forget the units finished before")

    discover = _command(commands, "discover", _discover, "list symbols, files and rejections")
    discover.add_argument("data_dir", metavar="DATA_DIR")
    discover.add_argument("--interval", help="bar interval, such as 5m")
    discover.add_argument("--batch-size", type=int, help="symbols that a run would sample")
    discover.add_argument("--seed", type=int, default=0, help="seed of the sample (default 0)")
    discover.add_argument("--json", action="store_true", help="print one JSON document")

    check = _command(commands, "check", _check, "validate a config on one partition")
    _config_arguments(check)
    check.add_argument("--json", action="store_true", help="print one JSON document")

    label = _command(commands, "label", _label, "write the labeled panel for a set of bars")
    _config_arguments(label)
    label.add_argument("--out", metavar="URI", required=True, help="where to write the panel")

    predict = _command(commands, "predict", _predict, "score new data, each symbol by its route")
    predict.add_argument("run_dir", metavar="RUN_DIR")
    predict.add_argument("--data-dir", metavar="URI", required=True, help="the new data")
    predict.add_argument("--out", metavar="URI", required=True, help="where to write the scores")
    predict.add_argument("--interval", help="of the new data; that of the run, where it has one")
    for name in ("targets", "symbols"):
        text = f"score these {name} alone"
        predict.add_argument(f"--{name}", nargs="+", metavar="NAME", default=[], help=text)
    predict.add_argument("--since", metavar="TS", help="no rows before this time (ISO 8601, UTC)")
    predict.add_argument("--n-workers", type=int, metavar="N", help="0: in this process, no Ray")
    predict.add_argument("--address", help="instead of the run's execution.address")
    predict.add_argument("--json", action="store_true", help="print one JSON document")

    status = _command(commands, "status", _status, "progress and failures of a run")
    status.add_argument("run_dir", metavar="RUN_DIR")
    status.add_argument("--json", action="store_true", help="print one JSON document")

    report = _command(commands, "report", _report, "write report.html again")
    report.add_argument("run_dir", metavar="RUN_DIR")

    explain = _command(
        commands, "explain", _explain, "why a target ranked as it did, by which features, for whom"
    )
    explain.add_argument("run_dir", metavar="RUN_DIR")
    explain.add_argument("--target", required=True, help="one that the run ranked")
    explain.add_argument("--symbol", help="tell of this symbol alone")
    explain.add_argument("--json", action="store_true", help="print one JSON document")

    compare = _command(
        commands, "compare", _compare, "what differs in the results of two runs, and where first"
    )
    compare.add_argument("run_a", metavar="RUN_A")
    compare.add_argument("run_b", metavar="RUN_B")
    compare.add_argument("--json", action="store_true", help="print one JSON document")
    compare.epilog = "Exit code 0: equal; 1: different; 2: the runs could not be compared."

    quickstart = _command(
        commands, "quickstart", _quickstart, "a sample panel with planted truths, and a run on it"
    )
    quickstart.add_argument("dest", metavar="DEST", nargs="?", default="quickstart")

    _command(commands, "schema", _schema, "JSON Schema of the config")
    return parser


def _command(
    commands: Any, name: str, function: Callable[[argparse.Namespace], int], text: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(command=function, resumes=function in (_run, _predict, _quickstart))
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
