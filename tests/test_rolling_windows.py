"""A rolling window of training: no row before it has any influence, wherever models are fitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from panels import (
    FEATURES,
    TARGET,
    labeled_table,
    planted_panel,
    quick_config,
    read_json,
    read_rows,
    symbol_names,
    times,
    write_panel,
)

from ray_pipeline.commands.checking import check_config, check_lines
from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import ConfigError
from ray_pipeline.explaining.document import explain_target
from ray_pipeline.explaining.lines import explanation_lines
from ray_pipeline.pipeline import run_pipeline

ANCHORED = {"n_splits": 5, "first_test": "2014-10-10", "test_every": "50d"}
COUNTED = {"n_splits": 3}
SYMBOLS = symbol_names(5)


def _rewritten(table: pa.Table, first: int, last: int) -> pa.Table:
    """Give some rows other features and labels, of about the same relation."""
    random = np.random.default_rng([99, table.num_rows])
    features = random.standard_normal((last - first, len(FEATURES)))
    labels = 0.01 * (0.5 * features[:, 0] + random.standard_normal(last - first))
    columns: dict[str, Any] = {"ts": table["ts"]}
    changed = [*features.T, labels]
    for name, values in zip((*FEATURES, TARGET), changed, strict=True):
        old = table[name].to_numpy(zero_copy_only=False).copy()
        old[first:last] = values
        columns[name] = pa.array(old, from_pandas=True)
    return pa.table(columns)


def _run(root: Path, tables: dict[str, pa.Table], validation: dict[str, Any], **more: Any) -> Path:
    config = quick_config(
        write_panel(root / "data", tables), root / "run", validation=validation, **more
    )
    run_pipeline(config, Silent())
    return root / "run"


def _last_fold(run_dir: Path) -> dict[str, pa.Table]:
    """Return predictions of the last fold by view."""
    rows = pq.ParquetFile(run_dir / "predictions/out_of_sample.parquet").read()
    last = pc.max(rows["fold"]).as_py()
    keys = ["view", "target", "family", "symbol", "ts"]
    kept = rows.filter(pc.equal(rows["fold"], last)).sort_by([(key, "ascending") for key in keys])
    return {
        view: kept.filter(pc.equal(kept["view"], view)).select(
            [*keys, "prediction", "standing", "actual"]
        )
        for view in ("cross_sectional", "symbol_specific")
    }


@pytest.mark.parametrize(
    ("validation", "training"),
    [
        (ANCHORED, {}),
        # A stream, for which the pool holds every other timestamp, and a search.
        (COUNTED, {"max_cs_rows": 2_000, "search": {"n_trials": 2, "n_splits": 2}}),
    ],
)
def test_rows_before_the_window_have_no_influence(
    tmp_path: Path, validation: dict[str, Any], training: dict[str, Any]
) -> None:
    """Every prediction of the last fold stays as it was, bit for bit, in a whole run.

    Ranking, selection with its twins, search and training have all been through other rows in the
    folds before. Where the window expands, the same rows do change the predictions.
    """
    tables = planted_panel(SYMBOLS)
    sections: dict[str, Any] = {
        "target_ranking": {"families": ["ridge"], "max_cs_rows": 1_000},
        "training": {
            "families": ["ridge", "lightgbm"],
            "hyperparameters": {"lightgbm": {"n_estimators": 5}},
            **training,
        },
    }
    found: dict[str, list[dict[str, pa.Table]]] = {}
    for window in ("90d", "expanding"):
        asked = validation | {"window": window}
        run = _run(tmp_path / window / "as_it_is", tables, asked, **sections)
        folds = read_json(run / "run.json")["folds"]
        since = [str(time) for time in times(320).cast(pa.timestamp("s")).to_pylist()]
        first = since.index(folds[-1]["train_start"][:19].replace("T", " "))
        assert first == (0 if window == "expanding" else pytest.approx(200, abs=50))
        changed = {symbol: _rewritten(table, 0, first or 100) for symbol, table in tables.items()}
        other = _run(tmp_path / window / "rewritten", changed, asked, **sections)
        found[window] = [_last_fold(run), _last_fold(other)]
    for view in ("cross_sectional", "symbol_specific"):
        one, same = (each[view] for each in found["90d"])
        assert one.num_rows > 0
        assert one.equals(same)
        one, other_one = (each[view] for each in found["expanding"])
        assert not one.equals(other_one)


def _with_a_turn(symbol: str, turn: int) -> pa.Table:
    """Return a symbol of which the signal says the opposite from a bar on."""
    table = labeled_table(symbol, n_bars=420)
    sign = np.where(np.arange(420) < turn, 1.0, -1.0)
    signal = table["signal"].to_numpy() * sign
    return table.set_column(table.schema.get_field_index("signal"), "signal", pa.array(signal))


def test_a_change_of_regime_is_found_with_the_window(tmp_path: Path) -> None:
    """A relation that turned round at bar 200: all that came before holds more of the old one."""
    tables = {symbol: _with_a_turn(symbol, 200) for symbol in SYMBOLS}
    skills = {}
    for window in ("expanding", "80d"):
        validation = {"n_splits": 2, "min_train_fraction": 0.7, "window": window}
        run = _run(tmp_path / window, tables, validation)
        (row,) = (
            row
            for row in read_rows(run, "target_ranking/targets")
            if row["view"] == "cross_sectional"
        )
        skills[window] = row["skill"]
    assert skills["80d"] > 0.25
    assert skills["expanding"] < 0.0


def test_a_run_says_what_trained(tmp_path: Path) -> None:
    """In the record, the page, an explanation, the final models' metadata and a check."""
    validation = {"n_splits": 2, "window": "100b"}
    run = _run(tmp_path, planted_panel(SYMBOLS), validation)
    record = read_json(run / "run.json")
    assert record["window"] == "100b"
    starts = [fold["train_start"] for fold in record["folds"]]
    assert starts == [str(times(320)[at].as_py().isoformat()) for at in (128 - 100, 224 - 100)]
    assert "Trained on the 100b before (hollow" in (run / "report.html").read_text()
    lines = explanation_lines(explain_target(str(run), TARGET))
    assert any("trained on the 100b before their test fold" in line for line in lines)
    final = times(320)[220].as_py().isoformat()
    models = list((run / "models").rglob("metadata.json"))
    assert models
    for path in models:
        trained = read_json(path)["trained_on"]
        assert trained["first_ts"] == final
    config = quick_config(tmp_path / "data", tmp_path / "other", validation=validation)
    found = check_config(config)
    assert found["window"] == {"trains": "100b", "fewest_rows": 500, "fewest_timestamps": 100}
    (line,) = (each for each in check_lines(found) if each.startswith("window"))
    assert "the 100b before a fold" in line
    assert "100 timestamps and 500 rows of 5 symbols" in line


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ("60m", "must be expanding, or a duration of days or longer, or a number of bars"),
        ("rolling", "must be expanding, or a duration"),
        ("0d", "must be expanding, or a duration"),
        ("750", "must be expanding, or a duration"),
    ],
)
def test_what_is_no_window_is_refused(window: str, message: str) -> None:
    """With what is wanted."""
    with pytest.raises(ConfigError, match=message):
        quick_config("data", "run", validation={"n_splits": 2, "window": window})


def test_a_window_too_short_for_a_horizon_leaves_that_target_out(tmp_path: Path) -> None:
    """With the arithmetic; where no target has room, the run is refused."""
    targets = (TARGET, "fwd_ret_20d")
    data_dir = write_panel(tmp_path / "data", planted_panel(SYMBOLS, targets=targets))
    config = quick_config(data_dir, tmp_path / "run", validation={"n_splits": 2, "window": "65d"})
    problems = {each["name"]: each["problem"] for each in check_config(config)["targets"]}
    assert problems[TARGET] is None
    assert "validation.window=65d is too short" in problems["fwd_ret_20d"]
    config = quick_config(data_dir, tmp_path / "run", validation={"n_splits": 2, "window": "2w"})
    with pytest.raises(ConfigError, match=r"No target can be ranked.*window=2w is too short"):
        check_config(config)
