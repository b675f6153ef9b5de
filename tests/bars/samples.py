"""Bars for the tests: random ones with known defects, and real ones where they are present."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ray_pipeline.bars import Bars

FIVE_MINUTES_NS = 300 * 10**9

_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def random_bars(n_rows: int, seed: int = 0, missing_share: float = 0.0) -> Bars:
    """Consistent bars of a random walk; single cells are missing, independently of each other."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, n_rows)))
    opening = close * np.exp(rng.normal(0.0, 0.005, n_rows))
    high = np.maximum(opening, close) * np.exp(rng.exponential(0.004, n_rows))
    low = np.minimum(opening, close) * np.exp(-rng.exponential(0.004, n_rows))
    volume = np.exp(rng.normal(10.0, 1.0, n_rows))
    columns = [opening, high, low, close, volume]
    for column in columns:
        column[rng.random(n_rows) < missing_share] = np.nan
    return Bars(np.arange(n_rows) * FIVE_MINUTES_NS, *columns)


def constant_bars(n_rows: int, price: float = 1.1, volume: float = 3.3) -> Bars:
    """Bars in which nothing ever moves."""
    prices = [np.full(n_rows, price) for _ in range(4)]
    return Bars(np.arange(n_rows) * FIVE_MINUTES_NS, *prices, np.full(n_rows, volume))


def replace(bars: Bars, **columns: npt.NDArray[np.float64]) -> Bars:
    """Return the same bars with other values in some columns."""
    names = ("time_ns", "open", "high", "low", "close", "volume")
    return Bars(*(columns.get(name, getattr(bars, name)) for name in names))


def real_bars(panel: str, interval: str, symbol: str) -> Bars:
    """Bars of one symbol of the market panels beside the repository."""
    path = _DATA / panel / f"interval={interval}" / f"symbol={symbol}" / f"{symbol}.parquet"
    if not path.exists():
        pytest.skip(f"the market panel {panel} is not beside the repository")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.ParquetFile(path).read()
    time_ns = table["ts"].to_numpy().astype("datetime64[ns]").astype(np.int64)
    fields = ("open", "high", "low", "close", "volume")
    return Bars(time_ns, *(table[field].to_numpy().astype(np.float64) for field in fields))


def bits(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint64]:
    """Return the values as bit patterns, which compare NaN and the zeros' signs too."""
    return np.ascontiguousarray(values).view(np.uint64)
