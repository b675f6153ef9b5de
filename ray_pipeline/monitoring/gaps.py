"""Missing and stalled live predictions, found from the ledger alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ray_pipeline.monitoring.records import Notice
from ray_pipeline.wording import iso_time, plural, some_of

__all__ = ["MANY", "gap_notices"]

_STUCK = 5
"""Consecutive timestamps with identical inputs: prices that do not move, or a stalled feed."""

_LATE = 3
"""Number of a run's timestamps that a symbol may be behind."""

MANY = 0.1
"""Share of the symbols beyond which the whole feed is at fault."""

_N_NAMED = 5


def gap_notices(ledger: pa.Table, served: Collection[str]) -> list[Notice]:
    """Say which symbols have no predictions, no recent ones, or ones from unchanging inputs.

    Parameters
    ----------
    ledger
        ``ts``, ``symbol``, ``prediction``, and ``inputs_sha256`` if available.
    served
        Symbols that have a model.
    """
    if not ledger.num_rows:
        return []
    return [*_missing(ledger, served), *_stopped(ledger), *_stuck(ledger)]


def _missing(ledger: pa.Table, served: Collection[str]) -> Iterator[Notice]:
    missing = sorted(set(served) - set(ledger["symbol"].unique().to_pylist()))
    if missing:
        yield Notice(
            "missing symbols",
            some_of(missing, _N_NAMED),
            None,
            f"{plural(len(missing), 'symbol')} of {len(served)} with models never had a live "
            f"prediction: {some_of(missing, _N_NAMED)}",
            "See whether their files still arrive; new symbols need no model of their own.",
            is_alarm=len(missing) > MANY * len(served),
        )


def _stopped(ledger: pa.Table) -> Iterator[Notice]:
    times = np.unique(ledger["ts"].cast(pa.int64()).to_numpy())
    if len(times) <= _LATE:
        return
    last = ledger.group_by("symbol").aggregate([("ts", "max")]).sort_by("symbol")
    last_ns = last["ts_max"].cast(pa.int64()).to_numpy()
    behind = last_ns < times[-1 - _LATE]
    names = [name for name, late in zip(last["symbol"].to_pylist(), behind, strict=True) if late]
    if names:
        since = iso_time(int(last_ns[behind].min()))
        yield Notice(
            "stopped symbols",
            some_of(names, _N_NAMED),
            since,
            f"{plural(len(names), 'symbol')} of {last.num_rows} had their last live prediction "
            f"more than {_LATE} timestamps ago, the first on {since[:10]}: "
            f"{some_of(names, _N_NAMED)}",
            "If they were delisted, end their membership in data.universe; else mend the feed.",
            is_alarm=len(names) > MANY * last.num_rows,
        )


def _stuck(ledger: pa.Table) -> Iterator[Notice]:
    """Find symbols whose last predictions are identical for every target."""
    column = "inputs_sha256" if "inputs_sha256" in ledger.column_names else "prediction"
    target = ledger["target"][0].as_py()
    rows = ledger.filter(pc.equal(ledger["target"], target)).sort_by(
        [("symbol", "ascending"), ("ts", "ascending")]
    )
    symbols = np.array(rows["symbol"].to_pylist(), dtype=object)
    values = np.array(rows[column].to_pylist(), dtype=object)
    times = rows["ts"].cast(pa.int64()).to_numpy()
    names, starts = np.unique(symbols, return_index=True)
    stuck: dict[str, int] = {}
    for name, first, end in zip(names, starts, [*starts[1:], len(symbols)], strict=True):
        same = values[first:end] == values[end - 1]
        n_same = len(same) if same.all() else int(np.argmin(same[::-1]))
        if n_same >= _STUCK:
            stuck[str(name)] = int(times[end - n_same])
    if stuck:
        since = iso_time(min(stuck.values()))
        yield Notice(
            "stuck inputs",
            some_of(sorted(stuck), _N_NAMED),
            since,
            f"{plural(len(stuck), 'symbol')} of {len(names)} had the very same inputs for "
            f"{_STUCK} timestamps or more until the last one, the first since {since[:10]}: "
            f"{some_of(sorted(stuck), _N_NAMED)}",
            "See whether their prices still move: a feed may repeat its last bar.",
            is_alarm=len(stuck) > MANY * len(names),
        )
