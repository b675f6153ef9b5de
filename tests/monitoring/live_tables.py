"""Walk-forwards and ledgers with a planted skill, as a run and its updates would leave them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from scipy import special

from ray_pipeline.training.predictions import predictions_schema

TARGET = "fwd_ret_1d"
DAY_NS = 86_400 * 10**9
START_NS = 1_600_000_000 * 10**9 // DAY_NS * DAY_NS
TIME = pa.timestamp("ns", tz="UTC")


def day(i: int) -> int:
    """Return the time of a day, counted from the first of the walk-forward."""
    return START_NS + i * DAY_NS


def walk_forward(
    n_days: int,
    skill: float,
    symbols: Sequence[str],
    families: Sequence[str] = ("ridge",),
    view: str = "cross_sectional",
    seed: int = 0,
) -> pa.Table:
    """Return out-of-sample predictions whose correlation with the label is `skill`."""
    signal, label = _planted(n_days, np.full(n_days, skill), symbols, seed)
    n = label.size
    pieces = []
    for k, family in enumerate(families):
        seen = signal.ravel() + 0.1 * k * np.random.default_rng(k).standard_normal(n)
        columns = {
            "ts": pa.array(np.repeat([day(i) for i in range(n_days)], len(symbols)), TIME),
            "symbol": list(symbols) * n_days,
            "target": [TARGET] * n,
            "view": [view] * n,
            "family": [family] * n,
            "fold": np.zeros(n, dtype=np.int32),
            "prediction": 0.01 * seen,
            "actual": 0.01 * label.ravel(),
            "standing": special.ndtr(seen),
        }
        pieces.append(pa.table(columns, schema=predictions_schema()))
    return pa.concat_tables(pieces)


def ledger(
    first_day: int,
    skills: Sequence[float],
    symbols: Sequence[str],
    view: str = "cross_sectional",
    job_id: str = "cs_fwd_ret_1d__ridge",
    n_unknown: int = 1,
    seed: int = 1,
) -> pa.Table:
    """Return live predictions of a skill by day; the labels of the last days are not known."""
    n_days = len(skills)
    signal, label = _planted(n_days, np.asarray(skills), symbols, seed)
    actual = 0.01 * label
    actual[n_days - n_unknown :] = np.nan
    n = label.size
    return pa.table(
        {
            "ts": pa.array(
                np.repeat([day(first_day + i) for i in range(n_days)], len(symbols)), TIME
            ),
            "symbol": list(symbols) * n_days,
            "target": [TARGET] * n,
            "view": [view] * n,
            "job_id": [job_id.format(symbol=symbol) for symbol in symbols] * n_days,
            "version": ["1"] * n,
            "score": special.ndtr(signal.ravel()),
            "prediction": 0.01 * signal.ravel(),
            "n_unusual": np.zeros(n, dtype=np.int32),
            "actual": pa.array(actual.ravel(), from_pandas=True),
            "inputs_sha256": [f"{each:.9f}" for each in signal.ravel()],
            "made_at": ["2026-01-01T00:00:00+00:00"] * n,
        }
    )


def _planted(
    n_days: int, skills: np.ndarray, symbols: Sequence[str], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    signal, noise = chance.standard_normal((2, n_days, len(symbols)))
    weight = skills[:, np.newaxis]
    return signal, weight * signal + np.sqrt(1.0 - weight**2) * noise
