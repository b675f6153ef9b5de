"""The proxy before a small server: what it spoils, and that it spoils nothing else."""

from __future__ import annotations

import http.client
import time
from contextlib import closing

import pytest

from object_stores.faults import (
    ACCESS_DENIED,
    SLOW_DOWN,
    Fault,
    Request,
    first,
    reset,
    silence,
)
from object_stores.proxy import FaultyProxy
from object_stores.small_server import BIG, SmallServer, connect_to, get, read_all


def test_an_error_is_that_of_s3_and_the_server_sees_nothing(
    proxy: FaultyProxy, upstream: SmallServer, client: http.client.HTTPConnection
) -> None:
    """One request fails, body and all; the next one on the same connection does not."""
    proxy.rule = first(1, SLOW_DOWN)
    client.request("PUT", "/a", BIG)
    answer = client.getresponse()
    assert answer.status == 503
    assert b"<Code>SlowDown</Code>" in answer.read()
    assert get(client) == BIG
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
    assert get(client) == BIG


def test_a_refused_upload_is_not_sent(proxy: FaultyProxy) -> None:
    """Who asks for leave to send gets the error in its place."""
    proxy.rule = first(1, ACCESS_DENIED)
    with connect_to(proxy) as sock:
        sock.sendall(
            b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        )
        assert b"<Code>AccessDenied</Code>" in read_all(sock)


@pytest.mark.parametrize("after", [False, True])
def test_a_reset_before_any_answer(
    proxy: FaultyProxy, upstream: SmallServer, client: http.client.HTTPConnection, after: bool
) -> None:
    """Nothing of the answer arrives, whether or not the server has done the work."""
    proxy.rule = first(1, reset(after=after))
    with pytest.raises(ConnectionResetError):
        get(client, method="PUT", body=b"abc")
    assert upstream.seen == (["PUT /a"] if after else [])
    assert proxy.requests[0].status is None


def test_an_error_after_the_work(
    proxy: FaultyProxy, upstream: SmallServer, client: http.client.HTTPConnection
) -> None:
    """The server's own answer is dropped whole, and the connection goes on."""
    proxy.rule = first(1, Fault("error", 500, "InternalError", "We <did> it.", after=True))
    client.request("PUT", "/a", BIG)
    answer = client.getresponse()
    assert answer.status == 500
    assert b"We &lt;did&gt; it." in answer.read()
    assert get(client) == BIG
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
    with connect_to(proxy) as sock:
        sock.sendall(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        received = b""
        while len(received.partition(b"\r\n\r\n")[2]) < n_expected:
            received += sock.recv(2**20)
        sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        with closing(http.client.HTTPConnection("127.0.0.1", proxy.port)) as other:
            assert get(other) == BIG


def test_silence_ends_with_the_proxy(upstream: SmallServer) -> None:
    """Leaving the ``with`` breaks connections that still wait."""
    with FaultyProxy(upstream.server_port, rule=first(1, silence())) as proxy:
        sock = connect_to(proxy)
        sock.sendall(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        while not proxy.requests:
            time.sleep(0.01)
    with sock, pytest.raises(ConnectionResetError):
        sock.recv(1)


def test_what_a_rule_raises_is_shown(upstream: SmallServer) -> None:
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
