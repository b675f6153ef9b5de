"""The documentation's stage of one's own is run as it stands there."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from panels import labeled_table, planted_panel, read_rows, symbol_names, write_config, write_panel

from ray_pipeline.cli import main

PAGE = Path(__file__).resolve().parents[1] / "docs" / "how-to" / "stage.md"


def _example(language: str) -> str:
    text = PAGE.read_text("utf-8")
    (block,) = re.findall(rf"```{language}\b[^\n]*\n(.*?)```", text, re.DOTALL)
    return str(block)


def test_example_gives_a_table_and_leaves_a_stale_symbol_out(
    tmp_path: Path, own_modules: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The module and the lines of the config work together, in the working directory."""
    monkeypatch.chdir(own_modules("my_stages", _example("python"), on_path=False))
    stale = labeled_table("STALE")
    column = stale.column_names.index("fwd_ret_1d")
    stale = stale.set_column(column, "fwd_ret_1d", [np.linspace(0.0, 1.0, stale.num_rows)])
    data_dir = write_panel(tmp_path / "data", planted_panel(symbol_names(3)) | {"STALE": stale})
    sections = yaml.safe_load(_example("yaml"))
    config = write_config(tmp_path / "run.yaml", data_dir, tmp_path / "run", **sections)
    assert main(["run", str(config)]) == 0
    rows = read_rows(tmp_path / "run", "stages/memory")
    assert [list(row) for row in rows] == [["symbol", "autocorrelation", "n_values"]] * 3
    returns = labeled_table("S00")["fwd_ret_1d"].to_numpy()[:-1]
    expected = np.corrcoef(returns[:-1], returns[1:])[0, 1]
    assert rows[0] == {"symbol": "S00", "autocorrelation": expected, "n_values": 319}
    (failure,) = read_rows(tmp_path / "run", "failures")
    assert failure["error"] == ("fwd_ret_1d hardly changes: autocorrelation 1.00")
