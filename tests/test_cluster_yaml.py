"""``cluster.yaml``: valid for the Ray that we test with, and safe to start as it stands."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]

Cluster = dict[str, Any]


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    """Read the file as it is written."""
    loaded = yaml.safe_load((REPOSITORY / "cluster.yaml").read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


@pytest.fixture(scope="module")
def ray_checks() -> tuple[Callable[[Cluster], Cluster], Callable[[Cluster], None]]:
    """Ray's own way to fill in a cluster file, and to check it."""
    util = pytest.importorskip("ray.autoscaler._private.util")
    return util.prepare_config, util.validate_config


def inbound_rules(cluster: Cluster) -> Iterator[dict[str, Any]]:
    """Rules that the file adds to the security group which Ray makes."""
    yield from cluster["provider"].get("security_group", {}).get("IpPermissions", [])


def is_open_to_the_world(rule: dict[str, Any]) -> bool:
    """Whether anybody on the internet may use a rule's ports."""
    addresses = [each["CidrIp"] for each in rule.get("IpRanges", [])]
    addresses += [each["CidrIpv6"] for each in rule.get("Ipv6Ranges", [])]
    return any(address.endswith("/0") for address in addresses)


def worker_types(cluster: Cluster) -> dict[str, dict[str, Any]]:
    types = cluster["available_node_types"]
    return {name: each for name, each in types.items() if name != cluster["head_node_type"]}


def pinned_ray_version() -> str:
    constraints = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8")
    found = re.search(r"^ray==(\S+)$", constraints, re.MULTILINE)
    assert found is not None
    return found[1]


def test_ray_accepts_the_file(cluster: Cluster, ray_checks: Any) -> None:
    """Ray's schema and its own rules hold, after it filled in its defaults."""
    prepare, validate = ray_checks
    prepared = prepare(copy.deepcopy(cluster))
    validate(prepared)
    assert prepared["available_node_types"]["worker"]["max_workers"] == cluster["max_workers"]


@pytest.mark.parametrize(
    ("planted", "error", "message"),
    [
        ({"max_wrokers": 3}, jsonschema.ValidationError, "'max_wrokers' was unexpected"),
        ({"head_node_type": "boss"}, ValueError, "must be one of `available_node_types`"),
        ({"max_workers": -1}, jsonschema.ValidationError, "-1 is less than the minimum"),
    ],
)
def test_ray_rejects_a_planted_mistake(
    cluster: Cluster,
    ray_checks: Any,
    planted: Cluster,
    error: type[Exception],
    message: str,
) -> None:
    """The check that the file passes is one that a file can fail."""
    _, validate = ray_checks
    with pytest.raises(error, match=message):
        validate({"cluster_synced_files": [], **cluster, **planted})


def test_the_head_takes_no_unit_of_work(cluster: Cluster) -> None:
    """A head without CPUs is never given an actor, and there is one head alone."""
    head = cluster["available_node_types"][cluster["head_node_type"]]
    assert head["resources"] == {"CPU": 0}
    assert head["max_workers"] == 0
    assert "InstanceMarketOptions" not in head["node_config"]


def test_workers_are_spot_machines_that_come_and_go(cluster: Cluster) -> None:
    """Between runs the cluster shrinks to its head, and it never grows past its limit."""
    workers = worker_types(cluster)
    assert workers
    for worker in workers.values():
        assert worker["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
        assert worker["min_workers"] == 0
        assert 0 < worker["max_workers"] <= cluster["max_workers"]
    assert 0 < cluster["idle_timeout_minutes"] <= 15
    assert cluster["provider"]["cache_stopped_nodes"] is False


def test_every_node_gets_its_rights_from_a_profile(cluster: Cluster) -> None:
    """The store is reached by a role; no credential is written in the file."""
    for node_type in cluster["available_node_types"].values():
        assert node_type["node_config"]["IamInstanceProfile"]["Name"]
    text = (REPOSITORY / "cluster.yaml").read_text(encoding="utf-8")
    assert not re.search(r"AKIA|aws_secret|AWS_SECRET|RAY_AUTH_TOKEN=", text)


def test_no_port_is_open_to_the_world(cluster: Cluster) -> None:
    """Ray Client, the dashboard and the store of the cluster stay inside its network."""
    assert [rule for rule in inbound_rules(cluster) if is_open_to_the_world(rule)] == []
    [start] = [each for each in cluster["head_start_ray_commands"] if "--head" in each]
    assert "--dashboard-host=127.0.0.1" in start


def test_an_open_port_would_be_found() -> None:
    """The rule that other public examples carry is one that the check above reports."""
    public = {"FromPort": 10001, "ToPort": 10001, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    office = {"FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "192.0.2.0/24"}]}
    planted = {"provider": {"security_group": {"IpPermissions": [public, office]}}}
    assert [is_open_to_the_world(rule) for rule in inbound_rules(planted)] == [True, False]
    assert is_open_to_the_world({"Ipv6Ranges": [{"CidrIpv6": "::/0"}]})


def test_every_node_starts_ray_with_token_authentication(cluster: Cluster) -> None:
    """Head and workers ask for the token, and have it from the machine that started them."""
    starts = [*cluster["head_start_ray_commands"], *cluster["worker_start_ray_commands"]]
    for start in (each for each in starts if "ray start" in each):
        assert "RAY_AUTH_MODE=token" in start
    assert cluster["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"


def test_the_image_holds_the_ray_that_we_test_with(cluster: Cluster) -> None:
    """Driver and nodes must have one version of Ray: the image, the advice and the constraints."""
    version = pinned_ray_version()
    assert cluster["docker"]["image"].endswith(f":{version}-py311-cpu")
    text = (REPOSITORY / "cluster.yaml").read_text(encoding="utf-8")
    assert f"ray[default]=={version}" in text


def test_nothing_is_installed_when_a_node_starts(cluster: Cluster) -> None:
    """Package and libraries are in the image: a node is ready at once, and equal to the others."""
    assert "setup_commands" not in cluster
    assert cluster["file_mounts"] == {"~/.ray/auth_token": "~/.ray/auth_token"}
