"""Find the symbols under a data directory with as few requests as its store allows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from ray_pipeline.discovery.layout import SYMBOL_PREFIX, read_symbols, symbol_folders
from ray_pipeline.discovery.location import SymbolRoot, locate_symbols, nothing_found, proposal
from ray_pipeline.discovery.matching import Matched, list_where_allowed, match_layout
from ray_pipeline.discovery.patterns import LayoutPattern
from ray_pipeline.errors import ConfigError, DiscoveryError, StorageError
from ray_pipeline.records import Discovery, Rejection, SymbolPartition
from ray_pipeline.storage import (
    FileSystem,
    Listing,
    join,
    list_entries,
    open_filesystem,
    uri_of,
)
from ray_pipeline.wording import plural

__all__ = ["discover", "discover_symbols_from_data_dir", "resolve_symbols"]

_N_THREADS = 16
_N_SHOWN = 5


def discover(
    data_dir: str | os.PathLike[str],
    interval: str | None = None,
    storage_options: Mapping[str, object] | None = None,
    progress: Callable[[int], None] | None = None,
    layout: str | None = None,
) -> Discovery:
    """Find every symbol under a data directory, with its Parquet files.

    Object stores are listed flat, a page of 1,000 keys per request, never a request per symbol;
    local symbol folders are scanned by a few threads. Only the chosen interval is listed.

    Parameters
    ----------
    data_dir
        Local path or fsspec URI of the folder with the ``interval=`` (or, in the legacy layout,
        ``symbol=``) folders, or of one ``interval=`` folder.
    interval
        For example ``5m``. May be omitted when there is only one. The legacy layout names none, so
        there it is trusted.
    storage_options
        As for `ray_pipeline.storage.open_filesystem`.
    progress
        Called with the number of files listed so far, for listings that take long.
    layout
        Pattern of the paths below `data_dir`, if they differ from the above:
        ``{exchange}/{symbol}/{interval}/*.parquet``, ``ticker={symbol}``, ``{symbol}.parquet``.

    Returns
    -------
    Discovery
        Symbols in code-point order; those without a usable file among the rejected.

    Raises
    ------
    ConfigError
        When the interval is missing and there are several, or it contradicts `data_dir`, or
        `data_dir` is the folder of one symbol, or the layout has no ``{symbol}``.
    DiscoveryError
        When no symbol has a usable file; the message says what was searched and what is there.
    StorageError
        When the store refuses or cannot be reached.
    """
    fs, path = open_filesystem(data_dir, storage_options)
    if layout is not None:
        matched = match_layout(fs, path, LayoutPattern(layout), interval, progress=progress)
        return _matched(data_dir, layout, matched, fs, path)
    root = locate_symbols(fs, path, interval)
    found = list_entries(fs, root.path, prefix=SYMBOL_PREFIX, progress=progress)
    partitions, rejected = read_symbols(found.entries, root.path, found.unlisted)
    if not partitions and not rejected:
        raise DiscoveryError(nothing_found(fs, path, root, interval))
    return _discovery(data_dir, root, partitions, rejected, fs)


def discover_symbols_from_data_dir(
    data_dir: str | os.PathLike[str],
    interval: str | None = None,
    *,
    storage_options: Mapping[str, object] | None = None,
    layout: str | None = None,
) -> list[str]:
    """Return the names of the symbols under a data directory, or ``[]`` if there are none.

    See `discover` for the layout and the parameters; an interval that is missing and ambiguous
    is a `ConfigError` here too.
    """
    try:
        return discover(data_dir, interval, storage_options, layout=layout).symbols
    except DiscoveryError:
        return []


def resolve_symbols(
    data_dir: str | os.PathLike[str],
    symbols: Iterable[str],
    interval: str | None = None,
    storage_options: Mapping[str, object] | None = None,
    layout: str | None = None,
) -> Discovery:
    """Find the files of the named symbols without looking at any other symbol.

    Each symbol's own folder is listed, several at a time; the interval is found from the names of
    the ``interval=`` folders. If the interval is given, no other listing has to be permitted.

    Parameters
    ----------
    data_dir, interval, storage_options, layout
        As for `discover`. With a layout that gives symbols no folder of their own, all is listed.
    symbols
        Names as text, in any order; repeated ones count once. They are searched for under their
        plain and URL-encoded names.

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
    if layout is not None:
        matched = match_layout(fs, path, LayoutPattern(layout), interval, names)
        return _matched(data_dir, layout, matched, fs, path)
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
    return _discovery(data_dir, root, partitions, ordered, fs)


def _named_entries(fs: FileSystem, root: str, symbol: str) -> tuple[Listing, StorageError | None]:
    return list_where_allowed(fs, [join(root, folder) for folder in symbol_folders(symbol)])


def _matched(
    data_dir: str | os.PathLike[str], layout: str, matched: Matched, fs: FileSystem, path: str
) -> Discovery:
    if not matched.partitions:
        raise DiscoveryError(_none_usable(matched.rejected, fs, path))
    return Discovery(
        os.fspath(data_dir), matched.interval, layout, matched.partitions, matched.rejected
    )


def _discovery(
    data_dir: str | os.PathLike[str],
    root: SymbolRoot,
    partitions: tuple[SymbolPartition, ...],
    rejected: tuple[Rejection, ...],
    fs: FileSystem,
) -> Discovery:
    if not partitions:
        raise DiscoveryError(_none_usable(rejected, fs, root.path))
    return Discovery(os.fspath(data_dir), root.interval, root.layout, partitions, rejected)


def _none_usable(rejected: Sequence[Rejection], fs: FileSystem, path: str) -> str:
    if len(rejected) > 1 and len({item.reason for item in rejected}) == 1:
        shown = f"{rejected[0].symbol} and all others: {rejected[0].reason}"
    else:
        shown = "; ".join(f"{item.symbol}: {item.reason}" for item in rejected[:_N_SHOWN])
        if len(rejected) > _N_SHOWN:
            shown += f"; and {len(rejected) - _N_SHOWN} more"
    other = proposal(fs, path) if all("no parquet file" in item.reason for item in rejected) else ""
    return (
        f"No symbol partition with parquet files under {uri_of(fs, path)}: of "
        f"{plural(len(rejected), 'symbol')} none is usable ({shown}).{other}"
    )


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
