"""Numeric columns of one's own beside bars: features, screened for leaks, read by functions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from panels import bars_table, quick_config, read_json, read_rows, symbol_names, write_panel

from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import ArtifactError, ConfigError
from ray_pipeline.panel import TableRequest, load_symbol_table
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.predicting import load_run
from ray_pipeline.records import SymbolPartition
from ray_pipeline.storage.filesystems import FileSystem
from ray_pipeline.user_code.features import find_feature_functions

OwnModules = Callable[..., Path]
WritePartition = Callable[..., SymbolPartition]

SYMBOLS = symbol_names(3)
LABELING = {"features": ["log_return_1", "mine:f"], "targets": ["fwd_ret_1d"]}
SOURCE = """
def f(bars):
    return {"twice": 2 * bars.columns["mood"]}

f.lookback = 1
"""


def with_columns(symbol: str) -> pa.Table:
    """Return bars, noise (`mood`), a hint of the next return, and the next return itself."""
    table = bars_table(symbol)
    close = np.asarray(table.column("close"))
    random = np.random.default_rng([9, *symbol.encode()])
    future = np.append(close[1:] / close[:-1] - 1, 0.0)
    hint = 0.4 * future / future.std() + random.standard_normal(len(close))
    for name, values in (
        ("mood", random.standard_normal(len(close))),
        ("hint", hint),
        ("tomorrow", future),
    ):
        table = table.append_column(name, pa.array(values))
    return table


def test_a_run_uses_and_screens_them(own_modules: OwnModules, tmp_path: Path) -> None:
    """One that carries the target is selected, one that is the target is dropped as a leak."""
    own_modules("mine", SOURCE)
    tables = {symbol: with_columns(symbol) for symbol in SYMBOLS}
    data_dir = write_panel(tmp_path / "data", tables)
    run_dir = tmp_path / "run"
    run_pipeline(quick_config(data_dir, run_dir, labeling=LABELING), Silent())
    record = read_json(run_dir / "run.json")
    assert record["data"]["own_columns"] == ["hint", "mood", "tomorrow"]
    assert record["counts"]["features"] == 5
    assert {row["feature"] for row in read_rows(run_dir, "leakage")} == {"tomorrow"}
    chosen = read_rows(run_dir, "feature_selection/features")
    assert {row["feature"] for row in chosen if row["selected"]} >= {"hint"}
    models = load_run(str(run_dir))
    scores = models.predict(tables["S00"], symbol="S00")
    assert scores.num_rows > 0
    with pytest.raises(ArtifactError, match="the table has no column 'hint'"):
        models.predict(bars_table("S00"), symbol="S00")


def test_they_are_read_as_they_are(
    own_modules: OwnModules, write_partition: WritePartition, fs: FileSystem
) -> None:
    """A symbol that lacks one has no value of it; a function reads them, features or not."""
    own_modules("mine", SOURCE)
    (function,) = find_feature_functions(["mine:f"], 86_400, (), ("hint", "mood")).values()
    request = TableRequest(
        kind="bars",
        time_column=None,
        features=("hint", "twice"),
        targets=(),
        max_rows=None,
        min_rows=1,
        bar_seconds=86_400,
        session_bars=1,
        functions=(function,),
        own_columns=("hint", "mood"),
    )
    table = with_columns("A")
    found = load_symbol_table(write_partition("A", table), fs, request).features
    np.testing.assert_array_equal(found[:, 0], np.asarray(table["hint"], dtype=np.float32))
    np.testing.assert_allclose(found[:, 1], 2 * np.asarray(table["mood"]), rtol=1e-6)
    without = load_symbol_table(write_partition("B", table.drop(["mood"])), fs, request).features
    assert np.isfinite(without[:, 0]).all()
    assert np.isnan(without[:, 1]).all()


def test_a_function_cannot_take_their_names(own_modules: OwnModules) -> None:
    """Two features of one name are none."""
    own_modules("mine", "def f(bars):\n    return {'mood': bars.close}\n")
    with pytest.raises(ConfigError, match=r"mine:f gives mood, which names .* a column beside"):
        find_feature_functions(["mine:f"], 86_400, (), ("mood",))
