"""New bars that no market made: they are told, and where the whole feed stands it is an alarm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from panels import quick_config, remembering_closes, symbol_names, times, write_panel

from ray_pipeline.bars import Bars
from ray_pipeline.driving.progress import Silent
from ray_pipeline.panel.newest_flaws import newest_flaws
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.updating import Update, UpdateOptions, update_run
from ray_pipeline.updating.notes import standing_still

DAY_NS = 86_400 * 10**9
N = 300


def _bars(seed: int = 0) -> Bars:
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(0.01 * random.standard_normal(N)))
    opened = np.r_[close[:1], close[:-1]]
    return Bars(
        DAY_NS * np.arange(N),
        opened,
        1.004 * np.maximum(opened, close),
        0.996 * np.minimum(opened, close),
        close,
        1e6 * random.uniform(1, 2, N),
        {},
    )


def _edited(bars: Bars, edit: Callable[[np.ndarray], None]) -> Bars:
    fields = np.column_stack([bars.open, bars.high, bars.low, bars.close, bars.volume])
    edit(fields)
    opened, high, low, close, volume = np.ascontiguousarray(fields.T)
    return replace(bars, open=opened, high=high, low=low, close=close, volume=volume)


def _split(fields: np.ndarray) -> None:
    fields[-3:, :4] /= 4


def _tick(fields: np.ndarray) -> None:
    fields[-4, :4] *= 10


def _stand_still(fields: np.ndarray) -> None:
    fields[-6:] = fields[-7]


def _untraded(fields: np.ndarray) -> None:
    fields[-7:, 4] = 0
    fields[-6:] = fields[-7]


@pytest.mark.parametrize(
    ("edit", "kind", "row"),
    [(_split, "split", -3), (_tick, "tick", -4), (_stand_still, "repeated", -7)],
)
def test_what_no_market_made_is_found(
    edit: Callable[[np.ndarray], None], kind: str, row: int
) -> None:
    """With its first bar; before the time that was asked for nothing is told again."""
    bars = _edited(_bars(), edit)
    (flaw,) = newest_flaws(bars, int(bars.time_ns[-10]))
    assert (flaw.kind, flaw.time_ns) == (kind, int(bars.time_ns[row]))
    if kind != "repeated":
        assert newest_flaws(bars, int(bars.time_ns[-1])) == ()


def test_an_honest_market_has_none() -> None:
    """Nor has a symbol that nobody trades."""
    for seed in range(50):
        assert newest_flaws(_bars(seed), 0) == ()
    untraded = _edited(_bars(), _untraded)
    assert newest_flaws(untraded, int(untraded.time_ns[-10])) == ()


def test_a_few_symbols_that_repeat_are_no_alarm() -> None:
    """More than a tenth are the feed."""
    still = newest_flaws(_edited(_bars(), _stand_still), 0)
    told, is_alarm = standing_still({"A": still, "B": ()}, 20)
    assert told is not None
    assert told.startswith("1 of 20 symbols (A) have the very same bar")
    assert not is_alarm
    assert standing_still({"A": still, "B": still, "C": still}, 20)[1]
    assert standing_still({"A": ()}, 20) == (None, False)


def _table(symbol: str) -> pa.Table:
    """Return bars whose returns remember the last ones."""
    random = np.random.default_rng([5, *symbol.encode()])
    close = remembering_closes(random, 320)
    columns = {"open": close, "high": 1.01 * close, "low": 0.99 * close, "close": close}
    return pa.table({"ts": times(320), **columns, "volume": 1e6 * random.uniform(1, 2, 320)})


def _write(root: Path, n_bars: int, edit: Callable[[str, np.ndarray], None] | None = None) -> Path:
    tables = {}
    for name in symbol_names(4):
        table = _table(name).slice(0, n_bars)
        if edit is not None:
            for column in ("open", "high", "low", "close", "volume"):
                values = table[column].to_numpy().astype(np.float64).copy()
                edit(name, values)
                table = table.set_column(table.column_names.index(column), column, [values])
        tables[name] = table
    return write_panel(root / "data", tables)


def _update(run: Path) -> Update:
    return update_run(str(run), Silent(), UpdateOptions())


def test_updates_tell_and_raise_an_alarm(tmp_path: Path) -> None:
    """A split in one symbol is a note, a feed that stands an alarm; both in ``update.json``."""
    config = quick_config(
        _write(tmp_path, 262),
        tmp_path / "run",
        labeling={"features": ["log_return_1", "log_return_20"], "targets": ["fwd_ret_1d"]},
        feature_selection={"min_stability": 0.0},
    )
    run_pipeline(config, Silent())

    def split(name: str, values: np.ndarray) -> None:
        if name == "S01" and values[0] < 1e4:
            values[-2:] /= 4

    _write(tmp_path, 266, split)
    update = _update(tmp_path / "run")
    assert any(note.startswith("S01: prices before ") and "(4:1)" in note for note in update.notes)

    def stand(_: str, values: np.ndarray) -> None:
        values[-6:] = values[-7]

    _write(tmp_path, 274, stand)
    update = _update(tmp_path / "run")
    assert any("4 of 4 symbols" in alarm and "stand still" in alarm for alarm in update.alarms)
