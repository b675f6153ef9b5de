"""Features by a user-defined function: what it may return, and that it looks back only."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ray_pipeline.bars import Bars, compute_features
from ray_pipeline.errors import ConfigError, DataError, ExecutionError
from ray_pipeline.execution.protocol import Unit
from ray_pipeline.panel import TableRequest, load_symbol_table
from ray_pipeline.records import SymbolPartition
from ray_pipeline.storage.filesystems import FileSystem
from ray_pipeline.user_code.features import (
    FeatureFunction,
    compute_own_features,
    find_feature_functions,
)

OwnModules = Callable[..., Path]
WritePartition = Callable[..., SymbolPartition]

SOURCE = """
import numpy as np

def shape(bars):
    body = bars.close - bars.open
    return {"body": body / bars.open, "up": body > 0, "n": np.arange(len(bars), dtype=np.int32)}

def average(bars):
    total = np.cumsum(bars.close)
    mean = np.full(len(bars), np.nan)
    mean[9:] = (total[9:] - np.concatenate([[0], total[:-10]])) / 10
    return {"to_mean": bars.close / mean}

average.lookback = 10

def infinite(bars):
    return {"x": np.where(np.arange(len(bars)) % 2, np.inf, 1.0)}

def huge(bars):
    return {"x": np.resize([1e308, -1.7e308, 1e31, 2.0, 1e30], len(bars))}

def of_symbol(bars):
    return {"a": bars.close, "b" if bars.close[0] > 1000 else "c": bars.close}
"""


def make_bars(n_rows: int, seed: int = 5) -> Bars:
    rng = np.random.default_rng(seed)
    close = 50.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, n_rows)))
    time_ns = 1_700_000_000 * 10**9 + np.arange(n_rows) * 3_600 * 10**9
    return Bars(time_ns, close * 0.99, close * 1.02, close * 0.98, close, np.ones(n_rows))


def find(path: str, taken: tuple[str, ...] = ()) -> FeatureFunction:
    return find_feature_functions([path], 3_600, taken)[path]


def test_function_is_asked_for_its_names_once_and_computed_on_every_symbol(
    own_modules: OwnModules,
) -> None:
    """Names come from a sample of bars; whole numbers and truth values become numbers."""
    own_modules("mine", SOURCE)
    function = find("mine.shape")
    assert (function.function, function.names) == ("mine:shape", ("body", "up", "n"))
    assert function.lookback is None
    bars = make_bars(50)
    columns = compute_own_features([function], bars)
    assert all(column.dtype == np.float64 for column in columns.values())
    np.testing.assert_allclose(columns["body"], 1 / 0.99 - 1)
    assert columns["up"].tolist() == [1.0] * 50
    assert columns["n"].tolist() == list(range(50))


def test_lookback_may_be_stated(own_modules: OwnModules) -> None:
    """Sums that are carried along differ by rounding alone, which is let pass."""
    own_modules("mine", SOURCE)
    assert find("mine:average").lookback == 10
    assert np.isfinite(
        compute_own_features([find("mine:average")], make_bars(90))["to_mean"][9:]
    ).all()


def test_infinite_value_is_missing(own_modules: OwnModules) -> None:
    """As it is in every feature."""
    own_modules("mine", SOURCE)
    got = compute_own_features([find("mine:infinite")], make_bars(4))["x"]
    np.testing.assert_array_equal(got, [1.0, np.nan, 1.0, np.nan])


def test_value_out_of_range_is_missing(own_modules: OwnModules) -> None:
    """Differences of the largest doubles are none of the user's concern."""
    own_modules("mine", SOURCE)
    with np.errstate(all="raise"):
        got = compute_own_features([find("mine:huge")], make_bars(20))["x"]
    np.testing.assert_array_equal(got, np.resize([np.nan, np.nan, np.nan, 2.0, 1e30], 20))


def test_bars_cannot_be_written_to(own_modules: OwnModules) -> None:
    """A function that works in place would spoil the labels."""
    own_modules("mine", "def f(bars):\n    bars.close[0] = 1\n    return {'x': bars.close}\n")
    with pytest.raises(ConfigError, match=r"mine:f failed on a sample of 600 bars: ValueError: a"):
        find("mine:f")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return [bars.close]", "mine:f returned a list; a dict from names to columns is needed"),
        ("return {}", "mine:f gave no column"),
        ("return {3: bars.close}", "mine:f named a column 3; names are text"),
        ("return {' ': bars.close}", "mine:f named a column ' '; names are text"),
        (
            "return {'x': bars.close[1:]}",
            r"mine:f gave 'x' as float64 of shape \(599,\); numbers of shape \(600,\) are needed",
        ),
        (
            "return {'x': bars.close.astype(str)}",
            r"mine:f gave 'x' as <U\d+ of shape \(600,\); numbers of shape \(600,\) are needed",
        ),
        (
            "return {'close': bars.open}",
            "mine:f gives close, which names the time, the symbol, ",
        ),
        ("return {'ts': bars.open}", "mine:f gives ts, which names the time"),
        ("return {'fwd_ret_1d': bars.open}", "gives fwd_ret_1d, which .*or a target.*another name"),
        (
            "return 1 / 0",
            "mine:f failed on a sample of 600 bars: ZeroDivisionError: division",
        ),
        (
            "return {'ok': bars.close, 'x': bars.close / bars.close.mean()}",
            r"on a sample of 600 bars, mine:f looks ahead: 'x' in row 0 "
            r"\(2020-01-01T00:00:00\+00:00\) is [\d.]+ with all 600 bars and [\d.]+ without the "
            r"newest 60\. A feature may read its o",
        ),
        (
            "import numpy as np; return {'x': np.append(bars.close[1:], np.nan)}",
            r"mine:f looks ahead: 'x' in row 539 \(2020-01-23T11:00:00\+00:00\) is [\d.]+ with all "
            "600 bars and nan without the newest 60",
        ),
        (
            "return {'x' if len(bars) == 600 else 'y': bars.close}",
            "mine:f looks ahead: 'x' in row 0 .* and not there without the newest 60",
        ),
    ],
)
def test_function_that_cannot_be_used_is_refused_at_once(
    own_modules: OwnModules, body: str, message: str
) -> None:
    """Before any symbol is read, with the function, the column and the row named."""
    own_modules("mine", f"def f(bars):\n    {body}\n")
    with pytest.raises(ConfigError, match=r"^labeling\.features: .*") as error:
        find("mine:f", taken=("fwd_ret_1d",))
    assert re.search(message, str(error.value)), error.value


@pytest.mark.parametrize(
    ("lookback", "message"),
    [
        ("0", r"mine:f\.lookback is 0; a number of bars is needed, 1 for a function that reads"),
        ("'5'", r"mine:f\.lookback is '5'; a number of bars is needed"),
        (
            "3",
            r"mine:f reads more than its lookback of 3 bars: 'x' in row \d+ is [\d.]+, and [\d.]+ "
            r"without the oldest 200 bars\. State a longer lookback, or none",
        ),
    ],
)
def test_wrong_lookback_is_refused(own_modules: OwnModules, lookback: str, message: str) -> None:
    """Prediction relies on it: a stated lookback that is too short would give other values."""
    source = (
        "import numpy as np\ndef f(bars):\n    return {'x': np.maximum.accumulate(bars.close)}\n"
    )
    own_modules("mine", f"{source}f.lookback = {lookback}\n")
    with pytest.raises(ConfigError, match=message):
        find("mine:f")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("mine:nothing", r"labeling\.features: module 'mine' .* has no 'nothing'"),
        ("mine_not:f", r"labeling\.features: no module 'mine_not'"),
        ("mine..f", r"labeling\.features: found 'mine\.\.f'; a function at the top level of a mod"),
        ("__main__:f", r"labeling\.features: __main__:f is in the program that is running"),
    ],
)
def test_function_that_is_not_there_is_refused(
    own_modules: OwnModules, path: str, message: str
) -> None:
    """The config's key is named with what was found."""
    own_modules("mine", SOURCE)
    with pytest.raises(ConfigError, match=message):
        find(path)


def test_symbol_with_other_columns_is_refused(own_modules: OwnModules) -> None:
    """All symbols have the same columns, in the same order."""
    own_modules("mine", SOURCE)
    function = find("mine:of_symbol")
    bars = make_bars(40)
    compute_own_features([function], bars)
    large = replace(bars, close=bars.close * 100)
    with pytest.raises(DataError, match=r"mine:of_symbol gave the columns a, b; every symbol "):
        compute_own_features([function], large)


def test_look_ahead_that_the_sample_does_not_show_is_found_in_the_data(
    own_modules: OwnModules,
) -> None:
    """Each symbol's past is computed twice as well: 700 bars show what 600 do not."""
    source = (
        "import numpy as np\n"
        "def f(bars):\n"
        "    x = bars.close.copy()\n"
        "    if len(bars) > 650:\n"
        "        x[:100] = bars.close[-1]\n"
        "    return {'x': x}\n"
    )
    own_modules("mine", source)
    function = find("mine:f")
    compute_own_features([function], make_bars(500))
    with pytest.raises(DataError, match=r"mine:f looks ahead: 'x' in row 0 .*the newest 70"):
        compute_own_features([function], make_bars(700))


def test_worker_with_another_module_is_told(own_modules: OwnModules) -> None:
    """What the driver found is what every worker has to run."""
    own_modules("mine", SOURCE)
    function = replace(find("mine:shape"), source_sha256="0" * 64)
    with pytest.raises(ExecutionError, match="the module of mine:shape on this worker is another"):
        compute_own_features([function], make_bars(10))


def _unit(request: TableRequest) -> Unit:
    return Unit("label", "A", load_symbol_table, request)


def test_own_and_computed_features_stand_in_the_order_asked_for(
    own_modules: OwnModules, write_partition: WritePartition, fs: FileSystem
) -> None:
    """A table has both kinds; an edited function makes other units of them."""
    own_modules("mine", SOURCE)
    request = TableRequest(
        kind="bars",
        time_column=None,
        features=("body", "log_return_1", "to_mean", "session_hours"),
        targets=("fwd_ret_2b",),
        max_rows=None,
        min_rows=1,
        bar_seconds=3_600,
        session_bars=24,
        functions=(find("mine:shape"), find("mine:average")),
    )
    bars = make_bars(60)
    fields = {name: getattr(bars, name) for name in ("open", "high", "low", "close", "volume")}
    times = pa.array(bars.time_ns, pa.timestamp("ns", "UTC"))
    partition = write_partition("A", pa.table({"ts": times, **fields}))
    table = load_symbol_table(partition, fs, request)
    assert table.feature_names == request.features
    catalogue = compute_features(bars, ["log_return_1", "session_hours"], 3_600)
    np.testing.assert_allclose(table.features[:, [1, 3]], catalogue, rtol=1e-6)
    np.testing.assert_allclose(table.features[:, 0], 1 / 0.99 - 1, rtol=1e-5)
    assert np.isfinite(table.features[9:, 2]).all()
    before = _unit(request).digest
    own_modules("mine", f"{SOURCE}\n# edited\n")
    edited = replace(request, functions=(find("mine:shape"), find("mine:average")))
    assert _unit(edited).digest != before
    # Of what is not asked for nothing is computed: its function may be gone.
    gone = replace(find("mine:shape"), function="gone:f")
    alone = replace(request, features=("log_return_1",), functions=(gone,))
    assert load_symbol_table(partition, fs, alone).features.shape == (60, 1)
