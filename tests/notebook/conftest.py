"""Runs made from frames that all tests here share; none of them may write into these."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from notebook_runs import BINARY, OVERLAPPING, TARGET, Made, long_frame, quick, up
from panels import planted_panel, remembering_bars, symbol_names

import ray_pipeline


@pytest.fixture(scope="package")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Run on eight symbols with three targets, one of overlapping labels and one binary."""
    tables = {
        name: table.append_column(
            BINARY,
            pa.array(np.where(table[TARGET].is_valid(), up(table), np.nan), from_pandas=True),
        )
        for name, table in planted_panel(symbol_names(8), targets=(TARGET, OVERLAPPING)).items()
    }
    config = quick(evaluation={"n_quantiles": 4}, training={"families": ["ridge"]})
    run_dir = tmp_path_factory.mktemp("made") / "run"
    frame = long_frame(tables)
    run = ray_pipeline.run(config, frame, run_dir=run_dir, progress=False)
    return Made(run, frame, tables, config, run_dir)


@pytest.fixture(scope="package")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Run on bars, with a feature that compares symbols."""
    tables = {name: remembering_bars(name) for name in symbol_names(6)}
    config = quick(
        labeling={"features": ["log_return_1", "cs_rank_log_return_1"], "targets": [TARGET]},
        feature_selection={"min_stability": 0.0},
        evaluation={"n_quantiles": 3},
        training={"families": ["ridge"]},
    )
    run_dir = tmp_path_factory.mktemp("bars") / "run"
    frame = long_frame(tables, "symbol")
    run = ray_pipeline.run(config, frame, run_dir=run_dir, progress=False)
    return Made(run, frame, tables, config, run_dir)


@pytest.fixture(scope="package")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Run on twelve symbols that are compared within two sectors."""
    tables = {
        name: table.append_column("sector", pa.repeat(("coal", "tin")[i % 2], table.num_rows))
        for i, (name, table) in enumerate(planted_panel(symbol_names(12)).items())
    }
    config = quick(
        columns={"group": "sector"},
        evaluation={"n_quantiles": 3},
        target_ranking={"families": ["ridge"], "min_cs": 3},
        training={"families": ["ridge"]},
    )
    run_dir = tmp_path_factory.mktemp("grouped") / "run"
    frame = long_frame(tables)
    run = ray_pipeline.run(config, frame, run_dir=run_dir, progress=False)
    return Made(run, frame, tables, config, run_dir)
