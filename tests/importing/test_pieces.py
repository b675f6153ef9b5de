"""Chunks, fragments, merging and names: the parts of an import that touch no file."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from ray_pipeline.errors import DataError
from ray_pipeline.importing.chunks import Chunk, Extent, GroupSpan, chunks_of, n_buckets_for
from ray_pipeline.importing.columns import Given, name_columns, plan_columns, written_type
from ray_pipeline.importing.ledger import rounds_of
from ray_pipeline.importing.merging import merge_rows
from ray_pipeline.importing.sources import SourceFile, form_of
from ray_pipeline.importing.splitting import bucket_of, fragments_of, pieces_of
from ray_pipeline.records import BAR_FIELDS, PartitionFile

SCHEMA = pa.schema([("ts", pa.int64()), ("x", pa.float64())])


def _rows(*rows: tuple[int, float | None]) -> pa.Table:
    return pa.table([[ts for ts, _ in rows], [x for _, x in rows]], schema=SCHEMA)


def test_chunks_follow_one_another_and_are_bounded() -> None:
    """Small files share a chunk, large ones are cut between row groups, the largest stand alone."""
    extents = [Extent((3,), 1), Extent((3,), 1), Extent((2, 9, 2, 2), 4), Extent((), 0)]
    assert chunks_of(extents, 8) == (
        Chunk(0, (GroupSpan(0, 0, 1), GroupSpan(1, 0, 1), GroupSpan(2, 0, 1))),
        Chunk(1, (GroupSpan(2, 1, 2),)),
        Chunk(2, (GroupSpan(2, 2, 4),)),
    )
    assert n_buckets_for(extents, 5) == 5
    assert n_buckets_for([], 5) == 4


def test_rounds_are_cut_between_files() -> None:
    """Each within its bound, in the order of the files, none left out."""
    files = [
        SourceFile(f"{i}", PartitionFile(f"/{i}", 1, ""), "parquet", None, None) for i in range(4)
    ]
    extents = [Extent((size,), None) for size in (5, 4, 3, 9)]
    found = [[file.name for file in some] for some, _ in rounds_of(files, extents, 9)]
    assert found == [["0", "1"], ["2"], ["3"]]


def test_fragments_hold_every_row_once_in_its_order() -> None:
    """By symbol and year in UTC, whatever the order of the rows; a key is in one bucket alone."""
    random = np.random.default_rng(0)
    n_rows, names = 5_000, ["A", "B/C", "Ü", "0700"]
    codes = random.integers(0, 4, n_rows)
    first = np.datetime64("2019-06-01", "ns").astype(np.int64)
    ts = first + random.integers(0, 3 * 365 * 86_400, n_rows) * 10**9
    table = pa.table({"ts": ts, "x": np.arange(n_rows, dtype=float), "s": [f"{i}" for i in ts]})
    symbols = pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(names))
    found = fragments_of(table, symbols, 7, 3, 16)
    assert found["bucket"].to_pylist() == sorted(set(found["bucket"].to_pylist()))
    assert set(found["chunk"].to_pylist()) == {7}
    seen: dict[tuple[str, int], list[float]] = {}
    for row in found.to_pylist():
        for key, piece in pieces_of(row["head"], pa.py_buffer(row["rows"])):
            assert bucket_of(key, 16) == row["bucket"]
            assert key not in seen
            seen[key] = piece["x"].to_pylist()
            assert piece["s"].to_pylist() == [f"{t}" for t in piece["ts"].to_pylist()]
    years = ts.astype("datetime64[ns]").astype("datetime64[Y]").astype(int) + 1970
    expected: dict[tuple[str, int], list[float]] = {}
    for i, (code, year) in enumerate(zip(codes, years, strict=True)):
        expected.setdefault((names[code], int(year)), []).append(float(i))
    assert seen == expected


def test_years_turn_at_midnight_utc() -> None:
    """The last nanosecond of a year belongs to it, also before 1970."""
    turns = ["1965-12-31T23:59:59.999999999", "1966-01-01", "2024-12-31T23:59:59.999999999"]
    ts = np.array(turns, dtype="datetime64[ns]").astype(np.int64)
    symbols = pa.array(["A"] * 3).dictionary_encode()
    found = fragments_of(pa.table({"ts": ts}), symbols, 0, 0, 1).to_pylist()
    keys = [key for row in found for key, _ in pieces_of(row["head"], pa.py_buffer(row["rows"]))]
    assert keys == [("A", 1965), ("A", 1966), ("A", 2024)]


def test_rows_are_merged_in_the_order_of_time() -> None:
    """The last of equal times counts; what was there before counts least."""
    merged = merge_rows(
        _rows((1, 1.0), (2, None), (3, 3.0)),
        [_rows((5, 5.0), (2, None)), _rows((3, 30.0), (4, 4.0), (5, 50.0))],
        SCHEMA,
    )
    assert merged.table.to_pydict() == {"ts": [1, 2, 3, 4, 5], "x": [1.0, None, 30.0, 4.0, 50.0]}
    assert (merged.n_repeated, merged.n_replaced, merged.n_known) == (1, 1, 1)
    again = merge_rows(merged.table, [merged.table.slice(1, 2)], SCHEMA)
    assert (again.n_repeated, again.n_replaced, again.n_known) == (0, 0, 2)
    assert again.is_as_before(merged.table)
    assert not merged.is_as_before(_rows((1, 1.0)))


def test_nan_is_equal_to_itself() -> None:
    """A row with a NaN that comes again is known."""
    nan = _rows((1, float("nan")))
    assert merge_rows(nan, [nan], SCHEMA).n_known == 1


@pytest.mark.parametrize(
    ("names", "given", "found"),
    [
        (["ts", "symbol", "close"], {}, ("ts", "symbol", [("close", "close")])),
        (["Date", "Ticker", "Close"], {}, ("Date", "Ticker", [("close", "Close")])),
        (
            ["t", "o", "h", "l", "c", "v", "sym"],
            {},
            ("t", "sym", list(zip(BAR_FIELDS, "ohlcv", strict=True))),
        ),
        (
            ["when", "symbol", "px"],
            {"time": "when", "close": "px"},
            ("when", "symbol", [("close", "px")]),
        ),
    ],
)
def test_columns_are_found_by_their_names(
    names: list[str], given: dict[str, str], found: tuple[str, str, list[tuple[str, str]]]
) -> None:
    """By the rules of ``data.columns``, by what vendors call them, or as the command line says."""
    columns = name_columns(names, given, "x", told=None)
    assert (columns.time, columns.symbol, list(columns.others)) == found


@pytest.mark.parametrize(
    ("names", "given", "message"),
    [
        (["symbol", "close"], {}, r"^x: no time column: looked for ts, .*--columns time=NAME\.$"),
        (["ts", "close"], {}, r"^x: no symbol column: .*--columns symbol=NAME"),
        (
            ["ts", "symbol"],
            {"close": "px"},
            r"^x: --columns close=px: there is no such column; found",
        ),
        (
            ["ts", "symbol", "open", "high", "low", "close", "Adj Close"],
            {"close": "Adj Close"},
            r"writes prices unchanged\. Omit it, and set data\.columns\.close in the",
        ),
    ],
)
def test_columns_that_are_not_there_are_named(
    names: list[str], given: dict[str, str], message: str
) -> None:
    """With what was found, and what to write."""
    with pytest.raises(DataError, match=message):
        name_columns(names, given, "x", told=None)


def test_types_are_made_one() -> None:
    """Whole numbers with fractions are fractions; a column without a value is left behind."""
    kinds = [
        {"t": pa.int64(), "s": pa.string(), "a": pa.int32(), "b": pa.int64(), "n": pa.null()},
        {"t": pa.int64(), "s": pa.string(), "a": pa.int64(), "b": pa.float32(), "n": pa.null()},
    ]
    given = {"time": "t", "symbol": "s"}
    columns = name_columns(["t", "s", "a", "b", "n"], given, "x", told=None)
    plan = plan_columns([(f"{i}", columns, kind) for i, kind in enumerate(kinds)], Given())
    assert plan.types == (("a", "int64"), ("b", "double"))
    assert plan.left_behind == (("n", "no file has a value"),)
    assert written_type(pa.decimal128(10, 2)) == pa.float64()
    assert written_type(pa.uint64()) == pa.float64()
    assert written_type(pa.dictionary(pa.int8(), pa.large_string())) == pa.string()
    assert written_type(pa.list_(pa.int8())) is None


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.csv", ("csv", None)),
        ("A.CSV.GZ", ("csv", "gzip")),
        ("a.tsv.zst", ("tsv", "zstd")),
        ("a.pq", ("parquet", None)),
        ("a.parquet.gz", None),
        ("a.parquet.zip", None),
        ("a.zip", ("csv", "zip")),
        ("csv", None),
    ],
)
def test_forms_are_told_from_names(name: str, form: tuple[str, str | None] | None) -> None:
    """By the endings, whatever their letters."""
    assert form_of(name) == form
