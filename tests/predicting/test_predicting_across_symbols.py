"""Features across symbols in scoring: computed of the run's symbols, whatever is to be scored."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from panels import quick_config, remembering_bars, symbol_folder, symbol_names, write_panel
from trained_runs import TARGET, Trained, predict

from ray_pipeline import load_run
from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import ArtifactError
from ray_pipeline.pipeline import run_pipeline

SYMBOLS = symbol_names(4)
FEATURES = ["log_return_1", "cs_rank_log_return_1", "cs_zscore_log_return_1"]


@pytest.fixture(scope="module")
def across(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Run on bars with a rank and a z-score of the batch among the features."""
    root = tmp_path_factory.mktemp("across")
    tables = {symbol: remembering_bars(symbol) for symbol in SYMBOLS}
    data_dir = write_panel(root / "data", tables)
    config = quick_config(
        data_dir,
        root / "run",
        labeling={"features": FEATURES, "targets": [TARGET]},
        feature_selection={"min_stability": 0.0, "redundancy": 1.0},
    )
    run_pipeline(config, Silent())
    return Trained(data_dir, root / "run", tables)


def test_training_rows_are_predicted_as_in_training(across: Trained, tmp_path: Path) -> None:
    """Bit for bit, of models that do use such a feature."""
    used = {
        name for job in load_run(str(across.run_dir)).serving("S00").jobs for name in job.features
    }
    assert used & set(FEATURES[1:])
    found = predict(across, tmp_path / "out")
    assert found["replay"]["n_compared"] > 0
    assert found["replay"]["n_different"] == 0
    assert found["warnings"] == []


def test_a_symbol_scored_alone_is_compared_with_the_runs_symbols(
    across: Trained, tmp_path: Path
) -> None:
    """The same file as among all; an unknown symbol beside them changes nothing of theirs."""
    predict(across, tmp_path / "all")
    predict(across, tmp_path / "alone", symbols=["S01"])
    tables = dict(across.tables) | {"NEW": remembering_bars("NEW")}
    found = predict(across, tmp_path / "more", write_panel(tmp_path / "data", tables))
    expected, alone, more = (
        pq.ParquetFile(symbol_folder(tmp_path / name, "S01") / "S01.parquet").read()
        for name in ("all", "alone", "more")
    )
    assert alone.equals(expected)
    assert more.equals(expected)
    assert found["symbols"]["NEW"]["n_rows"] > 0


def test_a_symbol_too_few_is_the_likely_cause_of_other_predictions(
    across: Trained, tmp_path: Path
) -> None:
    """The rows are as they were; those that they are ranked among are not."""
    tables = {symbol: table for symbol, table in across.tables.items() if symbol != "S00"}
    found = predict(across, tmp_path / "out", write_panel(tmp_path / "data", tables))
    fewer, other = found["warnings"]
    assert fewer.startswith("1 of the ")
    assert "has no data here: cross-sectional columns compare with the other" in fewer
    assert other.endswith(
        "Likely cause: symbols that they are compared with are missing, or their data were "
        "revised since."
    )


def test_one_symbol_in_python_is_refused(across: Trained) -> None:
    """Its bars alone do not hold how it stands among the others."""
    with pytest.raises(
        ArtifactError, match=r"^cs_\w+ is computed of all symbols at a timestamp, and a table of"
    ):
        load_run(str(across.run_dir)).predict(across.tables["S00"], symbol="S00")
