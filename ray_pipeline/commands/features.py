"""``ray-pipeline features``: what can be computed of bars."""

from __future__ import annotations

import argparse

from ray_pipeline.commands.command import Command, add_json
from ray_pipeline.terminal import put, put_json

__all__ = ["COMMAND"]


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "set", metavar="SET", nargs="?", help="standard, alpha158, intraday or cross_sectional"
    )
    add_json(parser)


def _execute(options: argparse.Namespace) -> int:
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


COMMAND = Command(
    name="features",
    summary="the features of bars: name, group, lookback, formula",
    add_arguments=_add_arguments,
    execute=_execute,
)
