"""A table of symbol, from and to: what it says, and what is refused."""

from __future__ import annotations

import gzip
import tempfile
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.discovery.universe import has_dates, read_universe
from ray_pipeline.errors import ConfigError
from ray_pipeline.panel.membership import members_at

DAY = 86_400 * 10**9
ALWAYS = np.iinfo(np.int64)


def ns(text: str) -> int:
    return int(np.datetime64(text, "ns").astype(np.int64))


def write(path: Path, **columns: object) -> str:
    pq.write_table(pa.table({name.rstrip("_"): column for name, column in columns.items()}), path)
    return str(path)


def test_dates_are_whole_days_and_empty_ends_are_open(tmp_path: Path) -> None:
    """Both ends belong to the membership; several rows of a symbol are one membership."""
    uri = write(
        tmp_path / "universe.parquet",
        symbol=["B", "A", "A", "A"],
        from_=pa.array([None, date(2020, 1, 1), date(2020, 2, 1), date(2019, 1, 1)], pa.date32()),
        to=pa.array([None, date(2020, 1, 31), date(2020, 2, 3), date(2019, 1, 1)], pa.date32()),
    )
    assert read_universe(uri, {}).spans == {
        "A": ((ns("2019-01-01"), ns("2019-01-02")), (ns("2020-01-01"), ns("2020-02-04"))),
        "B": ((ALWAYS.min, ALWAYS.max),),
    }


def test_a_time_of_day_ends_with_that_instant(tmp_path: Path) -> None:
    """Only a midnight means a whole day."""
    uri = write(
        tmp_path / "universe.parquet",
        symbol=["A"],
        from_=[datetime(2020, 1, 1, 9, 30)],
        to=[datetime(2020, 1, 1, 16, 0)],
    )
    ((start, end),) = read_universe(uri, {}).spans["A"]
    assert (start, end) == (ns("2020-01-01T09:30"), ns("2020-01-01T16:00") + 1)


@pytest.mark.parametrize("packed", [False, True])
def test_csv_keeps_symbols_as_text(tmp_path: Path, packed: bool) -> None:
    """0700 and TRUE stay as they are written; capital letters need no mapping."""
    text = b"Symbol,From,To\n0700,2020-01-01,\nTRUE,,2020-06-30\n"
    path = tmp_path / ("universe.csv.gz" if packed else "universe.csv")
    path.write_bytes(gzip.compress(text) if packed else text)
    assert read_universe(str(path), {}).spans == {
        "0700": ((ns("2020-01-01"), ALWAYS.max),),
        "TRUE": ((ALWAYS.min, ns("2020-07-01")),),
    }


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"symbol": ["A"], "from_": ["2020-01-01"]}, r"no column 'to'; it has 'symbol', 'from'"),
        (
            {"symbol": ["A", "B"], "from_": ["", "2020-01-02"], "to": ["2020-01-03", "2020-01-01"]},
            r"column 'from' .* does not hold dates",
        ),
        (
            {"symbol": ["A", "B"], "from_": [None, "2020-01-02"], "to": [None, "2020-01-01"]},
            r"row 2, B: 'from' \(2020-01-02\) lies after 'to' \(2020-01-01\)",
        ),
        ({"symbol": ["A"], "from_": [20200101], "to": [20200102]}, "holds whole numbers"),
        ({"symbol": [700], "from_": ["2020-01-01"], "to": [None]}, "must be text"),
        ({"symbol": [None, "A"], "from_": [None, None], "to": [None, None]}, "row 1 has no symbol"),
        (
            {"symbol": pa.array([], pa.string()), "from_": pa.array([], pa.date32()),
             "to": pa.array([], pa.date32())},
            "no rows",
        ),
    ],
)  # fmt: skip
def test_a_table_that_makes_no_sense_is_refused(
    tmp_path: Path, columns: dict[str, object], expected: str
) -> None:
    """The message names the key, the file, and the row or column."""
    uri = write(tmp_path / "universe.parquet", **columns)
    with pytest.raises(ConfigError, match=expected) as raised:
        read_universe(uri, {})
    assert str(raised.value).startswith(f"data.universe: {uri}")


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """Missing, and neither of the two formats."""
    (tmp_path / "universe.txt").write_text("A 2020")
    for name, expected in (("gone.parquet", "not exist|No such"), ("universe.txt", "neither")):
        with pytest.raises(ConfigError, match=rf"data.universe: .*{name}.*{expected}"):
            read_universe(str(tmp_path / name), {})


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 10)), min_size=1, max_size=8))
def test_members_are_those_that_a_row_names(rows: list[tuple[int, int]]) -> None:
    """However the rows of a symbol overlap."""
    times = np.arange(60) * DAY
    expected = np.zeros(len(times), dtype=bool)
    for first, length in rows:
        expected[first : first + length] = True
    spans = pa.table(
        {
            "symbol": ["A"] * len(rows),
            "from": pa.array([first * DAY for first, _ in rows], pa.timestamp("ns")),
            "to": pa.array([(first + n - 1) * DAY for first, n in rows], pa.timestamp("ns")),
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(spans, f"{folder}/universe.parquet")
        membership = read_universe(f"{folder}/universe.parquet", {}).spans["A"]
    found = members_at(membership, times)
    assert found is not None
    assert found.tolist() == expected.tolist()


# groups


def test_groups_are_further_columns(tmp_path: Path) -> None:
    """With from and to they change over time; other columns are named for messages."""
    uri = write(
        tmp_path / "universe.parquet",
        symbol=["A", "A", "B", "C"],
        from_=pa.array([None, date(2020, 1, 1), None, date(2020, 1, 1)], pa.date32()),
        to=pa.array([date(2019, 12, 31), None, None, None], pa.date32()),
        sector=["Energy", "Banks", "Banks", None],
        country=["US"] * 4,
    )
    found = read_universe(uri, {}, "sector")
    assert found.groups == {
        "A": (
            (ALWAYS.min, ns("2020-01-01"), "Energy"),
            (ns("2020-01-01"), ALWAYS.max, "Banks"),
        ),
        "B": ((ALWAYS.min, ALWAYS.max, "Banks"),),
        "C": (),
    }
    assert found.spans == read_universe(uri, {}).spans
    assert found.others == ("sector", "country")
    assert read_universe(uri, {}, "industry").groups is None


def test_a_map_from_symbol_to_group_needs_no_dates(tmp_path: Path) -> None:
    """A symbol in it always belongs to it; groups of CSV files stay text."""
    path = tmp_path / "sectors.csv"
    path.write_text("symbol,sector\n0700,010\nTRUE,40\nX,\n")
    found = read_universe(str(path), {}, "sector")
    always = (ALWAYS.min, ALWAYS.max)
    assert found.spans == dict.fromkeys(("0700", "TRUE", "X"), (always,))
    assert found.groups == {"0700": ((*always, "010"),), "TRUE": ((*always, "40"),), "X": ()}
    with pytest.raises(ConfigError, match=r"when symbols belong.*e\.g\. sector"):
        read_universe(str(path), {})
    with pytest.raises(ConfigError, match=r"columns\.group: sektor is none of its columns"):
        read_universe(str(path), {}, "sektor")
    assert not has_dates(found.spans.values())
    assert has_dates([((0, ALWAYS.max),), None])


def test_rows_of_one_group_are_joined(tmp_path: Path) -> None:
    """A membership that was renewed is not a change of the group, and may overlap."""
    uri = write(
        tmp_path / "universe.parquet",
        symbol=["A", "A"],
        from_=[date(2020, 1, 1), date(2020, 1, 20)],
        to=[date(2020, 1, 31), date(2020, 3, 1)],
        sector=["Banks", "Banks"],
    )
    found = read_universe(uri, {}, "sector").groups
    assert found == {"A": ((ns("2020-01-01"), ns("2020-03-02"), "Banks"),)}


def test_two_groups_at_a_time_are_refused(tmp_path: Path) -> None:
    """The message names the symbol, the groups and the time."""
    uri = write(
        tmp_path / "universe.parquet",
        symbol=["A", "A"],
        from_=[date(2020, 1, 1), date(2020, 1, 31)],
        to=[date(2020, 1, 31), date(2020, 3, 1)],
        sector=["Banks", "Energy"],
    )
    match = r"A has two groups at 2020-01-31.* in column 'sector': 'Banks' and 'Energy'"
    with pytest.raises(ConfigError, match=match):
        read_universe(uri, {}, "sector")


def test_other_values_are_no_groups(tmp_path: Path) -> None:
    """The message names the table, the column and its type."""
    uri = write(tmp_path / "universe.parquet", symbol=["A"], weight=[0.5])
    with pytest.raises(ConfigError, match=r"universe.parquet: column 'weight' is double that is"):
        read_universe(uri, {}, "weight")
