"""Scoring where run, data and scores are all in an object store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from trained_runs import TARGET, Trained, predict

from ray_pipeline import load_run
from ray_pipeline.driving.progress import Silent
from ray_pipeline.predicting import PredictOptions, predict_panel
from ray_pipeline.storage import RunDirectory

if TYPE_CHECKING:
    from conftest import Store

SYMBOLS = ["S00", "S02"]
NEEDED = [
    *("*.json", "config.yaml", "models/**/*.*", "routing/*.parquet", "target_ranking/*.parquet"),
    "predictions/*.parquet",  # for the history
]
"""Of a run directory, to use its models."""


@pytest.fixture(name="bucket")
def filled_bucket(labeled: Trained, s3_store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Put a run that was made on a disk, and its data, into a bucket; the environment names it."""
    endpoint, region = (str(s3_store.options[key]) for key in ("endpoint_url", "region"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    for pattern in NEEDED:
        for path in labeled.run_dir.glob(pattern):
            s3_store.put(f"run/{path.relative_to(labeled.run_dir).as_posix()}", path.read_bytes())
    for symbol in SYMBOLS:
        for path in labeled.data_dir.rglob(f"symbol={symbol}/*.parquet"):
            s3_store.put(
                f"panel/{path.relative_to(labeled.data_dir).as_posix()}", path.read_bytes()
            )
    return s3_store


def _predict(bucket: Store) -> Mapping[str, Any]:
    places = (bucket.uri_of(name) for name in ("run", "panel", "scores"))
    return predict_panel(*places, Silent(), PredictOptions(history=True))


def test_scores_are_those_of_a_disk_and_an_interruption_is_continued(
    labeled: Trained, bucket: Store, tmp_path: Path, scored: list[str]
) -> None:
    """Byte by byte, the walk-forward too; after Ctrl-C at S02 no other symbol is scored again."""
    predict(labeled, tmp_path / "here", symbols=SYMBOLS, history=True)
    scored[:] = ["!S02"]
    with pytest.raises(KeyboardInterrupt):
        _predict(bucket)
    out = RunDirectory(bucket.uri_of("scores"))
    assert out.read_json("predictions.json")["status"] == "interrupted"
    scored.clear()
    found = _predict(bucket)
    assert scored == ["S02"]
    assert found["status"] == out.read_json("predictions.json")["status"] == "done"
    assert found["replay"]["n_compared"] > 0
    assert found["replay"]["n_different"] == 0
    for symbol in SYMBOLS:
        name = found["symbols"][symbol]["file"]
        assert out.read_bytes(name) == (tmp_path / "here" / name).read_bytes()
    assert not any(name.startswith("driver") for name in out.list())


def test_a_run_is_loaded_from_s3(labeled: Trained, bucket: Store, tmp_path: Path) -> None:
    """With the options of its store; the scores of a table are those of the command."""
    predict(labeled, tmp_path / "here", symbols=["S00"])
    run = load_run(bucket.uri_of("run"), bucket.options)
    table = labeled.tables["S00"]
    (path,) = (tmp_path / "here").rglob("symbol=S00/*.parquet")
    assert run.predict(table, "S00", in_sample=True).equals(pq.ParquetFile(path).read())
    assert run.targets == (TARGET,)
