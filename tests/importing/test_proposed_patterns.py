"""Which part of a file's name is the symbol, of names as vendors make them."""

from __future__ import annotations

import pytest

from ray_pipeline.importing.proposing import _pattern
from ray_pipeline.importing.sources import SourceFile
from ray_pipeline.records import PartitionFile


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["A.csv", "B.csv"], "{symbol}.csv"),
        (["A.csv", "B.csv.gz"], "{symbol}.*"),
        (["AAPL Historical Data.csv", "KO Historical Data.csv"], "{symbol} Historical Data.csv"),
        (["BTCUSDT-5m-2024-01.zip", "ETHUSDT-5m-2024-01.zip"], "{symbol}-5m-2024-01.zip"),
        (["BTCUSDT-5m-2024-01.zip", "ETHUSDT-5m-2024-02.zip"], "{symbol}-5m-2024-*.zip"),
        (["BTCUSDT-5m-2023-12.zip", "BTCUSDT-5m-2024-01.zip"], "{symbol}-5m-*.zip"),
        (
            ["EURUSD_M5_202401020000_202402.csv", "GBPUSD_M5_202401020005_202403.csv"],
            "{symbol}_M5_*.csv",
        ),
        (["prices_A.csv", "prices_B.csv"], "prices_{symbol}.csv"),
        (["A_5m.csv", "A_1h.csv", "B_5m.csv"], "{symbol}_{interval}.csv"),
        (["A.csv", "sub/B.csv"], None),
        (["2024-01-02.csv", "2024-01-03.csv"], None),
        (["A_x.csv", "B_y.csv"], "{symbol}.csv"),
    ],
)
def test_the_symbol_is_found_in_names(names: list[str], pattern: str | None) -> None:
    """Constant words stay, dates and numbers are anything, and the rest is the symbol."""
    files = [
        SourceFile(name, PartitionFile(f"/data/{name}", 1, "1"), "csv", None, None)
        for name in names
    ]
    assert _pattern(files) == pattern
