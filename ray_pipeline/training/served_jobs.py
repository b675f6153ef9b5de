"""Trained jobs, from the view of serving symbols (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ray_pipeline.records import View
from ray_pipeline.training.model_checks import check_planned

__all__ = ["ServableJob", "ServedJob", "only_named", "served_by", "without_symbols"]

_VIEW_WORDS: Mapping[View, str] = {"cross_sectional": "pooled", "symbol_specific": "own"}


class ServableJob(Protocol):
    """A job of the plan, from a run or from its file."""

    @property
    def job_id(self) -> str:
        """Its name."""

    @property
    def target(self) -> str:
        """The target that it predicts."""

    @property
    def view(self) -> View:
        """The view that it is trained on."""

    @property
    def family(self) -> str:
        """Its model family, or the average of the others."""

    @property
    def features(self) -> tuple[str, ...]:
        """Features of the final model, in order."""

    @property
    def serves(self) -> tuple[str, ...]:
        """Symbols whose route leads to it."""

    @property
    def members(self) -> tuple[str, ...]:
        """Members of an average."""


@dataclass(frozen=True, slots=True)
class ServedJob:
    """A trained job from the plan; `members` are those of an average."""

    job_id: str
    target: str
    view: View
    family: str
    features: tuple[str, ...]
    serves: tuple[str, ...]
    members: tuple[str, ...]

    @classmethod
    def of_plan(cls, job: ServableJob) -> ServedJob:
        """Take the facts for serving from a planned job."""
        return cls(
            job_id=job.job_id,
            target=job.target,
            view=job.view,
            family=job.family,
            features=job.features,
            serves=job.serves,
            members=job.members,
        )

    def check(self, metadata: Mapping[str, Any], uri: str) -> None:
        """Raise ArtifactError for the metadata of another model than was planned here.

        Parameters
        ----------
        uri
            Address of the run, for the message.
        """
        planned = {
            "job_id": self.job_id,
            "target": self.target,
            "view": self.view,
            "family": self.family,
        }
        name = f"{uri}/models/{self.job_id}/metadata.json"
        check_planned(metadata, planned, self.features, self.members, name)

    @property
    def is_pooled(self) -> bool:
        """Whether it was trained across symbols."""
        return self.view == "cross_sectional"

    @property
    def column(self) -> str:
        """Column of its raw prediction: ``<target>__pooled__<family>``, or ``own``."""
        return f"{self.target}__{_VIEW_WORDS[self.view]}__{self.family}"


def served_by(jobs: Sequence[ServedJob]) -> dict[str, tuple[ServedJob, ...]]:
    """Return the jobs that serve each symbol, ordered by target.

    Parameters
    ----------
    jobs
        Trained jobs, in the order of the plan.
    """
    found: dict[str, list[ServedJob]] = {}
    for target in dict.fromkeys(job.target for job in jobs):
        for job in jobs:
            if job.target == target:
                for symbol in job.serves:
                    found.setdefault(symbol, []).append(job)
    return {symbol: tuple(its) for symbol, its in sorted(found.items())}


def without_symbols(jobs: Iterable[ServedJob]) -> tuple[ServedJob, ...]:
    """Return jobs for work on some symbols, without the other symbols they serve.

    A pooled job serves nearly all symbols: repeating the list for each of them would be quadratic.
    """
    return tuple(replace(job, serves=()) for job in jobs)


def only_named(jobs: Iterable[ServedJob]) -> tuple[ServedJob, ...]:
    """Return jobs for work on their predictions only, without models."""
    return tuple(replace(job, features=(), serves=(), members=()) for job in jobs)
