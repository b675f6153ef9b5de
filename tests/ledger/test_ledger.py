"""A ledger is added to and never changed, and shows when somebody did."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from ray_pipeline.errors import DamagedFileError, ExecutionError
from ray_pipeline.ledger.ledger import (
    OUTCOMES,
    PREDICTIONS,
    UPDATE,
    PredictionLedger,
    rows_in,
    rows_not_in,
)
from ray_pipeline.storage import RunDirectory

DAY_NS = 86_400 * 10**9
FACTS = {"version": "v", "content_sha256": "c", "input_fingerprint": "f", "upto": None}


def predicted(*days: int, symbol: str = "A", score: float = 0.5) -> pa.Table:
    """Give a prediction for each of some days."""
    rows = [
        {"ts": day * DAY_NS, "symbol": symbol, "target": "y", "score": score, "n_unusual": 0}
        for day in days
    ]
    return pa.Table.from_pylist(rows, schema=PREDICTIONS)


def known(*days: int, symbol: str = "A") -> pa.Table:
    """Return the outcome of each, a day later."""
    rows = [
        {
            "ts": day * DAY_NS,
            "symbol": symbol,
            "target": "y",
            "known_ts": (day + 1) * DAY_NS,
            "actual": float(day),
        }
        for day in days
    ]
    return pa.Table.from_pylist(rows, schema=OUTCOMES)


def _filled(folder: Path) -> PredictionLedger:
    ledger = PredictionLedger(RunDirectory(folder))
    ledger.append(predicted(2, 1), known(), FACTS)
    ledger.append(predicted(3), known(1), FACTS)
    ledger.append(predicted(4), known(3, 2), FACTS)
    return ledger


def test_parts_are_one_table_in_the_order_of_time(tmp_path: Path) -> None:
    """Each prediction with its outcome, and when it was made."""
    ledger = _filled(tmp_path)
    table = ledger.table()
    days = [ts.day for ts in table["ts"].to_pylist()]
    assert days == [2, 3, 4, 5]
    assert table["actual"].to_pylist() == [1.0, 2.0, 3.0, None]
    assert table["known_ts"].to_pylist()[0] == table["ts"].to_pylist()[1]
    assert all(table["made_at"].to_pylist())
    assert [part.number for part in ledger.parts()] == [1, 2, 3]


def test_an_empty_ledger_is_a_table_without_rows(tmp_path: Path) -> None:
    """With the columns that it will have."""
    table = PredictionLedger(RunDirectory(tmp_path)).table()
    assert table.num_rows == 0
    assert {*PREDICTIONS.names, "actual", "known_ts", "made_at"} == set(table.column_names)


def test_tables_without_a_record_do_not_count(tmp_path: Path) -> None:
    """Who was stopped between the tables and the record has added nothing."""
    ledger = _filled(tmp_path)
    (tmp_path / "ledger/000003.part.json").unlink()
    assert ledger.predictions().num_rows == 3
    ledger.append(predicted(5), known(), FACTS)
    assert [ts.day for ts in ledger.predictions()["ts"].to_pylist()] == [2, 3, 4, 6]


@pytest.mark.parametrize("number", [1, 2])
def test_a_part_that_is_missing_in_the_middle(tmp_path: Path, number: int) -> None:
    """It is not passed over."""
    ledger = _filled(tmp_path)
    (tmp_path / f"ledger/{number:06d}.part.json").unlink()
    with pytest.raises(DamagedFileError, match="does not follow the record before it"):
        ledger.table()


def test_a_changed_record_shows(tmp_path: Path) -> None:
    """In its successor's checksum."""
    ledger = _filled(tmp_path)
    path = tmp_path / "ledger/000002.part.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"made_at": "2020-01-01T00:00:00+00:00"}, indent=2))
    with pytest.raises(DamagedFileError, match=r"000003\.part\.json does not follow"):
        ledger.parts()


@pytest.mark.parametrize("name", ["predictions", "outcomes"])
def test_a_changed_table_shows(tmp_path: Path, name: str) -> None:
    """By its checksum."""
    ledger = _filled(tmp_path)
    (tmp_path / f"ledger/000002.{name}.parquet").write_bytes(b"PAR1 something else PAR1")
    with pytest.raises(DamagedFileError, match=f"000002.{name}.parquet is not as it was written"):
        ledger.table()


def test_what_is_no_record(tmp_path: Path) -> None:
    """It is named."""
    ledger = _filled(tmp_path)
    (tmp_path / "ledger/000003.part.json").write_text("{}")
    with pytest.raises(DamagedFileError, match=r"000003\.part\.json is not a record of a ledger"):
        ledger.parts()


def test_two_processes_cannot_add_the_same_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second is told so, and has changed nothing."""
    ledger = _filled(tmp_path)
    before = ledger.parts()
    monkeypatch.setattr(PredictionLedger, "_records", lambda _: [(part, "") for part in before[:2]])
    with pytest.raises(ExecutionError, match="another process has added part 3"):
        ledger.append(predicted(9), known(), FACTS)


def test_rows_by_their_key() -> None:
    """Time, symbol and target, whatever else they hold."""
    rows = pa.concat_tables([predicted(1, 2), predicted(1, symbol="B")])
    new = rows_not_in(rows, predicted(2, score=0.9))
    assert sorted(zip(new["symbol"].to_pylist(), new["ts"].to_pylist(), strict=True)) == sorted(
        zip(
            ["A", "B"],
            predicted(1, 1)["ts"].to_pylist(),
            strict=True,
        )
    )
    assert rows_in(known(1, 7), predicted(1))["actual"].to_pylist() == [1.0]
    assert rows_not_in(rows, predicted()).num_rows == 3


@pytest.mark.parametrize("content", ["[1]", "rubbish", "null"])
def test_an_account_of_the_last_update_that_is_none_is_refused(
    tmp_path: Path, content: str
) -> None:
    """It says where the ledger ends; a sentence says what can be done."""
    ledger = _filled(tmp_path)
    (tmp_path / UPDATE).write_text(content)
    with pytest.raises(DamagedFileError, match=r"update\.json .*Restore the file, or remove it"):
        PredictionLedger(RunDirectory(tmp_path)).parts()
    (tmp_path / UPDATE).unlink()
    assert len(ledger.parts()) == 3
