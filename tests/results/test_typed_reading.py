"""Documents and tables of a run: what older and later versions wrote, and what is wrong."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sample_runs import SampleRun

from ray_pipeline.errors import ConfigError, DamagedFileError, StorageError
from ray_pipeline.results import tables
from ray_pipeline.results.documents import FORMAT_VERSION
from ray_pipeline.results.opening import open_run
from ray_pipeline.results.reading import Results, read_predictions_record
from ray_pipeline.results.schemas import TABLES
from ray_pipeline.storage import RunDirectory


@pytest.fixture
def files(tmp_path: Path) -> RunDirectory:
    return SampleRun().write(tmp_path / "run")


def amend(files: RunDirectory, name: str, **changes: Any) -> None:
    """Replace keys of a document."""
    files.write_json(name, files.read_json(name) | changes)


def test_a_directory_without_a_format_is_of_the_first(files: RunDirectory) -> None:
    """As version 0.1.0 left it: what it did not write yet has its default."""
    record = open_run(files.uri).record
    assert record.format_version == 1 < FORMAT_VERSION
    assert record.cross_section.members == ()


def test_a_later_format_is_refused_with_what_to_do(files: RunDirectory) -> None:
    """Before anything else of the record is looked at: its keys may mean something else."""
    amend(files, "run.json", format_version=FORMAT_VERSION + 1, status="archived")
    with pytest.raises(
        ConfigError,
        match=rf"^{files.uri} was written by a later version of ray_pipeline, in format "
        rf"{FORMAT_VERSION + 1}; this one reads formats up to {FORMAT_VERSION}\. Upgrade",
    ):
        open_run(files.uri)


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"status": "archived"}, "has 'archived' as status, where 'running', 'done', 'failed'"),
        ({"status": None}, "has null as status, where"),
        ({"seed": 1.5}, r"has 1\.5 as seed, where a whole number is needed"),
        ({"counts": {"models": True}}, r"has true as counts\.models, where a whole number is"),
        ({"warnings": "x" * 99}, f"has '{'x' * 60}…' as warnings, where a list is needed"),
        ({"folds": [{"index": 0}, {}]}, r"has no folds\[1\]\.index"),
        ({"data": []}, "has an empty list as data, where a mapping is needed"),
        ({"format_version": 0}, "has 0 as format_version, where greater than or equal to 1 is"),
    ],
)
def test_the_first_thing_that_is_wrong_is_named(
    files: RunDirectory, changes: dict[str, Any], wrong: str
) -> None:
    """The file, the key, what was found, what is needed, and what to do."""
    amend(files, "run.json", **changes)
    with pytest.raises(
        DamagedFileError, match=rf"^{files.uri}/run\.json {wrong}.*\. Run the command that made"
    ):
        open_run(files.uri)


def test_keys_that_nobody_reads_are_passed_on(files: RunDirectory) -> None:
    """A later version's key of a job is told, and stops nobody."""
    plan = files.read_json(tables.PLAN)
    plan["jobs"][0]["colour"] = "blue"
    files.write_json(tables.PLAN, plan)
    read = Results(files).plan()
    assert read is not None
    assert read.jobs[0].told()["colour"] == "blue"


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_read_as_they_are_written(files: RunDirectory, name: str) -> None:
    """Every column of the entry is there, and every row."""
    table = Results(files).table(name)
    assert table is not None
    written = files.read_table(name)
    assert table.num_rows == written.num_rows
    assert set(TABLES[name]) <= set(table.column_names)
    files.remove(name)
    assert Results(files).table(name) is None


def test_columns_that_came_later_have_their_defaults(files: RunDirectory) -> None:
    """A ranking of before says nothing of its null: it was the only one that there was."""
    later = [name for name, each in TABLES[tables.RANKED_TARGETS].items() if not each.required]
    assert {"null", "degrees_of_freedom"} <= set(later)
    written = files.read_table(tables.RANKED_TARGETS)
    files.write_table(tables.RANKED_TARGETS, written.drop_columns(later))
    rows = Results(files).target_rows()
    assert rows is not None
    assert {row.null for row in rows} == {"analytic"}
    assert all(math.isnan(row.degrees_of_freedom) for row in rows)


def test_figures_that_are_not_finite_are_not_measured(files: RunDirectory) -> None:
    """As in JSON, where they are null."""
    table = files.read_table(tables.LEAKAGE)
    row = {"target": "y", "feature": "x", "test": "twin", "action": "dropped", "reason": None}
    values = [math.inf, math.nan, 0.5]
    rows = [row | {"value": value} for value in values]
    files.write_table(tables.LEAKAGE, pa.Table.from_pylist(rows, schema=table.schema))
    read = Results(files).table(tables.LEAKAGE)
    assert read is not None
    assert read.column("value").to_pylist() == [None, None, 0.5]


@pytest.mark.parametrize(
    ("column", "values", "wrong"),
    [
        ("rank", pa.array(["1"]), "the column rank of type string, and int64 is needed"),
        ("rank", pa.array([None], pa.int64()), "the column rank with nothing in 1 row"),
        ("view", pa.array(["both"]), "'both' in the column view, where one of cross_sectional, "),
        ("gain", pa.array([[1.0]]), "the column gain of type list<double>, and numbers, text or"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(
    files: RunDirectory, column: str, values: pa.Array, wrong: str
) -> None:
    """In all rows, also where those of one target are read alone."""
    table = files.read_table(tables.FEATURES).slice(0, 1)
    place = table.column_names.index(column)
    files.write_table(tables.FEATURES, table.set_column(place, column, values))
    for where in (None, ("target", ["nobody's"])):
        with pytest.raises(
            DamagedFileError, match=rf"^{files.uri}/{tables.FEATURES} has {wrong}.*\. Run the"
        ):
            Results(files).table(tables.FEATURES, where=where)


def test_a_store_that_fails_is_not_a_damaged_file(
    files: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be read may be whole: nobody is told to write it again."""

    def refused(*_: object) -> object:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("ray_pipeline.storage.local_store.LocalFile.fetch", refused)
    with pytest.raises(StorageError, match="Input/output error") as caught:
        Results(files).table(tables.ROUTES)
    assert not isinstance(caught.value, DamagedFileError)


def test_predictions_of_something_else_are_refused(tmp_path: Path) -> None:
    """The files that it names would be removed."""
    folder = RunDirectory(tmp_path)
    folder.write_json("predictions.json", {"files": [1]})
    with pytest.raises(
        DamagedFileError, match=r"has 1 as files\[0\], where text is needed\. Give another folder"
    ):
        read_predictions_record(folder, "predictions.json")


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        (pa.table([["A"], [1]], ["symbol", "symbol"]), "has the column symbol more than once"),
        (pa.table({"symbol": ["A"], "x": [{"a": 1}]}), "has the column x of type struct<a: int64>"),
        (None, "it is damaged, or is not a Parquet table"),
    ],
)
def test_tables_of_your_own_stages_hold_plain_values(
    files: RunDirectory, table: pa.Table | None, wrong: str
) -> None:
    """Their columns are yours; a file beside them that is not a table is nobody's."""
    files.write_text("stages/notes.txt", "mine")
    files.write_table("stages/sizes.parquet", pa.table({"symbol": ["A"], "n": [1]}))
    assert list(Results(files).user_tables()) == ["sizes"]
    if table is None:
        files.write_text("stages/sizes.parquet", "symbol,n")
    else:
        files.write_table("stages/sizes.parquet", table)
    with pytest.raises(DamagedFileError, match=rf"stages/sizes\.parquet.*{wrong}.*Run the command"):
        Results(files).user_tables()
