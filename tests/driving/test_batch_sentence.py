"""What a run says of its batch as it begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from panels import quick_config

from ray_pipeline.discovery.choosing import Batch
from ray_pipeline.driving.symbols import batch_sentence
from ray_pipeline.records import Discovery, SymbolPartition

URI = "s3://bucket/run/symbols.json"


def sentence(root: Path, n_found: int, n_selected: int, **data: Any) -> str:
    """Return the sentence of a batch of so many symbols."""
    partitions = [SymbolPartition(f"SYM{i:04d}", ()) for i in range(n_found)]
    found = Discovery("s3://bucket/panel", "1d", "current", tuple(partitions), ())
    selected = {each.symbol: each for each in partitions[:n_selected]}
    config = quick_config(root / "data", root / "run", data=data)
    return batch_sentence(Batch(found, selected, "1d", ()), config, URI)


def test_all_of_a_few_symbols_are_named(tmp_path: Path) -> None:
    """How many of how many, from where; nothing was drawn, so that no seed is told."""
    told = sentence(tmp_path, 3, 3)
    assert "3 of 3 symbols from s3://bucket/panel at 1d" in told
    assert told.endswith("SYM0000, SYM0001, SYM0002")
    assert "seed" not in told


def test_a_sample_is_told_with_its_seed(tmp_path: Path) -> None:
    """Which is that of the experiment."""
    told = sentence(tmp_path, 500, 2, symbol_batch_size=2)
    assert "2 of 500 symbols" in told
    assert "seed 7" in told


def test_symbols_by_name_are_not_drawn(tmp_path: Path) -> None:
    """The key that named them is told instead of a seed."""
    told = sentence(tmp_path, 2, 2, symbols=["SYM0000", "SYM0001"])
    assert "data.symbols" in told
    assert "seed" not in told


@pytest.mark.parametrize("n_symbols", [100, 5_000])
def test_a_large_batch_is_cut_with_where_all_of_it_is(n_symbols: int, tmp_path: Path) -> None:
    """After a line or two, however many there are; the count of the others is true."""
    told = sentence(tmp_path, n_symbols, n_symbols)
    assert len(told) < 300
    assert URI in told
    n_named = told.count("SYM")
    assert n_named > 10
    assert f"and {n_symbols - n_named} more" in told
