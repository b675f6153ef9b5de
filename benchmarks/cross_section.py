"""What ranks, z-scores and excess returns across a batch cost, beside plain pandas.

Both passes run in this process, on one core, over bars such as those of ``shared/data``; pandas
has the symbols' own columns in memory already, as one long table, and groups it by timestamp.
Times are of the processor; memory is what the process holds at its peak beyond what it held
before.

    python benchmarks/cross_section.py DATA_DIR --targets excess_ret_5d excess_ret_20d
    python benchmarks/cross_section.py DATA_DIR --symbols 12 --targets excess_ret_60m
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.discovery.choosing import choose_batch
from ray_pipeline.execution import Done, Outcome, SerialExecutor
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.inspecting.cross_section import BLOCK_BYTES, compute_cross_section
from ray_pipeline.inspecting.panel import inspect_panel, summarise
from ray_pipeline.panel.cross_section.names import RANK_PREFIX, base_of
from ray_pipeline.panel.loading import TableRequest, load_symbol_table
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.panel.summary import table_request
from ray_pipeline.records import SymbolPartition
from ray_pipeline.storage import RunDirectory


def peak_bytes() -> int:
    """Return the most that this process has held so far (Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def plain_pandas(
    partitions: dict[str, SymbolPartition], reader: PanelReader, request: TableRequest
) -> float:
    """Compute the features by groupby; return the seconds without reading and labeling."""
    names = sorted({base_of(name) for name in request.features})
    own = replace(request, features=tuple(names), targets=(), cross_section=None)
    frames = []
    for symbol, partition in partitions.items():
        table = load_symbol_table(partition, reader.fs, own)
        columns = dict(zip(names, table.features.T.astype(np.float64), strict=True))
        frames.append(pd.DataFrame({"ts": table.time_ns, "symbol": symbol, **columns}))
    panel = pd.concat(frames, ignore_index=True)
    start = time.process_time()
    grouped = panel.groupby("ts")
    for name in request.features:
        column = grouped[base_of(name)]
        if name.startswith(RANK_PREFIX):
            (column.rank() - 0.5) / column.transform("count")
        else:
            (panel[base_of(name)] - column.transform("mean")) / column.transform("std")
    return time.process_time() - start


def main() -> None:
    """Print rows, columns, seconds and memory."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data_dir")
    parser.add_argument("--symbols", type=int)
    parser.add_argument("--targets", nargs="+", default=["excess_ret_5d"])
    parser.add_argument("--block-mib", type=int, default=BLOCK_BYTES >> 20)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = ExperimentConfig.model_validate(
            {
                "experiment": {"seed": 1},
                "data": {"data_dir": args.data_dir, "symbol_batch_size": args.symbols},
                "labeling": {"features": ["cross_sectional"], "targets": args.targets},
                "output": {"run_dir": folder},
            }
        )
        batch = choose_batch(config)
        run = RunDirectory(folder)
        make_reader = partial(PanelReader, args.data_dir, {}, run)
        seconds: Counter[str] = Counter()

        def count(outcome: Outcome, *_: int) -> None:
            if isinstance(outcome, Done):
                seconds[outcome.unit.stage] += outcome.seconds

        executor = SerialExecutor(make_reader, run.units)
        runner = UnitRunner(executor, run.units, count, lambda _: None, print)
        inspections = inspect_panel(runner, batch.partitions, config)
        partitions = {symbol: batch.partitions[symbol] for symbol in inspections}
        summary = summarise(inspections, config, batch.interval)
        request = table_request(summary, max_rows=None, min_rows=1)
        before, start = peak_bytes(), time.process_time()
        request = compute_cross_section(
            runner, run, partitions, request, list(partitions), block_bytes=args.block_mib << 20
        )
        spent, held = time.process_time() - start, peak_bytes() - before
        found = request.cross_section
        assert found is not None
        n_rows = sum(inspection.n_rows for inspection in inspections.values())
        n_cells = n_rows * (len(found.features) + len(found.targets))
        print(
            f"{len(partitions)} symbols, {n_rows:,} rows, {len(found.features)} features, "
            f"{len(found.targets)} targets, {found.n_blocks} blocks"
        )
        print(f"both passes      {spent:6.1f} s, {spent / n_cells * 1e6:.2f} s per million cells")
        print(
            f"  wall           {seconds['cross_section_base']:6.1f} s and "
            f"{seconds['cross_section']:.1f} s"
        )
        print(f"  memory         {held / 2**20:6.0f} MiB")
        start = time.process_time()
        for partition in partitions.values():
            load_symbol_table(partition, make_reader().fs, request, run)
        joined = time.process_time() - start
        print(f"reading tables   {joined:6.1f} s")
        print(f"pandas, features {plain_pandas(partitions, make_reader(), request):6.1f} s")


if __name__ == "__main__":
    main()
