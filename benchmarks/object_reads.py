"""Reading the files of a symbol from S3, beside a plain download of the same bytes.

    python benchmarks/object_reads.py
    python benchmarks/object_reads.py --files 50 --mbit 0

The store is SeaweedFS, behind a proxy that keeps each request waiting for the latency and shares
the line's bandwidth among all answers; both are processes of their own. A plain download keeps the
bytes and decodes nothing; all other ways end with one Arrow table of all files. Every way is
measured in turn, several times over; the medians are told. `--mbit 0` takes the line away: then
the two cores that store, proxy, client and decoding share are the limit, not the network.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import s3fs
from botocore.config import Config
from pyarrow.fs import S3FileSystem

from ray_pipeline.discovery import discover
from ray_pipeline.panel import read_columns
from ray_pipeline.storage import open_filesystem

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path.insert(0, str(TESTS))
from object_stores.seaweedfs import REGION, SeaweedFS  # noqa: E402

BUCKET = "reads"
ROOT = f"{BUCKET}/panel"
N_COLUMNS = 50
N_ROWS = 13_000  # of random floats, which do not compress: 5 MB
N_THREADS = 16

Way = Callable[[], object]


def put_files(server: SeaweedFS, n_files: int) -> int:
    """Put the files of one symbol; return their bytes."""
    client = server.client(max_pool_connections=N_THREADS)
    client.create_bucket(Bucket=BUCKET)

    def put(i: int) -> int:
        rng = np.random.default_rng(i)
        table = pa.table({f"f{j}": rng.normal(size=N_ROWS) for j in range(N_COLUMNS)})
        sink = io.BytesIO()
        pq.write_table(table, sink, use_dictionary=False, compression="zstd")
        key = f"panel/symbol=A/{i:05}.parquet"
        client.put_object(Bucket=BUCKET, Key=key, Body=sink.getvalue())
        return len(sink.getvalue())

    with ThreadPoolExecutor(4) as pool:
        return sum(pool.map(put, range(n_files)))


@contextmanager
def proxy(port: int, latency_ms: float, mbit: float) -> Iterator[tuple[str, Callable[[], str]]]:
    """Run the proxy; give its address, and a function that ends it and tells what came."""
    program = str(TESTS / "object_stores" / "run_proxy.py")
    line = ["--bytes-per-s", str(mbit * 1e6 / 8)] if mbit else []
    command = [sys.executable, program, "--upstream-port", str(port)]
    with subprocess.Popen(
        [*command, "--latency-s", str(latency_ms / 1e3), *line],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        if process.stdout is None or process.stdin is None:
            raise SystemExit("no pipes to the proxy")

        def end() -> str:
            return process.communicate()[0]

        yield f"http://127.0.0.1:{process.stdout.readline().strip()}", end


def plain_download(url: str) -> Way:
    """Keep the bytes of all objects, sixteen at a time."""
    config = Config(max_pool_connections=N_THREADS)
    client = boto3.client("s3", endpoint_url=url, region_name=REGION, config=config)
    listed = client.list_objects_v2(Bucket=BUCKET, Prefix="panel/")["Contents"]

    def get(item: dict[str, str]) -> bytes:
        body: bytes = client.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()
        return body

    def download() -> object:
        with ThreadPoolExecutor(N_THREADS) as pool:
            return list(pool.map(get, listed))

    return download


def ours(url: str) -> Way:
    """Read the symbol as a stage does."""
    options = {"endpoint_url": url, "region": REGION}
    (partition,) = discover(f"s3://{ROOT}", storage_options=options).partitions
    fs, _ = open_filesystem(f"s3://{ROOT}", options)
    return lambda: read_columns(partition, fs)


def ours_ten_columns(url: str) -> Way:
    """Read ten of the fifty columns."""
    options = {"endpoint_url": url, "region": REGION}
    (partition,) = discover(f"s3://{ROOT}", storage_options=options).partitions
    fs, _ = open_filesystem(f"s3://{ROOT}", options)
    names = [f"f{j}" for j in range(10)]
    return lambda: read_columns(partition, fs, names)


def arrow_dataset(url: str) -> Way:
    """Read a data set with Arrow's own S3 client, in C++ and threads."""
    fs = S3FileSystem(endpoint_override=url, region=REGION)
    return lambda: ds.dataset(ROOT, filesystem=fs, format="parquet").to_table()


def one_by_one(url: str) -> Way:
    """Open one file after the other with s3fs, as one would write it."""
    fs = s3fs.S3FileSystem(endpoint_url=url, client_kwargs={"region_name": REGION})

    def read(path: str) -> pa.Table:
        with fs.open(path) as file:
            return pq.read_table(file)

    return lambda: pa.concat_tables(map(read, fs.find(ROOT)))


WAYS: dict[str, Callable[[str], Way]] = {
    "plain download, 16 threads": plain_download,
    "ray_pipeline": ours,
    "pyarrow dataset": arrow_dataset,
    "s3fs + pyarrow, file by file": one_by_one,
    "ray_pipeline, 10 of 50 columns": ours_ten_columns,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--latency-ms", type=float, default=30.0)
    parser.add_argument("--mbit", type=float, default=1000.0, help="of the line; 0: no limit")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    os.environ.update(SeaweedFS.admin.environment)
    with tempfile.TemporaryDirectory() as folder, SeaweedFS(Path(folder)) as server:
        n_bytes = put_files(server, options.files)
        line = f"a line of {options.mbit:g} Mbit/s" if options.mbit else "no limit on the line"
        print(
            f"{options.files} files, {n_bytes / 1e6:,.0f} MB; {options.latency_ms:g} ms per "
            f"request, {line}"
        )
        seconds: dict[str, list[float]] = {name: [] for name in WAYS}
        sent: dict[str, str] = {}
        for _ in range(options.repeats):
            for name, prepare in WAYS.items():
                with proxy(server.port, options.latency_ms, options.mbit) as (url, end):
                    read = prepare(url)
                    start = time.perf_counter()
                    kept = read()
                    seconds[name].append(time.perf_counter() - start)
                    del kept
                    counts = json.loads(end())["n_requests"]
                    sent[name] = ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items()))
        plain = statistics.median(seconds["plain download, 16 threads"])
        for name, some in seconds.items():
            wall = statistics.median(some)
            print(f"{name:31} {wall:6.2f} s  {plain / wall:5.0%} of plain  {sent[name]}")


if __name__ == "__main__":
    main()
