"""What scores mean, in the files: by what was known before each row, and by nothing later."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from panels import quick_config, symbol_names, write_panel
from trained_runs import FAMILIES, TARGET, Trained, predict, remembering_bars

from ray_pipeline.driving.progress import Silent
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.predicting import load_run
from ray_pipeline.predicting.calibrating import CalibrateSpec

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
