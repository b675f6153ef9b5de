"""Scoring a set of symbols: from their files to tables of scores and their meanings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from ray_pipeline.calibration.meanings import Meaning, calibrated_columns
from ray_pipeline.discovery.choosing import Batch, file_names
from ray_pipeline.errors import ConfigError
from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.families import family_identity
from ray_pipeline.identity import Identity
from ray_pipeline.panel.loading import TableRequest
from ray_pipeline.predicting.account import STAGE
from ray_pipeline.predicting.calibrating import CalibratedRows, calibrate_units, run_calibration
from ray_pipeline.predicting.history import read_history
from ray_pipeline.predicting.options import PredictOptions
from ray_pipeline.predicting.serving import Serving
from ray_pipeline.predicting.trained import TrainedRun
from ray_pipeline.predicting.units import PredictSpec, ScoringSpec, predict_symbol, score_symbol
from ray_pipeline.routing.jobs import RANK_AVERAGE
from ray_pipeline.training.served_jobs import ServedJob, only_named, without_symbols

__all__ = ["ScoredSymbols", "ScoringWork", "family_identities", "score_symbols"]


@dataclass(frozen=True, slots=True)
class ScoringWork:
    """What to score, and with which models."""

    trained: TrainedRun
    batch: Batch
    served: Mapping[str, Serving]
    seals: Mapping[str, str]
    request: TableRequest
    targets: tuple[str, ...]
    raw: tuple[str, ...]
    meanings: tuple[Meaning, ...]
    since: int | None
    options: PredictOptions

    @property
    def served_symbols(self) -> list[str]:
        """Symbols served by at least one model."""
        return [symbol for symbol, serving in self.served.items() if serving.jobs]

    def score_units(self, request: TableRequest) -> list[Unit]:
        """Make a unit per served symbol, which reads only the features that its models need."""
        families = tuple(family_identities({job.family for job in self.trained.jobs}))
        return [
            Unit(
                "score",
                symbol,
                score_symbol,
                ScoringSpec(
                    partition=self.batch.partitions[symbol],
                    request=replace(request, features=self.served[symbol].features),
                    run_uri=self.trained.run.uri,
                    run_options=self.trained.run_options,
                    jobs=without_symbols(self.served[symbol].jobs),
                    seals={
                        name: self.seals[name]
                        for name in self.served[symbol].models
                        if name in self.seals
                    },
                    families=families,
                    targets=self.targets,
                    raw=self.raw,
                    meanings=self.meanings,
                    interval=self.trained.interval,
                    in_sample=self.options.in_sample,
                    until_ns=self.trained.until_ns,
                ),
            )
            for symbol in self.served_symbols
        ]

    def units(self, scored: ScoredSymbols) -> list[Unit]:
        """Make a unit per scored symbol, which writes its file."""
        names = file_names(self.batch)
        return [
            Unit(
                STAGE,
                symbol,
                predict_symbol,
                PredictSpec(
                    scores=record["scores"],
                    history=scored.history.get(symbol) if self.options.history else None,
                    walked=only_named(scored.walked.get(symbol, ())),
                    calibrated=scored.calibrated.get(symbol, {}),
                    targets=self.targets,
                    raw=self.raw,
                    columns=calibrated_columns(self.meanings),
                    is_grouped=self.request.group is not None,
                    known_ns=record["known_ns"],
                    in_sample=self.options.in_sample,
                    since_ns=self.since,
                    membership=self.batch.partitions[symbol].membership,
                    name=names[symbol],
                ),
            )
            for symbol, record in scored.records.items()
        ]


@dataclass(frozen=True, slots=True)
class ScoredSymbols:
    """Symbols that were scored.

    Attributes
    ----------
    records
        Of `score_symbol` by symbol, in the order of the batch: ``scores`` names the table of all
        rows that models score.
    history, walked
        Table of each symbol's walk-forward, if it was read, and the jobs by which it was sorted.
    calibrated
        Where the meanings of these scores are, by symbol and target.
    digests
        Of the units that computed it, by stage.
    """

    records: Mapping[str, Mapping[str, Any]]
    history: Mapping[str, str]
    walked: Mapping[str, Sequence[ServedJob]]
    calibrated: Mapping[str, Mapping[str, CalibratedRows]]
    digests: Mapping[str, frozenset[str]]


def score_symbols(runner: UnitRunner, work: ScoringWork, request: TableRequest) -> ScoredSymbols:
    """Score symbols, and calibrate each row's score on all outcomes known by then.

    The result of a row depends only on the run and on data up to its time: later data never change
    it.

    Parameters
    ----------
    request
        The request of the work, with its cross-section.

    Raises
    ------
    ExecutionError
        When the walk-forward cannot be sorted, or a target not be calibrated.
    """
    jobs: dict[str, Sequence[ServedJob]] = {
        symbol: work.served[symbol].jobs for symbol in work.served_symbols
    }
    of_run = work.trained.serving_all() if work.meanings else {}
    # For symbols of the run, use all of its jobs, whichever targets are requested, because other
    # symbols are calibrated on them.
    walked = {**jobs, **of_run}
    history: Mapping[str, str] = {}
    if work.meanings or work.options.history:
        trained = work.trained
        history = read_history(runner, trained.run, trained.run_options, trained.content, walked)
    units = work.score_units(request)
    records = runner.run(units)
    records = {symbol: records[symbol] for symbol in jobs if symbol in records}
    meanings = {meaning.target: meaning for meaning in work.meanings}
    calibrating = calibrate_units(meanings, walked, of_run, records, history)
    calibrated = run_calibration(runner, calibrating)
    digests = {
        "score": frozenset(unit.digest for unit in units),
        "calibrate": frozenset(unit.digest for unit in calibrating),
    }
    return ScoredSymbols(records, history, walked, calibrated, digests)


def family_identities(families: Iterable[str]) -> Iterator[Identity]:
    """Return the identities of families by name, for those that can be loaded here."""
    for name in sorted(set(families) - {RANK_AVERAGE}):
        # A family that cannot be loaded here is refused by the unit of each model that needs it.
        with suppress(ConfigError, ImportError):
            yield family_identity(name)
