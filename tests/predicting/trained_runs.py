"""Runs with models for the tests of scoring: a labeled panel and one of bars, small and serial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from panels import planted_panel, quick_config, remembering_bars, symbol_names, write_panel

from ray_pipeline.driving.progress import Silent
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.predicting import PredictOptions, predict_panel

FAMILIES = {"families": ["ridge", "lightgbm", "rank_average"]}
TARGET = "fwd_ret_1d"
POOLED = f"cs_{TARGET}__ridge"
ONE_FEATURE: Mapping[str, Any] = {"feature_selection": {"top_m_features": 1, "accept": "always"}}


@dataclass(frozen=True)
class Trained:
    """A finished run and the data that it was made on."""

    data_dir: Path
    run_dir: Path
    tables: Mapping[str, pa.Table]


def labeled_run(root: Path) -> Trained:
    """Run on four labeled symbols, all of which both views serve; models have one feature."""
    tables = planted_panel(symbol_names(4))
    data_dir = write_panel(root / "data", tables)
    run_pipeline(quick_config(data_dir, root / "run", **ONE_FEATURE, training=FAMILIES), Silent())
    return Trained(data_dir, root / "run", tables)


def bars_run(root: Path) -> Trained:
    """Run on bars whose returns remember the one before; features look back up to 21 bars."""
    tables = {symbol: remembering_bars(symbol) for symbol in symbol_names(4)}
    data_dir = write_panel(root / "data", tables)
    config = quick_config(
        data_dir,
        root / "run",
        labeling={"features": ["log_return_1", "log_return_20"], "targets": [TARGET]},
        feature_selection={"min_stability": 0.0},
        training=FAMILIES,
    )
    run_pipeline(config, Silent())
    return Trained(data_dir, root / "run", tables)


def predict(
    trained: Trained, out: Path, data_dir: Path | None = None, **options: Any
) -> Mapping[str, Any]:
    """Score a data directory, by default the run's own, with the rows of the training."""
    where = str(trained.data_dir if data_dir is None else data_dir)
    chosen = PredictOptions(**{"in_sample": not options.get("history"), **options})
    return predict_panel(str(trained.run_dir), where, str(out), Silent(), chosen)


def arguments(trained: Trained, out: Path, data_dir: Path | None = None) -> list[str]:
    """Return the command line."""
    where = str(data_dir or trained.data_dir)
    return ["predict", str(trained.run_dir), "--data-dir", where, "--out", str(out)]
