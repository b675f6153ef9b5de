"""Text tables: their first lines, and their rows through Arrow's reader."""

from __future__ import annotations

import codecs
import csv
import re
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import IO, cast

import pyarrow as pa
import pyarrow.csv as pacsv

from ray_pipeline.errors import DataError
from ray_pipeline.importing.columns import Given
from ray_pipeline.importing.sources import SourceFile
from ray_pipeline.panel.source import Source
from ray_pipeline.panel.vendors import BINANCE_FILE
from ray_pipeline.records import BAR_FIELDS
from ray_pipeline.wording import plural, some_of

__all__ = ["ColumnBlock", "TextHeader", "read_header", "text_reader"]

_HEAD_BYTES = 1 << 18
_NULLS = ["", "#N/A", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null", "-", "<NA>"]
_DELIMITERS = ";\t|"
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


@dataclass(frozen=True, slots=True)
class ColumnBlock:
    """The columns of one symbol, or of all rows.

    Attributes
    ----------
    symbol
        The symbol in the header, or None.
    names
        Name as read, by column name.
    """

    symbol: str | None
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TextHeader:
    """The information in a file's first lines.

    Attributes
    ----------
    delimiter, decimal_point, encoding
        The format of values.
    names
        Unique names of the columns as read.
    n_lines
        Number of lines above the rows.
    blocks
        One for each symbol in the header, or a single one.
    """

    delimiter: str
    decimal_point: str
    encoding: str
    names: tuple[str, ...]
    n_lines: int
    blocks: tuple[ColumnBlock, ...]


def read_header(opened: Source, source: SourceFile, given: Given) -> TextHeader:
    """Read the first lines of a text file.

    In addition to a single header line, these are supported: the two lines of column tuples and one
    of the index that pandas writes (as in saved yfinance downloads), and Binance's files, which
    have no header.

    Parameters
    ----------
    opened, source
        The file.
    given
        Column names for files without a header, and the encoding.

    Raises
    ------
    DataError
        When the file is blank, its first line holds values and no names are given, or the text
        is in another encoding.
    """
    with _decompressed(opened, source) as stream:
        head = stream.read(_HEAD_BYTES)
    lines = _decoded(bytes(head), given.encoding).splitlines()
    if len(head) == _HEAD_BYTES and len(lines) > 1:
        lines.pop()  # which was cut
    if not any(line.strip() for line in lines):
        raise DataError("the file is blank. Remove it, or download it again.")
    delimiter = _delimiter(lines[0], source)
    rows = list(islice(csv.reader(lines, delimiter=delimiter), 5))
    comma = delimiter != "," and any(_DECIMAL_COMMA.fullmatch(each) for row in rows for each in row)
    plain = TextHeader(delimiter, "," if comma else ".", given.encoding, (), 1, ())
    if len(rows) > 2 and _is_of_tuples(rows):
        return _of_tuples(plain, rows)
    if given.header:
        return _of_names(replace(plain, n_lines=0), given.header, rows[0])
    if any(_is_number(each) for each in rows[0]):
        if len(rows[0]) != len(BINANCE_FILE):
            raise DataError(
                f"the first line holds values, not names of columns: {some_of(rows[0], at_most=8)}."
                f" Name these {len(rows[0])} in their order: --header "
                f"{','.join(_likely_names(rows[0]))}."
            )
        return _of_names(replace(plain, n_lines=0), BINANCE_FILE, rows[0])
    return _of_names(plain, rows[0], rows[0])


def text_reader(
    opened: Source,
    source: SourceFile,
    header: TextHeader,
    block_bytes: int,
    types: Mapping[str, pa.DataType],
) -> pacsv.CSVStreamingReader:
    """Read the rows of a text file; only some columns if their types are given."""
    return pacsv.open_csv(
        _decompressed(opened, source),
        read_options=pacsv.ReadOptions(
            block_size=block_bytes,
            use_threads=False,
            column_names=header.names,
            encoding=header.encoding,
            skip_rows=header.n_lines,
        ),
        parse_options=pacsv.ParseOptions(delimiter=header.delimiter),
        convert_options=pacsv.ConvertOptions(
            column_types=dict(types),
            include_columns=list(types),
            null_values=_NULLS,
            strings_can_be_null=False,
            timestamp_parsers=[],
            decimal_point=header.decimal_point,
        ),
    )


def _decompressed(opened: Source, source: SourceFile) -> pa.NativeFile:
    if source.codec == "zip":
        return pa.PythonFile(_only_member(opened), mode="r")
    stream = pa.PythonFile(opened, mode="r")
    return stream if source.codec is None else pa.CompressedInputStream(stream, source.codec)


def _only_member(opened: Source) -> IO[bytes]:
    archive = zipfile.ZipFile(cast(IO[bytes], opened))
    members = [each for each in archive.infolist() if not each.is_dir()]
    if len(members) != 1:
        raise DataError(
            f"it is an archive of {plural(len(members), 'file')}; one is needed. Unpack it."
        )
    return archive.open(members[0])


def _delimiter(line: str, source: SourceFile) -> str:
    """Detect the delimiter: a comma if the line has one, else the most frequent other."""
    if source.form == "tsv":
        return "\t"
    other = max(_DELIMITERS, key=line.count)
    return other if "," not in line and other in line else ","


def _decoded(head: bytes, encoding: str) -> str:
    """Decode the first bytes of a file, whose last character may be incomplete."""
    decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)()
    try:
        return decoder.decode(head)
    except UnicodeDecodeError as error:
        raise DataError(
            f"it is not in the encoding {encoding}. Give the right one: --encoding cp1252 (of "
            "Windows), or latin-1."
        ) from error


def _likely_names(values: Sequence[str]) -> list[str]:
    """Guess names for the values of a line, for a message; the remaining ones get a number."""
    known = ["time", *BAR_FIELDS]
    if len(values) > 1 and ":" in values[1] and ":" not in values[0]:
        known = ["date", "time", *BAR_FIELDS]
    beyond = (f"column_{i}" for i in range(len(known) + 1, len(values) + 1))
    return [*known[: len(values)], *beyond]


def _is_number(text: str) -> bool:
    with suppress(ValueError):
        float(text)
        return True
    return False


def _require_distinct(names: Sequence[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"two columns are called {some_of(twice)}; each needs a name of its own.")


def _of_names(plain: TextHeader, names: Sequence[str], first: Sequence[str]) -> TextHeader:
    """Name the columns of a file from one header line."""
    if len(names) != len(first):
        raise DataError(
            f"--header names {plural(len(names), 'column')}, and the first line has "
            f"{len(first)}: {some_of(first, at_most=6)}."
        )
    _require_distinct(names)
    # pandas writes the index without a name.
    read = (names[0] or "Unnamed: 0", *names[1:])
    return replace(plain, names=read, blocks=(ColumnBlock(None, {each: each for each in read}),))


def _is_of_tuples(rows: Sequence[Sequence[str]]) -> bool:
    """Detect two levels of names above the name of the index, as pandas writes column tuples."""
    fields, others, index = rows[:3]
    return (
        len(fields) == len(others) == len(index) > 1
        and bool(index[0])
        and not any(index[1:])
        and all(fields[1:])
        and all(others[1:])
    )


def _of_tuples(plain: TextHeader, rows: Sequence[Sequence[str]]) -> TextHeader:
    levels = [rows[0][1:], rows[1][1:]]
    known = [sum(name.casefold() in BAR_FIELDS for name in level) for level in levels]
    fields, symbols = levels if known[0] >= known[1] else levels[::-1]
    time = rows[2][0]
    blocks = [
        ColumnBlock(
            symbol,
            {time: time}
            | {
                field: f"{field} of {symbol}"
                for field, its in zip(fields, symbols, strict=True)
                if its == symbol
            },
        )
        for symbol in dict.fromkeys(symbols)
    ]
    names = (time, *(f"{field} of {its}" for field, its in zip(fields, symbols, strict=True)))
    _require_distinct(names)
    return replace(plain, names=names, n_lines=3, blocks=tuple(blocks))
