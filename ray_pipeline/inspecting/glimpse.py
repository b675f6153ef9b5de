"""A sample of a batch: all rows of a few symbols, and the files' metadata for the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ray_pipeline.errors import DataError, DiscoveryError
from ray_pipeline.inspecting.panel import request_of
from ray_pipeline.panel.inspection import SymbolInspection, inspect_symbol
from ray_pipeline.panel.misfits import find_misfits
from ray_pipeline.panel.outlines import Outlined, SymbolOutline, outline_symbol
from ray_pipeline.records import SymbolPartition
from ray_pipeline.storage import open_filesystem

if TYPE_CHECKING:
    from ray_pipeline.config import ExperimentConfig

__all__ = ["Glimpse", "glimpse_batch", "spread"]

MAX_WHOLE = 20
"""Symbols whose rows are all read: a flaw of one symbol in ten shows in 88 % of cases."""
MAX_WHOLE_BYTES = 256 << 20
"""Compressed bytes of their files; the first symbol is read whatever its size."""
MAX_OUTLINED_FILES = 5_000
"""Files whose footer is read: one small request each, and a few seconds in total."""
_N_THREADS = 16

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Glimpse:
    """The part of a batch that was seen.

    Attributes
    ----------
    inspections
        Of symbols whose rows were all read.
    outlines
        Of symbols whose footers were read.
    left_out
        The reason why a run leaves out a symbol, by symbol, as far as was seen.
    n_unseen
        Number of symbols of which nothing was read.
    """

    inspections: Mapping[str, SymbolInspection]
    outlines: Mapping[str, SymbolOutline]
    left_out: Mapping[str, str]
    n_unseen: int

    @property
    def is_whole(self) -> bool:
        """Whether all rows of all symbols were read."""
        return not self.outlines and not self.n_unseen

    @property
    def n_usable(self) -> int:
        """Number of symbols that a run would have, including those not seen."""
        return len(self.inspections) + len(self.outlines) + self.n_unseen


def glimpse_batch(
    partitions: Mapping[str, SymbolPartition],
    config: ExperimentConfig,
    interval: str | None,
    until_ns: int | None = None,
) -> Glimpse:
    """Read a part of a batch; a small one is read completely.

    All rows of up to 20 symbols are read, spread evenly over the batch, with files of up to 256
    MiB; for the others, the footers of up to 5,000 files. If none of the former can be used, up to
    twenty more are tried.

    Parameters
    ----------
    interval
        Length of a bar from the config or the layout.
    until_ns
        Rows from this time on are ignored; None: all are used.

    Raises
    ------
    DiscoveryError
        When no symbol that was read can be used.
    StorageError
        When the storage fails.
    """
    fs, _ = open_filesystem(config.data.data_dir, config.data.storage_options)
    request = request_of(config, interval, until_ns)
    left_out: dict[str, str] = {}

    def inspect(partition: SymbolPartition) -> SymbolInspection:
        return inspect_symbol(partition, fs, request)

    def outline(partition: SymbolPartition) -> SymbolOutline:
        return outline_symbol(partition, fs, request)

    whole = _within_bytes(spread(list(partitions), MAX_WHOLE), partitions)
    inspections = _each(inspect, [partitions[symbol] for symbol in whole], left_out, n_threads=1)
    others = [symbol for symbol in partitions if symbol not in whole]
    for symbol in others:
        if inspections or len(left_out) >= MAX_WHOLE:
            break
        inspections = _each(inspect, [partitions[symbol]], left_out, n_threads=1)
    if not inspections:
        _refuse(left_out, len(partitions))
    others = [symbol for symbol in others if symbol not in {*left_out, *inspections}]
    read = _within_files(others, partitions)
    outlines = _each(outline, [partitions[symbol] for symbol in read], left_out, _N_THREADS)
    seen: list[Outlined] = [*inspections.values(), *outlines.values()]
    misfits = find_misfits(seen, config.columns, partitions)
    left_out |= misfits
    fitting = {symbol: each for symbol, each in inspections.items() if symbol not in misfits}
    if not fitting:
        _refuse(left_out, len(partitions))
    return Glimpse(
        inspections=fitting,
        outlines={symbol: each for symbol, each in outlines.items() if symbol not in misfits},
        left_out=dict(sorted(left_out.items())),
        n_unseen=len(others) - len(read),
    )


def spread(names: Sequence[str], at_most: int) -> list[str]:
    """Return some of `names`, evenly spaced and including the first.

    Examples
    --------
    >>> spread(["A", "B", "C", "D", "E", "F"], 3)
    ['A', 'C', 'E']
    """
    n_taken = min(at_most, len(names))
    return [names[i * len(names) // n_taken] for i in range(n_taken)]


def _within_bytes(names: Sequence[str], partitions: Mapping[str, SymbolPartition]) -> list[str]:
    taken: list[str] = []
    n_bytes = 0
    for name in names:
        n_bytes += partitions[name].size_bytes
        if not taken or n_bytes <= MAX_WHOLE_BYTES:
            taken.append(name)
    return taken


def _within_files(names: Sequence[str], partitions: Mapping[str, SymbolPartition]) -> list[str]:
    n_files = sum(len(partitions[name].files) for name in names)
    if n_files <= MAX_OUTLINED_FILES:
        return list(names)
    return spread(names, len(names) * MAX_OUTLINED_FILES // n_files)


def _each(
    look: Callable[[SymbolPartition], _T],
    partitions: Sequence[SymbolPartition],
    left_out: dict[str, str],
    n_threads: int,
) -> dict[str, _T]:
    """Inspect each; unusable ones are put into `left_out` with a reason."""

    def try_one(partition: SymbolPartition) -> _T | DataError:
        try:
            return look(partition)
        except DataError as error:
            return error

    found: dict[str, _T] = {}
    with ThreadPoolExecutor(n_threads) as pool:
        for partition, result in zip(partitions, pool.map(try_one, partitions), strict=True):
            if isinstance(result, DataError):
                left_out[partition.symbol] = str(result)
            else:
                found[partition.symbol] = result
    return found


def _refuse(left_out: Mapping[str, str], n_symbols: int) -> None:
    some = "" if len(left_out) == n_symbols else f"{len(left_out)} of "
    reason = next(iter(left_out.values()))
    raise DiscoveryError(f"None of {some}the {n_symbols} selected symbols can be used: {reason}")
