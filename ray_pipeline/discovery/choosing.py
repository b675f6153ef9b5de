"""The batch: which symbols a run works on, decided once and handed down."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.discovery import discover, resolve_symbols, select_symbol_batch
from ray_pipeline.errors import DiscoveryError
from ray_pipeline.records import Discovery, SymbolPartition

__all__ = ["Batch", "choose_batch", "file_names", "fingerprint"]


@dataclass(frozen=True, slots=True)
class Batch:
    """The symbols of a run.

    Attributes
    ----------
    discovery
        What was found, or with explicit symbols what was found of those.
    partitions
        Partition by symbol of the selected ones, sorted.
    interval
        Bar interval named by the layout or, where it names none, by the config; the data have to
        agree with it.
    warnings
        Sentences for the user.
    """

    discovery: Discovery
    partitions: Mapping[str, SymbolPartition]
    interval: str | None
    warnings: tuple[str, ...]


def choose_batch(config: ExperimentConfig, progress: Callable[[int], None] | None = None) -> Batch:
    """Discover and sample the symbols, or take exactly those that the config names.

    Raises
    ------
    DiscoveryError
        When no symbol is left.
    """
    data = config.data
    warnings: list[str] = []
    if data.symbols:
        found = resolve_symbols(
            data.data_dir, data.symbols, data.interval, data.storage_options, data.layout
        )
        selected = found.symbols
        if data.symbol_batch_size is not None:
            warnings.append(
                f"data.symbol_batch_size={data.symbol_batch_size} does nothing: data.symbols "
                f"names {len(data.symbols)} symbols, and exactly these are taken."
            )
        warnings.extend(
            f"data.symbols: {rejection.symbol} is left out: {rejection.reason}."
            for rejection in found.rejected
        )
        if not selected:
            named = "; ".join(f"{r.symbol}: {r.reason}" for r in found.rejected)
            raise DiscoveryError(
                f"None of the {len(data.symbols)} symbols in data.symbols has data under "
                f"{data.data_dir} ({named}). Correct the names, or leave data.symbols empty to "
                "discover them."
            )
    else:
        found = discover(data.data_dir, data.interval, data.storage_options, progress, data.layout)
        selected = select_symbol_batch(
            found.symbols, data.symbol_batch_size, config.experiment.seed
        )
    partitions = {partition.symbol: partition for partition in found.partitions}
    return Batch(
        discovery=found,
        partitions={symbol: partitions[symbol] for symbol in selected},
        interval=found.interval or data.interval,
        warnings=tuple(warnings),
    )


def fingerprint(partitions: Mapping[str, SymbolPartition]) -> str:
    """Hash the names, sizes and versions of all input files."""
    listing = [
        [symbol, [[file.path, file.size_bytes, file.version] for file in partition.files]]
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
