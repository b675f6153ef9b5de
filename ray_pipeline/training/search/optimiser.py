"""The optimiser that proposes hyperparameters (the only home of optuna)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ray_pipeline.errors import ConfigError
from ray_pipeline.families import SearchDimension
from ray_pipeline.families.searching import Value
from ray_pipeline.training.search.space import Space

__all__ = ["Optimiser", "require_optuna"]

_MAX_SEED = 2**32 - 1  # the range of NumPy's RandomState


def require_optuna() -> None:
    """Raise ConfigError when Optuna is not installed, before any work starts."""
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "training.search is on, and optuna is not installed. Install it with "
            "pip install 'ray-pipeline[search]', or set training.search to null."
        ) from error


class Optimiser:
    """A tree-structured Parzen estimator that proposes several trials at a time.

    Pending trials repel new ones (the constant liar), so that those of a batch differ. Proposals
    depend on the space, the seed, and the order of results: a driver that restarts, and finds the
    trials done, proposes the same ones.

    Source: Bergstra, Bardenet, Bengio & Kégl (2011), "Algorithms for Hyper-Parameter
    Optimization"; its multivariate form is that of Falkner, Klein & Hutter (2018), "BOHB".

    Parameters
    ----------
    space
        The search space, not empty.
    seed
        Of the sampler.
    n_startup
        Number of finished trials before which proposals are random.
    """

    def __init__(self, space: Space, seed: int, n_startup: int) -> None:
        import optuna

        # Optuna logs the start of each study.
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._distributions = {
            name: _distribution(optuna.distributions, dimension)
            for name, dimension in space.items()
        }
        self._study = optuna.create_study(
            direction="maximize",
            sampler=optuna.samplers.TPESampler(
                seed=seed % _MAX_SEED,
                n_startup_trials=n_startup,
                multivariate=True,
                constant_liar=True,
            ),
        )
        self._asked: list[Any] = []

    def ask(self, n_trials: int) -> list[dict[str, Value]]:
        """Propose hyperparameters; results of all earlier proposals must have been reported."""
        self._asked = [self._study.ask(self._distributions) for _ in range(n_trials)]
        return [dict(trial.params) for trial in self._asked]

    def tell(self, skills: Sequence[float]) -> None:
        """Report the skill of each proposal, in the order of `ask`; NaN if missing."""
        from optuna.trial import TrialState

        for trial, skill in zip(self._asked, skills, strict=True):
            if math.isnan(skill):
                self._study.tell(trial, state=TrialState.FAIL)
            else:
                self._study.tell(trial, skill)
        self._asked = []

    def know(self, hyperparameters: Mapping[str, Value], skill: float) -> None:
        """Report hyperparameters inside the space that were not proposed."""
        from optuna.trial import create_trial

        self._study.add_trial(
            create_trial(
                params=dict(hyperparameters), distributions=self._distributions, value=skill
            )
        )


def _distribution(optuna: Any, dimension: SearchDimension) -> Any:
    if dimension.kind == "choice":
        return optuna.CategoricalDistribution(dimension.choices)
    if dimension.kind == "int":
        return optuna.IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
    return optuna.FloatDistribution(dimension.low, dimension.high, log=dimension.log)
