"""Updates of what is broken: nothing is lost without a word, and nothing wrong is kept for good."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from panels import planted_panel, quick_config, symbol_names, write_panel

from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import ArtifactError, DamagedFileError, ExecutionError
from ray_pipeline.inspecting.schedule import PanelTimes, dates_on
from ray_pipeline.ledger.ledger import MEANINGS, PredictionLedger
from ray_pipeline.monitoring import monitor_run
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.predicting import PredictOptions, predict_panel
from ray_pipeline.storage import RunDirectory
from ray_pipeline.updating import Update, UpdateOptions, update_run
from ray_pipeline.updating.step import Scoring
from ray_pipeline.versions.changing import change_version
from ray_pipeline.versions.serving import CURRENT, current_version

FIRST, DUE = 240, 271
"""Bars of the panel that the run is made of, and those with which the next date is reached."""

YEAR_AHEAD = timedelta(days=365)
DAY_NS = 86_400 * 10**9


def _write(root: Path, n_bars: int, ahead: timedelta | None = None) -> str:
    """Write the first bars of a panel, the last one of all symbols dated ahead."""
    tables = {}
    for name, each in planted_panel(symbol_names(4)).items():
        table = each.slice(0, n_bars)
        times = table["ts"].to_pylist()
        if ahead is not None:
            times[-1] += ahead
        labels = [*table["fwd_ret_1d"].to_pylist()[:-1], None]
        for column, values in (("ts", times), ("fwd_ret_1d", labels)):
            place = table.column_names.index(column)
            kind = table.schema.field(column).type
            table = table.set_column(place, column, pa.array(values, kind))
        tables[name] = table
    return write_panel(root / "data", tables)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run on the first bars and update once, with dates of retraining after 230, 270, 310 bars."""
    root = tmp_path_factory.mktemp("finished")
    validation = {
        **{"first_test": "2014-10-10", "test_every": "40d"},
        **{"n_splits": 5, "min_train_fraction": 0.4},
    }
    config = quick_config(
        _write(root, FIRST),
        root / "run",
        validation=validation,
        feature_selection={"accept": "always"},
        training={"families": ["ridge"], "retrain_every": "40d"},
    )
    run_pipeline(config, Silent())
    _update(root)
    return root


@pytest.fixture
def root(finished: Path, tmp_path: Path) -> Path:
    """Copy that run and its data, to be broken."""
    shutil.copytree(finished, tmp_path / "own", dirs_exist_ok=True)
    config = tmp_path / "own" / "run" / "config.yaml"
    config.write_text(config.read_text().replace(str(finished), str(tmp_path / "own")))
    return tmp_path / "own"


def _update(root: Path) -> Update:
    return update_run(str(root / "run"), Silent(), UpdateOptions())


def _ledger(root: Path) -> PredictionLedger:
    return PredictionLedger(RunDirectory(str(root / "run")))


def test_a_last_date_far_ahead_of_all_is_left_aside(root: Path) -> None:
    """It is told, has no prediction and no retraining; with the right one all goes on."""
    _write(root, FIRST + 4, ahead=YEAR_AHEAD)
    first = _update(root)
    assert (first.n_predictions > 0, first.retrained) == (True, [])
    assert any("lie alone, far after all others" in note for note in first.notes)
    _write(root, FIRST + 6)
    second = _update(root)
    assert not any("lie alone" in note for note in second.notes)
    times = pc.unique(_ledger(root).predictions()["ts"]).to_pylist()
    assert max(times) < datetime(2016, 1, 1, tzinfo=times[0].tzinfo)
    expected = planted_panel(symbol_names(1))["S00"]["ts"].slice(FIRST, 6).to_pylist()
    assert [each.timestamp() for each in sorted(times)[-6:]] == [e.timestamp() for e in expected]


def test_another_clock_of_a_symbol_brings_no_older_models_into_service(tmp_path: Path) -> None:
    """The dates of retraining would be others: nothing is trained, and the symbol is named."""
    validation = {
        **{"first_test": "2024-01-15", "test_every": "5d"},
        **{"n_splits": 5, "min_train_fraction": 0.4},
    }
    config = quick_config(
        tmp_path, tmp_path / "run", validation=validation, training={"retrain_every": "5d"}
    )
    weekdays = np.array([19_723 + 7 * week + day for week in range(8) for day in range(5)])
    axis = weekdays * DAY_NS
    both = np.union1d(axis, axis - 5 * 3_600 * 10**9)  # one symbol's Mondays are Sundays now
    before, after = (PanelTimes(each, np.full(len(each), 4)) for each in (axis, both))
    until_ns = max(set(dates_on(before, config)) - set(dates_on(after, config)))
    scoring = Scoring(Any, SimpleNamespace(until_ns=until_ns), config, Any, ())
    restated = [SimpleNamespace(symbol="S02")]
    scoring.require_date(before, restated)
    with pytest.raises(ExecutionError, match=r"not a date of .*S02.*another clock or zone"):
        scoring.require_date(after, restated)


@pytest.mark.parametrize("gone", ["last part", "all"])
def test_a_ledger_that_ends_too_early_is_refused(root: Path, gone: str) -> None:
    """By updates, by monitoring and by anyone who reads it: its rows cannot be made again."""
    _write(root, FIRST + 2)
    _update(root)
    parts = sorted((root / "run" / "ledger").glob("*"))
    last = parts[-1].name.split(".")[0]
    for path in parts:
        if gone == "all" or path.name.startswith(last):
            path.unlink()
    for read in (
        lambda: _update(root),
        lambda: monitor_run(str(root / "run")),
        lambda: _ledger(root).table(),
    ):
        with pytest.raises(DamagedFileError, match=r"the last update left \d+.*Restore the folder"):
            read()


def test_without_its_walk_forward_nothing_is_written(root: Path) -> None:
    """Rows without a meaning would stay so; with the file back they have one."""
    names = ("predictions/out_of_sample.parquet",)
    folders = [root / "run", *(root / "run" / "versions").glob("2*Z-*[0-9a-f]")]
    kept = [(folder / name, (folder / name).read_bytes()) for folder in folders for name in names]
    for path, _ in kept:
        path.unlink()
    _write(root, FIRST + 2)
    n_parts = len(_ledger(root).parts())
    with pytest.raises(ArtifactError, match=r"out_of_sample\.parquet"):
        _update(root)
    assert len(_ledger(root).parts()) == n_parts
    for path, content in kept:
        path.write_bytes(content)
    assert _update(root).n_predictions > 0
    assert _ledger(root).predictions()["expected"].null_count == 0


def test_a_pointer_that_is_gone_is_that_of_the_journal(root: Path) -> None:
    """Whom a person had serve goes on serving."""
    _write(root, DUE + 3)
    _update(root)
    run = RunDirectory(str(root / "run"))
    present = current_version(run)
    assert present is not None
    assert present.previous is not None
    chosen = change_version(run.uri, present.previous, "odd scores", print)
    run.remove(CURRENT)
    assert current_version(run) == chosen
    _write(root, DUE + 4)
    assert _update(root).version == present.previous


def test_the_ledger_says_what_predict_says(root: Path) -> None:
    """Of rows that one version scored live: scores, and what they mean, to the bit."""
    for n_bars in (FIRST + 1, FIRST + 2, FIRST + 20):
        _write(root, n_bars)
        _update(root)
    predict_panel(
        str(root / "run"), str(root / "data"), str(root / "out"), Silent(), PredictOptions()
    )
    ledger = _ledger(root).predictions()
    n_compared = 0
    for path in (root / "out").rglob("symbol=*/*.parquet"):
        symbol = path.parent.name.removeprefix("symbol=")
        scores = pq.ParquetFile(path).read()
        for target in pc.unique(ledger["target"]).to_pylist():
            is_own = pc.and_(pc.equal(ledger["symbol"], symbol), pc.equal(ledger["target"], target))
            live = ledger.filter(is_own)
            there = scores.filter(pc.is_in(scores["ts"], pc.unique(live["ts"])))
            assert there["ts"].equals(live["ts"])
            for name in ("score", *MEANINGS):
                column = f"{target}__{name}"
                if column in there.column_names:
                    assert there[column].to_pylist() == live[name].to_pylist(), (symbol, column)
                    n_compared += len(live)
    assert n_compared > 4 * 20
