"""``ray-pipeline versions``: list the versions, or change which one serves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ray_pipeline.errors import ConfigError
from ray_pipeline.records import VIEW_NAMES
from ray_pipeline.results.opening import open_run
from ray_pipeline.results.version_documents import ComparedRecord, CurrentVersion
from ray_pipeline.storage import RunDirectory
from ray_pipeline.storage.lease import DriverLease
from ray_pipeline.versions.kept import kept_versions
from ray_pipeline.versions.serving import (
    Standing,
    finish_change,
    promote,
    roll_back,
    standings,
    who_is_here,
)
from ray_pipeline.versions.told import compared_line
from ray_pipeline.wording import plural, some_of

__all__ = ["change_version", "list_versions", "version_lines"]

SKILL_SERVED = (
    "skill: of the walk-forward; of several families that of their rank_average, which is what is "
    "served, or without one the mean over the jobs; of own models the mean over symbols"
)

_AT_MOST = 3


def list_versions(uri: str) -> dict[str, Any]:
    """Return the versions of a run directory, that of the newest data first.

    Raises
    ------
    DiscoveryError
        When there is no run.
    DamagedFileError
        When a file is damaged.
    """
    run = RunDirectory(uri)
    found = standings(run)
    if not found:
        open_run(uri)  # raises if it is not a run directory
    return {"run": run.uri, "versions": [_document(each) for each in found]}


def change_version(
    uri: str, version: str | None, why: str | None, say: Callable[[str], None]
) -> CurrentVersion:
    """Make another version serve; None: the one that served before.

    Raises
    ------
    ConfigError
        When there is no such version.
    ArtifactError
        When it is incomplete.
    RunInUseError
        When another driver is working on the run directory.
    """
    run = RunDirectory(uri)
    if not kept_versions(run):
        open_run(uri)
        raise ConfigError(
            f"{uri} has no version yet. A run leaves one when it is done and has trained a model."
        )
    with DriverLease(run, say, None).held():
        current = finish_change(run)
        if version is not None and current is not None and current.version == version:
            say(f"version {version} serves already, since {current.since}: nothing was changed")
        if version is None:
            return roll_back(run, who_is_here(), why or "rolled back by hand")
        return promote(run, version, who_is_here(), why or "promoted by hand")


def version_lines(found: dict[str, Any]) -> list[str]:
    """Format the result of `list_versions` for a person."""
    if not found["versions"]:
        return ["no version yet: a run leaves one when it is done and has trained a model"]
    lines: list[str] = []
    for each in found["versions"]:
        since = f" since {each['since']}" if each["since"] else ""
        lines.append(f"{each['version']}  {each['status']}{since}")
        lines.append(f"  trained until {each['trained_until']}: {_targets(each['targets'])}")
        if each["why"]:
            lines.append(f"  {each['why']}")
        compared = (each["decision"] or {}).get("compared", ())
        lines.extend(f"  {compared_line(ComparedRecord(**item))}" for item in compared)
    return [*lines, SKILL_SERVED]


def _targets(targets: Sequence[dict[str, Any]]) -> str:
    told = [
        f"{each['target']} {VIEW_NAMES[each['view']]} {_skill(each['skill'])} "
        f"({plural(each['n_models'], 'model')})"
        for each in targets
    ]
    return some_of(told, at_most=_AT_MOST)


def _skill(skill: float | None) -> str:
    return "without a skill" if skill is None else f"skill {skill:+.4f}"


def _document(standing: Standing) -> dict[str, Any]:
    record, decision = standing.record, standing.decision
    return {
        "version": record.version,
        "status": standing.status,
        "since": standing.since,
        "why": standing.why,
        "trained_until": record.trained_until,
        "content_sha256": record.content_sha256,
        "n_models": record.n_models,
        "targets": [target.model_dump() for target in record.targets],
        "size_bytes": sum(file.size_bytes for file in record.files.values()),
        "decision": None if decision is None else decision.model_dump(mode="json"),
    }
