"""The conformance suite of the run directory, for every kind of store."""

from __future__ import annotations

import math
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_pipeline.errors import ConfigError, StorageError
from ray_pipeline.storage import RunDirectory, open_filesystem

if TYPE_CHECKING:
    from conftest import ProxiedBucket, S3Server, Store


@pytest.fixture
def run(store: Store) -> RunDirectory:
    return RunDirectory(store.uri_of("run"), store.options)


def test_bytes_text_and_json_come_back(run: RunDirectory) -> None:
    """What is written under a name is read under it, and a second write replaces the first."""
    run.write_bytes("models/a/model.txt", b"\x00\xff")
    run.write_text("config.yaml", "naïve: 1\n")
    run.write_json("run.json", {"skill": math.nan, "n": 1})
    run.write_json("run.json", {"skill": math.nan, "n": 2})
    assert run.read_bytes("models/a/model.txt") == b"\x00\xff"
    assert run.read_text("config.yaml") == "naïve: 1\n"
    assert run.read_json("run.json") == {"skill": None, "n": 2}
    assert "NaN" not in run.read_text("run.json")


def test_empty_file_comes_back(run: RunDirectory) -> None:
    """A file of no bytes is a file."""
    run.write_bytes("empty", b"")
    assert run.exists("empty")
    assert run.read_bytes("empty") == b""


def test_tables_come_back_with_types_and_without_metadata(run: RunDirectory) -> None:
    """Columns, types and nulls survive; pandas' metadata does not."""
    table = pa.table(
        {
            "ts": pa.array([1, 2], pa.timestamp("ns", "UTC")),
            "symbol": pa.array(["0700", None]),
            "x": pa.array([0.5, math.nan], pa.float32()),
            "tags": pa.array([["a"], []]),
        }
    ).replace_schema_metadata({"pandas": "{}"})
    run.write_table("target_ranking/targets.parquet", table)
    back = run.read_table("target_ranking/targets.parquet")
    assert back.schema == table.schema
    assert back.schema.metadata is None
    assert back.to_pylist()[0] == table.to_pylist()[0]


def test_columns_come_back_in_the_order_asked_for(run: RunDirectory) -> None:
    """A selection of columns has the order of the selection, and nothing else."""
    run.write_table("t.parquet", pa.table({"a": [1], "b": [2], "c": [3]}))
    assert run.read_table("t.parquet", ["c", "a"]).to_pydict() == {"c": [3], "a": [1]}


def test_missing_column_is_named_with_those_that_exist(run: RunDirectory) -> None:
    """A wrong column is answered with the right ones."""
    run.write_table("t.parquet", pa.table({"a": [1], "b": [2]}))
    with pytest.raises(StorageError, match=r"t.parquet has no column z; it has a, b\."):
        run.read_table("t.parquet", ["a", "z"])


def test_tables_come_one_after_the_other(run: RunDirectory) -> None:
    """In the order asked for, also more than are opened ahead; one that is missing is named."""
    names = [f"{i}.parquet" for i in range(40)]
    for i, name in enumerate(names):
        run.write_table(name, pa.table({"a": [i]}))
    read = run.read_tables(reversed(names))
    assert [table["a"][0].as_py() for table in read] == list(range(39, -1, -1))
    read = run.read_tables(["0.parquet", "nope.parquet", "1.parquet"])
    assert next(read)["a"][0].as_py() == 0
    with pytest.raises(StorageError, match=rf"^Cannot read {run.uri}/nope.parquet: it does not"):
        next(read)


def test_table_in_a_partition_folder_gains_no_column(run: RunDirectory) -> None:
    """A path that looks like a partition adds nothing to the table."""
    run.write_table("interval=1d/symbol=0700/x.parquet", pa.table({"a": [1]}))
    assert run.read_table("interval=1d/symbol=0700/x.parquet").column_names == ["a"]


def test_same_table_gives_the_same_bytes(run: RunDirectory) -> None:
    """Writing is deterministic."""
    table = pa.table({"a": list(range(1000)), "s": ["x"] * 1000})
    run.write_table("1.parquet", table)
    run.write_table("2.parquet", table)
    assert run.read_bytes("1.parquet") == run.read_bytes("2.parquet")


def test_only_text_is_dictionary_encoded_and_all_is_zstd(run: RunDirectory) -> None:
    """Raw floats grow with a dictionary, text shrinks."""
    run.write_table("t.parquet", pa.table({"x": [0.1, 0.2], "s": ["a", "a"]}))
    with run.open_table("t.parquet") as file:
        x, s = (file.metadata.row_group(0).column(i) for i in range(2))
    assert x.compression == s.compression == "ZSTD"
    assert not x.has_dictionary_page
    assert s.has_dictionary_page


def test_bytes_of_all_files_are_counted(run: RunDirectory) -> None:
    """At any depth; none before there is one."""
    assert run.size_bytes() == 0
    run.write_bytes("a", b"12345")
    run.write_bytes("units/rank/b.json", b"123")
    assert run.size_bytes() == 8


def test_listing_names_files_below_a_folder(run: RunDirectory) -> None:
    """Names are relative to the run directory, sorted, and of the folder asked for."""
    for name in ("b/2.json", "b/1.json", "b/c/3.json", "bc/4.json", "a.json"):
        run.write_json(name, {})
    assert run.list() == ["a.json", "b/1.json", "b/2.json", "b/c/3.json", "bc/4.json"]
    assert run.list("b") == run.list("b/") == ["b/1.json", "b/2.json", "b/c/3.json"]
    assert run.list("a.json") == ["a.json"]
    assert run.list("nope") == []
    assert run.names_in("b") == ["1.json", "2.json"]


@pytest.mark.parametrize("part", ["a b", "a+b", "a%2Fb", "a=b&c", "Zürich-€", "a?b#c", "a'b\"c"])
def test_names_may_hold_what_addresses_use_otherwise(run: RunDirectory, part: str) -> None:
    """Written, listed, found, copied, read and removed under exactly the name given."""
    name = f"models/sym_{part}/model {part}.txt"
    run.write_bytes(name, b"x")
    assert run.list() == [name]
    assert run.exists(name)
    run.copy(name, f"{name}.copy")
    run.write_table(f"{part}.parquet", pa.table({"a": [1]}))
    assert run.read_table(f"{part}.parquet").to_pydict() == {"a": [1]}
    assert run.swap_bytes(name, b"x", b"y")
    assert run.read_bytes(name) == b"y"
    assert run.read_bytes(f"{name}.copy") == b"x"
    run.remove("models")
    assert run.list() == [f"{part}.parquet"]


def test_run_directory_that_does_not_exist_yet_is_empty(run: RunDirectory) -> None:
    """Before the first write there is nothing, and asking is not an error."""
    assert run.list() == []
    assert not run.exists("run.json")


def test_a_folder_is_not_a_file(run: RunDirectory) -> None:
    """``exists`` is about files."""
    run.write_json("b/1.json", {})
    assert run.exists("b/1.json")
    assert not run.exists("b")
    assert not run.exists("b/1.json/x")


def test_removing_takes_a_folder_or_a_file(run: RunDirectory) -> None:
    """All below a folder goes, its namesakes stay, and removing nothing is fine."""
    for name in ("b/2.json", "b/c/3.json", "bc/4.json", "a.json"):
        run.write_json(name, {})
    run.remove("b")
    assert run.list() == ["a.json", "bc/4.json"]
    run.remove("a.json")
    run.remove("nope")
    assert run.list() == ["bc/4.json"]


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a//b", "a/./b", "/"])
def test_names_stay_inside_the_run_directory(run: RunDirectory, name: str) -> None:
    """A name that could reach elsewhere, or is the directory itself, is refused."""
    with pytest.raises(StorageError, match="names no file inside the run directory"):
        run.remove(name)


def test_errors_name_the_address(run: RunDirectory, store: Store) -> None:
    """Missing and broken files are reported with their full address."""
    address = store.uri_of("run/x")
    with pytest.raises(StorageError, match=rf"^Cannot read {address}: it does not exist\.$"):
        run.read_bytes("x")
    with pytest.raises(StorageError, match=rf"^Cannot read {address}: it does not exist\.$"):
        run.read_table("x")
    run.write_bytes("x", b"{\xff")
    with pytest.raises(StorageError, match=rf"^{address} is not UTF-8 text"):
        run.read_text("x")
    run.write_bytes("x", b"{")
    with pytest.raises(StorageError, match=rf"^{address} is not valid JSON"):
        run.read_json("x")
    with pytest.raises(StorageError, match=rf"^Cannot read {address}: .*Parquet"):
        run.read_table("x")


def test_it_travels_between_processes(run: RunDirectory) -> None:
    """A pickled run directory works, and holds no open connection."""
    run.write_json("run.json", {"n": 1})
    content = pickle.dumps(run)
    assert b"fsspec" not in content
    assert b"s3fs" not in content
    assert pickle.loads(content).read_json("run.json") == {"n": 1}


def test_credentials_never_get_into_a_run_directory() -> None:
    """They are refused when it is named, before it could travel anywhere."""
    with pytest.raises(ConfigError, match=r"must not hold credentials \(found key, secret\)"):
        RunDirectory("s3://bucket/run", {"key": "x", "secret": "y"})


def test_relative_directory_means_the_same_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker with another working directory writes into the same run."""
    monkeypatch.chdir(tmp_path)
    run = RunDirectory("runs/a")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    run.write_json("run.json", {})
    assert (tmp_path / "runs" / "a" / "run.json").exists()
    assert run.uri == str(tmp_path / "runs" / "a")
    assert repr(run) == f"RunDirectory('{run.uri}')"


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_interrupted_local_write_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """An interrupt at any point keeps the old file whole and leaves no temporary one."""
    run = RunDirectory(tmp_path / "run")
    run.write_text("a.txt", "old")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, broken, interrupt)
    with pytest.raises(KeyboardInterrupt):
        run.write_text("a.txt", "new")
    monkeypatch.undo()
    assert run.read_text("a.txt") == "old"
    assert os.listdir(tmp_path / "run") == ["a.txt"]


def test_killed_write_leaves_nothing_that_is_listed(tmp_path: Path) -> None:
    """The temporary file of a process that was killed is not part of the run."""
    run = RunDirectory(tmp_path / "run")
    run.write_text("units/rank/d1.json", "{}")
    (tmp_path / "run" / "units" / "rank" / ".d2.json.0123456789ab.tmp").write_text("{")
    assert run.list() == ["units/rank/d1.json"]
    assert run.names_in("units/rank") == ["d1.json"]


def test_full_disk_is_a_storage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's own reason is passed on, with the address."""
    run = RunDirectory(tmp_path / "run")

    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StorageError, match=r"^Cannot write .*/run/a: No space left on device\.$"):
        run.write_bytes("a", b"x")


def test_files_get_the_permissions_of_the_umask(tmp_path: Path) -> None:
    """Colleagues may read a run: its files are not private to their owner."""
    before = os.umask(0o022)
    try:
        RunDirectory(tmp_path).write_text("a", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


def test_table_that_parquet_cannot_hold_is_a_storage_error(tmp_path: Path) -> None:
    """Encoding fails before anything is written."""
    run = RunDirectory(tmp_path)
    table = pa.table({"a": pa.array([(1, 2, 3)], pa.month_day_nano_interval())})
    with pytest.raises(StorageError, match=r"Cannot write .*/t.parquet: "):
        run.write_table("t.parquet", table)
    assert not run.exists("t.parquet")


def test_an_s3_table_is_one_put(s3_store: Store, s3_server: S3Server) -> None:
    """A table appears whole: one request writes it."""
    run = RunDirectory(s3_store.uri, s3_store.options)
    s3_server.requests.clear()
    run.write_table("t.parquet", pa.table({"a": list(range(1000))}))
    assert [request.split("?")[0] for request in s3_server.requests] == [
        f"PUT /{s3_store.path}/t.parquet"
    ]


def test_some_columns_of_an_s3_table_are_read_by_ranges(
    s3_store: Store, s3_server: S3Server
) -> None:
    """Reading one column of a wide table takes a few requests and little of its bytes."""
    run = RunDirectory(s3_store.uri, s3_store.options)
    run.write_table("t.parquet", pa.table({f"c{i}": list(range(20_000)) for i in range(50)}))
    s3_server.requests.clear()
    assert run.read_table("t.parquet", ["c7"])["c7"][19_999].as_py() == 19_999
    assert len(s3_server.requests) <= 4


def test_s3_tables_do_not_wait_for_each_other(bucket: ProxiedBucket) -> None:
    """While one is decoded, those that follow are on their way; one GET for each small one."""
    names = [f"{i}.parquet" for i in range(20)]
    for name in names:
        bucket.run.write_table(name, pa.table({"a": [1]}))
    bucket.proxy.clear()
    bucket.proxy.latency_s = 0.05
    assert len(list(bucket.run.read_tables(names))) == 20
    assert len(bucket.proxy.requests) == 20
    assert max(request.n_in_flight for request in bucket.proxy.requests) > 8


def test_tables_open_in_other_readers(tmp_path: Path) -> None:
    """The file is plain Parquet at the path that the name says."""
    RunDirectory(tmp_path).write_table("a/t.parquet", pa.table({"a": [1]}))
    assert pq.read_table(tmp_path / "a" / "t.parquet").to_pydict() == {"a": [1]}
    assert open_filesystem(tmp_path)[0].size(f"{tmp_path}/a/t.parquet") > 0


def test_swap_writes_over_what_was_seen_alone(run: RunDirectory) -> None:
    """A file that is not there, or as it was read; else nothing is written."""
    assert run.swap_bytes("driver.json", None, b"a")
    assert not run.swap_bytes("driver.json", None, b"b")
    assert not run.swap_bytes("driver.json", b"b", b"c")
    assert run.read_bytes("driver.json") == b"a"
    assert run.swap_bytes("driver.json", b"a", b"b")
    assert run.read_bytes("driver.json") == b"b"


def test_one_of_many_swaps_wins(run: RunDirectory) -> None:
    """Threads that saw the same file do not both replace it."""
    run.write_bytes("driver.json", b"old")
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda i: run.swap_bytes("driver.json", b"old", b"%d" % i), range(8)))
    assert won.count(True) == 1
    assert run.read_bytes("driver.json") == b"%d" % won.index(True)
