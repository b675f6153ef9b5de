"""``ray-pipeline import``: convert long tables, daily files and CSV to the layout."""

from __future__ import annotations

import argparse
import os
import posixpath
from dataclasses import fields
from typing import TYPE_CHECKING

from ray_pipeline.commands.command import Command, add_json, told
from ray_pipeline.terminal import complain, put, put_json

if TYPE_CHECKING:
    from ray_pipeline.commands.proposing import ProposedConfig
    from ray_pipeline.importing.outcome import Imported

__all__ = ["COMMAND"]

_ROLES = ("time", "time_of_day", "symbol", "open", "high", "low", "close", "volume")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SRC", help="folder, file or object-store address")
    parser.add_argument("--out", metavar="URI", required=True, help="root of the panel")
    parser.add_argument("--interval", required=True, help="bar interval of the rows, e.g. 5m")
    parser.add_argument(
        "--columns",
        type=_columns,
        default={},
        metavar="ROLE=NAME,...",
        help="columns with other names, e.g. time=Date,symbol=Ticker; several that form the symbol "
        "together: symbol=item_id+store_id",
    )
    parser.add_argument(
        "--header",
        type=lambda text: text.split(","),
        default=[],
        metavar="NAME,...",
        help="column names for text files without a header line",
    )
    parser.add_argument(
        "--wide",
        metavar="NAME",
        help="each column except the time is a symbol; its values are called NAME",
    )
    parser.add_argument(
        "--symbol-from-path",
        metavar="PATTERN",
        help="if paths contain the symbol, their pattern, e.g. '{symbol}.csv' or 'ticker={symbol}'",
    )
    parser.add_argument(
        "--time-zone", metavar="ZONE", help="zone of times that name none, e.g. America/New_York"
    )
    parser.add_argument("--time-unit", choices=("s", "ms", "us", "ns", "date"), help="of numbers")
    parser.add_argument(
        "--time-format", metavar="FORMAT", help="format of times that are text, e.g. '%%d.%%m.%%Y'"
    )
    parser.add_argument(
        "--repeated-hour",
        choices=("rows", "first", "second"),
        default="rows",
        help="which one to take when clocks are set back",
    )
    parser.add_argument(
        "--missing-hour",
        choices=("refuse", "shift"),
        default="refuse",
        help="what to do when clocks are set forward",
    )
    parser.add_argument(
        "--trading-date",
        action="store_true",
        help="for daily and longer bars: write each time as the local trading date",
    )
    parser.add_argument("--encoding", default="utf-8", help="encoding of text files, e.g. cp1252")
    parser.add_argument("--since", metavar="TS", help="omit rows before this time (ISO 8601, UTC)")
    parser.add_argument(
        "--config", metavar="PATH", help="where to write the config (default next to the panel)"
    )
    parser.add_argument(
        "--address", help="address of a Ray cluster, like a run's execution.address"
    )
    add_json(parser)


def _columns(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in text.split(","):
        role, mark, name = pair.partition("=")
        if not mark or role.strip() not in _ROLES or not name:
            raise argparse.ArgumentTypeError(
                f"found {pair!r}; ROLE=NAME is needed, with a role of {', '.join(_ROLES)}"
            )
        found[role.strip()] = name
    return found


def _execute(options: argparse.Namespace) -> int:
    from ray_pipeline.importing.command import ImportOptions, import_panel
    from ray_pipeline.importing.outcome import outcome_lines

    stores = {"source_options", "out_options"}  # which comes from the environment
    names = [field.name for field in fields(ImportOptions) if field.name not in stores]
    chosen = ImportOptions(**{name: getattr(options, name) for name in names})
    done = import_panel(options.source, options.out, chosen, told(options))
    path = _config_path(done.out, options.config)
    proposed = None if os.path.exists(path) else _write_config(done, path)
    if options.json:
        guesses = [] if proposed is None else list(proposed.guesses)
        still_open = None if proposed is None else proposed.open
        put_json({**done.document(), "config": path, "guesses": guesses, "open": still_open})
        return 0
    put(*outcome_lines(done))
    if proposed is None and not os.path.exists(path):
        put("config   none, for a panel without rows")
        return 0
    put(f"config   {path}{' (already existed, unchanged)' * (proposed is None)}")
    if proposed is not None:
        put(*(f"guess    {text}" for text in proposed.guesses))
        if proposed.open is not None:
            complain(f"a run needs more than was found: {proposed.open} Add it to {path}.")
    put(f"next     ray-pipeline check {path}")
    return 0


def _config_path(out: str, given: str | None) -> str:
    """Return the config's path: as given, else next to the panel, or here if that is on a store."""
    from ray_pipeline.storage import is_local, open_filesystem

    if given is not None:
        return given
    name = f"{posixpath.basename(out.rstrip('/')) or 'panel'}.yaml"
    fs, path = open_filesystem(out)
    return os.path.join(os.path.dirname(path), name) if is_local(fs) else name


def _write_config(done: Imported, path: str) -> ProposedConfig | None:
    """Write the config that `init` would write, unless the panel has no rows."""
    from ray_pipeline.commands.proposing import propose_config, write_config

    if not done.panel_symbols:
        return None
    proposed = propose_config(done.out, interval=done.interval)
    write_config(proposed.text, path, force=False)
    return proposed


COMMAND = Command(
    name="import",
    summary="convert long tables, daily files and CSV to the layout",
    add_arguments=_add_arguments,
    execute=_execute,
    is_resumed=True,
    lost_code=0,
)
