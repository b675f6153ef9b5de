"""``ray-pipeline label``: write the labeled panel of a set of bars."""

from __future__ import annotations

import argparse

from ray_pipeline.commands.command import Command, add_config, find_own_modules, told
from ray_pipeline.terminal import put
from ray_pipeline.wording import plural

__all__ = ["COMMAND"]


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--out", metavar="URI", required=True, help="where to write the panel")


def _execute(options: argparse.Namespace) -> int:
    from ray_pipeline.commands.labeling import label_panel
    from ray_pipeline.config import load_experiment_config

    config = load_experiment_config(options.config, options.set)
    find_own_modules(config, options.config)
    labeled = label_panel(config, options.out, told(options))
    for symbol, error in labeled.failed:
        put(f"- {symbol}: {error}")
    put(
        f"{plural(labeled.n_symbols, 'symbol')}, {plural(labeled.n_rows, 'row')}, "
        f"{plural(labeled.n_features, 'feature')} and {plural(labeled.n_targets, 'target')} "
        f"written to {labeled.out}"
    )
    return 0 if labeled.n_symbols else 1


COMMAND = Command(
    name="label",
    summary="write the labeled panel for a set of bars",
    add_arguments=_add_arguments,
    execute=_execute,
)
