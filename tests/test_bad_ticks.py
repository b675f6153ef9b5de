"""Heavy tails and bad ticks, of which real panels have both, decide no result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from panels import TARGET, bars_table, labeled_table, quick_config, read_rows, write_panel

from ray_pipeline.driving.progress import Silent
from ray_pipeline.pipeline import run_pipeline

SYMBOLS = [f"S{i}" for i in range(6)]
BOTH_FAMILIES: dict[str, Any] = {
    "target_ranking": {
        "families": ["ridge", "lightgbm"],
        "hyperparameters": {"lightgbm": {"n_estimators": 20}},
    }
}


def _ranked(tables: dict[str, pa.Table], folder: Path, **sections: Any) -> dict[Any, Any]:
    data_dir = write_panel(folder / "data", tables)
    run_pipeline(quick_config(data_dir, folder / "run", **(BOTH_FAMILIES | sections)), Silent())
    rows = read_rows(folder / "run", "target_ranking/targets")
    return {(row["target"], row["view"]): row for row in rows}


def _changed(table: pa.Table, name: str, values: Any) -> pa.Table:
    column = pa.array(values, from_pandas=True)
    return table.set_column(table.column_names.index(name), name, column)


def test_a_bad_close_makes_no_target_predictable(tmp_path: Path) -> None:
    """Half the price for one bar: -50 %, then +100 % after a feature that says -69 %.

    As in LNT's split. Few such bars would carry a mean of products; they carry no mean of ranks.
    """
    tables = {}
    for number, symbol in enumerate(SYMBOLS):
        bars = bars_table(symbol, n_bars=500)
        close = bars["close"].to_numpy().copy()
        close[[150 + 3 * number, 390 + 3 * number]] *= 0.5
        tables[symbol] = _changed(bars, "close", close)
    labeling = {
        "features": ["log_return_1", "log_return_5", "volatility_20", "log_range"],
        "targets": ["fwd_ret_1d", "fwd_ret_5d"],
    }
    found = _ranked(tables, tmp_path, labeling=labeling)
    assert len(found) == 4
    for row in found.values():
        assert abs(row["skill"]) < 0.08
        assert not row["predictable"]


@pytest.mark.parametrize("target", [TARGET, "y_up_1d"])
def test_wild_cells_hide_no_signal(target: str, tmp_path: Path) -> None:
    """One cell in a hundred a million times too large, in features and in real-valued labels."""
    clean, wild = {}, {}
    for symbol in SYMBOLS:
        table = labeled_table(symbol, n_bars=500, strength=0.3)
        labels = table[TARGET].to_numpy()
        if target != TARGET:
            up = np.where(np.isnan(labels), np.nan, labels > 0)
            table = table.drop_columns(TARGET).append_column(target, pa.array(up, from_pandas=True))
        clean[symbol] = table
        random = np.random.default_rng(list(symbol.encode()))
        for name in ("signal", "noise_a", *([TARGET] if target == TARGET else [])):
            hit = random.random(500) < 0.01
            table = _changed(table, name, np.where(hit, 1e6, 1.0) * table[name].to_numpy())
        wild[symbol] = table
    before = _ranked(clean, tmp_path / "clean")
    after = _ranked(wild, tmp_path / "wild")
    assert len(after) == 2
    for key, row in after.items():
        assert row["predictable"]
        assert row["skill"] == pytest.approx(before[key]["skill"], abs=0.03)


def test_labels_without_a_variance_are_ranked(tmp_path: Path) -> None:
    """Noise of a Cauchy distribution: the signal in it is found, noise alone is not."""
    tables = {}
    for symbol in SYMBOLS:
        table = labeled_table(symbol, n_bars=600, targets=[TARGET, "y_noise_1d"])
        random = np.random.default_rng([7, *symbol.encode()])
        cauchy = random.standard_cauchy((600, 2))
        for name, drift, noise in (
            (TARGET, table["signal"].to_numpy(), cauchy[:, 0]),
            ("y_noise_1d", 0.0, cauchy[:, 1]),
        ):
            label = drift + noise
            label[-1] = np.nan
            table = _changed(table, name, label)
        tables[symbol] = table
    found = _ranked(tables, tmp_path)
    for view in ("cross_sectional", "symbol_specific"):
        assert found[TARGET, view]["predictable"]
        assert not found["y_noise_1d", view]["predictable"]
