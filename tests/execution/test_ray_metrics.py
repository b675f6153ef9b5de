"""What people who watch a cluster see: Ray's metrics endpoint and its list of tasks."""

from __future__ import annotations

import os
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ray_pipeline.execution import RayExecutor, RaySettings, SerialExecutor
from ray_pipeline.execution.environment import environment_variables
from ray_pipeline.execution.ray_session import import_paths

from .sample_units import FolderStore, by_key, double, fail_by_number, no_state, ones, unit

pytestmark = [pytest.mark.ray, pytest.mark.slow]

WITHIN_S = 60
Samples = dict[tuple[str, str], float]


@pytest.fixture(scope="module")
def watched_ray() -> Iterator[Any]:
    """Start a Ray that reports each second, and not every ten."""
    ray = pytest.importorskip("ray")
    assert not ray.is_initialized()
    with environment_variables({"PYTHONPATH": os.pathsep.join(import_paths())}):
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=True,  # which has the list of tasks
            object_store_memory=100 * 2**20,
            log_to_driver=False,
            _system_config={"metrics_report_interval_ms": 1000},
        )
    yield ray
    ray.shutdown()


def scraped(ray: Any) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Read the endpoint as Prometheus does."""
    from prometheus_client.parser import text_string_to_metric_families

    [node] = ray.nodes()
    where = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    with urllib.request.urlopen(where, timeout=10) as answer:
        text = answer.read().decode()
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.startswith("ray_pipeline_"):
                found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def eventually(ray: Any, look: Callable[[Any], Any], wanted: Any) -> None:
    """Wait until the endpoint shows something: what a driver counts arrives in a while."""
    deadline, found = time.monotonic() + WITHIN_S, None
    while time.monotonic() < deadline:
        found = look(scraped(ray))
        if found == wanted:
            return
        time.sleep(0.5)
    assert found == wanted


def ended(samples: Any) -> dict[tuple[str, str], float]:
    return {
        (labels["stage"], labels["outcome"]): value
        for labels, value in samples.get("ray_pipeline_units_total", [])
        if labels["run"] == "watched"
    }


def gauges(samples: Any, name: str) -> dict[str, float]:
    return {
        labels.get("stage", labels.get("state")): value
        for labels, value in samples.get(name, [])
        if labels["run"] == "watched"
    }


def test_units_are_counted_by_stage_in_rays_own_metrics(
    watched_ray: Any, store: FolderStore
) -> None:
    """Done and failed, with their seconds; nothing runs or waits when all is over."""
    units = [unit(double, f"S{x}", {"x": x}) for x in range(7)]
    units += [unit(fail_by_number, name, {"x": 1}) for name in ("P", "Q")]
    stage = units[0].stage
    executor: RayExecutor[Any] = RayExecutor(no_state, store, RaySettings(name="watched"))
    try:
        executor.share(unit(ones, "shared", {"n": 3}))
        outcomes = by_key(executor.run(units))
        eventually(watched_ray, ended, {(stage, "done"): 7.0, (stage, "failed"): 2.0})
        samples = scraped(watched_ray)
        assert gauges(samples, "ray_pipeline_unit_seconds_count") == {stage: 7.0}
        assert gauges(samples, "ray_pipeline_units_running") == {stage: 0.0}
        assert gauges(samples, "ray_pipeline_units_waiting") == {stage: 0.0}
        workers = gauges(samples, "ray_pipeline_workers")
        assert workers["ready"] + workers["starting"] == executor.n_workers == 2
    finally:
        executor.close()
    none = {"ready": 0.0, "starting": 0.0}
    eventually(watched_ray, lambda found: gauges(found, "ray_pipeline_workers"), none)
    # Watching changes nothing.
    serial = SerialExecutor(no_state, FolderStore(f"{store.folder}-serial"))
    alone = by_key(serial.run(units))
    assert {key: getattr(each, "record", None) for key, each in alone.items()} == {
        key: getattr(each, "record", None) for key, each in outcomes.items()
    }


def test_tasks_and_actors_are_named_by_stage_and_run(watched_ray: Any, store: FolderStore) -> None:
    """The list of tasks groups them by stage; an actor says which run it works for."""
    from ray.util.state import list_actors, list_tasks

    executor: RayExecutor[Any] = RayExecutor(no_state, store, RaySettings(name="named"))
    try:
        first = unit(double, "A", {"x": 1})
        by_key(executor.run([first]))
        actors = [each for each in list_actors(detail=True) if each["state"] == "ALIVE"]
        assert {each["class_name"] for each in actors} == {"PipelineWorker"}
        assert {each["repr_name"] for each in actors} == {"PipelineWorker of named"}
        names: set[str] = set()
        deadline = time.monotonic() + WITHIN_S
        while first.stage not in names and time.monotonic() < deadline:
            names = {each["name"] for each in list_tasks()}
        assert {first.stage, "start of a worker"} <= names
    finally:
        executor.close()
