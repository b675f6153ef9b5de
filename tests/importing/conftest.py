from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pytest
from import_data import Interrupted
from small_ray import small_ray

from ray_pipeline.importing import command
from ray_pipeline.importing.chunks import Chunk
from ray_pipeline.importing.tasks import ImportJob, cut_chunk, finish_bucket, record_of


@pytest.fixture(name="interrupt_after")
def serial_shuffle(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Shuffle in this process instead of on Ray, all fragments at once.

    A number in the list interrupts the next import after so many buckets.
    """
    after: list[int] = []

    def shuffled(job: ImportJob, chunks: Sequence[Chunk]) -> Iterator[dict[str, Any]]:
        found = [each for chunk in reversed(chunks) for each in cut_chunk(job, chunk)]
        fragments = pa.concat_tables(reversed(found)).combine_chunks()
        n_left = after.pop() if after else None
        for bucket in sorted(set(fragments["bucket"].to_pylist())):
            if n_left == 0:
                raise Interrupted
            of_bucket = fragments.filter(pa.compute.equal(fragments["bucket"], bucket))
            for reports in finish_bucket(job, of_bucket):
                for report in reports["report"].to_pylist():
                    document = __import__("json").loads(report)
                    if n_left is not None and not hasattr(record_of(document), "n_read"):
                        n_left -= 1
                    yield document

    @contextmanager
    def no_ray(address: str | None, say: Callable[[str], None]) -> Iterator[None]:
        yield

    monkeypatch.setattr(command, "shuffled", shuffled)
    monkeypatch.setattr(command, "ray_for_import", no_ray)
    return after


@pytest.fixture(scope="package")
def ray_of_the_tests(s3_credentials: None) -> Iterator[None]:
    """One small Ray for all tests of the package; one that runs already is used as it is."""
    with small_ray():
        yield
