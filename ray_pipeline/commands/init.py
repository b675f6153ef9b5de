"""``ray-pipeline init``: propose a config for the user's data."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from ray_pipeline.commands.command import Command, add_json, told
from ray_pipeline.terminal import complain, put, put_json

if TYPE_CHECKING:
    from ray_pipeline.importing.proposing import ImportProposal

__all__ = ["COMMAND"]

_CONFIG = "run.yaml"


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SRC", nargs="?", help="folder or URI of the data")
    parser.add_argument("--vendor", help="vendor of the columns, e.g. yfinance or binance")
    parser.add_argument("--interval", help="bar interval, e.g. 5m, if the paths name several")
    parser.add_argument(
        "--out",
        metavar="FILE",
        help=f"config to write (default {_CONFIG}; with --template standard output)",
    )
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")
    parser.add_argument(
        "--template", action="store_true", help="write every key with its default and a comment"
    )
    add_json(parser)


def _execute(options: argparse.Namespace) -> int:
    from ray_pipeline.commands.proposing import propose_config, read_template, write_config
    from ray_pipeline.errors import ConfigError, DiscoveryError
    from ray_pipeline.importing.proposing import propose_import

    if options.template:
        if options.source is not None:
            raise ConfigError(
                "init --template writes every key and looks at no data; omit SRC, or omit "
                f"--template for a config for {options.source}."
            )
        if options.out is None:
            put(*read_template().splitlines())
        else:
            write_config(read_template(), options.out, force=options.force)
            put(f"wrote     {options.out}; next: ray-pipeline check {options.out}")
        return 0
    if options.source is None:
        raise ConfigError("init needs SRC, the folder or URI of the data (or --template).")
    try:
        proposed = propose_config(
            options.source, options.vendor, options.interval, told(options).listed
        )
    except DiscoveryError:
        if (wanted := propose_import(options.source)) is None:
            raise
        return _tell_import(wanted, as_json=options.json)
    out = options.out or _CONFIG
    write_config(proposed.text, out, force=options.force)
    if options.json:
        put_json(
            {
                "config": out,
                "found": list(proposed.found),
                "guesses": list(proposed.guesses),
                "open": proposed.open,
            }
        )
    else:
        guesses = (f"guess     {text}" for text in proposed.guesses)
        written = f"wrote     {out}; next: ray-pipeline check {out}"
        put(*proposed.found, *guesses, written)
    if proposed.open is None:
        return 0
    complain(f"a run needs more than was found: {proposed.open} Add it to {out}.")
    return 2


def _tell_import(wanted: ImportProposal, *, as_json: bool) -> int:
    """Propose an import; it writes its own config."""
    if as_json:
        put_json({"config": None, **asdict(wanted)})
    else:
        put(*wanted.found, *(f"guess     {text}" for text in wanted.guesses))
        put(f"next      {wanted.command}")
    needs = "" if wanted.open is None else f" It needs more than was found: {wanted.open}"
    complain(
        "these paths do not contain the symbol, or the files are not Parquet: an import converts "
        f"them to the layout and writes the config.{needs}"
    )
    return 2


COMMAND = Command(
    name="init",
    summary="inspect your data and write a config for them",
    add_arguments=_add_arguments,
    execute=_execute,
)
