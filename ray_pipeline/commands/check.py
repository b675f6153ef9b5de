"""``ray-pipeline check``: try a config on a part of its data."""

from __future__ import annotations

import argparse

from ray_pipeline.commands.command import Command, add_config, add_json, find_own_modules, told
from ray_pipeline.terminal import put, put_json

__all__ = ["COMMAND"]


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    add_json(parser)


def _execute(options: argparse.Namespace) -> int:
    from ray_pipeline.commands.checking import check_config, check_lines
    from ray_pipeline.config import load_experiment_config

    config = load_experiment_config(options.config, options.set)
    find_own_modules(config, options.config)
    found = check_config(config, told(options).listed)
    if options.json:
        put_json(found)
    else:
        put(*check_lines(found))
    return 0


COMMAND = Command(
    name="check",
    summary="validate a config on a part of its data",
    add_arguments=_add_arguments,
    execute=_execute,
)
