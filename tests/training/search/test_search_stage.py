"""The search of a plan: planted and pure noise, determinism, resuming, budget, what is left out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from search_panels import FRAME, MixFamily, Runner, job, pool_of, search, settings
from training_designs import AXIS, FEATURES, SETTINGS

from ray_pipeline.errors import DataError
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.records import PartitionFile, SymbolPartition
from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.search import searching as stage
from ray_pipeline.training.search.inner import TrialSettings
from ray_pipeline.training.search.searching import Searches
from ray_pipeline.training.search.units import TrialsSpec, measure_trials

pytestmark = pytest.mark.usefixtures("mix")

OWN = job("sym_y__A__mix", "symbol_specific", ("A",))


def partition_of(folder: Path, symbol: str, n_rows: int = 300) -> SymbolPartition:
    """Write a symbol of some hours whose label is b and noise."""
    random = np.random.default_rng([*symbol.encode()])
    X = random.standard_normal((n_rows, 4))
    columns = dict(zip(FEATURES, X.T, strict=True))
    times = pa.array(AXIS[:n_rows], pa.timestamp("ns", "UTC"))
    path = folder / f"{symbol}.parquet"
    y = X[:, 1] + random.standard_normal(n_rows)
    pq.write_table(pa.table({"ts": times, **columns, "y": y}), path)
    return SymbolPartition(symbol, (PartitionFile(str(path), path.stat().st_size, "v1"),))


@pytest.fixture
def partitions(tmp_path: Path) -> dict[str, SymbolPartition]:
    """Write two symbols, the second with a short history."""
    return {"A": partition_of(tmp_path, "A"), "B": partition_of(tmp_path, "B", 190)}


@pytest.fixture
def reader(tmp_path: Path) -> PanelReader:
    """Return a worker's reader on a run directory that holds the panel's axis."""
    run = RunDirectory(str(tmp_path / "run"))
    run.write_table("axis.parquet", pa.table({"time_ns": AXIS}))
    return PanelReader(str(tmp_path), {}, run)


def both(runner: Runner, partitions: dict[str, SymbolPartition]) -> Searches:
    """Search a pooled job and the own jobs of two symbols."""
    other = job("sym_y__B__mix", "symbol_specific", ("B",))
    return search(runner, settings(), job(), OWN, other, partitions=partitions)


def test_the_default_is_trial_zero_and_the_planted_direction_is_found() -> None:
    """The label is b: the configured angle has no skill, the chosen ones point at b."""
    found = search(Runner(pool_of(0.5)), settings(n_trials=16))
    chosen = found.jobs["cs_y__mix"]
    assert chosen.n_trials == 4 * 16
    assert [choice.fold for choice in chosen.folds] == [0, 1, 2]
    assert chosen.final is not None
    for choice in (*chosen.folds, chosen.final):
        ((name, angle),) = choice.hyperparameters
        assert name == "angle"
        assert np.sin(float(angle)) > 0.8
        assert choice.skill > choice.configured_skill + 0.2
    assert [row.hyperparameters for row in found.rows if row.trial == 0] == ["{}"] * 4
    assert found.left_out == ()


def test_rows_are_in_order_and_mark_one_trial_of_each_search() -> None:
    """Folds first, then the final model; numbers from 0; the chosen one has the highest skill."""
    rows = search(Runner(pool_of(0.5)), settings(n_trials=6)).rows
    assert [(row.fold, row.trial) for row in rows] == [
        (fold, number) for fold in (0, 1, 2, None) for number in range(6)
    ]
    for fold in (0, 1, 2, None):
        mine = [row for row in rows if row.fold == fold]
        (chosen,) = [row for row in mine if row.chosen]
        assert chosen.inner_skill == max(row.inner_skill for row in mine)


def test_configured_hyperparameters_stay_where_nothing_else_is_searched() -> None:
    """A trial is the configured ones with the searched ones replaced, in all its trials."""
    given = job(depth=3, angle=0.5)
    rows = search(Runner(pool_of(0.5)), settings(n_trials=5), given).rows
    assert json.loads(rows[0].hyperparameters) == {"angle": 0.5, "depth": 3}
    assert all(json.loads(row.hyperparameters)["depth"] == 3 for row in rows)
    assert len({row.hyperparameters for row in rows}) > 4


def test_a_round_holds_the_trials_of_all_folds() -> None:
    """Batches of all searches run together; pooled trials are a unit each."""
    runner = Runner(pool_of(0.5))
    search(runner, settings(n_trials=6, batch_size=4))
    assert [len(keys) for keys in runner.rounds] == [16, 8]
    assert runner.rounds[0][0] == "cs_y__mix, fold 0, trial 0"
    assert runner.rounds[1][-1] == "cs_y__mix, final, trial 5"
    assert {unit.stage for unit in runner.units} == {"search_trials"}


def test_a_symbols_trials_of_a_round_are_one_unit(
    reader: PanelReader, partitions: dict[str, SymbolPartition]
) -> None:
    """They read one table, whatever the number of its jobs and folds."""
    runner = Runner(reader=reader)
    jobs = (OWN, replace(OWN, job_id="sym_y__A__mix2"))
    found = search(runner, settings(n_trials=6), *jobs, partitions=partitions, pool=None)
    assert runner.rounds == [["A"], ["A"]]
    assert [len(unit.spec.tasks) for unit in runner.units] == [8, 8]
    first, second = found.jobs.values()
    assert first == second
    assert first.n_trials == 24


def test_bits_do_not_depend_on_the_order_in_which_trials_end(
    reader: PanelReader, partitions: dict[str, SymbolPartition]
) -> None:
    """The last unit of each round first: equal choices, skills and rows, to the bit."""
    pool = pool_of(0.2)
    forwards = Runner(pool, reader)
    backwards = Runner(pool, reader, backwards=True)
    assert repr(both(forwards, partitions)) == repr(both(backwards, partitions))
    assert forwards.executed != backwards.executed


@pytest.mark.parametrize("stop_after", [0, 5, 20, 40])
def test_a_killed_search_goes_on_where_it_was(
    reader: PanelReader, partitions: dict[str, SymbolPartition], stop_after: int
) -> None:
    """No finished trial is measured again, and the end is the same to the bit."""
    pool = pool_of(0.2)
    whole = Runner(pool, reader)
    expected = both(whole, partitions)
    killed = Runner(pool, reader, stop_after=stop_after)
    with pytest.raises(KeyboardInterrupt):
        both(killed, partitions)
    resumed = Runner(pool, reader, records=killed.records)
    assert repr(both(resumed, partitions)) == repr(expected)
    assert len(killed.executed) == stop_after
    assert len(killed.executed) + len(resumed.executed) == len(whole.executed)


def test_bits_do_not_depend_on_how_many_studies_are_open(
    monkeypatch: pytest.MonkeyPatch, reader: PanelReader, partitions: dict[str, SymbolPartition]
) -> None:
    """A driver with less memory for optimisers asks in more rounds and finds the same."""
    expected = both(Runner(pool_of(0.2), reader), partitions)
    monkeypatch.setattr(stage, "SEARCHES_AT_ONCE", 3)
    assert repr(both(Runner(pool_of(0.2), reader), partitions)) == repr(expected)


def test_seeds_follow_names_not_positions() -> None:
    """A job finds the same beside others and in another place of the plan."""
    runner = Runner(pool_of(0.2))
    other = replace(job("cs_y__other"), family="other")
    given = settings(families=("mix", "other"))
    alone = search(runner, given)
    later = search(runner, given, other, job())
    assert later.jobs["cs_y__mix"] == alone.jobs["cs_y__mix"]
    assert later.jobs["cs_y__other"] != alone.jobs["cs_y__mix"]


def test_the_cap_spends_by_priority_and_says_who_gets_less() -> None:
    """Four searches a job: 12 trials each would be 48; 60 leave the second job three each."""
    runner = Runner(pool_of(0.2))
    jobs = (job(), job("cs_2"), job("cs_3"))
    found = search(runner, settings(max_trials=60), *jobs)
    counts = [sum(row.job_id == each.job_id for row in found.rows) for each in jobs]
    assert counts == [48, 12, 0]
    assert list(found.jobs) == ["cs_y__mix", "cs_2"]
    assert found.left_out == (
        "training.search.max_trials=60 is spent: 2 of 3 jobs have fewer trials than n_trials=12, "
        "1 of them none (cs_2, cs_3)",
    )


def test_a_family_without_a_space_is_said_aloud(mix: MixFamily) -> None:
    """Its jobs keep the configured hyperparameters, and cost no trial."""
    given = settings()
    bare = replace(given, spaces={"mix": given.spaces["mix"], "bare": {}})
    runner = Runner(pool_of(0.2))
    found = search(runner, bare, job("cs_bare", family="bare"), job("cs_new", family="new"))
    assert (dict(found.jobs), found.rows, runner.executed) == ({}, (), [])
    assert found.left_out == (
        "bare, new: no hyperparameters to search, the configured ones are used; give a space in "
        "training.search.spaces",
    )


def test_folds_that_are_too_short_keep_what_is_configured(
    reader: PanelReader, partitions: dict[str, SymbolPartition]
) -> None:
    """Their first round finds it out, no second is asked for, and the reason is told."""
    runner = Runner(reader=reader)
    long = settings(trials=TrialSettings(3, 0.6, SETTINGS))
    found = search(runner, long, OWN, partitions=partitions, pool=None)
    assert [choice.fold for choice in found.jobs[OWN.job_id].folds] == [1, 2]
    assert len([row for row in found.rows if row.fold == 0]) == 4
    (said,) = found.left_out
    assert said.startswith(
        "sym_y__A__mix: not searched, fold 0 (the configured ones are used): 145 timestamps "
        "cannot hold n_splits=3 test folds"
    )


def test_a_search_whose_unit_failed_is_left_out() -> None:
    """The other searches go on; failures.parquet has the error."""
    runner = Runner(pool_of(0.5), failing="cs_y__mix, fold 1")
    found = search(runner, settings(n_trials=5))
    assert [choice.fold for choice in found.jobs["cs_y__mix"].folds] == [0, 2]
    assert found.left_out == (
        "cs_y__mix: not searched, fold 1 (the configured ones are used): a unit of its trials "
        "failed; see failures.parquet",
    )


def test_a_job_none_of_whose_searches_worked_has_none() -> None:
    """It is trained as configured, as if no search had been asked for."""
    found = search(Runner(pool_of(0.5), failing="cs_y__mix"), settings(n_trials=5))
    assert found.jobs == {}
    assert not any(row.chosen for row in found.rows)


def test_pooled_and_own_trials_of_a_round_run_together(
    reader: PanelReader, partitions: dict[str, SymbolPartition]
) -> None:
    """No worker waits for the other kind: a round is 16 pooled trials and two symbols."""
    runner = Runner(pool_of(0.2), reader)
    both(runner, partitions)
    assert [len(keys) for keys in runner.rounds] == [18, 18, 18]
    assert runner.rounds[0][-2:] == ["A", "B"]


def test_a_unit_needs_rows(reader: PanelReader) -> None:
    """A spec without a partition, and without the pool, is a defect of the caller."""
    spec: Any = TrialsSpec(FRAME, (), settings().trials)
    with pytest.raises(DataError, match=r"^measure_trials needs a partition or the pool$"):
        measure_trials(reader, spec)
