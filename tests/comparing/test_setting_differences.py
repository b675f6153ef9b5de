"""What differs in the configs and records of two runs."""

from __future__ import annotations

from typing import Any

from ray_pipeline.comparing.settings import compare_configs, compare_records
from ray_pipeline.results.documents import RunRecord

CONFIG: dict[str, Any] = {
    "experiment": {"name": "x", "seed": 7},
    "data": {"data_dir": "s3://a", "symbols": ["A", "B"], "interval": None},
    "training": {"hyperparameters": {"lightgbm": {"n_estimators": 300}}},
    "execution": {"n_workers": 4},
    "output": {"run_dir": "runs/x"},
    "tracking": {"mlflow_uri": None},
}


def with_keys(**sections: dict[str, Any]) -> dict[str, Any]:
    """Return the config with keys of sections replaced."""
    return CONFIG | {name: CONFIG.get(name, {}) | keys for name, keys in sections.items()}


def record(**facts: Any) -> RunRecord:
    """Return ``run.json`` of a run with some facts."""
    return RunRecord(name="x", status="done", **facts)


def test_equal_configs() -> None:
    """Nothing is listed, in whatever order the keys come."""
    nothing: dict[str, Any] = {"config": [], "config_without_effect": []}
    assert compare_configs(CONFIG, dict(reversed(CONFIG.items()))) == nothing
    one, other = ({"x": [dict(pairs)]} for pairs in (["ab", "cd"], ["cd", "ab"]))
    assert compare_configs(one, other) == nothing


def test_keys_that_change_no_result_are_apart() -> None:
    """Names, places, workers and tracking cannot be why; keys that only begin so can."""
    b = with_keys(
        experiment={"name": "y", "seed": 8},
        execution={"n_workers": 2},
        output={"run_dir": "runs/y"},
        tracking={"mlflow_uri": "http://mlflow"},
        outputs={"x": 1},
    )
    found = compare_configs(CONFIG, b)
    assert found["config"] == [
        {"key": "experiment.seed", "a": "7", "b": "8"},
        {"key": "outputs.x", "a": None, "b": "1"},
    ]
    assert [each["key"] for each in found["config_without_effect"]] == [
        "experiment.name",
        "execution.n_workers",
        "output.run_dir",
        "tracking.mlflow_uri",
    ]


def test_values_of_config_keys() -> None:
    """Lists count as one value, mappings by their keys; null is not the same as missing."""
    b = with_keys(
        data={"symbols": ["A"], "interval": "null"}, training={"hyperparameters": {}}, new={"k": {}}
    )
    del b["tracking"]
    found = compare_configs(CONFIG, b)
    assert found["config"] == [
        {"key": "data.symbols", "a": '["A", "B"]', "b": '["A"]'},
        {"key": "data.interval", "a": "null", "b": '"null"'},
        {"key": "training.hyperparameters.lightgbm.n_estimators", "a": "300", "b": None},
    ]
    assert found["config_without_effect"] == [
        {"key": "tracking.mlflow_uri", "a": "null", "b": None}
    ]


def test_records() -> None:
    """Seed, input, versions and lost units are compared; times, messages and hashes are not."""
    a: dict[str, Any] = {
        "seed": 7,
        "input_fingerprint": "aa",
        "content_sha256": "1",
        "wall_s": 1.0,
        "versions": {"numpy": "2.0", "scipy": "1.13"},
        "counts": {"quarantined": 0, "jobs": 3},
    }
    b: dict[str, Any] = {
        "seed": 8,
        "input_fingerprint": "bb",
        "content_sha256": "2",
        "wall_s": 2.0,
        "versions": {"numpy": "2.1", "scipy": "1.13", "ray": "2.50"},
        "counts": {"quarantined": 1, "jobs": 4},
    }
    assert compare_records(record(**a), record(**b)) == [
        {"key": "seed", "a": "7", "b": "8"},
        {"key": "input_fingerprint", "a": '"aa"', "b": '"bb"'},
        {"key": "versions.numpy", "a": '"2.0"', "b": '"2.1"'},
        {"key": "counts.quarantined", "a": "0", "b": "1"},
        {"key": "versions.ray", "a": None, "b": '"2.50"'},
    ]
    assert compare_records(record(**a), record(**a)) == []
    assert compare_records(record(), record()) == []
