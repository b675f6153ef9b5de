"""Updates of bars whose symbols are compared: features and labels of the batch, day by day."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from panels import quick_config, remembering_closes, symbol_names, times, write_panel

from ray_pipeline.driving.progress import Silent
from ray_pipeline.ledger.ledger import PredictionLedger
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.storage import RunDirectory
from ray_pipeline.updating import UpdateOptions, update_run

SYMBOLS = symbol_names(5)
FIRST, N_DAYS = 262, 14
"""Bars of the run; the next date of retraining is reached with 271."""


def _bars(symbol: str) -> pa.Table:
    """Return bars whose returns remember the last ones, each symbol by itself."""
    random = np.random.default_rng([5, *symbol.encode()])
    close = remembering_closes(random, 320, memory=0.35)
    opened = np.r_[close[:1], close[:-1]]
    return pa.table(
        {
            "ts": times(320),
            "open": opened,
            "high": np.maximum(opened, close) * 1.001,
            "low": np.minimum(opened, close) * 0.999,
            "close": close,
            "volume": np.full(320, 1e6),
        }
    )


def _write(root: Path, n_bars: int) -> Path:
    return write_panel(root / "data", {name: _bars(name).slice(0, n_bars) for name in SYMBOLS})


def _run(root: Path) -> str:
    config = quick_config(
        _write(root, FIRST),
        root / "run",
        labeling={
            "features": ["log_return_1", "rsi_14", "cs_rank_log_return_1"],
            "targets": ["fwd_ret_1d", "excess_ret_1d", "y_will_peak_3d_0.5"],
        },
        validation={
            **{"first_test": "2014-10-10", "test_every": "40d"},
            **{"n_splits": 5, "min_train_fraction": 0.4},
        },
        training={"families": ["ridge"], "retrain_every": "40d"},
    )
    run_pipeline(config, Silent())
    return str(root / "run")


def _ledger(run: str) -> PredictionLedger:
    return PredictionLedger(RunDirectory(run))


def test_days_one_by_one_are_days_at_once(tmp_path: Path) -> None:
    """To the bit: predictions, what they mean, and outcomes, those beside other symbols too."""
    one, other = tmp_path / "one", tmp_path / "other"
    live, at_once = _run(one), _run(other)
    for n_bars in (*range(FIRST + 1, FIRST + N_DAYS, 2), FIRST + N_DAYS):
        _write(one, n_bars)
        update_run(live, Silent(), UpdateOptions())
    _write(other, FIRST + N_DAYS)
    update = update_run(at_once, Silent(), UpdateOptions())
    assert len(update.retrained) == 1
    mine, theirs = _ledger(live), _ledger(at_once)
    assert mine.predictions().num_rows > 0
    assert mine.predictions().equals(theirs.predictions())
    assert mine.outcomes().equals(theirs.outcomes())


def test_outcomes_are_the_labels(tmp_path: Path) -> None:
    """Of each target, known a horizon later; of the last rows none."""
    run = _run(tmp_path)
    _write(tmp_path, FIRST + N_DAYS)
    update_run(run, Silent(), UpdateOptions())
    table = _ledger(run).table()
    targets = set(table["target"].to_pylist())
    assert "fwd_ret_1d" in targets
    days: list[Any] = sorted(set(table["ts"].to_pylist()))
    for symbol in SYMBOLS:
        close = _bars(symbol)["close"].to_numpy()
        stamps = _bars(symbol)["ts"].to_pylist()
        is_its = pc.and_(pc.equal(table["symbol"], symbol), pc.equal(table["target"], "fwd_ret_1d"))
        for row in table.filter(is_its).to_pylist():
            place = stamps.index(row["ts"])
            if row["ts"] == days[-1]:
                assert row["actual"] is None
                continue
            assert row["actual"] == close[place + 1] / close[place] - 1
            assert row["known_ts"] == stamps[place + 1]
