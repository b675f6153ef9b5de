"""Dates of retraining: what comes between two of them changes no model."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from panels import planted_panel, quick_config, read_json, symbol_names, write_panel

from ray_pipeline.cli import main
from ray_pipeline.commands.checking import check_config, check_lines
from ray_pipeline.config import ExperimentConfig
from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import ConfigError
from ray_pipeline.families.ridge import RidgeFamily as Ridge
from ray_pipeline.pipeline import run_pipeline

ANCHORED: dict[str, Any] = {
    "first_test": "2014-10-10",
    "test_every": "40d",
    "n_splits": 5,
    "min_train_fraction": 0.4,
}


def _tables(n_bars: int) -> dict[str, pa.Table]:
    panel = planted_panel(symbol_names(4))
    return {symbol: table.slice(0, n_bars) for symbol, table in panel.items()}


def _config(root: Path, run: str, n_bars: int, **sections: Any) -> ExperimentConfig:
    """Write the first bars of a panel to where earlier ones may have been."""
    data_dir = write_panel(root / "data", _tables(n_bars))
    training = {"families": ["ridge", "lightgbm"], "retrain_every": "40d"}
    return quick_config(
        data_dir,
        root / run,
        data={"min_rows_per_symbol": 100},
        validation=dict(ANCHORED),
        training=training,
        **sections,
    )


def _content(root: Path, run: str) -> str:
    return str(read_json(root / run / "run.json")["content_sha256"])


def test_days_between_two_dates_change_nothing(tmp_path: Path) -> None:
    """The result is that of a run from scratch, before the next date, on it, and after it."""
    found = {}
    for n_bars in (231, 246, 270, 271, 300):
        run_pipeline(_config(tmp_path, "run", n_bars), Silent(), replace=True)
        record = read_json(tmp_path / "run/run.json")
        found[n_bars] = record["content_sha256"], record["data"]["until"]
        run_pipeline(_config(tmp_path, "scratch", n_bars), Silent(), fresh=True, replace=True)
        assert _content(tmp_path, "scratch") == found[n_bars][0]
    assert found[231] == found[246] == found[270]
    assert found[271] == found[300]
    assert found[270] != found[271]
    assert found[271][1] > found[270][1]


def test_rows_may_move_to_other_files(tmp_path: Path) -> None:
    """Units are named by rows: nothing but times, inspections and digests is done again."""
    config = _config(tmp_path, "run", 260)
    run_pipeline(config, Silent())
    content = _content(tmp_path, "run")
    units = {path for path in (tmp_path / "run/units").rglob("*") if path.is_file()}
    for path in sorted((tmp_path / "data").rglob("*.parquet")):
        table = pq.ParquetFile(path).read()
        path.unlink()
        for part, start in enumerate(range(0, table.num_rows, 100)):
            pq.write_table(table.slice(start, 100), path.with_name(f"part-{part}.parquet"))
    run_pipeline(config, Silent())
    assert _content(tmp_path, "run") == content
    added = {path for path in (tmp_path / "run/units").rglob("*") if path.is_file()} - units
    stages = {path.relative_to(tmp_path / "run/units").parts[0] for path in added}
    assert stages == {"look_at_times", "inspect", "digest_rows"}


def test_a_restated_bar_changes_the_result(tmp_path: Path) -> None:
    """One cell of the past is enough."""
    config = _config(tmp_path, "run", 260)
    run_pipeline(config, Silent())
    before = _content(tmp_path, "run")
    path = next(iter(sorted((tmp_path / "data").rglob("*.parquet"))))
    table = pq.ParquetFile(path).read()
    signal = table["signal"].to_pylist()
    signal[100] += 1.0
    column = table.column_names.index("signal")
    pq.write_table(table.set_column(column, "signal", pa.array(signal, pa.float64())), path)
    run_pipeline(config, Silent())
    assert _content(tmp_path, "run") != before


def test_labels_that_look_beyond_the_date_are_not_known(tmp_path: Path) -> None:
    """A labeled panel has them in its files: they are not part of a run up to the date."""
    whole = _config(tmp_path, "whole", 290)
    run_pipeline(whole, Silent())
    until = read_json(tmp_path / "whole/run.json")["data"]["until"]
    shutil.rmtree(tmp_path / "data")
    n_before = 246
    tables = {}
    for symbol, table in _tables(290).items():
        n_before = sum(str(ts)[:10] < until[:10] for ts in table["ts"].to_pylist())
        kept = table.slice(0, n_before + 1)  # the date itself has to be there
        labels = kept["fwd_ret_1d"].to_pylist()
        labels[n_before - 1 :] = [None] * (kept.num_rows - n_before + 1)
        place = kept.column_names.index("fwd_ret_1d")
        tables[symbol] = kept.set_column(place, "fwd_ret_1d", pa.array(labels, pa.float64()))
    write_panel(tmp_path / "data", tables)
    config = whole.model_copy(
        update={"output": whole.output.model_copy(update={"run_dir": str(tmp_path / "cut")})}
    )
    run_pipeline(config, Silent())
    assert _content(tmp_path, "cut") == _content(tmp_path, "whole")


def test_a_date_in_the_config_cuts_the_panel(tmp_path: Path) -> None:
    """`data.until` gives what a panel that ends there gives."""
    sections = {"validation": {"n_splits": 2}, "training": {"families": ["ridge"]}}
    data_dir = write_panel(tmp_path / "data", _tables(300))
    data = {"min_rows_per_symbol": 100, "until": "2015-03-01"}
    run_pipeline(quick_config(data_dir, tmp_path / "cut", data=data, **sections), Silent())
    record = read_json(tmp_path / "cut/run.json")
    assert record["data"]["last_ts"][:10] == "2015-02-28"
    assert record["data"]["until"][:10] == "2015-03-01"


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"retrain_every": "60d"}, r"retrain_every \(60d\) must be validation.test_every \(40d\)"),
        ({"retrain_every": "1mo"}, r"must be validation.test_every \(40d\) or a whole multiple"),
        ({"retrain_every": "soon"}, "must be a duration of days or longer"),
    ],
)
def test_schedules_that_do_not_follow_the_folds(training: dict[str, Any], message: str) -> None:
    """Each is refused with what is wanted."""
    with pytest.raises(ConfigError, match=message):
        quick_config("data", "run", validation=dict(ANCHORED), training=training)


def test_a_schedule_needs_folds_at_dates() -> None:
    """Folds that are so many of what is there have no date."""
    with pytest.raises(ConfigError, match="needs folds that begin at dates"):
        quick_config("data", "run", training={"retrain_every": "40d"})


def test_no_date_of_retraining_yet(tmp_path: Path) -> None:
    """It says what is needed before the first."""
    with pytest.raises(ConfigError, match="no date of retraining has been reached"):
        run_pipeline(_config(tmp_path, "run", 200), Silent())


def test_folds_are_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fold more costs what it takes itself, and the final models."""
    n_fitted = 0
    fit = Ridge.fit

    def counted(self: Ridge, *args: Any, **kwargs: Any) -> Any:
        nonlocal n_fitted
        n_fitted += 1
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(Ridge, "fit", counted)
    counts = {}
    for run, n_bars in (("run", 231), ("run", 271), ("scratch", 271)):
        n_fitted = 0
        run_pipeline(_config(tmp_path, run, n_bars), Silent())
        counts[run, n_bars] = n_fitted
    assert _content(tmp_path, "run") == _content(tmp_path, "scratch")
    assert counts["run", 271] < 0.7 * counts["scratch", 271]


def test_damage_to_what_is_kept_changes_nothing(tmp_path: Path) -> None:
    """It is computed again."""
    run_pipeline(_config(tmp_path, "run", 231), Silent())
    kept = sorted((tmp_path / "run/units/folds").rglob("*.npz"))
    assert len(kept) > 10
    for path in kept:
        content = bytearray(path.read_bytes())
        content[-20] ^= 1
        path.write_bytes(bytes(content))
    run_pipeline(_config(tmp_path, "run", 271), Silent())
    run_pipeline(_config(tmp_path, "scratch", 271), Silent())
    assert _content(tmp_path, "run") == _content(tmp_path, "scratch")


def test_check_says_up_to_when_rows_are_looked_at(tmp_path: Path) -> None:
    """And which folds there are then; or that there is no date yet."""
    found = check_config(_config(tmp_path, "run", 260))
    (line,) = (each for each in check_lines(found) if each.startswith("rows "))
    assert "those before 2014-12-29T00:00, the last date of training.retrain_every=40d" in line
    assert found["folds"][-1]["test_end"][:10] == "2014-12-28"
    with pytest.raises(ConfigError, match="no date of retraining has been reached"):
        check_config(_config(tmp_path, "run", 200))


def test_report_and_explain_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Readers learn which rows were not used."""
    run_pipeline(_config(tmp_path, "run", 260), Silent())
    assert "rows from 2014-12-29T00:00 on" in (tmp_path / "run/report.html").read_text()
    assert main(["explain", str(tmp_path / "run"), "--target", "fwd_ret_1d"]) == 0
    assert "Rows from 2014-12-29T00:00 on were ignored" in capsys.readouterr().out


def test_earlier_predictions_stay_whatever_later_folds_say(tmp_path: Path) -> None:
    """Whether a fold's model uses the features selected is decided by the folds before it."""
    found = []
    for n_bars in (271, 311):
        selection = {"accept": "if_no_worse", "top_m_features": 1}
        config = _config(tmp_path, f"run{n_bars}", n_bars, feature_selection=selection)
        run_pipeline(config, Silent())
        path = tmp_path / f"run{n_bars}/predictions/out_of_sample.parquet"
        found.append(pq.ParquetFile(path).read())
    before, after = found
    keys = ["ts", "symbol", "target", "view", "family", "fold", "prediction", "standing"]
    n_folds = pc.max(before["fold"]).as_py() + 1
    assert n_folds == 3
    same = after.filter(pc.less(after["fold"], n_folds))
    order = [(key, "ascending") for key in keys[:5]]
    assert same.num_rows > 0
    assert before.select(keys).sort_by(order).equals(same.select(keys).sort_by(order))
