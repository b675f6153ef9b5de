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
    parser.add_argument("--interval", help="of the new data; that of the run, where it has one")
    parser.add_argument(
        "--layout",
        metavar="PATTERN",
        help="of the new data's paths; that of the run, where it has one; '': none",
    )
    parser.add_argument(
        "--version", metavar="NAME", help="of the run's models; the one that serves"
    )
    for name in ("targets", "symbols"):
        text = f"score these {name} alone"
        parser.add_argument(f"--{name}", nargs="+", metavar="NAME", default=[], help=text)
    parser.add_argument("--since", metavar="TS", help="no rows before this time (ISO 8601, UTC)")
    parser.add_argument(
        "--history",
        action="store_true",
        help="before the models' own rows those that the run predicted out of sample",
    )
    parser.add_argument(
        "--in-sample",
        action="store_true",
        help="also rows that the models learned from, marked in_sample: for no backtest",
    )
    parser.add_argument(
        "--replace",
        action="store_true",
        help="put these in place of predictions that other options made in the same folder",
    )
    parser.add_argument(
        "--n-workers",
        type=whole_number(0, MAX_COUNT),
        metavar="N",
        help="0: in this process, no Ray",
    )
    parser.add_argument("--address", help="instead of the run's execution.address")
    add_json(parser)


def _execute(options: argparse.Namespace) -> int:
    from ray_pipeline.predicting import PredictOptions, predict_panel, prediction_lines

    names = [field.name for field in fields(PredictOptions)]
    chosen = PredictOptions(**{name: getattr(options, name) for name in names})
    progress = told(options)
    own = [os.getcwd()]  # where a run finds features of your own
    found = predict_panel(options.run_dir, options.data_dir, options.out, progress, chosen, own)
    if options.json:
        put_json(found)
    else:
        put(*prediction_lines(found))
        put(f"predictions: {_folder(options.out, found['data']['interval'])}")
    return 0


def _folder(out: str, interval: str | None) -> str:
    """Return the folder that holds the predictions and nothing else, which readers take whole.

    Without an interval that is none: the record is beside them, and so are units.
    """
    return f"{out.rstrip('/')}/interval={interval}" if interval else out


COMMAND = Command(
    name="predict",
    summary="score new data, each symbol by its route",
    add_arguments=_add_arguments,
    execute=_execute,
    is_resumed=True,
    lost_code=0,
)
