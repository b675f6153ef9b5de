"""The shape of a run, from a config and what is known of the data."""

from __future__ import annotations

from typing import Any

import pytest
from panels import quick_config

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.estimating.shape import RunShape
from ray_pipeline.estimating.shaping import n_workers_here, shape_of
from ray_pipeline.execution.surroundings import usable_cpus
from ray_pipeline.panel.loading import TableRequest
from ray_pipeline.records import PartitionFile, SymbolPartition, TargetSpec

PARTITIONS = {
    name: SymbolPartition(name, (PartitionFile(f"{name}.parquet", n_bytes, "1"),))
    for name, n_bytes in (("A", 1_000), ("B", 3_000), ("C", 8_000))
}
TARGETS = (TargetSpec("fwd_ret_5d", 5, "regression"), TargetSpec("y_will_peak_5d_1.0", 5, "binary"))


def request(kind: Any = "bars", features: tuple[str, ...] = ("rsi_14", "gap")) -> TableRequest:
    names = tuple(target.name for target in TARGETS)
    return TableRequest(kind, "ts", features, names, None, 100, 86_400, 1)


def config(**sections: Any) -> ExperimentConfig:
    return quick_config("data", "run", **sections)


def shape(
    request: TableRequest,
    n_rows: dict[str, int],
    targets: tuple[TargetSpec, ...] = TARGETS,
    **sections: Any,
) -> RunShape:
    return shape_of(config(**sections), PARTITIONS, n_rows, request, targets, (5, 0.4), 2)


def test_rows_that_are_not_known_follow_the_bytes() -> None:
    """A file of twice the bytes has twice the rows."""
    found = shape(request(), {"A": 100, "B": 300})
    assert (found.n_rows, found.largest, found.n_symbols) == (100 + 300 + 800, 800, 3)
    assert found.n_files == 3


def test_bounds_of_rows_hold() -> None:
    """Those of a symbol, of the pooled panel, and of its models."""
    newest = TableRequest("bars", "ts", ("gap",), ("fwd_ret_5d",), 250, 100, 86_400, 1)
    assert shape(newest, {"A": 100, "B": 300, "C": 800}).n_rows == 100 + 250 + 250
    found = shape(
        request(),
        {"A": 5_000, "B": 5_000, "C": 5_000},
        target_ranking={"max_cs_rows": 6_000},
        training={"max_cs_rows": 9_000},
    )
    assert (found.pool_rows, found.trained_rows) == (6_000, 9_000)


def test_what_is_screened_and_what_is_compared() -> None:
    """Columns of the data may know the future; those that are computed of bars do not."""
    rows = {"A": 300, "B": 300, "C": 300}
    bars = shape(request(features=("gap", "cs_rank_gap")), rows)
    assert (bars.is_computed, bars.n_suspects, bars.n_compared) == (True, 0, 1)
    labeled = shape(request("labeled", ("gap", "cs_rank_gap")), rows)
    assert (labeled.is_computed, labeled.n_suspects, labeled.n_compared) == (False, 2, 0)


def test_volatility_is_more_hopeful_than_direction() -> None:
    """The direction of prices more so within a session than beyond; other targets in between."""
    rows = {"A": 300, "B": 300, "C": 300}
    day, barrier = shape(request(), rows).hopes
    minutes = TableRequest("bars", "ts", ("gap",), ("fwd_ret_5d",), None, 100, 300, 78)
    (hour,) = shape(minutes, rows, TARGETS[:1]).hopes
    (own,) = shape(request(), rows, (TargetSpec("failure", 5, "binary"),)).hopes
    assert 0 < day < own < hour < barrier < 1


def test_views_and_families_of_the_config() -> None:
    """Too few symbols have no pooled view; an average is none of the families that are fitted."""
    rows = {"A": 300, "B": 300, "C": 300}
    found = shape(
        request(),
        rows,
        target_ranking={"min_cs": 4, "families": ["ridge"]},
        training={"families": ["ridge", "lightgbm", "rank_average"]},
        feature_selection={"methods": ["gain", "permutation"]},
    )
    assert (found.is_pooled, found.is_own, found.has_average) == (False, True, True)
    assert [models.family for models in found.training] == ["ridge", "lightgbm"]
    # Ranking has no trees whose gain could be taken; permutation needs models of its own anyhow.
    assert [models.family for models in found.refitted] == ["lightgbm", "lightgbm"]
    ranked = shape(
        request(),
        rows,
        target_ranking={"families": ["ridge", "lightgbm"]},
        feature_selection={"methods": ["gain", "linear"]},
    )
    assert ranked.refitted == ()


def test_families_that_nobody_measured_are_named() -> None:
    """They take a time that is not counted."""
    rows = {"A": 300, "B": 300, "C": 300}
    found = shape(request(), rows, training={"families": ["ridge", "mlp"]})
    assert found.not_counted == ("family mlp",)
    assert [models.family for models in found.training] == ["ridge"]


def test_workers_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as its CPUs hold; of a cluster nobody knows."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.delenv("RAY_JOB_CONFIG_JSON_ENV_VAR", raising=False)
    n_cpus = usable_cpus()
    assert n_workers_here(config(execution={"executor": "serial"})) == 1
    assert n_workers_here(config(execution={"executor": "ray"})) == n_cpus
    assert n_workers_here(config(execution={"executor": "ray", "n_workers": 1})) == 1
    assert n_workers_here(config(execution={"executor": "ray", "cpus_per_worker": 10_000})) == 1
    cluster = {"executor": "ray", "address": "auto"}
    assert n_workers_here(config(execution=cluster)) is None
    assert n_workers_here(config(execution={**cluster, "n_workers": 50})) == 50
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert n_workers_here(config(execution={"executor": "ray"})) is None
