"""A run's models in Python: what serves a symbol, tables of any kind, and clear refusals."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from panels import read_json
from trained_runs import POOLED, TARGET, Trained

from ray_pipeline import load_run
from ray_pipeline.errors import ArtifactError, ConfigError, DataError
from ray_pipeline.predicting import LoadedRun
from ray_pipeline.predicting.models import ModelCache
from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.models import read_model
from ray_pipeline.training.seal import sealed

NUMPY = np.__version__


@pytest.fixture(scope="module")
def run(labeled: Trained) -> LoadedRun:
    """Load the labeled run."""
    return load_run(str(labeled.run_dir))


def test_targets_features_and_jobs(run: LoadedRun) -> None:
    """What has a model, what predicting it takes, and by which models."""
    assert run.targets == (TARGET,)
    assert run.features(TARGET, "NEW") == ("signal",)
    assert run.features(TARGET, "S00")[0] == "signal"
    assert [job.view for job in run.serving("NEW").jobs] == ["cross_sectional"] * 3
    with pytest.raises(ConfigError, match=r"has no model of the target y; it has models of fwd"):
        run.features("y", "S00")


def test_a_model_can_be_used_by_itself(labeled: Trained, run: LoadedRun) -> None:
    """With the names of the columns given it checks them; a place is where the score comes from."""
    model = run.model(POOLED)
    X = labeled.tables["S00"]["signal"].to_numpy().astype(np.float32)[:, np.newaxis]
    scores = run.predict(labeled.tables["S00"], symbol="S00", in_sample=True)
    prediction = model.predict(X, ("signal",))
    np.testing.assert_array_equal(prediction, scores[f"{TARGET}__pooled__ridge"].to_numpy())
    assert ((model.percentile(prediction) >= 0) & (model.percentile(prediction) <= 1)).all()
    with pytest.raises(ArtifactError, match=r"needs 1 feature, and 'signal' is missing"):
        model.predict(X, ("other",))
    with pytest.raises(ArtifactError, match=r"of type float32; these are float64"):
        model.predict(X.astype(np.float64), ("signal",))  # type: ignore[arg-type]
    with pytest.raises(ArtifactError, match=rf"^{POOLED} predicts no quantiles: ridge\.$"):
        model.predict_quantiles(X)


def test_reordered_features_are_refused(bars: Trained) -> None:
    """A model of two features, given the other way round."""
    model = load_run(str(bars.run_dir)).model(f"cs_{TARGET}__lightgbm")
    first, second = model.features
    X = np.zeros((2, 2), dtype=np.float32)
    assert model.predict(X, (first, second)).shape == (2,)
    with pytest.raises(ArtifactError, match=rf"column 0 is '{second}', and '{first}' is needed"):
        model.predict(X, (second, first))


def test_a_model_that_is_not_there(run: LoadedRun) -> None:
    """With the names of some that are."""
    with pytest.raises(ArtifactError, match=rf"has no model 'cs_y'; it has {POOLED}, cs_.* and so"):
        run.model("cs_y")


def test_rows_in_any_order_and_times_of_any_kind(labeled: Trained, run: LoadedRun) -> None:
    """Reversed rows and times as text give the same scores."""
    table = labeled.tables["S00"]
    expected = run.predict(table, symbol="S00")
    assert run.predict(table.take(list(range(319, -1, -1))), symbol="S00").equals(expected)
    text = pa.array([value.as_py().isoformat() for value in table["ts"]])
    assert run.predict(table.set_column(0, "ts", text), symbol="S00").equals(expected)


def test_a_data_frame_of_pandas(labeled: Trained, run: LoadedRun) -> None:
    """Also with the time as its index, as pandas users have it."""
    pytest.importorskip("pandas")
    table = labeled.tables["S00"]
    expected = run.predict(table, symbol="S00")
    frame = table.to_pandas()
    assert run.predict(frame, symbol="S00").equals(expected)
    assert run.predict(frame.set_index("ts"), symbol="S00", targets=[TARGET]).equals(expected)


def test_tables_that_cannot_be_used(labeled: Trained, run: LoadedRun) -> None:
    """No time, text for a number, a feature too few, another interval."""
    table = labeled.tables["S00"]
    with pytest.raises(DataError, match=r"^symbol S00: no time column: looked for ts"):
        run.predict(table.drop_columns(["ts"]), symbol="S00")
    text = table.set_column(1, "signal", pa.array(["x"] * 320))
    with pytest.raises(DataError, match=r"^symbol S00: column 'signal' is string; numbers"):
        run.predict(text, symbol="S00")
    with pytest.raises(ArtifactError, match=r"and the table has no column 'signal'"):
        run.predict(table.drop_columns(["signal"]), symbol="S00")
    weekly = table.take(list(range(0, 320, 7)))
    with pytest.raises(ArtifactError, match=r"symbol S00 has a row every 604800 s, and the models"):
        run.predict(weekly, symbol="S00")


def test_what_is_no_table_and_no_list_is_refused(labeled: Trained, run: LoadedRun) -> None:
    """By its type; a target given as a text is not taken for a list of letters."""
    with pytest.raises(
        DataError, match=r"^symbol S00: no table can be made of a int \(.+\)\. Give"
    ):
        run.predict(3, symbol="S00")
    with pytest.raises(DataError, match=r"no table can be made of a dict \(Column 1 named b .+\)"):
        run.predict({"a": [1], "b": [1, 2]}, symbol="S00")
    with pytest.raises(
        ConfigError, match=rf"^targets='{TARGET}' is one text; a list is needed: \['{TARGET}'\]\.$"
    ):
        run.predict(labeled.tables["S00"], symbol="S00", targets=TARGET)


def test_a_symbol_that_nothing_serves(labeled: Trained, tmp_path: Path) -> None:
    """The notes say why."""
    run = load_run(str(labeled.run_dir))
    trained = run._trained
    own = [job for job in trained.jobs if job.view == "symbol_specific"]
    run._serving = trained.serving(own)
    with pytest.raises(
        ArtifactError,
        match=r"^no model serves symbol NEW: not in the run: only pooled models serve here; "
        r"fwd_ret_1d is not predicted: it has no pooled model\.$",
    ):
        run.predict(labeled.tables["S00"], symbol="NEW")


def test_models_are_kept_within_a_bound(labeled: Trained) -> None:
    """Asked for again a model is the same object, until others have taken its place."""
    run = RunDirectory(str(labeled.run_dir))
    cache = ModelCache()
    seals = read_json(labeled.run_dir / "run.json")["models"]
    first = cache.get(run, POOLED, seals)
    assert cache.get(run, POOLED, seals) is first
    with pytest.raises(ArtifactError, match="is that of another model"):
        cache.get(run, POOLED, seals | {POOLED: "0" * 64})
    average = cache.get(run, f"cs_{TARGET}__rank_average", seals)
    assert average.members[0] is first
    small = ModelCache(max_bytes=first.size_bytes)
    kept = small.get(run, POOLED, seals)
    small.get(run, f"sym_{TARGET}__S00__ridge", seals)
    assert small.get(run, POOLED, seals) is not kept
    assert small.size_bytes <= first.size_bytes


def test_a_family_that_is_not_installed_is_named(labeled: Trained, tmp_path: Path) -> None:
    """With what the model was written with, which is what to install."""
    folder = tmp_path / "run" / "models" / POOLED
    shutil.copytree(labeled.run_dir / "models" / POOLED, folder)
    metadata = read_json(folder / "metadata.json")
    (folder / "metadata.json").write_text(json.dumps(sealed(metadata | {"family": "forest"})))
    with pytest.raises(
        ArtifactError,
        match=rf"^models/{POOLED} is of the family 'forest', which cannot be loaded here "
        rf"\(unknown model family 'forest'; .*Install what it was written with: numpy {NUMPY}",
    ):
        read_model(RunDirectory(str(tmp_path / "run")), POOLED)
