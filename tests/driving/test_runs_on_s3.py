"""Commands with data and run directory on a real S3 server, and nothing else in common."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from object_stores import faults
from object_stores.proxy import FaultyProxy
from object_stores.seaweedfs import REGION, SHARED_BUCKET, SeaweedFS
from panels import write_config
from run_processes import PLAIN_INSTALLATION, until

pytestmark = pytest.mark.ray


@dataclass(frozen=True)
class Bench:
    """A user whose keys are in the environment alone, and whose store fails at times."""

    server: SeaweedFS
    proxy: FaultyProxy
    folder: Path
    """Where the user works."""
    prefix: str
    """Of the panel and the run in the bucket."""
    ray_folder: Path

    def start(self, *arguments: str, cwd: str = "here") -> subprocess.Popen[str]:
        """Start a command in a folder of its own, which holds nothing but the config."""
        folder = self.folder / cwd
        folder.mkdir(exist_ok=True)
        root = f"s3://{SHARED_BUCKET}/{self.prefix}"
        execution = {"executor": "ray", "address": "local", "n_workers": 2}
        options = {"endpoint_url": self.proxy.endpoint_url, "region": REGION}
        write_config(
            folder / "run.yaml",
            f"{root}/panel",
            f"{root}/run",
            data={"storage_options": options},
            execution=execution,
        )
        kept = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
        return subprocess.Popen(
            [sys.executable, "-m", "ray_pipeline", *arguments],
            cwd=folder,
            env=kept
            | self.server.owner.environment
            | {"AWS_ENDPOINT_URL": self.proxy.endpoint_url, "AWS_DEFAULT_REGION": REGION}
            | {"PYTHONPATH": PLAIN_INSTALLATION, "PYTHONUNBUFFERED": "1"}
            | {"RAY_TMPDIR": str(self.ray_folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def call(self, *arguments: str, cwd: str = "here") -> str:
        """Run a command to its good end, and return all that it said."""
        process = self.start(*arguments, cwd=cwd)
        output, errors = process.communicate(timeout=150)
        assert process.returncode == 0, output + errors
        return output + errors

    def objects(self, below: str) -> dict[str, bytes]:
        """Read all objects of a folder, by their names in it."""
        client = self.server.client()
        start = f"{self.prefix}/{below}"
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=SHARED_BUCKET, Prefix=start)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return {
            key[len(start) :]: client.get_object(Bucket=SHARED_BUCKET, Key=key)["Body"].read()
            for key in keys
        }

    def n_units(self) -> int:
        """Count the finished units."""
        listed = self.server.client().list_objects_v2(
            Bucket=SHARED_BUCKET, Prefix=f"{self.prefix}/run/units/"
        )
        return sum(item["Key"].count("/") == 4 for item in listed.get("Contents", []))


@pytest.fixture
def bench(
    seaweedfs: SeaweedFS, data_dir: Path, tmp_path: Path, ray_folder: Path
) -> Iterator[Bench]:
    """Put the panel into the bucket."""
    prefix = uuid.uuid4().hex
    client = seaweedfs.client()

    def put(path: Path) -> None:
        key = f"{prefix}/panel/{path.relative_to(data_dir).as_posix()}"
        client.put_object(Bucket=SHARED_BUCKET, Key=key, Body=path.read_bytes())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, data_dir.rglob("*.parquet")))
    with FaultyProxy(seaweedfs.port) as proxy:
        yield Bench(seaweedfs, proxy, tmp_path, prefix, ray_folder)


def _content(bench: Bench) -> str:
    content: str = json.loads(bench.objects("run/run.json")[""])["content_sha256"]
    return content


def test_a_run_through_a_store_that_fails_now_and_then(bench: Bench, reference: str) -> None:
    """With 5 % of the requests spoilt the content is that of a run on a disk, and nobody fails.

    Nowhere is a trace of the keys: not in the run directory, not in what was printed, not in what
    Ray logged.
    """
    passing_faults = [
        faults.SLOW_DOWN,
        faults.INTERNAL_ERROR,
        faults.reset(),
        faults.reset(after=True),
        faults.reset(in_body=True),
    ]
    bench.proxy.rule = faults.a_fraction(0.05, passing_faults, seed=3)
    said = bench.call("run", "run.yaml")
    assert sum(request.fault is not None for request in bench.proxy.requests) >= 5
    bench.proxy.rule = None
    assert _content(bench) == reference
    found = bench.objects("run/")
    assert found["failures.parquet"]
    assert "driver.json" not in found
    run_uri = f"s3://{SHARED_BUCKET}/{bench.prefix}/run"
    said += bench.call("status", run_uri) + bench.call("report", run_uri)
    assert "failed" not in said
    logs = {str(path): path.read_bytes() for path in bench.ray_folder.rglob("*") if path.is_file()}
    assert len(logs) > 5
    for secret in bench.server.owner.environment.values():
        for name, content in {**found, **logs, "printed": said.encode()}.items():
            assert secret.encode() not in content, name


def test_a_killed_driver_is_followed_by_one_elsewhere(bench: Bench, reference: str) -> None:
    """Another working directory continues what is on the store, and redoes little of it."""
    first = bench.start("run", "run.yaml")
    until(lambda: bench.n_units() >= 6 or first.poll() is not None)
    first.kill()
    output, errors = first.communicate()
    assert "done" not in output, output + errors
    n_before = bench.n_units()
    said = bench.call("run", "run.yaml", cwd="elsewhere")
    assert f"taking over from process {first.pid} on " in said
    assert "from before" in said
    assert _content(bench) == reference
    assert bench.n_units() > n_before
