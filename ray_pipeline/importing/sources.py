"""The files of an import: their forms, and the symbols in their paths."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ray_pipeline.discovery.layout import is_hidden
from ray_pipeline.discovery.patterns import LayoutPattern
from ray_pipeline.errors import DiscoveryError
from ray_pipeline.intervals import same_interval
from ray_pipeline.records import PartitionFile
from ray_pipeline.storage import FileSystem, list_entries, list_files, uri_of
from ray_pipeline.wording import some_of

__all__ = ["SourceFile", "Sources", "find_sources", "form_of"]

Form = Literal["parquet", "csv", "tsv"]

_FORMS: dict[str, Form] = {
    **dict.fromkeys((".parquet", ".pq", ".parq"), "parquet"),
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
}
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2", ".zip": "zip"}
"""Endings of compressed text, with Arrow's name of the codec; an archive must contain one file."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file to import.

    Attributes
    ----------
    name
        Path below the source, with slashes.
    file
        As listed.
    form
        How it is read.
    codec
        Of compressed text, else None.
    symbol
        The symbol of all its rows if the path contains it, else None.
    """

    name: str
    file: PartitionFile
    form: Form
    codec: str | None
    symbol: str | None


@dataclass(frozen=True, slots=True)
class Sources:
    """The files below a source: those to import, and those skipped, by reason."""

    files: tuple[SourceFile, ...]
    passed_over: tuple[tuple[str, int], ...]


def form_of(name: str) -> tuple[Form, str | None] | None:
    """Return the form of a file and its codec, from its name; None if not supported.

    >>> form_of("2024-01-02.csv.gz"), form_of("a.PARQUET"), form_of("notes.md")
    (('csv', 'gzip'), ('parquet', None), None)
    """
    stem, suffix = posixpath.splitext(name.lower())
    codec = COMPRESSIONS.get(suffix)
    if codec is not None:
        suffix = posixpath.splitext(stem)[1]
    # An archive is named like its file, with or without that file's ending.
    form = _FORMS.get(suffix, "csv" if codec == "zip" else None)
    if form is None or (form == "parquet" and codec is not None):
        return None
    return form, codec


def find_sources(
    fs: FileSystem, path: str, pattern: LayoutPattern | None, interval: str | None = None
) -> Sources:
    """List the files of a source, sorted by name.

    Parameters
    ----------
    fs, path
        A folder, or one file.
    pattern
        Pattern of the paths below the folder, or None.
    interval
        Skip files whose paths name another one; None: skip none.

    Raises
    ------
    DiscoveryError
        When there is nothing to import, or files of one symbol differ in another field of the path.
    StorageError
        When the source cannot be listed.
    """
    listed = list_files(fs, path)
    root = path
    if not listed:
        root, name = posixpath.split(path)
        beside = list_entries(fs, root, prefix=name).entries
        listed = [file for file in beside if file.path == path]
    return _sort(listed, len(root.rstrip("/")) + 1, pattern, interval, uri_of(fs, path))


def _sort(
    listed: Iterable[PartitionFile],
    start: int,
    pattern: LayoutPattern | None,
    interval: str | None,
    address: str,
) -> Sources:
    files: list[SourceFile] = []
    seen: dict[str, tuple[tuple[str, ...], str]] = {}
    passed_over: Counter[str] = Counter()
    misfits: list[str] = []
    for file in sorted(listed, key=lambda each: each.path):
        name = file.path[start:]
        form = form_of(name)
        if is_hidden(name):
            passed_over["hidden"] += 1
        elif form is None:
            passed_over["neither Parquet nor CSV"] += 1
        elif file.size_bytes == 0:
            passed_over["empty"] += 1
        elif pattern is None:
            files.append(SourceFile(name, file, *form, None))
        elif (fields := pattern.read(name)) is None:
            passed_over[f"not {pattern.text}"] += 1
            misfits.append(name)
        elif interval and fields.interval and not same_interval(fields.interval, interval):
            passed_over[f"of interval {fields.interval}"] += 1
        else:
            others, first = seen.setdefault(fields.symbol, (fields.others, name))
            if others != fields.others:
                raise DiscoveryError(_several(fields.symbol, (first, name), pattern))
            files.append(SourceFile(name, file, *form, fields.symbol))
    if not files:
        raise DiscoveryError(_nothing(address, passed_over, misfits, pattern))
    return Sources(tuple(files), tuple(sorted(passed_over.items())))


def _several(symbol: str, names: Sequence[str], pattern: LayoutPattern) -> str:
    return (
        f"{names[0]} and {names[1]} are both of symbol {symbol} by --symbol-from-path "
        f"{pattern.text}, and differ in another field: they may be two different things, and would "
        "be mixed. Write out that field for the files that you mean, with a separate import into "
        "its own folder for each; or write * if it makes no difference."
    )


def _nothing(
    address: str,
    passed_over: Counter[str],
    misfits: Sequence[str],
    pattern: LayoutPattern | None,
) -> str:
    found = ", ".join(f"{count} {why}" for why, count in sorted(passed_over.items()))
    there = f"; found files that are {found}" if found else "; there is no file"
    if misfits and pattern is not None:
        return (
            f"No file under {address} fits --symbol-from-path {pattern.text}{there}. The files are "
            f"named {some_of(misfits, at_most=3)}: write the pattern for these."
        )
    return (
        f"Nothing to import under {address}{there}. Files named .parquet, .csv or .tsv are read, "
        "the latter also as .gz, .zst, .bz2 and .zip."
    )
