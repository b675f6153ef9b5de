"""``ray-pipeline schema``: JSON Schema of the config."""

from __future__ import annotations

import argparse

from ray_pipeline.commands.command import Command
from ray_pipeline.terminal import put_json

__all__ = ["COMMAND"]


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    del parser  # it takes none


def _execute(options: argparse.Namespace) -> int:
    del options
    from ray_pipeline.config import config_schema

    put_json(config_schema())
    return 0


COMMAND = Command(
    name="schema",
    summary="JSON Schema of the config",
    add_arguments=_add_arguments,
    execute=_execute,
)
