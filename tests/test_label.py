"""``ray-pipeline label``: bars in, a labeled panel out, which a run takes as it takes the bars."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest
from panels import bars_table, quick_config, symbol_folder, symbol_names, write_config, write_panel

from ray_pipeline.cli import main
from ray_pipeline.commands.labeling import label_panel
from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import ConfigError, ExecutionError
from ray_pipeline.panel.cross_section.values import robust_deviations
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.storage import RunDirectory

if TYPE_CHECKING:
    from conftest import Store

SYMBOLS = [*symbol_names(3), "BRK/B"]
LABELING = {"features": ["log_return_1", "gap"], "targets": ["fwd_ret_5d", "fwd_ret_1d"]}


@pytest.fixture(scope="module")
def bars_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write four symbols of daily bars."""
    return write_panel(
        tmp_path_factory.mktemp("bars"), {name: bars_table(name) for name in SYMBOLS}
    )


def test_labels_are_returns_of_the_bars(bars_dir: Path, tmp_path: Path) -> None:
    """The file holds time, bars, features, targets; a label looks ahead, a feature does not."""
    config = quick_config(bars_dir, tmp_path / "run", labeling=LABELING)
    labeled = label_panel(config, str(tmp_path / "out"), Silent())
    assert (labeled.n_symbols, labeled.n_rows, labeled.failed) == (4, 4 * 320, ())
    assert (labeled.n_features, labeled.n_targets) == (2, 2)
    table = pq.read_table(symbol_folder(tmp_path / "out", "BRK/B") / "BRK%2FB.parquet")
    assert table.column_names == [
        *("ts", "open", "high", "low", "close", "volume"),
        *("log_return_1", "gap", "fwd_ret_5d", "fwd_ret_1d"),
    ]
    close = bars_table("BRK/B")["close"].to_numpy()
    ahead = table["fwd_ret_5d"].to_numpy()
    np.testing.assert_allclose(ahead[:-5], close[5:] / close[:-5] - 1, rtol=1e-12)
    assert np.isnan(ahead[-5:]).all()
    past = table["log_return_1"].to_numpy()
    np.testing.assert_allclose(past[1:], np.log(close[1:] / close[:-1]), rtol=1e-4, atol=1e-7)


def test_run_on_labeled_panel_equals_run_on_bars(bars_dir: Path, tmp_path: Path) -> None:
    """Labeling beforehand or as the bars are read: the same content."""
    config = quick_config(bars_dir, tmp_path / "bars", labeling=LABELING)
    run_pipeline(config, Silent())
    label_panel(config, str(tmp_path / "panel"), Silent())
    run_pipeline(quick_config(tmp_path / "panel", tmp_path / "run"), Silent())
    first, second = (
        json.loads((tmp_path / name / "run.json").read_text()) for name in ("bars", "run")
    )
    assert (first["data"]["kind"], second["data"]["kind"]) == ("bars", "labeled")
    assert first["content_sha256"] == second["content_sha256"]


def test_columns_of_the_batch_are_written(bars_dir: Path, tmp_path: Path) -> None:
    """Ranks and excess returns stand beside their symbol's own, and no artifact is left behind."""
    labeling = {"features": ["gap", "cs_rank_gap"], "targets": ["fwd_ret_5d", "excess_ret_5d"]}
    config = quick_config(bars_dir, tmp_path / "run", labeling=labeling)
    labeled = label_panel(config, str(tmp_path / "out"), Silent())
    assert (labeled.n_symbols, labeled.n_features, labeled.n_targets) == (4, 2, 2)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"interval=1d"}
    tables = [pq.read_table(path) for path in sorted((tmp_path / "out").rglob("*.parquet"))]
    gaps, ranks, forward, excess = (
        np.stack([table[name].to_numpy() for table in tables])
        for name in ("gap", "cs_rank_gap", "fwd_ret_5d", "excess_ret_5d")
    )
    places = gaps[:, 1:].argsort(axis=0).argsort(axis=0)
    np.testing.assert_array_equal(ranks[:, 1:], (places + np.float32(0.5)) / 4)
    n_symbols, n_rows = forward.shape
    times = np.tile(np.arange(n_rows), n_symbols)
    expected = robust_deviations(forward.ravel(), times, np.ones(forward.size, bool), n_rows)
    np.testing.assert_allclose(excess.ravel(), expected, rtol=1e-9, atol=1e-15)
    # All labels of a time are compared with one figure.
    shared = (forward - excess)[:, ~np.isnan(forward).any(axis=0)]
    np.testing.assert_allclose(shared, np.tile(shared[:1], (n_symbols, 1)), rtol=0, atol=1e-12)


def test_columns_of_the_batch_need_a_place(bars_dir: Path, tmp_path: Path) -> None:
    """A folder of a run's units, which would be removed with ours, is left alone."""
    labeling = {"features": ["cs_rank_gap"], "targets": ["fwd_ret_5d"]}
    config = quick_config(bars_dir, tmp_path / "run", labeling=labeling)
    (tmp_path / "out" / "units").mkdir(parents=True)
    (tmp_path / "out" / "units" / "record.json").write_text("{}")
    with pytest.raises(
        ConfigError,
        match=r"--out \S+ holds a folder .units., which is used for cross-sectional columns until "
        r"every symbol is written\. Give another folder, or remove that one if it was left by an "
        r"earlier labeling",
    ):
        label_panel(config, str(tmp_path / "out"), Silent())
    assert (tmp_path / "out" / "units" / "record.json").exists()


def test_own_function_beside_a_set(
    bars_dir: Path, tmp_path: Path, own_modules: Callable[..., Path]
) -> None:
    """A list may mix sets, names and functions; the module may lie beside the config."""
    folder = own_modules(
        "beside", "def mine(bars):\n    return {'body': bars.close - bars.open}\n", on_path=False
    )
    labeling = {"features": ["gap", "beside:mine", "alpha158"], "targets": ["fwd_ret_1d"]}
    config = write_config(folder / "a.yaml", bars_dir, tmp_path / "run", labeling=labeling)
    assert main(["label", str(config), "--out", str(tmp_path / "out")]) == 0
    table = pq.read_table(symbol_folder(tmp_path / "out", "S01") / "S01.parquet")
    assert table.column_names[6:10] == ["gap", "body", "KMID", "KLEN"]
    assert table.num_columns == 6 + 1 + 1 + 158 + 1
    body = bars_table("S01")["close"].to_numpy() - bars_table("S01")["open"].to_numpy()
    np.testing.assert_allclose(table["body"].to_numpy(), body, rtol=1e-6, atol=1e-6)


def test_sessions_of_daily_bars_are_refused(bars_dir: Path, tmp_path: Path) -> None:
    """A set that makes no sense of these bars stops before anything is written."""
    config = quick_config(bars_dir, tmp_path / "run", labeling={**LABELING, "features": "intraday"})
    with pytest.raises(ConfigError, match=r"bars of 86400 s are whole sessions"):
        label_panel(config, str(tmp_path / "out"), Silent())


def test_batch_is_labeled_and_nothing_else(bars_dir: Path, tmp_path: Path) -> None:
    """The seeded batch decides which symbols are written; no run directory is made."""
    config = quick_config(
        bars_dir, tmp_path / "run", labeling=LABELING, data={"symbol_batch_size": 2}
    )
    label_panel(config, str(tmp_path / "out"), Silent())
    assert len(list((tmp_path / "out" / "interval=1d").iterdir())) == 2
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"interval=1d"}
    assert not (tmp_path / "run").exists()


def test_command_tells_what_was_written(
    bars_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line of result; symbols that could not be labeled are named before it."""
    short = {"SHORT": bars_table("SHORT", n_bars=10)}
    data_dir = write_panel(tmp_path / "data", {"S00": bars_table("S00")} | short)
    config = write_config(tmp_path / "a.yaml", data_dir, tmp_path / "run", labeling=LABELING)
    assert main(["label", str(config), "--out", str(tmp_path / "out")]) == 0
    output = capsys.readouterr()
    assert output.out == (
        "- SHORT: 10 rows after cleaning; data.min_rows_per_symbol needs "
        "100.\n"
        f"1 symbol, 320 rows, 2 features and 2 targets written to {tmp_path / 'out'}\n"
    )
    assert "labeling: 1/1" in output.err


def test_nothing_to_label(tmp_path: Path) -> None:
    """Where every symbol fails nothing is written, and the first reason is given."""
    data_dir = write_panel(tmp_path / "data", {"SHORT": bars_table("SHORT", n_bars=10)})
    config = quick_config(data_dir, tmp_path / "run", execution={"max_failed_fraction": 1.0})
    with pytest.raises(
        ExecutionError,
        match=r"none of 1 symbol is left\. The first, SHORT, in inspect: .*\(each is listed "
        r"above\)",
    ):
        label_panel(config, str(tmp_path / "out"), Silent())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("inside", [False, True])
def test_bars_are_never_overwritten(bars_dir: Path, tmp_path: Path, inside: bool) -> None:
    """The panel must not be written among its own bars, however the data directory is given."""
    data_dir = bars_dir / "interval=1d" if inside else bars_dir
    before = {path: path.read_bytes() for path in bars_dir.rglob("*.parquet")}
    config = quick_config(data_dir, tmp_path / "run", labeling=LABELING)
    with pytest.raises(
        ConfigError,
        match=r"--out \S+ and data\.data_dir \S+ are the same folder, or one is inside the other",
    ):
        label_panel(config, bars_dir.as_uri(), Silent())
    assert {path: path.read_bytes() for path in bars_dir.rglob("*.parquet")} == before


def test_panel_in_an_object_store(bars_dir: Path, tmp_path: Path, s3_store: Store) -> None:
    """Bars in a bucket become a labeled panel in the same bucket, as on a disk."""
    for path in sorted(bars_dir.rglob("*.parquet")):
        s3_store.put(f"bars/{path.relative_to(bars_dir).as_posix()}", path.read_bytes())
    data = {"storage_options": s3_store.options}
    uri = s3_store.uri_of(f"panel-{uuid.uuid4().hex[:8]}")
    config = quick_config(s3_store.uri_of("bars"), tmp_path / "run", data=data, labeling=LABELING)
    label_panel(config, uri, Silent())
    here = quick_config(bars_dir, tmp_path / "run", labeling=LABELING)
    label_panel(here, str(tmp_path / "out"), Silent())
    there = RunDirectory(uri, s3_store.options)
    name = "interval=1d/symbol=S01/S01.parquet"
    assert there.read_bytes(name) == (tmp_path / "out" / name).read_bytes()
    assert len(there.list()) == 4
