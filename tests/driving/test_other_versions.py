"""The same command with another version of a library, or edited code: what is done again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from every_kind import EveryKind

from ray_pipeline import identity
from ray_pipeline.driving.progress import Silent
from ray_pipeline.execution import Outcome
from ray_pipeline.families import family_identity
from ray_pipeline.pipeline import run_pipeline


class Counting(Silent):
    """Keeps which stages computed anything, and what was said."""

    def __init__(self) -> None:
        self.stages: set[str] = set()
        self.said: list[str] = []

    def outcome(self, outcome: Outcome, n_done: int, n_total: int) -> None:
        """Count units that were not there before."""
        if outcome.attempts:
            self.stages.add(outcome.unit.stage)

    def say(self, text: str, event: str = "message", **facts: Any) -> None:
        """Keep it."""
        self.said.append(text)


@pytest.fixture
def run_dir(every_kind: EveryKind, tmp_path: Path) -> Path:
    """Copy the reference."""
    return Path(shutil.copytree(every_kind.run_dir, tmp_path / "run"))


@pytest.fixture
def patch(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Let the code be another than it is, and forget that afterwards."""
    yield monkeypatch
    monkeypatch.undo()
    forget()


def forget() -> None:
    """Look at the installed code again, as another process would."""
    for cached in (identity.identity_of, identity.installed_version, family_identity):
        cached.cache_clear()


def test_another_lightgbm_redoes_what_it_fitted(
    every_kind: EveryKind, run_dir: Path, patch: pytest.MonkeyPatch
) -> None:
    """Its jobs and what is made of them; no ranking by ridge; and the user is told why."""
    run_pipeline(every_kind.config(run_dir), Silent())
    version = identity.version
    before = version("lightgbm")
    patch.setattr(
        identity, "version", lambda name: "4.6.0" if name == "lightgbm" else version(name)
    )
    forget()
    counting = Counting()
    run_pipeline(every_kind.config(run_dir), counting)
    assert counting.stages == {
        *("search_trials", "train_pooled_fold", "train_pooled", "train_symbol", "train_average"),
        "join_predictions",
        *("evaluate_pooled", "evaluate_symbol", "compare_models", "join_curves", "reliability"),
    }
    told = f"lightgbm {before} → 4.6.0 since the last run here; work that depends on that is redone"
    assert told in counting.said
    again = Counting()
    run_pipeline(every_kind.config(run_dir), again)
    assert again.stages == set()
    assert not [text for text in again.said if "since the last run" in text]


@pytest.mark.parametrize(
    ("module", "stages"),
    [
        ("report.page", set()),
        ("execution.ray_pool", set()),
        (
            "statistics.sharpe",
            {"evaluate_pooled", "evaluate_symbol", "compare_models", "join_curves"},
        ),
        (
            "selection.methods",
            {"select_pooled_fold", "select_pooled", "prove_pooled_fold", "prove_pooled"}
            | {"select_symbol", "prove_symbol"},
        ),
    ],
)
def test_an_edit_redoes_what_reaches_it(
    every_kind: EveryKind,
    run_dir: Path,
    patch: pytest.MonkeyPatch,
    module: str,
    stages: set[str],
) -> None:
    """Whatever the edit is, a comment even; what comes after by other values is none of it."""
    find = identity._find

    def edited(name: str) -> identity.ModuleSource | None:
        source = find(name)
        if source is not None and name == f"ray_pipeline.{module}":
            return identity.ModuleSource(f"{source.text}\n# edited", source.is_package)
        return source

    patch.setattr(identity, "_find", edited)
    forget()
    counting = Counting()
    run_pipeline(every_kind.config(run_dir), counting)
    assert counting.stages == stages
