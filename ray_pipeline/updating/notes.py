"""Notes of an update about rows that the ledger keeps unchanged, or never gets (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from ray_pipeline.monitoring.gaps import MANY
from ray_pipeline.panel.mended_bars import split_ratio
from ray_pipeline.panel.newest_flaws import NewestFlaw
from ray_pipeline.training.served_jobs import ServedJob
from ray_pipeline.wording import iso_time, plural, some_of

__all__ = ["flaw_notes", "gone_notes", "late_notes", "revised_notes", "standing_still"]

_KEY = ["ts", "symbol", "target"]
_N_NAMED = 5


def revised_notes(
    predictions: pa.Table, known: pa.Table, outcomes: pa.Table, known_outcomes: pa.Table
) -> list[str]:
    """Say where recent data give other features or labels than the ledger has.

    Parameters
    ----------
    predictions, outcomes
        As computed from the current data, for the rows of the last days.
    known, known_outcomes
        As recorded in the ledger.
    """
    now = predictions.select([*_KEY, "version", "inputs_sha256"])
    then = known.select([*_KEY, "version", "inputs_sha256"])
    both = now.join(then, [*_KEY, "version"], join_type="inner", right_suffix="_then")
    other = both.filter(pc.not_equal(both["inputs_sha256"], both["inputs_sha256_then"]))
    notes = [
        f"{symbol}: {plural(n_rows, 'prediction')} since {iso_time(first_ns)[:16]} saw other "
        "features than its data give now; the ledger keeps them"
        for symbol, n_rows, first_ns in _by_symbol(other)
    ]
    labels = outcomes.select([*_KEY, "actual"])
    both = labels.join(
        known_outcomes.select([*_KEY, "actual"]), _KEY, join_type="inner", right_suffix="_then"
    )
    other = both.filter(pc.not_equal(both["actual"], both["actual_then"]))
    notes += [
        f"{symbol}: {plural(n_rows, 'outcome')} since {iso_time(first_ns)[:16]} would be "
        "others by its data of now; the ledger keeps what was known first"
        for symbol, n_rows, first_ns in _by_symbol(other)
    ]
    return notes


def late_notes(
    n_rows: Mapping[str, int], known: pa.Table, until_ns: int, from_ns: int
) -> list[str]:
    """Say which symbols have rows that arrived too late to be scored.

    Parameters
    ----------
    n_rows
        Rows from `until_ns` on and before `from_ns` that models could have scored, by symbol.
    known
        The content of the ledger.
    """
    times = known["ts"].cast(pa.int64())
    inside = pc.and_(pc.greater_equal(times, until_ns), pc.less(times, from_ns))
    rows = known.filter(inside).select(["symbol", "ts"]).group_by(["symbol", "ts"]).aggregate([])
    counts: dict[str, int] = {}
    for symbol in rows["symbol"].to_pylist():
        counts[symbol] = counts.get(symbol, 0) + 1
    return [
        f"{symbol}: {plural(n - counts.get(symbol, 0), 'row')} before "
        f"{iso_time(from_ns)[:16]} came too late to be scored"
        for symbol, n in sorted(n_rows.items())
        if n > counts.get(symbol, 0)
    ]


def flaw_notes(flaws: Mapping[str, Sequence[NewestFlaw]]) -> list[str]:
    """Report faulty new bars, by symbol; `standing_still` reports those that repeat."""
    notes = []
    for symbol, found in sorted(flaws.items()):
        for each in found:
            at = iso_time(each.time_ns)[:16]
            if each.kind == "split":
                notes.append(
                    f"{symbol}: prices before {at} are not adjusted for what looks like a split "
                    f"({split_ratio(each.size)}): labels across it are wrong, and the ledger keeps "
                    "them. Adjust the prices, or set data.splits, before the next update"
                )
            elif each.kind == "tick":
                notes.append(
                    f"{symbol}: the bar of {at} is beyond any range of those around: what was "
                    "predicted from it is worth nothing. Mend it, or set data.ticks"
                )
    return notes


def standing_still(
    flaws: Mapping[str, Sequence[NewestFlaw]], n_symbols: int
) -> tuple[str | None, bool]:
    """Say which symbols repeat their last bar, and whether there are enough to blame the feed.

    Returns
    -------
    sentence
        None where none does.
    is_alarm
    """
    since = {
        symbol: each.time_ns
        for symbol, found in sorted(flaws.items())
        for each in found
        if each.kind == "repeated"
    }
    if not since:
        return None, False
    told = (
        f"{len(since)} of {plural(n_symbols, 'symbol')} ({some_of(list(since), _N_NAMED)}) have "
        "the very same bar again and again, volume included, the first since "
        f"{iso_time(min(since.values()))[:16]}: the feed may stand still"
    )
    return told, len(since) > MANY * n_symbols


def gone_notes(
    gone: Mapping[str, Sequence[str]], jobs: Sequence[ServedJob], n_symbols: int
) -> list[str]:
    """Say which columns are gone from the data, and which models learned from them.

    Parameters
    ----------
    gone
        Columns that had values and have none now, by symbol.
    jobs
        Models that serve.
    n_symbols
        Number of symbols in use.
    """
    symbols: dict[str, list[str]] = {}
    for symbol, columns in sorted(gone.items()):
        for column in columns:
            symbols.setdefault(column, []).append(symbol)
    notes = []
    for column, own in sorted(symbols.items()):
        where = f"{len(own)} of {plural(n_symbols, 'symbol')} ({some_of(own, _N_NAMED)})"
        notes.append(f"column {column} is gone from {where}: {_dependents(column, jobs)}")
    return notes


def _dependents(column: str, jobs: Sequence[ServedJob]) -> str:
    targets = dict.fromkeys(job.target for job in jobs)
    if column in targets:
        return "it is the label of a target, of which no outcome becomes known without it"
    models = [job.job_id for job in jobs if column in job.features]
    if not models:
        return (
            "no model that served has it as a feature; what is computed of it, if anything is, has "
            "no value there"
        )
    learned = dict.fromkeys(job.target for job in jobs if column in job.features)
    return (
        f"{plural(len(models), 'model')} that served learned from it "
        f"({some_of(models, _N_NAMED)}; {some_of(list(learned), _N_NAMED)}). Models trained now do "
        "without it there; give it back if that is a mistake, and update again"
    )


def _by_symbol(rows: pa.Table) -> Iterable[tuple[str, int, int]]:
    """Return symbols with their number of timestamps and the first one."""
    found: dict[str, set[int]] = {}
    times = rows["ts"].cast(pa.int64()).to_pylist()
    for symbol, time_ns in zip(rows["symbol"].to_pylist(), times, strict=True):
        found.setdefault(symbol, set()).add(time_ns)
    return [(symbol, len(each), min(each)) for symbol, each in sorted(found.items())]
