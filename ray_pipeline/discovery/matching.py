"""Finding the files that fit a pattern of paths, with as few requests as the store allows."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ray_pipeline.discovery.layout import INTERVAL_PREFIX, decode_name, interval_counts
from ray_pipeline.discovery.location import nothing_fits, refuse_symbol_folder
from ray_pipeline.discovery.patterns import FoundByPattern, LayoutPattern, sort_by_pattern
from ray_pipeline.errors import ConfigError, DiscoveryError, StorageError
from ray_pipeline.intervals import same_interval, spelled_as
from ray_pipeline.records import PartitionFile, Rejection, SymbolPartition, Unlisted
from ray_pipeline.storage import (
    FileSystem,
    Listing,
    folder_at_fault,
    join,
    list_entries,
    listing_denied,
    reason_of,
    uri_of,
)

__all__ = ["Matched", "list_where_allowed", "match_layout"]

_N_THREADS = 16


@dataclass(frozen=True, slots=True)
class Matched:
    """Symbols of one bar size that fit a pattern, and those that cannot be used."""

    interval: str | None
    partitions: tuple[SymbolPartition, ...]
    rejected: tuple[Rejection, ...]


def match_layout(
    fs: FileSystem,
    path: str,
    pattern: LayoutPattern,
    interval: str | None,
    symbols: Sequence[str] = (),
    progress: Callable[[int], None] | None = None,
) -> Matched:
    """Find the symbols whose files fit a pattern.

    One flat listing of the deepest folder that the pattern spells out, as without a pattern; with
    named symbols that have folders of their own, a listing of each of these instead.

    Parameters
    ----------
    fs, path
        The data directory.
    pattern
        Pattern of the paths.
    interval
        The requested bar size; None for the only one.
    symbols
        Exactly these; if empty, all that exist.
    progress
        Called with the number of files listed so far.

    Raises
    ------
    ConfigError
        When there are several bar sizes and none is requested, or when `path`, the pattern and
        `interval` contradict each other.
    DiscoveryError
        When no file fits, or none of the requested interval.
    StorageError
        When the store refuses or cannot be reached.
    """
    refuse_symbol_folder(fs, path)
    fixed = _fixed_interval(fs, path, pattern, interval)
    folders = [folder for name in symbols for folder in pattern.folders_of(name, interval)]
    if folders:
        listing = _list_folders(fs, path, folders)
    else:
        start, prefix = pattern.start(interval)
        listing = list_entries(fs, join(path, start), prefix, progress)
    found = _sorted(fs, path, pattern, listing)
    if interval is not None and pattern.has_interval and not found.files:
        # Not found under this spelling: see what is there, for the message or another spelling.
        found = _sorted(fs, path, pattern, list_entries(fs, join(path, pattern.start()[0])))
    if not (found.files or found.misfits or found.obstacles):
        raise DiscoveryError(nothing_fits(fs, path, pattern.text))
    counts = found.interval_counts()
    wanted = next(iter(counts)) if interval is None and len(counts) == 1 else interval
    wanted = wanted and spelled_as(wanted, counts)
    if counts and wanted not in counts:
        _refuse(fs, path, interval, counts)
    partitions, rejected = found.of_interval(wanted, pattern)
    if symbols:
        partitions = tuple(each for each in partitions if each.symbol in symbols)
        named = [each for each in rejected if each.symbol in symbols]
        seen = {each.symbol for each in partitions} | {each.symbol for each in named}
        where = f"under {uri_of(fs, path)} fits the layout {pattern.text}"
        missing = [Rejection(name, f"no file {where}") for name in symbols if name not in seen]
        rejected = tuple(sorted([*named, *missing], key=lambda each: each.symbol))
    return Matched(wanted if counts else fixed, partitions, rejected)


def list_where_allowed(
    fs: FileSystem, folders: Sequence[str]
) -> tuple[Listing, StorageError | None]:
    """List the folders in which one symbol may be; return the denial if that hides all of them.

    Other spellings of a name may be denied, or be too long for the disk.
    """
    entries: list[PartitionFile] = []
    unlisted: list[Unlisted] = []
    obstacles: list[Unlisted] = []
    denial: StorageError | None = None
    for path in folders:
        try:
            found = list_entries(fs, path)
        except StorageError as error:
            if not folder_at_fault(error):
                raise
            obstacles.append(Unlisted(f"{path}/", reason_of(error), "blocked"))
            denial = denial or (error if listing_denied(error) else None)
        else:
            entries += found.entries
            unlisted += found.unlisted
    if entries or unlisted:
        return Listing(tuple(entries), tuple(unlisted)), None
    return Listing((), tuple(obstacles[:1])), denial


def _list_folders(fs: FileSystem, path: str, folders: Sequence[str]) -> Listing:
    with ThreadPoolExecutor(_N_THREADS) as pool:
        listed = list(pool.map(lambda each: list_where_allowed(fs, [join(path, each)]), folders))
    denials = [denial for _, denial in listed if denial is not None]
    if len(denials) == len(folders):
        raise denials[0]
    return Listing(
        tuple(entry for found, _ in listed for entry in found.entries),
        tuple(each for found, _ in listed for each in found.unlisted),
    )


def _sorted(fs: FileSystem, path: str, pattern: LayoutPattern, listing: Listing) -> FoundByPattern:
    found = sort_by_pattern(listing.entries, path, pattern, listing.unlisted)
    for each in found.unplaced:
        where = each.path.rstrip("/")
        raise StorageError(f"Cannot list {uri_of(fs, path)}: {each.reason}: {where}.")
    return found


def _fixed_interval(
    fs: FileSystem, path: str, pattern: LayoutPattern, interval: str | None
) -> str | None:
    """Return the bar size that the data directory or the pattern itself names."""
    last = posixpath.basename(path)
    fixed, where = pattern.fixed_interval, f"The layout {pattern.text} names"
    if last.startswith(INTERVAL_PREFIX):
        own = decode_name(last.removeprefix(INTERVAL_PREFIX))
        if pattern.has_interval:
            raise ConfigError(
                f"{uri_of(fs, path)} holds interval={own} already, but the layout {pattern.text} "
                f"looks for {{interval}} below it. Take {{interval}} out of the layout, or set "
                f"data_dir to {uri_of(fs, posixpath.dirname(path))}."
            )
        fixed, where = own, f"{uri_of(fs, path)} holds"
    if fixed is not None and interval is not None and not same_interval(fixed, interval):
        raise ConfigError(
            f"{where} interval={fixed}, but data.interval asks for {interval}. Set data.interval "
            f"to {fixed}, or put {{interval}} in its place in the layout."
        )
    return fixed


def _refuse(fs: FileSystem, path: str, interval: str | None, counts: dict[str, int]) -> None:
    there = interval_counts(counts)
    if interval is None:
        raise ConfigError(
            f"{uri_of(fs, path)} holds several intervals: {there}. "
            "Set data.interval to one of them."
        )
    raise DiscoveryError(
        f"No symbol partition with parquet files under {uri_of(fs, path)} for "
        f"interval={interval}; found {there}. Set data.interval to one of them."
    )
