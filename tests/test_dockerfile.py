"""The Dockerfile: one Ray, one Python, what is tested, and nobody is root; no daemon is needed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from image_steps import Instruction, instructions

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def text() -> str:
    return (ROOT / "Dockerfile").read_text("utf-8")


@pytest.fixture(scope="module")
def steps(text: str) -> list[Instruction]:
    return instructions(text)


def of_kind(steps: list[Instruction], name: str) -> list[str]:
    return [step.text for step in steps if step.name == name]


def complaints(text: str) -> list[dict[str, Any]]:
    """Ask the linter."""
    program = Path(sys.executable).with_name("hadolint")
    found = shutil.which(program) or shutil.which("hadolint")
    if found is None:
        pytest.skip("needs hadolint: ray-pipeline[test]")
    done = subprocess.run(
        [found, "--format", "json", "-"], input=text, capture_output=True, text=True, check=False
    )
    told: list[dict[str, Any]] = json.loads(done.stdout)
    return told


def test_the_linter_has_nothing_to_say(text: str) -> None:
    """Neither about the Dockerfile nor about the shell in it."""
    assert complaints(text) == []


@pytest.mark.parametrize(
    ("written", "planted", "code"),
    [
        ("USER 1000\n", "USER 0\n", "DL3002"),
        ("COPY constraints.txt", "COPIED constraints.txt", "DL1000"),
        ("--no-cache-dir -c", "-c", "DL3042"),
    ],
)
def test_the_linter_finds_planted_mistakes(
    text: str, written: str, planted: str, code: str
) -> None:
    """The check that the file passes is one that a file can fail."""
    assert written in text
    found = [each["code"] for each in complaints(text.replace(written, planted))]
    assert found == [code]


def test_the_image_has_the_ray_and_the_python_that_are_tested(steps: list[Instruction]) -> None:
    """Those of the constraints, in both stages; and the name of the image says so."""
    constraints = (ROOT / "constraints.txt").read_text("utf-8")
    [version] = re.findall(r"^ray==(\S+)$", constraints, re.MULTILINE)
    assert of_kind(steps, "ARG")[0] == f"RAY_VERSION={version}"
    bases = [base.partition(" AS ")[0] for base in of_kind(steps, "FROM")]
    assert bases == ["rayproject/ray:${RAY_VERSION}-py311-cpu"] * 2
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
        "classifiers"
    ]
    assert "Programming Language :: Python :: 3.11" in classifiers


def test_both_cluster_files_name_the_image_that_is_built(text: str) -> None:
    """So that `docker build`, `ray up` and `kubectl apply` mean the same."""
    [built] = re.findall(r"^#   docker build -t (\S+) \.$", text, re.MULTILINE)
    cluster = yaml.safe_load((ROOT / "cluster.yaml").read_text("utf-8"))
    assert cluster["docker"]["image"] == built
    documents = yaml.safe_load_all((ROOT / "rayjob.yaml").read_text("utf-8"))
    [job] = [each for each in documents if each["kind"] == "RayJob"]
    groups = job["spec"]["rayClusterSpec"]
    pods = [groups["headGroupSpec"], *groups["workerGroupSpecs"]]
    images = {pod["template"]["spec"]["containers"][0]["image"] for pod in pods}
    assert images == {built}


def test_what_is_copied_is_there_and_is_sent_to_the_builder(steps: list[Instruction]) -> None:
    """Files of the repository that .dockerignore lets through; the rest is of the first stage."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied = set()
    for step in (each for each in steps if each.name == "COPY" and not each.is_from_a_stage):
        copied |= {source.rstrip("/") for source in step.places[0]}
    assert copied == allowed
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert fnmatch("anything", next(line for line in lines if not line.startswith("#")))


def test_what_is_installed_is_the_wheel_with_the_constraints(steps: list[Instruction]) -> None:
    """And an extra that there is; LightGBM is loaded, which fails without libgomp1."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
        "optional-dependencies"
    ]
    [default] = re.findall(r"EXTRAS=(\S+)", "\n".join(of_kind(steps, "ARG")))
    assert set(default.split(",")) <= extras.keys()
    build, system, install = of_kind(steps, "RUN")
    assert "pip wheel --no-cache-dir --no-deps" in build
    assert " libgomp1 " in system
    assert " -c /home/ray/constraints.txt " in install
    assert '"$(echo /home/ray/wheel/*.whl)[${EXTRAS}]"' in install
    assert 'python -c "import lightgbm"' in install


def test_nobody_is_root_when_it_runs(steps: list[Instruction]) -> None:
    """The last user is a number, and root has done nothing but to install a library."""
    assert of_kind(steps, "USER") == ["0", "1000"]
    names = [step.name for step in steps]
    as_root = steps[names.index("USER") + 1 : len(names) - names[::-1].index("USER") - 1]
    assert [step.name for step in as_root] == ["RUN"]
    assert as_root[0].text.startswith("apt-get update")
