"""What goes over the wire to S3, and what happens when it goes wrong."""

from __future__ import annotations

import pickle
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
from object_stores import faults

from ray_pipeline.errors import StorageError
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.records import PartitionFile
from ray_pipeline.storage import RunDirectory, list_files
from ray_pipeline.storage.changes import FileChangedError
from ray_pipeline.storage.stores import OpenFile, store_of
from ray_pipeline.traffic import traffic

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import ProxiedBucket, S3Server

MIB = 1 << 20


def _put(bucket: ProxiedBucket, name: str, content: bytes) -> PartitionFile:
    """Put an object and return it as listed, with no trace in the proxy's records."""
    fs, path = bucket.open()
    bucket.run.write_bytes(name, content)
    (file,) = list_files(fs, path)
    bucket.proxy.clear()
    return file


def _open(bucket: ProxiedBucket, file: PartitionFile) -> OpenFile:
    return store_of(bucket.open()[0]).open(file.path, file)


def test_a_listed_object_is_read_without_a_look_at_it(bucket: ProxiedBucket) -> None:
    """Its size and version are known: one GET per range, of that version alone."""
    file = _put(bucket, "a", b"0123456789")
    opened = _open(bucket, file)
    assert opened.fetch(2, 5).result() == b"234"
    (request,) = bucket.proxy.requests
    assert request.kind == "GET"
    assert request.headers["range"] == "bytes=2-4"
    assert request.headers["if-match"] == f'"{file.version}"'


def test_every_request_is_counted(bucket: ProxiedBucket) -> None:
    """Puts, reads, listings and removals, as many as the store sees."""
    fs, path = bucket.open()
    before = traffic().n_requests
    bucket.run.write_bytes("a", b"0123456789")
    assert bucket.run.read_bytes("a") == b"0123456789"
    (file,) = list_files(fs, path)
    assert _open(bucket, file).fetch(0, 2).result() == b"01"
    bucket.run.copy("a", "b")
    bucket.run.remove("a")
    assert traffic().n_requests - before == len(bucket.proxy.requests) > 5


def test_an_object_that_was_not_listed_is_opened_by_its_end(bucket: ProxiedBucket) -> None:
    """One GET tells size and version, and brings the end, which is all of a small object."""
    _put(bucket, "a", b"0123456789")
    fs, path = bucket.open()
    opened = store_of(fs).open(f"{path}/a")
    assert opened.size_bytes == 10
    assert opened.fetch(2, 5).result() == b"234"
    assert [request.kind for request in bucket.proxy.requests] == ["GET"]


def test_a_long_range_arrives_in_parts(bucket: ProxiedBucket) -> None:
    """One connection brings only so much a second, so that a long range takes several."""
    content = np.random.default_rng(0).bytes(20 * MIB)
    opened = _open(bucket, _put(bucket, "a", content))
    assert opened.fetch(1, 20 * MIB).result() == content[1:]
    ranges = sorted(request.headers["range"] for request in bucket.proxy.requests)
    assert len(ranges) == 3
    assert ranges[0] == f"bytes=1-{8 * MIB}"


@pytest.mark.parametrize("replacement", [b"9876543210", b"987654321", b"98765432109"])
def test_an_object_replaced_since_it_was_listed_is_noticed(
    bucket: ProxiedBucket, replacement: bytes
) -> None:
    """Also by one of the same size."""
    file = _put(bucket, "a", b"0123456789")
    opened = _open(bucket, file)
    bucket.run.write_bytes("a", replacement)
    with pytest.raises(FileChangedError, match=f"^had ETag {file.version} when it was listed and"):
        opened.fetch(0, 10).result()


def test_a_server_without_conditions_is_seen_through(
    bucket: ProxiedBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where If-Match is ignored, the ETag of the answer tells."""
    file = _put(bucket, "a", b"0123456789")
    fs, _ = bucket.open()
    call = type(fs)._call_s3

    async def without_conditions(self: object, method: str, **arguments: object) -> object:
        arguments.pop("IfMatch", None)
        return await call(self, method, **arguments)

    monkeypatch.setattr(type(fs), "_call_s3", without_conditions)
    opened = _open(bucket, file)
    assert opened.fetch(0, 10).result() == b"0123456789"
    bucket.run.write_bytes("a", b"9876543210")
    with pytest.raises(FileChangedError, match=f"had ETag {file.version} .* has [0-9a-f]+ now$"):
        opened.fetch(0, 10).result()


def test_an_object_that_is_gone(bucket: ProxiedBucket) -> None:
    """Removed is not changed."""
    opened = _open(bucket, _put(bucket, "a", b"0123456789"))
    bucket.run.remove("a")
    with pytest.raises(FileNotFoundError):
        opened.fetch(0, 10).result()


@pytest.mark.parametrize(
    "fault",
    [
        faults.SLOW_DOWN,
        faults.INTERNAL_ERROR,
        faults.error(503, "ServiceUnavailable", "Try later."),
        faults.reset(),
        faults.reset(after=True),
        faults.reset(in_body=True),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.code}-{fault.after}-{fault.in_body}",
)
def test_what_a_store_spoils_is_asked_for_again(bucket: ProxiedBucket, fault: faults.Fault) -> None:
    """Reading, writing, listing and removing all survive a failure."""
    file = _put(bucket, "a", b"0123456789")
    run = bucket.run
    for act in (
        lambda: _open(bucket, file).fetch(0, 10).result(),
        lambda: run.read_bytes("a"),
        lambda: run.write_bytes("b", b"x"),
        run.list,
        lambda: run.remove("b"),
    ):
        bucket.proxy.rule = faults.first(1, fault)
        act()
        assert sum(request.fault is fault for request in bucket.proxy.requests) == 1
        bucket.proxy.clear()
    assert run.read_bytes("a") == b"0123456789"
    assert run.list() == ["a"]


def test_what_is_too_large_to_copy_at_once_is_copied_in_parts(bucket: ProxiedBucket) -> None:
    """Beyond 5 GB S3 refuses; what s3fs does then needs no such object here."""
    _put(bucket, "a", b"0123456789")
    refused = faults.error(400, "InvalidRequest", "The specified copy source is larger than …")
    bucket.proxy.rule = faults.first(1, refused, faults.of_kind("PUT"))
    bucket.run.copy("a", "b")
    assert bucket.run.read_bytes("b") == b"0123456789"
    assert bucket.proxy.count("PUT") == 2


def test_a_body_that_always_breaks_off_is_reported(bucket: ProxiedBucket) -> None:
    """The message has address and reason, and as many tries as were made."""
    _put(bucket, "a", b"0123456789" * 1000)
    bucket.proxy.rule = lambda _: faults.reset(in_body=True)
    message = rf"^Cannot read {bucket.uri}/a: the answer broke off: .* \(5 tries\)\.$"
    with pytest.raises(StorageError, match=message):
        bucket.run.read_bytes("a")
    assert len(bucket.proxy.requests) == 5


@pytest.mark.parametrize("fault", [faults.silence(), faults.silence(in_body=True)])
def test_a_store_that_falls_silent_is_given_up(bucket: ProxiedBucket, fault: faults.Fault) -> None:
    """No answer, or one that stops in the middle, is waited for only so long."""
    _put(bucket, "a", b"0123456789" * 1000)
    bucket = bucket.with_options(
        config_kwargs={"read_timeout": 0.2, "retries": {"total_max_attempts": 2}},
        patience_s=0.0,
    )
    bucket.proxy.rule = lambda _: fault
    with pytest.raises(StorageError, match=rf"^Cannot read {bucket.uri}/a: .*imeout.* tries\)\.$"):
        bucket.run.read_bytes("a")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (faults.ACCESS_DENIED, "Access Denied; the credentials in use do not allow it"),
        (faults.EXPIRED_TOKEN, "The provided token has expired; renew the credentials in the"),
        (faults.SKEWED_CLOCK, "The difference between .* too large; set this machine's clock"),
        (faults.error(404, "NoSuchBucket", "x"), "the bucket does not exist"),
        (faults.error(403, "SignatureDoesNotMatch", "Wrong"), "Wrong; check the secret key in"),
    ],
)
def test_a_refusal_says_what_to_do(bucket: ProxiedBucket, fault: faults.Fault, said: str) -> None:
    """What no second try will change is reported at once, in every operation alike."""
    bucket.proxy.rule = lambda _: fault
    run = bucket.run
    for action, act in (
        ("read", lambda: run.read_bytes("a")),
        ("read", lambda: run.find_bytes("a")),
        ("look for", lambda: run.exists("a")),
        ("write", lambda: run.write_bytes("a", b"x")),
        ("write", lambda: run.swap_bytes("a", None, b"x")),
        ("read", lambda: run.read_table("a")),
    ):
        bucket.proxy.clear()
        with pytest.raises(StorageError, match=rf"^Cannot {action} {bucket.uri}/a: {said}"):
            act()
        assert len(bucket.proxy.requests) <= 2


def test_a_missing_bucket_is_no_empty_one(s3_server: S3Server) -> None:
    """Looking for a file in it is an error, not a no."""
    run = RunDirectory("s3://no-such-bucket/run", s3_server.options)
    with pytest.raises(StorageError, match=r"^Cannot look for .*: the bucket does not exist\.$"):
        run.exists("run.json")


class TestSwap:
    """Replacing a file only if it still is what one has seen."""

    def test_it_is_one_conditional_put(self, bucket: ProxiedBucket) -> None:
        """A new file must not be there yet, an old one must be the version that was read."""
        assert bucket.run.swap_bytes("a", None, b"1")
        assert bucket.run.swap_bytes("a", b"1", b"2")
        puts = [request for request in bucket.proxy.requests if request.kind == "PUT"]
        assert puts[0].headers["if-none-match"] == "*"
        assert "if-match" in puts[1].headers
        assert len(bucket.proxy.requests) == 4

    @pytest.mark.parametrize("status", [409, 412])
    def test_a_loser_is_told(self, bucket: ProxiedBucket, status: int) -> None:
        """What another wrote between reading and writing stays."""
        bucket.run.write_bytes("a", b"theirs")

        refused = faults.error(status, "PreconditionFailed", "Not so")
        bucket.proxy.rule = lambda request: refused if request.kind == "PUT" else None
        assert not bucket.run.swap_bytes("a", b"theirs", b"mine")

    def test_a_lost_answer_is_no_lost_swap(self, bucket: ProxiedBucket) -> None:
        """The second try meets the first one's work, which is this writer's own."""
        lost = faults.first(1, faults.reset(after=True), faults.of_kind("PUT"))
        for seen, content in ((None, b"1"), (b"1", b"2")):
            bucket.proxy.rule = lost
            assert bucket.run.swap_bytes("a", seen, content)
            lost = faults.first(1, faults.reset(after=True), faults.of_kind("PUT"))
        assert bucket.run.read_bytes("a") == b"2"

    def test_a_store_without_conditions_is_written_to(self, bucket: ProxiedBucket) -> None:
        """One that says it does not know them gets a plain put."""
        unknown = faults.error(501, "NotImplemented", "A header you provided is not implemented.")
        bucket.proxy.rule = lambda request: unknown if "if-none-match" in request.headers else None
        assert bucket.run.swap_bytes("a", None, b"1")
        assert bucket.run.read_bytes("a") == b"1"


def test_what_is_sent_to_workers_holds_no_credentials(
    bucket: ProxiedBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each finds its own; what a driver has found stays with it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "KEY-9fQ2")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SECRET-x7Lw")
    run = bucket.run
    run.write_bytes("a", b"x")
    assert "KEY-9fQ2" in bucket.proxy.requests[0].headers["authorization"]
    sent = pickle.dumps((run, partial(PanelReader, bucket.uri, bucket.options, run)))
    assert bucket.proxy.endpoint_url.encode() in sent
    assert b"KEY-9fQ2" not in sent
    assert b"SECRET-x7Lw" not in sent


def test_credentials_that_were_rotated_are_found(
    bucket: ProxiedBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the store says that a token has expired, the credentials file is read again."""
    file = tmp_path / "credentials"
    text = "[default]\naws_access_key_id = {0}\naws_secret_access_key = {0}\n"
    file.write_text(text.format("OLD"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    run = bucket.run
    run.write_bytes("a", b"x")

    def rule(request: faults.Request) -> faults.Fault | None:
        return faults.EXPIRED_TOKEN if "OLD/" in request.headers["authorization"] else None

    bucket.proxy.rule = rule
    file.write_text(text.format("NEW"))
    bucket.proxy.clear()
    assert run.read_bytes("a") == b"x"
    assert run.read_bytes("a") == b"x"
    used = [request.headers["authorization"].split("=")[1][:3] for request in bucket.proxy.requests]
    assert used == ["OLD", "NEW", "NEW"]


def test_credentials_with_an_expiry_are_refreshed_in_time(
    bucket: ProxiedBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A credential process is asked again before its credentials expire."""
    calls = tmp_path / "calls"
    script = tmp_path / "process"
    script.write_text(
        f"#!/bin/sh\necho x >> {calls}\nn=$(wc -l < {calls})\n"
        'at=$(date -u -d "+600 seconds" +%Y-%m-%dT%H:%M:%SZ)\n'
        'echo "{\\"Version\\": 1, \\"AccessKeyId\\": \\"KEY$n\\", '
        '\\"SecretAccessKey\\": \\"x\\", \\"Expiration\\": \\"$at\\"}"\n'
    )
    script.chmod(0o755)
    config = tmp_path / "config"
    config.write_text(f"[default]\ncredential_process = {script}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    run = bucket.run
    run.write_bytes("a", b"x")
    run.read_bytes("a")
    used = {request.headers["authorization"].split("=")[1][:4] for request in bucket.proxy.requests}
    # Ten minutes are less than what botocore wants to have left, so that each request asks.
    assert len(used) > 1


def test_who_pays_and_which_key_encrypts_reach_the_store(bucket: ProxiedBucket) -> None:
    """Requester-pays goes with reads and lists, encryption with writes."""
    bucket = bucket.with_options(
        requester_pays=True, s3_additional_kwargs={"ServerSideEncryption": "AES256"}
    )
    run = bucket.run
    run.write_bytes("a", b"x")
    run.read_bytes("a")
    run.exists("a")
    run.list()
    assert {request.kind for request in bucket.proxy.requests} >= {"PUT", "GET", "LIST"}
    for request in bucket.proxy.requests:
        assert request.headers["x-amz-request-payer"] == "requester"
        is_encrypted = "x-amz-server-side-encryption" in request.headers
        assert is_encrypted == (request.kind == "PUT")


def test_a_public_bucket_is_read_without_credentials(
    bucket: ProxiedBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ``anon`` nothing is signed, and none are looked for."""
    public = bucket.with_options(s3_additional_kwargs={"ACL": "public-read"})
    public.run.write_bytes("a", b"x")
    bucket.proxy.clear()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert bucket.with_options(anon=True).run.read_bytes("a") == b"x"
    assert "authorization" not in bucket.proxy.requests[0].headers
