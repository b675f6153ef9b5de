"""Scoring new rows as units of work, in blocks of symbols, with the outcomes of earlier ones."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.bars.clock import find_clock, reach_of_labels
from ray_pipeline.bars.horizons import resolve_horizon
from ray_pipeline.calibration.scores import score_column
from ray_pipeline.errors import ArtifactError, DataError
from ray_pipeline.execution.artifacts import table_name
from ray_pipeline.identity import Identity
from ray_pipeline.inspecting.digests import digest_of_months, monthly_digests
from ray_pipeline.ledger.ledger import MEANINGS, OUTCOMES, PREDICTIONS
from ray_pipeline.panel.cross_section import base_of, is_cross_sectional
from ray_pipeline.panel.loading import TableRequest
from ray_pipeline.panel.membership import members_at
from ray_pipeline.panel.newest_flaws import NewestFlaw
from ray_pipeline.panel.table import SymbolTable
from ray_pipeline.predicting.models import ScoringReader
from ray_pipeline.predicting.scoring import N_UNUSUAL, UNUSUAL, score_table, scores_schema
from ray_pipeline.predicting.units import check_table
from ray_pipeline.records import SymbolPartition
from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.served_jobs import ServedJob
from ray_pipeline.wording import plural

__all__ = ["BLOCK", "ScoreSpec", "SymbolWork", "score_block"]

BLOCK = 16
"""Symbols per unit: a day of one is a single row."""


@dataclass(frozen=True, slots=True)
class SymbolWork:
    """A symbol to score.

    Attributes
    ----------
    jobs
        What serves it.
    rows_sha256
        Digest of the rows on which the models were trained; None if the run has none.
    """

    partition: SymbolPartition
    jobs: tuple[ServedJob, ...]
    features: tuple[str, ...]
    rows_sha256: str | None


@dataclass(frozen=True, slots=True)
class ScoreSpec:
    """Symbols to score.

    Attributes
    ----------
    request
        All features of all of them, and the targets.
    digest
        What the digests of rows cover; None if the run has none.
    run_uri, run_options, seals, families, raw, interval
        As of `ray_pipeline.predicting.units.PredictSpec`.
    from_ns
        Rows before this time are not scored.
    outcomes_ns
        Outcomes of predictions from this time on are requested.
    horizons
        Rows that each target's label looks ahead, if the files hold labels.
    until_ns
        Rows from this time on were not used to train the models.
    version
        Of the models.
    """

    symbols: tuple[SymbolWork, ...]
    request: TableRequest
    digest: TableRequest | None
    run_uri: str
    run_options: Mapping[str, Any]
    seals: Mapping[str, str]
    families: tuple[Identity, ...]
    raw: tuple[str, ...]
    interval: str | None
    from_ns: int
    outcomes_ns: int
    until_ns: int
    version: str
    horizons: tuple[tuple[str, int], ...] = ()


def score_block(reader: ScoringReader, spec: ScoreSpec) -> dict[str, Any]:
    """Score some symbols, and collect outcomes of earlier predictions (unit function).

    A symbol that cannot be scored does not affect the others.

    Returns
    -------
    dict
        Names of the tables of predictions, of outcomes, and of the months of symbols whose rows
        are not those that the models were made of; by symbol, why it could not be scored, how
        many rows before those that are scored could have been, and what is wrong with its bars.
    """
    predictions, outcomes = [PREDICTIONS.empty_table()], [OUTCOMES.empty_table()]
    months: list[pa.Table] = []
    problems: dict[str, str] = {}
    n_earlier: dict[str, int] = {}
    flaws: dict[str, list[list[Any]]] = {}
    for work in spec.symbols:
        symbol = work.partition.symbol
        try:
            restated = _restated(reader, work, spec)
            found = _scored(reader, work, spec)
            n_earlier[symbol] = found[2]
            flaws[symbol] = [list(each) for each in found[3]]
        except (ArtifactError, DataError) as error:
            problems[symbol] = str(error)
            continue
        months += [] if restated is None else [restated]
        predictions.append(found[0])
        outcomes.append(found[1])
    names = {}
    for name, tables in (("predictions", predictions), ("outcomes", outcomes), ("months", months)):
        names[name] = table_name(name) if tables else None
        if tables:
            reader.run.write_table(table_name(name), pa.concat_tables(tables))
    return {**names, "problems": problems, "n_earlier": n_earlier, "flaws": flaws}


def _restated(reader: ScoringReader, work: SymbolWork, spec: ScoreSpec) -> pa.Table | None:
    """Return the months of a symbol whose rows differ from those used in training."""
    if spec.digest is None or work.rows_sha256 is None:
        return None
    months = monthly_digests(work.partition, reader.fs, spec.digest)
    return None if digest_of_months(months) == work.rows_sha256 else months


def _scored(
    reader: ScoringReader, work: SymbolWork, spec: ScoreSpec
) -> tuple[pa.Table, pa.Table, int, tuple[NewestFlaw, ...]]:
    run = RunDirectory(spec.run_uri, spec.run_options)
    models = {job.job_id: reader.models.get(run, job.job_id, spec.seals) for job in work.jobs}
    for job in work.jobs:
        job.check(models[job.job_id].metadata, run.uri)
    request = replace(spec.request, features=work.features, judged_ns=spec.from_ns)
    table = reader.table(work.partition, request)
    check_table(table, spec.request, spec.interval)
    targets = tuple(dict.fromkeys(job.target for job in work.jobs))
    schema = scores_schema(targets, spec.raw, is_grouped=spec.request.group is not None)
    scores = score_table(table, work.jobs, models, schema, spec.from_ns, in_sample=False)
    if scores.first_row >= table.n_rows:
        raise DataError(
            f"symbol {table.symbol}: none of its {plural(table.n_rows, 'row')} can be predicted "
            f"yet: features look back further, and the first that can be is row "
            f"{scores.first_row + 1}."
        )
    rows = _with_membership(scores.table, work.partition)
    predicted = [
        _ledger_rows(rows, target, [job for job in work.jobs if job.target == target], spec, table)
        for target in targets
    ]
    known = [OUTCOMES.empty_table()]
    horizons = dict(spec.horizons)
    known += [
        _known(table, name, spec.request, spec.outcomes_ns, horizons.get(name)) for name in targets
    ]
    is_earlier = (table.time_ns >= spec.until_ns) & (table.time_ns < spec.from_ns)
    is_earlier[: scores.first_row] = False
    inside = members_at(work.partition.membership, table.time_ns)
    n_earlier = np.count_nonzero(is_earlier if inside is None else is_earlier & inside)
    return pa.concat_tables(predicted), pa.concat_tables(known), int(n_earlier), table.flaws


def _with_membership(scores: pa.Table, partition: SymbolPartition) -> pa.Table:
    """Keep the rows at which the symbol belongs to the universe."""
    inside = members_at(partition.membership, _times(scores))
    return scores if inside is None else scores.filter(pa.array(inside))


def _times(table: pa.Table) -> NDArray[np.int64]:
    times: NDArray[np.int64] = table.column("ts").cast(pa.int64()).to_numpy()
    return times


def _ledger_rows(
    scores: pa.Table,
    target: str,
    jobs: Sequence[ServedJob],
    spec: ScoreSpec,
    table: SymbolTable,
) -> pa.Table:
    """Return a symbol's scores of one target as rows of the ledger."""
    n_rows = scores.num_rows
    rows = np.searchsorted(table.time_ns, _times(scores))
    inputs = [hashlib.sha256(table.features[row].tobytes()).hexdigest()[:32] for row in rows]
    columns = {
        "ts": scores.column("ts"),
        "symbol": pa.repeat(table.symbol, n_rows),
        "target": pa.repeat(target, n_rows),
        "view": pa.repeat("+".join(dict.fromkeys(job.view for job in jobs)), n_rows),
        "job_id": pa.repeat("+".join(job.job_id for job in jobs), n_rows),
        "version": pa.repeat(spec.version, n_rows),
        "score": scores.column(score_column(target)),
        **dict.fromkeys(MEANINGS, pa.nulls(n_rows, pa.float64())),
        "prediction": scores.column(jobs[0].column),
        "n_unusual": scores.column(N_UNUSUAL),
        "unusual": scores.column(UNUSUAL),
        "inputs_sha256": pa.array(inputs, pa.string()),
    }
    return pa.table(columns).select(PREDICTIONS.names).cast(PREDICTIONS)


def _known(
    table: SymbolTable,
    target: str,
    request: TableRequest,
    from_ns: int,
    horizon_bars: int | None = None,
) -> pa.Table:
    """Return the labels of a symbol from a time on, as far as they are known.

    A label in the files counts as known only after its horizon in rows, no matter when it was
    written: so days that arrive one by one give the same result as days that arrive together.

    Parameters
    ----------
    horizon_bars
        Horizon of such a label; None if the run does not have it; then it is unknown when the label
        became known.
    """
    labels = table.targets[:, table.target_names.index(target)]
    is_known = (table.time_ns >= from_ns) & np.isfinite(labels)
    if request.kind == "labeled" and horizon_bars is not None:
        is_known[max(table.n_rows - horizon_bars, 0) :] = False
    rows = np.flatnonzero(is_known)
    kind = OUTCOMES.field("known_ts").type
    known = pa.nulls(len(rows), kind)
    if request.kind == "labeled":
        if horizon_bars is not None:
            known = pa.array(table.time_ns[rows + horizon_bars], kind)
    else:
        name = base_of(target) if is_cross_sectional(target) else target
        horizon = resolve_horizon(name, request.interval, {})
        reach = reach_of_labels(table.time_ns, horizon, find_clock(table.time_ns, request.interval))
        known = pa.array(table.time_ns[reach.rows[rows]], kind, mask=reach.rows[rows] < 0)
    columns = {
        "ts": pa.array(table.time_ns[rows], OUTCOMES.field("ts").type),
        "symbol": pa.repeat(table.symbol, len(rows)),
        "target": pa.repeat(target, len(rows)),
        "known_ts": known,
        "actual": pa.array(labels[rows]),
    }
    return pa.table(columns).cast(OUTCOMES)
