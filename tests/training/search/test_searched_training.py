"""From a search to a model: both walks on the outer rows, and what is used in the end."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from search_panels import FRAME, POOL_HANDLE, MixFamily, Runner, job, pool_of, search, settings
from training_designs import AXIS, SETTINGS

from ray_pipeline.routing.jobs import TrainingPlan
from ray_pipeline.samples.design import Design
from ray_pipeline.samples.pool import Pool
from ray_pipeline.training.job_fit import FittedJob, fit_job
from ray_pipeline.training.job_spec import JobSpec
from ray_pipeline.training.search.choices import Choice, JobSearch
from ray_pipeline.training.training import train_models


def fitted(pool: Pool, found: JobSearch | None, **changes: Any) -> FittedJob:
    """Train the job of the search."""
    given = job(**changes)
    spec = JobSpec(
        given.job_id,
        given.target,
        given.view,
        given.family,
        given.features,
        given.fold_features,
        given.hyperparameters,
        found,
    )
    target = FRAME.targets[0]
    return fit_job(Design.of_pool(pool, target, FRAME), target, spec, FRAME, AXIS, SETTINGS)


def searched(pool: Pool, **options: Any) -> FittedJob:
    """Search the job, and train it with what was found."""
    found = search(Runner(pool), settings(**options))
    return fitted(pool, found.jobs["cs_y__mix"])


def test_a_search_that_finds_a_planted_region_keeps_its_promise(mix: MixFamily) -> None:
    """The label is b and the default looks at a: what the folds promised holds out of sample."""
    result = searched(pool_of(0.5), n_trials=16)
    assert result.search is not None
    record = result.search.to_record()
    assert record["accepted"]
    assert record["promised_gain"] > 0.2
    assert record["realised_gain"] > 5 * record["realised_gain_std_error"] > 0
    assert abs(record["selection"]) < 0.1
    assert np.sin(result.hyperparameters["angle"]) > 0.8
    assert result.evidence.skill == pytest.approx(record["out_of_sample_skill"])


def test_on_pure_noise_the_promise_is_selection(mix: MixFamily) -> None:
    """Over twelve panels: every search promises a gain, none is there, and the report says so.

    The realised gain is a mean of independent noise, so that its own error bounds it.
    """
    records = []
    for seed in range(12):
        result = searched(pool_of(0.0, seed), n_trials=10)
        assert result.search is not None
        records.append(result.search.to_record())
    promised = np.array([record["promised_gain"] for record in records])
    realised = np.array([record["realised_gain"] for record in records])
    selection = np.array([record["selection"] for record in records])
    assert promised.min() > 0
    assert promised.mean() > 0.04
    assert abs(realised.mean()) < 3 * realised.std() / math.sqrt(12)
    assert selection.mean() > 0.6 * promised.mean()
    assert sum(record["accepted"] for record in records) <= 5


@pytest.fixture
def bad_choice() -> JobSearch:
    """Return a search whose folds chose the opposite of the planted direction."""
    wrong = (("angle", -math.pi / 2),)
    choices = [Choice(index, 5, wrong, 0.2, 0.1) for index in range(3)]
    return JobSearch("if_better", 20, tuple(choices), Choice(None, 5, wrong, 0.2, 0.1))


def test_what_lost_out_of_sample_is_not_used(mix: MixFamily, bad_choice: JobSearch) -> None:
    """Model, predictions and skill are those of the configured hyperparameters; p pays twice."""
    pool = pool_of(0.5)
    plain = fitted(pool, None, angle=1.5)
    kept = fitted(pool, bad_choice, angle=1.5)
    assert kept.search is not None
    assert not kept.search.accepted
    assert kept.search.difference.skill < 0
    assert kept.hyperparameters == plain.hyperparameters == {"angle": 1.5}
    assert kept.out_of_sample.equals(plain.out_of_sample)
    assert kept.evidence.skill == plain.evidence.skill
    assert kept.evidence.p_value == 2 * plain.evidence.p_value
    assert plain.search is None


def test_always_uses_what_was_found(mix: MixFamily, bad_choice: JobSearch) -> None:
    """Predictions are those of the found ones in every fold, the final model too."""
    pool = pool_of(0.5)
    always = JobSearch("always", 20, bad_choice.folds, bad_choice.final)
    result = fitted(pool, always, angle=1.5)
    other = fitted(pool, None, angle=-math.pi / 2)
    assert result.out_of_sample.equals(other.out_of_sample)
    assert result.evidence == other.evidence
    assert result.hyperparameters == {"angle": -math.pi / 2}
    assert mix.fits[-1][2] == {"angle": -math.pi / 2}


def test_a_fold_without_a_search_has_the_configured_ones(
    mix: MixFamily, bad_choice: JobSearch
) -> None:
    """And is not part of the comparison, which is of the folds that could be searched."""
    pool = pool_of(0.5)
    two = JobSearch("always", 20, bad_choice.folds[1:], bad_choice.final)
    result = fitted(pool, two, angle=1.5)
    assert result.search is not None
    assert result.search.difference.n_rows == 100
    angles = [given["angle"] for _, _, given in mix.fits]
    wrong = -math.pi / 2
    assert angles == [1.5, 1.5, wrong, 1.5, wrong, wrong]


def test_equal_hyperparameters_are_fitted_once(mix: MixFamily) -> None:
    """Where the configured ones won inside a fold there is no second model, and no gain."""
    same = (("angle", 1.5),)
    choices = tuple(Choice(index, 5, same, 0.1, 0.1) for index in range(3))
    found = JobSearch("if_better", 20, choices, Choice(None, 5, same, 0.1, 0.1))
    result = fitted(pool_of(0.5), found, angle=1.5)
    assert len(mix.fits) == 4
    assert result.search is not None
    assert result.search.difference.skill == 0.0
    assert not result.search.accepted


def test_the_search_travels_with_the_job(mix: MixFamily, bad_choice: JobSearch) -> None:
    """The unit that trains a searched job has its choices; that of another job has none."""
    runner = Runner(pool_of(0.5), failing="cs_")
    plan = TrainingPlan((job(), job("cs_2")), ())
    as_runner: Any = runner
    train_models(as_runner, FRAME, {}, POOL_HANDLE, plan, SETTINGS, "", {"cs_2": bad_choice})
    searches = [None, bad_choice]
    of_folds = [search for search in searches for _ in FRAME.folds]
    assert [unit.spec.job.search for unit in runner.units] == of_folds
