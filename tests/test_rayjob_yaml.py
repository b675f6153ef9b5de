"""``rayjob.yaml``: fields that KubeRay knows, one Ray everywhere, and a run that can continue."""

from __future__ import annotations

import copy
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from ray_pipeline.arguments import build_parser
from ray_pipeline.commands.run import config_overrides
from ray_pipeline.config import ExperimentConfig
from ray_pipeline.config.loading import parse_experiment_config

REPOSITORY = Path(__file__).resolve().parents[1]

Json = dict[str, Any]

TEXT: Json = {"type": "string", "minLength": 1}
TEXTS: Json = {"type": "object", "additionalProperties": {"type": "string"}}
FLAG: Json = {"type": "boolean"}
COUNT: Json = {"type": "integer", "minimum": 0}
AMOUNT: Json = {"type": ["string", "number"]}


def one_of(*names: str) -> Json:
    return {"enum": list(names)}


def items(kind: Json) -> Json:
    return {"type": "array", "minItems": 1, "items": kind}


def fields(*required: str, **kinds: Json) -> Json:
    """Describe an object that has these fields and no other."""
    return {
        "type": "object",
        "properties": kinds,
        "required": list(required),
        "additionalProperties": False,
    }


AMOUNTS = fields(cpu=AMOUNT, memory=AMOUNT)
RESOURCES = fields("requests", "limits", requests=AMOUNTS, limits=AMOUNTS)

CONTAINER = fields(
    *("name", "image", "resources"),
    name={"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
    image=TEXT,
    imagePullPolicy=one_of("Always", "IfNotPresent", "Never"),
    env=items(fields("name", name=TEXT, value={"type": "string"}, valueFrom={"type": "object"})),
    resources=RESOURCES,
    volumeMounts=items(
        fields("name", "mountPath", name=TEXT, mountPath=TEXT, readOnly=FLAG, subPath=TEXT)
    ),
)

POD_TEMPLATE = fields(
    "spec",
    metadata=fields(labels=TEXTS, annotations=TEXTS),
    spec=fields(
        "containers",
        serviceAccountName=TEXT,
        restartPolicy=one_of("Always", "OnFailure", "Never"),
        nodeSelector=TEXTS,
        terminationGracePeriodSeconds=COUNT,
        containers=items(CONTAINER),
        volumes=items(fields("name", name=TEXT, configMap=fields("name", name=TEXT))),
    ),
)
"""The part of a pod that we use; Kubernetes knows more, which is added here when it is needed."""

HEAD_GROUP = fields(
    *("rayStartParams", "template"),
    rayStartParams=TEXTS,
    template=POD_TEMPLATE,
    serviceType=one_of("ClusterIP", "NodePort", "LoadBalancer"),
    headService={"type": "object"},
    enableIngress=FLAG,
    ingressOptions={"type": "object"},
    resources=TEXTS,
    labels=TEXTS,
)

WORKER_GROUP = fields(
    *("groupName", "rayStartParams", "template", "minReplicas", "maxReplicas"),
    groupName=TEXT,
    replicas=COUNT,
    minReplicas=COUNT,
    maxReplicas=COUNT,
    numOfHosts=COUNT,
    idleTimeoutSeconds=COUNT,
    priority=COUNT,
    resources=TEXTS,
    labels=TEXTS,
    rayStartParams=TEXTS,
    template=POD_TEMPLATE,
    scaleStrategy={"type": "object"},
)

AUTOSCALER = fields(
    resources=RESOURCES,
    image=TEXT,
    imagePullPolicy=one_of("Always", "IfNotPresent", "Never"),
    securityContext={"type": "object"},
    idleTimeoutSeconds=COUNT,
    upscalingMode=one_of("Default", "Aggressive", "Conservative"),
    version=one_of("v1", "v2"),
    env={"type": "array"},
    envFrom={"type": "array"},
    volumeMounts={"type": "array"},
)

CLUSTER_SPEC = fields(
    *("headGroupSpec", "rayVersion"),
    authOptions=fields("mode", mode=one_of("disabled", "token")),
    suspend=FLAG,
    managedBy=TEXT,
    autoscalerOptions=AUTOSCALER,
    headServiceAnnotations=TEXTS,
    enableInTreeAutoscaling=FLAG,
    gcsFaultToleranceOptions={"type": "object"},
    upgradeStrategy={"type": "object"},
    headGroupSpec=HEAD_GROUP,
    rayVersion={"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
    workerGroupSpecs=items(WORKER_GROUP),
)

RAY_JOB = fields(
    *("apiVersion", "kind", "metadata", "spec"),
    apiVersion=one_of("ray.io/v1"),
    kind=one_of("RayJob"),
    metadata=fields(
        "name",
        name={"type": "string", "pattern": "^[a-z]([-a-z0-9]{0,45}[a-z0-9])?$"},
        namespace=TEXT,
        labels=TEXTS,
        annotations=TEXTS,
    ),
    spec=fields(
        *("entrypoint", "rayClusterSpec"),
        activeDeadlineSeconds={"type": "integer", "minimum": 1},
        backoffLimit=COUNT,
        rayClusterSpec=CLUSTER_SPEC,
        submitterPodTemplate={"type": "object"},
        metadata=TEXTS,
        clusterSelector=TEXTS,
        submitterConfig=fields(backoffLimit=COUNT),
        managedBy=TEXT,
        deletionStrategy={"type": "object"},
        entrypoint=TEXT,
        runtimeEnvYAML={"type": "string"},
        jobId=TEXT,
        submissionMode=one_of("K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"),
        entrypointResources=TEXT,
        entrypointNumCpus={"type": "number"},
        entrypointNumGpus={"type": "number"},
        ttlSecondsAfterFinished=COUNT,
        shutdownAfterJobFinishes=FLAG,
        suspend=FLAG,
    ),
)
"""Fields of ``ray.io/v1`` that KubeRay 1.5.1 to 1.7 know, by its reference of the CRD
(https://docs.ray.io/en/latest/cluster/kubernetes/references/api.html)."""


def read_manifest() -> dict[str, Json]:
    """Read the documents of the file by their kind."""
    text = (REPOSITORY / "rayjob.yaml").read_text(encoding="utf-8")
    documents = list(yaml.safe_load_all(text))
    found = {document["kind"]: document for document in documents}
    assert len(found) == len(documents)
    return found


@pytest.fixture
def manifest() -> dict[str, Json]:
    return read_manifest()


def pods(manifest: dict[str, Json]) -> dict[str, Json]:
    """Return the pod specs of head and workers."""
    cluster = manifest["RayJob"]["spec"]["rayClusterSpec"]
    workers = {each["groupName"]: each["template"]["spec"] for each in cluster["workerGroupSpecs"]}
    return {"head": cluster["headGroupSpec"]["template"]["spec"]} | workers


def n_bytes(amount: str) -> int:
    found = re.fullmatch(r"(\d+)(Mi|Gi)", amount)
    assert found is not None, amount
    return int(found[1]) * {"Mi": 2**20, "Gi": 2**30}[found[2]]


def entrypoint_config(manifest: dict[str, Json]) -> ExperimentConfig:
    """Read the config that the entrypoint names, as the driver on the head will find it."""
    words = shlex.split(manifest["RayJob"]["spec"]["entrypoint"])
    assert words[:3] == ["python", "-m", "ray_pipeline"]
    options = build_parser().parse_args(words[3:])
    assert options.command.name == "run"
    assert not options.fresh, "the next try would begin again"
    head = pods(manifest)["head"]
    [mount] = head["containers"][0]["volumeMounts"]
    [volume] = [each for each in head["volumes"] if each["name"] == mount["name"]]
    assert volume["configMap"]["name"] == manifest["ConfigMap"]["metadata"]["name"]
    folder, _, name = options.config.rpartition("/")
    assert folder == mount["mountPath"]
    text = manifest["ConfigMap"]["data"][name]
    return parse_experiment_config(text, options.config, config_overrides(options))


def check_fields(manifest: dict[str, Json]) -> None:
    jsonschema.validate(manifest["RayJob"], RAY_JOB)


def check_versions(manifest: dict[str, Json]) -> None:
    """One Ray: that of the constraints, in the image, in what it is built from, in rayVersion."""
    constraints = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8")
    [version] = re.findall(r"^ray==(\S+)$", constraints, re.MULTILINE)
    cluster = manifest["RayJob"]["spec"]["rayClusterSpec"]
    assert cluster["rayVersion"] == version
    images = {pod["containers"][0]["image"] for pod in pods(manifest).values()}
    assert len(images) == 1, "head and workers have one image"
    assert images.pop().endswith(f":{version}-py311-cpu")
    text = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
    assert f"ARG RAY_VERSION={version}\n" in text


def check_head(manifest: dict[str, Json]) -> None:
    """No unit is placed on the head, nobody outside reaches it, and it asks for a token."""
    cluster = manifest["RayJob"]["spec"]["rayClusterSpec"]
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert cluster["headGroupSpec"]["serviceType"] == "ClusterIP"
    assert cluster["headGroupSpec"].get("enableIngress", False) is False
    assert cluster["authOptions"]["mode"] == "token"


def check_retries(manifest: dict[str, Json]) -> None:
    """Each try is a new cluster that finds the work of the one before; no cluster is left over."""
    job = manifest["RayJob"]["spec"]
    assert job["backoffLimit"] >= 1
    assert job["shutdownAfterJobFinishes"] is True
    assert job["ttlSecondsAfterFinished"] > 0
    assert "clusterSelector" not in job
    assert "jobId" not in job, "a second try could not have the same one"
    config = entrypoint_config(manifest)
    for place in (config.output.run_dir, config.data.data_dir):
        assert re.match(r"(s3|gs|abfs)://", place), f"{place} is gone with its pod"
    assert config.execution.address is None
    assert all(pod["restartPolicy"] == "Never" for pod in pods(manifest).values())


def check_sizes(manifest: dict[str, Json]) -> None:
    """Workers of the run fit on the pods that may come; every pod has what it asks for."""
    cluster = manifest["RayJob"]["spec"]["rayClusterSpec"]
    assert cluster["enableInTreeAutoscaling"] is True
    for pod in pods(manifest).values():
        for container in pod["containers"]:
            assert container["resources"]["requests"] == container["resources"]["limits"]
    [group] = cluster["workerGroupSpecs"]
    assert 0 == group["minReplicas"] <= group["replicas"] < group["maxReplicas"]
    limits = group["template"]["spec"]["containers"][0]["resources"]["limits"]
    execution = entrypoint_config(manifest).execution
    per_pod = int(limits["cpu"]) // execution.cpus_per_worker
    assert execution.n_workers == per_pod * group["maxReplicas"]
    assert execution.memory_per_worker_bytes is not None
    assert (execution.node_wait_s or 0) >= 600, "between runs there is no pod that takes work"
    # Ray's object store takes up to 30 % of a pod.
    assert per_pod * execution.memory_per_worker_bytes <= 0.7 * n_bytes(limits["memory"])


def check_rights(manifest: dict[str, Json]) -> None:
    """Pods have a role by their service account; no credential is written in the file."""
    account = manifest["ServiceAccount"]["metadata"]
    assert "eks.amazonaws.com/role-arn" in account["annotations"]
    assert {pod["serviceAccountName"] for pod in pods(manifest).values()} == {account["name"]}
    text = (REPOSITORY / "rayjob.yaml").read_text(encoding="utf-8")
    assert not re.search(r"AKIA|aws_secret|AWS_SECRET|RAY_AUTH_TOKEN", text)
    assert not {"AWS_SECRET_ACCESS_KEY", "RAY_AUTH_TOKEN"} & {
        variable["name"]
        for pod in pods(manifest).values()
        for variable in pod["containers"][0].get("env", [])
    }


CHECKS = [
    *(check_fields, check_versions, check_head, check_retries),
    *(check_sizes, check_rights),
]


@pytest.mark.parametrize("check", CHECKS)
def test_manifest(manifest: dict[str, Json], check: Callable[[dict[str, Json]], None]) -> None:
    """The file as it stands passes every check."""
    check(manifest)


def put(manifest: dict[str, Json], path: str, value: object) -> None:
    """Write one value into a manifest, at a path of keys."""
    *parents, last = path.split("/")
    place: Any = manifest
    for key in parents:
        place = place[int(key) if isinstance(place, list) else key]
    place[int(last) if isinstance(place, list) else last] = value


SPEC = "RayJob/spec"
CLUSTER = f"{SPEC}/rayClusterSpec"
HEAD = f"{CLUSTER}/headGroupSpec"
WORKERS = f"{CLUSTER}/workerGroupSpecs/0"


POD = "template/spec"
LIMITS = "template/spec/containers/0/resources"
RUN = "python -m ray_pipeline run"
SMALL = {"cpu": "8", "memory": "24Gi"}


@pytest.mark.parametrize(
    ("check", "path", "value", "says"),
    [
        (check_fields, f"{SPEC}/backofLimit", 3, "'backofLimit' was unexpected"),
        (check_fields, f"{CLUSTER}/headGroupSpecs", {}, "'headGroupSpecs' was unexpected"),
        (check_fields, f"{CLUSTER}/authOptions/mode", "tokens", "'tokens' is not one of"),
        (check_fields, f"{HEAD}/rayStartParams/num-cpus", 0, "0 is not of type 'string'"),
        (check_fields, f"{WORKERS}/maxReplica", 4, "'maxReplica' was unexpected"),
        (check_fields, f"{WORKERS}/{POD}/service_account", "x", "'service_account' was unexpected"),
        (check_fields, f"{WORKERS}/{LIMITS}/limit", {}, "'limit' was unexpected"),
        (check_fields, "RayJob/apiVersion", "ray.io/v1alpha1", "is not one of"),
        (check_versions, f"{CLUSTER}/rayVersion", "2.59.0", "'2.59.0' == "),
        (check_versions, f"{WORKERS}/{POD}/containers/0/image", "ray:2.59.0", "have one image"),
        (check_head, f"{HEAD}/rayStartParams/num-cpus", "2", "'2' == '0'"),
        (check_head, f"{HEAD}/serviceType", "LoadBalancer", "'LoadBalancer' == 'ClusterIP'"),
        (check_head, f"{CLUSTER}/authOptions/mode", "disabled", "'disabled' == 'token'"),
        (check_retries, f"{SPEC}/backoffLimit", 0, "0 >= 1"),
        (check_retries, f"{SPEC}/shutdownAfterJobFinishes", False, "False is True"),
        (check_retries, f"{SPEC}/jobId", "run-1", "could not have the same one"),
        (check_retries, f"{SPEC}/entrypoint", f"{RUN} /etc/run.yaml", "'/etc' == '/etc/ray-"),
        (check_retries, f"{SPEC}/entrypoint", f"{RUN} --fresh x.yaml", "would begin again"),
        (
            check_retries,
            f"{SPEC}/entrypoint",
            f"{RUN} /etc/ray-pipeline/run.yaml --run-dir runs/a",
            "runs/a is gone with its pod",
        ),
        (check_retries, f"{HEAD}/{POD}/restartPolicy", "Always", "all"),
        (check_sizes, f"{WORKERS}/maxReplicas", 2, "32 == "),
        (check_sizes, f"{WORKERS}/{LIMITS}/requests/cpu", "4", "'cpu': '4'"),
        (check_sizes, f"{WORKERS}/{LIMITS}", dict.fromkeys(("requests", "limits"), SMALL), " <= "),
        (check_rights, f"{WORKERS}/{POD}/serviceAccountName", "default", "'default'"),
        (check_rights, f"{HEAD}/{POD}/containers/0/env/0/name", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN"),
    ],
)
def test_planted_mistake_is_found(
    manifest: dict[str, Json],
    check: Callable[[dict[str, Json]], None],
    path: str,
    value: object,
    says: str,
) -> None:
    """The checks that the file passes are ones that a file can fail."""
    planted = copy.deepcopy(manifest)
    put(planted, path, value)
    with pytest.raises((AssertionError, jsonschema.ValidationError), match=re.escape(says)):
        check(planted)


def test_unknown_key_of_the_config_is_found(manifest: dict[str, Json]) -> None:
    """The config in the file is read as a run reads it."""
    put(manifest, "ConfigMap/data/run.yaml", "data: {data_dri: s3://bucket/panel}")
    with pytest.raises(ValueError, match=r"unknown key 'data\.data_dri'"):
        entrypoint_config(manifest)


def test_unknown_option_of_the_command_is_found(
    manifest: dict[str, Json], capsys: pytest.CaptureFixture[str]
) -> None:
    """The entrypoint is parsed by our own command line."""
    put(manifest, f"{SPEC}/entrypoint", "python -m ray_pipeline run c.yaml --frehs")
    with pytest.raises(SystemExit):
        entrypoint_config(manifest)
    assert "unrecognized arguments: --frehs" in capsys.readouterr().err
