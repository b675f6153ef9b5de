"""An import from beginning to end: inspect, plan, shuffle round by round, account for every row."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ray_pipeline.discovery.patterns import LayoutPattern
from ray_pipeline.discovery.unfinished import BOOKS, UNFINISHED
from ray_pipeline.driving.progress import Reporter
from ray_pipeline.errors import ConfigError, ExecutionError
from ray_pipeline.importing.chunks import Extent, chunks_of, n_buckets_for
from ray_pipeline.importing.columns import ColumnPlan, Given, plan_columns
from ray_pipeline.importing.ledger import Ledger, local_digest, round_name, rounds_of
from ray_pipeline.importing.outcome import Imported
from ray_pipeline.importing.panel_files import panel_files
from ray_pipeline.importing.reading import Tally, look_at
from ray_pipeline.importing.sampling import SampledTimes, interval_of, sample_times
from ray_pipeline.importing.shuffle import ray_for_import, shuffled
from ray_pipeline.importing.sources import SourceFile, find_sources
from ray_pipeline.importing.tasks import ImportJob, marker_of, record_of
from ray_pipeline.importing.times import require_one_clock
from ray_pipeline.importing.writing import BucketReport
from ray_pipeline.intervals import parse_interval
from ray_pipeline.panel.reading_rules import MissingHour, RepeatedHour, TimeRules, TimeUnit
from ray_pipeline.panel.time_formats import format_problem
from ray_pipeline.predicting.times import since_ns
from ray_pipeline.storage import (
    FileSystem,
    RunDirectory,
    absolute_uri,
    open_filesystem,
    overlap,
    uri_of,
)
from ray_pipeline.storage.lease import DriverLease
from ray_pipeline.wording import plural

__all__ = ["ImportOptions", "import_panel"]

_N_THREADS = 16
_TELL_S = 5.0
_MOST, _ENOUGH = 0.5, 20


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """The user's options.

    Attributes
    ----------
    interval
        Bar interval of all rows, e.g. ``5m``.
    columns
        Column names by role: time, time_of_day, symbol, open, high, low, close, volume. Columns
        that form the symbol together are joined by a plus.
    header
        Column names for text files without a header.
    wide
        Name of the values if each column except the time is a symbol; None if not.
    symbol_from_path
        Pattern of the paths below the source, which contain the symbol.
    time_unit, time_format, time_zone, repeated_hour, missing_hour, trading_date
        As the keys of these names below ``data`` in a config.
    encoding
        Of text files.
    since
        Omit rows before this time, ISO 8601, in UTC unless it has another zone.
    address
        Address of the Ray cluster; None: as for a run.
    source_options, out_options
        fsspec options of the stores that are not secrets.
    """

    interval: str
    columns: Mapping[str, str] = field(default_factory=dict)
    header: Sequence[str] = ()
    wide: str | None = None
    symbol_from_path: str | None = None
    time_unit: TimeUnit | None = None
    time_format: str | None = None
    time_zone: str | None = None
    repeated_hour: RepeatedHour = "rows"
    missing_hour: MissingHour = "refuse"
    trading_date: bool = False
    encoding: str = "utf-8"
    since: str | None = None
    address: str | None = None
    source_options: Mapping[str, Any] = field(default_factory=dict)
    out_options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def given(self) -> Given:
        """The options for columns."""
        return Given(
            tuple(sorted(self.columns.items())),
            tuple(self.header),
            self.wide or "",
            self.encoding,
        )

    @property
    def how(self) -> tuple[str, ...]:
        """The options that affect how a file's rows are read, as on the command line."""
        usual = ImportOptions(self.interval)
        names = (
            *("columns", "header", "wide", "symbol_from_path", "time_unit", "time_format"),
            *("time_zone", "repeated_hour", "missing_hour", "trading_date", "encoding"),
        )
        told = []
        for name in names:
            value = getattr(self, name)
            if value == getattr(usual, name):
                continue
            option = f"--{name.replace('_', '-')}"
            if isinstance(value, Mapping):
                value = ",".join(f"{role}={column}" for role, column in sorted(value.items()))
            elif not isinstance(value, str | bool):
                value = ",".join(value)
            told.append(option if value is True else f"{option} {value}")
        return tuple(told)

    @property
    def rules(self) -> TimeRules:
        """How times are read.

        Raises
        ------
        ConfigError
            When one of these is invalid.
        """
        try:
            ZoneInfo(self.time_zone or "UTC")
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ConfigError(
                f"--time-zone {self.time_zone}: there is no such zone. Give an IANA name like "
                "America/New_York."
            ) from error
        if self.trading_date and parse_interval(self.interval).is_intraday:
            raise ConfigError(
                f"--trading-date is for daily and longer bars; those of --interval {self.interval} "
                "would all get the same time of day. Omit it."
            )
        try:
            "".encode(self.encoding)
        except LookupError as error:
            raise ConfigError(
                f"--encoding {self.encoding}: there is no such encoding; examples are latin-1, "
                "cp1252 and utf-16."
            ) from error
        problem = None if self.time_format is None else format_problem(self.time_format)
        if problem is not None:
            raise ConfigError(f"--time-format {self.time_format}: {problem}.")
        return TimeRules(
            unit=self.time_unit,
            format=self.time_format,
            zone=self.time_zone,
            repeated_hour=self.repeated_hour,
            missing_hour=self.missing_hour,
            trading_date=self.trading_date,
        )


def import_panel(source: str, out: str, options: ImportOptions, reporter: Reporter) -> Imported:
    """Convert tables of many symbols to the project's layout.

    Sources that were imported before and have not changed since are skipped. Among rows with the
    same symbol and time, the one from the later source counts, and a new one replaces one in the
    panel.

    Raises
    ------
    ConfigError
        When the options contradict each other, or `out` cannot be used.
    DiscoveryError
        When there is nothing to import.
    DataError
        When a source cannot be read, or sources contradict each other.
    ExecutionError
        When Ray fails.
    StorageError
        When the storage fails.
    """
    start = time.monotonic()
    parse_interval(options.interval)
    since = None if options.since is None else since_ns(options.since)
    rules = options.rules
    pattern = None
    if options.symbol_from_path is not None:
        pattern = LayoutPattern(options.symbol_from_path, any_files=True)
    panel = RunDirectory(out, options.out_options)
    _require_apart(source, out, options)
    fs, path = open_filesystem(source, options.source_options)
    found = find_sources(fs, path, pattern, options.interval)
    books = panel.below(BOOKS)
    done = Imported(uri_of(fs, path), panel.uri, options.interval, passed_over=found.passed_over)
    with DriverLease(books, reporter.say, "--out").held() as lease:
        ledger = Ledger.read(books, options.interval)
        _require_same_options(ledger, [_address(fs, each) for each in found.files], options)
        digest = partial(local_digest, fs)
        todo = [
            each for each in found.files if not ledger.has(_address(fs, each), each, since, digest)
        ]
        done.n_files, done.n_known_files = len(todo), len(found.files) - len(todo)
        done.source_bytes = sum(each.file.size_bytes for each in todo)
        panel_files(panel, options.interval)  # before anything is started
        if todo:
            reporter.say(f"looking at {len(todo):,} of {plural(len(found.files), 'file')}")
            done.plan, extents = _look(fs, todo, options.given, rules)
            _require_interval(sample_times(fs, todo, options.given, rules), options.interval)
            books.write_json(UNFINISHED, {"source": done.source})
            with ray_for_import(options.address, reporter.say):
                for files, sizes in rounds_of(todo, extents):
                    lease.check()
                    job = _job(source, panel, options, files, sizes, done.plan, since)
                    _run_round(job, sizes, done, reporter)
                    with ThreadPoolExecutor(_N_THREADS) as pool:
                        digests = list(pool.map(digest, files))
                    for each, known in zip(files, digests, strict=True):
                        ledger.note(_address(fs, each), each, since, options.how, known)
                    ledger.write(books)
                    panel.remove(job.round_folder)
            books.remove(UNFINISHED)
        present = panel_files(panel, options.interval)
    done.panel_files, done.panel_bytes = len(present), sum(present.values())
    done.panel_symbols = present.n_symbols
    done.seconds = time.monotonic() - start
    return done


def _require_same_options(ledger: Ledger, addresses: Sequence[str], options: ImportOptions) -> None:
    """Refuse to read the panel's sources in another way: rows from before would stay."""
    for address in addresses:
        before = ledger.read_otherwise(address, options.how)
        if before is not None:
            raise ConfigError(
                f"{address} was imported before with {before}, and now with "
                f"{' '.join(options.how) or 'no such option'}: rows from then would stay. Import "
                "into a new folder, or use the same options."
            )


def _require_interval(times: SampledTimes, interval: str) -> None:
    """Refuse an interval that differs from the distance between rows.

    Raises
    ------
    ConfigError
        With the most frequent interval.
    """
    step, share, n_steps = times.usual_step
    told = None if step is None or n_steps < _ENOUGH else interval_of(step)
    if told is None or share <= _MOST or parse_interval(interval).has_step(step or 0):
        return
    raise ConfigError(
        f"--interval {interval}: {share:.0%} of the inspected rows follow the previous one by "
        f"{told}. Set --interval {told}."
    )


def _address(fs: FileSystem, source: SourceFile) -> str:
    return uri_of(fs, source.file.path)


def _require_apart(source: str, out: str, options: ImportOptions) -> None:
    for uri in (source, out):
        if uri.startswith("memory://"):
            raise ConfigError(
                f"{uri} is in the memory of this process, which Ray's workers cannot read. "
                "Use a folder or a store."
            )
    if overlap(source, out, options.source_options, options.out_options):
        raise ConfigError(
            f"--out {out} and the source {source} lie in one another: what is written would be "
            "read again. Give another folder."
        )


def _look(
    fs: FileSystem, files: Sequence[SourceFile], given: Given, rules: TimeRules
) -> tuple[ColumnPlan, tuple[Extent, ...]]:
    """Inspect the columns, times and sizes of all files, several at a time."""
    with ThreadPoolExecutor(_N_THREADS) as pool:
        looks = list(pool.map(lambda each: look_at(fs, each, given, rules), files))
    seen = [
        (_address(fs, file), each) for file, its in zip(files, looks, strict=True) for each in its
    ]
    require_one_clock(((address, look.clock) for address, look in seen), rules)
    columns = [(address, look.columns, look.kinds) for address, look in seen]
    return plan_columns(columns, given), tuple(its[0].extent for its in looks)


def _job(
    source: str,
    panel: RunDirectory,
    options: ImportOptions,
    files: tuple[SourceFile, ...],
    extents: Sequence[Extent],
    plan: ColumnPlan,
    since: int | None,
) -> ImportJob:
    """Describe a round; buckets that it wrote before an interruption are finished."""
    n_buckets = n_buckets_for(extents)
    settings = [n_buckets, since, asdict(plan.given), plan.types, asdict(options.rules)]
    folder = f"{BOOKS}/round-{round_name(options.interval, files, settings)}"
    names = {marker_of(folder, bucket): bucket for bucket in range(n_buckets)}
    return ImportJob(
        source=absolute_uri(source),
        source_options=options.source_options,
        out=panel,
        interval=options.interval,
        files=files,
        plan=plan,
        rules=options.rules,
        n_buckets=n_buckets,
        finished=frozenset(names[name] for name in panel.list(folder) if name in names),
        existing=frozenset(panel_files(panel, options.interval)),
        since_ns=since,
        round_folder=folder,
    )


def _run_round(
    job: ImportJob, extents: Sequence[Extent], done: Imported, reporter: Reporter
) -> None:
    """Run a round and count how its rows were used; each of them has to be accounted for."""
    chunks = chunks_of(extents)
    for bucket in sorted(job.finished):
        _count(record_of(job.out.read_document(marker_of(job.round_folder, bucket))), done)
    if job.finished:
        reporter.say(f"{len(job.finished)} of {job.n_buckets} buckets are written already")
    reporter.say(
        f"reading {plural(len(job.files), 'file')} in {plural(len(chunks), 'chunk')}, for "
        f"{plural(job.n_buckets, 'bucket')}"
    )
    tally, written, buckets = Tally(), 0, set[int]()
    told = time.monotonic()
    for document in shuffled(job, chunks):
        record = record_of(document)
        _count(record, done)
        if isinstance(record, Tally):
            tally.add(record)
        else:
            if record.bucket in buckets:
                raise ExecutionError(
                    f"Ray Data told of bucket {record.bucket} twice, so that its files are not "
                    "whole. Run the same command again."
                )
            buckets.add(record.bucket)
            written += record.written.n_rows
            if time.monotonic() - told > _TELL_S:
                told = time.monotonic()
                reporter.say(
                    f"{len(buckets) + len(job.finished)} of {job.n_buckets} buckets are written"
                )
    accounted = written + tally.n_finished + sum(tally.dropped.values())
    if accounted != tally.n_read:
        raise ExecutionError(
            f"{tally.n_read:,} rows were read and {accounted:,} are accounted for: Ray lost some "
            "on the way. Run the same command again."
        )


def _count(record: BucketReport | Tally, done: Imported) -> None:
    if isinstance(record, Tally):
        done.n_read += record.n_read
        done.dropped.update(record.dropped)
        done.assumed.update(record.assumed)
    else:
        done.written.add(record.written)
        done.symbols.update(record.symbols)
