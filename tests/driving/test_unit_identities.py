"""What the units of a whole run depend on: the code that each reaches, and its families."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from every_kind import EveryKind

import ray_pipeline
import ray_pipeline.execution
from ray_pipeline import identity
from ray_pipeline.execution.protocol import Unit
from ray_pipeline.families import family_identity
from ray_pipeline.families.registry import family_module
from ray_pipeline.identity import Identity, ModuleSource, reach
from ray_pipeline.storage.documents import record_json

FAMILIES = ("ridge", "lightgbm")
EMPTY = ModuleSource("")


def modules_of(*roots: str) -> set[str]:
    """Name the modules of this package that a module reaches."""
    return set(reach(roots, identity._find, [ray_pipeline.__name__]).modules)


def reached(unit: Unit) -> set[str]:
    return modules_of(unit.function.__module__, "ray_pipeline.execution.performing")


def texts(value: Any) -> Iterable[str]:
    """Yield all texts in a plain value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from (key, *texts(item))
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def carried(unit: Unit, known: Mapping[str, set[str]]) -> set[str]:
    """Return the hashes of the identities in a spec, and in those of the units that it names."""
    found: set[str] = set()
    for text in texts(json.loads(record_json(unit.spec))):
        found |= {text} if len(text) == 64 else known.get(text.partition("/")[2][-1:], set())
        for digest, hashes in known.items():
            if f"/{digest}/" in text:
                found |= hashes
    return found


def test_whoever_names_a_family_depends_on_its_code(every_kind: EveryKind) -> None:
    """By an identity in its spec, or in that of a unit whose files it reads."""
    hashes = {
        name: {family_identity(name).sha256, family_identity(name, "python").sha256}
        for name in FAMILIES
    }
    assert not hashes["ridge"] & hashes["lightgbm"]
    known: dict[str, set[str]] = {}
    named = dict.fromkeys(FAMILIES, 0)
    for unit in every_kind.units:
        known[unit.digest] = carried(unit, known)
        for name in set(texts(json.loads(record_json(unit.spec)))) & set(FAMILIES):
            named[name] += 1
            assert known[unit.digest] & hashes[name], f"{unit.stage}/{unit.key} names {name}"
    assert min(named.values()) > 5


def stages_that_use(every_kind: EveryKind, module: str) -> set[str]:
    """Return the stages of the units that an edit of a module does again."""
    return {unit.stage for unit in every_kind.units if f"ray_pipeline.{module}" in reached(unit)}


def test_stages_depend_on_what_they_reach(every_kind: EveryKind) -> None:
    """A fold function redoes what fits in folds; inspecting a symbol is not part of it."""
    stages = {unit.stage for unit in every_kind.units}
    assert stages_that_use(every_kind, "statistics.folds") >= {"rank_symbol", "train_pooled"}
    assert "inspect" not in stages_that_use(every_kind, "statistics.folds")
    assert stages_that_use(every_kind, "statistics.sharpe") == {
        "evaluate_pooled",
        "evaluate_symbol",
        "join_curves",
    }
    assert stages_that_use(every_kind, "storage.run_directory") == stages
    assert stages_that_use(every_kind, "execution.threads") == stages


@pytest.mark.parametrize(
    "room", ["arguments", "cli", "commands", "comparing", "driving", "explaining", "report"]
)
def test_no_unit_depends_on_what_only_reads_or_drives(every_kind: EveryKind, room: str) -> None:
    """An edit there redoes nothing, and neither does one of the executors or of a release."""
    prefixes = (
        f"ray_pipeline.{room}",
        *(f"ray_pipeline.execution.{name}" for name in ("ray_", "policy", "serial", "sizing")),
    )
    for unit in every_kind.units:
        assert not [name for name in reached(unit) if name.startswith(prefixes)], unit.stage
        if not unit.stage.startswith("train_"):
            assert "ray_pipeline.version" not in reached(unit), unit.stage


def test_families_are_reached_by_no_import(every_kind: EveryKind) -> None:
    """Else every unit would depend on every family, and on LightGBM's version."""
    modules = {family_module(name) for name in FAMILIES}
    for unit in every_kind.units:
        assert not modules & reached(unit), unit.stage


@pytest.mark.parametrize(
    ("library", "stages"),
    [
        ("lightgbm", {"search_trials", "train_pooled_fold", "train_pooled", "train_symbol"}),
        ("numpy", None),
        ("pyarrow", None),
    ],
)
def test_units_name_the_libraries_that_compute_them(
    every_kind: EveryKind, library: str, stages: set[str] | None
) -> None:
    """Another version redoes what it computed; what depends on that has its name in the spec."""
    found = {unit.stage for unit in every_kind.units if library in unit.libraries}
    assert found == (stages or {unit.stage for unit in every_kind.units})


def test_a_family_depends_on_its_own_code_and_libraries() -> None:
    """Ridge is none of LightGBM's business, and the other way round."""
    ridge, boosted = family_identity("ridge"), family_identity("lightgbm")
    assert "lightgbm" in dict(boosted.libraries)
    assert "lightgbm" not in dict(ridge.libraries)
    assert "ray_pipeline.families.lightgbm" not in modules_of(family_module("ridge"))
    assert isinstance(ridge, Identity)
    assert ridge.sha256 != boosted.sha256


def test_imports_by_a_computed_name_are_known(every_kind: EveryKind) -> None:
    """No reading of the source finds what they lead to: each is accounted for in another way.

    The package and `execution` offer names that no unit asks them for; a family's identity is in
    the specs that name it, and so is the source of your own functions.
    """
    modules = set().union(*map(reached, every_kind.units))
    calls = re.compile(r"\b(import_module|__import__|spec_from_file_location|exec|eval)\(")
    computed = {
        name for name in modules if calls.search((identity._find(name) or EMPTY).text or "")
    }
    assert computed == {
        "ray_pipeline",
        "ray_pipeline.execution",
        "ray_pipeline.families.registry",
        "ray_pipeline.user_code.functions",
    }


@pytest.mark.parametrize("package", [ray_pipeline, ray_pipeline.execution])
def test_units_ask_no_package_for_what_it_imports_late(every_kind: EveryKind, package: Any) -> None:
    """They import such names from their homes, where they can be followed."""
    late = "|".join(package.__all__)
    asked = re.compile(rf"^ *from {package.__name__} import .*\b({late})\b", re.MULTILINE)
    modules = set().union(*map(reached, every_kind.units)) - {package.__name__}
    assert [
        name for name in modules if asked.search((identity._find(name) or EMPTY).text or "")
    ] == []
