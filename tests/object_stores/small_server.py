"""A small HTTP/1.1 server, and ways to ask it."""

from __future__ import annotations

import http.client
import json
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from object_stores.proxy import FaultyProxy

__all__ = ["BIG", "SmallServer", "connect_to", "get", "read_all"]

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


class SmallServer(ThreadingHTTPServer):
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


def get(
    client: http.client.HTTPConnection,
    path: str = "/a",
    method: str = "GET",
    body: bytes | None = None,
) -> bytes:
    client.request(method, path, body)
    return client.getresponse().read()


def connect_to(proxy: FaultyProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=30)


def read_all(sock: socket.socket) -> bytes:
    received = b""
    while piece := sock.recv(2**16):
        received += piece
    return received
