"""The table of all out-of-sample predictions: joined by a worker, in the order of the plan."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from unit_calls import call

from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.storage import RunDirectory, file_digest
from ray_pipeline.training.predictions import JoinSpec, join_tables, predictions_schema


@pytest.fixture
def reader(tmp_path: Path) -> PanelReader:
    return PanelReader(str(tmp_path / "data"), {}, RunDirectory(tmp_path / "run"))


def table(symbol: str, *predictions: float) -> pa.Table:
    n_rows = len(predictions)
    columns = {
        "ts": range(n_rows),
        "symbol": [symbol] * n_rows,
        "target": ["fwd_ret_1d"] * n_rows,
        "view": ["symbol_specific"] * n_rows,
        "family": ["ridge"] * n_rows,
        "fold": [0] * n_rows,
        "prediction": predictions,
        "actual": [0.5] * n_rows,
        "standing": [0.5] * n_rows,
    }
    return pa.table(
        {name: pa.array(columns[name], kind) for name, kind in zip(*_schema(), strict=True)}
    )


def _schema() -> tuple[list[str], list[pa.DataType]]:
    schema = predictions_schema()
    return schema.names, schema.types


def test_tables_follow_each_other(reader: PanelReader) -> None:
    """As the plan has them, not sorted; the digest is that of the file that is left."""
    reader.run.write_table("units/b.parquet", table("B", 1.0, 2.0))
    reader.run.write_table("units/a.parquet", table("A", 3.0))
    record = call(join_tables, reader, JoinSpec(("units/b.parquet", "units/a.parquet")))
    joined = reader.run.read_table(record["table"])
    assert joined.schema.equals(predictions_schema())
    assert joined.column("symbol").to_pylist() == ["B", "B", "A"]
    assert joined.column("prediction").to_pylist() == [1.0, 2.0, 3.0]
    assert bytes.fromhex(record["digest"]) == file_digest(reader.run, record["table"])


def test_other_tables_are_another_file(reader: PanelReader) -> None:
    """The same tables in another order, too: a finished file is never written over."""
    reader.run.write_table("units/b.parquet", table("B", 1.0))
    reader.run.write_table("units/a.parquet", table("A", 3.0))
    names = ("units/a.parquet", "units/b.parquet")
    records = [call(join_tables, reader, JoinSpec(each)) for each in (names, names[::-1], names)]
    assert records[0] == records[2]
    assert records[0]["table"] != records[1]["table"]
    assert records[0]["digest"] != records[1]["digest"]
