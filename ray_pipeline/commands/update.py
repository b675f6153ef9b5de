"""``ray-pipeline update``: bring a run up to date with its data; for cron and scheduled jobs."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from ray_pipeline.bounds import MAX_COUNT
from ray_pipeline.commands.command import ALARM, Command, add_json, told, whole_number
from ray_pipeline.terminal import put, put_json

if TYPE_CHECKING:
    from ray_pipeline.updating import Update

__all__ = ["COMMAND", "update_lines"]

_N_NAMED = 5


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_dir", metavar="RUN_DIR")
    parser.add_argument(
        "--n-workers",
        type=whole_number(0, MAX_COUNT),
        metavar="N",
        help="0: in this process, no Ray",
    )
    parser.add_argument("--address", help="Ray address (default the run's execution.address)")
    parser.add_argument(
        "--watch-since",
        metavar="TIME",
        help="judge only live predictions from this time on, e.g. after acting on an alarm",
    )
    add_json(parser)


def _execute(options: argparse.Namespace) -> int:
    from ray_pipeline.updating import UpdateOptions, update_run

    chosen = UpdateOptions(options.n_workers, options.address, options.watch_since)
    own = [os.getcwd()]  # where a run finds your own features
    update = update_run(options.run_dir, told(options), chosen, own)
    if options.json:
        put_json(update.document())
    else:
        put(*update_lines(update))
    return ALARM if update.alarms else 0


def update_lines(update: Update) -> list[str]:
    """Format what an update did, for a person."""
    from ray_pipeline.monitoring.watching import MONITOR_PAGE
    from ray_pipeline.wording import plural, some_of

    alarms = [f"ALARM      {text}" for text in update.alarms]
    if update.is_nothing:
        lines = [f"nothing new: {update.run_dir} is up to date (models {update.version})"]
        return [*lines, *alarms]
    lines = [f"trained:   on the rows before {date}" for date in update.retrained]
    if update.restated:
        named = some_of([each.symbol for each in update.restated], at_most=_N_NAMED)
        lines.append(
            f"restated:  {plural(len(update.restated), 'symbol')} ({named}), retrained; the first: "
            f"{update.restated[0].told}"
        )
    if update.n_predictions:
        when = f"{update.first_ts} to {update.last_ts}"
        lines.append(f"predicted: {plural(update.n_predictions, 'row')}, {when}")
    else:
        lines.append("predicted: nothing")
    lines.append(f"outcomes:  {plural(update.n_outcomes, 'prediction')} became known")
    for symbol, why in sorted(update.problems.items())[:_N_NAMED]:
        lines.append(f"problem:   {symbol}: {why}")
    if len(update.problems) > _N_NAMED:
        lines.append(f"           and {len(update.problems) - _N_NAMED} more in update.json")
    lines += [f"note:      {note}" for note in update.notes[:_N_NAMED]]
    if len(update.notes) > _N_NAMED:
        lines.append(f"           and {len(update.notes) - _N_NAMED} more in update.json")
    lines.append(f"models:    {update.version}")
    lines.append(f"ledger:    {update.run_dir}/ledger")
    lines.append(
        f"watched:   {'no alarm' if not alarms else plural(len(alarms), 'alarm')}, "
        f"{update.run_dir}/{MONITOR_PAGE}"
    )
    return [*lines, *alarms]


COMMAND = Command(
    name="update",
    summary="bring a run up to date: score new rows, join outcomes, retrain when it is due",
    add_arguments=_add_arguments,
    execute=_execute,
    epilog="Exit code 0: done, or nothing new; 3: an alarm; 1 and 2 as for every command.",
    is_resumed=True,
    lost_code=0,
)
