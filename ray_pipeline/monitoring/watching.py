"""Monitoring of one run: read, judge, write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ray_pipeline.errors import ArtifactError, ConfigError, DiscoveryError, StorageError
from ray_pipeline.ledger.ledger import PredictionLedger
from ray_pipeline.monitoring.drifting import FeatureSample, drift_notices, drift_rows
from ray_pipeline.monitoring.gaps import gap_notices
from ray_pipeline.monitoring.judging import chosen_above, judge
from ray_pipeline.monitoring.live_figures import live_figures
from ray_pipeline.monitoring.page import render_monitoring
from ray_pipeline.monitoring.records import (
    DriftRow,
    LiveFigure,
    Monitoring,
    Notice,
    SkillPoint,
    WatchedRow,
)
from ray_pipeline.monitoring.sampling import sample_features
from ray_pipeline.monitoring.series import JobFacts, TargetFacts, model_series
from ray_pipeline.predicting.times import since_ns
from ray_pipeline.predicting.trained import TrainedRun, open_trained_run
from ray_pipeline.results.reading import Results
from ray_pipeline.results.tables import CALIBRATION, PREDICTIONS
from ray_pipeline.stages.writing import rows_table
from ray_pipeline.storage import may_hold
from ray_pipeline.wording import iso_time, plural

__all__ = ["DRIFT", "FIGURES", "HISTORY", "MONITOR_PAGE", "NOTICES", "SKILL", "monitor_run"]

MONITOR_PAGE = "monitor.html"
SKILL = "monitoring/skill.parquet"
FIGURES = "monitoring/calibration.parquet"
HISTORY = "monitoring/history.parquet"
DRIFT = "monitoring/drift.parquet"
NOTICES = "monitoring/notices.parquet"

_COLUMNS = ("ts", "symbol", "target", "view", "family", "actual", "standing", "group")


def monitor_run(
    run_uri: str, since: str | None = None, import_folders: Sequence[str] = ()
) -> Monitoring:
    """Compare a run's live predictions with what it promised, and write its tables and page.

    Parameters
    ----------
    since
        Monitor only from this time on, e.g. after acting on an alarm; None: all live predictions.
    import_folders
        Where modules with features of your own are looked for too.

    Raises
    ------
    DiscoveryError, ArtifactError, DamagedFileError, ConfigError
        When there is no run, or none with models, or a file of it is damaged.
    """
    trained = open_trained_run(run_uri)
    begins = None if since is None else since_ns(since)
    found = monitored(trained, PredictionLedger(trained.home).table(), begins, import_folders)
    run = trained.home
    for name, kind, rows in (
        (SKILL, WatchedRow, found.skills),
        (HISTORY, SkillPoint, found.history),
        (DRIFT, DriftRow, found.drift),
        (NOTICES, Notice, found.notices),
        (FIGURES, LiveFigure, found.figures),
    ):
        run.write_table(name, rows_table(kind, rows))
    run.write_text(MONITOR_PAGE, render_monitoring(found))
    return found


def monitored(
    trained: TrainedRun,
    ledger: pa.Table,
    since: int | None = None,
    import_folders: Sequence[str] = (),
) -> Monitoring:
    """Judge live predictions; writes nothing.

    Parameters
    ----------
    ledger
        As for `model_series` and `gap_notices`.
    since
        Nanoseconds since 1970; None: all live predictions.
    """
    results = Results(trained.run)
    if since is not None:
        ledger = ledger.filter(pc.greater_equal(ledger["ts"].cast(pa.int64()), since))
    name = results.record.name
    if not ledger.num_rows:
        return Monitoring(trained.home.uri, name, None, (), (), (), ())
    rows = results.target_rows() or ()
    config = trained.config
    series = model_series(
        ledger,
        lambda target: _walk_forward(trained, target),
        {job.job_id: JobFacts(job.view, job.family) for job in trained.jobs},
        {row.target: TargetFacts(row.task, row.horizon_bars) for row in rows},
        config.target_ranking.min_cs,
    )
    n_families = len(config.target_ranking.families)
    skills, history = judge(series, chosen_above(rows, config.target_ranking.alpha, n_families))
    first, last = _range(ledger)
    sample, notices = _sampled(trained, ledger, first, import_folders)
    drift = drift_rows(series, sample)
    return Monitoring(
        run=trained.home.uri,
        name=name,
        last_ts=iso_time(last),
        skills=skills,
        history=history,
        drift=drift,
        notices=[
            *gap_notices(ledger, {symbol for _, symbol in _routed(trained)}),
            *drift_notices(drift, sample),
            *notices,
        ],
        figures=live_figures(ledger, trained.meanings(trained.targets), _calibration(results)),
    )


def _calibration(results: Results) -> list[dict[str, Any]]:
    """Return the run's walk-forward figures; nothing for a version that did not measure them."""
    table = results.table(CALIBRATION)
    return [] if table is None else list(table.to_pylist())


def _walk_forward(trained: TrainedRun, target: str) -> pa.Table:
    """Read the out-of-sample predictions of a target, and only row groups that may have it.

    Raises
    ------
    ArtifactError
        When a version before 0.5.0 wrote them, which recorded no standings.
    """
    with trained.run.open_table(PREDICTIONS) as file:
        there = file.schema_arrow.names
        if "standing" not in there:
            raise ArtifactError(
                f"{trained.run.uri}/{PREDICTIONS} does not say where its predictions stand: a "
                "version before 0.5.0 wrote it. Run again with this one."
            )
        columns = [name for name in _COLUMNS if name in there]
        pieces = [
            rows.filter(pc.equal(rows["target"], target))
            for group in range(file.metadata.num_row_groups)
            if may_hold(file, group, "target", target)
            for rows in [file.read_row_group(group, columns=columns)]
        ]
        return pa.concat_tables(pieces or [file.schema_arrow.empty_table().select(columns)])


def _range(ledger: pa.Table) -> tuple[int, int]:
    found = pc.min_max(ledger["ts"].cast(pa.int64())).as_py()
    return int(found["min"]), int(found["max"])


def _routed(trained: TrainedRun) -> list[tuple[str, str]]:
    """Return targets and symbols served by a model."""
    return [
        (target, symbol)
        for (target, symbol), route in trained.routes.items()
        if target in trained.targets and route not in ("BLOCKED", "EXPERIMENTAL_ONLY")
    ]


def _sampled(
    trained: TrainedRun, ledger: pa.Table, first: int, import_folders: Sequence[str]
) -> tuple[FeatureSample | None, list[Notice]]:
    """Read features, or say why not: skills are still judged without them."""
    symbols = ledger["symbol"].unique().to_pylist()
    to_do = "Give the data back, or mend data.data_dir; skills are judged without them."
    try:
        sample = sample_features(trained, symbols, first, import_folders)
    except (ConfigError, DiscoveryError, StorageError) as error:
        text = f"drift of features was not looked at: {str(error).rstrip('.')}"
        return None, [Notice("not looked at", "features", None, text, to_do)]
    if sample is None:
        text = "drift of features was not looked at: no symbol's file could be read"
        return None, [Notice("not looked at", "features", None, text, to_do, is_alarm=True)]
    if sample.n_left_out:
        n = sample.n_symbols + sample.n_left_out
        text = f"{sample.n_left_out} of {plural(n, 'symbol')} looked at could not be read"
        return sample, [Notice("not looked at", "features", None, text, "See their files.")]
    return sample, []
