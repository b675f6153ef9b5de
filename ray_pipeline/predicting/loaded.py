"""A run's models in Python: load the run, pass a symbol's table, get its scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ray_pipeline.calibration.meanings import calibrated_columns
from ray_pipeline.errors import ArtifactError, DataError
from ray_pipeline.ledger.ledger import PredictionLedger
from ray_pipeline.panel.cross_section import is_cross_sectional
from ray_pipeline.panel.loading import symbol_table_of
from ray_pipeline.panel.naming import name_columns
from ray_pipeline.panel.roles import fields_of
from ray_pipeline.predicting.memory import LearnedMeanings
from ray_pipeline.predicting.models import ModelCache
from ray_pipeline.predicting.scoring import known_from, score_table, scores_schema
from ray_pipeline.predicting.serving import Serving, raw_columns
from ray_pipeline.predicting.times import since_ns
from ray_pipeline.predicting.trained import TrainedRun, open_trained_run
from ray_pipeline.predicting.units import (
    check_table,
    columns_read,
    later_outcomes,
    with_meanings,
)
from ray_pipeline.training.model_checks import check_columns, check_input
from ray_pipeline.training.models import TrainedModel
from ray_pipeline.wording import iso_time

__all__ = ["LoadedRun", "load_run"]


def load_run(
    uri: str, storage_options: Mapping[str, Any] | None = None, version: str | None = None
) -> LoadedRun:
    """Open a finished run to use its models.

    Models are read and checked when first needed: their checksums, whether the run trained them,
    and the library versions that wrote them.

    Parameters
    ----------
    uri
        The run directory: a local path or an fsspec URI.
    storage_options
        fsspec options of its store, without secrets.
    version
        The version of its models, from those listed by ``ray-pipeline versions``; None: the one
        that serves.

    Raises
    ------
    DiscoveryError
        When there is no run.
    ArtifactError
        When it is not done, trained nothing, or has a pooled model of another run.
    ConfigError
        When it has no such version.

    Examples
    --------
    >>> run = ray_pipeline.load_run("runs/us_equities_daily")  # doctest: +SKIP
    >>> run.targets  # doctest: +SKIP
    ('fwd_ret_5d', 'y_will_peak_10d_1.0')
    >>> scores = run.predict(bars, symbol="AAPL")  # doctest: +SKIP
    >>> scores.column_names[:3]  # doctest: +SKIP
    ['ts', 'in_sample', 'fwd_ret_5d__score']
    """
    return LoadedRun(open_trained_run(uri, storage_options, version))


class LoadedRun:
    """The models of a finished run; returned by `load_run`.

    Parameters
    ----------
    trained
        What the run says about its models.
    """

    def __init__(self, trained: TrainedRun) -> None:
        self._trained = trained
        self._serving = trained.serving(trained.jobs)
        self._models = ModelCache()
        self._meanings = LearnedMeanings(trained)
        self._quantiles = trained.quantiles(trained.jobs)

    @property
    def targets(self) -> tuple[str, ...]:
        """Targets that have a model, strongest first."""
        return self._trained.targets

    @property
    def doubtful(self) -> Mapping[str, str]:
        """Why models are doubtful, by job; empty if no target is doubtful."""
        return self._trained.doubted

    def serving(self, symbol: str) -> Serving:
        """Return the jobs that serve a symbol, its routes, and notes on what is not predicted."""
        return self._serving.of(symbol)

    def features(self, target: str, symbol: str) -> tuple[str, ...]:
        """Return the features needed to predict a target of a symbol.

        Raises
        ------
        ConfigError
            When the target has no model.
        """
        self._trained.jobs_of([target])
        jobs = [job for job in self.serving(symbol).jobs if job.target == target]
        return tuple(dict.fromkeys(name for job in jobs for name in job.features))

    def model(self, job_id: str) -> TrainedModel:
        """Return a model, checked and ready to predict.

        Raises
        ------
        ArtifactError
            When there is no such model, or it cannot be used here.
        """
        jobs = {job.job_id: job for job in self._trained.jobs}
        if job_id not in jobs:
            raise ArtifactError(
                f"{self._trained.run.uri} has no model {job_id!r}; it has "
                f"{', '.join(job.job_id for job in self._trained.jobs[:5])} and so on, one per "
                "folder of models/."
            )
        model = self._models.get(self._trained.run, job_id, self._trained.seals or {})
        for each in (model, *model.members):
            jobs[each.job_id].check(each.metadata, self._trained.run.uri)
        return model

    def predict(
        self,
        table: Any,
        symbol: str,
        targets: Sequence[str] = (),
        since: str | None = None,
        *,
        in_sample: bool = False,
    ) -> pa.Table:
        """Score a table of one symbol, by the same code as ``ray-pipeline predict``.

        Parameters
        ----------
        table
            Labeled, bars or a series, like the run's data. A `pyarrow.Table`, or anything that
            provides Arrow columns, such as a pandas or polars data frame; a pandas index counts as
            a column if it has a name. Rows may be in any order.
        symbol
            The symbol of the table, which decides which models serve it.
        targets
            Score only these; none: all.
        since
            Leave out rows before this time.
        in_sample
            Also score rows whose labels the models learned from, which no backtest may use.

        Returns
        -------
        pyarrow.Table
            ``ts`` (UTC), ``in_sample``, for each target ``<target>__score``: the rank of the
            prediction, in [0, 1], which is not a probability; what that meant in the run and in
            this table, from the outcomes known before each row: ``<target>__prob`` of binary
            targets, ``<target>__expected`` of others and, of real values, ``<target>__low`` and
            ``<target>__high``; and for each model a column with its raw prediction:
            ``<target>__pooled__<family>`` or ``<target>__own__<family>``. It begins with the first
            row that can be predicted, and without `in_sample` at `known_from`. If the run compared
            symbols within groups, ``group`` is that of the row by the table's column, if it has
            one: rank predictions among those of one time and group.

        Raises
        ------
        ArtifactError
            When the models cannot be used, on this table or here, or none serves the symbol.
        DataError
            When the table cannot be used: times or columns that cannot be read.
        """
        jobs = self._trained.jobs_of(targets)
        wanted = {job.job_id for job in jobs}
        serving = self.serving(symbol)
        serving = Serving(
            symbol,
            tuple(job for job in serving.jobs if job.job_id in wanted),
            serving.routes,
            serving.notes,
        )
        if not serving.jobs:
            raise ArtifactError(f"no model serves symbol {symbol}: {'; '.join(serving.notes)}.")
        columns = _as_table(table, symbol)
        models = {job.job_id: self.model(job.job_id) for job in serving.jobs}
        wanted_targets = tuple(dict.fromkeys(job.target for job in jobs))
        meanings = self._trained.meanings(wanted_targets)
        request = self._trained.request(serving.features)
        # Labels that compare symbols cannot be computed from one table.
        labels = [each.target for each in meanings if not is_cross_sectional(each.target)]
        request = replace(request, targets=tuple(labels))
        given = list(name_columns(columns.column_names, dict(request.rules.columns), symbol).own)
        self._check(given, serving, models, columns_read(request))
        symbol_table = symbol_table_of(columns, symbol, request)
        check_table(symbol_table, request, self._trained.interval)
        raw, is_grouped = raw_columns(jobs, self._quantiles), request.group is not None
        schema = scores_schema(wanted_targets, raw, is_grouped=is_grouped)
        scores = score_table(symbol_table, serving.jobs, models, schema, None, in_sample=in_sample)
        told = []
        for meaning in meanings:
            if any(job.target == meaning.target for job in serving.jobs):
                later = later_outcomes(symbol_table, scores, meaning, self._trained.until_ns)
                told.append(self._meanings.of(meaning, symbol, serving.jobs, later))
        names = calibrated_columns(meanings)
        schema = scores_schema(wanted_targets, raw, names, is_grouped=is_grouped)
        found = with_meanings(scores.table, told, schema)
        if since is None:
            return found
        return found.filter(pc.greater_equal(found["ts"].cast(pa.int64()), since_ns(since)))

    def ledger(self) -> pa.Table:
        """Return what ``update`` predicted, row by row and when, with the outcomes.

        Returns
        -------
        pyarrow.Table
            ``ts``, ``symbol``, ``target``, ``score``, ``prediction``, the models and their version,
            ``inputs_sha256`` of the features, ``made_at``; ``actual`` and ``known_ts`` are null
            until the label is known. Sorted by time, symbol and target; empty if nothing was
            updated yet.

        Raises
        ------
        DamagedFileError
            When the ledger is not as it was written.
        """
        return PredictionLedger(self._trained.home).table()

    def known_from(self, symbol: str) -> str:
        """Return when the last label that the symbol's models learned from became known.

        Rows from then on are predicted out of sample.
        """
        jobs = self.serving(symbol).jobs
        if not jobs:
            raise ArtifactError(f"no model serves symbol {symbol}.")
        return iso_time(known_from([self.model(job.job_id) for job in jobs]))

    def _check(
        self,
        columns: Sequence[str],
        serving: Serving,
        models: Mapping[str, TrainedModel],
        read: Sequence[str] | None,
    ) -> None:
        kind = self._trained.record.data.kind
        needed = fields_of(kind) or serving.features
        check_input(kind, needed, columns, f"symbol {serving.symbol}")
        for model in models.values():
            check_columns(model.metadata, columns, serving.symbol, read)
        if kind == "labeled":
            return
        across = [name for name in serving.features if is_cross_sectional(name)]
        if across:
            raise ArtifactError(
                f"{across[0]} is computed of all symbols at a timestamp, and a table of symbol "
                f"{serving.symbol} alone does not give it. Use `ray-pipeline predict`, which reads "
                "every symbol."
            )


def _as_table(table: Any, symbol: str) -> pa.Table:
    try:
        return pa.table(table)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"symbol {symbol}: no table can be made of a {type(table).__name__} ({error}). Give a "
            "pyarrow.Table, or a data frame of pandas or polars."
        ) from error
