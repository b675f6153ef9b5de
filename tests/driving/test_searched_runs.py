"""Whole runs that search hyperparameters: files, hash, resuming, and a run without one after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from panels import TARGET, planted_panel, quick_config, read_json, read_rows, write_panel

from ray_pipeline.driving.progress import Silent
from ray_pipeline.execution import Outcome
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.results.tables import content_names
from ray_pipeline.storage import RunDirectory

SEARCH = {"n_trials": 4, "n_splits": 2, "batch_size": 2, "spaces": {"ridge": {"penalty": [1, 9]}}}


class Interrupting(Silent):
    """Presses Ctrl-C at the second outcome of a stage's second round."""

    def __init__(self) -> None:
        self._n_rounds = 0

    def outcome(self, outcome: Outcome, n_done: int, n_total: int) -> None:
        """Count rounds by their first outcome."""
        if outcome.unit.stage == "search_trials":
            self._n_rounds += n_done == 1
            if (self._n_rounds, n_done) == (2, 2):
                raise KeyboardInterrupt


@pytest.fixture(scope="module")
def long_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write three symbols with a history that can be split twice."""
    tables = planted_panel(["S00", "S01", "S02"], n_bars=420)
    return write_panel(tmp_path_factory.mktemp("long"), tables)


def config(data: Path, run_dir: Path, search: Any = SEARCH) -> Any:
    """Return a quick config that trains ridge alone."""
    return quick_config(data, run_dir, training={"families": ["ridge"], "search": search})


def test_a_searched_run_leaves_its_trials_and_goes_on_after_an_interrupt(
    long_data: Path, tmp_path: Path, executed: list[str]
) -> None:
    """Table, counts, metadata and hash; killed halfway it repeats no trial and ends the same."""
    run_pipeline(config(long_data, tmp_path / "whole"), Silent())
    whole, record = list(executed), read_json(tmp_path / "whole" / "run.json")
    rows = read_rows(tmp_path / "whole", "search/trials")
    assert record["counts"]["trials"] == len(rows) == 4 * 3 * 4  # jobs, searches, trials
    assert record["timings_s"]["search"] > 0
    assert "search/trials.parquet" in content_names(RunDirectory(tmp_path / "whole"))
    metadata = read_json(tmp_path / "whole" / "models" / f"cs_{TARGET}__ridge" / "metadata.json")
    search = metadata["search"]
    assert search["n_trials"] == 12
    chosen = [row for row in rows if row["job_id"] == metadata["job_id"] and row["chosen"]]
    assert [row["inner_skill"] for row in chosen] == [
        *(fold["skill"] for fold in search["folds"]),
        search["final"]["skill"],
    ]
    used = search["final"]["hyperparameters"] if search["accepted"] else {}
    assert metadata["hyperparameters"] == used

    executed.clear()
    with pytest.raises(KeyboardInterrupt):
        run_pipeline(config(long_data, tmp_path / "run"), Interrupting())
    done = list(executed)
    executed.clear()
    run_pipeline(config(long_data, tmp_path / "run"), Silent())
    trials = [name for name in executed if name.startswith("search_")]
    assert len(trials) < len([name for name in whole if name.startswith("search_")])
    shared = ("pool/pool", "pooled_predictions/pooled")
    both = [name for name in (*done, *executed) if name not in shared]
    assert sorted(both) == sorted(name for name in whole if name not in shared)
    again = read_json(tmp_path / "run" / "run.json")
    assert again["content_sha256"] == record["content_sha256"]

    run_pipeline(config(long_data, tmp_path / "run", None), Silent(), replace=True)
    assert not (tmp_path / "run" / "search").exists()
    plain = read_json(tmp_path / "run" / "run.json")
    assert "trials" not in plain["counts"]
    assert plain["content_sha256"] != record["content_sha256"]


def test_what_was_not_searched_is_a_warning(long_data: Path, tmp_path: Path) -> None:
    """The cap leaves the pooled model its trials and the symbols' models none."""
    capped = config(long_data, tmp_path / "run", {**SEARCH, "max_trials": 13})
    run_pipeline(capped, Silent())
    (warning,) = read_json(tmp_path / "run" / "run.json")["warnings"]
    assert warning.startswith(
        "training.search.max_trials=13 is spent: 3 of 4 jobs have fewer trials than n_trials=4, 3 "
        "of them none"
    )
    assert {row["job_id"] for row in read_rows(tmp_path / "run", "search/trials")} == {
        f"cs_{TARGET}__ridge"
    }
