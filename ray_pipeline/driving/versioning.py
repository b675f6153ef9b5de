"""The last step of a run: its models become a version, which serves or not."""

from __future__ import annotations

from collections.abc import Callable

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.driving.registry import follow_versions
from ray_pipeline.errors import ArtifactError, ConfigError, DiscoveryError, StorageError
from ray_pipeline.report import write_report
from ray_pipeline.results.opening import open_run
from ray_pipeline.results.reading import Results
from ray_pipeline.results.tables import REPORT
from ray_pipeline.results.version_documents import DecisionRecord, EventKind, VersionRecord
from ray_pipeline.storage import RunDirectory
from ray_pipeline.storage.replacing import result_place
from ray_pipeline.versions.changing import change_version
from ray_pipeline.versions.kept import keep_version, name_of_result, version_place
from ray_pipeline.versions.serving import (
    finish_change,
    note_event,
    promote,
    read_journal,
    remove_beyond,
    who_is_here,
    write_decision,
)

__all__ = ["adopt_result", "publish_version", "serve_version"]


def adopt_result(run: RunDirectory, say: Callable[[str], None]) -> str | None:
    """Make a version of the existing result, if none was ever kept.

    Earlier versions of ray_pipeline kept none, and neither did a run that was killed at its very
    end.

    Returns
    -------
    str or None
        The result's name as a version; None if there is none, or it cannot be read.
    """
    place = result_place(run)
    try:
        if finish_change(run) is not None:
            return name_of_result(Results(place))
        record = keep_version(run, place)
    except (ArtifactError, ConfigError, StorageError) as error:
        say(f"warning: the existing result cannot be kept as a version: {error}")
        return None
    if record is not None:
        promote(run, record.version, who_is_here(), "the first version", is_new=True)
    return None if record is None else record.version


def publish_version(
    run: RunDirectory,
    config: ExperimentConfig,
    decision: DecisionRecord | None,
    stood: str | None,
    say: Callable[[str], None],
) -> VersionRecord | None:
    """Keep the result that was just published as a version, and let it serve if so decided.

    A version is kept only once, and nothing is decided again for a result that existed before, so a
    person's later choice stays. The caller holds the lease.

    Parameters
    ----------
    decision
        Whether it replaces the serving version; None if there is none.
    stood
        Name, as a version, of the result that this one replaced.

    Returns
    -------
    VersionRecord or None
        None if nothing was trained.
    """
    who, record = who_is_here(), keep_version(run, run)
    current = finish_change(run)
    if record is None:
        if current is not None:
            say(f"nothing was trained: version {current.version} goes on serving")
        return None
    name = record.version
    if current is None:
        promote(run, name, who, "the first version", is_new=True)
        say(f"version {name} serves: it is the first")
    elif current.version != name:
        if stood == name and any(event.version == name for event in read_journal(run)):
            say(f"version {current.version} serves; {name} is not new")
        else:
            _decide(run, config, name, decision, current.version, who, say)
    for gone in remove_beyond(run, config.output.keep_versions, who):
        say(f"version {gone} was removed: output.keep_versions={config.output.keep_versions}")
    return record


def _decide(
    run: RunDirectory,
    config: ExperimentConfig,
    name: str,
    decision: DecisionRecord | None,
    over: str,
    who: str,
    say: Callable[[str], None],
) -> None:
    if decision is None or decision.over != over:
        decision = DecisionRecord(
            over=over,
            promoted=config.training.promote != "never",
            rule=config.training.promote,
            why="no evidence for or against it: it was not compared with the version that serves",
            evidence="none",
        )
    if decision.promoted:
        write_decision(run, name, decision)
        promote(run, name, who, decision.why, is_new=True)
        say(f"version {name} serves instead of {over}: {decision.why}")
        return
    kind: EventKind = "held" if decision.rule == "never" else "rejected"
    write_decision(run, name, decision)
    note_event(run, kind, name, over, who, decision.why)
    say(f"version {over} goes on serving, and {name} is kept: {decision.why}")


def serve_version(
    uri: str, version: str | None, why: str | None, say: Callable[[str], None]
) -> None:
    """Make another version serve, in MLflow too; None: the one that served before.

    Raises
    ------
    ArtifactError, ConfigError, RunInUseError
        As `ray_pipeline.versions.changing.change_version`.
    """
    current = change_version(uri, version, why, say)
    run = RunDirectory(uri)
    config = Results(version_place(run, current.version)).config()
    problem = follow_versions(run, config)
    if problem is not None:
        say(f"warning: {problem}")
    try:
        write_report(open_run(uri).files, run)  # which says which version serves
    except (ConfigError, DiscoveryError, StorageError) as error:
        say(
            f"warning: {REPORT} still tells of the version that served before: {error} Then "
            f"`ray-pipeline report {uri}` writes it again."
        )
