"""The data that a run's current models have to score, and the units that do it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.discovery.choosing import Batch
from ray_pipeline.errors import ArtifactError, ConfigError, ExecutionError
from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.inspecting.cross_section import compute_cross_section, needs_cross_section
from ray_pipeline.inspecting.digests import DIGESTS, digest_of_months
from ray_pipeline.inspecting.folds import date_ns
from ray_pipeline.inspecting.schedule import PanelTimes, dates_on, panel_times
from ray_pipeline.ledger.ledger import OUTCOMES, PREDICTIONS, PredictionLedger, rows_in, rows_not_in
from ray_pipeline.panel.loading import TableRequest
from ray_pipeline.panel.newest_flaws import NewestFlaw
from ray_pipeline.predicting.serving import Serving, raw_columns
from ray_pipeline.predicting.trained import TrainedRun
from ray_pipeline.predicting.work import family_identities
from ray_pipeline.results.tables import PREDICTIONS as WALKED
from ray_pipeline.storage import RunDirectory
from ray_pipeline.updating.latest import LatestTraining, until_of
from ray_pipeline.updating.meanings import LiveRows, with_meanings
from ray_pipeline.updating.notes import (
    flaw_notes,
    gone_notes,
    late_notes,
    revised_notes,
    standing_still,
)
from ray_pipeline.updating.restated import Restatement, restatements
from ray_pipeline.updating.scoring import BLOCK, ScoreSpec, SymbolWork, score_block
from ray_pipeline.versions.names import version_name
from ray_pipeline.wording import iso_time, plural, some_of

__all__ = ["STAGE", "NewRows", "Scoring", "version_of"]

STAGE = "update_scores"

_N_NAMED = 5
_LATE_NS = 10 * 86_400 * 10**9
"""How late a bar may arrive and still be scored as if it had arrived in time."""


@dataclass(frozen=True, slots=True, eq=False)
class NewRows:
    """The results of scoring.

    Attributes
    ----------
    predictions, outcomes
        Rows that the ledger does not have yet.
    restated
        Past rows that differ from those used in training. If there are any, the models no longer
        match the data.
    problems
        By symbol, why it could not be scored.
    notes
        Sentences about rows that the ledger keeps unchanged, or never gets, and about faulty new
        bars.
    alarms
        The same, if the whole feed is at fault.
    """

    predictions: pa.Table
    outcomes: pa.Table
    restated: tuple[Restatement, ...]
    problems: dict[str, str]
    notes: list[str]
    alarms: list[str]


@dataclass(frozen=True, slots=True)
class Scoring:
    """The work of the current models.

    Attributes
    ----------
    trained, latest
        The models that serve; the latest training, which may be another.
    batch
        The symbols in use.
    import_folders
        Additional folders to search for modules with your own features.
    """

    trained: TrainedRun
    latest: LatestTraining
    config: ExperimentConfig
    batch: Batch
    import_folders: Sequence[str]

    @property
    def until_ns(self) -> int:
        """Time from which on rows were not used to train the models."""
        return until_of(self.trained.record, self.trained.run)

    def times(self, runner: UnitRunner) -> PanelTimes:
        """Read when the data have rows."""
        run, partitions = self.trained.home, self.batch.partitions
        return panel_times(runner, run, partitions, self.config, self.batch.interval)

    def due(self, panel: PanelTimes) -> int | None:
        """Return the next retraining date, if the data have reached it."""
        if self.config.training.retrain_every is None:
            return None
        dates = dates_on(panel, self.config)
        return next((each for each in dates if each > self.latest.until_ns), None)

    def require_date(self, panel: PanelTimes, restated: Sequence[Restatement]) -> None:
        """Refuse to retrain if the changed past no longer has the date of the last training.

        Otherwise models of an earlier date would serve, which nobody requested.

        Raises
        ------
        ExecutionError
            Naming the symbols whose past has changed.
        """
        until_ns = self.latest.until_ns
        if self.config.training.retrain_every is None or until_ns in dates_on(panel, self.config):
            return
        symbols = some_of([each.symbol for each in restated], at_most=_N_NAMED)
        raise ExecutionError(
            f"{iso_time(until_ns)[:16]}, the date of the last training, is not a date of "
            f"training.retrain_every any more: the data have other timestamps than then, by "
            f"{symbols}. One symbol by another clock or zone does that. Mend its times; if they "
            "are right, `ray-pipeline run` trains at the dates of now."
        )

    def score(
        self, runner: UnitRunner, ledger: PredictionLedger, upto_ns: int | None, panel: PanelTimes
    ) -> NewRows:
        """Score the rows before a time that are not in the ledger; None: all of them.

        Raises
        ------
        ArtifactError
            When the scores' meanings are unavailable: the ledger would keep rows without them.
        """
        if not self.trained.run.exists(WALKED):
            raise ArtifactError(
                f"{self.trained.run.uri}/{WALKED} is missing: without it nobody knows what "
                "scores mean, and the ledger would keep rows that do not say it. Restore the file, "
                "or give the command that made the run again."
            )
        known, outcomes = ledger.predictions(), ledger.outcomes()
        waiting = rows_not_in(known, outcomes)
        serving = self.trained.serving(self.trained.jobs)
        served = {symbol: serving.of(symbol) for symbol in self.batch.partitions}
        request = self._request(served)
        asides = (upto_ns, self._aside_ns(), panel.aside_ns)
        limits = [each for each in asides if each is not None]
        if limits:
            request = replace(request, rules=replace(request.rules, until_ns=min(limits)))
        if needs_cross_section(request):
            members = self.trained.members
            partitions = self.batch.partitions
            home = self.trained.home
            request = compute_cross_section(runner, home, partitions, request, members)
        from_ns = self._from_ns(known)
        outcomes_ns = min([from_ns, *waiting["ts"].cast(pa.int64()).to_pylist()])
        units = self._units(request, served, from_ns, outcomes_ns)
        records = runner.run_required(units)
        found = self._joined(records.values(), known, outcomes, from_ns)
        if panel.aside_ns is not None:
            found.notes.append(
                f"rows from {iso_time(panel.aside_ns)[:16]} on lie alone, far after all others: "
                "they are left aside until another date follows. Is theirs right?"
            )
        if found.restated:
            return found
        earlier = known.filter(
            pc.and_(
                pc.greater_equal(known["ts"].cast(pa.int64()), self.until_ns),
                pc.equal(known["version"], version_of(self.trained)),
            )
        )
        live = LiveRows(earlier, found.predictions, pa.concat_tables([outcomes, found.outcomes]))
        jobs = {symbol: each.jobs for symbol, each in served.items() if each.jobs}
        told = with_meanings(runner, self.trained, live, jobs, f"units/{STAGE}")
        return replace(found, predictions=told)

    def _aside_ns(self) -> int | None:
        """Return the config's ``data.until``, from which on rows are ignored."""
        day = self.config.data.until
        return None if day is None else date_ns(day)

    def _from_ns(self, known: pa.Table) -> int:
        """Return from when on rows are scored: since the last ones, minus a few days.

        The last ones are those of most symbols: a single symbol with files dated ahead must not
        make the others late. Rows that belong to earlier models are not scored by these.
        """
        if not known.num_rows:
            return self.until_ns
        times = known["ts"].cast(pa.int64())
        by_symbol = pa.table({"symbol": known["symbol"], "ts": times}).group_by("symbol")
        lasts = np.sort(by_symbol.aggregate([("ts", "max")])["ts_max"].to_numpy())
        last_ns = int(lasts[len(lasts) // 2])
        mine = pc.any(pc.equal(known["version"], version_of(self.trained))).as_py()
        late_ns = last_ns - _LATE_NS if mine else last_ns + 1
        return max(self.until_ns, late_ns)

    def _request(self, served: Mapping[str, Serving]) -> TableRequest:
        """Return the request for tables: all features of serving models, and the targets."""
        features = dict.fromkeys(name for each in served.values() for name in each.features)
        if not features:
            raise ExecutionError(
                f"{self.trained.run.uri}: no model serves any of "
                f"{plural(len(served), 'symbol')} below {self.batch.discovery.data_dir}."
            )
        request = self.trained.request(tuple(features), self.import_folders)
        return replace(request, targets=self.trained.targets)

    def _digest(self) -> tuple[TableRequest | None, dict[str, str]]:
        """Return what the run's digests cover, and the digest of each symbol."""
        columns, run = self.latest.record.digested, self.latest.files
        if columns is None:
            return None, {}
        request = self.trained.request(columns.features, self.import_folders)
        request = replace(
            request,
            targets=tuple(columns.targets),
            max_rows=self.config.data.max_rows_per_symbol,
            rules=replace(request.rules, until_ns=self.latest.until_ns),
            unknown_labels=tuple(columns.unknown_labels.items()),
        )
        table = run.read_table(DIGESTS)
        months = table.group_by("symbol", use_threads=False).aggregate([("sha256", "list")])
        found = {
            row["symbol"]: digest_of_months(pa.table({"sha256": row["sha256_list"]}))
            for row in months.to_pylist()
        }
        return request, found

    def _units(
        self,
        request: TableRequest,
        served: Mapping[str, Serving],
        from_ns: int,
        outcomes_ns: int,
    ) -> list[Unit]:
        trained = self.trained
        digest, digests = self._digest()
        works = [
            SymbolWork(self.batch.partitions[name], each.jobs, each.features, digests.get(name))
            for name, each in sorted(served.items())
            if each.jobs
        ]
        seals = trained.seals_of(job for work in works for job in work.jobs)
        raw = raw_columns(trained.jobs, trained.quantiles(trained.jobs))
        blocks = [tuple(works[i : i + BLOCK]) for i in range(0, len(works), BLOCK)]
        families = tuple(family_identities(job.family for job in trained.jobs))
        known = [name for name in trained.targets if name in trained.outcomes]
        return [
            Unit(
                STAGE,
                f"from {block[0].partition.symbol}",
                score_block,
                ScoreSpec(
                    symbols=block,
                    request=request,
                    digest=digest,
                    run_uri=trained.run.uri,
                    run_options=trained.run_options,
                    seals={
                        name: seals[name]
                        for work in block
                        for job in work.jobs
                        for name in (job.job_id, *job.members)
                        if name in seals
                    },
                    families=families,
                    raw=raw,
                    interval=trained.interval,
                    from_ns=from_ns,
                    outcomes_ns=outcomes_ns,
                    until_ns=self.until_ns,
                    version=version_of(trained),
                    horizons=tuple((name, trained.outcomes[name][1]) for name in known),
                ),
            )
            for block in blocks
        ]

    def _joined(
        self,
        records: Iterable[Mapping[str, Any]],
        known: pa.Table,
        known_outcomes: pa.Table,
        from_ns: int,
    ) -> NewRows:
        run = self.trained.home
        found = list(records)
        problems = {symbol: why for record in found for symbol, why in record["problems"].items()}
        most = self.config.execution.max_failed_fraction
        if len(problems) > most * len(self.batch.partitions):
            symbol, why = next(iter(sorted(problems.items())))
            raise ExecutionError(
                f"{len(problems)} of {plural(len(self.batch.partitions), 'symbol')} could not be "
                f"scored, more than execution.max_failed_fraction={most:g} allows. The first, "
                f"{symbol}: {why}"
            )
        months = [name for record in found if (name := record["months"]) is not None]
        restated: tuple[Restatement, ...] = ()
        if months:
            after = pa.concat_tables(list(run.read_tables(months)))
            restated = restatements(self.latest.files.read_table(DIGESTS), after)
        predictions = _read(run, found, "predictions", PREDICTIONS)
        outcomes = _read(run, found, "outcomes", OUTCOMES)
        new = rows_not_in(predictions, known)
        key = ["ts", "symbol", "target"]
        waiting = rows_not_in(known, known_outcomes)
        asked = pa.concat_tables([waiting.select(key), new.select(key)])
        n_earlier = {symbol: n for record in found for symbol, n in record["n_earlier"].items()}
        gone = {each.symbol: each.gone for each in restated}
        notes = [
            *gone_notes(gone, self.trained.jobs, len(self.batch.partitions)),
            *revised_notes(predictions, known, outcomes, known_outcomes),
            *late_notes(n_earlier, known, self.until_ns, from_ns),
        ]
        flaws = {
            symbol: [NewestFlaw(*each) for each in own]
            for record in found
            for symbol, own in record["flaws"].items()
        }
        still, is_alarm = standing_still(flaws, len(self.batch.partitions))
        notes += flaw_notes(flaws)
        notes += [still] if still is not None and not is_alarm else []
        alarms = [still] if still is not None and is_alarm else []
        return NewRows(new, rows_in(outcomes, asked), restated, problems, notes, alarms)


def version_of(trained: TrainedRun) -> str:
    """Name the models of a run by the end of their data and the run's content.

    Raises
    ------
    ConfigError
        When a version wrote it that did not record when its data end.
    """
    last_ts = trained.record.data.last_ts
    if last_ts is None:
        raise ConfigError(f"{trained.run.uri}: run.json does not say when its data end.")
    return version_name(last_ts, trained.content)


def _read(
    run: RunDirectory, records: Sequence[Mapping[str, Any]], name: str, schema: pa.Schema
) -> pa.Table:
    names = [record[name] for record in records if record[name] is not None]
    return pa.concat_tables([schema.empty_table(), *run.read_tables(names)])
