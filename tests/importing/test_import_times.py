"""Times of imports: zones, units, forms, and what files say that contradict each other."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from import_data import bars, import_all, panel_rows

from ray_pipeline.errors import ConfigError, DataError
from ray_pipeline.importing.outcome import outcome_lines

pytestmark = pytest.mark.usefixtures("interrupt_after")


def _csv(path: Path, times: list[str], symbols: list[str] | None = None) -> None:
    path.parent.mkdir(exist_ok=True)
    names = symbols or ["A"] * len(times)
    lines = [
        f"{time},{name},{i}.5" for i, (time, name) in enumerate(zip(times, names, strict=True))
    ]
    path.write_text("\n".join(["time,symbol,close", *lines]))


def _times(out: Path) -> list[str]:
    return [f"{each:%Y-%m-%d %H:%M}" for rows in panel_rows(out).values() for each in rows["ts"]]


@pytest.mark.parametrize(
    ("text", "options", "found"),
    [
        ("2024-07-01 09:30", {"time_zone": "America/New_York"}, "2024-07-01 13:30"),
        ("2024-07-01 09:30", {}, "2024-07-01 09:30"),
        ("2024-07-01T09:30:00-04:00", {}, "2024-07-01 13:30"),
        ("20240701", {}, "2024-07-01 00:00"),
        ("1719826200", {}, "2024-07-01 09:30"),
        ("1719826200000", {"time_unit": "ms"}, "2024-07-01 09:30"),
        ("01.07.2024 09:30", {"time_format": "%d.%m.%Y %H:%M"}, "2024-07-01 09:30"),
    ],
)
def test_times_of_text_are_read_as_in_a_run(
    tmp_path: Path, text: str, options: dict[str, str], found: str
) -> None:
    """By what they are, and what the command line says of them."""
    _csv(tmp_path / "csv" / "a.csv", [text])
    import_all(tmp_path / "csv", tmp_path / "panel", **options)
    assert _times(tmp_path / "panel") == [found]


def test_what_was_assumed_is_told(tmp_path: Path) -> None:
    """With the number of rows."""
    _csv(tmp_path / "csv" / "a.csv", ["2024-07-01 09:30", "2024-07-01 09:35"])
    done = import_all(tmp_path / "csv", tmp_path / "panel", interval="5m")
    lines = list(outcome_lines(done))
    assert "assumed  time column 'time': times without a zone read as UTC (2 rows)" in lines


def test_instants_beside_clock_times_are_refused(tmp_path: Path) -> None:
    """With both files named, before anything is written; a zone makes one of both."""
    folder = tmp_path / "days"
    folder.mkdir()
    table = bars("2024-01-02", 1, ["A"])
    pq.write_table(table, folder / "1.parquet")
    naive = bars("2024-01-03", 1, ["A"])
    naive = naive.set_column(0, "ts", naive["ts"].cast(pa.timestamp("ns")))
    pq.write_table(naive, folder / "2.parquet")
    out = tmp_path / "panel"
    with pytest.raises(
        DataError,
        match=r"in \S+2\.parquet have no zone, and those in \S+1\.parquet .*--time-zone to",
    ):
        import_all(folder, out)
    assert not list(out.rglob("*.parquet"))
    import_all(folder, out, time_zone="America/New_York")
    assert _times(out) == ["2024-01-02 00:00", "2024-01-03 05:00"]
    _csv(folder / "3.csv", ["2024-01-04"])
    with pytest.raises(DataError, match=r"in \S+3\.csv are dates, and those in \S+1\.parquet are"):
        import_all(folder, tmp_path / "other", time_zone="America/New_York")


def test_the_hour_that_comes_twice_is_told_by_rows_of_one_symbol_alone(tmp_path: Path) -> None:
    """Where a file holds several symbols, the command line has to say which it is."""
    zone = {"time_zone": "America/New_York", "interval": "1h"}
    times = ["2024-11-03 00:30", "2024-11-03 01:30", "2024-11-03 01:30", "2024-11-03 02:30"]
    _csv(tmp_path / "one" / "A.csv", times)
    import_all(tmp_path / "one", tmp_path / "1", symbol_from_path="{symbol}.csv", **zone)
    assert [each[-5:] for each in _times(tmp_path / "1")] == ["04:30", "05:30", "06:30", "07:30"]
    _csv(tmp_path / "two" / "a.csv", times[1:3], ["A", "B"])
    with pytest.raises(DataError, match=r"a\.csv: .* does not tell .*Set --repeated-hour to first"):
        import_all(tmp_path / "two", tmp_path / "2", **zone)
    import_all(tmp_path / "two", tmp_path / "2", repeated_hour="second", **zone)
    assert _times(tmp_path / "2") == ["2024-11-03 06:30"] * 2


def test_times_that_cannot_be_are_refused(tmp_path: Path) -> None:
    """Counters instead of times, text that is none, zones and formats that do not exist."""
    _csv(tmp_path / "csv" / "a.csv", ["1", "2", "3"])
    with pytest.raises(DataError, match=r"a\.csv.*whole numbers up to 3: .* --columns time= to"):
        import_all(tmp_path / "csv", tmp_path / "panel")
    _csv(tmp_path / "csv" / "a.csv", ["soon", "later"])
    with pytest.raises(DataError, match=r"csv/a\.csv"):
        import_all(tmp_path / "csv", tmp_path / "panel")
    with pytest.raises(ConfigError, match="--time-zone Moon/Base: there is no such zone"):
        import_all(tmp_path / "csv", tmp_path / "panel", time_zone="Moon/Base")
    with pytest.raises(ConfigError, match=r"--time-format %H: one year .* are needed"):
        import_all(tmp_path / "csv", tmp_path / "panel", time_format="%H")
