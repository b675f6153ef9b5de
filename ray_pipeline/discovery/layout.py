"""Reading paths: intervals, symbols and their Parquet files. No I/O.

The layout is ``interval=5m/symbol=AAPL/…/x.parquet`` ("current") or ``symbol=AAPL/…/x.parquet``
("legacy"), with any depth below the symbol. Names are text, URL-decoded, and never guessed:
``symbol=0700`` is ``0700``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote, unquote

from ray_pipeline.discovery.bar_sizes import several_sizes
from ray_pipeline.intervals import find_interval
from ray_pipeline.records import PartitionFile, Rejection, SymbolPartition, Unlisted

__all__ = [
    "INTERVAL_PREFIX",
    "SYMBOL_PREFIX",
    "decode_name",
    "hides_data",
    "interval_counts",
    "is_hidden",
    "is_parquet",
    "name_fault",
    "read_symbols",
    "sort_intervals",
    "spellings",
    "symbol_folders",
    "why_unusable",
]

INTERVAL_PREFIX = "interval="
SYMBOL_PREFIX = "symbol="

# What Hive and Spark write for a missing partition value.
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
_NOT_UTF8 = "\N{REPLACEMENT CHARACTER}"
_SUFFIX = ".parquet"
_HIDDEN = re.compile("(?:^|/)[._]")


def read_symbols(
    entries: Iterable[PartitionFile], root: str, unlisted: Iterable[Unlisted] = ()
) -> tuple[tuple[SymbolPartition, ...], tuple[Rejection, ...]]:
    """Sort the entries below the symbols' parent folder into symbols and rejections.

    Parameters
    ----------
    entries
        Files as listed; a path that ends in a slash is an empty folder. Entries outside ``symbol=``
        folders are ignored.
    root
        The folder that holds the ``symbol=`` folders.
    unlisted
        Paths that could not be listed. A symbol that contains one is rejected, because some of its
        data may be missing; hidden paths and those that cannot hold data do not count.

    Returns
    -------
    tuple
        The usable symbols, sorted by code point, each with its files sorted by path; and the
        rejected ones, sorted, each with its reason. A symbol is usable when its one folder has
        at least one Parquet file (``.parquet``, at any depth) that is neither empty nor hidden,
        that is, no part of its path below the symbol begins with ``.`` or ``_``.

    Notes
    -----
    Two folders that decode to one symbol (``BRK%2FB`` and ``BRK%2fB``) reject it: merging them
    could double its rows, and choosing one would be a guess.
    """
    folders: defaultdict[str, list[PartitionFile]] = defaultdict(list)
    start = len(root.rstrip("/")) + 1
    for entry in entries:
        folder, slash, _ = entry.path[start:].partition("/")
        if slash and folder.startswith(SYMBOL_PREFIX):
            folders[folder].append(entry)
    obstacles: defaultdict[str, list[Unlisted]] = defaultdict(list)
    for each in unlisted:
        folder, slash, _ = each.path[start:].partition("/")
        if slash and folder.startswith(SYMBOL_PREFIX):
            folders[folder]  # exists, if nothing else is known about it
            obstacles[folder].append(each)
    named: defaultdict[str, list[str]] = defaultdict(list)
    for folder in folders:
        named[decode_name(folder[len(SYMBOL_PREFIX) :])].append(folder)
    partitions, rejected = [], []
    for symbol, same in sorted(named.items()):
        read = _read_symbol(symbol, sorted(same), folders, obstacles, start)
        if isinstance(read, Rejection):
            rejected.append(read)
        else:
            partitions.append(read)
    return tuple(partitions), tuple(rejected)


def decode_name(text: str) -> str:
    """Return a partition value as written before URL-encoding; ``%FF`` alone becomes U+FFFD."""
    # Names in another encoding than UTF-8 arrive with lone surrogates.
    return unquote(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def symbol_folders(symbol: str) -> list[str]:
    """Name the folders in which a symbol may be: unchanged, or URL-encoded either way.

    >>> symbol_folders("BRK/B")
    ['symbol=BRK%2FB', 'symbol=BRK%2fB']
    """
    return [SYMBOL_PREFIX + text for text in spellings(symbol)]


def spellings(symbol: str) -> list[str]:
    """Spell a symbol as a folder's name may: unchanged, or URL-encoded either way."""
    encoded = quote(symbol, safe="")
    lower = re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), encoded)
    # Neither can be part of a name on a disk.
    usable = (text for text in (symbol, encoded, lower) if not {"/", "\0"} & set(text))
    return [text for text in dict.fromkeys(usable) if decode_name(text) == symbol]


def sort_intervals(intervals: Iterable[str]) -> list[str]:
    """Sort intervals by their length (``1m``, ``15m``, ``1h``, ``1d``), unknown ones last."""
    return sorted(intervals, key=_interval_key)


def interval_counts(counts: Mapping[str, int]) -> str:
    """List the intervals: ``interval=1m (312 symbols), interval=15m (1 symbol)``."""
    return ", ".join(
        f"{INTERVAL_PREFIX}{name} ({counts[name]} symbol{'s' * (counts[name] != 1)})"
        for name in sort_intervals(counts)
    )


def _interval_key(interval: str) -> tuple[float, str]:
    known = find_interval(interval)
    return (float("inf") if known is None else float(known.seconds)), interval


def _read_symbol(
    symbol: str,
    same: Sequence[str],
    folders: Mapping[str, list[PartitionFile]],
    obstacles: Mapping[str, list[Unlisted]],
    start: int,
) -> SymbolPartition | Rejection:
    fault = name_fault(symbol, same)
    if fault is not None:
        return Rejection(symbol, fault)
    below = start + len(same[0]) + 1
    for each in obstacles.get(same[0], ()):
        inside = each.path[below:]
        if hides_data(inside, each):
            what = inside.rstrip("/") or "its folder"
            return Rejection(symbol, f"{what} cannot be listed: {each.reason}")
    entries = folders[same[0]]
    usable = (entry for entry in entries if entry.size_bytes > 0 and is_parquet(entry.path[below:]))
    files = sorted(usable, key=lambda file: file.path)
    if not files:
        return Rejection(symbol, why_unusable(entry.path[below:] for entry in entries))
    sizes = several_sizes(file.path[below:] for file in files)
    if sizes is not None:
        found, level = sizes
        return Rejection(
            symbol,
            f"several bar sizes below one symbol ({', '.join(found)}): set data.layout to "
            f"{SYMBOL_PREFIX}{{symbol}}/{level}, and data.interval to one of them",
        )
    return SymbolPartition(symbol, tuple(files))


def hides_data(inside: str, obstacle: Unlisted) -> bool:
    """Whether an unlisted path may hold data; `inside` is its path below a symbol."""
    if not inside:
        return True  # the symbol's own folder
    if is_hidden(inside) or obstacle.kind == "circle":
        return False
    return inside.endswith("/") or is_parquet(inside)


def name_fault(symbol: str, same: Sequence[str]) -> str | None:
    """Say why a name cannot be a symbol's; `same` are the spellings that decode to it."""
    if symbol == "":
        return "the folder names no symbol"
    if symbol == _HIVE_NULL:
        return "Hive's name for rows without a symbol"
    if _NOT_UTF8 in symbol:
        return f"the folder name is not UTF-8 text: {', '.join(map(ascii, same))}"
    if len(same) > 1:
        return f"{len(same)} folders decode to this symbol: {', '.join(same)}"
    return None


def is_parquet(inside: str) -> bool:
    """Whether a path names a Parquet file that counts."""
    return inside.lower().endswith(_SUFFIX) and not is_hidden(inside)


def is_hidden(inside: str) -> bool:
    """Whether a level of a path begins with a dot or an underscore."""
    return _HIDDEN.search(inside) is not None


def why_unusable(inside: Iterable[str]) -> str:
    """Say what there is instead of a Parquet file."""
    names = [name for name in inside if name and not name.endswith("/")]
    n_hidden = sum(map(is_hidden, names))
    n_zero_byte = sum(map(is_parquet, names))
    n_other = len(names) - n_hidden - n_zero_byte
    if not names:
        return "empty folder"
    rest = ", ".join(
        f"{count} {kind} file{'s' * (count != 1)}"
        for count, kind in ((n_other, "other"), (n_hidden, "hidden"))
        if count
    )
    found = "only zero-byte parquet files" if n_zero_byte else "no parquet file"
    return f"{found} ({rest})" if rest else found
