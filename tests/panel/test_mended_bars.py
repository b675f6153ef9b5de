"""Ticks and splits in files: findings with their times, and what the config does with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ray_pipeline.config import ColumnsConfig
from ray_pipeline.errors import DataError
from ray_pipeline.panel import (
    SymbolInspection,
    TableRequest,
    inspect_symbol,
    inspection_request,
    labeled_table,
    load_symbol_table,
    summarise_panel,
)
from ray_pipeline.panel.reading_rules import ReadingRules
from ray_pipeline.records import SymbolPartition
from ray_pipeline.storage.filesystems import FileSystem

WritePartition = Callable[..., SymbolPartition]
DAY = 86_400 * 10**9
N, TICK, SPLIT = 400, 150, 250
FIELDS = ("open", "high", "low", "close")
REQUEST = TableRequest(
    kind="bars",
    time_column=None,
    features=("log_return_1", "volume_relative_20"),
    targets=("fwd_ret_1b",),
    max_rows=None,
    min_rows=1,
    bar_seconds=86_400,
    session_bars=1,
)


def bars(seed: int, *, tick: bool = False, split: bool = False) -> pa.Table:
    """Return daily bars with a close a hundred times too large, or a 4:1 split."""
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.01, N)))
    opened = np.r_[50.0, close[:-1]]
    prices = {
        "open": opened,
        "high": np.maximum(opened, close) * 1.002,
        "low": np.minimum(opened, close) * 0.998,
        "close": close,
    }
    volume = rng.lognormal(10, 0.5, N)
    if tick:
        prices["close"][TICK] *= 100
        prices["high"][TICK] = prices["close"][TICK]
    stated = np.zeros(N)
    if split:
        stated[SPLIT] = 4.0
        for field in FIELDS:
            prices[field][SPLIT:] /= 4
        volume[SPLIT:] *= 4
    times = pa.array(np.arange(N) * DAY, pa.timestamp("ns", "UTC"))
    columns: dict[str, Any] = {"ts": times, **prices, "volume": volume, "Stock Splits": stated}
    return pa.table(columns)


def inspected(
    partition: SymbolPartition, fs: FileSystem, min_rows: int = 1, **rules: Any
) -> SymbolInspection:
    request = inspection_request(
        ColumnsConfig(),
        time_column=None,
        kind="auto",
        max_rows=None,
        min_rows=min_rows,
        rules=ReadingRules(**rules),
    )
    return inspect_symbol(partition, fs, request)


def loaded(partition: SymbolPartition, fs: FileSystem, **rules: Any) -> Any:
    return load_symbol_table(partition, fs, replace(REQUEST, rules=ReadingRules(**rules)))


@pytest.mark.parametrize(
    ("ticks", "done"),
    [
        ("keep", "kept unchanged; data.ticks: mask or drop removes them"),
        ("mask", "set missing (data.ticks: mask)"),
        ("drop", "dropped (data.ticks: drop)"),
    ],
)
def test_a_tick_is_a_finding_with_its_time(
    write_partition: WritePartition, fs: FileSystem, ticks: str, done: str
) -> None:
    """What stands there, what is usual, and what was done; rows are counted after it."""
    found = inspected(write_partition("A", bars(0, tick=True)), fs, ticks=ticks)
    (finding,) = found.findings
    assert (finding.rule, finding.count) == ("ticks", 1)
    assert finding.message.startswith(
        "1 bar is far outside the range of the bars around: 1970-05-31T00:00:00+00:00 (high "
    )
    assert finding.message.endswith(done)
    assert found.n_rows == (N - 1 if ticks == "drop" else N)
    assert sum(run.count for run in found.runs) == found.n_rows


def test_what_touches_a_masked_tick_is_missing(
    write_partition: WritePartition, fs: FileSystem
) -> None:
    """Features and labels of the bar and its neighbours; every other cell is as it was."""
    partition = write_partition("A", bars(0, tick=True))
    kept, masked = loaded(partition, fs), loaded(partition, fs, ticks="mask")
    returns, label = masked.features[:, 0], masked.targets[:, 0]
    assert np.flatnonzero(np.isnan(returns)).tolist() == [0, TICK, TICK + 1]
    assert np.flatnonzero(np.isnan(label)).tolist() == [TICK - 1, TICK, N - 1]
    others = np.delete(np.arange(N), [TICK - 1, TICK, TICK + 1])
    np.testing.assert_array_equal(returns[others], kept.features[others, 0])
    np.testing.assert_array_equal(label[others], kept.targets[others, 0])
    assert kept.features[TICK, 0] > 4


def test_a_dropped_tick_leaves_no_row(write_partition: WritePartition, fs: FileSystem) -> None:
    """Its neighbours follow each other, in the table for people too."""
    partition = write_partition("A", bars(0, tick=True))
    dropped = loaded(partition, fs, ticks="drop")
    assert dropped.n_rows == N - 1
    assert TICK * DAY not in dropped.time_ns
    assert np.abs(dropped.features[1:, 0]).max() < 0.1
    request = replace(REQUEST, rules=ReadingRules(ticks="drop"))
    assert labeled_table(partition, fs, request).num_rows == N - 1
    with pytest.raises(DataError, match=r"symbol A: 399 rows after cleaning; data\.min_rows"):
        inspected(partition, fs, min_rows=N, ticks="drop")


def test_a_stated_split_is_found_and_adjusted(
    write_partition: WritePartition, fs: FileSystem
) -> None:
    """Prices before it are divided, volumes multiplied; bars are as if it had not been."""
    partition = write_partition("A", bars(0, split=True))
    (finding,) = inspected(partition, fs).findings
    assert (finding.rule, finding.count) == ("unadjusted_splits", 1)
    assert finding.message == (
        "prices before a split, by a split column, are not adjusted: 4:1 at "
        "1970-09-08T00:00:00+00:00; data.splits: adjust adjusts them"
    )
    (finding,) = inspected(partition, fs, splits="adjust").findings
    assert finding.message.endswith("they were adjusted (data.splits: adjust)")
    whole = loaded(write_partition("B", bars(0)), fs)
    adjusted = loaded(partition, fs, splits="adjust")
    np.testing.assert_allclose(adjusted.features, whole.features, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(adjusted.targets, whole.targets, rtol=1e-9)
    assert loaded(partition, fs).features[SPLIT, 0] < -1


def test_a_split_that_nothing_states_is_told_and_left(
    write_partition: WritePartition, fs: FileSystem
) -> None:
    """A ratio alone is not a reason to change prices."""
    table = bars(0, split=True).drop_columns(["Stock Splits"])
    partition = write_partition("A", table)
    (finding,) = inspected(partition, fs, splits="adjust").findings
    assert finding.message == (
        "prices before a split, by the jump's ratio, are not adjusted: 4:1 at "
        "1970-09-08T00:00:00+00:00; no column states it, so adjust the files if it is one"
    )
    assert loaded(partition, fs, splits="adjust").features[SPLIT, 0] < -1


def test_stuck_prices_are_told(write_partition: WritePartition, fs: FileSystem) -> None:
    """With how long, since when, and whether anything was traded."""
    table = bars(0).to_pydict()
    for field in FIELDS:
        table[field][300:330] = [42.0] * 30
    table["volume"][300:330] = [0.0] * 30
    (finding,) = inspected(write_partition("A", pa.table(table)), fs).findings
    assert (finding.rule, finding.count) == ("stuck_prices", 30)
    assert finding.message == (
        "prices are stuck: 30 bars at 42 from 1970-10-28T00:00:00+00:00, without volume; kept as "
        "they are"
    )


def test_one_warning_per_kind(write_partition: WritePartition, fs: FileSystem) -> None:
    """However many symbols have it, with counts and the worst of them."""
    tables = {
        "A": bars(0, tick=True),
        "B": bars(1, tick=True),
        "C": bars(2, split=True),
        "D": bars(3),
    }
    found = [inspected(write_partition(name, table), fs) for name, table in tables.items()]
    summary = summarise_panel(
        found,
        ColumnsConfig(),
        label_targets=("fwd_ret_5d",),
        label_features="standard",
        interval="1d",
        time_column=None,
    )
    ticks, splits = summary.warnings
    assert ticks.startswith(
        "bars are far outside the range of their neighbours: 2 in 2 symbols. The most: A: 1 bar is "
    )
    assert splits.startswith("splits that prices are not adjusted for: 1 in 1 symbol. C: prices")
