from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from object_stores import faults

from ray_pipeline.errors import StorageError
from ray_pipeline.storage import RunDirectory, list_files, open_filesystem

if TYPE_CHECKING:
    from conftest import ProxiedBucket, S3Server, Store

# Two attempts instead of five: the waits between them double.
TWO_ATTEMPTS = {"config_kwargs": {"retries": {"mode": "standard", "total_max_attempts": 2}}}
QUICK = TWO_ATTEMPTS | {"patience_s": 0.0}


@contextmanager
def _server_that_hangs_up() -> Iterator[tuple[str, list[int]]]:
    """Accept connections and close each at once, counting them."""
    accepted: list[int] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def hang_up() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.recv(1 << 16)
            connection.close()
            accepted.append(1)

    thread = threading.Thread(target=hang_up, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", accepted
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_throttling_is_waited_out(s3_store: Store, s3_server: S3Server) -> None:
    """A store that says SlowDown a few times is asked again until it answers."""
    s3_store.put("a")
    s3_server.n_refusals = 2
    assert len(list_files(s3_store.fs, s3_store.path)) == 1
    assert s3_server.n_refusals == 0


def test_lasting_throttling_is_reported_with_the_number_of_tries(
    s3_store: Store, s3_server: S3Server
) -> None:
    """The message has bucket, key, what the store said, and as many tries as it received."""
    run = RunDirectory(s3_store.uri, s3_store.options | QUICK)
    s3_server.requests.clear()
    s3_server.n_refusals = 100
    message = rf"^Cannot write {s3_store.uri}/a: Please reduce your request rate \(2 tries\)\.$"
    try:
        with pytest.raises(StorageError, match=message):
            run.write_bytes("a", b"x")
    finally:
        s3_server.n_refusals = 0
    assert len(s3_server.requests) == 2


def test_an_outage_is_waited_out(bucket: ProxiedBucket) -> None:
    """A store that has answered before is asked again for as long as patience lasts."""
    run = bucket.with_options(patience_s=60.0, **TWO_ATTEMPTS).run
    run.write_bytes("a", b"x")
    bucket.proxy.clear()
    bucket.proxy.rule = faults.first(7, faults.SLOW_DOWN)
    assert run.read_bytes("a") == b"x"
    assert len(bucket.proxy.requests) == 8


def test_patience_has_an_end(bucket: ProxiedBucket) -> None:
    """All tries are told."""
    run = bucket.with_options(patience_s=1.5, **TWO_ATTEMPTS).run
    run.write_bytes("a", b"x")
    bucket.proxy.clear()
    bucket.proxy.rule = lambda _: faults.INTERNAL_ERROR
    with pytest.raises(StorageError) as error:
        run.read_bytes("a")
    n_tries = len(bucket.proxy.requests)
    assert n_tries > 2
    assert str(error.value) == (
        f"Cannot read {bucket.uri}/a: We encountered an internal error. Please try again "
        f"({n_tries} tries)."
    )


def test_broken_connections_are_reported_with_the_number_of_tries(s3_server: S3Server) -> None:
    """A server that hangs up is tried as often as the message says.

    One that never answered is not waited for: its address may be wrong.
    """
    with _server_that_hangs_up() as (endpoint_url, accepted):
        fs, path = open_filesystem(
            "s3://bucket/x", s3_server.options | TWO_ATTEMPTS | {"endpoint_url": endpoint_url}
        )
        with pytest.raises(StorageError, match=r"Cannot list s3://bucket/x: .* \(2 tries\)\.$"):
            list_files(fs, path)
    # aiohttp repeats a request once by itself when the connection breaks before any answer.
    assert len(accepted) in {2, 4}


def test_missing_object_is_said_plainly(s3_store: Store) -> None:
    """A missing object is not retried, and the message holds no code of the protocol."""
    run = RunDirectory(s3_store.uri, s3_store.options)
    with pytest.raises(StorageError, match=rf"^Cannot read {s3_store.uri}/a: it does not exist\.$"):
        run.read_bytes("a")


def test_missing_credentials_are_a_storage_error(
    s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without credentials the message says so, although botocore's error is not an OSError."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    options = s3_server.options | {"region": "eu-west-1"}  # an own instance: not yet connected
    fs, path = open_filesystem("s3://bucket/x", options)
    with pytest.raises(StorageError, match="Cannot list s3://bucket/x: Unable to locate cred"):
        list_files(fs, path)
