"""``ray-pipeline predict``: score every symbol of a data directory with a run's models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import islice
from typing import Any

from ray_pipeline.calibration.meanings import Meaning, calibrated_columns
from ray_pipeline.config import ExperimentConfig
from ray_pipeline.discovery.choosing import Batch, choose_batch, fingerprint
from ray_pipeline.driving.places import Directory, data_options_for, options_for, require_usable
from ray_pipeline.driving.progress import Reporter
from ray_pipeline.driving.workers import open_executor
from ray_pipeline.errors import ArtifactError, ConfigError, DataError, ExecutionError
from ray_pipeline.execution.protocol import Failed, Outcome
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.inspecting.cross_section import compute_cross_section, needs_cross_section
from ray_pipeline.intervals import parse_interval
from ray_pipeline.panel.loading import TableRequest
from ray_pipeline.panel.reading import PartitionReader
from ray_pipeline.panel.roles import fields_of
from ray_pipeline.predicting.account import (
    RECORD,
    PredictionsFolder,
    open_predictions,
    require_same_options,
)
from ray_pipeline.predicting.doubt import doubt_warnings
from ray_pipeline.predicting.history import require_standings
from ray_pipeline.predicting.models import ScoringReader
from ray_pipeline.predicting.options import AS_IN_THE_RUN, PredictOptions, execution_keys
from ray_pipeline.predicting.outcome import (
    described,
    group_warning,
    replay_summary,
    replay_warning,
    without_meanings,
)
from ray_pipeline.predicting.scoring import scores_schema
from ray_pipeline.predicting.serving import Serving, raw_columns
from ray_pipeline.predicting.times import since_ns
from ray_pipeline.predicting.trained import TrainedRun, open_trained_run
from ray_pipeline.predicting.work import ScoringWork, score_symbols
from ray_pipeline.records import QUESTIONS, SymbolPartition
from ray_pipeline.stages.failures import FailureLedger
from ray_pipeline.storage import RunDirectory, open_filesystem
from ray_pipeline.training.model_checks import check_input
from ray_pipeline.training.models import check_model
from ray_pipeline.wording import agreeing, plural

__all__ = ["predict_panel"]


_N_LOOKED_AT = 5
"""Symbols inspected for the kind of the data, before any work starts."""


def predict_panel(
    run_uri: str,
    data_dir: str,
    out: str,
    reporter: Reporter,
    options: PredictOptions = AS_IN_THE_RUN,
    import_folders: Sequence[str] = (),
    run_options: Mapping[str, Any] | None = None,
) -> Mapping[str, Any]:
    """Score every symbol under a data directory, each with the models of its route.

    In a folder with finished predictions of the same inputs, it does only what is missing.

    Parameters
    ----------
    import_folders
        Additional folders to search for modules with your own features.
    run_options
        fsspec options of the run's store, without secrets.

    Returns
    -------
    Mapping
        Content of ``predictions.json``.

    Raises
    ------
    ArtifactError
        When the run has no usable model, or the data are not what its models were trained on.
    ConfigError, DiscoveryError
        When an option, the data directory or `out` is wrong.
    RunInUseError
        When another process writes to `out`.
    ExecutionError
        When more symbols fail than the config tolerates, or none can be served.
    """
    if options.history and options.in_sample:
        raise ConfigError(
            "--history and --in-sample: both add rows from before the end of the models' training, "
            "one out of sample and the other not. Omit one of them."
        )
    trained = open_trained_run(run_uri, run_options, options.version)
    since = None if options.since is None else since_ns(options.since)
    jobs = trained.jobs_of(options.targets)
    config = _config(trained, data_dir, out, options)
    place = Directory("--out", out, options_for(out, config))
    require_usable(
        place,
        config,
        Directory("--data-dir", data_dir, config.data.storage_options),
        Directory("the run directory", trained.run.uri, trained.run_options),
    )
    batch = choose_batch(config, reporter.listed)
    serving = trained.serving(jobs)
    served = {symbol: serving.of(symbol) for symbol in batch.partitions}
    targets = serving.targets
    raw = raw_columns(jobs, trained.quantiles(jobs))
    meanings = trained.meanings(targets)
    names = {job.job_id for each in served.values() for job in each.jobs}
    scoring = [job for job in jobs if job.job_id in names]
    doubted = {
        job.job_id: trained.doubted[job.job_id] for job in scoring if job.job_id in trained.doubted
    }
    destination = RunDirectory(out, place.options)
    facts = {
        "run": {"uri": trained.run.uri, "content_sha256": trained.content},
        "data": {
            "data_dir": batch.discovery.data_dir,
            "interval": batch.interval,
            "input_fingerprint": fingerprint(batch.partitions),
            "rejected": [asdict(rejection) for rejection in batch.discovery.rejected],
        },
        "since": options.since,
        "symbols_asked": list(options.symbols),
        "history": options.history,
        "in_sample": options.in_sample,
        "targets": list(targets),
        "columns": scores_schema(targets, raw, calibrated_columns(meanings)).names,
        "interval_coverage": config.training.interval_coverage,
        # The models' meanings, by the column of their raw predictions.
        "questions": {job.column: QUESTIONS[job.view] for job in jobs},
        "doubtful": doubted,
        "warnings": [
            *batch.warnings,
            *doubt_warnings(scoring, doubted, trained.doubted_targets, trained.run.uri),
            *([] if meanings else [without_meanings(trained.run.uri)]),
        ],
    }
    if options.history:
        require_standings(trained.run, ", or leave --history out")
    request = _request(trained, config, batch, served, meanings, import_folders)
    pooled = {job.job_id for each in served.values() for job in each.jobs if job.is_pooled}
    seals = trained.seals_of(job for each in served.values() for job in each.jobs)
    for job_id in sorted(pooled):
        # The user hears about a model that serves all symbols once, before any work starts.
        check_model(trained.run, job_id, seals.get(job_id))
    work = ScoringWork(
        trained, batch, served, seals, request, targets, raw, meanings, since, options
    )
    if not options.replace:
        require_same_options(destination, facts)
    with open_predictions(destination, facts, reporter.say) as folder:
        _score(work, config, destination, folder, reporter)
    return folder.record


def _score(
    work: ScoringWork,
    config: ExperimentConfig,
    out: RunDirectory,
    folder: PredictionsFolder,
    reporter: Reporter,
) -> None:
    """Run the units, and record the outcome of every symbol in ``predictions.json``."""
    symbols = work.served_symbols
    compared = _compared(work, config, reporter)
    ledger = FailureLedger(
        list(dict.fromkeys((*symbols, *compared))),
        config.execution.max_failed_fraction,
        f"{RECORD} has them all",
    )

    def told(outcome: Outcome, n_done: int, n_total: int) -> None:
        folder.check()
        reporter.outcome(outcome, n_done, n_total)

    def failed(failures: Sequence[Failed]) -> None:
        folder.add_failures(failures)
        ledger.add(failures)

    with open_executor(config, out, reporter, reader=ScoringReader) as executor:
        runner = UnitRunner(executor, out.units, told, failed, reporter.say)
        request, members = work.request, work.trained.members
        if compared:
            request = compute_cross_section(runner, out, compared, request, members)
            if request.cross_section and request.cross_section.warning:
                folder.record["warnings"].append(request.cross_section.warning)
        scored = score_symbols(runner, work, request)
        units = [unit for unit in work.units(scored) if unit.key not in ledger.quarantined]
        folder.begin(units, scored.digests)
        written = runner.run(units)
    ledger.healthy(dict.fromkeys(symbols))
    records = {symbol: {**scored.records[symbol], **each} for symbol, each in written.items()}
    names = {unit.key: unit.spec.name for unit in units}
    replayed = replay_summary(records)
    folder.record |= described(work.served, records, names) | {"replay": replayed}
    fewer = bool(request.cross_section and request.cross_section.warning)
    if warning := replay_warning(replayed, fewer_compared=fewer):
        folder.record["warnings"].append(warning)
    if warning := group_warning(records, request.group):
        folder.record["warnings"].append(warning)
    for text in folder.record["warnings"]:
        reporter.say(f"warning: {text}")
    folder.finish("done")


def _compared(
    work: ScoringWork, config: ExperimentConfig, reporter: Reporter
) -> dict[str, SymbolPartition]:
    """Return the symbols whose bars cross-sectional features need, if any.

    These are all of the run's symbols with data here, even if only a few of them are scored.
    """
    if not needs_cross_section(work.request):
        return {}
    everyone = work.batch
    if config.data.symbols:
        data = config.data.model_copy(update={"symbols": ()})
        everyone = choose_batch(config.model_copy(update={"data": data}), reporter.listed)
    wanted = {*work.served_symbols, *work.trained.members}
    partitions = {**work.batch.partitions, **everyone.partitions}
    return {symbol: found for symbol, found in sorted(partitions.items()) if symbol in wanted}


def _config(
    trained: TrainedRun, data_dir: str, out: str, options: PredictOptions
) -> ExperimentConfig:
    """Return the run's config with the new data, for discovery and the executor."""
    config = trained.config
    if (
        options.interval
        and trained.interval
        and parse_interval(options.interval) != parse_interval(trained.interval)
    ):
        raise ArtifactError(
            f"--interval {options.interval}: the models of {trained.run.uri} were trained at "
            f"interval={trained.interval}. Give data at that interval."
        )
    if options.n_workers is not None and options.n_workers < 0:
        raise ConfigError(f"--n-workers {options.n_workers}: 0 or more are needed.")
    execution = execution_keys(options.n_workers, options.address)
    data = {
        "data_dir": data_dir,
        "interval": options.interval or trained.interval,
        "layout": config.data.layout if options.layout is None else options.layout or None,
        "symbols": tuple(options.symbols),
        "symbol_batch_size": None,
        "storage_options": data_options_for(data_dir, config),
    }
    return config.model_copy(
        update={
            "data": config.data.model_copy(update=data),
            "execution": config.execution.model_copy(update=execution),
            "output": config.output.model_copy(update={"run_dir": out}),
        }
    )


def _request(
    trained: TrainedRun,
    config: ExperimentConfig,
    batch: Batch,
    served: Mapping[str, Serving],
    meanings: Sequence[Meaning],
    import_folders: Sequence[str],
) -> TableRequest:
    """Return the request for the symbols' tables: all features of all models that serve one.

    Also the labels of targets with calibrated scores, because calibration follows outcomes.

    Raises
    ------
    ExecutionError
        When no model serves any of them.
    ArtifactError
        When the data are labeled and bars are needed, or the other way round, as far as the first
        symbols tell.
    """
    if not any(each.jobs for each in served.values()):
        symbol, first = next(iter(served.items()))
        raise ExecutionError(
            f"{plural(len(served), 'symbol')}, and no model serves "
            f"{agreeing(len(served), 'it', 'any of them')}. The first, {symbol}: "
            f"{'; '.join(first.notes)}."
        )
    features = dict.fromkeys(name for each in served.values() for name in each.features)
    request = trained.request(tuple(features), import_folders)
    request = replace(request, targets=tuple(meaning.target for meaning in meanings))
    needed = fields_of(request.kind) or request.features
    fs, _ = open_filesystem(config.data.data_dir, config.data.storage_options)
    refusal: ArtifactError | None = None
    for symbol, partition in islice(batch.partitions.items(), _N_LOOKED_AT):
        try:
            with PartitionReader(partition, fs, request.rules) as reader:
                columns = [name for name, _ in reader.columns]
            check_input(request.kind, needed, columns, f"symbol {symbol}")
        except DataError:
            continue  # its unit will say so
        except ArtifactError as error:
            # A single symbol may be at fault, which its unit will report, and not all of the data.
            refusal = refusal or error
        else:
            return request
    if refusal is not None:
        raise refusal
    return request
