"""A few of the configs of `config_mutations`, which makes thousands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from config_mutations import checked, mutants, prepare


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder for panels and configs."""
    return tmp_path_factory.mktemp("mutants")


@pytest.fixture(scope="module")
def configs(folder: Path) -> list[dict[str, Any]]:
    """Write panels, and give configs for them that `check` accepts."""
    return prepare(folder)


@pytest.mark.parametrize("part", range(2))
def test_spoiled_configs_are_answered(
    part: int, configs: list[dict[str, Any]], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a sentence or a list of them: no traceback, no wait, no memory, no control character."""
    monkeypatch.chdir(folder)
    outcomes = [checked(mutant, folder) for mutant in mutants(75, configs[part], seed=part)]
    wrong = [(each.problems, each.mutant.story, each.output[-500:]) for each in outcomes]
    assert [found for found in wrong if found[0]] == []
    assert {0, 2} <= {each.code for each in outcomes}
    assert sum(each.code == 2 for each in outcomes) > 50


def test_mutants_are_always_the_same(configs: list[dict[str, Any]]) -> None:
    """So that what one of them found can be looked at again."""
    first, again = (list(mutants(20, configs[0], seed=3)) for _ in range(2))
    assert first == again
    assert len({mutant.text for mutant in first}) > 10
