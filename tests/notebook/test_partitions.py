"""A long frame cut by symbol: the same rows give the same place, in any order."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from ray_pipeline.config import DataConfig
from ray_pipeline.errors import DataError
from ray_pipeline.notebook.partitions import SplitFrame, split_frame, write_partitions
from ray_pipeline.storage import RunDirectory

if TYPE_CHECKING:
    from conftest import Store

LONG = pa.table(
    {
        "ticker": ["B", "A", "A", "B"],
        "ts": pa.array([2, 2, 1, 1], pa.timestamp("s", "UTC")),
        "x": [4.0, 2.0, 1.0, 3.0],
    }
)


def split(table: pa.Table, symbol: str | None = None, **data: Any) -> SplitFrame:
    return split_frame(table, DataConfig(data_dir="panel", **data), symbol)


def test_each_symbol_has_its_rows_in_the_order_of_time() -> None:
    """The symbol itself is left to the path."""
    found = split(LONG)
    assert list(found.tables) == ["A", "B"]
    assert found.tables["A"].column_names == ["ts", "x"]
    assert found.tables["A"]["x"].to_pylist() == [1.0, 2.0]
    assert found.tables["B"]["x"].to_pylist() == [3.0, 4.0]
    assert found.n_rows == 4


def test_a_symbol_column_that_the_config_names_stays() -> None:
    """Files have to hold what ``data.columns`` names."""
    found = split(LONG, columns={"symbol": "ticker"})
    assert found.tables["A"].column_names == ["ticker", "ts", "x"]


def test_symbols_of_any_type_are_text() -> None:
    """Whole numbers and categories too; no number loses its leading zeros, as it has none."""
    numbers = LONG.set_column(0, "permno", pa.array([20, 10, 10, 20]))
    assert list(split(numbers).tables) == ["10", "20"]
    coded = LONG.set_column(0, "ticker", LONG["ticker"].dictionary_encode())
    assert list(split(coded).tables) == ["A", "B"]


@pytest.mark.parametrize(
    ("table", "symbol", "message"),
    [
        (LONG.drop_columns(["ticker"]), None, r"no symbol column: looked for symbol, ticker"),
        (LONG, "tickr", r"no column 'tickr' for the symbol; found ticker, ts, x"),
        (LONG.drop_columns(["ts"]), None, r"no time column: looked for ts.*found"),
        (LONG.slice(0, 0), None, r"the frame has no rows"),
        (
            LONG.set_column(0, "ticker", pa.array(["B", None, "", "B"])),
            None,
            r"2 rows of 4 have no value in the symbol column 'ticker'",
        ),
        (
            LONG.set_column(0, "ticker", pa.array([1.0, 2.0, 3.0, 4.0])),
            None,
            r"the symbol column 'ticker' is double; text or whole numbers are needed",
        ),
        (LONG.append_column("x", LONG["x"]), None, r"has x more than once"),
    ],
)
def test_frames_that_cannot_be_cut(table: pa.Table, symbol: str | None, message: str) -> None:
    """With what was looked for, found and is needed."""
    with pytest.raises(DataError, match=message):
        split(table, symbol)


def test_columns_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    """Lists, and columns without any value."""
    table = LONG.append_column("many", pa.array([[1], [2], [3], [4]]))
    found = split(table.append_column("none", pa.nulls(4)))
    assert set(found.left_behind) == {"many", "none"}
    said: list[str] = []
    write_partitions(found, RunDirectory(tmp_path), None, said.append)
    assert said[1:] == [
        "warning: column 'many' is left out: list<item: int64> is not a supported type",
        "warning: column 'none' is left out: it has no value",
    ]


def place_of(table: pa.Table, folder: RunDirectory, interval: str | None = "1d") -> str:
    return write_partitions(split(table), folder, interval, lambda text: None)


@pytest.mark.parametrize("order", [[3, 2, 1, 0], [1, 3, 0, 2]])
def test_the_order_of_rows_makes_no_difference(tmp_path: Path, order: Sequence[int]) -> None:
    """Nor does how Arrow holds text, which differs between libraries."""
    folder = RunDirectory(tmp_path)
    large = LONG.set_column(0, "ticker", LONG["ticker"].cast(pa.large_string()))
    assert place_of(LONG, folder) == place_of(large.take(list(order)), folder)


def test_other_rows_are_another_place(tmp_path: Path) -> None:
    """So are another name and another interval."""
    folder = RunDirectory(tmp_path)
    others = [
        LONG.set_column(2, "x", pa.array([4.0, 2.0, 1.0, 3.5])),
        LONG.rename_columns(["ticker", "ts", "y"]),
        LONG.slice(0, 3),
    ]
    places = {place_of(table, folder) for table in (LONG, *others)} | {place_of(LONG, folder, "1h")}
    assert len(places) == 5


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    """Finished work depends on the age of files; what is missing is written."""
    place = Path(place_of(LONG, RunDirectory(tmp_path)))
    files = sorted(place.rglob("*.parquet"))
    assert [file.parent.name for file in files] == ["symbol=A", "symbol=B"]
    before = files[0].stat().st_mtime_ns
    files[1].unlink()
    assert place_of(LONG, RunDirectory(tmp_path)) == str(place)
    assert files[0].stat().st_mtime_ns == before
    assert files[1].exists()


def test_every_store_takes_it(store: Store) -> None:
    """Names with slashes too."""
    table = LONG.set_column(0, "ticker", pa.array(["BRK/B", "A", "A", "BRK/B"]))
    folder = RunDirectory(f"{store.uri}/{uuid.uuid4().hex}", store.options)
    place = RunDirectory(place_of(table, folder), store.options)
    assert place.list() == [
        "interval=1d/symbol=A/part-0.parquet",
        "interval=1d/symbol=BRK%2FB/part-0.parquet",
    ]
