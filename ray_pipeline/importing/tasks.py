"""The workers' tasks in an import: read and split chunks, merge and write buckets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ray_pipeline.importing.chunks import Chunk
from ray_pipeline.importing.columns import ColumnPlan
from ray_pipeline.importing.reading import Tally, column_type, read_span
from ray_pipeline.importing.sources import SourceFile
from ray_pipeline.importing.splitting import FRAGMENTS, fragments_of, pieces_of
from ray_pipeline.importing.writing import BucketReport, write_bucket
from ray_pipeline.panel.reading_rules import TimeRules
from ray_pipeline.storage import FileSystem, RunDirectory, open_filesystem
from ray_pipeline.storage.documents import canonical_json

__all__ = ["REPORTS", "ImportJob", "cut_chunk", "finish_bucket", "marker_of", "record_of"]

REPORTS = pa.schema([("report", pa.string())])

_TALLY_BUCKET = -1
"""Key of a fragment without rows that holds a chunk's counts."""


@dataclass(frozen=True, slots=True)
class ImportJob:
    """What every task of one round needs to know.

    Attributes
    ----------
    source, source_options
        Address of the sources, and the options of their store.
    out
        Root of the panel.
    interval
        Bar interval, as the layout names it.
    files
        The sources of this round, in order.
    plan
        Columns of the output.
    rules
        How times are read.
    n_buckets
        Number of buckets for symbols and years.
    finished
        Buckets that an earlier, interrupted round has written.
    existing
        Names of the panel's files that existed when the round began.
    since_ns
        Rows before this time are dropped; None: none.
    round_folder
        Where buckets are recorded, below `out`.
    """

    source: str
    source_options: Mapping[str, Any]
    out: RunDirectory
    interval: str
    files: tuple[SourceFile, ...]
    plan: ColumnPlan
    rules: TimeRules
    n_buckets: int
    finished: frozenset[int]
    existing: frozenset[str]
    since_ns: int | None
    round_folder: str


def cut_chunk(job: ImportJob, chunk: Chunk) -> Iterator[pa.Table]:
    """Read a chunk and yield its fragments, then one with its counts."""
    fs = _filesystem(job.source, json.dumps(dict(job.source_options), sort_keys=True))
    tally, part = Tally(), 0
    for span in chunk.spans:
        source = job.files[span.source]
        for rows in read_span(fs, source, span, job.plan, job.rules, job.since_ns, tally):
            fragments = fragments_of(rows.table, rows.symbols, chunk.index, part, job.n_buckets)
            part += 1
            if job.finished:
                fragments = _unfinished(fragments, job.finished, tally)
            yield fragments
    counts = json.dumps(asdict(tally)).encode()
    yield pa.table([[_TALLY_BUCKET], [chunk.index], [0], [counts], [b""]], schema=FRAGMENTS)


def finish_bucket(job: ImportJob, fragments: pa.Table) -> Iterator[pa.Table]:
    """Write the buckets of some fragments, and yield the result of each, as JSON.

    All fragments of a bucket have to be here.
    """
    order = pc.sort_indices(
        fragments, [(name, "ascending") for name in ("bucket", "chunk", "part")]
    ).to_pylist()
    heads, rows = fragments["head"], fragments["rows"]
    buckets = fragments["bucket"].to_pylist()
    at = 0
    while at < len(order):
        bucket, end = buckets[order[at]], at
        while end < len(order) and buckets[order[end]] == bucket:
            end += 1
        of_bucket = order[at:end]
        at = end
        if bucket == _TALLY_BUCKET:
            tallies = [json.loads(heads[i].as_py()) for i in of_bucket]
            yield _reports([{"tally": tally} for tally in tallies])
            continue
        types = [(name, column_type(kind)) for name, kind in job.plan.types]
        pieces = (
            piece for i in of_bucket for piece in pieces_of(heads[i].as_py(), rows[i].as_buffer())
        )
        report = write_bucket(job.out, job.interval, bucket, pieces, job.existing, types)
        document = report.document()
        job.out.write_json(marker_of(job.round_folder, bucket), document)
        yield _reports([document])


def marker_of(round_folder: str, bucket: int) -> str:
    """Name the record of a finished bucket."""
    return f"{round_folder}/bucket-{bucket:05d}.json"


def record_of(document: Mapping[str, Any]) -> BucketReport | Tally:
    """Read what `finish_bucket` yields."""
    if "tally" in document:
        return Tally(**document["tally"])
    return BucketReport.of(dict(document))


def _unfinished(fragments: pa.Table, finished: frozenset[int], tally: Tally) -> pa.Table:
    """Drop, and count, rows of buckets that are already written."""
    is_done = pc.is_in(fragments["bucket"], pa.array(sorted(finished), pa.int32()))
    for head in fragments.filter(is_done)["head"].to_pylist():
        tally.n_finished += sum(n_rows for _, _, n_rows in json.loads(head))
    return fragments.filter(pc.invert(is_done))


def _reports(documents: Sequence[Mapping[str, Any]]) -> pa.Table:
    return pa.table([[canonical_json(each) for each in documents]], schema=REPORTS)


@lru_cache(maxsize=4)
def _filesystem(uri: str, options: str) -> FileSystem:
    return open_filesystem(uri, json.loads(options))[0]
