"""Versions as folders of a run directory: kept completely or not at all, checked, removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ray_pipeline.errors import ArtifactError, ConfigError, DamagedFileError
from ray_pipeline.inspecting.digests import DIGESTS
from ray_pipeline.records import View
from ray_pipeline.results.reading import Results
from ray_pipeline.results.tables import (
    CALIBRATION,
    CONFIG,
    EVALUATED_JOBS,
    MODELS,
    PLAN,
    PREDICTIONS,
    RANKED_TARGETS,
    RECORD,
    ROUTES,
    SYMBOLS,
)
from ray_pipeline.results.version_documents import VersionRecord
from ray_pipeline.routing.jobs import RANK_AVERAGE
from ray_pipeline.storage import RunDirectory
from ray_pipeline.versions.names import is_version_name, require_version_name, version_name

__all__ = [
    "VERSIONS",
    "check_files",
    "decision_name",
    "keep_version",
    "kept_versions",
    "name_of_result",
    "read_version",
    "remove_version",
    "version_place",
]

VERSIONS = "versions"
"""Folder of the versions in a run directory."""

_FILES = (
    *(CONFIG, SYMBOLS, DIGESTS, PLAN, ROUTES, RANKED_TARGETS, EVALUATED_JOBS, CALIBRATION),
    *(PREDICTIONS, RECORD),
)
"""Files that scoring and monitoring need in addition to the models, so that a version is a
complete run directory."""

_SUFFIX = ".json"
_N_THREADS = 16
_FORGET = (
    "Restore the file. Or remove it: without it the version is none, and that of the run's own "
    "result is kept again by the command that made it."
)


def version_place(run: RunDirectory, version: str) -> RunDirectory:
    """Return the folder of a version, which can be read as a run directory."""
    return run.below(f"{VERSIONS}/{require_version_name(version)}")


def name_of_result(results: Results) -> str | None:
    """Return the name of a result as a version.

    None if it is not done, has no model, or was written by a version of ray_pipeline that did not
    record the end of its data.
    """
    record = results.record
    if record.status != "done" or not record.counts.get("models"):
        return None
    if record.content_sha256 is None or record.data.last_ts is None:
        return None
    return version_name(record.data.last_ts, record.content_sha256)


def keep_version(run: RunDirectory, place: RunDirectory) -> VersionRecord | None:
    """Keep a result's models, with everything needed for scoring.

    The same content has the same name: an existing version is not written again, unless its record
    is damaged.

    Parameters
    ----------
    run
        The run directory.
    place
        Where its result is: there, or in one of its folders.

    Returns
    -------
    VersionRecord or None
        None if there is nothing to keep, see `name_of_result`.
    """
    results = Results(place)
    name = name_of_result(results)
    if name is None:
        return None
    if run.exists(_record_name(name)):
        try:
            return read_version(run, name)
        except DamagedFileError:
            run.remove(_record_name(name))
    folder = f"{VERSIONS}/{name}"
    run.remove(folder)
    beside = place.uri.removeprefix(run.uri).strip("/")
    prefix = f"{beside}/" if beside else ""
    there = [*(each for each in _FILES if place.exists(each)), *place.list(MODELS)]
    with ThreadPoolExecutor(_N_THREADS) as pool:
        list(pool.map(lambda file: _kept(run, f"{prefix}{file}", f"{folder}/{file}"), there))
    record = results.record
    run.write_json(
        _record_name(name),
        {
            "version": name,
            "content_sha256": record.content_sha256,
            "trained_until": record.data.last_ts,
            "experiment": record.name,
            "n_models": record.counts["models"],
            "targets": _targets(results),
            "files": _described(run, folder),
        },
    )
    return read_version(run, name)


def kept_versions(run: RunDirectory) -> list[VersionRecord]:
    """Read the versions of a run directory, the one of the newest data last."""
    names = [name.removesuffix(_SUFFIX) for name in run.names_in(VERSIONS)]
    names = sorted(filter(is_version_name, names))
    with ThreadPoolExecutor(_N_THREADS) as pool:
        return list(pool.map(lambda name: read_version(run, name), names))


def read_version(run: RunDirectory, version: str) -> VersionRecord:
    """Read a version's record.

    Raises
    ------
    ConfigError
        When there is no such version.
    DamagedFileError
        When its record is damaged.
    """
    if not run.exists(_record_name(version)):
        raise ConfigError(
            f"{run.uri} has no version {version}. `ray-pipeline versions {run.uri}` lists those "
            "that it has."
        )
    return Results(run).document(_record_name(version), VersionRecord, _FORGET)


def check_files(run: RunDirectory, record: VersionRecord, *, predictions: bool) -> None:
    """Check that a version still has its original files.

    Files with a checksum are read. Models are compared by size: reading one compares its content
    with ``run.json``.

    Parameters
    ----------
    predictions
        Whether to also read the out-of-sample predictions, which may be large.

    Raises
    ------
    ArtifactError
        Naming the file that has changed.
    """
    folder = f"{VERSIONS}/{record.version}"
    listed = run.listed(folder)
    for name, kept in record.files.items():
        at = f"{folder}/{name}"
        if at not in listed:
            raise _not_whole(run, at, "is gone")
        if listed[at].size_bytes != kept.size_bytes:
            what = f"has {listed[at].size_bytes} bytes, and had {kept.size_bytes}"
            raise _not_whole(run, at, what)
        is_read = kept.sha256 is not None and (predictions or name != PREDICTIONS)
        if is_read and run.describe(at).sha256 != kept.sha256:
            raise _not_whole(run, at, "is not as it was written: its SHA-256 does not agree")


def remove_version(run: RunDirectory, version: str) -> None:
    """Remove a version, its record first, so that an incomplete one does not count."""
    run.remove(_record_name(version))
    run.remove(decision_name(version))
    run.remove(f"{VERSIONS}/{version}")


def decision_name(version: str) -> str:
    """Name the file with the comparison of a version before its promotion or rejection."""
    return f"{VERSIONS}/{require_version_name(version)}.decision{_SUFFIX}"


def _record_name(version: str) -> str:
    return f"{VERSIONS}/{require_version_name(version)}{_SUFFIX}"


def _targets(results: Results) -> list[dict[str, object]]:
    """Say which targets have models, with the skill in each view."""
    plan = results.plan()
    trained = results.trained_jobs()
    jobs = [job for job in (plan.jobs if plan is not None else ()) if job.job_id in trained]
    with ThreadPoolExecutor(_N_THREADS) as pool:
        models = list(pool.map(lambda job: results.model(job.job_id), jobs))
    skills: dict[tuple[str, View], dict[str, list[float | None]]] = {}
    for job, model in zip(jobs, models, strict=True):
        skill = None if model.out_of_sample is None else model.out_of_sample.skill
        skills.setdefault((job.target, job.view), {}).setdefault(job.family, []).append(skill)
    return [
        {
            "target": target,
            "view": view,
            "n_models": sum(map(len, found.values())),
            "skill": _served(found),
        }
        for (target, view), found in skills.items()
    ]


def _served(skills: Mapping[str, Sequence[float | None]]) -> float | None:
    """Return the skill of a view's models: of the families' average, where it was trained.

    A score is the mean of the families' standings, which is what the average predicts. Counting its
    jobs in addition to the families' would count their information twice. Without an average, the
    mean over the jobs is used; for symbols' own models, the mean over symbols.
    """
    own = skills.get(RANK_AVERAGE, [each for found in skills.values() for each in found])
    known = [skill for skill in own if skill is not None]
    return float(np.mean(known)) if known else None


def _kept(run: RunDirectory, name: str, to: str) -> None:
    """Keep a file. A config is copied, because people edit theirs."""
    if to.endswith(f"/{CONFIG}"):
        run.copy(name, to)
    else:
        run.link(name, to)


def _described(run: RunDirectory, folder: str) -> dict[str, dict[str, object]]:
    """Return size and checksum of a version's files; see `KeptFile` for those of models."""
    found: dict[str, dict[str, object]] = {}
    for name, file in run.listed(folder).items():
        own = name.removeprefix(f"{folder}/")
        is_sealed = own.startswith(f"{MODELS}/")
        sha256 = None if is_sealed else run.describe(name).sha256
        found[own] = {"size_bytes": file.size_bytes, "sha256": sha256}
    return found


def _not_whole(run: RunDirectory, name: str, what: str) -> ArtifactError:
    return ArtifactError(
        f"{run.uri}/{name} {what}. Restore it, give the command that made it again if it is of "
        "the run's last result, or have another version serve: "
        f"`ray-pipeline versions {run.uri} --promote VERSION`."
    )
