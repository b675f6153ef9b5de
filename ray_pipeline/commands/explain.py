"""``ray-pipeline explain``: one target's story."""

from __future__ import annotations

import argparse

from ray_pipeline.commands.command import Command, add_json
from ray_pipeline.terminal import put, put_json

__all__ = ["COMMAND"]


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_dir", metavar="RUN_DIR")
    parser.add_argument("--target", required=True, help="a target that the run ranked")
    parser.add_argument("--symbol", help="explain only this symbol")
    add_json(parser)


def _execute(options: argparse.Namespace) -> int:
    from ray_pipeline.explaining import MAX_MODELS, explain_target, explanation_lines

    n_models = None if options.json else MAX_MODELS
    found = explain_target(options.run_dir, options.target, options.symbol, n_models)
    if options.json:
        put_json(found)
    else:
        put(*explanation_lines(found))
    return 0


COMMAND = Command(
    name="explain",
    summary="why a target ranked as it did, from which features, for which symbols",
    add_arguments=_add_arguments,
    execute=_execute,
)
