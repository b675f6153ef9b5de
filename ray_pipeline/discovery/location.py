"""Find the folder under a data directory that holds the symbols, or say what is there instead."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Literal

from ray_pipeline.discovery.layout import (
    INTERVAL_PREFIX,
    SYMBOL_PREFIX,
    decode_name,
    interval_counts,
    sort_intervals,
)
from ray_pipeline.discovery.proposing import CURRENT, propose_layout
from ray_pipeline.errors import ConfigError, DiscoveryError, StorageError
from ray_pipeline.intervals import same_interval, spelled_as
from ray_pipeline.storage import (
    FileSystem,
    is_s3,
    join,
    list_folders,
    list_names,
    listing_denied,
    storage_errors,
    uri_of,
)

__all__ = [
    "SymbolRoot",
    "intervals_below",
    "locate_symbols",
    "nothing_fits",
    "nothing_found",
    "proposal",
    "proposed_layout",
    "refuse_symbol_folder",
]

_N_SHOWN = 5
# More than one, because markers that some tools leave (``symbol=A_$folder$``) are not folders.
_N_PROBED = 20
_N_LEVELS = 8


@dataclass(frozen=True, slots=True)
class SymbolRoot:
    """The folder whose direct sub-folders are the symbols, and the interval in its path."""

    path: str
    interval: str | None
    layout: Literal["current", "legacy"]


def locate_symbols(
    fs: FileSystem, path: str, interval: str | None, *, symbols_named: bool = False
) -> SymbolRoot:
    """Find the folder that holds the ``symbol=`` folders, without listing the symbols.

    If listing the intervals is denied, the requested one is assumed to exist.

    Parameters
    ----------
    fs, path
        The data directory; it may itself be an ``interval=`` folder.
    interval
        The requested one, or None for the only one.
    symbols_named
        Whether the symbols are already known, so that only their own folders need to be listed.

    Returns
    -------
    SymbolRoot
        In the legacy layout when no ``interval=`` folder holds a ``symbol=`` folder; whether the
        legacy layout holds any is not known yet.

    Raises
    ------
    ConfigError
        When there are several intervals and none is requested, when `path` names another one, or
        when it is the folder of one symbol.
    DiscoveryError
        When there are only other intervals.
    StorageError
        When the store refuses or cannot be reached; the message says which prefixes to allow.
    """
    refuse_symbol_folder(fs, path)
    last = posixpath.basename(path)
    if last.startswith(INTERVAL_PREFIX):
        return _own_interval(fs, path, decode_name(last.removeprefix(INTERVAL_PREFIX)), interval)
    try:
        names = list_folders(fs, path, prefix=INTERVAL_PREFIX)
    except StorageError as error:
        if not listing_denied(error):
            raise
        return _without_intervals(fs, path, interval, error, symbols_named=symbols_named)
    folders = {
        decode_name(name.removeprefix(INTERVAL_PREFIX)): join(path, name)
        for name in names
        if name != INTERVAL_PREFIX
    }
    wanted = next(iter(folders)) if interval is None and len(folders) == 1 else interval
    wanted = wanted and spelled_as(wanted, folders)
    if wanted in folders and _holds_symbols(fs, folders[wanted]):
        return SymbolRoot(folders[wanted], wanted, "current")
    counts = {
        name: len(list_folders(fs, folder, prefix=SYMBOL_PREFIX))
        for name, folder in folders.items()
        if name != wanted
    }
    return _among(fs, path, interval, folders, {name: n for name, n in counts.items() if n})


def refuse_symbol_folder(fs: FileSystem, path: str) -> None:
    """Raise `ConfigError` when the data directory is the folder of one symbol."""
    last = posixpath.basename(path)
    if last.startswith(SYMBOL_PREFIX):
        symbol = decode_name(last.removeprefix(SYMBOL_PREFIX))
        raise ConfigError(
            f"{uri_of(fs, path)} is the folder of one symbol. Set data_dir to its parent "
            f"{uri_of(fs, posixpath.dirname(path))} and data.symbols to [{symbol}]."
        )


def nothing_found(fs: FileSystem, path: str, root: SymbolRoot, interval: str | None) -> str:
    """Say that there is no symbol, what was searched, and what is there instead."""
    address = uri_of(fs, path)
    if root.path == path and root.interval is not None:
        searched = f"{address}/{SYMBOL_PREFIX}*"
    else:
        searched = (
            f"{address}/{INTERVAL_PREFIX}{interval or '*'}/{SYMBOL_PREFIX}* (current layout) and "
            f"{address}/{SYMBOL_PREFIX}* (legacy layout)"
        )
    return (
        f"No symbol partition with parquet files under {address}: searched {searched}. "
        f"{_what_is_there(fs, path)}{proposal(fs, path)}"
    )


def nothing_fits(fs: FileSystem, path: str, layout: str) -> str:
    """Say that no file fits a pattern, what is there instead, and which pattern would fit."""
    address = uri_of(fs, path)
    return (
        f"No Parquet file under {address} fits the layout {layout}. "
        f"{_what_is_there(fs, path)}{proposal(fs, path)}"
    )


def proposal(fs: FileSystem, path: str) -> str:
    """Say which pattern would fit the data, or that they have to be imported."""
    layout = proposed_layout(fs, path)
    if layout is None:
        return ""
    if layout == "":
        return (
            " These paths do not contain the symbol, or the files are not Parquet: "
            f"ray-pipeline import {uri_of(fs, path)} --out NEW_FOLDER --interval I converts them "
            "to the layout."
        )
    if layout in CURRENT:
        return " Leave the layout out: this is read without one."
    return f' This looks like data.layout: "{layout}" (discover: --layout).'


def proposed_layout(fs: FileSystem, path: str) -> str | None:
    """Look at the first names of each level on one way down; see `propose_layout`."""
    levels: list[list[str]] = []
    folder = path
    with storage_errors("look at", uri_of(fs, path)):
        while len(levels) < _N_LEVELS and (names := list_names(fs, folder, limit=_N_PROBED)):
            levels.append(names)
            below = [name for name in names if name[-1] == "/" and name[0] not in "._"]
            if not below:
                break
            folder = join(folder, below[0])
    return propose_layout(levels)


def intervals_below(fs: FileSystem, path: str) -> dict[str, int]:
    """Count the symbols of each ``interval=`` folder of a data directory, shortest bar first."""
    counts = {
        decode_name(name.removeprefix(INTERVAL_PREFIX)): len(
            list_folders(fs, join(path, name), prefix=SYMBOL_PREFIX)
        )
        for name in list_folders(fs, path, prefix=INTERVAL_PREFIX)
        if name != INTERVAL_PREFIX
    }
    return {name: counts[name] for name in sort_intervals(counts) if counts[name]}


def _own_interval(fs: FileSystem, path: str, own: str, interval: str | None) -> SymbolRoot:
    if interval is not None and not same_interval(own, interval):
        raise ConfigError(
            f"{uri_of(fs, path)} holds interval={own}, but data.interval asks for {interval}. "
            f"Set data.interval to {own}, or data_dir to {uri_of(fs, posixpath.dirname(path))}."
        )
    return SymbolRoot(path, own, "current")


def _without_intervals(
    fs: FileSystem,
    path: str,
    interval: str | None,
    denial: StorageError,
    *,
    symbols_named: bool,
) -> SymbolRoot:
    """Look for the symbols when listing the intervals is denied."""
    roots = [SymbolRoot(path, None, "legacy")]
    if interval is not None:
        folder = join(path, f"{INTERVAL_PREFIX}{interval}")
        roots.insert(0, SymbolRoot(folder, interval, "current"))
    denied, empty = [join(path, INTERVAL_PREFIX)], []
    for root in roots:
        prefix = join(root.path, SYMBOL_PREFIX)
        try:
            if _holds_symbols(fs, root.path):
                return root
            empty.append(prefix)
        except StorageError as error:
            if not listing_denied(error):
                raise
            denied.append(prefix)
    if symbols_named and interval is not None:
        return roots[0]
    if not is_s3(fs):
        raise denial
    raise StorageError(_denial(fs, path, interval, denied, empty)) from denial


def _denial(
    fs: FileSystem, path: str, interval: str | None, denied: list[str], empty: list[str]
) -> str:
    """Say which prefixes of a bucket may not be listed, and which of them is needed."""
    bucket = path.partition("/")[0]

    def keys(paths: list[str]) -> str:
        return ", ".join(each.removeprefix(f"{bucket}/") for each in paths)

    nothing = f" Nothing begins with {keys(empty)}." if empty else ""
    needed = join(path, INTERVAL_PREFIX)
    if interval is not None:
        needed = join(f"{needed}{interval}", SYMBOL_PREFIX)
    return (
        f"Cannot find the symbols under {uri_of(fs, path)}: listing bucket {bucket} is denied for "
        f"{keys(denied)}.{nothing} Allow s3:ListBucket on it for the prefix {keys([needed])}, or "
        f"set data.interval to an interval, or data_dir to the folder of one, that may be listed."
    )


def _among(
    fs: FileSystem,
    path: str,
    interval: str | None,
    folders: dict[str, str],
    counts: dict[str, int],
) -> SymbolRoot:
    """Choose among the intervals that have symbols, if none was requested by name."""
    if not counts:
        return SymbolRoot(path, None, "legacy")
    if interval is not None:
        raise DiscoveryError(
            f"No symbol partition with parquet files under {uri_of(fs, path)} for "
            f"interval={interval}; found {interval_counts(counts)}. "
            "Set data.interval to one of them."
        )
    if len(counts) > 1:
        raise ConfigError(
            f"{uri_of(fs, path)} holds several intervals: {interval_counts(counts)}. "
            "Set data.interval to one of them."
        )
    (only,) = counts
    return SymbolRoot(folders[only], only, "current")


def _holds_symbols(fs: FileSystem, path: str) -> bool:
    first = list_names(fs, path, SYMBOL_PREFIX, limit=_N_PROBED)
    return any(name[-1] == "/" for name in first)


def _what_is_there(fs: FileSystem, path: str) -> str:
    with storage_errors("look at", uri_of(fs, path)):
        if fs.isfile(path):
            return "That is a file; data_dir must be a folder."
        if fs.exists(path):
            return f"That folder {_content(fs, path)}."
        parent = posixpath.dirname(path)
        while parent not in {"", "/"} and not fs.exists(parent):
            parent = posixpath.dirname(parent)
        if parent:
            return (
                f"That folder does not exist; the nearest one that does is "
                f"{uri_of(fs, parent)}, which {_content(fs, parent)}."
            )
    nothing = "That folder does not exist, nor does any above it."
    if is_s3(fs):
        bucket = path.partition("/")[0]
        return f"{nothing} Check that bucket {bucket} exists and can be accessed."
    return nothing


def _content(fs: FileSystem, path: str) -> str:
    names = list_names(fs, path, limit=_N_SHOWN + 1)
    if not names:
        return "is empty"
    return f"holds {', '.join(names[:_N_SHOWN])}{' and more' if len(names) > _N_SHOWN else ''}"
