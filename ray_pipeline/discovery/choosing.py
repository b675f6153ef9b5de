"""The batch: which symbols a run works on, decided once and passed on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from ray_pipeline.config import DataConfig, ExperimentConfig
from ray_pipeline.discovery import discover, resolve_symbols, select_symbol_batch
from ray_pipeline.discovery.unfinished import unfinished_import
from ray_pipeline.discovery.universe import Universe, read_universe
from ray_pipeline.errors import DiscoveryError
from ray_pipeline.records import Discovery, SymbolPartition
from ray_pipeline.wording import agreeing, plural, some_of

__all__ = ["Batch", "choose_batch", "file_names", "fingerprint"]


@dataclass(frozen=True, slots=True)
class Batch:
    """The symbols of a run.

    Attributes
    ----------
    discovery
        What was found, or, with explicit symbols, what was found of those.
    partitions
        Partition by symbol of the selected ones, sorted.
    interval
        Bar interval from the layout or else from the config; the data have to agree with it.
    warnings
        Sentences for the user.
    universe_columns
        Columns of the table of ``data.universe`` other than symbol, from and to.
    """

    discovery: Discovery
    partitions: Mapping[str, SymbolPartition]
    interval: str | None
    warnings: tuple[str, ...]
    universe_columns: tuple[str, ...] = ()


def choose_batch(config: ExperimentConfig, progress: Callable[[int], None] | None = None) -> Batch:
    """Discover and sample the symbols, or take exactly those that the config names.

    Raises
    ------
    DiscoveryError
        When no symbol is left.
    """
    data = config.data
    warnings: list[str] = []
    universe = None
    if data.universe is not None:
        universe = _read_universe(data.universe, data, config.columns.group)
    if data.symbols:
        found = resolve_symbols(
            data.data_dir, data.symbols, data.interval, data.storage_options, data.layout
        )
        selected = found.symbols
        if data.symbol_batch_size is not None:
            warnings.append(
                f"data.symbol_batch_size={data.symbol_batch_size} has no effect: data.symbols "
                f"names {plural(len(data.symbols), 'symbol')}, and exactly "
                f"{agreeing(len(data.symbols), 'this is', 'these are')} taken."
            )
        warnings.extend(
            f"data.symbols: {rejection.symbol} is left out: {rejection.reason}."
            for rejection in found.rejected
        )
        if not selected:
            named = "; ".join(f"{r.symbol}: {r.reason}" for r in found.rejected)
            raise DiscoveryError(
                f"None of data.symbols ({plural(len(data.symbols), 'symbol')}) has data under "
                f"{data.data_dir} ({named}). Correct the names, or leave data.symbols empty to "
                "discover them."
            )
    else:
        found = discover(data.data_dir, data.interval, data.storage_options, progress, data.layout)
        selected = found.symbols
    if (unfinished := unfinished_import(data.data_dir, data.storage_options)) is not None:
        warnings.append(unfinished)
    if universe is not None:
        selected, of_universe = _members_of(universe, selected, data)
        warnings += of_universe
    if not data.symbols:
        selected = select_symbol_batch(selected, data.symbol_batch_size, config.experiment.seed)
    partitions = {partition.symbol: partition for partition in found.partitions}
    return Batch(
        discovery=found,
        partitions={symbol: _member(partitions[symbol], universe) for symbol in selected},
        interval=found.interval or data.interval,
        warnings=tuple(warnings),
        universe_columns=() if universe is None else universe.others,
    )


def _read_universe(uri: str, data: DataConfig, group: str | None) -> Universe:
    same_store = uri.partition("://")[0] == data.data_dir.partition("://")[0] and "://" in uri
    return read_universe(uri, data.storage_options if same_store else {}, group)


def _members_of(
    universe: Universe, symbols: Sequence[str], data: DataConfig
) -> tuple[list[str], list[str]]:
    """Return the symbols that the universe names, and a sentence about the others."""
    members = [symbol for symbol in symbols if symbol in universe.spans]
    if not members:
        raise DiscoveryError(
            f"data.universe: none of the {len(symbols)} symbols under {data.data_dir} "
            f"({some_of(symbols, at_most=5)}) is in {universe.uri}, which has "
            f"{some_of(list(universe.spans), at_most=5)}. Use the same spelling, or leave "
            "data.universe empty."
        )
    warnings = []
    if strangers := sorted(set(symbols) - set(members)):
        warnings.append(
            f"data.universe: {plural(len(strangers), 'symbol')} with data never belonged to it and "
            f"{agreeing(len(strangers), 'is', 'are')} left out: {some_of(strangers, at_most=5)}."
        )
    if not data.symbols and (absent := sorted(set(universe.spans) - set(symbols))):
        warnings.append(
            f"data.universe: {len(absent)} of its {plural(len(universe.spans), 'symbol')} "
            f"{agreeing(len(absent), 'has', 'have')} no data under {data.data_dir}: "
            f"{some_of(absent, at_most=5)}. If these left the market, the results describe only "
            "those that stayed."
        )
    return members, warnings


def _member(partition: SymbolPartition, universe: Universe | None) -> SymbolPartition:
    if universe is None:
        return partition
    symbol = partition.symbol
    groups = None if universe.groups is None else universe.groups[symbol]
    return replace(partition, membership=universe.spans[symbol], groups=groups)


def fingerprint(partitions: Mapping[str, SymbolPartition]) -> str:
    """Hash what identifies the inputs, and the universe's entries for each symbol.

    These are the names, sizes and versions of all files, or the digests of rows that are identified
    by content.
    """
    listing = [
        [
            symbol,
            [[file.path, file.size_bytes, file.version] for file in partition.files]
            if partition.rows_sha256 is None
            else partition.rows_sha256,
            *([] if partition.membership is None else [partition.membership]),
            *([] if partition.groups is None else [partition.groups]),
        ]
        for symbol, partition in sorted(partitions.items())
    ]
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()


def file_names(batch: Batch) -> dict[str, str]:
    """Name a file for each symbol in the current layout, below the root of a panel to be written.

    The interval is that of the batch; without one the files are in the legacy layout.
    """
    interval = f"interval={batch.interval}/" if batch.interval else ""
    folders = {symbol: quote(symbol, safe="") for symbol in batch.partitions}
    return {
        symbol: f"{interval}symbol={folder}/{folder}.parquet" for symbol, folder in folders.items()
    }
