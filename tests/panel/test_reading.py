from __future__ import annotations

import datetime as dt
import decimal
import errno
import os
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.local import LocalFileSystem

from ray_pipeline.errors import DataError, StorageError
from ray_pipeline.panel import PartitionReader, read_columns, reading
from ray_pipeline.panel.quality import QualityFinding
from ray_pipeline.records import PartitionFile, SymbolPartition
from ray_pipeline.storage.filesystems import FileSystem, open_filesystem

WritePartition = Callable[..., SymbolPartition]


class CountingFileSystem(LocalFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A local disk that counts what an object store would charge for."""

    cachable = False

    def __init__(self, fail_after_reads: int | None = None) -> None:
        super().__init__()
        self.n_opens = 0
        self.n_reads = 0
        self.handles: list[Any] = []
        self.fail_after_reads = fail_after_reads

    def open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        handle = super().open(path, mode, **kwargs)
        read = handle.read
        self.n_opens += 1
        self.handles.append(handle)

        def counted(n_bytes: int = -1) -> bytes:
            self.n_reads += 1
            if self.fail_after_reads is not None and self.n_reads > self.fail_after_reads:
                raise OSError(5, "Input/output error")
            content: bytes = read(n_bytes)
            return content

        handle.read = counted
        return handle


def test_only_the_columns_asked_for(write_partition: WritePartition, fs: FileSystem) -> None:
    """Columns come in the order asked for; None means all."""
    partition = write_partition("A", pa.table({"ts": [1, 2], "f": [0.5, 1.5], "g": [1.0, 2.0]}))
    assert read_columns(partition, fs, ["g", "ts"]).to_pydict() == {"g": [1.0, 2.0], "ts": [1, 2]}
    assert read_columns(partition, fs).column_names == ["ts", "f", "g"]


def test_the_path_adds_no_columns(write_partition: WritePartition, fs: FileSystem) -> None:
    """A folder called symbol=0700 does not become a column with the number 700."""
    partition = write_partition("0700", pa.table({"ts": [1]}))
    assert read_columns(partition, fs).column_names == ["ts"]


def test_names_with_dots_are_plain_names(write_partition: WritePartition, fs: FileSystem) -> None:
    """Asking for a column does not bring another whose name begins with it and a dot."""
    partition = write_partition("A", pa.table({"a": [1.0], "a.b": [2.0], "s": [{"b": 1}]}))
    assert read_columns(partition, fs, ["a"]).to_pydict() == {"a": [1.0]}
    assert read_columns(partition, fs, ["a.b"]).to_pydict() == {"a.b": [2.0]}


def test_types_are_handed_over_as_plain_ones(
    write_partition: WritePartition, fs: FileSystem
) -> None:
    """Truth values and decimals become numbers, dictionaries their values."""
    table = pa.table(
        {
            "bool": pa.array([True, None, False]),
            "decimal": pa.array([decimal.Decimal("1.25"), None, decimal.Decimal("-3.00")]),
            "category": pa.array(["x", None, "y"]).dictionary_encode(),
            "half": pa.array([1.5, None, 2.0], pa.float16()),
            "small": pa.array([1, None, 3], pa.int8()),
        }
    )
    result = read_columns(write_partition("A", table), fs)
    assert result.to_pydict() == {
        "bool": [1.0, None, 0.0],
        "decimal": [1.25, None, -3.0],
        "category": ["x", None, "y"],
        "half": [1.5, None, 2.0],
        "small": [1, None, 3],
    }
    kinds = ["double", "double", "string", "float", "int8"]
    assert [str(field.type) for field in result.schema] == kinds


def test_files_of_a_symbol_are_united(write_partition: WritePartition, fs: FileSystem) -> None:
    """Integers meet floats as floats, later columns count, gaps are null, and it is said."""
    partition = write_partition(
        "A",
        pa.table({"ts": pa.array([1, 2]), "f": pa.array([1, 2])}),
        pa.table({"g": [5.0], "f": [2.5], "ts": pa.array([3])}),
        pa.table({"ts": pa.array([4]), "f": pa.array([None], pa.null())}),
    )
    with PartitionReader(partition, fs) as reader:
        assert reader.columns == (("ts", "int64"), ("f", "double"), ("g", "double"))
        assert reader.n_rows == 4
        assert reader.findings == (
            QualityFinding(
                "column_missing_in_files",
                "g",
                2,
                "column 'g' is missing in 2 of 3 files; its cells there are missing",
            ),
        )
        assert reader.read(["ts", "f", "g"]).to_pydict() == {
            "ts": [1, 2, 3, 4],
            "f": [1.0, 2.0, 2.5, None],
            "g": [None, None, 5.0, None],
        }


def test_times_of_files_are_united_in_utc(write_partition: WritePartition, fs: FileSystem) -> None:
    """Files with and without a zone, in different units, give one column of instants."""
    hour = dt.datetime(2024, 1, 2, 14)
    naive = pa.array([hour], pa.timestamp("us"))
    zoned = pa.array([hour], pa.timestamp("ms")).cast(pa.timestamp("ms", "America/New_York"))
    partition = write_partition("A", pa.table({"ts": naive}), pa.table({"ts": zoned}))
    column = read_columns(partition, fs).column("ts")
    assert str(column.type) == "timestamp[ns, tz=UTC]"
    assert len(set(column.cast(pa.int64()).to_pylist())) == 1


def test_text_in_one_file_and_numbers_in_another(
    write_partition: WritePartition, fs: FileSystem
) -> None:
    """No type holds both; the error names column, types and files."""
    partition = write_partition("A", pa.table({"f": [1.0]}), pa.table({"f": ["x"]}))
    first, second = (file.path for file in partition.files)
    with PartitionReader(partition, fs) as reader:
        assert reader.columns == (("f", "mixed<double | string>"),)
        with pytest.raises(DataError) as error:
            reader.read(["f"])
    assert str(error.value) == (
        f"column 'f' is double in {first} and string in {second}; it needs one type. "
        "Rewrite the file that differs."
    )


def test_values_that_the_union_cannot_hold(write_partition: WritePartition, fs: FileSystem) -> None:
    """A time that nanoseconds cannot hold is named with its file and column."""
    partition = write_partition(
        "A",
        pa.table({"ts": pa.array([dt.datetime(9999, 1, 1)], pa.timestamp("us"))}),
        pa.table({"ts": pa.array([dt.date(2024, 1, 1)])}),
    )
    with pytest.raises(DataError, match=r"part-0\.parquet: column 'ts' cannot be read as timest"):
        read_columns(partition, fs)


def test_sparks_times_do_not_wrap_around(tmp_path: Path, fs: FileSystem) -> None:
    """An INT96 placeholder of the year 9999 stays in the year 9999."""
    path = tmp_path / "spark.parquet"
    table = pa.table({"ts": pa.array([dt.datetime(9999, 12, 31)], pa.timestamp("us"))})
    pq.write_table(table, path, use_deprecated_int96_timestamps=True)
    partition = SymbolPartition("A", (PartitionFile(str(path), path.stat().st_size, ""),))
    assert read_columns(partition, fs).column("ts").to_pylist() == [dt.datetime(9999, 12, 31)]


def test_an_unknown_column(write_partition: WritePartition, fs: FileSystem) -> None:
    """The error says which columns there are."""
    partition = write_partition("A", pa.table({"f": [1.0], "g": [2.0]}))
    with pytest.raises(DataError, match=r"no column 'h'; found f, g\."):
        read_columns(partition, fs, ["h"])


def test_two_columns_of_one_name(write_partition: WritePartition, fs: FileSystem) -> None:
    """Which of the two is meant cannot be known."""
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["f", "f"])
    with pytest.raises(DataError, match=r"part-0\.parquet holds two columns of the same name: f"):
        read_columns(write_partition("A", table), fs)


def test_one_look_and_two_reads_per_file(write_partition: WritePartition) -> None:
    """A file costs one opening, one read of the footer and one of neighbouring columns."""
    counting = CountingFileSystem()
    table = pa.table({name: np.arange(50_000.0) for name in "abcdef"})
    partition = write_partition("A", table, table)
    assert read_columns(partition, counting, ["c", "d"]).num_rows == 100_000
    assert counting.n_opens == 2
    assert counting.n_reads == 4


def test_many_files_are_not_all_held_open(
    write_partition: WritePartition, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond a bound files are opened again, with the same result."""
    monkeypatch.setattr(reading, "_MAX_OPEN_FILES", 2)
    counting = CountingFileSystem()
    partition = write_partition("A", *(pa.table({"f": [float(i)]}) for i in range(5)))
    with PartitionReader(partition, counting) as reader:
        assert sum(not handle.closed for handle in counting.handles) == 2
        assert reader.read(["f"]).column("f").to_pylist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert counting.n_opens == 5 + 3
    assert all(handle.closed for handle in counting.handles)


@pytest.mark.parametrize("max_cells", [None, 1, 8, 20, 40, 10_000])
def test_a_symbol_in_blocks(tmp_path: Path, fs: FileSystem, max_cells: int | None) -> None:
    """Every cell comes once, in tables of so many cells or of one column of a row group."""
    random = np.random.default_rng(0)
    names = list("abcd")
    files, tables = [], []
    for number, n_rows in enumerate((23, 0, 5)):
        table = pa.table({name: random.normal(size=n_rows) for name in names[number:]})
        path = tmp_path / f"{number}.parquet"
        pq.write_table(table, path, row_group_size=5)
        files.append(PartitionFile(str(path), path.stat().st_size, ""))
        tables.append(table)
    expected = pa.concat_tables(tables, promote_options="default").select(names[::-1])
    seen = np.full((28, 4), np.inf)
    with PartitionReader(SymbolPartition("A", tuple(files)), fs) as reader:
        assert reader.read(names[::-1]).equals(expected)
        for first_row, block in reader.blocks(names[::-1], max_cells):
            n_cells = block.num_rows * block.num_columns
            assert max_cells is None or n_cells <= max_cells or block.num_columns == 1
            for name in block.column_names:
                cells = seen[first_row : first_row + block.num_rows, 3 - names.index(name)]
                assert np.isinf(cells).all()
                cells[:] = block.column(name).to_numpy()
    np.testing.assert_array_equal(seen, np.column_stack([c.to_numpy() for c in expected.columns]))


def test_no_file_keeps_what_was_read_of_it(write_partition: WritePartition, fs: FileSystem) -> None:
    """Files that stay open for a next read hold no columns until then."""
    table = pa.table({name: np.random.default_rng(0).normal(size=20_000) for name in "abcdef"})
    partition = write_partition("A", *[table] * 8)
    with PartitionReader(partition, fs) as reader:
        read = reader.read(["a"])  # what is imported on first use counts for no table
        tracemalloc.start()
        try:
            before = pa.total_allocated_bytes() - read.nbytes
            read = reader.read(list("abcdef"))
            held = pa.total_allocated_bytes() - before + tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert held < 1.2 * read.nbytes


@pytest.mark.parametrize("damage", ["truncated", "overwritten", "not parquet"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    """The message names the file and says what to do; no handle stays open."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"f": np.random.default_rng(0).normal(size=10_000)}), path)
    content = path.read_bytes()
    if damage == "truncated":
        content = content[:-100]
    elif damage == "overwritten":
        content = content[:4] + b"\xff" * 4_000 + content[4_004:]
    else:
        content = b"ts,close\n1,2\n" * 50
    path.write_bytes(content)
    counting = CountingFileSystem()
    partition = SymbolPartition("A", (PartitionFile(str(path), len(content), ""),))
    with pytest.raises(DataError) as error:
        read_columns(partition, counting, ["f"])
    assert str(error.value).startswith(f"{path} is not a whole Parquet file: ")
    assert str(error.value).endswith("Write the file again, or remove it from the symbol's folder.")
    assert all(handle.closed for handle in counting.handles)


def test_a_flipped_bit_is_found_where_the_file_has_checksums(
    tmp_path: Path, fs: FileSystem
) -> None:
    """Page checksums are verified when the writer made them."""
    path = tmp_path / "a.parquet"
    table = pa.table({"f": np.random.default_rng(0).normal(size=10_000)})
    pq.write_table(table, path, write_page_checksum=True, compression="none", use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[5_000] ^= 1
    path.write_bytes(content)
    partition = SymbolPartition("A", (PartitionFile(str(path), len(content), ""),))
    with pytest.raises(DataError, match="is not a whole Parquet file"):
        read_columns(partition, fs, ["f"])


def test_a_file_that_changed_since_it_was_listed(
    write_partition: WritePartition, fs: FileSystem
) -> None:
    """Another size means other content than the fingerprint of the run says."""
    partition = write_partition("A", pa.table({"f": [1.0]}))
    listed = replace(partition.files[0], size_bytes=17)
    size_bytes = partition.files[0].size_bytes
    with pytest.raises(DataError) as error:
        read_columns(SymbolPartition("A", (listed,)), fs)
    assert str(error.value) == (
        f"{listed.path} had 17 bytes when it was listed and has {size_bytes} now: it has changed "
        "since. Run again when the data no longer change."
    )


def test_a_file_that_is_gone(fs: FileSystem, tmp_path: Path) -> None:
    """A file removed between listing and reading is the data's fault."""
    path = str(tmp_path / "gone.parquet")
    partition = SymbolPartition("A", (PartitionFile(path, 10, ""),))
    with pytest.raises(DataError, match=r"gone\.parquet was listed and is gone now\."):
        read_columns(partition, fs)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENOTDIR])
def test_a_file_that_may_not_be_opened_is_the_symbols_fault(
    write_partition: WritePartition, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Trying again would not help, and the disk is fine for the other symbols."""
    partition = write_partition("A", pa.table({"f": [1.0]}))

    def refuse(path: str, *_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code), path)

    fs = LocalFileSystem()
    monkeypatch.setattr(fs, "open", refuse)
    message = rf"part-0\.parquet cannot be opened: {os.strerror(code)}\. Make it readable for"
    with pytest.raises(DataError, match=message):
        read_columns(partition, fs)


@pytest.mark.parametrize("n_good_reads", [0, 1])
def test_a_failing_disk_is_not_the_datas_fault(
    write_partition: WritePartition, n_good_reads: int
) -> None:
    """A failure of the storage is not a `DataError`, at the footer and at the columns alike."""
    partition = write_partition("A", pa.table({"f": [1.0]}))
    failing = CountingFileSystem(fail_after_reads=n_good_reads)
    with pytest.raises(StorageError, match=r"annot read .*part-0\.parquet: Input/output error"):
        read_columns(partition, failing)
    assert all(handle.closed for handle in failing.handles)


def test_any_filesystem_will_do() -> None:
    """Nothing but the fsspec interface is used, and messages give the whole address."""
    fs, root = open_filesystem("memory://panel-reading-test")
    with fs.open(f"{root}/a.parquet", "wb") as file:
        pq.write_table(pa.table({"f": [1.0, 2.0]}), file)
    path = f"{root}/a.parquet"
    partition = SymbolPartition("A", (PartitionFile(path, fs.info(path)["size"], ""),))
    assert read_columns(partition, fs, ["f"]).to_pydict() == {"f": [1.0, 2.0]}
    gone = SymbolPartition("A", (PartitionFile(f"{root}/b.parquet", 1, ""),))
    with pytest.raises(DataError, match=r"memory://panel-reading-test/b\.parquet was listed"):
        read_columns(gone, fs)
