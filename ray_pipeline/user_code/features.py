"""Features computed by a user-defined function: from a symbol's bars to named columns.

The function is called with `Bars`, or of a series with a `ValueSeries` (``time_ns``, ``value``,
``columns``), and returns a mapping from names to columns of numbers, one value per row.
``bars.columns["name"]`` is another numeric column of your files. The function may be written as
``my_module:my_features`` or ``my_module.my_features`` in ``labeling.features``, and may have an
attribute ``lookback``: the number of rows that a value reads, including its own::

    def my_features(bars):
        return {"close_to_open": bars.close / bars.open - 1.0}

    my_features.lookback = 1

It is not trusted to look back only. On a sample of bars, before anything runs, and on every
symbol its past values are computed a second time without the newest bars, and must be the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from ray_pipeline.bars import Bars
from ray_pipeline.errors import ConfigError, DataError, ExecutionError
from ray_pipeline.records import BAR_FIELDS, LARGEST_VALUE, TIME_COLUMNS, VALUE
from ray_pipeline.series import ValueSeries
from ray_pipeline.user_code.functions import function_path, load_function
from ray_pipeline.wording import iso_time, plural, some_of

__all__ = ["FeatureFunction", "compute_own_features", "find_feature_functions"]

_Columns = dict[str, npt.NDArray[np.float64]]
_Given: TypeAlias = Bars | ValueSeries

_SAMPLE_ROWS = 600
_SAMPLE_START_NS = 1_577_836_800 * 10**9  # 2020-01-01, a midnight

# Running sums in pandas differ in the last digits depending on where they begin.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class FeatureFunction:
    """A user-defined function found by the driver; small enough to travel with a unit.

    Attributes
    ----------
    function
        ``module:name``, importable by the workers.
    source_sha256
        Hash of the source of its module: an edited function gives other features.
    names
        Names of its features, in its order.
    lookback
        Number of bars that a value reads, including its own; None: it may read all of them.
    """

    function: str
    source_sha256: str
    names: tuple[str, ...]
    lookback: int | None


def find_feature_functions(
    paths: Sequence[str],
    bar_seconds: int,
    taken: Iterable[str],
    columns: Sequence[str] = (),
    kind: Literal["bars", "series"] = "bars",
) -> dict[str, FeatureFunction]:
    """Import functions; find their features, and check that they only look back, on sample bars.

    Parameters
    ----------
    paths
        As named in ``labeling.features``.
    bar_seconds
        Length of a bar of the sample.
    taken
        Names that features must not have: those of the targets; the bars' fields are added.
    columns
        Additional columns that every symbol's bars have.
    kind
        Kind of data they are called with.

    Returns
    -------
    dict
        By path, as given.

    Raises
    ------
    ConfigError
        When a function cannot be imported, fails, returns no numeric columns, a column with a taken
        name, or one that looks ahead.
    """
    fields = BAR_FIELDS if kind == "bars" else (VALUE,)
    reserved = {*fields, *TIME_COLUMNS, "symbol", *taken, *columns}
    sample = _sample_bars if kind == "bars" else _sample_series
    return {path: _find(path, sample(bar_seconds, columns), reserved) for path in paths}


def compute_own_features(functions: Sequence[FeatureFunction], bars: _Given) -> _Columns:
    """Compute the features of a symbol; infinite values are missing.

    Returns
    -------
    dict
        float64 (n_rows,) by name.

    Raises
    ------
    DataError
        When a function returns other columns than on the sample, or looks ahead.
    ExecutionError
        When this process has another version of the function than the driver.
    """
    columns: _Columns = {}
    for each in functions:
        function, source_sha256 = load_function(each.function)
        if source_sha256 != each.source_sha256:
            raise ExecutionError(
                f"labeling.features: the module of {each.function} on this worker is another than "
                "the driver's. Install the same version on every node; if it was edited while "
                "this program ran, start the program again."
            )
        found = _call(each.function, function, bars)
        if tuple(found) != each.names:
            raise DataError(
                f"{each.function} gave the columns {some_of(list(found))}; every symbol needs "
                f"those that it gave of a sample of bars: {some_of(each.names)}. Give a column of "
                "NaN where there is nothing to say."
            )
        _require_no_look_ahead(each.function, function, bars, found)
        columns |= found
    return columns


def _find(given: str, bars: _Given, reserved: set[str]) -> FeatureFunction:
    subject = "labeling.features"
    path = function_path(subject, given, "my_features")
    try:
        function, source_sha256 = load_function(path)
    except ConfigError as error:
        raise ConfigError(f"{subject}: {error}") from error
    lookback = _stated_lookback(path, function)
    try:
        columns = _call(path, function, bars)
        _require_no_look_ahead(path, function, bars, columns)
        if lookback is not None:
            _require_lookback(path, function, bars, columns, lookback)
    except DataError as error:
        raise ConfigError(f"{subject}: on a sample of {len(bars)} bars, {error}") from error
    # Whatever a user's function raises, the config names an unusable function.
    except Exception as error:
        raise ConfigError(
            f"{subject}: {path} failed on a sample of {len(bars)} bars: "
            f"{type(error).__name__}: {error}"
        ) from error
    clashes = sorted(reserved & set(columns))
    if clashes:
        raise ConfigError(
            f"{subject}: {path} gives {some_of(clashes)}, which names the time, the symbol, a "
            "field of the bars, a column beside them or a target. Give the feature another name."
        )
    return FeatureFunction(path, source_sha256, tuple(columns), lookback)


def _stated_lookback(path: str, function: Callable[..., Any]) -> int | None:
    lookback = getattr(function, "lookback", None)
    if lookback is None or (type(lookback) is int and lookback >= 1):
        return lookback
    raise ConfigError(
        f"labeling.features: {path}.lookback is {lookback!r}; a number of bars is needed, 1 for a "
        "function that reads each bar by itself."
    )


def _sample_bars(bar_seconds: int, columns: Sequence[str]) -> Bars:
    """Return deterministic bars of a random walk without gaps, with noise in each column."""
    rng = np.random.default_rng(0)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, _SAMPLE_ROWS)))
    opening = close * np.exp(rng.normal(0.0, 0.005, _SAMPLE_ROWS))
    high = np.maximum(opening, close) * np.exp(rng.exponential(0.004, _SAMPLE_ROWS))
    low = np.minimum(opening, close) * np.exp(-rng.exponential(0.004, _SAMPLE_ROWS))
    volume = np.exp(rng.normal(10.0, 1.0, _SAMPLE_ROWS))
    time_ns = _SAMPLE_START_NS + np.arange(_SAMPLE_ROWS) * (bar_seconds * 10**9)
    beside = {name: rng.standard_normal(_SAMPLE_ROWS) for name in columns}
    return Bars(time_ns, opening, high, low, close, volume, beside)


def _sample_series(bar_seconds: int, columns: Sequence[str]) -> ValueSeries:
    """Return a series of whole numbers, every third of them 0, with noise columns."""
    rng = np.random.default_rng(0)
    value = rng.poisson(3.0, _SAMPLE_ROWS) * (rng.random(_SAMPLE_ROWS) > 1 / 3)
    time_ns = _SAMPLE_START_NS + np.arange(_SAMPLE_ROWS) * (bar_seconds * 10**9)
    beside = {name: rng.standard_normal(_SAMPLE_ROWS) for name in columns}
    return ValueSeries(time_ns, value.astype(np.float64), beside)


def _call(path: str, function: Callable[..., Any], bars: _Given) -> _Columns:
    """Call the function, and return its columns as float64 with NaN for what is not finite."""
    given = function(bars.read_only())
    if not isinstance(given, Mapping):
        raise DataError(
            f"{path} returned a {type(given).__name__}; a dict from names to columns is needed."
        )
    columns: _Columns = {}
    for name, values in given.items():
        if not isinstance(name, str) or not name.isprintable() or not name.strip():
            raise DataError(f"{path} named a column {name!r}; names are text.")
        column = np.asarray(values)
        if column.shape != (len(bars),) or column.dtype.kind not in "fiub":
            raise DataError(
                f"{path} gave {name!r} as {column.dtype} of shape {column.shape}; numbers of shape "
                f"({len(bars)},) are needed, one for each bar."
            )
        number = column.astype(np.float64)  # a copy: the function may keep what it returned
        number[~(np.abs(number) <= LARGEST_VALUE)] = np.nan
        columns[name] = number
    if not columns:
        raise DataError(f"{path} gave no column.")
    return columns


def _require_no_look_ahead(
    path: str, function: Callable[..., Any], bars: _Given, columns: _Columns
) -> None:
    """Compute all but the newest tenth of the rows alone, and compare."""
    n_past = len(bars) - max(1, len(bars) // 10)
    if n_past < 1:
        return
    again = _call(path, function, bars.rows(0, n_past))
    for name, values in columns.items():
        past = again.get(name)
        row = 0 if past is None else _first_difference(values[:n_past], past)
        if row is not None:
            found = "not there" if past is None else f"{past[row]:g}"
            time = iso_time(int(bars.time_ns[row]))
            raise DataError(
                f"{path} looks ahead: {name!r} in row {row} ({time}) is "
                f"{values[row]:g} with all {len(bars)} bars and {found} without the newest "
                f"{len(bars) - n_past}. A feature may read its own bar and those before it."
            )


def _require_lookback(
    path: str, function: Callable[..., Any], bars: _Given, columns: _Columns, lookback: int
) -> None:
    """Compute the newer rows alone: those with a full lookback must be the same."""
    start = len(bars) // 3
    again = _call(path, function, bars.rows(start, len(bars)))
    for name, values in columns.items():
        first = start + lookback - 1
        row = _first_difference(values[first:], again[name][lookback - 1 :])
        if row is not None:
            raise DataError(
                f"{path} reads more than its lookback of {plural(lookback, 'bar')}: {name!r} in "
                f"row {first + row} is {values[first + row]:g}, and "
                f"{again[name][lookback - 1 + row]:g} without the oldest {plural(start, 'bar')}. "
                "State a longer lookback, or none."
            )


def _first_difference(
    values: npt.NDArray[np.float64], others: npt.NDArray[np.float64]
) -> int | None:
    both_missing = np.isnan(values) & np.isnan(others)
    tolerance = _ROUNDING * np.maximum(np.abs(values), np.abs(others)) + 1e-12
    # A comparison with NaN is false, so a single missing value is a difference.
    differs = ~both_missing & ~(np.abs(values - others) <= tolerance)
    return int(np.flatnonzero(differs)[0]) if differs.any() else None
