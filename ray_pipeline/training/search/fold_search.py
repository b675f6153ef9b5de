"""One search: it proposes trials in batches, receives their skills, and finally chooses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ray_pipeline.families.searching import Value
from ray_pipeline.routing.jobs import Job
from ray_pipeline.training.search.choices import Pairs, Trial, best_trial
from ray_pipeline.training.search.optimiser import Optimiser
from ray_pipeline.training.search.space import Space, first_trial

__all__ = ["FoldSearch", "TrialBatch"]

MAX_STARTUP = 10
"""Random trials before the first that learns from them, Optuna's own default; or a third of the
trials if there are few."""


@dataclass(frozen=True, slots=True)
class TrialBatch:
    """Trials to be measured together: the number of the first, and the hyperparameters of each."""

    first: int
    hyperparameters: tuple[Pairs, ...]


class FoldSearch:
    """The search of a job inside one fold (None: for its final model).

    Parameters
    ----------
    features
        Those that the fold chose.
    n_trials, batch_size
        Trials in all and at a time; the first is the configured hyperparameters, so a search always
        considers them.
    seed
        Of the optimiser.
    """

    def __init__(
        self,
        job: Job,
        fold: int | None,
        features: tuple[str, ...],
        space: Space,
        n_trials: int,
        batch_size: int,
        seed: int,
    ) -> None:
        self.job, self.fold, self.features = job, fold, features
        self.trials: list[Trial] = []
        self.problem: str | None = None
        self._n_trials, self._batch_size = n_trials, batch_size
        self._configured: dict[str, Value] = dict(job.hyperparameters)
        self._first = first_trial(space, self._configured)
        n_startup = min(MAX_STARTUP, max(2, n_trials // 3))
        self._optimiser: Optimiser | None = Optimiser(space, seed, n_startup)

    @property
    def name(self) -> str:
        """``fold 2`` or ``final``."""
        return "final" if self.fold is None else f"fold {self.fold}"

    def ask(self) -> TrialBatch | None:
        """Return the next batch, None if none is left."""
        n_done = len(self.trials)
        n_wanted = min(self._batch_size, self._n_trials - n_done)
        if self._optimiser is None or n_wanted <= 0:
            return None
        points = [] if n_done else [self._configured]
        points += [self._configured | each for each in self._optimiser.ask(n_wanted - len(points))]
        return TrialBatch(n_done, tuple(tuple(sorted(point.items())) for point in points))

    def tell(self, batch: TrialBatch, skills: Sequence[float], problem: str | None = None) -> None:
        """Receive the skills of a batch in order, NaN if missing, and why."""
        self.trials += [
            Trial(batch.first + k, pairs, skill)
            for k, (pairs, skill) in enumerate(zip(batch.hyperparameters, skills, strict=True))
        ]
        self.problem = self.problem or problem
        if self._optimiser is None:
            return
        if best_trial(self.fold, self.trials) is None:
            self.close()  # without a comparison, more trials would be wasted
            return
        proposed = skills
        if batch.first == 0:
            proposed = skills[1:]
            if self._first is not None:
                self._optimiser.know(self._first, skills[0])
        self._optimiser.tell(proposed)

    def close(self) -> None:
        """Stop proposing, and release the optimiser."""
        self._optimiser = None
