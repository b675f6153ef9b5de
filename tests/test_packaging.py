"""The version, the bounds of what is needed, and the files that say them as well."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from slowness import SLOW_MODULES

import ray_pipeline

ROOT = Path(__file__).resolve().parents[1]
UNTRIED = {"mlflow-skinny", "torch"}
"""Not among the lowest versions that CI installs, as `constraints-lowest.txt` says."""
FOR_DEVELOPERS = {"docs", "test"}
"""Extras that no user installs; their lowest versions are not tried."""
STAND_INS = {"xgboost": "xgboost-cpu"}
"""The same module in a distribution that weighs less."""


def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return found


def pins(name: str) -> dict[str, str]:
    """Read a file of constraints."""
    lines = (ROOT / name).read_text("utf-8").splitlines()
    kept = [line.partition(" ;")[0] for line in lines if line and not line.startswith("#")]
    return {n.lower().replace("_", "-"): v for n, v in (line.split("==") for line in kept)}


def lower_bounds() -> dict[str, str]:
    """Read what the package and its extras for users need."""
    found = project()["project"]
    extras = found["optional-dependencies"]
    return bounds_of(
        [
            *found["dependencies"],
            *(line for name in extras.keys() - FOR_DEVELOPERS - {"all"} for line in extras[name]),
        ]
    )


def bounds_of(given: list[str]) -> dict[str, str]:
    """Read lower bounds by distribution."""
    matches = [re.match(r"([\w-]+)(?:\[[\w,]+\])?>=([\d.]+)", line) for line in given]
    assert all(matches), given
    return {match[1]: match[2] for match in matches if match}


def as_numbers(version: str) -> list[int]:
    """2.10 comes after 2.9, and 3.0 is 3.0.0."""
    return [*map(int, version.split(".")), 0, 0][:3]


def test_the_version_is_written_in_one_place() -> None:
    """What is installed takes it from the code, which travels to clusters without metadata."""
    found = project()
    assert "version" not in found["project"]
    assert found["project"]["dynamic"] == ["version"]
    assert found["tool"]["setuptools"]["dynamic"] == {
        "version": {"attr": "ray_pipeline.version.__version__"}
    }
    assert re.fullmatch(r"\d+\.\d+\.\d+", ray_pipeline.__version__)


def test_the_changelog_begins_with_this_version() -> None:
    """Releases from the newest to the first, each once."""
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    told = re.findall(r"^## (\d+\.\d+\.\d+)$", text, re.MULTILINE)
    assert told[0] == ray_pipeline.__version__
    assert told[-1] == "0.1.0"
    numbers = [as_numbers(version) for version in told]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(told)) == len(told)


def test_every_lower_bound_is_what_the_lowest_versions_are() -> None:
    """CI tests these: a bound that is raised, lowered or added has to be tried."""
    pinned = pins("constraints-lowest.txt")
    bounds = {STAND_INS.get(name, name): bound for name, bound in lower_bounds().items()}
    assert bounds.keys() >= UNTRIED
    assert len(bounds.keys() - UNTRIED) > 12
    tried = {name: pinned.get(name) for name in bounds.keys() - UNTRIED}
    as_found = {name: as_numbers(version or "0") for name, version in tried.items()}
    assert as_found == {name: as_numbers(bounds[name]) for name in tried}


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-lowest.txt"])
def test_constraints_name_versions_and_no_place(name: str) -> None:
    """One version each, at least that of the bound; where to get it is for each machine to say."""
    text = (ROOT / name).read_text("utf-8")
    assert "://" not in text
    assert "--index" not in text
    found = pins(name)
    assert len(found) > 50
    for package, bound in lower_bounds().items():
        if package in found:
            assert as_numbers(found[package]) >= as_numbers(bound), package


def test_what_builds_the_documentation_is_pinned() -> None:
    """All of it: CI builds the pages with the versions of `constraints.txt`."""
    found = pins("constraints.txt")
    bounds = bounds_of(project()["project"]["optional-dependencies"]["docs"])
    assert bounds.keys() == {"mkdocs", "mkdocs-material", "mkdocstrings", "nbconvert"}
    for package, bound in bounds.items():
        assert as_numbers(found[package]) >= as_numbers(bound), package


def test_what_is_called_slow_is_there() -> None:
    """A module that moved would be run by `./check` again."""
    assert len(SLOW_MODULES) > 5
    for name in SLOW_MODULES:
        assert (ROOT / "tests" / name).exists(), name


def test_ci_runs_the_command_of_the_readme() -> None:
    """The line that `.ci/run` looks for is there once, as it stands in a shell."""
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert lines.count("pip install '.[test]' && pytest -n 2 --dist loadfile") == 1
