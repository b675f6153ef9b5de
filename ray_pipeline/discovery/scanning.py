"""Finding the symbols under a data directory with as few requests as its store allows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from ray_pipeline.discovery.layout import SYMBOL_PREFIX, read_symbols, symbol_folders
from ray_pipeline.discovery.location import SymbolRoot, locate_symbols, nothing_found
from ray_pipeline.errors import ConfigError, DiscoveryError, StorageError
from ray_pipeline.records import Discovery, PartitionFile, Rejection, SymbolPartition, Unlisted
from ray_pipeline.storage import (
    FileSystem,
    Listing,
    folder_at_fault,
    join,
    list_entries,
    listing_denied,
    open_filesystem,
    reason_of,
    uri_of,
)

__all__ = ["discover", "discover_symbols_from_data_dir", "resolve_symbols"]

_N_THREADS = 16
_N_SHOWN = 5


def discover(
    data_dir: str | os.PathLike[str],
    interval: str | None = None,
    storage_options: Mapping[str, object] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Discovery:
    """Find every symbol under a data directory, with its Parquet files.

    Object stores are listed flat, a page of 1,000 keys per request, never a request per symbol;
    local symbol folders are scanned by a few threads. Only what lies below the one interval is
    listed.

    Parameters
    ----------
    data_dir
        Local path or fsspec URI of the folder with the ``interval=`` (or, in the legacy layout,
        ``symbol=``) folders, or of one ``interval=`` folder.
    interval
        Such as ``5m``. May be left out when there is only one. The legacy layout names none, so
        there it is taken on trust.
    storage_options
        As for `ray_pipeline.storage.open_filesystem`.
    progress
        Called with the number of files listed so far, for listings that take long.

    Returns
    -------
    Discovery
        Symbols in code-point order; those without a usable file among the rejected.

    Raises
    ------
    ConfigError
        When the interval is missing and several are there, or contradicts `data_dir`, or
        `data_dir` is the folder of one symbol.
    DiscoveryError
        When no symbol has a usable file: what was searched and what is there instead.
    StorageError
        When the store refuses or cannot be reached.
    """
    fs, path = open_filesystem(data_dir, storage_options)
    root = locate_symbols(fs, path, interval)
    found = list_entries(fs, root.path, prefix=SYMBOL_PREFIX, progress=progress)
    partitions, rejected = read_symbols(found.entries, root.path, found.unlisted)
    if not partitions and not rejected:
        raise DiscoveryError(nothing_found(fs, path, root, interval))
    return _discovery(data_dir, root, partitions, rejected, uri_of(fs, root.path))


def discover_symbols_from_data_dir(
    data_dir: str | os.PathLike[str],
    interval: str | None = None,
    *,
    storage_options: Mapping[str, object] | None = None,
) -> list[str]:
    """Return the names of the symbols under a data directory, or ``[]`` where there are none.

    See `discover` for the layout and the parameters; an interval that is missing and ambiguous
    is a `ConfigError` here too.
    """
    try:
        return discover(data_dir, interval, storage_options).symbols
    except DiscoveryError:
        return []


def resolve_symbols(
    data_dir: str | os.PathLike[str],
    symbols: Iterable[str],
    interval: str | None = None,
    storage_options: Mapping[str, object] | None = None,
) -> Discovery:
    """Find the files of the named symbols without looking at any other symbol.

    Each symbol's own folder is listed, several at a time; the interval is found from the names
    of the ``interval=`` folders. With the interval given, no other listing need be allowed.

    Parameters
    ----------
    data_dir, interval, storage_options
        As for `discover`.
    symbols
        Names as text, in any order; repeated ones count once. They are looked for under their
        own name and URL-encoded.

    Returns
    -------
    Discovery
        The named symbols; those without data are among the rejected.

    Raises
    ------
    ConfigError
        As for `discover`, and when a name is not text or none is given.
    DiscoveryError
        When none of the named symbols has data.
    StorageError
        When the store refuses or cannot be reached.
    """
    names = _checked_names(symbols)
    fs, path = open_filesystem(data_dir, storage_options)
    root = locate_symbols(fs, path, interval, symbols_named=True)
    with ThreadPoolExecutor(_N_THREADS) as pool:
        listed = list(pool.map(lambda name: _named_entries(fs, root.path, name), names))
    denials = [denial for _, denial in listed if denial is not None]
    if len(denials) == len(names):
        raise denials[0]
    entries = [entry for found, _ in listed for entry in found.entries]
    unlisted = [each for found, _ in listed for each in found.unlisted]
    partitions, rejected = read_symbols(entries, root.path, unlisted)
    seen = {partition.symbol for partition in partitions} | {item.symbol for item in rejected}
    address = uri_of(fs, root.path)
    missing = [
        Rejection(name, f"no folder {' or '.join(symbol_folders(name))} under {address}")
        for name in names
        if name not in seen
    ]
    ordered = tuple(sorted([*rejected, *missing], key=lambda item: item.symbol))
    return _discovery(data_dir, root, partitions, ordered, address)


def _named_entries(fs: FileSystem, root: str, symbol: str) -> tuple[Listing, StorageError | None]:
    """List the folders in which a symbol may be, and return what denied it where that hides all.

    Other spellings of a name may be denied, or too long for the disk.
    """
    entries: list[PartitionFile] = []
    unlisted: list[Unlisted] = []
    obstacles: list[Unlisted] = []
    denial: StorageError | None = None
    for folder in symbol_folders(symbol):
        path = join(root, folder)
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


def _discovery(
    data_dir: str | os.PathLike[str],
    root: SymbolRoot,
    partitions: tuple[SymbolPartition, ...],
    rejected: tuple[Rejection, ...],
    address: str,
) -> Discovery:
    if not partitions:
        shown = "; ".join(f"{item.symbol}: {item.reason}" for item in rejected[:_N_SHOWN])
        more = f"; and {len(rejected) - _N_SHOWN} more" if len(rejected) > _N_SHOWN else ""
        raise DiscoveryError(
            f"No symbol partition with parquet files under {address}: of {len(rejected)} symbols "
            f"none is usable ({shown}{more})."
        )
    return Discovery(os.fspath(data_dir), root.interval, root.layout, partitions, rejected)


def _checked_names(symbols: Iterable[str]) -> list[str]:
    if isinstance(symbols, str):
        raise ConfigError(f"symbols must be a list of names; got the text {symbols!r}.")
    names = list(symbols)
    for name in names:
        if not isinstance(name, str):
            raise ConfigError(
                f"symbols must be text; got {name!r} ({type(name).__name__}). "
                "Put it in quotes: YAML reads 0700, 1E5 and TRUE as something else."
            )
        if not name:
            raise ConfigError("symbols holds an empty name.")
    if not names:
        raise ConfigError("symbols is empty: name at least one, or leave it out to discover them.")
    return sorted(set(names))
