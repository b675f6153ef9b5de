"""``ray-pipeline discover``: symbols, files and rejections below a data root."""

from __future__ import annotations

import argparse

from ray_pipeline.bounds import MAX_COUNT, MAX_INT
from ray_pipeline.commands.command import Command, add_json, told, whole_number
from ray_pipeline.terminal import put, put_json
from ray_pipeline.wording import agreeing, plural, size_text

__all__ = ["COMMAND"]


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data_dir", metavar="DATA_DIR")
    parser.add_argument("--interval", help="bar interval, e.g. 5m")
    parser.add_argument(
        "--layout",
        metavar="PATTERN",
        help="pattern of the paths, e.g. 'ticker={symbol}' or '{symbol}.parquet'",
    )
    parser.add_argument(
        "--batch-size",
        type=whole_number(1, MAX_COUNT),
        metavar="N",
        help="number of symbols that a run would sample",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(0, MAX_INT),
        default=0,
        metavar="N",
        help="seed of the sample (default 0)",
    )
    add_json(parser)


def _execute(options: argparse.Namespace) -> int:
    from ray_pipeline.discovery import discover, select_symbol_batch

    listed = told(options).listed
    found = discover(options.data_dir, options.interval, None, listed, options.layout)
    seed = options.seed
    selected = select_symbol_batch(found.symbols, options.batch_size, seed)
    n_files = sum(len(partition.files) for partition in found.partitions)
    n_bytes = sum(partition.size_bytes for partition in found.partitions)
    if options.json:
        document = {
            "data_dir": found.data_dir,
            "interval": found.interval,
            "layout": found.layout,
            "symbols": found.symbols,
            "rejected": [{"symbol": r.symbol, "reason": r.reason} for r in found.rejected],
            "selected": selected,
            "seed": seed,
            "n_files": n_files,
            "bytes": n_bytes,
        }
        put_json(document)
        return 0
    interval = f", interval {found.interval}" if found.interval else ""
    where = f"{found.data_dir} ({found.layout} layout{interval})"
    n_symbols = plural(len(found.symbols), "symbol")
    put(f"{n_symbols}, {plural(n_files, 'file')}, {size_text(n_bytes)} in {where}")
    width = max(len(partition.symbol) for partition in found.partitions)
    chosen = set(selected)
    for partition in found.partitions:
        mark = "*" if partition.symbol in chosen and options.batch_size else " "
        size = size_text(partition.size_bytes)
        n_here = len(partition.files)
        noun = agreeing(n_here, "file", "files")
        put(f"{mark} {partition.symbol:{width}}  {n_here:5d} {noun:5}  {size:>10}")
    for rejection in found.rejected:
        put(f"- {rejection.symbol}: {rejection.reason}")
    if options.batch_size:
        named = ", ".join(selected)
        n_chosen = plural(len(selected), "symbol")
        put(f"* the {n_chosen} that a run with seed {seed} would take: {named}")
    return 0


COMMAND = Command(
    name="discover",
    summary="list symbols, files and rejections",
    add_arguments=_add_arguments,
    execute=_execute,
)
