"""``ray-pipeline predict``: scores of new data by the models of a run."""

from __future__ import annotations

import argparse
import os
from dataclasses import fields

from ray_pipeline.bounds import MAX_COUNT
from ray_pipeline.commands.command import Command, add_json, told, whole_number
from ray_pipeline.terminal import put, put_json

__all__ = ["COMMAND"]


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_dir", metavar="RUN_DIR")
    parser.add_argument("--data-dir", metavar="URI", required=True, help="the new data")
    parser.add_argument("--out", metavar="URI", required=True, help="where to write the scores")
    parser.add_argument("--interval", help="interval of the new data (default the run's)")
    parser.add_argument(
        "--layout",
        metavar="PATTERN",
        help="pattern of the new data's paths (default the run's); '': none",
    )
    parser.add_argument(
        "--version",
        metavar="NAME",
        help="version of the run's models (default the one that serves)",
    )
    for name in ("targets", "symbols"):
        text = f"score these {name} alone"
        parser.add_argument(f"--{name}", nargs="+", metavar="NAME", default=[], help=text)
    parser.add_argument("--since", metavar="TS", help="omit rows before this time (ISO 8601, UTC)")
    parser.add_argument(
        "--history",
        action="store_true",
        help="add the run's out-of-sample predictions of earlier rows",
    )
    parser.add_argument(
        "--in-sample",
        action="store_true",
        help="add rows that the models learned from, marked in_sample: never backtest on these",
    )
    parser.add_argument(
        "--replace",
        action="store_true",
        help="overwrite predictions in the same folder that were made with other options",
    )
    parser.add_argument(
        "--n-workers",
        type=whole_number(0, MAX_COUNT),
        metavar="N",
        help="0: in this process, no Ray",
    )
    parser.add_argument("--address", help="Ray address (default the run's execution.address)")
    add_json(parser)


def _execute(options: argparse.Namespace) -> int:
    from ray_pipeline.predicting import PredictOptions, predict_panel, prediction_lines

    names = [field.name for field in fields(PredictOptions)]
    chosen = PredictOptions(**{name: getattr(options, name) for name in names})
    progress = told(options)
    own = [os.getcwd()]  # where a run finds your own features
    found = predict_panel(options.run_dir, options.data_dir, options.out, progress, chosen, own)
    if options.json:
        put_json(found)
    else:
        put(*prediction_lines(found))
        put(f"predictions: {_folder(options.out, found['data']['interval'])}")
    return 0


def _folder(out: str, interval: str | None) -> str:
    """Return the folder that holds only predictions, which readers can open as one table.

    Without an interval there is none: the record and units are in the same folder.
    """
    return f"{out.rstrip('/')}/interval={interval}" if interval else out


COMMAND = Command(
    name="predict",
    summary="score new data, each symbol with the models of its route",
    add_arguments=_add_arguments,
    execute=_execute,
    is_resumed=True,
    lost_code=0,
)
