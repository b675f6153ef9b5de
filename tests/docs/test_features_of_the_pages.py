"""The features of one's own that the documentation shows are computed as it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from panels import bars_table, times, write_config, write_panel
from snippets import DOCS, Session, snippets_of

from ray_pipeline.cli import main


@pytest.fixture
def pages_functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the modules that the page shows into a fresh working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    session = Session()
    for snippet in snippets_of(DOCS / "how-to/feature.md"):
        if snippet.title:
            session.do(snippet)
    return tmp_path


def _labeled(folder: Path, config: Path) -> pa.Table:
    assert main(["label", str(config), "--out", str(folder / "labeled")]) == 0
    (path,) = (folder / "labeled").rglob("*.parquet")
    return pq.read_table(path, partitioning=None)


def test_the_feature_of_bars(pages_functions: Path) -> None:
    """The body of a bar, as a share of its spread."""
    bars = bars_table("S00")
    data_dir = write_panel(pages_functions / "panel", {"S00": bars})
    labeling = {"features": ["my_features:body_and_wicks"], "targets": ["fwd_ret_1d"]}
    config = write_config(pages_functions / "run.yaml", data_dir, "run", labeling=labeling)
    labeled = _labeled(pages_functions, config)
    first = {name: bars[name][0].as_py() for name in ("open", "high", "low", "close")}
    expected = (first["close"] - first["open"]) / (first["high"] - first["low"])
    assert labeled["body"][0].as_py() == pytest.approx(expected, rel=1e-6)
    assert "upper_wick" in labeled.column_names


def test_the_feature_of_a_series(pages_functions: Path) -> None:
    """The change since the row before, and none in the first row."""
    values = np.cumsum(np.random.default_rng(3).standard_normal(320))
    table = pa.table({"ts": times(320), "sold": values})
    data_dir = write_panel(pages_functions / "panel", {"S00": table})
    config = write_config(
        pages_functions / "run.yaml",
        data_dir,
        "run",
        data={"columns": {"value": "sold"}},
        labeling={"features": ["my_series:last_change"], "targets": ["fwd_mean_7d"]},
    )
    changes = _labeled(pages_functions, config)["last_change"].to_pylist()
    assert changes[0] is None or np.isnan(changes[0])
    assert changes[1] == pytest.approx(values[1] - values[0], rel=1e-5)
