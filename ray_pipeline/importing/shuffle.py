"""The shuffle of an import: Ray Data moves fragments from chunks to buckets, spilling to disk."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import partial
from typing import Any

import pyarrow as pa
import ray

from ray_pipeline.errors import ConfigError, ExecutionError, RayPipelineError
from ray_pipeline.execution.ray_session import RaySession
from ray_pipeline.importing.chunks import Chunk
from ray_pipeline.importing.tasks import ImportJob, cut_chunk, finish_bucket

__all__ = ["ray_for_import", "shuffled"]

_OBJECT_STORE_BYTES = 768 << 20
"""Object store memory of our own Ray. The rest is spilled to disk, so an import of any size
takes no more memory than this, two workers and Ray itself: about 3 GB together."""

_INPUT_BATCH_BYTES = 32 << 20
"""Bytes of fragments that one task of the shuffle sends; with Ray Data's default of 1 GiB, a
worker would hold as much."""


@contextmanager
def ray_for_import(address: str | None, say: Callable[[str], None]) -> Iterator[None]:
    """Join or start a Ray, and leave or stop it afterwards.

    Raises
    ------
    ConfigError
        When Ray Data cannot be imported: it needs pandas.
    ExecutionError
        When Ray is not available.
    """
    try:
        import ray.data  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"The import shuffles through Ray Data, which cannot be imported ({error}). "
            "Run: pip install 'ray-pipeline[import]'"
        ) from error
    say("getting Ray ready")
    session = RaySession(address, object_store_bytes=_OBJECT_STORE_BYTES)
    try:
        # Ray prints its raylets' complaints to standard output, which belongs to results.
        with redirect_stdout(sys.stderr):
            yield
    finally:
        session.close()


def shuffled(job: ImportJob, chunks: Sequence[Chunk]) -> Iterator[dict[str, Any]]:
    """Read all chunks, write all buckets, and yield the reports as they arrive.

    Raises
    ------
    RayPipelineError
        The error that a task raised; an `ExecutionError` if Ray itself failed.
    """
    from ray.data import DataContext
    from ray.data.context import ShuffleStrategy

    context = DataContext.get_current()
    # The second version uses a reduce task per partition, without actors that hold memory.
    strategy = getattr(ShuffleStrategy, "SHUFFLE_V2", ShuffleStrategy.HASH_SHUFFLE)
    settings = {
        "shuffle_strategy": strategy,
        "shuffle_input_batch_bytes": _INPUT_BATCH_BYTES,
        "shuffle_compression": "lz4",
        "enable_progress_bars": False,
        "print_on_execution_start": False,
        "raise_original_map_exception": True,
        "log_internal_stack_trace_to_stdout": False,
    }
    before = {name: getattr(context, name) for name in settings if hasattr(context, name)}
    for name in before:
        setattr(context, name, settings[name])
    # It still logs a traceback of what is raised here.
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    try:
        yield from _reports(job, chunks)
    except (RayPipelineError, ray.exceptions.RayError) as error:
        raise _ours(error) from error
    finally:
        for name, value in before.items():
            setattr(context, name, value)


def _reports(job: ImportJob, chunks: Sequence[Chunk]) -> Iterator[dict[str, Any]]:
    shared = ray.put(job)
    cut: Any = partial(_cut, shared=shared, by_index=ray.put(tuple(chunks)))
    finish: Any = partial(_finish, shared=shared)
    items = [{"chunk": chunk.index} for chunk in chunks]
    dataset = (
        ray.data.from_items(items, override_num_blocks=len(items))
        .map_batches(
            cut,
            batch_size=None,
            batch_format="pyarrow",
            udf_modifying_row_count=True,
        )
        .repartition(job.n_buckets, keys=["bucket"])
        # A batch is a whole partition: a bucket is never in two of them.
        .map_batches(
            finish,
            batch_size=None,
            batch_format="pyarrow",
            zero_copy_batch=True,
            udf_modifying_row_count=True,
        )
    )
    batches: Any = dataset.iter_batches(batch_size=None, batch_format="pyarrow")
    for batch in batches:
        for report in batch["report"].to_pylist():
            yield json.loads(report)


def _cut(batch: pa.Table, shared: Any, by_index: Any) -> Iterator[pa.Table]:
    job, chunks = _got(shared), _got(by_index)
    for index in batch["chunk"].to_pylist():
        yield from cut_chunk(job, chunks[index])


def _finish(batch: pa.Table, shared: Any) -> Iterator[pa.Table]:
    yield from finish_bucket(_got(shared), batch)


def _got(reference: Any) -> Any:
    """Return the value that the driver shared.

    Ray Data retries a task endlessly if Ray itself failed in it; if this worker cannot read what
    the driver wrote, retries do not help.
    """
    try:
        return ray.get(reference)
    except ray.exceptions.RaySystemError as error:
        raise ExecutionError(
            f"A worker cannot read what the driver sent ({' '.join(str(error).split())[:300]}). "
            "Install the same version of ray-pipeline and of its libraries on all nodes."
        ) from None


def _ours(error: BaseException) -> RayPipelineError:
    """Return our error behind one of Ray's, or report Ray's."""
    seen: BaseException | None = error
    while seen is not None:
        # Ray's own has the worker's traceback in its text, and the error itself as its cause.
        cause = getattr(seen, "cause", None) or seen.__cause__
        if isinstance(seen, RayPipelineError) and not isinstance(seen, ray.exceptions.RayError):
            # Ray Data adds how to retry.
            return type(seen)(str(seen).partition("\nFailed to apply UDF")[0])
        seen = cause
    text = " ".join(str(error).split())
    return ExecutionError(
        f"Ray could not finish the import ({type(error).__name__}: {text}). Everything written is "
        "complete: the same command continues from here."
    )
