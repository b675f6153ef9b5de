"""Folds at dates: a panel that has grown is tested in its earlier folds exactly as before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from panels import planted_panel, quick_config, read_json, symbol_names, write_panel

from ray_pipeline.commands.checking import check_config, check_lines
from ray_pipeline.config import dump_config, parse_experiment_config
from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import ConfigError
from ray_pipeline.pipeline import run_pipeline

DEFAULTS = {"n_splits": 5, "min_train_fraction": 0.4}  # in place of those of a quick config
ANCHORED: dict[str, Any] = {"first_test": "2014-10-10", "test_every": "40d", **DEFAULTS}


def _run(root: Path, n_bars: int) -> tuple[list[dict[str, Any]], pa.Table]:
    tables = {
        symbol: table.slice(0, n_bars) for symbol, table in planted_panel(symbol_names(4)).items()
    }
    data_dir = write_panel(root / "data", tables)
    config = quick_config(
        data_dir,
        root / "run",
        data={"min_rows_per_symbol": 100},
        validation=dict(ANCHORED),
        feature_selection={"accept": "always", "top_m_features": 1},
        training={"families": ["ridge", "lightgbm"]},
    )
    run_pipeline(config, Silent())
    rows = pq.ParquetFile(root / "run/predictions/out_of_sample.parquet").read()
    return read_json(root / "run/run.json")["folds"], rows


def test_earlier_folds_are_as_they_were(tmp_path: Path) -> None:
    """Their dates, and every prediction in them, bit for bit; the newest one is longer."""
    before, rows = _run(tmp_path / "before", 290)
    after, later = _run(tmp_path / "after", 320)
    n_whole = len(before) - 1
    assert n_whole >= 2
    assert before[:n_whole] == after[:n_whole]
    assert after[n_whole]["test_start"] == before[n_whole]["test_start"]
    keys = ["ts", "symbol", "target", "view", "family", "fold", "prediction", "standing"]
    for name in ("cross_sectional", "symbol_specific"):
        one, other = (
            table.filter(pc.and_(pc.less(table["fold"], n_whole), pc.equal(table["view"], name)))
            .select(keys)
            .sort_by([(key, "ascending") for key in keys[:5]])
            for table in (rows, later)
        )
        assert one.num_rows > 0
        assert one.equals(other)


def test_check_says_which_folds_there_are(tmp_path: Path) -> None:
    """As a run would have them."""
    data_dir = write_panel(tmp_path / "data", planted_panel(symbol_names(4)))
    config = quick_config(data_dir, tmp_path / "run", validation=dict(ANCHORED))
    found = check_config(config)
    (line,) = (each for each in check_lines(found) if each.startswith("folds"))
    assert line.startswith(f"folds     {len(found['folds'])}, tested from 2014-10-10 to 2015-")
    too_early = {"first_test": "2014-06-01", "test_every": "40d", **DEFAULTS}
    with pytest.raises(ConfigError, match=r"too few to train the first fold: .*first_test"):
        check_config(quick_config(data_dir, tmp_path / "run", validation=too_early))


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        ({"first_test": "2020-01-31"}, "first_test needs test_every as well"),
        ({"test_every": "21d"}, "test_every needs first_test as well"),
        ({**ANCHORED, "n_splits": 4}, "test_every and n_splits exclude each other"),
        (
            {**ANCHORED, "test_every": "60m"},
            "must be a duration of days or longer, or a number of bars",
        ),
        (
            {**ANCHORED, "test_every": "monthly"},
            "must be a duration of days or longer, or a number of bars",
        ),
        ({**ANCHORED, "first_test": "31.1.2020"}, "must be a date, e.g. 2020-06-30"),
        ({**ANCHORED, "first_test": 20200131}, "must be a date, e.g. 2020-06-30"),
    ],
)
def test_keys_that_do_not_say_which_folds(validation: dict[str, Any], message: str) -> None:
    """Each is refused with what is wanted."""
    with pytest.raises(ConfigError, match=message):
        quick_config("data", "run", validation={**DEFAULTS, **validation})


def test_a_config_that_was_written_out_is_read_again() -> None:
    """With all its keys, and a date with quotes or without."""
    config = quick_config("data", "run", validation=dict(ANCHORED))
    again = parse_experiment_config(dump_config(config), "config.yaml")
    assert again == config
    bare = dump_config(config).replace("'2014-10-10'", "2014-10-10")
    assert parse_experiment_config(bare, "config.yaml") == config
