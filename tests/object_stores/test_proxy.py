"""The proxy before a small server: what it leaves alone, records and slows down."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from object_stores.faults import first, silence
from object_stores.proxy import FaultyProxy
from object_stores.small_server import BIG, SmallServer, connect_to, get, read_all


@pytest.mark.parametrize("path", ["/a?x=%20+&y=%2F", "/chunked", "/old"])
def test_bodies_come_through_unchanged(client: http.client.HTTPConnection, path: str) -> None:
    """Bodies of known length, in chunks, and up to the end of the connection."""
    assert get(client, path) == BIG
    assert get(client, path) == BIG


def test_connections_are_kept_on_both_sides(
    proxy: FaultyProxy, upstream: SmallServer, client: http.client.HTTPConnection
) -> None:
    """Answers with and without a body follow each other on one connection to the server."""
    for method, path in [("HEAD", "/a"), ("GET", "/none"), ("GET", "/a"), ("GET", "/chunked")]:
        answer = get(client, path, method)
        assert len(answer) == (0 if method == "HEAD" or path == "/none" else len(BIG))
    assert upstream.n_connections == 1
    assert [request.status for request in proxy.requests] == [200, 204, 200, 200]
    assert [request.n_body_bytes for request in proxy.requests] == [0, 0, len(BIG), len(BIG)]


@pytest.mark.parametrize("chunked", [False, True])
def test_uploads_come_through_unchanged(
    proxy: FaultyProxy, client: http.client.HTTPConnection, chunked: bool
) -> None:
    """The server gets the body and the ``Host`` that the client has sent."""
    for _ in range(2):
        body = iter([BIG[:100_000], BIG[100_000:]]) if chunked else BIG
        client.request("PUT", "/a", body, encode_chunked=chunked)
        told = json.loads(client.getresponse().read())
        assert told == {"host": f"127.0.0.1:{proxy.port}", "n": len(BIG), "same": True}


def test_leave_to_send_a_body_is_asked_for(proxy: FaultyProxy) -> None:
    """``100 Continue`` comes from the server before the body is sent, the answer after it."""
    head = b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n"
    with connect_to(proxy) as sock:
        sock.sendall(head + b"Connection: close\r\n\r\n")
        assert sock.recv(2**16).startswith(b"HTTP/1.1 100 ")
        sock.sendall(b"abc")
        assert b'"n": 3' in read_all(sock)


def test_a_body_that_the_server_refuses_is_not_waited_for(proxy: FaultyProxy) -> None:
    """The server's answer comes through although the body never does."""
    with connect_to(proxy) as sock:
        sock.sendall(
            b"PUT /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        )
        assert read_all(sock).startswith(b"HTTP/1.1 403 ")


def test_requests_are_recorded_in_order(
    proxy: FaultyProxy, client: http.client.HTTPConnection
) -> None:
    """With method, path and query as sent, headers, and the status of the answer."""
    client.request("GET", "/b%20c?list-type=2&prefix=x%2F", headers={"If-Match": '"1"'})
    client.getresponse().read()
    client.request("HEAD", "/b", headers={"Range": "bytes=-8"})
    client.getresponse().read()
    listed, looked = proxy.requests
    assert (listed.kind, listed.path, listed.query) == (
        "LIST",
        "/b%20c",
        "list-type=2&prefix=x%2F",
    )
    assert listed.headers["if-match"] == '"1"'
    assert (looked.method, looked.headers["range"], looked.status) == ("HEAD", "bytes=-8", 200)
    assert (proxy.count("LIST"), proxy.count("HEAD"), proxy.count("GET")) == (1, 1, 0)
    proxy.clear()
    assert proxy.requests == []


def test_requests_at_the_same_time_are_counted(proxy: FaultyProxy) -> None:
    """While requests wait, the next one finds them under way."""
    proxy.rule = first(4, silence())
    with ExitStack() as stack:
        for n_sent in range(1, 5):
            sock = stack.enter_context(connect_to(proxy))
            sock.sendall(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            while len(proxy.requests) < n_sent:
                time.sleep(0.01)
    assert [request.n_in_flight for request in proxy.requests] == [1, 2, 3, 4]


def test_an_unreachable_server_is_a_reset() -> None:
    """A proxy before nothing breaks each connection."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with (
        FaultyProxy(port) as proxy,
        closing(http.client.HTTPConnection("127.0.0.1", proxy.port)) as client,
    ):
        client.request("GET", "/a")
        with pytest.raises(ConnectionResetError):
            client.getresponse()


def test_a_server_that_has_ended_its_connection_is_asked_on_another(
    proxy: FaultyProxy, upstream: SmallServer, client: http.client.HTTPConnection
) -> None:
    """A kept connection may go stale between two requests of the client."""
    assert get(client) == BIG
    with connect_to(proxy) as sock:
        sock.sendall(b"GET /none HTTP/1.1\r\nHost: a\r\n\r\nGET /none HTTP/1.0\r\n\r\n")
        assert read_all(sock).count(b" 204 ") == 2
    assert upstream.n_connections == 2


def test_bandwidth_is_shared(upstream: SmallServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the bodies of all connections are made to wait adds up to their bytes by the rate."""
    waits: list[float] = []
    with FaultyProxy(upstream.server_port, bytes_per_s=1e9) as proxy:
        spend: Callable[[int], object] = proxy._spend

        async def counted(n_bytes: int) -> None:
            before = proxy._line_free_at
            await spend(n_bytes)  # type: ignore[misc]
            waits.append(n_bytes)
            assert proxy._line_free_at >= before + n_bytes / 1e9

        monkeypatch.setattr(proxy, "_spend", counted)
        with closing(http.client.HTTPConnection("127.0.0.1", proxy.port)) as client:
            assert get(client) == BIG
            client.request("PUT", "/a", BIG)
            n_told = len(client.getresponse().read())
    assert sum(waits) == 2 * len(BIG) + n_told


def test_it_runs_as_a_program(upstream: SmallServer) -> None:
    """It prints its port, serves until its input ends, and tells what came."""
    program = Path(__file__).with_name("run_proxy.py")
    command = [sys.executable, str(program), "--upstream-port", str(upstream.server_port)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with closing(http.client.HTTPConnection("127.0.0.1", port)) as client:
            assert get(client) == BIG
            assert get(client, "/a?list-type=2") == BIG
        told, _ = process.communicate(timeout=30)
    assert json.loads(told) == {
        "n_requests": {"GET": 1, "LIST": 1},
        "n_faults": 0,
        "n_body_bytes": 2 * len(BIG),
        "max_in_flight": 1,
    }
