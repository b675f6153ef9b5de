"""From files to roles: what columns are, not what they are called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ray_pipeline.config import ColumnsConfig
from ray_pipeline.errors import ConfigError
from ray_pipeline.panel import (
    PanelSummary,
    SymbolInspection,
    inspect_symbol,
    inspection_request,
    summarise_panel,
)
from ray_pipeline.records import SymbolPartition
from ray_pipeline.storage.filesystems import FileSystem

WritePartition = Callable[..., SymbolPartition]
Summarise = Callable[..., PanelSummary]
HOUR = 3_600 * 10**9
N = 700


def lagged(values: np.ndarray, rows: int) -> np.ndarray:
    if rows < 0:
        return np.r_[values[-rows:], np.full(-rows, np.nan)]
    return np.r_[np.full(rows, np.nan), values[: len(values) - rows]]


def symbol_columns(k: int) -> dict[str, np.ndarray]:
    """Return an honest feature and an honest label of one symbol."""
    rng = np.random.default_rng(k)
    returns = rng.normal(0, 0.01, N)
    return {
        "ts": pa.array(np.arange(N) * HOUR, pa.timestamp("ns", "UTC")),
        "ret_1": returns,
        "level": np.exp(np.cumsum(rng.normal(0, 0.01, N))),
        "y": lagged(returns, -1),
    }


@pytest.fixture
def summarise(write_partition: WritePartition, fs: FileSystem) -> Summarise:
    """Return a function from what is added to each symbol's columns to the summary of four."""

    def summary_of(add: Callable[[int, dict[str, Any]], None], **patterns: Any) -> PanelSummary:
        patterns = {"horizons": {"y": 1, "*": 5}, **patterns}
        config = ColumnsConfig(**patterns)
        request = inspection_request(
            config, time_column=None, kind="auto", max_rows=None, min_rows=1
        )
        inspections = []
        for k in range(4):
            columns = symbol_columns(k)
            add(k, columns)
            found = inspect_symbol(write_partition(f"S{k}", pa.table(columns)), fs, request)
            assert SymbolInspection.from_record(found.to_record()) == found
            inspections.append(found)
        return summarise_panel(
            inspections,
            config,
            label_targets=(),
            label_features="standard",
            interval="1h",
            time_column=None,
        )

    return summary_of


def add_windows(k: int, columns: dict[str, Any]) -> None:
    """Add what is known at the time under a target's name, and an honest label."""
    del k
    returns = columns["ret_1"]
    price = np.exp(np.cumsum(np.log1p(returns)))
    highest = np.lib.stride_tricks.sliding_window_view(np.r_[np.full(59, -np.inf), price], 60)
    columns["y_lag_1"] = lagged(returns, 1)
    columns["y_lag_level"] = lagged(columns["level"], 3)
    columns["mdd_60"] = price / highest.max(axis=1) - 1
    columns["fwd_ret_5b"] = lagged(price, -5) / price - 1


def test_targets_that_earlier_rows_determine(summarise: Summarise) -> None:
    """Lags and trailing windows are features with a reason; labels stay, and say nothing."""
    summary = summarise(add_windows)
    assert summary.roles.targets == ("fwd_ret_5b", "y")
    assert summary.roles.features == ("level", "mdd_60", "ret_1", "y_lag_1", "y_lag_level")
    assert {each.name: each.reason for each in summary.known} == {
        "mdd_60": "the path of 'ret_1' up to its own row tells it, and later rows do not",
        "y_lag_1": "it is 'ret_1' of one row earlier",
        "y_lag_level": "it is 'level' of 3 rows earlier",
    }
    (warning,) = summary.warnings
    assert warning.startswith(
        "3 targets by their names are features, because earlier rows determine"
    )
    assert "y_lag_1 (it is 'ret_1' of one row earlier)" in warning
    assert warning.endswith("name it in columns.targets without a wildcard")


def test_the_users_word_on_targets_and_features(summarise: Summarise) -> None:
    """A target that is named stays one, aloud; what is not a feature by a pattern becomes none."""
    targets = ["y*", "mdd_60"]
    named = summarise(add_windows, targets=targets, exclude_features=["y_lag_level"])
    assert named.roles.targets == ("mdd_60", "y")
    assert "y_lag_level" not in named.roles.features
    ignored = dict(named.roles.ignored)
    assert ignored["y_lag_level"] == ("feature excluded by columns.exclude_features 'y_lag_level'")
    assert any(
        text.startswith("columns.targets names mdd_60 (the path of 'ret_1'")
        for text in named.warnings
    )
    fewer = summarise(add_windows, features=["ret_1", "level", "mdd_*"])
    assert fewer.roles.features == ("level", "mdd_60", "ret_1")
    assert dict(fewer.roles.ignored)["y_lag_1"] == (
        "no target, since it is 'ret_1' of one row earlier; matched by no pattern of "
        "columns.features"
    )


def test_a_lag_of_a_label_is_known_once_its_horizon_has_passed(summarise: Summarise) -> None:
    """Earlier than that a part of it is not known, and it is neither target nor feature."""

    def add(k: int, columns: dict[str, Any]) -> None:
        sales = np.random.default_rng(100 + k).poisson(40, N).astype(float)
        columns |= {"y": sales, "y_lag_3": lagged(sales, 3)}
        del columns["ret_1"]

    known = summarise(add, horizons={"y": 3, "*": 5})
    assert known.roles.targets == ("y",)
    assert known.roles.features == ("level", "y_lag_3")
    partly = summarise(add, horizons={"y": 4, "*": 5})
    assert (partly.roles.targets, partly.roles.features) == (("y",), ("level",))
    assert dict(partly.roles.ignored)["y_lag_3"] == (
        "no target, since it is 'y' of 3 rows earlier, which looks 4 bars ahead: part of it is "
        "known, part is not"
    )


@pytest.mark.parametrize("cut", [0, 1, 25])
def test_no_honest_label_is_refused(summarise: Summarise, cut: int) -> None:
    """Overlapping, delayed, of extremes, or copied by a leak: also where the last rows were cut."""

    def add(k: int, columns: dict[str, Any]) -> None:
        price = np.exp(np.cumsum(np.log1p(columns["ret_1"])))
        ahead = np.lib.stride_tricks.sliding_window_view(price, 20)[1:]
        columns["fwd_ret_20b"] = lagged(price, -20) / price - 1
        columns["mae_20b"] = np.r_[ahead.min(axis=1), np.full(20, np.nan)] / price - 1
        columns["y_next_1b"] = lagged(columns["ret_1"], -2)
        columns["y_other_1b"] = lagged(np.random.default_rng(200 + k).normal(size=N), -1)
        columns["leak"] = lagged(columns["ret_1"], -1)
        for name in columns:
            columns[name] = columns[name][: N - cut]

    summary = summarise(add)
    assert summary.known == ()
    assert summary.roles.targets == ("fwd_ret_20b", "mae_20b", "y", "y_next_1b", "y_other_1b")


def test_columns_that_tell_rows_times_and_symbols(summarise: Summarise) -> None:
    """None is a feature without being named; each kind has one sentence."""

    def add(k: int, columns: dict[str, Any]) -> None:
        columns["Unnamed: 0"] = np.random.default_rng(k).permutation(N)
        columns["row"] = np.arange(N) + 7 * k
        columns["close_time"] = np.arange(N) * 3_600_000 + 3_599_999
        columns["day"] = np.arange(N) // 24
        columns["instrument"] = np.full(N, 1_000 + k)
        columns["one"] = np.ones(N)
        columns["hour"] = np.arange(N) % 24

    summary = summarise(add)
    assert summary.roles.features == ("hour", "level", "ret_1")
    assert {name: kind for name, kind, _ in summary.dropped} == {
        "Unnamed: 0": "index",
        "row": "counter",
        "close_time": "counter",
        "day": "clock",
        "instrument": "identifier",
        "one": "constant",
    }
    assert len(summary.warnings) == 5
    assert any(
        text.startswith("not used as features: close_time, row: changes with every row")
        for text in summary.warnings
    )
    named = summarise(add, features=["*", "day", "instrument", "Unnamed: 0"])
    assert set(named.roles.features) == {
        *("Unnamed: 0", "day", "hour", "instrument", "level", "ret_1"),
    }


def test_no_label_is_left(summarise: Summarise) -> None:
    """Where nothing but lags is called a target, the message says what to set."""

    def add(k: int, columns: dict[str, Any]) -> None:
        del k, columns["y"]
        columns["y_lag_1"] = lagged(columns["ret_1"], 1)

    with pytest.raises(
        ConfigError,
        match=r"no target is left .*y_lag_1 \(it is 'ret_1' of one row earlier\).*columns\.targets",
    ):
        summarise(add)
