"""Checks whether a saved model may be used, here and on these data (pure)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ray_pipeline.errors import ArtifactError
from ray_pipeline.intervals import Interval
from ray_pipeline.records import BAR_FIELDS
from ray_pipeline.wording import agreeing, plural

__all__ = [
    "check_checksums",
    "check_columns",
    "check_complete",
    "check_features",
    "check_input",
    "check_interval",
    "check_planned",
    "check_versions",
    "with_current_names",
]

_NEEDED = (
    *("job_id", "target", "view", "family", "features", "feature_dtype", "files", "libraries"),
    *("kind", "bar_seconds", "percentile_scale", "replay", "first_predictable_row", "serves"),
    *("absent_features", "quantiles", "sha256"),
)
_RENAMED = {"standing_scale": "percentile_scale"}
"""Keys of version 0.1.0, and their current names."""

_VERSION = re.compile(r"(\d+)(?:\.(\d+))?")
_RESTORE = "Restore the run's own, or run again."
_N_SHOWN = 5
_N_TELLING_STEPS = 10
"""Fewer steps say little about an interval: there may be a weekend between two rows."""


def with_current_names(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata with this version's names, whichever version wrote them."""
    return {_RENAMED.get(key, key): value for key, value in metadata.items()}


def check_complete(metadata: Mapping[str, Any], name: str) -> None:
    """Refuse metadata without what is needed to use a model.

    Parameters
    ----------
    name
        Their file, for the message.

    Raises
    ------
    ArtifactError
        As all of these functions.
    """
    missing = [key for key in _NEEDED if key not in metadata]
    if missing:
        raise ArtifactError(
            f"{name} has no {', '.join(missing)}: a version of ray_pipeline that could not score "
            "new data wrote it. Run again with this one, which trains the models again."
        )


def check_planned(
    metadata: Mapping[str, Any],
    planned: Mapping[str, str],
    features: Sequence[str],
    members: Sequence[str],
    name: str,
) -> None:
    """Refuse valid metadata of another model than the one planned under this name.

    In a run without recorded seals, nothing else reveals it, so another model's features must not
    be used.

    Parameters
    ----------
    planned
        Planned values of metadata keys.
    features, members
        As planned; an average has only its trained members.
    name
        The metadata's file, for the message.
    """
    for key, expected in planned.items():
        if metadata[key] != expected:
            raise ArtifactError(
                f"{name} is that of another model: its {key} is {metadata[key]!r}, and the run "
                f"planned {expected!r} under this name. {_RESTORE}"
            )
    found = {"features": metadata["features"], "members": metadata.get("members") or ()}
    for what, known in (("features", features), ("members", members)):
        unknown = [each for each in found[what] if each not in known]
        if unknown:
            raise ArtifactError(
                f"{name} is that of another model: the run planned none of its {what} "
                f"{_some(unknown)}. {_RESTORE}"
            )
    if not members and list(found["features"]) != list(features):
        raise ArtifactError(
            f"{name} is that of another model: it has {len(found['features'])} of the "
            f"{plural(len(features), 'feature')} that the run planned, or has them in another "
            f"order. {_RESTORE}"
        )


def check_checksums(job_id: str, expected: Mapping[str, str], files: Mapping[str, bytes]) -> None:
    """Refuse files that differ from the ones that were written."""
    for name, checksum in expected.items():
        found = hashlib.sha256(files[name]).hexdigest()
        if found != checksum:
            raise ArtifactError(
                f"models/{job_id}/{name} has the SHA-256 {found[:12]}…, and metadata.json says "
                f"{checksum[:12]}…: it is damaged or was changed. Restore it, or run again."
            )


def check_versions(
    metadata: Mapping[str, Any], libraries: Sequence[str], installed: Mapping[str, str]
) -> None:
    """Refuse a model of a newer version (major or minor) of a library than is installed.

    Older ones are fine: libraries can read their older files.

    Parameters
    ----------
    libraries
        Distributions that the model's family names; ours counts as well.
    installed
        Version by distribution, without those that are not installed.
    """
    written = metadata["libraries"]
    for library in ("ray_pipeline", *libraries):
        if library not in written:
            continue
        subject = f"models/{metadata['job_id']} was written by {library} {written[library]}"
        if library not in installed:
            raise ArtifactError(f"{subject}, which is not installed here. Install {library}.")
        if _major_minor(written[library]) > _major_minor(installed[library]):
            raise ArtifactError(
                f"{subject}, and {installed[library]} is installed here, which is older and may "
                f"read it wrongly. Install {library} {written[library]} or later."
            )


def check_features(
    metadata: Mapping[str, Any], names: Sequence[str], dtype: str = "float32"
) -> None:
    """Refuse a matrix with other features than the model was trained on.

    Parameters
    ----------
    names
        Features in the order of the matrix's columns.
    dtype
        Type of its cells.
    """
    needed, job_id = metadata["features"], metadata["job_id"]
    missing = [name for name in needed if name not in names]
    if missing:
        raise ArtifactError(
            f"{job_id} needs {plural(len(needed), 'feature')}, and {_some(missing)} "
            f"{agreeing(len(missing), 'is', 'are')} missing. Give a table that has "
            f"{agreeing(len(missing), 'it', 'them')}."
        )
    extra = [name for name in names if name not in needed]
    if extra:
        raise ArtifactError(
            f"{job_id} was not trained on {_some(extra)}. Give its "
            f"{plural(len(needed), 'feature')} alone."
        )
    if list(names) != list(needed):
        place, found, expected = next(
            (place, found, expected)
            for place, (found, expected) in enumerate(zip(names, needed, strict=False))
            if found != expected
        )
        raise ArtifactError(
            f"{job_id} needs its features in the order in which it was trained: column {place} is "
            f"{found!r}, and {expected!r} is needed. Reorder the columns as metadata.json has them."
        )
    if dtype != metadata["feature_dtype"]:
        raise ArtifactError(
            f"{job_id} was trained on features of type {metadata['feature_dtype']}; these are "
            f"{dtype}. Convert them, as {dtype} would fall on other sides of its splits."
        )


def check_columns(
    metadata: Mapping[str, Any],
    columns: Sequence[str],
    symbol: str,
    read: Collection[str] | None = None,
) -> None:
    """Refuse a table that lacks a feature's column.

    A symbol that lacked it in training may also lack it now: the model was trained that way.

    Parameters
    ----------
    columns
        Columns of the table, in any order.
    symbol
        The symbol of the table.
    read
        Features that are columns, if others are computed from bars; None: all.
    """
    absent = metadata["absent_features"]
    missing = [
        name
        for name in metadata["features"]
        if (read is None or name in read)
        and name not in columns
        and symbol not in absent.get(name, ())
    ]
    if missing:
        raise ArtifactError(
            f"symbol {symbol}: {metadata['job_id']} needs "
            f"{plural(len(metadata['features']), 'feature')}, "
            f"and the table has no column {_some(missing)}. Give tables with the columns that the "
            "run had."
        )


def check_input(kind: str, input_columns: Sequence[str], columns: Sequence[str], name: str) -> None:
    """Refuse tables of another kind than the model was trained on.

    Parameters
    ----------
    kind
        What the models were trained on: ``bars``, ``series`` or ``labeled``.
    input_columns
        What they need: the bar fields, the value, or their features.
    columns
        What the new table has.
    name
        Of the table, for the message.
    """
    missing = [column for column in input_columns if column not in columns]
    if kind == "bars" and missing:
        raise ArtifactError(
            f"the models were trained on bars, and {name} has no column {_some(missing)}. Give "
            "bars as the run had them: the features are computed of these."
        )
    if kind == "series" and missing:
        raise ArtifactError(
            f"the models were trained on a series, and {name} has no column {_some(missing)}. Give "
            "series as the run had them, under the name that data.columns.value has there: the "
            "features are computed of their values."
        )
    are_bars = set(BAR_FIELDS) <= set(columns)
    if kind == "labeled" and are_bars and len(missing) == len(input_columns):
        raise ArtifactError(
            f"the models were trained on labeled tables, and {name} holds bars: it has none of "
            f"their {plural(len(input_columns), 'feature')} ({_some(missing)}). Give tables with "
            "these columns; of bars, `ray-pipeline label` makes them."
        )


def check_interval(
    interval: Interval, step_seconds: Mapping[float, int], name: str, needed: str = ""
) -> None:
    """Refuse rows at another interval than the model's.

    A rarely traded symbol skips bars, so longer steps do not prove another interval as long as some
    are right; shorter ones do.

    Parameters
    ----------
    step_seconds
        How often each step between neighbouring rows occurs.
    name
        Of the table, for the message.
    needed
        The interval from the run's layout, if it has one.
    """
    if sum(step_seconds.values()) < _N_TELLING_STEPS:
        return
    usual = min(step_seconds, key=lambda step: (-step_seconds[step], step))
    fits = any(interval.has_step(round(step * 10**9)) for step in step_seconds)
    is_shorter = usual < interval.seconds and not interval.has_step(round(usual * 10**9))
    if is_shorter or not fits:
        named = f" (interval={needed})" if needed else ""
        raise ArtifactError(
            f"{name} has a row every {usual:g} s, and the models were trained on bars of "
            f"{interval.told}{named}. Give data at that interval."
        )


def _major_minor(version: str) -> tuple[int, int]:
    match = _VERSION.match(version)
    if match is None:
        raise ArtifactError(
            f"the version {version!r} cannot be compared with another: it does not begin with a "
            "number. Install a released version."
        )
    return int(match[1]), int(match[2] or 0)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_N_SHOWN])
    more = len(names) - _N_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
