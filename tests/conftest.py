"""What tests of several packages share: an S3 server of our own, and one store of each kind."""

from __future__ import annotations

import importlib
import logging
import os
import shutil
import sys
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import settings
from object_stores.proxy import FaultyProxy

from ray_pipeline.storage import FileSystem, RunDirectory, open_filesystem

REGION = "us-east-1"

# A busy machine is no failure: tests assert no time.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@dataclass
class S3Server:
    """A moto server on loopback that records its requests and can be told to refuse some."""

    endpoint_url: str = ""
    requests: list[str] = field(default_factory=list)
    n_refusals: int = 0
    """How many of the next requests are answered with 503 SlowDown."""

    @property
    def options(self) -> dict[str, object]:
        return {"endpoint_url": self.endpoint_url, "region": REGION}

    def n_lists(self) -> int:
        return sum("list-type=2" in request for request in self.requests)

    def wrap(self, app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        def counted(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            self.requests.append(
                f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{environ['QUERY_STRING']}"
            )
            if self.n_refusals > 0:
                self.n_refusals -= 1
                start_response("503 Slow Down", [("Content-Type", "application/xml")])
                return [
                    b"<Error><Code>SlowDown</Code>"
                    b"<Message>Please reduce your request rate.</Message></Error>"
                ]
            return app(environ, start_response)

        return counted


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """Start an S3 server in a thread, with the credentials it takes in the environment."""
    pytest.importorskip("s3fs", reason="needs ray-pipeline[s3]")
    moto = pytest.importorskip("moto.moto_server.werkzeug_app", reason="needs moto[server]")
    serving = pytest.importorskip("werkzeug.serving", reason="needs moto[server]")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = S3Server()
    http = serving.make_server(
        "127.0.0.1",
        0,
        server.wrap(moto.DomainDispatcherApplication(moto.create_backend_app)),
        threaded=True,
        request_handler=moto.MotoRequestHandler,
    )
    server.endpoint_url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    with pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "testing")
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            environment.setenv(name, os.devnull)
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
            environment.delenv(name, raising=False)
        yield server
    http.shutdown()
    thread.join()
    http.server_close()


@dataclass(frozen=True)
class Store:
    """An empty place of one kind of storage."""

    kind: str
    uri: str
    options: dict[str, object]
    fs: FileSystem
    path: str

    def put(self, name: str, content: bytes = b"x") -> None:
        self.fs.makedirs(f"{self.path}/{name}".rpartition("/")[0], exist_ok=True)
        self.fs.pipe_file(f"{self.path}/{name}", content)

    def put_many(self, names: Iterable[str], content: bytes = b"x") -> None:
        """Put many small files, on S3 into the server's memory instead of through its door."""
        if self.kind != "s3":
            for name in names:
                self.put(name, content)
            return
        models = pytest.importorskip("moto.s3.models")
        backend = models.s3_backends["123456789012"]["aws"]
        bucket, _, key = self.path.partition("/")
        for name in names:
            backend.put_object(bucket, f"{key}/{name}", content)

    def put_folder(self, name: str) -> None:
        if self.kind == "s3":
            self.fs.pipe_file(f"{self.path}/{name}/", b"")
        else:
            self.fs.makedirs(f"{self.path}/{name}")

    def uri_of(self, name: str) -> str:
        return f"{self.uri}/{name}"


@pytest.fixture
def s3_store(s3_server: S3Server) -> Store:
    """Make a bucket of its own."""
    fs, bucket = open_filesystem(f"s3://test-{uuid.uuid4().hex}", s3_server.options)
    fs.call_s3("create_bucket", Bucket=bucket)
    s3_server.requests.clear()
    return Store("s3", f"s3://{bucket}/root", s3_server.options, fs, f"{bucket}/root")


@pytest.fixture(params=["local", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Make one empty store of each kind in turn."""
    if request.param == "s3":
        yield request.getfixturevalue("s3_store")
        return
    uri = str(tmp_path / "root") if request.param == "local" else f"memory://{uuid.uuid4().hex}"
    fs, path = open_filesystem(uri)
    fs.makedirs(path)
    yield Store(request.param, uri, {}, fs, path)
    if request.param == "local":
        shutil.rmtree(path, ignore_errors=True)
    elif fs.exists(path):
        fs.rm(path, recursive=True)


@dataclass(frozen=True)
class ProxiedBucket:
    """A bucket of its own behind a proxy that counts requests and spoils them."""

    proxy: FaultyProxy
    uri: str
    options: dict[str, object]

    @property
    def run(self) -> RunDirectory:
        return RunDirectory(self.uri, self.options)

    def open(self) -> tuple[FileSystem, str]:
        return open_filesystem(self.uri, self.options)

    def with_options(self, **more: object) -> ProxiedBucket:
        return replace(self, options=self.options | more)


@pytest.fixture
def bucket(s3_store: Store, s3_server: S3Server) -> Iterator[ProxiedBucket]:
    port = urlsplit(s3_server.endpoint_url).port
    assert port is not None
    with FaultyProxy(port) as proxy:
        options = s3_store.options | {"endpoint_url": proxy.endpoint_url}
        yield ProxiedBucket(proxy, s3_store.uri, options)


@pytest.fixture
def own_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Write modules of a user's own into a folder, where Python finds them or (yet) does not.

    Writing one again is an edit followed by a new start of the program: it is imported anew.
    """
    folder = tmp_path / "modules"
    folder.mkdir()
    written: set[str] = set()
    monkeypatch.setattr(sys, "path", list(sys.path))
    # Compiled files tell edits apart by size and second alone.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(name: str, text: str, *, on_path: bool = True) -> Path:
        (folder / f"{name}.py").write_text(text)
        written.add(name)
        sys.modules.pop(name, None)
        importlib.invalidate_caches()
        if on_path and str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
        return folder

    yield write
    for name in written:
        sys.modules.pop(name, None)


@pytest.fixture(scope="session")
def market_data() -> Path:
    """Find the real market panels beside the repository."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the market panels (shared/data beside the repository) are not here")
    return folder
