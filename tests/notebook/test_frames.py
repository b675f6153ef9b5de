"""Frames become Arrow tables, whatever library they are of, and tables become frames."""

from __future__ import annotations

import sys
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from ray_pipeline.errors import ConfigError, DataError
from ray_pipeline.notebook.frames import as_table, data_frame

TIMES = pd.to_datetime(["2024-01-02", "2024-01-03"])


def test_a_named_index_counts_as_columns() -> None:
    """Of two levels too, as pandas users have panels."""
    index = pd.MultiIndex.from_product([TIMES, ["A", "B"]], names=["date", "asset"])
    frame = pd.DataFrame({"x": range(4)}, index=index)
    assert sorted(as_table(frame).column_names) == ["asset", "date", "x"]


def test_an_index_without_a_name_is_named_by_what_it_holds() -> None:
    """Times are ``ts`` and text is ``symbol``; a count of rows tells nothing."""
    index = pd.MultiIndex.from_product([TIMES, ["A", "B"]])
    assert as_table(pd.DataFrame({"x": range(4)}, index=index)).column_names == [
        "x",
        "ts",
        "symbol",
    ]
    counted = pd.DataFrame({"x": [1, 2]}, index=[7, 3])
    assert as_table(counted).column_names == ["x"]
    timed = pd.DataFrame({"ts": TIMES, "x": [1, 2]}, index=TIMES)
    assert as_table(timed).column_names == ["ts", "x"]


def test_whatever_gives_arrow_columns_is_a_frame() -> None:
    """By the PyCapsule protocol, as polars does."""

    class Foreign:
        def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
            return pa.table({"symbol": ["A"], "x": [1.0]}).__arrow_c_stream__(requested_schema)

    assert as_table(Foreign()).to_pydict() == {"symbol": ["A"], "x": [1.0]}


def test_what_is_no_frame_is_refused() -> None:
    """By its type, with what is needed."""
    with pytest.raises(
        DataError, match=r"cannot make a table from a int \(.+\)\. Give a data frame"
    ):
        as_table(3)


def test_without_pandas_the_message_names_what_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an optional library."""
    table = pa.table({"x": [1]})
    assert isinstance(data_frame(table, "run.table('targets')"), pd.DataFrame)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigError, match=r"ray-pipeline\[notebook\].*run\.table\('targets'\)"):
        data_frame(table, "run.table('targets')")
