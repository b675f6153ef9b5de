"""What a search for hyperparameters promised and what it kept (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ray_pipeline.results.capping import Capped
from ray_pipeline.results.contents import RunContents
from ray_pipeline.results.documents import SearchRecord
from ray_pipeline.results.figures import DASH, count, is_measured, signed, with_error
from ray_pipeline.results.tables import TRIALS
from ray_pipeline.wording import plural

__all__ = ["SearchSection", "SearchedModel", "write_search_section"]


@dataclass(frozen=True, slots=True)
class SearchedModel:
    """A model whose hyperparameters were searched; skills are ``configured → found``."""

    job_id: str
    n_trials: str
    inner: str
    outer: str
    promised: str
    realised: str
    selection: str
    uses: str


@dataclass(frozen=True, slots=True)
class SearchSection:
    """Searched models by priority, none where nothing was searched.

    Attributes
    ----------
    summary
        What all searches together were worth.
    """

    summary: str
    models: Capped[SearchedModel]


def write_search_section(contents: RunContents) -> SearchSection:
    """Lay out the searches of the models that the page shows."""
    found = {
        job.job_id: search
        for job in contents.jobs
        if job.job_id in contents.models
        and (search := contents.models[job.job_id].search) is not None
    }
    rows = tuple(_model(job_id, search) for job_id, search in found.items())
    # Of the models that were not read some may have no search: the count says how many may.
    n_unread = len(contents.trained) - len(contents.models) if rows else 0
    return SearchSection(
        summary=_summary(list(found.values())),
        models=Capped(rows, len(rows) + n_unread, "most important first", TRIALS),
    )


def _model(job_id: str, search: SearchRecord) -> SearchedModel:
    return SearchedModel(
        job_id=job_id,
        n_trials=count(search.n_trials),
        inner=_change(search.inner_skill_configured, search.inner_skill),
        outer=_change(search.out_of_sample_skill_configured, search.out_of_sample_skill),
        promised=signed(search.promised_gain),
        realised=with_error(search.realised_gain, search.realised_gain_std_error),
        selection=signed(search.selection),
        uses=_uses(search),
    )


def _change(before: float | None, after: float | None) -> str:
    if not (is_measured(before) and is_measured(after)):
        return DASH
    return f"{signed(before)} → {signed(after)}"


def _uses(search: SearchRecord) -> str:
    """Say which hyperparameters the final model has, and why."""
    gain, error = search.realised_gain, search.realised_gain_std_error
    is_better = is_measured(gain) and is_measured(error) and gain > error
    how = "better" if is_better else "not better"
    verdict = f"{how} out of sample by more than the error of the difference"
    if not search.accepted:
        if search.final is None:
            return "configured: the search for the final model came to nothing"
        return f"configured: what was found is {verdict}"
    if search.accept == "always":
        return f"found, as training.search.accept asks; it is {verdict}"
    return f"found: it is {verdict}"


def _summary(searches: Sequence[SearchRecord]) -> str:
    measured = [
        search
        for search in searches
        if is_measured(search.promised_gain) and is_measured(search.realised_gain)
    ]
    if not measured:
        return ""
    promised = float(np.mean([search.promised_gain for search in measured]))
    realised = float(np.mean([search.realised_gain for search in measured]))
    n_trials = sum(search.n_trials for search in searches)
    n_found = sum(search.accepted for search in searches)
    return (
        f"{plural(n_trials, 'trial')} for {plural(len(searches), 'model')}, {count(n_found)} of "
        f"which use what was found. On average the searches promised {signed(promised, 4)} of "
        f"skill and kept {signed(realised, 4)} out of sample; {signed(promised - realised, 4)} "
        "was selection: the best of many noisy figures is lucky."
    )
