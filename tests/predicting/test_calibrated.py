"""What scores mean, in the files: by what was known before each row, and by nothing later."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from panels import quick_config, remembering_bars, symbol_names, write_panel
from trained_runs import FAMILIES, TARGET, Trained, predict

from ray_pipeline.calibration.records import CalibrationRow
from ray_pipeline.calibration.stage import reliability_units
from ray_pipeline.calibration.units import measured, told_rows
from ray_pipeline.driving.progress import Silent
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.predicting import load_run
from ray_pipeline.predicting.calibrating import CalibrateSpec
from ray_pipeline.predicting.trained import open_trained_run
from ray_pipeline.records import TargetSpec
from ray_pipeline.results.tables import PREDICTIONS
from ray_pipeline.stages.writing import rows_table

BINARY, CLASSES = "y_will_peak_2d_0.5", "ret_ord_1d"
N_TRAINED, N_ALL = 320, 400


@pytest.fixture(scope="module", name="kinds")
def run_of_every_kind(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Train for a return, a barrier and classes of a return."""
    root = tmp_path_factory.mktemp("kinds")
    tables = {symbol: remembering_bars(symbol, N_TRAINED) for symbol in symbol_names(4)}
    data_dir = write_panel(root / "data", tables)
    config = quick_config(
        data_dir,
        root / "run",
        labeling={
            "features": ["log_return_1", "log_return_20"],
            "targets": [TARGET, BINARY, CLASSES],
        },
        target_ranking={"alpha": 0.999},
        routing={"alpha": 0.999, "train_experimental": True},
        feature_selection={"min_stability": 0.0},
        training={**FAMILIES, "interval_coverage": 0.8},
    )
    run_pipeline(config, Silent())
    return Trained(data_dir, root / "run", tables)


def _bars(tmp_path: Path, n_bars: int, name: str) -> Path:
    tables = {symbol: remembering_bars(symbol, n_bars) for symbol in symbol_names(4)}
    return write_panel(tmp_path / name, tables)


def _scores(out: Path, symbol: str) -> pa.Table:
    (path,) = out.rglob(f"symbol={symbol}/*.parquet")
    return pq.ParquetFile(path).read()


def _meanings(table: pa.Table) -> list[str]:
    ends = ("__prob", "__expected", "__low", "__high")
    return [name for name in table.column_names if name.endswith(ends)]


@pytest.fixture(scope="module", name="walked")
def with_history(kinds: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Score eighty new bars, with the walk-forward before them."""
    root = tmp_path_factory.mktemp("walked")
    found = predict(kinds, root / "out", _bars(root, N_ALL, "all"), history=True)
    assert found["interval_coverage"] == 0.8
    return root


def test_each_kind_of_target_has_its_columns(walked: Path) -> None:
    """A probability, an expected class, or an interval about what is expected."""
    table = _scores(walked / "out", "S01")
    assert sorted(_meanings(table)) == sorted(
        [
            f"{BINARY}__prob",
            f"{CLASSES}__expected",
            *(f"{TARGET}__{name}" for name in ("expected", "low", "high")),
        ]
    )
    for name in _meanings(table):
        assert table[name].null_count < table.num_rows / 2, name
        assert table[name].slice(table.num_rows - 80).null_count == 0, name
    probability = table[f"{BINARY}__prob"].drop_null().to_numpy()
    assert ((probability > 0) & (probability < 1)).all()


def test_eight_in_ten_returns_lie_inside(walked: Path) -> None:
    """As the config asked, over all symbols and the days that have an interval."""
    inside = []
    for symbol in symbol_names(4):
        table = _scores(walked / "out", symbol)
        bars = remembering_bars(symbol, N_ALL)
        close = bars["close"].to_numpy()
        times, own = (
            each["ts"].cast(pa.timestamp("ns", "UTC")).cast(pa.int64()).to_numpy()
            for each in (bars, table)
        )
        rows = np.searchsorted(times, own)
        assert rows[-1] == N_ALL - 1
        realised = close[rows[:-1] + 1] / close[rows[:-1]] - 1
        low, high, middle = (
            table[f"{TARGET}__{name}"].to_numpy(zero_copy_only=False)[:-1]
            for name in ("low", "high", "expected")
        )
        known = np.isfinite(low)
        inside.append(((realised >= low) & (realised <= high))[known])
        assert (low[known] <= middle[known]).all()
        assert np.corrcoef(middle[known], realised[known])[0, 1] > 0.2
    assert np.concatenate(inside).mean() == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("history", [True, False])
def test_later_bars_change_no_bit(kinds: Trained, tmp_path: Path, *, history: bool) -> None:
    """Scored when it was the newest, a row is what it is among forty later ones."""
    options: dict[str, Any] = {"in_sample": False, "history": history}
    predict(kinds, tmp_path / "then", _bars(tmp_path, 360, "early"), **options)
    predict(kinds, tmp_path / "now", _bars(tmp_path, N_ALL, "late"), **options)
    for symbol in symbol_names(4):
        then, now = (_scores(tmp_path / name, symbol) for name in ("then", "now"))
        assert now.num_rows == then.num_rows + 40
        assert now.slice(0, then.num_rows).combine_chunks().equals(then.combine_chunks())


def test_outcomes_since_the_training_count(kinds: Trained, tmp_path: Path) -> None:
    """After bars ten times as wild the interval is wider than it would have been."""
    calm = {symbol: remembering_bars(symbol, N_ALL) for symbol in symbol_names(4)}
    wild = {symbol: _wilder(table, 330) for symbol, table in calm.items()}
    widths = []
    for name, tables in (("calm", calm), ("wild", wild)):
        data_dir = write_panel(tmp_path / name, tables)
        predict(kinds, tmp_path / f"out_{name}", data_dir, in_sample=False)
        table = _scores(tmp_path / f"out_{name}", "S02")
        widths.append(pc.subtract(table[f"{TARGET}__high"], table[f"{TARGET}__low"]).to_numpy())
    calm_widths, wild_widths = widths
    np.testing.assert_allclose(wild_widths[:10], calm_widths[:10])
    assert wild_widths[-1] > 3 * calm_widths[-1]


def _wilder(table: pa.Table, first: int) -> pa.Table:
    close = table["close"].to_numpy().copy()
    steps = np.diff(np.log(close))
    steps[first - 1 :] *= 10
    close[1:] = close[0] * np.exp(np.cumsum(steps))
    columns: dict[str, Any] = {"ts": table["ts"], "open": close, "close": close}
    columns |= {"high": 1.01 * close, "low": 0.99 * close, "volume": table["volume"]}
    return pa.table(columns)


def test_rows_that_models_learned_from_mean_nothing(kinds: Trained, tmp_path: Path) -> None:
    """Their scores know the outcome: no probability of them would be honest."""
    predict(kinds, tmp_path / "out")
    table = _scores(tmp_path / "out", "S03")
    learned = table.filter(table["in_sample"])
    assert learned.num_rows > 200
    assert all(learned[name].null_count == learned.num_rows for name in _meanings(table))


def test_python_gives_what_the_command_gives_for_a_symbol_alone(
    kinds: Trained, tmp_path: Path
) -> None:
    """By the run's walk-forward, and the outcomes of that symbol; twice the same."""
    data_dir = _bars(tmp_path, N_ALL, "data")
    predict(kinds, tmp_path / "out", data_dir, in_sample=False, symbols=["S01"])
    expected = _scores(tmp_path / "out", "S01").combine_chunks()
    run = load_run(str(kinds.run_dir))
    for _ in range(2):
        found = run.predict(remembering_bars("S01", N_ALL), symbol="S01")
        assert found.combine_chunks().equals(expected)
    since = str(expected["ts"][40].as_py())
    later = run.predict(remembering_bars("S01", N_ALL), symbol="S01", since=since)
    assert later.combine_chunks().equals(expected.slice(40).combine_chunks())


def test_a_symbol_that_the_run_does_not_know_has_them_too(kinds: Trained) -> None:
    """Its interval begins with the scale of all."""
    found = load_run(str(kinds.run_dir)).predict(remembering_bars("NEW", N_ALL), symbol="NEW")
    assert all(found[name].null_count == 0 for name in _meanings(found))


def test_rows_held_at_once_change_no_bit(
    kinds: Trained, walked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A walk in many stretches of time gives the files of one in a single one."""
    monkeypatch.setattr(CalibrateSpec.__init__, "__defaults__", (101,))
    predict(kinds, tmp_path / "out", walked / "all", history=True)
    assert len(list((tmp_path / "out/units/calibrate").rglob("calibrated-*.parquet"))) > 6
    for symbol in symbol_names(4):
        pieces = _scores(tmp_path / "out", symbol).combine_chunks()
        assert pieces.equals(_scores(walked / "out", symbol).combine_chunks())


def test_labeled_tables_without_the_target_have_what_the_run_taught(
    labeled: Trained, tmp_path: Path
) -> None:
    """New rows of features alone teach nothing, and get what the walk-forward did."""
    tables = {name: table.drop_columns([TARGET]) for name, table in labeled.tables.items()}
    predict(labeled, tmp_path / "out", write_panel(tmp_path / "data", tables), in_sample=False)
    table = _scores(tmp_path / "out", "S00")
    assert table.num_rows == 1
    assert all(table[name].null_count == 0 for name in _meanings(table))
    assert len(_meanings(table)) == 3


def test_without_a_walk_forward_there_are_scores_and_a_warning(
    labeled: Trained, tmp_path: Path
) -> None:
    """As from a run of an older version: nothing is made up."""
    run = shutil.copytree(labeled.run_dir, tmp_path / "run")
    (run / "predictions/out_of_sample.parquet").unlink()
    bare = Trained(labeled.data_dir, run, labeled.tables)
    found = predict(bare, tmp_path / "out", in_sample=False)
    (warning,) = found["warnings"]
    assert "has no walk-forward with scores" in warning
    table = _scores(tmp_path / "out", "S00")
    assert (_meanings(table), table[f"{TARGET}__score"].null_count) == ([], 0)
    python = load_run(str(run)).predict(labeled.tables["S00"], symbol="S00")
    assert python.combine_chunks().equals(table.combine_chunks())


def test_the_run_tells_how_far_these_hold_in_the_files(kinds: Trained, walked: Path) -> None:
    """Counted from the files of ``predict --history`` and the labels of the walk-forward."""
    rows = pq.read_table(kinds.run_dir / "evaluation/calibration.parquet").to_pylist()
    walk = pq.read_table(kinds.run_dir / "predictions/out_of_sample.parquet")
    told = {symbol: _scores(walked / "out", symbol) for symbol in symbol_names(4)}
    n_seen = 0
    for target, column in ((BINARY, "prob"), (CLASSES, "expected"), (TARGET, "expected")):
        said, came, bounds = _said_and_came(walk, told, target, column)
        own = [row for row in rows if row["target"] == target and row["figure"] != "interval"]
        (whole,) = (row for row in own if row["part"] == "all")
        assert whole["figure"] == {"prob": "probability"}.get(column, column)
        assert whole["n_rows"] == len(said) > 300
        assert whole["predicted"] == pytest.approx(said.mean(), rel=1e-12)
        assert whole["observed"] == pytest.approx(came.mean(), rel=1e-12)
        tenth = np.searchsorted(np.quantile(said, np.arange(1, 10) / 10), said, side="right") + 1
        for row in (row for row in own if row["part"] == "tenth"):
            assert row["n_rows"] == (tenth == row["number"]).sum()
            assert row["predicted"] == pytest.approx(said[tenth == row["number"]].mean())
            assert row["observed"] == pytest.approx(came[tenth == row["number"]].mean())
            n_seen += 1
        if target == TARGET:
            known = np.isfinite(bounds[0])
            inside = ((came >= bounds[0]) & (came <= bounds[1]))[known]
            (held,) = (r for r in rows if r["figure"] == "interval" and r["part"] == "all")
            assert (held["target"], held["predicted"]) == (TARGET, 0.8)
            assert held["n_rows"] == known.sum()
            assert held["observed"] == pytest.approx(inside.mean(), rel=1e-12)
            assert held["width"] == pytest.approx((bounds[1] - bounds[0])[known].mean())
    assert n_seen >= 20
    assert {row["figure"] for row in rows if row["target"] == CLASSES} == {"expected"}


def _said_and_came(
    walk: pa.Table, told: dict[str, pa.Table], target: str, column: str
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return what was said of the walk-forward's rows, the labels, and bounds where there are."""
    own = walk.filter(pc.equal(walk["target"], target))
    labels = {
        (symbol, ts): actual
        for symbol, ts, actual in zip(
            own["symbol"].to_pylist(),
            own["ts"].cast(pa.int64()).to_pylist(),
            own["actual"].to_pylist(),
            strict=True,
        )
    }
    found = []
    for symbol, table in told.items():
        names = [
            name for name in (column, "low", "high") if f"{target}__{name}" in table.schema.names
        ]
        columns = [table[f"{target}__{name}"].to_numpy(zero_copy_only=False) for name in names]
        columns += [np.full(table.num_rows, np.nan)] * (3 - len(names))
        for ts, *values in zip(table["ts"].cast(pa.int64()).to_pylist(), *columns, strict=True):
            # The walk-forward predicts the last rows too, whose labels were not known then.
            if labels.get((symbol, ts)) is not None and np.isfinite(values[0]):
                found.append((values[0], labels[symbol, ts], *values[1:]))
    said, came, low, high = np.array(found).T
    return said, came, np.array([low, high])


def test_reliability_is_measured_alike_however_many_rows_are_held(kinds: Trained) -> None:
    """Symbols read in parts and time walked in stretches give the numbers of all at once."""
    run = open_trained_run(str(kinds.run_dir))
    targets = [TargetSpec(name, bars, task) for name, (task, bars) in run.outcomes.items()]
    written = pq.read_table(kinds.run_dir / "evaluation/calibration.parquet")
    pieces = []
    for unit in reliability_units(PREDICTIONS, run.jobs, targets, 0.8):
        spec = replace(unit.spec, read_at_once=500, walked_at_once=37)
        pieces += measured(told_rows(run.run, spec), spec.meaning)
    assert rows_table(CalibrationRow, pieces).equals(written)
