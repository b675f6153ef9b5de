"""``ray-pipeline run``: the whole pipeline, or the rest of it."""

from __future__ import annotations

import argparse

from ray_pipeline.commands.command import Command, add_config, find_own_modules, json_log, told
from ray_pipeline.terminal import put

__all__ = ["COMMAND", "config_overrides"]


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--run-dir", metavar="URI", help="replaces output.run_dir")
    parser.add_argument("--address", help="replaces execution.address")
    parser.add_argument("--fresh", action="store_true", help="forget previously finished units")
    parser.add_argument(
        "--replace",
        action="store_true",
        help="replace another config's result, once this one is complete",
    )


def _execute(options: argparse.Namespace) -> int:
    from ray_pipeline.config import load_experiment_config
    from ray_pipeline.pipeline import run_pipeline

    config = load_experiment_config(options.config, config_overrides(options))
    find_own_modules(config, options.config)
    result = run_pipeline(config, told(options), fresh=options.fresh, replace=options.replace)
    put(*result.lines)
    if (log := json_log(options)) is not None:
        found = {name: getattr(result, name) for name in ("run_dir", "report", "targets")}
        log.say(result.message, "done", **found)
    return 0


def config_overrides(options: argparse.Namespace) -> list[str]:
    """Return the keys that the arguments replace, as ``KEY=VALUE``."""
    overrides = list(options.set)
    if options.run_dir is not None:
        overrides.append(f"output.run_dir={options.run_dir}")
    if options.address is not None:
        overrides.append(f"execution.address={options.address}")
    return overrides


COMMAND = Command(
    name="run",
    summary="run the whole pipeline, or continue a run",
    add_arguments=_add_arguments,
    execute=_execute,
    is_resumed=True,
    lost_code=0,
)
