"""Inspect data that only an import can read, and propose the import command."""

from __future__ import annotations

import os
import posixpath
import re
import shlex
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ray_pipeline.discovery.bar_sizes import looks_like_interval
from ray_pipeline.discovery.patterns import LayoutPattern
from ray_pipeline.discovery.proposing import propose_layout
from ray_pipeline.errors import DataError, DiscoveryError
from ray_pipeline.importing.columns import JOINS, Given
from ray_pipeline.importing.reading import Look, look_at
from ray_pipeline.importing.sampling import SampledTimes, interval_of, sample_times, spread
from ray_pipeline.importing.sources import SourceFile, find_sources
from ray_pipeline.panel.exchange_hours import find_hours
from ray_pipeline.panel.reading_rules import TimeRules
from ray_pipeline.storage import FileSystem, open_filesystem
from ray_pipeline.wording import plural, size_text, some_of

__all__ = ["ImportProposal", "propose_import"]

_MANY_REPEATED, _FEW_REPEATED = 0.2, 0.01  # shares of the rows
_PARQUET = ".parquet"
_AS_THEY_ARE = TimeRules()


@dataclass(frozen=True, slots=True)
class ImportProposal:
    """How data can be imported.

    Attributes
    ----------
    command
        The command line.
    found, guesses
        Sentences about the data, and about guesses.
    open
        What else has to be given, in the import's words; None if nothing.
    """

    command: str
    found: tuple[str, ...]
    guesses: tuple[str, ...]
    open: str | None


def propose_import(source: str) -> ImportProposal | None:
    """Inspect a few files and propose how to import them; None if there is nothing to import.

    Names are listed, and the first rows of some files are read.

    Raises
    ------
    StorageError
        When the storage fails.
    """
    fs, path = open_filesystem(source)
    try:
        files = find_sources(fs, path, None).files
    except DiscoveryError:
        return None
    size = sum(each.file.size_bytes for each in files)
    names = some_of([each.name for each in files], at_most=4)
    found = [f"{plural(len(files), 'file')}, {size_text(size)}: {names}"]
    guesses: list[str] = []
    arguments = ["ray-pipeline", "import", source, "--out", _folder_for(source)]
    try:
        looks = _look(fs, files)
    except DataError as error:
        # If no column has the symbol, paths may contain it.
        pattern = _pattern(files)
        if pattern is None:
            return _proposal(arguments, "I", found, guesses, str(error))
        arguments += ["--symbol-from-path", pattern]
        guesses.append(f"--symbol-from-path {pattern}: files are named after symbols")
        files = find_sources(fs, path, LayoutPattern(pattern, any_files=True)).files
        try:
            looks = _look(fs, files)
        except DataError as again:
            return _proposal(arguments, "I", found, guesses, str(again))
    found += _columns_of(looks[0])
    try:
        times = sample_times(fs, files, Given(), _AS_THEY_ARE)
        if looks[0].columns.symbol is not None and times.repeated_share > _MANY_REPEATED:
            times = _with_parts(fs, files, looks[0], times, arguments, guesses)
    except DataError as error:
        return _proposal(arguments, "I", found, guesses, str(error))
    step = times.usual_step[0]
    interval = None if step is None else interval_of(step)
    if interval is None:
        return _proposal(arguments, "I", found, guesses, "the length of a bar is unknown.")
    guesses.append(f"--interval {interval}: the most frequent step between rows of a symbol")
    if interval.is_intraday and step is not None and looks[0].clock == "naive":
        zone = _zone(times, step, found, guesses)
        arguments += [] if zone is None else ["--time-zone", zone]
    return _proposal(arguments, str(interval), found, guesses, None)


def _proposal(
    arguments: Sequence[str],
    interval: str,
    found: Sequence[str],
    guesses: Sequence[str],
    still_open: str | None,
) -> ImportProposal:
    command = shlex.join([*arguments, "--interval", interval])
    return ImportProposal(command, tuple(found), tuple(guesses), still_open)


def _folder_for(source: str) -> str:
    """Name a folder next to the source, or here if that is on a store."""
    base = posixpath.basename(source.rstrip("/")).partition(".")[0] or "data"
    if "://" in source:
        return f"{base}-panel"
    return os.path.join(os.path.dirname(source.rstrip("/")), f"{base}-panel")


def _pattern(files: Sequence[SourceFile]) -> str | None:
    """Return the pattern of paths that contain the symbol, None if they do not."""
    suffixes = {_suffix(each.name) for each in files}
    if len({each.name.count("/") for each in files}) > 1:
        return None  # files on several levels are of different kinds
    if (of_words := _pattern_of_words(files, suffixes)) is not None:
        return of_words
    levels: list[dict[str, None]] = []
    for each in files:
        *folders, name = each.name.split("/")
        stem = name[: len(name) - len(_suffix(name))]
        for depth, level in enumerate([*(f"{folder}/" for folder in folders), stem + _PARQUET]):
            if depth == len(levels):
                levels.append({})
            levels[depth][level] = None
    found = propose_layout([list(level) for level in levels])
    if not found or "{symbol}" not in found:
        return None
    ending = suffixes.pop() if len(suffixes) == 1 else ".*"
    return found.removesuffix(_PARQUET) + ending if found.endswith(_PARQUET) else found


def _pattern_of_words(files: Sequence[SourceFile], suffixes: Collection[str]) -> str | None:
    """Return the pattern of names such as ``BTCUSDT-5m-2024-01.zip``: one word is the symbol.

    Each word is the same in all names, or a date or number, or the symbol: the only other word that
    differs, or else the first.
    """
    if "/" in files[0].name:
        return None
    stems = [each.name[: len(each.name) - len(_suffix(each.name))] for each in files]
    words = [re.split(r"([-_ ])", stem) for stem in stems]
    if len(words[0]) < 3 or len({len(each) for each in words}) > 1:
        return None
    kinds = [set(column) for column in zip(*words, strict=True)]
    varying = [i for i, kind in enumerate(kinds) if len(kind) > 1]
    others = [i for i in varying if not all(map(_is_number_word, kinds[i]))]
    if any(looks_like_interval(word) for i in others for word in kinds[i]) or len(others) > 1:
        return None
    symbol = others[0] if others else 0
    if any(map(_is_number_word, kinds[symbol])):
        return None
    parts = [
        "{symbol}" if i == symbol else "*" if i in varying else next(iter(kind))
        for i, kind in enumerate(kinds)
    ]
    ending = next(iter(suffixes)) if len(suffixes) == 1 else ".*"
    return re.sub(r"\*([-_ ]\*)+", "*", "".join(parts)) + ending


def _is_number_word(word: str) -> bool:
    return word.isdecimal()


def _suffix(name: str) -> str:
    """Return the ending of a file's name: ``.csv.gz`` for ``A.csv.gz``."""
    stem, suffix = posixpath.splitext(name)
    inner = posixpath.splitext(stem)[1]
    return inner + suffix if inner.lower() in (".csv", ".tsv", ".txt") else suffix


def _look(fs: FileSystem, files: Sequence[SourceFile]) -> list[Look]:
    return [look for each in spread(files) for look in look_at(fs, each, Given(), _AS_THEY_ARE)]


def _columns_of(look: Look) -> Iterator[str]:
    columns = look.columns
    at = columns.time if columns.clock is None else f"{columns.time} and {columns.clock}"
    whose = (
        f"symbol {JOINS.join(columns.symbols)}" if columns.told is None else "one symbol per file"
    )
    yield f"time {at}, {whose}; beside it {some_of([name for name, _ in columns.others])}"


def _with_parts(
    fs: FileSystem,
    files: Sequence[SourceFile],
    look: Look,
    times: SampledTimes,
    arguments: list[str],
    guesses: list[str],
) -> SampledTimes:
    """Find columns that distinguish rows of one symbol and time, and add them to the symbol."""
    parts = [str(look.columns.symbol)]
    for _, name in look.columns.others:
        kind = look.kinds[name]
        is_text = pa.types.is_string(kind) or pa.types.is_dictionary(kind)
        if not (is_text or name.casefold().endswith(("id", "store", "shop", "_nbr"))):
            continue
        parts.append(name)
        symbol = JOINS.join(parts)
        try:
            found = sample_times(fs, files, Given((("symbol", symbol),)), _AS_THEY_ARE)
        except DataError:  # a part that cannot belong to a symbol
            parts.pop()
            continue
        if found.repeated_share <= _FEW_REPEATED:
            arguments += ["--columns", f"symbol={symbol}"]
            guesses.append(
                f"--columns symbol={symbol}: {times.repeated_share:.0%} of the rows have the "
                f"{parts[0]} and the time of another, and these columns distinguish them"
            )
            return found
    return times


def _zone(times: SampledTimes, step_ns: int, found: list[str], guesses: list[str]) -> str | None:
    """Name the zone of times without one, if their sessions reveal it."""
    hours = find_hours(np.unique(np.concatenate(times.by_symbol)), step_ns)
    if hours is None:
        found.append("times name no zone and are read as UTC; set --time-zone if that is wrong")
        return None
    if hours.is_local:
        guesses.append(
            f"--time-zone {hours.zone}: bars from {hours.hours} in all seasons are its session"
        )
        return hours.zone
    found.append(f"times name no zone; as UTC, {hours.hours} is the session of {hours.zone}")
    return None
