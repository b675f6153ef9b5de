from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ray_pipeline.errors import DataError
from ray_pipeline.panel import TableRequest, labeled_table, load_symbol_table
from ray_pipeline.records import SymbolPartition
from ray_pipeline.storage.filesystems import FileSystem

WritePartition = Callable[..., SymbolPartition]
T0 = 1_706_711_400 * 10**9
MINUTE = 60 * 10**9
LABELED = TableRequest(
    kind="labeled",
    time_column=None,
    features=("f", "g"),
    targets=("y_1",),
    max_rows=None,
    min_rows=1,
    bar_seconds=60,
    session_bars=390,
)
BARS = replace(
    LABELED, kind="bars", features=("log_return_1", "log_return_5"), targets=("fwd_ret_2m",)
)


def table(n_rows: int, step: int = MINUTE, **columns: Any) -> pa.Table:
    times = pa.array(T0 + step * np.arange(n_rows), pa.timestamp("ns", "UTC"))
    return pa.table({"ts": times, **columns})


def bars(close: np.ndarray, step: int = MINUTE) -> pa.Table:
    fields = {"open": close, "high": close + 1, "low": close - 1, "close": close}
    return table(len(close), step, **fields, volume=np.ones(len(close)))


def test_columns_come_as_asked_for(write_partition: WritePartition, fs: FileSystem) -> None:
    """The matrices follow the request's order, not the file's, and leave the rest alone."""
    source = table(3, y_1=[0.1, None, 0.3], junk=["a", "b", "c"], g=[7, 8, 9], f=[1.0, 2.0, 3.0])
    loaded = load_symbol_table(write_partition("A", source), fs, LABELED)
    assert loaded.symbol == "A"
    assert loaded.time_ns.tolist() == [T0, T0 + MINUTE, T0 + 2 * MINUTE]
    assert loaded.feature_names == ("f", "g")
    assert loaded.features.tolist() == [[1.0, 7.0], [2.0, 8.0], [3.0, 9.0]]
    assert loaded.target_names == ("y_1",)
    np.testing.assert_array_equal(loaded.targets, [[0.1], [np.nan], [0.3]])


def test_arrays_are_dense_and_read_only(write_partition: WritePartition, fs: FileSystem) -> None:
    """Stages share them, so nobody may write into them."""
    source = table(3, f=[1, 2, 3], g=[1, 2, 3], y_1=[1, 2, 3])
    loaded = load_symbol_table(write_partition("A", source), fs, LABELED)
    for array, dtype in (
        (loaded.time_ns, "int64"),
        (loaded.features, "float32"),
        (loaded.targets, "float64"),
    ):
        assert array.dtype == dtype
        assert array.flags.c_contiguous
        assert not array.flags.writeable


def test_a_column_that_the_symbol_lacks_is_missing(
    write_partition: WritePartition, fs: FileSystem
) -> None:
    """A feature or target of other symbols is NaN in every row here, and so is an empty one."""
    source = table(2, f=pa.array([None, None], pa.null()))
    loaded = load_symbol_table(write_partition("A", source), fs, LABELED)
    assert np.isnan(loaded.features).all()
    assert np.isnan(loaded.targets).all()
    assert loaded.features.shape == (2, 2)


def test_what_is_out_of_range_is_missing(write_partition: WritePartition, fs: FileSystem) -> None:
    """Infinities and numbers that no statistic could hold become NaN without a warning."""
    values = [1e31, float("inf"), -float("inf"), 9.0e29]
    source = table(4, f=values, g=pa.array([1, 2, 3, 4]), y_1=values)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = load_symbol_table(write_partition("A", source), fs, LABELED)
    nan = np.nan
    np.testing.assert_array_equal(
        loaded.features[:, 0], np.array([nan, nan, nan, 9.0e29], np.float32)
    )
    np.testing.assert_array_equal(loaded.targets[:, 0], [nan, nan, nan, 9.0e29])


def test_text_where_numbers_are_needed(write_partition: WritePartition, fs: FileSystem) -> None:
    """The symbol, the column and its type are named."""
    partition = write_partition("A", table(2, f=["a", "b"], y_1=[1.0, 2.0]))
    with pytest.raises(DataError, match=r"symbol A: column 'f' is string; numbers are needed\."):
        load_symbol_table(partition, fs, LABELED)


def test_rows_are_cleaned_and_cut(write_partition: WritePartition, fs: FileSystem) -> None:
    """Rows of several files are sorted, and the newest are kept."""
    late = table(6, f=np.arange(6.0), g=np.arange(6.0), y_1=np.arange(6.0)).slice(3)
    early = table(3, f=np.arange(3.0), g=np.arange(3.0), y_1=np.arange(3.0))
    partition = write_partition("A", late, early)
    loaded = load_symbol_table(partition, fs, replace(LABELED, max_rows=4))
    assert loaded.features[:, 0].tolist() == [2.0, 3.0, 4.0, 5.0]
    with pytest.raises(DataError, match="symbol A: 4 rows after cleaning; data"):
        load_symbol_table(partition, fs, replace(LABELED, max_rows=4, min_rows=5))


@pytest.mark.parametrize("block_bytes", [1, 100])
def test_a_long_symbol_is_loaded_as_a_short_one(
    write_partition: WritePartition,
    fs: FileSystem,
    monkeypatch: pytest.MonkeyPatch,
    block_bytes: int,
) -> None:
    """Read in blocks, from files of other columns and types, out of order, with repeated rows."""
    close = 100 + np.cumsum(np.random.default_rng(3).normal(size=60))
    late = table(60, f=np.where(close > 100, np.inf, close), g=np.arange(60), y_1=close).slice(25)
    early = table(30, f=np.where(close > 100, np.inf, close)[:30], y_1=close[:30])
    early = early.append_column("g", pa.array(np.arange(30.0), pa.float32()))
    labeled, of_bars = write_partition("A", late, early), write_partition("B", bars(close))
    for partition, request in ((labeled, LABELED), (of_bars, BARS)):
        with monkeypatch.context() as patch:
            whole = load_symbol_table(partition, fs, request)
            patch.setattr("ray_pipeline.panel.blocks.WHOLE_BYTES", 0)
            patch.setattr("ray_pipeline.panel.blocks.BLOCK_BYTES", block_bytes)
            blockwise = load_symbol_table(partition, fs, request)
        assert whole.n_rows == 60
        for name in ("time_ns", "features", "targets"):
            assert getattr(blockwise, name).tobytes() == getattr(whole, name).tobytes()


def test_requests_are_plain_values() -> None:
    """A request can be hashed into a unit's digest, and used as a key."""
    assert json.loads(json.dumps(asdict(LABELED)))["features"] == ["f", "g"]
    assert hash(LABELED) == hash(replace(LABELED))


def test_bars_are_labeled_as_they_are_read(write_partition: WritePartition, fs: FileSystem) -> None:
    """Targets look two bars ahead and are missing where the future is unknown."""
    close = np.array([100.0, 101.0, 103.0, 102.0, 110.0, 99.0, 98.0])
    loaded = load_symbol_table(write_partition("A", bars(close)), fs, BARS)
    ahead = loaded.targets[:, 0]
    assert np.isnan(ahead[-2:]).all()
    # Simple or logarithmic, the sign is that of close[t + 2] − close[t].
    assert np.sign(ahead[:-2]).tolist() == np.sign(close[2:] - close[:-2]).tolist()
    assert loaded.feature_names == ("log_return_1", "log_return_5")
    assert np.isnan(loaded.features[0]).all()
    assert np.isfinite(loaded.features[5]).all()


def test_bars_need_all_fields(write_partition: WritePartition, fs: FileSystem) -> None:
    """The missing ones are named."""
    partition = write_partition("A", bars(np.arange(1.0, 9.0)).drop_columns(["high", "volume"]))
    with pytest.raises(DataError, match=r"symbol A: not bars: no column high, volume\."):
        load_symbol_table(partition, fs, BARS)


@pytest.mark.parametrize(("step", "unit"), [(MINUTE, "us"), (MINUTE + 1, "ns")])
def test_the_labeled_table_of_bars(
    write_partition: WritePartition, fs: FileSystem, step: int, unit: str
) -> None:
    """Time, bars, features and targets, with null for missing; times lose no digit."""
    close = np.array([100.0, 101.0, np.nan, 102.0, 110.0, 99.0, 98.0])
    partition = write_partition("A", bars(close, step))
    result = labeled_table(partition, fs, BARS)
    loaded = load_symbol_table(partition, fs, BARS)
    assert [(field.name, str(field.type)) for field in result.schema] == [
        ("ts", f"timestamp[{unit}, tz=UTC]"),
        *((name, "double") for name in ("open", "high", "low", "close", "volume")),
        ("log_return_1", "float"),
        ("log_return_5", "float"),
        ("fwd_ret_2m", "double"),
    ]
    times = result.column("ts").cast(pa.timestamp("ns", "UTC")).cast(pa.int64())
    assert times.to_pylist() == loaded.time_ns.tolist()
    assert result.column("close").null_count == 1
    assert result.column("fwd_ret_2m").null_count == int(np.isnan(loaded.targets).sum())


def test_a_labeled_table_can_be_read_as_one(
    write_partition: WritePartition, fs: FileSystem
) -> None:
    """What `label` writes gives the same features and targets when it is read back."""
    close = 100 + np.cumsum(np.random.default_rng(3).normal(size=60))
    written = labeled_table(write_partition("A", bars(close)), fs, BARS)
    first = load_symbol_table(write_partition("A", bars(close)), fs, BARS)
    again = load_symbol_table(write_partition("B", written), fs, replace(BARS, kind="labeled"))
    np.testing.assert_array_equal(again.features, first.features)
    np.testing.assert_array_equal(again.targets, first.targets)


def test_a_labeled_table_of_labels_has_no_bars(
    write_partition: WritePartition, fs: FileSystem
) -> None:
    """For a table that is labeled already, only the columns asked for are written."""
    source = table(2, f=[1.0, 2.0], g=[1.0, 2.0], y_1=[0.0, 1.0], close=[1.0, 2.0])
    result = labeled_table(write_partition("A", source), fs, LABELED)
    assert result.column_names == ["ts", "f", "g", "y_1"]


@pytest.mark.parametrize("request_", [LABELED, BARS], ids=["labeled", "bars"])
def test_a_table_at_hand_is_not_read_again(
    write_partition: WritePartition, fs: FileSystem, request_: TableRequest
) -> None:
    """The table is the same; labels are not read at all, and of bars only their fields."""
    close = np.array([100.0, np.nan, 102.0, 110.0])
    columns = {"f": [1.0, None, 3.0, 4.0], "g": [1, 2, 3, 4], "y_1": [0.0, 1.0, None, 1.0]}
    source = table(4, **columns) if request_ is LABELED else bars(close)
    partition = write_partition("A", source)
    expected = labeled_table(partition, fs, request_)
    loaded = load_symbol_table(partition, fs, request_)
    unread = partition if request_ is BARS else replace(partition, files=())
    assert labeled_table(unread, fs, request_, loaded).equals(expected)
