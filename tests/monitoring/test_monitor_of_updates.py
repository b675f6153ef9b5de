"""What updates leave in the ledger is what monitoring reads."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from panels import planted_panel, quick_config, symbol_names, write_panel

from ray_pipeline.driving.progress import Silent
from ray_pipeline.monitoring import monitor_run
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.updating import UpdateOptions, update_run

FIRST, LAST = 320, 420


def _write(root: Path, n_bars: int) -> Path:
    """Write the first bars of a panel; nobody knows the label of the last one yet."""
    tables = {}
    for name, each in planted_panel(symbol_names(4), n_bars=LAST).items():
        table = each.slice(0, n_bars)
        labels = [*table["fwd_ret_1d"].to_pylist()[:-1], None]
        place = table.column_names.index("fwd_ret_1d")
        tables[name] = table.set_column(place, "fwd_ret_1d", pa.array(labels, pa.float64()))
    return write_panel(root / "data", tables)


def test_a_hundred_days_of_updates_are_compared_with_the_promise(tmp_path: Path) -> None:
    """A planted skill that goes on: live rows of every day, none missing, no alarm."""
    validation = {
        **{"first_test": "2014-10-10", "test_every": "40d"},
        **{"n_splits": 5, "min_train_fraction": 0.4},
    }
    run = str(tmp_path / "run")
    data_dir = _write(tmp_path, FIRST)
    run_pipeline(quick_config(data_dir, run, validation=validation), Silent())
    _write(tmp_path, LAST)
    update = update_run(run, Silent(), UpdateOptions())
    assert update.n_predictions > 0
    found = monitor_run(run)
    assert found.last_ts == update.last_ts
    assert found.alarms == []
    assert found.skills
    for row in found.skills:
        assert 95 <= row.n_live <= 101
        assert row.n_blocks >= 1
        assert row.promised > 0
        assert abs(row.skill - row.promised) < 0.25
    assert not [each for each in found.notices if each.kind == "missing symbols"]
