"""Frames, configs and runs as a notebook has them, small and serial."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from panels import QUICK

from ray_pipeline import Run

TARGET, OVERLAPPING, BINARY = "fwd_ret_1d", "fwd_ret_5d", "y_up_1d"


@dataclass(frozen=True)
class Made:
    """A run, the frame that it was made of, and the same by symbol."""

    run: Run
    frame: pd.DataFrame
    tables: Mapping[str, pa.Table]
    config: Mapping[str, Any]
    run_dir: Path


def quick(**sections: Any) -> dict[str, Any]:
    """Return a short config as a notebook writes it, without places."""
    values: dict[str, Any] = copy.deepcopy(QUICK)
    values["data"]["interval"] = "1d"
    for section, keys in sections.items():
        values[section] = values.get(section, {}) | keys
    return values


def long_frame(tables: Mapping[str, pa.Table], symbol: str = "ticker") -> pd.DataFrame:
    """Put tables one below the other, and shuffle the rows."""
    long = pa.concat_tables(
        [table.append_column(symbol, pa.repeat(name, len(table))) for name, table in tables.items()]
    )
    frame: pd.DataFrame = long.to_pandas().sample(frac=1.0, random_state=1)
    return frame


def up(table: pa.Table) -> np.ndarray[Any, Any]:
    """Return 1 where the label is above 0."""
    return (table[TARGET].to_numpy() > 0).astype(np.float64)
