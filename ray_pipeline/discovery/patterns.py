"""Patterns of paths: what ``data.layout`` says about a file, from its path alone. No I/O.

A pattern goes down from the data directory: ``{exchange}/{symbol}/{interval}/*.parquet``,
``ticker={symbol}``, ``{symbol}.parquet``. A field matches all text at its place within one level,
``*`` any text within a level, ``**`` any number of levels. A pattern without a file name matches
the Parquet files at any depth below.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

from ray_pipeline.config.layout_text import FIELD, layout_fault
from ray_pipeline.discovery.bar_sizes import INTERVAL_KEYS, several_sizes
from ray_pipeline.discovery.layout import (
    decode_name,
    hides_data,
    is_hidden,
    is_parquet,
    name_fault,
    sort_intervals,
    spellings,
    why_unusable,
)
from ray_pipeline.errors import ConfigError
from ray_pipeline.records import PartitionFile, Rejection, SymbolPartition, Unlisted

__all__ = ["FoundByPattern", "LayoutPattern", "PathFields", "sort_by_pattern"]

_SUFFIX = ".parquet"
_WILD = re.compile(r"\{(\w+)\}|\*")
_INTERVAL_LEVEL = re.compile(r"([^{}*]*=)?\{interval\}")


@dataclass(frozen=True, slots=True)
class PathFields:
    """What a path says.

    Attributes
    ----------
    symbol
        As named in a run: URL-decoded where its level is ``key={symbol}``.
    spelled
        As spelled in the path.
    interval
        None if the pattern has no such field.
    others
        Levels of the other fields as text, such as ``exchange=XNYS`` (of ``{exchange}`` too).
    rest
        The path without the levels matched by fields.
    """

    symbol: str
    spelled: str
    interval: str | None
    others: tuple[str, ...]
    rest: str


@dataclass(frozen=True)
class LayoutPattern:
    """A pattern of paths.

    Attributes
    ----------
    text
        As given in the config or on the command line.
    any_files
        Whether files of any kind match, not only Parquet; a last level with a dot then names the
        file.

    Raises
    ------
    ConfigError
        When the text is not a pattern, or lacks ``{symbol}``.
    """

    text: str
    any_files: bool = False

    def __post_init__(self) -> None:
        """Raise for a text that is not a pattern."""
        fault = layout_fault(self.text, any_files=self.any_files)
        if fault is not None:
            raise ConfigError(f"The layout {self.text!r} {fault}.")

    @property
    def has_interval(self) -> bool:
        """Whether paths contain the bar size."""
        return "{interval}" in self.text

    @property
    def fixed_interval(self) -> str | None:
        """Return the bar size that the pattern itself names (``timeframe=1d/{symbol}``)."""
        for level in self._levels:
            key, _, value = level.partition("=")
            if key.lower() in INTERVAL_KEYS and value and not _WILD.search(value):
                return decode_name(value)
        return None

    def start(self, interval: str | None = None) -> tuple[str, str]:
        """Return the deepest folder that holds all matches, and the common prefix of names in it.

        Parameters
        ----------
        interval
            Inserted for a level that is ``{interval}`` or ``key={interval}`` alone.
        """
        levels = self._narrowed(interval)
        plain = list(takewhile(lambda level: _WILD.search(level) is None, levels))
        n_plain = min(len(plain), len(levels) - 1)
        return "/".join(plain[:n_plain]), _WILD.split(levels[n_plain], maxsplit=1)[0]

    def folders_of(self, symbol: str, interval: str | None = None) -> list[str]:
        """Name the folders in which one symbol may be; none if they are not known beforehand."""
        at = self._at_symbol
        *above, level = self._narrowed(interval)[: at + 1]
        around = level.replace("{symbol}", "")
        if at == len(self._levels) - 1 or any(map(_WILD.search, [*above, around])):
            return []
        names = spellings(symbol) if "symbol" in self._decoded else [symbol]
        return ["/".join([*above, level.replace("{symbol}", name)]) for name in names]

    def read(self, path: str) -> PathFields | None:
        """Read a file's path, relative to the data directory; None if it does not fit."""
        match = self._file.fullmatch(path)
        if match is None:
            return None
        told = match.groupdict()
        values = {
            name: decode_name(value) if name in self._decoded else value
            for name, value in told.items()
        }
        spans = sorted(match.span(name) for name in told)
        return PathFields(
            values["symbol"],
            told["symbol"],
            values.get("interval"),
            tuple(f"{name}={values[name]}" for name in told if name not in {"symbol", "interval"}),
            _without_levels(path, spans),
        )

    def symbol_above(self, path: str) -> str | None:
        """Return the symbol whose folder contains a path; None if not known."""
        match = self._folder.match(path) if self._folder is not None else None
        if match is None:
            return None
        return decode_name(match["symbol"]) if "symbol" in self._decoded else match["symbol"]

    def _narrowed(self, interval: str | None) -> list[str]:
        if interval is None:
            return list(self._levels)
        return [
            level.replace("{interval}", interval) if _INTERVAL_LEVEL.fullmatch(level) else level
            for level in self._levels
        ]

    @cached_property
    def _levels(self) -> tuple[str, ...]:
        levels = tuple(self.text.strip("/").split("/"))
        if levels[-1].lower().endswith(_SUFFIX) or (self.any_files and "." in levels[-1]):
            return levels
        below = () if levels[-1] == "**" else ("**",)
        return (*levels, *below, "*" if self.any_files else f"*{_SUFFIX}")

    @cached_property
    def _at_symbol(self) -> int:
        return next(i for i, level in enumerate(self._levels) if "{symbol}" in level)

    @cached_property
    def _decoded(self) -> frozenset[str]:
        return frozenset(
            match[1]
            for level in self._levels
            for match in FIELD.finditer(level)
            if "=" in level[: match.start()]
        )

    @cached_property
    def _file(self) -> re.Pattern[str]:
        return re.compile(_expression(self._levels), re.DOTALL)

    @cached_property
    def _folder(self) -> re.Pattern[str] | None:
        if self._at_symbol == len(self._levels) - 1:
            return None
        return re.compile(_expression([*self._levels[: self._at_symbol + 1], ""]), re.DOTALL)


@dataclass(frozen=True, slots=True)
class FoundByPattern:
    """The matches of a pattern, by symbol.

    Attributes
    ----------
    files
        Each symbol's files and what their paths say; neither empty nor hidden.
    misfits
        Other paths in a symbol's folder, relative to the data directory.
    obstacles
        Paths in a symbol's folder that could not be listed.
    unplaced
        Paths above the symbols' folders that could not be listed.
    """

    files: Mapping[str, Sequence[tuple[PartitionFile, PathFields]]]
    misfits: Mapping[str, Sequence[str]]
    obstacles: Mapping[str, Sequence[Unlisted]]
    unplaced: Sequence[Unlisted]

    def interval_counts(self) -> dict[str, int]:
        """Count the symbols of each bar size that paths name."""
        named: defaultdict[str, set[str]] = defaultdict(set)
        for symbol, files in self.files.items():
            for _, fields in files:
                if fields.interval is not None:
                    named[fields.interval].add(symbol)
        return {name: len(named[name]) for name in sort_intervals(named)}

    def of_interval(
        self, interval: str | None, pattern: LayoutPattern
    ) -> tuple[tuple[SymbolPartition, ...], tuple[Rejection, ...]]:
        """Return the usable symbols of one bar size, and the rejected ones with their reasons."""
        partitions, rejected = [], []
        for symbol in sorted({*self.files, *self.misfits, *self.obstacles}):
            found = self.files.get(symbol, ())
            files = [each for each in found if each[1].interval in (None, interval)]
            fault = self._fault(symbol, files, pattern)
            if fault is not None:
                rejected.append(Rejection(symbol, fault))
            elif files:
                ordered = sorted((file for file, _ in files), key=lambda file: file.path)
                partitions.append(SymbolPartition(symbol, tuple(ordered)))
            elif not found:
                misfits = self.misfits.get(symbol, ())
                rejected.append(Rejection(symbol, _why_no_file(misfits, pattern)))
        return tuple(partitions), tuple(rejected)

    def _fault(
        self,
        symbol: str,
        files: Sequence[tuple[PartitionFile, PathFields]],
        pattern: LayoutPattern,
    ) -> str | None:
        spelled = sorted({fields.spelled for _, fields in files})
        fault = name_fault(symbol, spelled)
        if fault is not None:
            return fault
        for each in self.obstacles.get(symbol, ()):
            return f"{each.path} cannot be listed: {each.reason}"
        others = sorted({fields.others for _, fields in files})
        if len(others) > 1:
            return _told_apart(others[0], others[1])
        sizes = several_sizes(fields.rest for _, fields in files)
        if sizes is not None and not pattern.has_interval:
            return (
                f"several bar sizes of one symbol ({', '.join(sizes[0])}): put {{interval}} into "
                f"data.layout (as in {sizes[1]}), and set data.interval to one of them"
            )
        return None


def sort_by_pattern(
    entries: Iterable[PartitionFile],
    root: str,
    pattern: LayoutPattern,
    unlisted: Iterable[Unlisted] = (),
) -> FoundByPattern:
    """Sort the entries below a data directory by symbol.

    Parameters
    ----------
    entries
        As listed; a path that ends in a slash is an empty folder.
    root
        The data directory, from which the pattern goes down.
    pattern
        What paths tell.
    unlisted
        Paths that could not be listed; hidden ones and those that cannot hold data do not count.
    """
    start = len(root.rstrip("/")) + 1
    files: defaultdict[str, list[tuple[PartitionFile, PathFields]]] = defaultdict(list)
    misfits: defaultdict[str, list[str]] = defaultdict(list)
    for entry in entries:
        path = entry.path[start:]
        fields = pattern.read(path)
        if fields is not None and entry.size_bytes > 0 and not is_hidden(path):
            files[fields.symbol].append((entry, fields))
            continue
        symbol = pattern.symbol_above(path) if fields is None else fields.symbol
        if symbol is not None and not is_hidden(symbol):
            misfits[symbol].append(path)
    obstacles: defaultdict[str, list[Unlisted]] = defaultdict(list)
    unplaced = []
    for each in unlisted:
        path = each.path[start:]
        fields = pattern.read(path)
        symbol = pattern.symbol_above(path) if fields is None else fields.symbol
        if not hides_data(path, each):
            continue
        if symbol is None:
            unplaced.append(each)
        else:
            obstacles[symbol].append(Unlisted(path, each.reason, each.kind))
    return FoundByPattern(files, misfits, obstacles, unplaced)


def _expression(levels: Sequence[str]) -> str:
    """Return the regular expression of paths that match levels."""
    parts = []
    for i, level in enumerate(levels):
        end = "" if i == len(levels) - 1 else "/"
        if level == "**":
            parts.append("(?:[^/]+/)*")
        else:
            parts.append(_level_expression(level) + end)
    return "".join(parts)


def _level_expression(level: str) -> str:
    stem, suffix = level, ""
    if level.lower().endswith(_SUFFIX):
        stem, suffix = level[: -len(_SUFFIX)], r"(?i:\.parquet)"
    parts, at = [], 0
    for match in _WILD.finditer(stem):
        parts.append(re.escape(stem[at : match.start()]))
        parts.append("[^/]*" if match[0] == "*" else f"(?P<{match[1]}>[^/]+)")
        at = match.end()
    return "".join(parts) + re.escape(stem[at:]) + suffix


def _without_levels(path: str, spans: Sequence[tuple[int, int]]) -> str:
    """Return a path without the levels that contain fields; the file's name stays as text."""
    kept, at = [], 0
    for level in path.split("/"):
        end = at + len(level)
        if not any(at <= first < end for first, _ in spans):
            kept.append(level)
        at = end + 1
    told_by_file = any(first >= path.rfind("/") + 1 for first, _ in spans)
    return "/".join([*kept, ""] if told_by_file else kept)


def _told_apart(one: Sequence[str], other: Sequence[str]) -> str:
    first, second = next(pair for pair in zip(one, other, strict=True) if pair[0] != pair[1])
    name, _, value = first.partition("=")
    return (
        f"files of {first} and of {second}: put one of them into data.layout in place of "
        f"{{{name}}} (such as {value}), or * where they are one symbol's"
    )


def _why_no_file(misfits: Sequence[str], pattern: LayoutPattern) -> str:
    whole = [path for path in misfits if is_parquet(path) and pattern.read(path) is None]
    if whole:
        return f"no file fits {pattern.text} (there is {whole[0]})"
    return why_unusable(misfits)
