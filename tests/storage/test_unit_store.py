"""Records of finished units: what they hold, and what they are worth once they were damaged."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.errors import StorageError
from ray_pipeline.records import FinishedUnit, UnfitUnit
from ray_pipeline.storage import RunDirectory
from ray_pipeline.storage.units import UnitRecords

if TYPE_CHECKING:
    from conftest import Store
    from object_stores.moto_server import S3Server

RECORD = {"skill": math.nan, "n": 1, "table": "units/rank/d1/scores.parquet"}
TABLE = "units/rank/d1/scores.parquet"
PLACE = "units/rank/d1.json"
LISTED = "units/elsewhere/d1.parquet"


@pytest.fixture
def run(store: Store) -> RunDirectory:
    return RunDirectory(store.uri_of("run"), store.options)


def write_unit(run: RunDirectory, digest: str = "d1", n: int = 1, stage: str = "rank") -> None:
    """Write a unit with two files, one of them in no folder of its stage."""
    with run.units.collecting() as files:
        run.write_table(f"units/{stage}/{digest}/scores.parquet", pa.table({"a": [n, 2, 3]}))
        run.write_tables(
            f"units/elsewhere/{digest}.parquet",
            pa.schema([("a", pa.int64())]),
            iter([pa.table({"a": [n]})]),
        )
    unit = FinishedUnit(f"key {digest}", RECORD | {"n": n}, 1.5, {"numpy": "2.0"})
    run.units.write(stage, digest, unit, files)


def recalled(run: RunDirectory, stage: str = "rank") -> dict[str, FinishedUnit | UnfitUnit]:
    return dict(run.units.recall(stage, ["d1", "d2"]))


def test_finished_units_come_back(run: RunDirectory) -> None:
    """Record, key, seconds and libraries; NaN survives; a unit without a record is not there."""
    assert recalled(run) == {}
    write_unit(run)
    [(digest, found)] = recalled(run).items()
    assert isinstance(found, FinishedUnit)
    assert (digest, found.key, found.seconds) == ("d1", "key d1", 1.5)
    assert math.isnan(found.record["skill"])
    assert found.libraries == {"numpy": "2.0"}
    assert recalled(run, "other") == {}


def test_files_are_collected_by_the_run_directory(run: RunDirectory) -> None:
    """All that is written meanwhile counts, in whatever way; nothing before, after or elsewhere."""
    run.write_bytes("units/before", b"1")
    other = RunDirectory(f"{run.uri}/other")
    with run.units.collecting() as files:
        run.write_bytes("units/a", b"12")
        run.write_text("units/b", "123")
        run.write_json("units/c", {})
        run.write_table("units/d", pa.table({"x": [1]}))
        run.write_tables("units/e", pa.schema([("x", pa.int64())]), iter([]))
        run.write_bytes("units/a", b"1234")
        if other.is_local:
            other.write_bytes("units/f", b"1")
    run.write_bytes("units/after", b"1")
    assert sorted(files) == [f"units/{name}" for name in "abcde"]
    assert files["units/a"].size_bytes == 4
    assert files["units/b"].sha256.startswith("a665a45920422f9d")
    assert files["units/b"].md5 == "202cb962ac59075b964b07152d234b70"
    size_bytes = len(run.read_bytes("units/e"))
    assert files["units/e"].size_bytes == size_bytes


Change = Callable[[bytes], bytes | None]

CHANGES: Mapping[str, Change] = {
    "flipped bit": lambda content: content[:-9] + bytes([content[-9] ^ 4]) + content[-8:],
    "truncated": lambda content: content[: len(content) // 2],
    "emptied": lambda _: b"",
    "grown": lambda content: content + b"\n",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.parametrize("name", [PLACE, TABLE, LISTED])
def test_a_changed_file_makes_its_unit_unfit(run: RunDirectory, name: str, change: Change) -> None:
    """Record or table: the file that shows it is named, and other units are as before."""
    write_unit(run)
    write_unit(run, "d2", n=2)
    run.write_bytes(name, change(run.read_bytes(name)) or b"")
    found = recalled(run)
    assert isinstance(found["d2"], FinishedUnit)
    assert isinstance(found["d1"], UnfitUnit)
    assert found["d1"].name == name
    assert found["d1"].reason


@pytest.mark.parametrize("name", [TABLE, LISTED])
def test_a_missing_file_makes_its_unit_unfit(run: RunDirectory, name: str) -> None:
    """A record is worth as much as all that it speaks of."""
    write_unit(run)
    run.remove(name)
    assert recalled(run) == {"d1": UnfitUnit(name, "is gone")}


@pytest.mark.parametrize(
    ("name", "other"),
    [
        (PLACE, "units/rank/d2.json"),
        (PLACE, "units/fit/d1.json"),
        (TABLE, "units/rank/d2/scores.parquet"),
        (LISTED, TABLE),
    ],
)
def test_another_units_file_is_noticed(run: RunDirectory, name: str, other: str) -> None:
    """A sound file in the wrong place is as unfit as a damaged one."""
    write_unit(run)
    write_unit(run, "d2", n=2)
    write_unit(run, "d1", n=1, stage="fit")
    run.write_bytes(name, run.read_bytes(other))
    [unfit] = [found for found in recalled(run).values() if isinstance(found, UnfitUnit)]
    assert unfit.name == name


def test_reasons_are_told(run: RunDirectory) -> None:
    """Each says what was found."""
    write_unit(run)
    write_unit(run, "d2", n=2)
    reasons = []
    for content in (b"", b'{"skill": 1.0}\n', run.read_bytes("units/rank/d2.json")):
        run.write_bytes(PLACE, content)
        unfit = recalled(run)["d1"]
        assert isinstance(unfit, UnfitUnit)
        reasons.append(unfit.reason)
    assert reasons == [
        "is empty",
        "has no checksum: an older version wrote it, or it is damaged",
        "is the record of another unit, rank/key d2",
    ]


@given(data=st.data())
def test_no_byte_of_a_record_can_change(tmp_path_factory: Any, data: st.DataObject) -> None:
    """Wherever a byte is changed, in the checksum too, the record no longer agrees with itself."""
    run = RunDirectory(tmp_path_factory.mktemp("run"))
    run.units.write("rank", "d1", FinishedUnit("key", {"n": [1, 2]}, 0.5, {}), {})
    content = bytearray(run.read_bytes(PLACE))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    run.write_bytes(PLACE, bytes(content))
    assert isinstance(recalled(run)["d1"], UnfitUnit)


def test_what_a_disk_cannot_read_is_unfit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad sector is damage like any other."""
    run = RunDirectory(tmp_path / "run")
    write_unit(run)
    monkeypatch.setattr(UnitRecords, "_checked", _cannot_be_read)
    found = recalled(run)["d1"]
    assert isinstance(found, UnfitUnit)
    assert "Input/output error" in found.reason


def test_a_store_that_refuses_is_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work is not done again because an object store is down."""
    run = RunDirectory("memory://refusing/run")
    write_unit(run)
    monkeypatch.setattr(UnitRecords, "_checked", _cannot_be_read)
    with pytest.raises(StorageError, match="Input/output error"):
        recalled(run)
    run.remove("units")


def _cannot_be_read(*_: object) -> FinishedUnit:
    raise StorageError("cannot read units/rank/d1.json: Input/output error")


def test_sound_objects_are_not_read(s3_store: Store, s3_server: S3Server) -> None:
    """A listing tells the sizes and the MD5s of a stage's objects: the records alone are read."""
    run = RunDirectory(s3_store.uri_of("run"), s3_store.options)
    for n in range(1, 3):
        write_unit(run, f"d{n}", n)
    s3_server.requests.clear()
    assert all(isinstance(found, FinishedUnit) for found in recalled(run).values())
    asked = [request.split("?")[0] for request in s3_server.requests]
    bucket = f"/{s3_store.path.split('/')[0]}"
    records = [f"GET {bucket}/root/run/units/rank/d{n}.json" for n in (1, 2)]
    elsewhere = [f"GET {bucket}/root/run/units/elsewhere/d{n}.parquet" for n in (1, 2)]
    assert sorted(asked) == sorted([f"GET {bucket}", *records, *elsewhere])


def test_an_object_that_is_not_named_by_its_md5_is_read(s3_store: Store) -> None:
    """Of what came in parts or is encrypted the ETag says nothing; its bytes do."""
    run = RunDirectory(s3_store.uri_of("run"), s3_store.options)
    content = bytes(6 * 2**20)
    with run.units.collecting() as files:
        run.write_bytes(TABLE, content)
    run.units.write("rank", "d1", FinishedUnit("key", {}, 0.0, {}), files)
    bucket, _, key = s3_store.path.partition("/")
    upload = {"Bucket": bucket, "Key": f"{key}/run/{TABLE}"}
    upload["UploadId"] = s3_store.fs.call_s3("create_multipart_upload", **upload)["UploadId"]
    part = s3_store.fs.call_s3("upload_part", **upload, PartNumber=1, Body=content)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3_store.fs.call_s3("complete_multipart_upload", **upload, MultipartUpload=parts)
    assert run.listed("units/rank")[TABLE].version.endswith("-1")
    assert isinstance(recalled(run)["d1"], FinishedUnit)
