"""What the report says of a search for hyperparameters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sample_runs import SampleRun

from ray_pipeline.report.page import write_report
from ray_pipeline.report.search_section import SearchedModel, SearchSection, write_search_section
from ray_pipeline.results.contents import RunContents, read_contents
from ray_pipeline.results.documents import SearchRecord
from ray_pipeline.results.reading import Results
from ray_pipeline.storage import RunDirectory

SEARCH: dict[str, Any] = {
    "accept": "if_better",
    "accepted": False,
    "n_trials": 80,
    "inner_skill": 0.065,
    "inner_skill_configured": 0.025,
    "out_of_sample_skill": 0.022,
    "out_of_sample_skill_configured": 0.021,
    "promised_gain": 0.04,
    "realised_gain": 0.001,
    "realised_gain_std_error": 0.004,
    "realised_gain_p_value": 0.4,
    "selection": 0.039,
    "folds": [],
    "final": {"hyperparameters": {}},
}


@pytest.fixture
def contents(run_uri: str) -> RunContents:
    return read_contents(Results(SampleRun().write(run_uri)))


def section(contents: RunContents, *searches: dict[str, Any]) -> SearchSection:
    """Return the section of a run whose first models have these searches."""
    models = dict(contents.models)
    for job, search in zip(contents.jobs, searches, strict=False):
        found = SearchRecord.model_validate({**SEARCH, **search})
        models[job.job_id] = models[job.job_id].model_copy(update={"search": found})
    return write_search_section(replace(contents, models=models))


def test_a_run_without_a_search_says_nothing(contents: RunContents) -> None:
    """No row and no sentence."""
    found = section(contents)
    assert (found.summary, found.models.rows, found.models.note) == ("", (), "")


def test_a_searched_model_by_hand(contents: RunContents) -> None:
    """Skills of both, the promise, what was kept, and what was only selection."""
    found = section(contents, {})
    assert found.models.rows == (
        SearchedModel(
            job_id=contents.jobs[0].job_id,
            n_trials="80",
            inner="+0.025 → +0.065",
            outer="+0.021 → +0.022",
            promised="+0.040",
            realised="+0.001 ± 0.004",
            selection="+0.039",
            uses="configured: what was found is not better out of sample by more than the error "
            "of the difference",
        ),
    )
    assert found.models.note == ""


@pytest.mark.parametrize(
    ("search", "uses"),
    [
        (
            {"accepted": True, "realised_gain": 0.02},
            "found: it is better out of sample by more than the error of the difference",
        ),
        (
            {"accepted": True, "accept": "always"},
            "found, as training.search.accept asks; it is not better out of sample by more than "
            "the error of the difference",
        ),
        ({"final": None}, "configured: the search for the final model came to nothing"),
    ],
)
def test_it_says_what_the_final_model_uses(
    contents: RunContents, search: dict[str, Any], uses: str
) -> None:
    """And why, so that `always` hides no search that lost."""
    assert section(contents, search).models.rows[0].uses == uses


def test_summary_of_all_searches(contents: RunContents) -> None:
    """Mean promise and mean gain kept; the difference is called selection."""
    unmeasured = {"promised_gain": None, "realised_gain": None, "inner_skill": None}
    won = {"accepted": True, "promised_gain": 0.02, "realised_gain": 0.021}
    found = section(contents, {}, won, unmeasured)
    assert found.summary == (
        "240 trials for 3 models, 1 of which use what was found. On average the searches promised "
        "+0.0300 of skill and kept +0.0110 out of sample; +0.0190 was selection: the best of many "
        "noisy figures is lucky."
    )
    assert found.models.rows[2].inner == "–"
    assert section(contents, unmeasured).summary == ""


def test_models_that_were_not_read_are_counted(contents: RunContents) -> None:
    """The note says that the table is longer than the page."""
    found = section(replace(contents, trained=contents.trained | {"more", "and more"}), {})
    assert found.models.note == (
        "Showing 1 of 3, most important first; search/trials.parquet has them all."
    )


def test_the_page_shows_it(run_uri: str) -> None:
    """A table of its own among the models, and a word on what p pays for."""
    run = SampleRun().write(run_uri)
    assert "Hyperparameters searched" not in page(run)
    job_id = read_contents(Results(run)).jobs[0].job_id
    name = f"models/{job_id}/metadata.json"
    run.write_json(name, {**run.read_json(name), "search": SEARCH})
    text = page(run)
    assert "Hyperparameters searched" in text
    assert "+0.025 → +0.065" in text
    assert "its p is doubled" in text


def page(run: RunDirectory) -> str:
    """Write the report and read it."""
    return run.read_text(write_report(run))
