"""Moto on loopback: an S3 server in this process, which takes any keys."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

__all__ = ["S3Server", "put_into_memory", "running_moto"]

REGION = "us-east-1"
_ACCOUNT = "123456789012"


@dataclass
class S3Server:
    """A moto server on loopback that records its requests and can be told to refuse some."""

    endpoint_url: str = ""
    requests: list[str] = field(default_factory=list)
    n_refusals: int = 0
    """How many of the next requests are answered with 503 SlowDown."""
    answer: Callable[[str], tuple[str, str] | None] = lambda _: None
    """Called with each request; what it returns, status and XML, is the answer instead."""

    @property
    def port(self) -> int:
        return int(self.endpoint_url.rpartition(":")[2])

    @property
    def options(self) -> dict[str, object]:
        return {"endpoint_url": self.endpoint_url, "region": REGION}

    def n_lists(self) -> int:
        return sum("list-type=2" in request for request in self.requests)

    def wrap(self, app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        def counted(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            address = f"{environ['PATH_INFO']}?{environ['QUERY_STRING']}"
            request = f"{environ['REQUEST_METHOD']} {address}"
            self.requests.append(request)
            answer = self.answer(request)
            if answer is not None:
                start_response(answer[0], [("Content-Type", "application/xml")])
                return [answer[1].encode()]
            if self.n_refusals > 0:
                self.n_refusals -= 1
                start_response("503 Slow Down", [("Content-Type", "application/xml")])
                return [
                    b"<Error><Code>SlowDown</Code>"
                    b"<Message>Please reduce your request rate.</Message></Error>"
                ]
            return app(environ, start_response)

        return counted


@contextmanager
def running_moto() -> Iterator[S3Server]:
    """Serve from a thread."""
    from moto.moto_server import werkzeug_app as moto
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = S3Server()
    http = make_server(
        "127.0.0.1",
        0,
        server.wrap(moto.DomainDispatcherApplication(moto.create_backend_app)),
        threaded=True,
        request_handler=moto.MotoRequestHandler,
    )
    server.endpoint_url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield server
    http.shutdown()
    thread.join()
    http.server_close()


def put_into_memory(bucket: str, keys: Iterable[str], content: bytes) -> None:
    """Put many objects into the server's memory instead of through its door."""
    from moto.s3.models import s3_backends

    backend = s3_backends[_ACCOUNT]["aws"]
    for key in keys:
        backend.put_object(bucket, key, content)
