"""Models side by side: who is compared over what time, and how alike they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from unit_calls import call

from ray_pipeline.evaluating.comparison import Likeness
from ray_pipeline.evaluating.overfitting import (
    ComparedJob,
    ComparisonSpec,
    compare_models,
    likeness,
    overfitting_rows,
)
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.storage import RunDirectory


def job(name: str, target: str = "a", symbol: str | None = None) -> ComparedJob:
    view = "cross_sectional" if symbol is None else "symbol_specific"
    return ComparedJob(name, target, view, symbol, "ridge")  # type: ignore[arg-type]


def noise(n_jobs: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((240, n_jobs))


def test_all_models_and_those_of_each_target_have_a_row() -> None:
    """One of a target alone has no rival; a run on one target has no second row of the same."""
    jobs = [job("1"), job("2", "b"), job("3", "b", "X"), job("4", "c")]
    rows = overfitting_rows(jobs, noise(4))
    assert [(row.target, row.n_models) for row in rows] == [(None, 4), ("b", 2)]
    assert all(0.0 <= row.probability <= 1.0 for row in rows)
    assert (rows[0].n_slices, rows[0].n_blocks, rows[0].reason) == (240, 16, "")
    assert [row.target for row in overfitting_rows([job("1"), job("2")], noise(2))] == [None]


def test_a_model_that_is_truly_better_is_told_from_luck() -> None:
    """The best of four worthless models disappoints about half of the time."""
    returns = noise(4)
    returns[:, 2] += 0.5
    jobs = [job(str(i)) for i in range(4)]
    assert overfitting_rows(jobs, returns)[0].probability < 0.01
    shares = [overfitting_rows(jobs, noise(4, seed))[0].probability for seed in range(40)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.12)


def test_common_time_is_that_of_models_that_traded_most_of_it() -> None:
    """A symbol's own starts later and cuts the others; one that barely traded is left out."""
    returns = noise(4)
    returns[:30, 1] = np.nan
    returns[200:, 2] = np.nan
    returns[60:, 3] = np.nan
    (row,) = overfitting_rows([job(str(i)) for i in range(4)], returns)
    assert (row.n_models, row.n_left_out, row.n_slices) == (3, 1, 170)


@pytest.mark.parametrize(
    ("returns", "reason"),
    [
        (noise(1), "one model has no rival to be compared with"),
        (noise(2)[:19], "19 slices of time with returns of all models are too few"),
    ],
)
def test_what_cannot_be_measured_says_why(returns: np.ndarray, reason: str) -> None:
    """No figure, but a row."""
    jobs = [job(str(i)) for i in range(returns.shape[1])]
    (row,) = overfitting_rows(jobs, returns)
    assert (np.isnan(row.probability), row.n_blocks, row.reason) == (True, 0, reason)


def test_families_of_a_question_and_questions_are_told_apart() -> None:
    """Planted: families share 0.8 of their variance, all models 0.3 of it; the rest is theirs."""
    rng = np.random.default_rng(1)
    everywhere, questions, own = (rng.standard_normal((200_000, n)) for n in (1, 3, 6))
    of_question = questions[:, [0, 0, 1, 1, 2, 2]]
    returns = np.sqrt(0.3) * everywhere + np.sqrt(0.5) * of_question + np.sqrt(0.2) * own
    jobs = [job(str(i), "ab"[i // 4], "X" if i in (2, 3) else None) for i in range(6)]
    found = likeness(jobs, returns)
    assert found.families == pytest.approx(0.8, abs=0.01)
    assert found.questions == pytest.approx(0.3, abs=0.01)


def test_pairs_that_are_not_there_are_not_measured() -> None:
    """One family for each question, or one question."""
    returns = noise(2)
    apart, together = (
        likeness([job("1"), job("2", "b")], returns),
        likeness([job("1"), job("2")], returns),
    )
    assert (np.isnan(apart.families), np.isnan(together.questions)) == (True, True)
    expected = np.corrcoef(returns.T)[0, 1]
    assert (apart.questions, together.families) == pytest.approx((expected, expected))


def tables_of(reader: PanelReader, columns: Sequence[Sequence[str]]) -> tuple[str, ...]:
    names = [name for one in columns for name in one]
    returns = dict(zip(names, noise(len(names)).T, strict=True))
    for number, one in enumerate(columns):
        reader.run.write_table(f"{number}.parquet", pa.table({name: returns[name] for name in one}))
    return tuple(f"{number}.parquet" for number in range(len(columns)))


def test_unit_takes_the_jobs_in_order_from_whatever_table_they_are_in(tmp_path: Path) -> None:
    """Jobs without returns are passed over; without any there is nothing to say."""
    reader = PanelReader(str(tmp_path), {}, RunDirectory(tmp_path / "run"))
    jobs = tuple(job(name) for name in "bxac")
    record = call(compare_models, reader, ComparisonSpec(jobs, tables_of(reader, ["ab", "c"])))
    returns = noise(3)[:, [1, 0, 2]]
    named = [job(name) for name in "bac"]
    (row,) = overfitting_rows(named, returns)
    assert record["rows"][0]["probability"] == row.probability
    assert Likeness(**record["likeness"]).families == likeness(named, returns).families
    without = call(compare_models, reader, ComparisonSpec((job("x"),), tables_of(reader, ["a"])))
    assert without["rows"] == []
