"""Rows of the training are never scored as if they were new: left out, or from the walk-forward."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from panels import read_json, remembering_bars, symbol_names, write_panel
from scipy.stats import spearmanr
from trained_runs import TARGET, Trained, predict

from ray_pipeline.errors import ConfigError
from ray_pipeline.predicting import load_run, prediction_lines

SCORE = f"{TARGET}__score"
RAW = f"{TARGET}__pooled__ridge"


def _scores(out: Path, symbol: str) -> pa.Table:
    (path,) = out.rglob(f"symbol={symbol}/*.parquet")
    return pq.ParquetFile(path).read()


def _longer(trained: Trained, tmp_path: Path) -> Path:
    """Write the panel of the run with forty more bars."""
    del trained
    tables = {symbol: remembering_bars(symbol, 360) for symbol in symbol_names(4)}
    return write_panel(tmp_path / "longer", tables)


def test_by_default_only_rows_that_nobody_learned_from(bars: Trained, tmp_path: Path) -> None:
    """From the bar on at which the last label was known: here that is the run's newest one."""
    found = predict(bars, tmp_path / "out", in_sample=False)
    last = bars.tables["S00"]["ts"][-1].as_py()
    symbol = found["symbols"]["S00"]
    assert symbol["known_ts"] == last.isoformat()
    table = _scores(tmp_path / "out", "S00")
    assert table["ts"].to_pylist() == [last]
    assert table["in_sample"].to_pylist() == [False]
    assert load_run(str(bars.run_dir)).known_from("S00") == last.isoformat()
    everything = predict(bars, tmp_path / "all", _longer(bars, tmp_path))
    assert everything["in_sample"] is True
    whole = _scores(tmp_path / "all", "S00")
    assert whole["in_sample"].to_pylist() == [each < last for each in whole["ts"].to_pylist()]
    predict(bars, tmp_path / "later", tmp_path / "longer", in_sample=False)
    assert _scores(tmp_path / "later", "S00").equals(
        whole.filter(pc.invert(whole["in_sample"])).combine_chunks()
    )


def test_data_without_a_new_row_are_noted(bars: Trained, tmp_path: Path) -> None:
    """With what would give rows."""
    older = {symbol: remembering_bars(symbol).slice(0, 300) for symbol in symbol_names(4)}
    found = predict(bars, tmp_path / "out", write_panel(tmp_path / "data", older), in_sample=False)
    (note,) = found["symbols"]["S00"]["notes"]
    assert note.startswith("no row to predict: none is later than the last label")
    assert note.endswith("--history gives the walk-forward's")
    assert found["symbols"]["S00"]["n_rows"] == 0


@pytest.fixture(name="walked")
def with_history(bars: Trained, tmp_path: Path) -> tuple[Path, Any]:
    """Score forty new bars with the walk-forward before them."""
    found = predict(bars, tmp_path / "out", _longer(bars, tmp_path), history=True)
    return tmp_path / "out", found


def test_the_history_is_the_walk_forward(
    bars: Trained, walked: tuple[Path, Any], tmp_path: Path
) -> None:
    """Row by row the run's out-of-sample predictions, then what the models say of new bars."""
    out, found = walked
    out_of_sample = pq.ParquetFile(bars.run_dir / "predictions/out_of_sample.parquet").read()
    predict(bars, tmp_path / "later", tmp_path / "longer", in_sample=False)
    for symbol in symbol_names(4):
        table = _scores(out, symbol)
        assert not any(table["in_sample"].to_pylist())
        times = table["ts"].to_pylist()
        assert times == sorted(set(times))
        n_history = found["symbols"][symbol]["n_history_rows"]
        later = _scores(tmp_path / "later", symbol)
        assert table.slice(n_history).combine_chunks().equals(later)
        for view, word in (("cross_sectional", "pooled"), ("symbol_specific", "own")):
            for family in ("ridge", "lightgbm", "rank_average"):
                then = out_of_sample.filter(
                    pc.and_(
                        pc.and_(
                            pc.equal(out_of_sample["symbol"], symbol),
                            pc.equal(out_of_sample["view"], view),
                        ),
                        pc.equal(out_of_sample["family"], family),
                    )
                ).sort_by("ts")
                # The newest bar of the run is the models' own: its labels were known.
                expected = dict(
                    zip(then["ts"].to_pylist(), then["prediction"].to_pylist(), strict=True)
                )
                name = f"{TARGET}__{word}__{family}"
                if then.num_rows and name in table.column_names:
                    got = dict(zip(times[:n_history], table[name].to_pylist(), strict=False))
                    assert n_history == then.num_rows - 1
                    assert got == {time: expected[time] for time in times[:n_history]}


def test_a_score_of_the_history_is_a_standing(bars: Trained, walked: tuple[Path, Any]) -> None:
    """The mean of the families' standings over each view, then of the views."""
    out, _ = walked
    out_of_sample = pq.ParquetFile(bars.run_dir / "predictions/out_of_sample.parquet").read()
    rows = out_of_sample.filter(
        pc.and_(
            pc.equal(out_of_sample["symbol"], "S01"),
            pc.not_equal(out_of_sample["family"], "rank_average"),
        )
    ).to_pylist()
    table = _scores(out, "S01")
    served = {job.view for job in load_run(str(bars.run_dir)).serving("S01").jobs}
    for time, score in zip(
        table["ts"].to_pylist()[:50], table[SCORE].to_pylist()[:50], strict=True
    ):
        means = []
        for view in served:
            its = [row["standing"] for row in rows if row["ts"] == time and row["view"] == view]
            assert len(its) == 2
            means.append(sum(its) / 2)
        assert score == pytest.approx(sum(means) / len(means), abs=1e-15)


def test_the_skill_that_a_user_computes_is_the_reports(
    bars: Trained, walked: tuple[Path, Any]
) -> None:
    """The mean rank correlation over timestamps, from the written files and the prices alone."""
    out, _ = walked
    predicted, returns = {}, {}
    for symbol in symbol_names(4):
        close = np.asarray(bars.tables[symbol]["close"])
        times = bars.tables[symbol]["ts"].to_pylist()
        returns[symbol] = dict(zip(times[:-1], close[1:] / close[:-1] - 1, strict=True))
        table = _scores(out, symbol)
        predicted[symbol] = dict(zip(table["ts"].to_pylist(), table[RAW].to_pylist(), strict=True))
    correlations = []
    for time in sorted(set.intersection(*(set(each) for each in predicted.values()))):
        if all(time in each for each in returns.values()):
            x = [predicted[symbol][time] for symbol in predicted]
            y = [returns[symbol][time] for symbol in predicted]
            correlations.append(spearmanr(x, y).statistic)
    metadata = read_json(bars.run_dir / f"models/cs_{TARGET}__ridge/metadata.json")
    assert np.mean(correlations) == pytest.approx(metadata["out_of_sample"]["skill"], abs=1e-9)


def test_a_symbol_that_the_run_does_not_know_has_no_history(bars: Trained, tmp_path: Path) -> None:
    """Pooled models score its new rows, and nobody walked over its past."""
    data_dir = write_panel(tmp_path / "data", {"NEW": remembering_bars("NEW", 360)})
    found = predict(bars, tmp_path / "out", data_dir, history=True)
    symbol = found["symbols"]["NEW"]
    assert (symbol["n_history_rows"], symbol["n_rows"]) == (0, 41)


def test_since_cuts_the_history_too(bars: Trained, tmp_path: Path) -> None:
    """Both parts begin there."""
    data_dir = _longer(bars, tmp_path)
    whole = predict(bars, tmp_path / "whole", data_dir, history=True)
    first = _scores(tmp_path / "whole", "S00")["ts"][10].as_py()
    predict(bars, tmp_path / "cut", data_dir, history=True, since=first.isoformat())
    expected = _scores(tmp_path / "whole", "S00").slice(10).combine_chunks()
    assert _scores(tmp_path / "cut", "S00").equals(expected)
    assert whole["history"] is True


def test_the_history_is_sorted_once(bars: Trained, tmp_path: Path, stages: list[str]) -> None:
    """The same command does nothing again."""
    data_dir = _longer(bars, tmp_path)
    predict(bars, tmp_path / "out", data_dir, history=True)
    assert stages.count("history") == 1
    stages.clear()
    predict(bars, tmp_path / "out", data_dir, history=True)
    assert stages == []


def test_history_and_rows_of_the_training_exclude_each_other(bars: Trained, tmp_path: Path) -> None:
    """One is out of sample, the other is not."""
    with pytest.raises(ConfigError, match=r"--history and --in-sample: .* Omit one of them"):
        predict(bars, tmp_path / "out", history=True, in_sample=True)


def test_other_options_do_not_write_over_predictions(bars: Trained, tmp_path: Path) -> None:
    """Fewer rows, or older files next to new ones, only on request; new data are not an option."""
    data_dir = _longer(bars, tmp_path)
    predict(bars, tmp_path / "out", data_dir, in_sample=False)
    rows = _scores(tmp_path / "out", "S00").num_rows
    with pytest.raises(ConfigError, match=r"--since none there and 2030-01-01 here.*--replace"):
        predict(bars, tmp_path / "out", data_dir, in_sample=False, since="2030-01-01")
    with pytest.raises(ConfigError, match=r"--symbols none there and \['S01'\] here"):
        predict(bars, tmp_path / "out", data_dir, in_sample=False, symbols=["S01"])
    with pytest.raises(ConfigError, match=r"--history False there|--history none there"):
        predict(bars, tmp_path / "out", data_dir, history=True)
    assert _scores(tmp_path / "out", "S00").num_rows == rows
    predict(bars, tmp_path / "out", data_dir, in_sample=False)
    found = predict(bars, tmp_path / "out", data_dir, history=True, replace=True)
    assert _scores(tmp_path / "out", "S00").num_rows > rows
    assert found["history"] is True


def test_it_is_said_when_nothing_could_be_replayed(bars: Trained, tmp_path: Path) -> None:
    """New rows alone prove nothing of how models predict."""
    later = {symbol: remembering_bars(symbol, 400).slice(330) for symbol in symbol_names(4)}
    found = predict(bars, tmp_path / "out", write_panel(tmp_path / "data", later), in_sample=False)
    assert found["replay"]["n_compared"] == 0
    assert any("could not be checked" in line for line in prediction_lines(found))
