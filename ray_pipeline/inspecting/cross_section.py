"""Both passes over a batch for cross-sectional columns, as units of work."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from ray_pipeline.bars.clock import find_clock, reach_of_labels
from ray_pipeline.bars.horizons import resolve_horizon
from ray_pipeline.errors import ConfigError
from ray_pipeline.execution.artifacts import table_name
from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.panel.cross_section.base import base_schema, base_tables
from ray_pipeline.panel.cross_section.block import compared, read_block, write_block_tables
from ray_pipeline.panel.cross_section.names import base_of, is_cross_sectional
from ray_pipeline.panel.cross_section.reference import CrossSection
from ray_pipeline.panel.cross_section.spans import time_spans
from ray_pipeline.panel.cross_section.values import MIN_MEMBERS
from ray_pipeline.panel.loading import TableRequest, load_symbol_table
from ray_pipeline.panel.membership import labelled_inside, without_ungrouped
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.panel.time_axis import encode_runs
from ray_pipeline.records import SymbolPartition, TimeRun
from ray_pipeline.storage import RunDirectory
from ray_pipeline.wording import plural

__all__ = [
    "BLOCK_BYTES",
    "compute_cross_section",
    "needs_cross_section",
    "require_enough_members",
    "require_members",
]

BLOCK_BYTES = 64 * 2**20
"""Columns of a block, both read and computed. A worker holds up to four times as much while it
works on one."""

_SYMBOLS_PER_FILE = 16
"""Symbols per file. A file's footer names every column of every row group, and reading one
symbol reads the footer: 16 symbols of 20 columns take 50 KB."""

_MIN_GROUP_ROWS = 256


@dataclass(frozen=True, slots=True)
class BaseSpec:
    """One symbol's base columns."""

    partition: SymbolPartition
    request: TableRequest
    rows_per_group: int


@dataclass(frozen=True, slots=True)
class BatchSpec:
    """Everything that the values of a batch depend on, by the names of the base tables."""

    symbols: tuple[str, ...]
    is_member: tuple[bool, ...]
    tables: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BlockSpec:
    """One span of time; the batch is a table in the run directory, because it may be long."""

    cross_section: CrossSection
    batch: str
    base_features: tuple[str, ...]
    labels: tuple[str, ...]
    number: int
    span: tuple[int, int]


def write_base(reader: PanelReader, spec: BaseSpec) -> dict[str, Any]:
    """Write a symbol's base columns (unit function); the record holds its time axis."""
    request = spec.request
    found = load_symbol_table(spec.partition, reader.fs, request)
    inside = labelled_inside(found, spec.partition.membership, features_too=True)
    table = without_ungrouped(inside)
    clock = find_clock(table.time_ns, request.interval)
    horizons = [resolve_horizon(name, request.interval, {}) for name in request.targets]
    reaches = [reach_of_labels(table.time_ns, horizon, clock) for horizon in horizons]
    deadlines = [reach.deadline_ns for reach in reaches]
    name = table_name("rows")
    is_grouped = request.group is not None
    schema = base_schema(len(request.features), len(request.targets), is_grouped=is_grouped)
    reader.run.write_tables(name, schema, base_tables(table, deadlines, spec.rows_per_group))
    # As text: an axis that symbols share is one object in the driver.
    runs = [[run.start_ns, run.step_ns, run.count] for run in encode_runs(table.time_ns)]
    return {"table": name, "runs": json.dumps(runs)}


def write_block(reader: PanelReader, spec: BlockSpec) -> dict[str, Any]:
    """Compare all symbols within a span, and write the results (unit function)."""
    batch = reader.run.read_table(spec.batch)
    symbols, is_member, tables = (
        batch.column(name).to_pylist() for name in ("symbol", "is_member", "table")
    )
    block = read_block(reader.run, symbols, is_member, tables, spec.span)
    columns = compared(block, spec.cross_section, spec.base_features, spec.labels)
    write_block_tables(reader.run, spec.cross_section, spec.number, block, columns)
    return {"n_rows": len(block.time_ns)}


def compute_cross_section(
    runner: UnitRunner,
    run: RunDirectory,
    partitions: Mapping[str, SymbolPartition],
    request: TableRequest,
    members: Collection[str],
    *,
    block_bytes: int = BLOCK_BYTES,
) -> TableRequest:
    """Compute the cross-sectional columns of bars or series, and say where they are.

    A symbol whose unit fails is left out (the runner's ledger records it) and does not count as a
    member.

    Parameters
    ----------
    runner, run
        Runs the units; the place of their tables, where the workers' `PanelReader` writes.
    partitions
        Bars or series by symbol.
    request
        Columns; those with cross-sectional names are computed.
    members
        Symbols of the reference set, the batch of the run. Members without data here are not
        compared with; `CrossSection.warning` says so. Other symbols are ranked among the members.
    block_bytes
        Bytes of a block; does not affect values.

    Returns
    -------
    TableRequest
        The request with ``cross_section`` filled in; unchanged where it names no such column.

    Raises
    ------
    ExecutionError
        When a block cannot be computed.
    """
    if not needs_cross_section(request):
        return request
    features = tuple(filter(is_cross_sectional, request.features))
    targets = tuple(filter(is_cross_sectional, request.targets))
    base_features = tuple(sorted({base_of(name) for name in features}))
    labels = tuple(sorted({base_of(name) for name in targets}))
    row_bytes = 8 + 4 * (len(base_features) + len(features)) + 16 * len(labels) + 8 * len(targets)
    base_request = replace(request, features=base_features, targets=labels, cross_section=None)
    rows_per_group = max(block_bytes // (row_bytes * len(partitions)), _MIN_GROUP_ROWS)
    records = runner.run(
        [
            Unit(
                "cross_section_base",
                symbol,
                write_base,
                BaseSpec(partitions[symbol], base_request, rows_per_group),
            )
            for symbol in sorted(partitions)
        ]
    )
    axes = {
        tuple(TimeRun(*numbers) for numbers in json.loads(runs)): n_symbols
        for runs, n_symbols in Counter(record["runs"] for record in records.values()).items()
    }
    batch = BatchSpec(
        symbols=tuple(records),
        is_member=tuple(symbol in members for symbol in records),
        tables=tuple(record["table"] for record in records.values()),
        spans=tuple(time_spans(axes, row_bytes, block_bytes)),
        columns=(*features, *targets),
    )
    cross_section = CrossSection(
        # The blocks share a folder, named like that of a unit that depends on everything that any
        # of them does.
        folder=Unit("cross_section", "batch", write_block, batch).folder,
        n_blocks=len(batch.spans),
        n_groups=-(-max(len(batch.symbols), 1) // _SYMBOLS_PER_FILE),
        features=features,
        targets=targets,
        n_members=len(members),
        n_present=sum(batch.is_member),
    )
    name = f"{cross_section.folder}/batch.parquet"
    run.write_table(
        name,
        pa.table(
            {"symbol": batch.symbols, "is_member": batch.is_member, "table": batch.tables},
            schema=pa.schema(
                [("symbol", pa.string()), ("is_member", pa.bool_()), ("table", pa.string())]
            ),
        ),
    )
    specs = [
        BlockSpec(cross_section, name, base_features, labels, number, span)
        for number, span in enumerate(batch.spans)
    ]
    runner.run_required(
        [Unit("cross_section", f"block-{spec.number:05d}", write_block, spec) for spec in specs]
    )
    return replace(request, cross_section=cross_section)


def needs_cross_section(request: TableRequest) -> bool:
    """Tell whether some of the columns have to be computed over the batch.

    In a labeled table a column of such a name is a column like any other.
    """
    columns = (*request.features, *request.targets)
    return request.kind != "labeled" and any(map(is_cross_sectional, columns))


def require_members(request: TableRequest) -> None:
    """Raise ConfigError when so few symbols were compared that every column is missing."""
    found = request.cross_section
    if found is not None:
        require_enough_members(found.n_present, (*found.features, *found.targets))


def require_enough_members(n_present: int, names: Sequence[str]) -> None:
    """Raise ConfigError when `n_present` symbols are too few for these columns to have a value."""
    if n_present < MIN_MEMBERS:
        raise ConfigError(
            f"{plural(n_present, 'symbol is', 'symbols are')} too few for {', '.join(names[:3])} "
            f"({plural(len(names), 'cross-sectional column')}): {MIN_MEMBERS} are needed. Add "
            "symbols, or leave these columns out of labeling.features and labeling.targets."
        )
