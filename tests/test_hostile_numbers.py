"""Whole runs on symbols full of numbers that nobody measured: each costs itself, in silence."""

from __future__ import annotations

import html
import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from panels import (
    FEATURES,
    TARGET,
    bars_table,
    planted_panel,
    quick_config,
    read_json,
    symbol_folder,
    symbol_names,
    write_panel,
)

from ray_pipeline.commands.checking import check_config
from ray_pipeline.driving.progress import Silent
from ray_pipeline.pipeline import run_pipeline

N_BARS = 320
GOOD = symbol_names(4)
MAX = np.finfo(np.float64).max
TINY = np.finfo(np.float64).smallest_subnormal
LABELING = {"targets": ["fwd_ret_1d", "ret_zscore_5d", "y_will_peak_5d_1.0", "mfe_5d"]}


def alternating(*values: float) -> pa.Array:
    return pa.array(np.resize(np.array(values), N_BARS))


COLUMNS: dict[str, pa.Array] = {
    "largest": alternating(MAX, -MAX),
    "infinite": alternating(np.inf, -np.inf),
    "squares_overflow": alternating(1e160, -1e170, 1e155),
    "beyond_float32": alternating(1e39, -1e39),
    "decimal": pa.array([Decimal("1e75"), Decimal("-1e75")] * (N_BARS // 2), pa.decimal256(76, 0)),
}
"""Columns of which no cell is a value."""

MIXTURES: dict[str, pa.Array] = {
    "some_largest": alternating(MAX, 0.5, -MAX, -0.25, 0.125, np.inf, 0.75),
    "edge": alternating(1e30, -1e30, 1e29),
    "subnormal": alternating(TINY, -TINY, 2 * TINY, 0.0),
    "tiny": alternating(1e-300, -2e-300, 1e-200),
    "int64": pa.array(np.resize(np.array([2**63 - 1, -(2**63), 5]), N_BARS)),
    "uint64": pa.array(np.resize(np.array([2**64 - 1, 0, 7], dtype=np.uint64), N_BARS)),
    "decimal": pa.array(
        [Decimal("9" * 38), Decimal("-" + "9" * 38), Decimal(1), Decimal(2)] * (N_BARS // 4),
        pa.decimal128(38, 0),
    ),
    "scales": alternating(1e-300, 1e300, 1e-30, 1e30, 1.0),
}
"""Columns some cells of which are values, however odd."""


def with_column(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)


def run(root: Path, tables: dict[str, pa.Table], **sections: Any) -> dict[str, Any]:
    """Run without Ray, a warning being an error, and return ``run.json`` and ``symbols.json``."""
    config = quick_config(write_panel(root / "data", tables), root / "run", **sections)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        run_pipeline(config, Silent())
    return {**read_json(root / "run" / "run.json"), **read_json(root / "run" / "symbols.json")}


@pytest.fixture(scope="module")
def good_content(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Hash of a run of the good symbols alone."""
    content: str = run(tmp_path_factory.mktemp("good"), planted_panel(GOOD))["content_sha256"]
    return content


@pytest.mark.parametrize("column", [TARGET, "every feature"])
def test_symbols_without_a_value_cost_themselves(
    tmp_path: Path, good_content: str, column: str
) -> None:
    """The others have the result of a run without them; each has its reason."""
    bad = {}
    for name, cells in COLUMNS.items():
        table = planted_panel([name])[name]
        for each in FEATURES if column == "every feature" else (column,):
            table = with_column(table, each, cells)
        bad[f"X_{name}"] = table
    execution = {"executor": "serial", "max_failed_fraction": 0.6}
    found = run(tmp_path, planted_panel(GOOD) | bad, execution=execution)
    assert found["content_sha256"] == good_content
    reasons = {each["symbol"]: each["reason"] for each in found["quarantined"]}
    assert reasons.keys() == bad.keys()
    what = "feature" if column == "every feature" else "target"
    assert all(f"no {what} has a value in any row: 320 " in text for text in reasons.values())
    assert "beyond ±1e+30, the first is 1.79769e+308" in reasons["X_largest"]


def test_a_link_to_itself_and_a_huge_target(tmp_path: Path, good_content: str) -> None:
    """Both are left out with their reasons; the result is that of a run without them."""
    table = planted_panel(["X"])["X"]
    huge = with_column(table, TARGET, alternating(-1e308, 1e308))
    loop = symbol_folder(tmp_path / "data", "LOOP")
    loop.parent.mkdir(parents=True)
    loop.symlink_to(loop.name)
    found = run(tmp_path, planted_panel(GOOD) | {"HUGE": huge})
    assert found["content_sha256"] == good_content
    (rejected,), (quarantined,) = found["rejected"], found["quarantined"]
    assert (rejected["symbol"], quarantined["symbol"]) == ("LOOP", "HUGE")
    assert rejected["reason"].startswith("its folder cannot be listed: Too many levels")
    assert (
        "320 cells of 'fwd_ret_1d' are beyond ±1e+30, the first is -1e+308"
        in (quarantined["reason"])
    )


def test_symbols_of_another_shape_cost_themselves(tmp_path: Path, good_content: str) -> None:
    """Text in place of a feature, and bars among labeled tables: reasons, and no other change."""
    text = with_column(planted_panel(["T"])["T"], "signal", pa.array(["1e308"] * N_BARS))
    found = run(tmp_path, planted_panel(GOOD) | {"X_bars": bars_table("X"), "X_text": text})
    assert found["content_sha256"] == good_content
    reasons = {each["symbol"]: each["reason"] for each in found["quarantined"]}
    assert "it is bars, and 5 of 6 symbols are a labeled table" in reasons["X_bars"]
    assert "column 'signal' is string here and a number in 4 of 5 symbols" in reasons["X_text"]


@pytest.mark.parametrize("column", [TARGET, "signal"])
def test_odd_numbers_are_borne_in_silence(tmp_path: Path, column: str) -> None:
    """No symbol is lost for cells that are left, and what was taken out is said."""
    odd = {
        f"X_{name}": with_column(planted_panel([name])[name], column, cells)
        for name, cells in MIXTURES.items()
    }
    families = {"families": ["ridge", "lightgbm"]}
    found = run(tmp_path, planted_panel(GOOD) | odd, target_ranking=families)
    assert (found["status"], found["quarantined"]) == ("done", [])
    messages = {symbol: " ".join(known["findings"]) for symbol, known in found["symbols"].items()}
    taken_out = {symbol for symbol, text in messages.items() if f"of '{column}' are beyond" in text}
    assert taken_out == {"X_some_largest", "X_scales", "X_decimal"}
    told = (
        f"cells of '{column}' are beyond ±1e+30, the first is 1e+300; they are treated as missing"
    )
    assert f"64 {told}" in messages["X_scales"]
    config = quick_config(tmp_path / "data", tmp_path / "run", data={"symbols": ["X_scales"]})
    assert any(f"64 {told}" in text for text in check_config(config)["findings"])
    report = html.unescape((tmp_path / "run" / "report.html").read_text())
    assert f"64 to 160 cells of '{column}' are beyond ±1e+30, the first is 1e+38 to " in report


PRICES = ("open", "high", "low", "close")


def huge_bars(kind: str) -> pa.Table:
    """Return bars of a random walk, spoilt."""
    table = bars_table(kind)
    factors = {"e300": 1e300, "e28": 1e26, "tiny": 1e-300, "subnormal": 1e-320}
    for field in (*PRICES, "volume"):
        cells = table.column(field).to_numpy().copy()
        with np.errstate(over="ignore"):
            if kind in factors:
                cells *= factors[kind]
            elif kind == "one_tick":
                cells[100] = MAX
            elif kind == "jumps":
                cells[::3] *= 1e305
            elif kind == "scales":
                cells *= np.resize([1e-25, 1e25], N_BARS)
            elif kind == "volume" and field == "volume":
                cells[:] = MAX
        table = with_column(table, field, pa.array(cells))
    return table


@pytest.mark.parametrize("features", ["standard", "alpha158"])
def test_bars_of_any_size_are_borne_in_silence(tmp_path: Path, features: str) -> None:
    """Bars that are all beyond the range cost their symbol; odd ones are computed with."""
    odd = ["e300", "e28", "tiny", "subnormal", "one_tick", "jumps", "scales", "volume"]
    tables = {name: bars_table(name) for name in GOOD} | {f"X_{k}": huge_bars(k) for k in odd}
    found = run(
        tmp_path,
        tables,
        labeling=LABELING | {"features": features},
        target_ranking={"families": ["ridge", "lightgbm"]},
    )
    assert found["status"] == "done"
    assert [each["symbol"] for each in found["quarantined"]] == ["X_e300"]
    assert "no bar has a close in any row: 320 cells" in found["quarantined"][0]["reason"]
