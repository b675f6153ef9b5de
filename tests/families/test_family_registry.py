"""Families by name: built in, installed, unknown."""

from __future__ import annotations

import tomllib
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from ray_pipeline.errors import ConfigError
from ray_pipeline.families import load_family, registry
from ray_pipeline.families.lightgbm import LightGBMFamily
from ray_pipeline.families.ridge import RidgeFamily

GROUP = "ray_pipeline.families"


def install(monkeypatch: pytest.MonkeyPatch, **families: str) -> None:
    """Pretend that these entry points are all that is installed."""

    def entry_points(group: str) -> list[EntryPoint]:
        assert group == GROUP
        return [EntryPoint(name, value, group) for name, value in families.items()]

    monkeypatch.setattr(registry, "entry_points", entry_points)


def test_built_in_families_need_no_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a bare source tree, where no entry point is known, each is found by its own name."""
    install(monkeypatch)
    assert isinstance(load_family("ridge"), RidgeFamily)
    assert isinstance(load_family("lightgbm"), LightGBMFamily)
    assert {name: load_family(name).name for name in registry._BUILT_IN} == {
        name: name for name in registry._BUILT_IN
    }


def test_an_installed_package_adds_a_family(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point of the group is loaded by its name."""
    install(monkeypatch, linear="ray_pipeline.families.ridge:RidgeFamily")
    assert isinstance(load_family("linear"), RidgeFamily)


def test_an_installed_package_does_not_replace_a_built_in_family(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``ridge`` is ours, whatever else is installed under that name."""
    install(monkeypatch, ridge="ray_pipeline.families.lightgbm:LightGBMFamily")
    assert isinstance(load_family("ridge"), RidgeFamily)


def test_an_unknown_family_is_answered_with_the_known_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The message lists built-in and installed families and says how to add one."""
    install(monkeypatch, tabnet="somewhere:TabNetFamily")
    expected = (
        r"^unknown model family 'tabfn'; known are catboost, elastic_net, extra_trees, lightgbm, "
        r"lightgbm_quantile, mlp, random_forest, ridge, tabnet, xgboost \(and, for training, "
        r"rank_average\)\. A package adds one with an entry point in the group "
        r"'ray_pipeline\.families'\.$"
    )
    with pytest.raises(ConfigError, match=expected):
        load_family("tabfn")


def test_our_entry_points_name_the_built_in_families() -> None:
    """Those in pyproject.toml lead to the classes that are found without them."""
    pyproject = Path(__file__).resolve().parents[2] / "pyproject.toml"
    declared = tomllib.loads(pyproject.read_text())["project"]["entry-points"][GROUP]
    assert sorted(declared) == sorted(registry._BUILT_IN)
    for name, value in declared.items():
        module, _, attribute = value.partition(":")
        assert type(load_family(name)) is getattr(import_module(module), attribute)
