"""``ray-pipeline label``: the features and targets of a set of bars, written as a panel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.discovery.choosing import choose_batch, file_names
from ray_pipeline.driving.places import Directory, options_for, place_of_data, require_usable
from ray_pipeline.driving.progress import Reporter
from ray_pipeline.driving.workers import open_executor
from ray_pipeline.errors import ConfigError
from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.inspecting.cross_section import (
    compute_cross_section,
    needs_cross_section,
    require_members,
)
from ray_pipeline.inspecting.panel import inspect_panel, summarise
from ray_pipeline.panel.loading import TableRequest, labeled_table
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.panel.summary import table_request
from ray_pipeline.records import FinishedUnit, SymbolPartition, UnfitUnit, WrittenFile
from ray_pipeline.stages.failures import FailureLedger
from ray_pipeline.storage import RunDirectory

__all__ = ["Labeled", "label_panel"]

_UNITS = "units"


@dataclass(frozen=True, slots=True)
class Labeled:
    """What was written where: symbols, rows and columns; and the symbols that failed."""

    out: str
    n_symbols: int
    n_rows: int
    n_features: int
    n_targets: int
    failed: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class LabelSpec:
    """One symbol to label, and the name of the file to write."""

    partition: SymbolPartition
    request: TableRequest
    name: str


def write_labeled(reader: PanelReader, spec: LabelSpec) -> dict[str, Any]:
    """Compute a symbol's features and targets and write them (unit function)."""
    table = labeled_table(spec.partition, reader.fs, spec.request, run=reader.run)
    reader.run.write_table(spec.name, table)
    return {"n_rows": table.num_rows}


def label_panel(config: ExperimentConfig, out: str, reporter: Reporter) -> Labeled:
    """Write the labeled panel of the batch in the current layout, one file per symbol.

    Raises
    ------
    ConfigError
        When `out` is where the bars are, or overlaps with it.
    ExecutionError
        When more symbols fail than the config tolerates.
    """
    results = Directory("--out", out, options_for(out, config))
    require_usable(results, config, place_of_data(config))
    batch = choose_batch(config, reporter.listed)
    target = RunDirectory(out, results.options)
    names = file_names(batch)
    ledger = FailureLedger(
        list(batch.partitions), config.execution.max_failed_fraction, "each is listed above"
    )
    store = _Unrecorded()
    with open_executor(config, target, reporter, store) as executor:
        runner = UnitRunner(executor, store, reporter.outcome, ledger.add, reporter.say)
        inspections = inspect_panel(runner, batch.partitions, config, batch.interval)
        ledger.healthy(batch.partitions)
        summary = summarise(inspections, config, batch.interval)
        request = table_request(
            summary,
            max_rows=config.data.max_rows_per_symbol,
            min_rows=config.data.min_rows_per_symbol,
            group=config.columns.group,
        )
        for warning in (*batch.warnings, *summary.warnings):
            reporter.say(f"warning: {warning}")
        partitions = {symbol: batch.partitions[symbol] for symbol in inspections}
        with _cross_section(runner, target, partitions, request) as request:
            records = runner.run(
                [
                    Unit(
                        "label", symbol, write_labeled, LabelSpec(partition, request, names[symbol])
                    )
                    for symbol, partition in ledger.healthy(partitions).items()
                ]
            )
    return Labeled(
        out=target.uri,
        n_symbols=len(records),
        n_rows=sum(record["n_rows"] for record in records.values()),
        n_features=len(request.features),
        n_targets=len(request.targets),
        failed=tuple((name, failed.reason) for name, failed in sorted(ledger.quarantined.items())),
    )


@contextmanager
def _cross_section(
    runner: UnitRunner,
    target: RunDirectory,
    partitions: Mapping[str, SymbolPartition],
    request: TableRequest,
) -> Iterator[TableRequest]:
    """Compute the columns that compare symbols, and then remove temporary files from `target`.

    Raises
    ------
    ConfigError
        When there is a ``units`` folder already, as in a run, or when there are too few symbols.
    """
    if not needs_cross_section(request):
        yield request
        return
    if target.list(_UNITS):
        raise ConfigError(
            f"--out {target.uri} holds a folder {_UNITS!r}, which is used for cross-sectional "
            "columns until every symbol is written. Give another folder, or remove that one if it "
            "was left by an earlier labeling that was killed."
        )
    try:
        request = compute_cross_section(runner, target, partitions, request, list(partitions))
        require_members(request)
        yield request
    finally:
        target.remove(_UNITS)


class _Unrecorded:
    """A unit store that keeps nothing: a panel is not a run directory."""

    def recall(
        self, stage: str, digests: Sequence[str]
    ) -> Iterator[tuple[str, FinishedUnit | UnfitUnit]]:
        """Find no finished unit."""
        return iter(())

    def collecting(self) -> AbstractContextManager[Mapping[str, WrittenFile]]:
        """Do nothing: nobody will ask for it."""
        return nullcontext({})

    def write(
        self, stage: str, digest: str, unit: FinishedUnit, files: Mapping[str, WrittenFile]
    ) -> None:
        """Forget the record."""
