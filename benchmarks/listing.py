"""Finding all files of a panel on S3, beside the other ways to do it.

    python benchmarks/listing.py
    python benchmarks/listing.py --symbols 250 --files 40 --latency-ms 5

The store is `list_server.py` in a process of its own: a sorted list in memory that answers each
request after the latency, so that what differs is how many requests a way sends, how many of them
at a time, and what its client makes of the answers. Ours is the whole of `discover()`, from the
address to symbols with sorted files. Each way is warmed up with its first request and measured
once as a whole, ours several times (the median is told). Nothing is extrapolated.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import boto3
import s3fs
from list_server import BUCKET
from pyarrow.fs import FileSelector, FileType, S3FileSystem

from ray_pipeline.discovery import discover

ROOT = f"{BUCKET}/root"
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
REGION = "us-east-1"

Way = Callable[[], int]
"""List everything; return the number of files found."""


@contextmanager
def server(n_symbols: int, n_files: int, latency_ms: float) -> Iterator[str]:
    """Run the store; give its address."""
    program = Path(__file__).with_name("list_server.py")
    size = ["--symbols", str(n_symbols), "--files", str(n_files)]
    with subprocess.Popen(
        [sys.executable, str(program), *size, "--latency-ms", str(latency_ms)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        if process.stdout is None or process.stdin is None:
            raise SystemExit("no pipes to the server")
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.stdin.close()


def ours(url: str) -> Way:
    """Discovery as a run does it."""
    options = {"endpoint_url": url, "region": REGION}

    def list_all() -> int:
        found = discover(f"s3://{ROOT}", storage_options=options)
        return sum(len(partition.files) for partition in found.partitions)

    return list_all


def boto3_pages(url: str) -> Way:
    """One page after the other, with the paginator."""
    client = boto3.client("s3", endpoint_url=url, region_name=REGION)

    def list_all() -> int:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="root/")
        return len([item["Key"] for page in pages for item in page.get("Contents", [])])

    client.head_bucket(Bucket=BUCKET)
    return list_all


def arrow_selector(url: str) -> Way:
    """Arrow's own S3 client, in C++."""
    fs = S3FileSystem(endpoint_override=url, region=REGION)

    def list_all() -> int:
        found = fs.get_file_info(FileSelector(ROOT, recursive=True))
        return sum(info.type is FileType.File for info in found)

    return list_all


def _s3fs(url: str) -> s3fs.S3FileSystem:
    fs = s3fs.S3FileSystem(
        endpoint_url=url, client_kwargs={"region_name": REGION}, use_listings_cache=False
    )
    fs.connect()
    return fs


def s3fs_find(url: str) -> Way:
    """One page after the other, with s3fs."""
    fs = _s3fs(url)
    return lambda: len(fs.find(ROOT))


def s3fs_glob(url: str) -> Way:
    """Match a pattern, as one would write it for a disk."""
    fs = _s3fs(url)
    return lambda: len(fs.glob(f"{ROOT}/*/*.parquet"))


def listing_per_symbol(url: str) -> Way:
    """List the symbols' names, and then each symbol's folder."""
    fs = _s3fs(url)
    return lambda: sum(len(fs.ls(symbol)) for symbol in fs.ls(ROOT, detail=False))


def listing_per_symbol_in_threads(url: str) -> Way:
    """Do the same, sixteen symbols at a time."""
    fs = _s3fs(url)

    def list_all() -> int:
        with ThreadPoolExecutor(16) as pool:
            return sum(map(len, pool.map(fs.ls, fs.ls(ROOT, detail=False))))

    return list_all


WAYS: dict[str, Callable[[str], Way]] = {
    "ray_pipeline, discover()": ours,
    "pyarrow FileSelector(recursive=True)": arrow_selector,
    "boto3 paginator": boto3_pages,
    "s3fs find": s3fs_find,
    "s3fs ls per symbol, 16 threads": listing_per_symbol_in_threads,
    "s3fs ls per symbol": listing_per_symbol,
    "s3fs glob(root/*/*.parquet)": s3fs_glob,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--symbols", type=int, default=2500)
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--latency-ms", type=float, default=30.0)
    parser.add_argument("--repeats", type=int, default=5, help="of ours")
    options = parser.parse_args()
    os.environ.update(KEYS)
    n_keys = options.symbols * options.files
    print(
        f"{n_keys:,} keys ({options.symbols:,} symbols of {options.files} files), "
        f"{options.latency_ms:g} ms per request"
    )
    with server(options.symbols, options.files, options.latency_ms) as url:
        first = 0.0
        for name, prepare in WAYS.items():
            list_all = prepare(url)
            seconds = []
            for _ in range(options.repeats if prepare is ours else 1):
                urlopen(f"{url}/n_requests").close()
                start = time.perf_counter()
                n_found = list_all()
                seconds.append(time.perf_counter() - start)
                if n_found != n_keys:
                    raise SystemExit(f"{name}: {n_found} of {n_keys} keys were found")
            with urlopen(f"{url}/n_requests") as answer:
                n_requests = int(answer.read())
            wall = statistics.median(seconds)
            first = first or wall
            cost = f"{n_requests:6,} requests  {wall:7.2f} s"
            print(f"{name:38} {cost}  {wall / first:6.1f} times ours", flush=True)


if __name__ == "__main__":
    main()
