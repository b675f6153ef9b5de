"""A small server, a proxy before it, and a client of the proxy."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from object_stores.proxy import FaultyProxy
from object_stores.small_server import SmallServer


@pytest.fixture
def upstream() -> Iterator[SmallServer]:
    with SmallServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(upstream: SmallServer) -> Iterator[FaultyProxy]:
    with FaultyProxy(upstream.server_port) as running:
        yield running


@pytest.fixture
def client(proxy: FaultyProxy) -> Iterator[http.client.HTTPConnection]:
    with closing(http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)) as connection:
        yield connection
