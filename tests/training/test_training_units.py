"""Training as units: the files of a model, its metadata, its predictions, its record."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from training_designs import AXIS, FEATURES, SETTINGS, RecordingFamily, job_spec, training_frame
from training_on_pools import train_on_pool
from unit_calls import call

from ray_pipeline.errors import DataError
from ray_pipeline.families import load_family
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.records import Horizon, PartitionFile, SymbolPartition
from ray_pipeline.samples.pool import Pool
from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.metadata import feature_facts
from ray_pipeline.training.predictions import predictions_schema
from ray_pipeline.training.seal import check_seal
from ray_pipeline.training.units import TrainingSpec, train_symbol
from ray_pipeline.version import __version__

OWN = job_spec(
    job_id="sym_y__A%2FB__ridge",
    view="symbol_specific",
    family="ridge",
    features=("c", "b"),
    fold_features=tuple((index, ("b",)) for index in range(3)),
    hyperparameters=(("penalty", 0.2),),
)


@pytest.fixture
def reader(tmp_path: Path) -> PanelReader:
    """Return a worker's reader on a run directory that holds the panel's axis."""
    run = RunDirectory(str(tmp_path / "run"))
    run.write_table("axis.parquet", pa.table({"time_ns": AXIS}))
    return PanelReader(str(tmp_path), {}, run)


@pytest.fixture
def partition(tmp_path: Path) -> SymbolPartition:
    """Write a symbol of 280 hours from the tenth on; b carries its label, the last has none."""
    random = np.random.default_rng(0)
    X = random.standard_normal((280, 4))
    y = X[:, 1] + random.standard_normal(280)
    y[-5:] = np.nan
    columns = dict(zip(FEATURES, X.T, strict=True))
    times = pa.array(AXIS[10:290], pa.timestamp("ns", "UTC"))
    path = tmp_path / "part-0.parquet"
    pq.write_table(pa.table({"ts": times, **columns, "y": pa.array(y, from_pandas=True)}), path)
    return SymbolPartition("A/B", (PartitionFile(str(path), path.stat().st_size, "v1"),))


def spec_of(partition: SymbolPartition | None, *jobs: Any) -> TrainingSpec:
    """Return the unit's spec."""
    return TrainingSpec(training_frame(), jobs, SETTINGS, "fingerprint", partition=partition)


def pool() -> Pool:
    """Return four symbols whose label follows b."""
    random = np.random.default_rng(0)
    X = random.standard_normal((1_200, 4)).astype(np.float32)
    positions = np.repeat(np.arange(300), 4)
    return Pool(
        symbols=("S0", "S1", "S2", "S3"),
        feature_names=FEATURES,
        target_names=("y",),
        horizons=(Horizon(5),),
        positions=positions,
        cells=positions,
        symbol_index=np.tile(np.arange(4, dtype=np.int32), 300),
        X=X,
        Y=(X[:, 1] + random.standard_normal(1_200))[:, np.newaxis],
        label_ends=(positions + 5)[:, np.newaxis],
        spacing=1.0,
    )


def metadata_of(reader: PanelReader, result: dict[str, Any]) -> dict[str, Any]:
    """Read a trained job's metadata."""
    name = next(name for name in result["files"] if name.endswith("/metadata.json"))
    return dict(reader.run.read_json(name))


def test_metadata_of_an_own_model(reader: PanelReader, partition: SymbolPartition) -> None:
    """Everything that is needed to use the model and to know what it is."""
    result = call(train_symbol, reader, spec_of(partition, OWN))["jobs"][OWN.job_id]
    metadata = metadata_of(reader, result)
    plain = {
        "job_id": "sym_y__A%2FB__ridge",
        "target": "y",
        "task": "regression",
        "horizon_bars": 5,
        "bar_seconds": 3_600,
        "session_bars": 24,
        "kind": "labeled",
        "view": "symbol_specific",
        "question": "over time",
        "family": "ridge",
        "features": ["c", "b"],
        "feature_set": "",
        "feature_dtype": "float32",
        "feature_lookback_bars": {"c": None, "b": None},
        "first_predictable_row": 0,
        "input_columns": ["c", "b"],
        "feature_functions": [],
        "own_columns": [],
        "absent_features": {},
        "time_column": "ts",
        "serves": ["A/B"],
        "hyperparameters": {"penalty": 0.2},
        "fitting": {
            "streamed": False,
            "sample_weights": "none",
            "n_rounds": None,
            "chosen": {"penalty": 0.2},
            "compare": "raw",
            "early_stopping": None,
        },
        "input_fingerprint": "fingerprint",
    }
    assert {key: metadata[key] for key in plain} == plain
    assert metadata["trained_on"] == {
        "symbols": ["A/B"],
        "n_rows": 275,
        "first_ts": "2024-01-01T10:00:00+00:00",
        "last_ts": "2024-01-12T20:00:00+00:00",
        "known_ts": "2024-01-13T01:00:00+00:00",  # five bars on
    }
    assert set(metadata) == {
        *(*plain, "trained_on", "out_of_sample", "seed", "files", "libraries"),
        *("percentile_scale", "replay", "quantiles", "sha256", "feature_ranges"),
    }
    check_seal(metadata, "as written")


def test_metadata_names_the_libraries(reader: PanelReader, partition: SymbolPartition) -> None:
    """Versions of our own package, of Python, and of what the family and the files need."""
    trees = replace(OWN, family="lightgbm", hyperparameters=())
    (with_trees,) = call(train_symbol, reader, spec_of(partition, trees))["jobs"].values()
    names = {"ray_pipeline", "python", "numpy", "pyarrow"}
    assert set(metadata_of(reader, with_trees)["libraries"]) == {*names, "lightgbm"}
    result = call(train_symbol, reader, spec_of(partition, OWN))["jobs"][OWN.job_id]
    libraries = metadata_of(reader, result)["libraries"]
    assert set(libraries) == names
    assert libraries["ray_pipeline"] == __version__
    assert libraries["numpy"] == np.__version__


def test_times_are_those_of_the_first_and_last_labelled_row(
    reader: PanelReader, partition: SymbolPartition
) -> None:
    """ISO 8601 in UTC, to be parsed back to the panel's own timestamps."""
    result = call(train_symbol, reader, spec_of(partition, OWN))["jobs"][OWN.job_id]
    trained_on = metadata_of(reader, result)["trained_on"]
    for name, position in (("first_ts", 10), ("last_ts", 284)):
        parsed = datetime.fromisoformat(trained_on[name])
        assert parsed.tzinfo == UTC
        assert int(parsed.timestamp()) * 10**9 == AXIS[position]


def test_checksums_are_those_of_the_files(
    reader: PanelReader, partition: SymbolPartition, family: RecordingFamily
) -> None:
    """Each file of the model lies beside the metadata with the bytes that were hashed."""
    result = call(train_symbol, reader, spec_of(partition, OWN))["jobs"][OWN.job_id]
    names = [name.rsplit("/", 1)[1] for name in result["files"]]
    assert names == ["a.txt", "b.txt", "metadata.json"]
    checksums = metadata_of(reader, result)["files"]
    assert checksums == {
        "a.txt": hashlib.sha256(b"first").hexdigest(),
        "b.txt": hashlib.sha256(b"second").hexdigest(),
    }
    for name in result["files"][:2]:
        content = reader.run.read_bytes(name)
        assert hashlib.sha256(content).hexdigest() == checksums[name.rsplit("/", 1)[1]]


@pytest.mark.parametrize("family_name", ["ridge", "lightgbm"])
def test_the_model_can_be_loaded_and_predicts_in_the_order_of_its_features(
    reader: PanelReader, partition: SymbolPartition, family_name: str
) -> None:
    """From files and metadata alone: b, which carries the label, is the second column."""
    job = replace(OWN, family=family_name, hyperparameters=())
    result = call(train_symbol, reader, spec_of(partition, job))["jobs"][job.job_id]
    files = {
        name.rsplit("/", 1)[1]: reader.run.read_bytes(name)
        for name in result["files"]
        if not name.endswith("metadata.json")
    }
    model = load_family(metadata_of(reader, result)["family"]).load(files)
    low, high = model.predict(np.array([[0.0, -2.0], [0.0, 2.0]], dtype=np.float32))
    assert high - low > 1.0
    assert int(np.argmax(model.importances)) == 1


def test_record_says_where_everything_is(reader: PanelReader, partition: SymbolPartition) -> None:
    """Plain JSON: files, predictions, rows, and the evidence that the metadata has too."""
    result = call(train_symbol, reader, spec_of(partition, OWN))["jobs"][OWN.job_id]
    names = ("files", "seal", "predictions", "n_rows", "spacing", "out_of_sample", "effects")
    assert set(result) == set(names)
    assert json.loads(json.dumps(result)) == result
    assert result["n_rows"] == 275
    assert result["out_of_sample"]["skill"] > 0.3
    assert result["out_of_sample"]["n_rows"] == 135
    assert metadata_of(reader, result)["out_of_sample"] == result["out_of_sample"]
    table = reader.run.read_table(result["predictions"])
    assert table.select(predictions_schema().names).schema.equals(predictions_schema())
    assert table.num_rows == 140
    assert set(table.column("symbol").to_pylist()) == {"A/B"}


def test_jobs_of_a_symbol_do_not_share_files(
    reader: PanelReader, partition: SymbolPartition
) -> None:
    """Two families of one symbol lie in two folders, as does a job with other features."""
    jobs = (
        OWN,
        replace(OWN, job_id="sym_y__A%2FB__lightgbm", family="lightgbm", hyperparameters=()),
        replace(OWN, job_id="other", features=("b", "c")),
    )
    trained = call(train_symbol, reader, spec_of(partition, *jobs))["jobs"]
    assert list(trained) == [job.job_id for job in jobs]
    folders = {result["predictions"].rsplit("/", 1)[0] for result in trained.values()}
    assert len(folders) == 3
    assert all(folder.startswith("units/train_symbol/") for folder in folders)


def test_equal_work_gives_equal_files(reader: PanelReader, partition: SymbolPartition) -> None:
    """Training again, after a lost worker say, writes the same bytes to the same names."""
    spec = spec_of(partition, OWN)
    first = call(train_symbol, reader, spec)
    contents = {name: reader.run.read_bytes(name) for name in first["jobs"][OWN.job_id]["files"]}
    assert call(train_symbol, reader, spec) == first
    assert {name: reader.run.read_bytes(name) for name in contents} == contents


def test_a_pooled_model_is_trained_on_every_symbol(reader: PanelReader) -> None:
    """Symbols, rows and times of the pool, and its own folder."""
    job = replace(OWN, job_id="cs_y__ridge", view="cross_sectional")
    result = train_on_pool(reader, pool(), job)["cs_y__ridge"]
    metadata = metadata_of(reader, result)
    assert metadata["view"] == "cross_sectional"
    assert metadata["trained_on"] == {
        "symbols": ["S0", "S1", "S2", "S3"],
        "n_rows": 1_200,
        "first_ts": "2024-01-01T00:00:00+00:00",
        "last_ts": "2024-01-13T11:00:00+00:00",
        "known_ts": "2024-01-13T11:00:00+00:00",
    }
    assert result["predictions"].startswith("units/train_pooled/")
    assert result["out_of_sample"]["n_rows"] == 150
    assert result["out_of_sample"]["skill"] > 0.3
    assert reader.run.read_table(result["predictions"]).num_rows == 600


def test_a_symbols_unit_needs_its_partition(reader: PanelReader) -> None:
    """The unit of a symbol without a partition is a defect of the caller."""
    with pytest.raises(DataError, match=r"^train_symbol needs a partition$"):
        call(train_symbol, reader, spec_of(None, OWN))


def test_the_scale_and_the_replay_are_of_the_models_own_predictions(
    reader: PanelReader, partition: SymbolPartition
) -> None:
    """What the loaded model says of the training rows, bit for bit; the last 32 with their time."""
    result = call(train_symbol, reader, spec_of(partition, OWN))["jobs"][OWN.job_id]
    metadata = metadata_of(reader, result)
    model = load_family("ridge").load({"model.json": reader.run.read_bytes(result["files"][0])})
    table = reader.table(partition, training_frame().request)
    known = model.predict(np.ascontiguousarray(table.features[:275, [2, 1]]))
    assert metadata["percentile_scale"] == np.sort(known).tolist()
    assert [row["prediction"] for row in metadata["replay"]] == known[-32:].tolist()
    assert [row["time_ns"] for row in metadata["replay"]] == AXIS[253:285].tolist()
    assert {row["symbol"] for row in metadata["replay"]} == {"A/B"}


def test_symbols_without_a_feature_are_named(reader: PanelReader) -> None:
    """A pooled model has seen S2 without b: it may be used on S2 without b, and on no other."""
    given = pool()
    X = given.X.copy()
    X[given.symbol_index == 2, 1] = np.nan
    X[given.symbol_index == 1, 2][:5] = np.nan
    job = replace(OWN, job_id="cs_y__ridge", view="cross_sectional")
    result = train_on_pool(reader, replace(given, X=X), job)["cs_y__ridge"]
    assert metadata_of(reader, result)["absent_features"] == {"b": ["S2"]}


def test_metadata_of_bars_say_what_the_features_look_back_on() -> None:
    """The longest of the lookbacks, less the row itself, rows come before the first prediction."""
    request = replace(
        training_frame().request, kind="bars", features=("log_return_20", "gap", "log_return_5")
    )
    facts = feature_facts(request.features, request)
    assert facts["feature_lookback_bars"] == {"log_return_20": 21, "gap": 2, "log_return_5": 6}
    assert facts["first_predictable_row"] == 20
    assert facts["input_columns"] == ["open", "high", "low", "close", "volume"]
