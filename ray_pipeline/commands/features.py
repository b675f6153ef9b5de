"""``ray-pipeline features``: the features that can be computed from bars or a series."""

from __future__ import annotations

import argparse
from typing import Any

from ray_pipeline.columns import aligned
from ray_pipeline.commands.command import Command, add_json
from ray_pipeline.terminal import put, put_json

__all__ = ["COMMAND"]


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "set",
        metavar="SET",
        nargs="?",
        help="standard, alpha158, intraday or cross_sectional; series for a series",
    )
    add_json(parser)


def _execute(options: argparse.Namespace) -> int:
    from ray_pipeline.series.catalogue import SERIES_SET

    features = _of_series() if options.set == SERIES_SET else _of_bars(options.set)
    if options.json:
        put_json(features)
        return 0
    rows = []
    for each in features:
        count = each["lookback_sessions"] or each["lookback_bars"]
        unit = ("session" if each["lookback_sessions"] else "bar") + ("s" if count > 1 else "")
        of = f"  [{each['interval']}]" if "interval" in each else ""
        rows.append([each["name"], each["group"], f"{count} {unit}", f"{each['formula']}{of}"])
    put(*(line.removeprefix("  ") for line in aligned([], rows, n_left=4, wraps_last=True)))
    return 0


def _of_bars(which: str | None) -> list[dict[str, Any]]:
    from ray_pipeline.panel.cross_section import described_features

    return [
        {
            "name": each.name,
            "group": each.group,
            "lookback_bars": None if each.n_sessions else each.lookback,
            "lookback_sessions": each.n_sessions or None,
            "formula": each.formula,
        }
        for each in described_features(which)
    ]


def _of_series() -> list[dict[str, Any]]:
    """Describe the set at the usual intervals; `interval` is the shortest that has the feature."""
    from ray_pipeline.series import described_series_features

    return [
        {
            "name": each.name,
            "group": each.group,
            "lookback_bars": each.lookback(interval),
            "lookback_sessions": None,
            "formula": each.formula,
            "interval": str(interval),
        }
        for each, interval in described_series_features()
    ]


COMMAND = Command(
    name="features",
    summary="list the features of bars or of a series: name, group, lookback, formula",
    add_arguments=_add_arguments,
    execute=_execute,
)
