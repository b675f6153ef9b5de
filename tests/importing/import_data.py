"""Small tables of many symbols, as people keep them, and what an import made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ray_pipeline.driving.progress import Silent
from ray_pipeline.importing.command import ImportOptions, import_panel
from ray_pipeline.importing.outcome import Imported

__all__ = ["Interrupted", "bars", "import_all", "panel_rows", "put_days", "tree"]

DAY_NS = 86_400 * 10**9


class Interrupted(Exception):  # noqa: N818
    """Stands for a kill."""


def bars(first_day: str, n_days: int, symbols: list[str], seed: int = 0) -> pa.Table:
    """Return daily bars in the order of time, all symbols of a day one after the other."""
    random = np.random.default_rng(seed)
    n_rows = n_days * len(symbols)
    days = np.datetime64(first_day, "ns") + np.repeat(np.arange(n_days), len(symbols)) * DAY_NS
    close = np.round(100 + random.normal(0, 1, n_rows), 2)
    return pa.table(
        {
            "ts": pa.array(days, pa.timestamp("ns", "UTC")),
            "symbol": symbols * n_days,
            "open": close - 0.5,
            "high": close + 1,
            "low": close - 1,
            "close": close,
            "volume": random.integers(1, 1000, n_rows),
        }
    )


def put_days(folder: Path, table: pa.Table) -> list[Path]:
    """Write a file per day."""
    folder.mkdir(parents=True, exist_ok=True)
    days = table["ts"].to_pylist()
    found = []
    for day in dict.fromkeys(days):
        rows = pa.array([each == day for each in days])
        found.append(folder / f"{day:%Y-%m-%d}.parquet")
        pq.write_table(table.filter(rows), found[-1])
    return found


def import_all(source: Any, out: Any, **options: Any) -> Imported:
    """Import daily bars, unless another interval is given."""
    chosen = ImportOptions(**{"interval": "1d", **options})
    return import_panel(str(source), str(out), chosen, Silent())


def panel_rows(out: Path) -> dict[str, dict[str, list[Any]]]:
    """Return the columns of each file, by its name."""
    return {
        path.relative_to(out).as_posix(): pq.ParquetFile(path).read().to_pydict()
        for path in sorted(out.rglob("part-0.parquet"))
    }


def tree(out: Path) -> dict[str, bytes]:
    """Return the bytes of each file of a panel, by its name."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and "_import" not in path.parts
    }
