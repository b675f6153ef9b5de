"""The proxy before a small server: what it leaves alone, what it records, what it spoils."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from object_stores.faults import (
    ACCESS_DENIED,
    SLOW_DOWN,
    Fault,
    Request,
    a_fraction,
    first,
    first_of,
    of_kind,
    reset,
    silence,
)
from object_stores.proxy import FaultyProxy

BIG = bytes(range(256)) * (3 * 2**12)


class _Handler(BaseHTTPRequestHandler):
    """GET gives BIG (in chunks below /chunked, to the end below /old), PUT tells what came."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append(f"{self.command} {self.path}")  # type: ignore[attr-defined]
        if self.path.startswith("/none"):
            self.send_response(204)
            self.end_headers()
            return
        self.send_response(200)
        if self.path.startswith("/chunked"):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for start in range(0, len(BIG), 70_000):
                piece = BIG[start : start + 70_000]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\nX-Sum: 1\r\n\r\n")
            return
        if self.path.startswith("/old"):
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(BIG)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(BIG)

    do_HEAD = do_GET  # noqa: N815 - a name of http.server

    def do_PUT(self) -> None:
        self.server.seen.append(f"{self.command} {self.path}")  # type: ignore[attr-defined]
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        told = json.dumps({"host": self.headers["Host"], "n": len(body), "same": body == BIG})
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told.encode())

    def handle_expect_100(self) -> bool:
        if self.path == "/refused":
            self.send_response(403)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False
        return super().handle_expect_100()

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep quiet."""


class _Upstream(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.n_connections = 0
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: object, client_address: object) -> None:
        self.n_connections += 1
        super().process_request(request, client_address)  # type: ignore[arg-type]

    def handle_error(self, request: object, client_address: object) -> None:
        """Broken connections are what these tests are about."""


@pytest.fixture
def upstream() -> Iterator[_Upstream]:
    with _Upstream() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(upstream: _Upstream) -> Iterator[FaultyProxy]:
    with FaultyProxy(upstream.server_port) as running:
        yield running


@pytest.fixture
def client(proxy: FaultyProxy) -> Iterator[http.client.HTTPConnection]:
    with closing(http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)) as connection:
        yield connection


def _get(
    client: http.client.HTTPConnection,
    path: str = "/a",
    method: str = "GET",
    body: bytes | None = None,
) -> bytes:
    client.request(method, path, body)
    return client.getresponse().read()


def _raw(proxy: FaultyProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=30)


def _read_all(sock: socket.socket) -> bytes:
    received = b""
    while piece := sock.recv(2**16):
        received += piece
    return received


def _pieces_until_timeout(sock: socket.socket) -> Iterator[bytes]:
    try:
        while True:
            piece = sock.recv(2**20)
            assert piece, "the connection was ended"
            yield piece
    except TimeoutError:
        return


@pytest.mark.parametrize("path", ["/a?x=%20+&y=%2F", "/chunked", "/old"])
def test_bodies_come_through_unchanged(client: http.client.HTTPConnection, path: str) -> None:
    """Bodies of known length, in chunks, and up to the end of the connection."""
    assert _get(client, path) == BIG
    assert _get(client, path) == BIG


def test_connections_are_kept_on_both_sides(
    proxy: FaultyProxy, upstream: _Upstream, client: http.client.HTTPConnection
) -> None:
    """Answers with and without a body follow each other on one connection to the server."""
    for method, path in [("HEAD", "/a"), ("GET", "/none"), ("GET", "/a"), ("GET", "/chunked")]:
        answer = _get(client, path, method)
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
    with _raw(proxy) as sock:
        sock.sendall(head + b"Connection: close\r\n\r\n")
        assert sock.recv(2**16).startswith(b"HTTP/1.1 100 ")
        sock.sendall(b"abc")
        assert b'"n": 3' in _read_all(sock)


def test_a_body_that_the_server_refuses_is_not_waited_for(proxy: FaultyProxy) -> None:
    """The server's answer comes through although the body never does."""
    with _raw(proxy) as sock:
        sock.sendall(
            b"PUT /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        )
        assert _read_all(sock).startswith(b"HTTP/1.1 403 ")


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
    proxy.latency_s = 0.5
    barrier = threading.Barrier(4)

    def get(_: int) -> bytes:
        with closing(http.client.HTTPConnection("127.0.0.1", proxy.port)) as connection:
            connection.connect()
            barrier.wait()
            return _get(connection)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(get, range(4))) == {BIG}
    assert [request.n_in_flight for request in proxy.requests] == [1, 2, 3, 4]


def test_an_error_is_that_of_s3_and_the_server_sees_nothing(
    proxy: FaultyProxy, upstream: _Upstream, client: http.client.HTTPConnection
) -> None:
    """One request fails, body and all; the next one on the same connection does not."""
    proxy.rule = first(1, SLOW_DOWN)
    client.request("PUT", "/a", BIG)
    answer = client.getresponse()
    assert answer.status == 503
    assert b"<Code>SlowDown</Code>" in answer.read()
    assert _get(client) == BIG
    assert upstream.seen == ["GET /a"]
    assert [request.fault for request in proxy.requests] == [SLOW_DOWN, None]


def test_an_error_to_a_head_has_no_body(
    proxy: FaultyProxy, client: http.client.HTTPConnection
) -> None:
    """As in S3; the connection stays in step."""
    proxy.rule = first(1, ACCESS_DENIED)
    client.request("HEAD", "/a")
    answer = client.getresponse()
    assert (answer.status, answer.read()) == (403, b"")
    assert _get(client) == BIG


def test_a_refused_upload_is_not_sent(proxy: FaultyProxy) -> None:
    """Who asks for leave to send gets the error in its place."""
    proxy.rule = first(1, ACCESS_DENIED)
    with _raw(proxy) as sock:
        sock.sendall(
            b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        )
        assert b"<Code>AccessDenied</Code>" in _read_all(sock)


@pytest.mark.parametrize("after", [False, True])
def test_a_reset_before_any_answer(
    proxy: FaultyProxy, upstream: _Upstream, client: http.client.HTTPConnection, after: bool
) -> None:
    """Nothing of the answer arrives, whether or not the server has done the work."""
    proxy.rule = first(1, reset(after=after))
    with pytest.raises(ConnectionResetError):
        _get(client, method="PUT", body=b"abc")
    assert upstream.seen == (["PUT /a"] if after else [])
    assert proxy.requests[0].status is None


def test_an_error_after_the_work(
    proxy: FaultyProxy, upstream: _Upstream, client: http.client.HTTPConnection
) -> None:
    """The server's own answer is dropped whole, and the connection goes on."""
    proxy.rule = first(1, Fault("error", 500, "InternalError", "We <did> it.", after=True))
    client.request("PUT", "/a", BIG)
    answer = client.getresponse()
    assert answer.status == 500
    assert b"We &lt;did&gt; it." in answer.read()
    assert _get(client) == BIG
    assert upstream.seen == ["PUT /a", "GET /a"]
    assert upstream.n_connections == 1


@pytest.mark.parametrize("path", ["/a", "/chunked"])
def test_a_reset_in_the_body(
    proxy: FaultyProxy, client: http.client.HTTPConnection, path: str
) -> None:
    """The status and a part of the body arrive before the connection breaks."""
    proxy.rule = first(1, reset(in_body=True))
    client.request("GET", path)
    answer = client.getresponse()
    assert answer.status == 200
    with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
        answer.read()
    assert 0 < proxy.requests[0].n_body_bytes < len(BIG)


def test_a_body_that_ends_too_early(proxy: FaultyProxy, client: http.client.HTTPConnection) -> None:
    """Half of the body arrives, then the end of the connection."""
    proxy.rule = first(1, Fault("end", in_body=True))
    client.request("GET", "/a")
    with pytest.raises(http.client.IncompleteRead) as raised:
        client.getresponse().read()
    assert raised.value.partial == BIG[: len(BIG) // 2]


def test_an_answer_without_a_body_is_lost_whole(
    proxy: FaultyProxy, client: http.client.HTTPConnection
) -> None:
    """A fault in the body of what has none shows before the headers."""
    proxy.rule = first(1, reset(in_body=True))
    client.request("HEAD", "/a")
    with pytest.raises(ConnectionResetError):
        client.getresponse()


@pytest.mark.parametrize(("in_body", "n_expected"), [(False, 0), (True, len(BIG) // 2)])
def test_silence_lasts_until_the_client_hangs_up(
    proxy: FaultyProxy, in_body: bool, n_expected: int
) -> None:
    """Nothing more comes, not even an end, and other requests are served meanwhile."""
    proxy.rule = first(1, silence(in_body=in_body))
    with _raw(proxy) as sock:
        sock.sendall(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        sock.settimeout(0.3)
        received = b"".join(_pieces_until_timeout(sock))
        assert len(received.partition(b"\r\n\r\n")[2]) == n_expected
        with closing(http.client.HTTPConnection("127.0.0.1", proxy.port)) as other:
            assert _get(other) == BIG


def test_silence_ends_with_the_proxy(upstream: _Upstream) -> None:
    """Leaving the ``with`` breaks connections that still wait."""
    with FaultyProxy(upstream.server_port, rule=first(1, silence())) as proxy:
        sock = _raw(proxy)
        sock.sendall(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        while not proxy.requests:
            time.sleep(0.01)
    with sock, pytest.raises(ConnectionResetError):
        sock.recv(1)


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
    proxy: FaultyProxy, upstream: _Upstream, client: http.client.HTTPConnection
) -> None:
    """A kept connection may go stale between two requests of the client."""
    assert _get(client) == BIG
    with _raw(proxy) as sock:
        sock.sendall(b"GET /none HTTP/1.1\r\nHost: a\r\n\r\nGET /none HTTP/1.0\r\n\r\n")
        assert _read_all(sock).count(b" 204 ") == 2
    assert upstream.n_connections == 2


def test_what_a_rule_raises_is_shown(upstream: _Upstream) -> None:
    """A mistake in a rule is not taken for a broken connection."""

    def rule(request: Request) -> Fault | None:
        raise KeyError(request.path)

    def ask() -> None:
        with (
            FaultyProxy(upstream.server_port, rule=rule) as proxy,
            closing(http.client.HTTPConnection("127.0.0.1", proxy.port)) as client,
        ):
            client.request("GET", "/a")
            with pytest.raises(ConnectionResetError):
                client.getresponse()

    with pytest.raises(KeyError, match="/a"):
        ask()


def _request(method: str, query: str = "") -> Request:
    return Request(method, "/", query, {}, 1)


def test_rules_choose_requests() -> None:
    """By number and kind; the first of several rules counts."""
    rule = first_of(first(1, SLOW_DOWN, of_kind("LIST")), first(2, ACCESS_DENIED, of_kind("GET")))
    requests = [_request("GET", "list-type=2&prefix="), _request("PUT"), *[_request("GET")] * 3]
    assert [rule(request) for request in requests] == [
        SLOW_DOWN,
        None,
        ACCESS_DENIED,
        ACCESS_DENIED,
        None,
    ]


def test_a_fraction_is_drawn_by_its_seed() -> None:
    """The same seed spoils the same requests, another one others; all faults occur."""

    def drawn(seed: int, p: float = 0.3) -> list[Fault | None]:
        rule = a_fraction(p, [SLOW_DOWN, reset()], seed, of_kind("GET"))
        return [rule(_request(method)) for method in ("GET", "PUT") * 500]

    assert drawn(1) == drawn(1) != drawn(2)
    assert set(drawn(1)) == {None, SLOW_DOWN, reset()}
    assert 100 < 500 - drawn(1)[::2].count(None) < 200
    assert set(drawn(1)[1::2]) == {None}
    assert None not in drawn(1, p=1.0)[::2]


def test_bandwidth_is_shared(upstream: _Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
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
            assert _get(client) == BIG
            client.request("PUT", "/a", BIG)
            n_told = len(client.getresponse().read())
    assert sum(waits) == 2 * len(BIG) + n_told


def test_it_runs_as_a_program(upstream: _Upstream) -> None:
    """It prints its port, serves until its input ends, and tells what came."""
    program = Path(__file__).with_name("run_proxy.py")
    command = [sys.executable, str(program), "--upstream-port", str(upstream.server_port)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with closing(http.client.HTTPConnection("127.0.0.1", port)) as client:
            assert _get(client) == BIG
            assert _get(client, "/a?list-type=2") == BIG
        told, _ = process.communicate(timeout=30)
    assert json.loads(told) == {
        "n_requests": {"GET": 1, "LIST": 1},
        "n_faults": 0,
        "n_body_bytes": 2 * len(BIG),
        "max_in_flight": 1,
    }
