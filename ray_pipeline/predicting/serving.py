"""The trained models that serve a symbol, and why some targets are not predicted (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ray_pipeline.routing.decide import NOT_SERVED
from ray_pipeline.training.served_jobs import ServedJob

__all__ = [
    "Serving",
    "ServingTable",
    "models_of",
    "quantile_columns",
    "raw_columns",
]


@dataclass(frozen=True, slots=True)
class Serving:
    """The models that serve one symbol.

    Attributes
    ----------
    jobs
        In the order of the plan; empty if nothing can be predicted.
    routes
        Route by target, None if the run has none.
    notes
        Sentences about what is not predicted, or not according to its route.
    """

    symbol: str
    jobs: tuple[ServedJob, ...]
    routes: Mapping[str, str | None]
    notes: tuple[str, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """Every feature that one of the jobs needs, each once, in order of first use."""
        return tuple(dict.fromkeys(name for job in self.jobs for name in job.features))

    @property
    def models(self) -> tuple[str, ...]:
        """Every model that is read for them, including members of averages, each once."""
        return models_of(self.jobs)


class ServingTable:
    """Looks up the models that serve a symbol.

    Parameters
    ----------
    jobs
        Trained jobs of the requested targets, in the order of the plan.
    routes
        Route by (target, symbol), of these targets.
    left_out
        Symbols of the run without a route, with the reason.
    """

    def __init__(
        self,
        jobs: Sequence[ServedJob],
        routes: Mapping[tuple[str, str], str],
        left_out: Mapping[str, str],
    ) -> None:
        self.targets = tuple(dict.fromkeys(job.target for job in jobs))
        self._routes, self._left_out = routes, left_out
        self._routed = frozenset(symbol for _, symbol in routes)
        self._serving: dict[tuple[str, str], list[ServedJob]] = {}
        self._pooled: dict[str, list[ServedJob]] = {target: [] for target in self.targets}
        for job in jobs:
            for symbol in job.serves:
                self._serving.setdefault((job.target, symbol), []).append(job)
            if job.is_pooled:
                self._pooled[job.target].append(job)

    def of(self, symbol: str) -> Serving:
        """Return the models that serve a symbol.

        A symbol that the run did not route is served by the pooled models, because they were
        trained across symbols.
        """
        known = symbol in self._routed
        notes = [] if known else [self._why_unknown(symbol)]
        jobs: list[ServedJob] = []
        for target in self.targets:
            chosen = self._serving.get((target, symbol), []) if known else self._pooled[target]
            jobs.extend(chosen)
            if not chosen:
                notes.append(self._why_none(target, symbol, known=known))
        routes = {target: self._routes.get((target, symbol)) for target in self.targets}
        return Serving(symbol, tuple(jobs), routes, tuple(notes))

    def _why_unknown(self, symbol: str) -> str:
        reason = self._left_out.get(symbol)
        why = (
            "not in the run"
            if reason is None
            else f"left out of the run ({reason.removesuffix('.')})"
        )
        return f"{why}: only pooled models serve here"

    def _why_none(self, target: str, symbol: str, *, known: bool) -> str:
        if not known:
            return f"{target} is not predicted: it has no pooled model"
        route = self._routes.get((target, symbol))
        if route in NOT_SERVED:
            return f"{target} is not predicted: its route is {route}"
        return f"{target} is not predicted: no model of its route ({route}) was trained"


def models_of(jobs: Iterable[ServedJob]) -> tuple[str, ...]:
    """Name the models that are read for jobs, including members of averages, each once."""
    return tuple(dict.fromkeys(name for job in jobs for name in (job.job_id, *job.members)))


def raw_columns(
    jobs: Iterable[ServedJob], quantiles: Mapping[str, Sequence[float]]
) -> tuple[str, ...]:
    """Name the raw columns of jobs, each once: predictions, then their quantiles.

    Parameters
    ----------
    quantiles
        Quantiles by raw column, for models that predict them.

    Examples
    --------
    >>> job = ServedJob("cs_y__ridge", "y", "cross_sectional", "ridge", (), (), ())
    >>> raw_columns([job], {"y__pooled__ridge": (0.1, 0.5)})
    ('y__pooled__ridge', 'y__pooled__ridge__q0.1', 'y__pooled__ridge__q0.5')
    """
    names: dict[str, None] = {}
    for job in jobs:
        names[job.column] = None
        names.update(dict.fromkeys(quantile_columns(job, quantiles.get(job.column, ()))))
    return tuple(names)


def quantile_columns(job: ServedJob, quantiles: Sequence[float]) -> tuple[str, ...]:
    """Name the columns of a job's quantiles: ``<raw column>__q0.1``."""
    return tuple(f"{job.column}__q{quantile:g}" for quantile in quantiles)
