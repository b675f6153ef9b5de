"""The private parts of Ray that we read: where they are, and what they say."""

from __future__ import annotations

import json
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
import ray
from checked_versions import look_again

from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution.ray_private import grows_on_demand, is_ray_client

CHECKED = "2.60"


def test_private_parts_were_read_in_this_version_of_ray() -> None:
    """Where the autoscaler publishes, who is a Ray Client, and what a head answers over gRPC."""
    look_again("ray", CHECKED, "execution/ray_private.py and execution/ray_token.py")


def test_no_newer_version_can_be_installed() -> None:
    """The bound in pyproject.toml is the minor version after the one that was read."""
    pyproject = Path(__file__).resolve().parents[2] / "pyproject.toml"
    dependencies = tomllib.loads(pyproject.read_text())["project"]["dependencies"]
    (needed,) = (each for each in dependencies if each.startswith("ray["))
    major, minor = CHECKED.split(".")
    assert needed.endswith(f",<{major}.{int(minor) + 1}")


class Published:
    """The part of Ray's connection to its head that keys are read through."""

    def __init__(self, values: dict[tuple[bytes | None, bytes], bytes]) -> None:
        self._values = values

    def internal_kv_get(self, key: bytes, namespace: bytes | None) -> bytes | None:
        return self._values.get((namespace, key))


@pytest.mark.parametrize(
    ("v2", "types", "expected"),
    [
        (b"0", {"1c": "node_1c", "2d": "node_2d"}, False),
        (b"0", {"1c": "ray.head.default"}, True),
        (b"0", {"1c": "head", "2d": "worker"}, True),
        (None, None, False),
        (b"1", None, True),
    ],
)
def test_autoscaler_is_known_by_its_node_types(
    monkeypatch: pytest.MonkeyPatch, v2: bytes | None, types: dict[str, str] | None, expected: bool
) -> None:
    """The monitor of a head without one names each node after itself; the second says it is on."""
    status = json.dumps({"autoscaler_report": {"node_type_mapping": types}}).encode()
    values = {(None, b"__autoscaling_status"): status}
    if v2 is not None:
        values[b"__autoscaler", b"__autoscaler_v2_enabled"] = v2
    monkeypatch.setattr("ray.experimental.internal_kv.global_gcs_client", Published(values))
    assert grows_on_demand() is expected


def test_nothing_published_is_a_cluster_without_autoscaler(monkeypatch: pytest.MonkeyPatch) -> None:
    """A head that has just started."""
    monkeypatch.setattr("ray.experimental.internal_kv.global_gcs_client", Published({}))
    assert grows_on_demand() is False


@pytest.mark.parametrize(
    ("module", "ask"),
    [
        ("ray._private.ray_constants", grows_on_demand),
        ("ray.experimental.internal_kv", grows_on_demand),
        ("ray.util.client", is_ray_client),
    ],
)
def test_a_ray_without_them_is_told_by_a_sentence(
    monkeypatch: pytest.MonkeyPatch, module: str, ask: Any
) -> None:
    """A user who forces a newer Ray is told which one it is, and what to install."""
    monkeypatch.setitem(sys.modules, module, None)
    message = (
        rf"^Ray {ray.__version__} is newer than this version of ray_pipeline knows \(.*\)\. "
        r"Install the Ray that it asks for: pip install --upgrade ray-pipeline\.$"
    )
    with pytest.raises(ExecutionError, match=message):
        ask()


@pytest.mark.ray
@pytest.mark.usefixtures("ray_of_the_tests")
def test_a_real_head_publishes_the_types_of_its_nodes() -> None:
    """Its monitor does so within seconds; without an autoscaler a node is named after itself."""
    from ray._private.ray_constants import DEBUG_AUTOSCALING_STATUS
    from ray.experimental.internal_kv import _internal_kv_get

    end = time.monotonic() + 60
    types: dict[str, str] = {}
    while not types and time.monotonic() < end:
        time.sleep(0.2)
        published = _internal_kv_get(DEBUG_AUTOSCALING_STATUS) or b"{}"
        types = json.loads(published).get("autoscaler_report", {}).get("node_type_mapping", {})
    assert [kind == f"node_{node}" for node, kind in types.items()] == [True]
    assert (grows_on_demand(), is_ray_client()) == (False, False)
