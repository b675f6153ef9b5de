"""Rows unlike those that models learned from are flagged, with the features that are."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from panels import symbol_names, write_panel
from trained_runs import Trained, predict

from ray_pipeline.predicting import load_run


def _scores(out: Path, symbol: str) -> pa.Table:
    (path,) = out.rglob(f"symbol={symbol}/*.parquet")
    return pq.ParquetFile(path).read()


def _with_signal(trained: Trained, values: dict[int, float]) -> dict[str, pa.Table]:
    """Return the tables of the run with other values of a feature in some rows of S00."""
    tables = dict(trained.tables)
    signal = tables["S00"]["signal"].to_numpy().copy()
    for row, value in values.items():
        signal[row] = value
    at = tables["S00"].column_names.index("signal")
    tables["S00"] = tables["S00"].set_column(at, "signal", pa.array(signal, from_pandas=True))
    return tables


def test_rows_of_the_training_are_usual(labeled: Trained, tmp_path: Path) -> None:
    """Nearly all of them."""
    found = predict(labeled, tmp_path / "out")
    for symbol in symbol_names(4):
        counts = _scores(tmp_path / "out", symbol)["n_unusual"].to_pylist()
        assert sum(count > 0 for count in counts) <= 3
        assert found["symbols"][symbol]["notes"] == []


def test_a_value_far_away_is_named(labeled: Trained, tmp_path: Path) -> None:
    """In its row alone; the record counts it, and the model scores the row all the same."""
    data_dir = write_panel(tmp_path / "data", _with_signal(labeled, {7: 1e4, 9: float("nan")}))
    found = predict(labeled, tmp_path / "out", data_dir)
    table = _scores(tmp_path / "out", "S00")
    counts, names = table["n_unusual"].to_pylist(), table["unusual"].to_pylist()
    assert (counts[7], names[7]) == (1, "signal")
    assert (counts[9], names[9]) == (1, "signal")
    assert (counts[8], names[8]) == (0, None)
    assert found["symbols"]["S00"]["n_unusual_rows"] >= 2
    assert found["symbols"]["S00"]["unusual"] == ["signal"]
    loaded = load_run(str(labeled.run_dir))
    assert loaded.predict(
        pq.ParquetFile(data_dir / "interval=1d/symbol=S00/part-0.parquet").read(),
        symbol="S00",
        in_sample=True,
    ).equals(table)


def test_many_such_rows_are_a_note(labeled: Trained, tmp_path: Path) -> None:
    """As when prices come in cents."""
    values = dict.fromkeys(range(0, 320, 2), 10000.0)
    found = predict(
        labeled, tmp_path / "out", write_panel(tmp_path / "data", _with_signal(labeled, values))
    )
    (note,) = found["symbols"]["S00"]["notes"]
    assert note == (
        "160 of 320 rows are unlike those that the models learned from, most often in signal"
    )
    assert found["symbols"]["S01"]["notes"] == []


def test_the_walk_forward_is_not_judged(bars: Trained, tmp_path: Path) -> None:
    """Its rows were scored by the models of their folds; the file says when training was known."""
    found = predict(bars, tmp_path / "out", history=True)
    table = _scores(tmp_path / "out", "S00")
    n_history = found["symbols"]["S00"]["n_history_rows"]
    assert table["n_unusual"].slice(0, n_history).null_count == n_history
    assert table["n_unusual"].slice(n_history).null_count == 0
    known = table["known_ts"].to_pylist()
    assert known[:n_history] == [None] * n_history
    assert {each.isoformat() for each in known[n_history:]} == {found["symbols"]["S00"]["known_ts"]}
