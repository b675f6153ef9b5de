"""The order of the columns in the files is an accident: no figure and no model depends on it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from panels import bars_table, planted_panel, quick_config, read_json, symbol_folder, symbol_names

from ray_pipeline.driving.progress import Silent
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.predicting import PredictOptions, predict_panel

SYMBOLS = symbol_names(4)
N_FILES = 3

Order = Callable[[Sequence[str], int], list[str]]
"""Names in the order of a file, by the file's number among those of all symbols."""


def as_they_are(names: Sequence[str], _: int) -> list[str]:
    return list(names)


def turned(names: Sequence[str], _: int) -> list[str]:
    return list(names)[::-1]


def shuffled_once(names: Sequence[str], _: int) -> list[str]:
    return random.Random(3).sample(list(names), len(names))


def shuffled_by_symbol(names: Sequence[str], number: int) -> list[str]:
    return random.Random(number // N_FILES).sample(list(names), len(names))


def shuffled_by_file(names: Sequence[str], number: int) -> list[str]:
    return random.Random(number).sample(list(names), len(names))


ORDERS = (turned, shuffled_once, shuffled_by_symbol, shuffled_by_file)


def write(root: Path, tables: dict[str, pa.Table], order: Order) -> Path:
    """Write three files a symbol."""
    number = 0
    for symbol, table in tables.items():
        length = -(-table.num_rows // N_FILES)
        for part in range(N_FILES):
            path = symbol_folder(root, symbol) / f"part-{part}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = table.slice(part * length, length)
            pq.write_table(rows.select(order(table.column_names, number)), path)
            number += 1
    return root


def content_of(root: Path, tables: dict[str, pa.Table], order: Order, **sections: Any) -> Any:
    data_dir = write(root / "data", tables, order)
    run_pipeline(quick_config(data_dir, root / "run", **sections), Silent())
    return read_json(root / "run" / "run.json")["content_sha256"]


def labeled() -> dict[str, pa.Table]:
    """Return labeled tables whose columns differ a little from symbol to symbol."""
    tables = planted_panel(SYMBOLS, targets=("fwd_ret_1d", "fwd_ret_2d"))
    for number, (symbol, table) in enumerate(tables.items()):
        twice = pa.array([2.0 * value for value in table.column("signal").to_pylist()])
        tables[symbol] = table.append_column(f"twin_{number % 2}", twice)
    return tables


def bars() -> dict[str, pa.Table]:
    """Return bars with two columns that the user added."""
    labels = labeled()
    return {
        symbol: bars_table(symbol)
        .append_column("sentiment", labels[symbol].column("noise_a"))
        .append_column("a_ratio", labels[symbol].column("noise_b"))
        for symbol in SYMBOLS
    }


BARS = {"labeling": {"targets": ["fwd_ret_1d"], "features": ["rsi_14", "log_return_1"]}}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", ["labeled", "bars"])
def test_content_does_not_depend_on_the_order_of_columns(
    tmp_path: Path, contents: dict[str, Any], kind: str, order: Order
) -> None:
    """Reversed or shuffled, per file and per symbol: tables and models are the same."""
    tables, sections = (labeled(), {}) if kind == "labeled" else (bars(), BARS)
    assert content_of(tmp_path, tables, order, **sections) == contents[kind]


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Hashes of runs on files as they come."""
    root = tmp_path_factory.mktemp("as_they_are")
    return {
        "labeled": content_of(root / "labeled", labeled(), as_they_are),
        "bars": content_of(root / "bars", bars(), as_they_are, **BARS),
    }


@pytest.mark.parametrize("kind", ["labeled", "bars"])
def test_predictions_take_columns_in_any_order(tmp_path: Path, kind: str) -> None:
    """New data are scored by the names of their columns."""
    tables, sections = (labeled(), {}) if kind == "labeled" else (bars(), BARS)
    settings = {"routing": {"train_experimental": True, "alpha": 0.9}, **sections}
    settings["target_ranking"] = {"families": ["ridge"], "alpha": 0.9}
    content_of(tmp_path, tables, shuffled_by_file, **settings)
    scores, options = [], PredictOptions(n_workers=0)
    for order in (as_they_are, turned, shuffled_by_file):
        data_dir = write(tmp_path / order.__name__, tables, order)
        out = tmp_path / f"scores_{order.__name__}"
        predict_panel(str(tmp_path / "run"), str(data_dir), str(out), Silent(), options)
        files = sorted(out.glob("interval=*/**/*.parquet"))
        scores.append({path.name: pq.read_table(path) for path in files})
    assert scores[0]
    assert scores[1] == scores[0]
    assert scores[2] == scores[0]
