"""What the fit of one job depends on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ray_pipeline.families import family_identity
from ray_pipeline.identity import Identity
from ray_pipeline.records import View
from ray_pipeline.routing.jobs import RANK_AVERAGE, FeatureSet
from ray_pipeline.training.search.choices import JobSearch

__all__ = ["JobSpec"]


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What the fit of one job depends on; see `ray_pipeline.routing.plan.Job`.

    `search` holds what a search for hyperparameters chose inside each fold, if there was one.
    `described` names the features whose effects on the predictions are told, the best first;
    `spare` those that are measured besides.
    `n_feature_sets` counts the sets of features that these were chosen from on the test rows, for
    which the evidence pays; `feature_set` names the one that was.
    `identity` is that of the family's code, and of the interpreter, which the metadata name; an
    average has none, it fits nothing.
    """

    job_id: str
    target: str
    view: View
    family: str
    features: tuple[str, ...]
    fold_features: tuple[tuple[int, tuple[str, ...]], ...]
    hyperparameters: tuple[tuple[str, Any], ...]
    search: JobSearch | None = None
    feature_set: FeatureSet = ""
    n_feature_sets: int = 1
    described: tuple[str, ...] = ()
    spare: tuple[str, ...] = ()
    identity: Identity | None = field(init=False)

    def __post_init__(self) -> None:
        """Look up the identity, where the record is made: a worker gets the driver's."""
        is_average = self.family == RANK_AVERAGE
        identity = None if is_average else family_identity(self.family, "python")
        object.__setattr__(self, "identity", identity)
