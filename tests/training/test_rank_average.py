"""The rank average as a unit: the mean of its members' percentiles, out of sample and after."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from training_designs import AXIS, FEATURES, SETTINGS, job_spec, training_frame
from training_on_pools import train_on_pool
from unit_calls import call

from ray_pipeline.errors import DataError
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.records import Horizon, View
from ray_pipeline.samples.evidence import PredictedRows, SkillMeasure, evidence_of
from ray_pipeline.samples.pool import Pool
from ray_pipeline.statistics.percentile_scale import percentile_of
from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.ensemble import EnsembleSpec, Member, train_average
from ray_pipeline.training.job_spec import JobSpec
from ray_pipeline.training.models import read_model
from ray_pipeline.training.predictions import predictions_schema

Result = dict[str, Any]


def job(family: str, view: View = "cross_sectional", **changes: Any) -> JobSpec:
    """Return a job on c and b of that family."""
    folds = tuple((index, ("b", "c")) for index in range(3))
    defaults: dict[str, Any] = {"features": ("c", "b"), "fold_features": folds}
    small = (("n_estimators", 4),) if family == "lightgbm" else ()
    return job_spec(
        job_id=f"cs_y__{family}",
        family=family,
        view=view,
        hyperparameters=small,
        **(defaults | changes),
    )


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> PanelReader:
    """Return a worker's reader on a run directory that holds the panel's axis."""
    root = tmp_path_factory.mktemp("average")
    run = RunDirectory(str(root / "run"))
    run.write_table("axis.parquet", pa.table({"time_ns": AXIS}))
    return PanelReader(str(root), {}, run)


@pytest.fixture(scope="module")
def pool() -> Pool:
    """Return four symbols whose label follows b; the last labels are missing."""
    random = np.random.default_rng(0)
    X = random.standard_normal((1_200, 4)).astype(np.float32)
    y = X[:, 1] + random.standard_normal(1_200)
    y[-20:] = np.nan
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
        Y=y[:, np.newaxis],
        label_ends=(positions + 5)[:, np.newaxis],
        spacing=1.0,
    )


def average_of(results: dict[str, Result]) -> EnsembleSpec:
    """Return the spec of their average."""
    members = tuple(
        Member(
            name,
            name.split("__")[-1],
            result["files"][-1],
            result["predictions"],
            result["spacing"],
        )
        for name, result in results.items()
    )
    return EnsembleSpec(training_frame(), job("rank_average"), members, SETTINGS, "fingerprint")


@pytest.fixture(scope="module")
def members(reader: PanelReader, pool: Pool) -> dict[str, Result]:
    """Train the members."""
    return train_on_pool(reader, pool, job("ridge"), job("lightgbm"))


@pytest.fixture(scope="module")
def average(reader: PanelReader, members: dict[str, Result]) -> Result:
    """Make their average."""
    result: Result = call(train_average, reader, average_of(members))["jobs"]["cs_y__rank_average"]
    return result


def test_out_of_sample_it_is_the_mean_of_the_members_percentiles(
    reader: PanelReader, members: dict[str, Result], average: Result
) -> None:
    """On the same rows of the same folds, in [0, 1]; its evidence is that of these predictions."""
    table = reader.run.read_table(average["predictions"])
    ridge, trees = (reader.run.read_table(each["predictions"]) for each in members.values())
    percentiles = [each.column("centred_percentile").to_numpy() for each in (ridge, trees)]
    expected = ((percentiles[0] + percentiles[1]) / 2 + 1) / 2
    np.testing.assert_array_equal(table.column("prediction").to_numpy(), expected)
    same = ["ts", "symbol", "target", "view", "fold", "actual"]
    assert table.select(same).equals(ridge.select(same))
    assert set(table.column("family").to_pylist()) == {"rank_average"}
    assert table.select(predictions_schema().names).schema.equals(predictions_schema())
    actual = table.column("actual").to_numpy()
    there = np.isfinite(actual)
    times = table.column("ts").cast("int64").to_numpy()
    measure = SkillMeasure(
        "cross_sectional", "regression", training_frame().positions_of(5), 1.0, 3
    )
    positions = np.searchsorted(AXIS, times)
    evidence = evidence_of(
        measure, PredictedRows(expected[there], actual[there], positions[there], positions[there])
    )
    assert average["out_of_sample"] == evidence.to_record()
    assert evidence.skill > 0.3


def test_its_files_are_a_small_text(reader: PanelReader, average: Result) -> None:
    """Members by name, which count alike; its metadata are those of any other model."""
    content = reader.run.read_bytes(average["files"][0])
    assert json.loads(content) == {
        "family": "rank_average",
        "members": ["cs_y__ridge", "cs_y__lightgbm"],
        "weights": [1, 1],
    }
    metadata = reader.run.read_json(average["files"][-1])
    assert metadata["features"] == ["c", "b"]
    assert (metadata["seed"], metadata["percentile_scale"]) == (None, None)
    assert metadata["trained_on"]["n_rows"] == average["n_rows"] == 1_180
    assert set(metadata["libraries"]) == {
        *("ray_pipeline", "python", "numpy", "pyarrow", "lightgbm"),
    }


def test_the_model_read_back_averages_percentiles(
    reader: PanelReader, members: dict[str, Result], average: Result, pool: Pool
) -> None:
    """Each member on its own scale, then the mean; what its replay says, to the bit."""
    results = {**members, "cs_y__rank_average": average}
    for name, result in results.items():
        for source in result["files"]:
            reader.run.copy(source, f"models/{name}/{source.rsplit('/', 1)[-1]}")
    model = read_model(reader.run, "cs_y__rank_average")
    X = np.ascontiguousarray(pool.X[:, [2, 1]])
    places = []
    for name in members:
        member = read_model(reader.run, name)
        scale = np.array(member.metadata["percentile_scale"])
        places.append(percentile_of(member.predict(X), scale))
    predicted = model.predict(X, ("c", "b"))
    np.testing.assert_array_equal(predicted, (places[0] + places[1]) / 2)
    np.testing.assert_array_equal(model.percentile(predicted), predicted)
    replay = model.metadata["replay"]
    assert [row["prediction"] for row in replay] == predicted[1_148:1_180].tolist()


def test_an_own_average_is_judged_over_its_symbols_time(reader: PanelReader, pool: Pool) -> None:
    """The same percentiles give another figure there, with the deviations of labels to come."""
    results = train_on_pool(reader, pool, job("ridge"), job("lightgbm"))
    spec = average_of(results)
    own = replace(spec, job=job("rank_average", "symbol_specific"))
    pooled, over_time = (
        next(iter(call(train_average, reader, each)["jobs"].values())) for each in (spec, own)
    )
    assert over_time["out_of_sample"]["skill"] > 0.3
    assert over_time["out_of_sample"] != pooled["out_of_sample"]


def test_members_tested_on_other_rows_are_no_average(reader: PanelReader, pool: Pool) -> None:
    """A fold that only one of them had would let the other speak alone there."""
    results = train_on_pool(
        reader, pool, job("ridge"), job("lightgbm", fold_features=((0, ("b",)), (1, ("b",))))
    )
    with pytest.raises(
        DataError, match=r"^cs_y__rank_average: its members were tested on different rows\.$"
    ):
        call(train_average, reader, average_of(results))
