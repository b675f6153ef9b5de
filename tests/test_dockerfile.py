"""The Dockerfile: one Ray, one Python, what is tested, and nobody is root; no daemon is needed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
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
    """Those of the constraints and of the classifiers."""
    constraints = (ROOT / "constraints.txt").read_text("utf-8")
    [version] = re.findall(r"^ray==(\S+)$", constraints, re.MULTILINE)
    assert of_kind(steps, "ARG")[0] == f"RAY_VERSION={version}"
    assert of_kind(steps, "FROM") == ["rayproject/ray:${RAY_VERSION}-py311-cpu"]
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
    """What .dockerignore lets through: the constraints, and the folder for the wheel."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if not line.startswith("#")]
    copied = [step.places[0] for step in steps if step.name == "COPY"]
    assert copied == [["constraints.txt"], ["wheel/"]]
    assert rules == ["*", "!constraints.txt", "!wheel"]
    assert (ROOT / "constraints.txt").is_file()


def test_what_is_installed_is_the_wheel_with_the_constraints(steps: list[Instruction]) -> None:
    """And an extra that there is; LightGBM is loaded, which fails without libgomp1."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
        "optional-dependencies"
    ]
    [default] = re.findall(r"EXTRAS=(\S+)", "\n".join(of_kind(steps, "ARG")))
    assert set(default.split(",")) <= extras.keys()
    system, install = of_kind(steps, "RUN")
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
