"""Names of versions, from the end of their data and their content, never from a clock (pure)."""

from __future__ import annotations

import re

from ray_pipeline.errors import ConfigError

__all__ = ["is_version_name", "of_folds", "require_version_name", "version_name"]

_DIGITS = 8
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}):([0-9]{2})")
_NAME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{4}Z-[0-9a-f]{8}")


def version_name(trained_until: str, content_sha256: str) -> str:
    """Name a version so that names sort by the end of the data.

    Parameters
    ----------
    trained_until
        Last timestamp of the data, ISO 8601 in UTC.
    content_sha256
        Hash of the run's content.

    Raises
    ------
    ValueError
        When `trained_until` is not such a time.

    Examples
    --------
    >>> version_name("2024-06-28T00:00:00+00:00", "1a2b3c4d5e6f")
    '2024-06-28T0000Z-1a2b3c4d'
    """
    found = _TIME.match(trained_until)
    if found is None:
        raise ValueError(f"{trained_until!r} is not a time in ISO 8601.")
    day, hour, minute = found.groups()
    return f"{day}T{hour}{minute}Z-{content_sha256[:_DIGITS]}"


def is_version_name(text: str) -> bool:
    """Tell whether a text can be a version's name."""
    return _NAME.fullmatch(text) is not None


def require_version_name(name: str) -> str:
    """Check a version's name given by a user.

    Raises
    ------
    ConfigError
        When it cannot be a version's name.
    """
    if not is_version_name(name):
        raise ConfigError(
            f"{name!r} is not a version: one is called by the end of its data and its content, "
            "such "
            "as 2024-06-28T0000Z-1a2b3c4d. `ray-pipeline versions RUN_DIR` lists them."
        )
    return name


def of_folds(n_same: int, n_older: int, version: str = "the present version") -> str:
    """Describe folds that cannot be compared with a version, after "the folds".

    Parameters
    ----------
    n_same, n_older
        Rows of folds with its own models, and of others trained like it on no newer rows.

    Examples
    --------
    >>> of_folds(40, 0)
    "are the present version's own models"
    """
    same = f"are {version}'s own models"
    older = f"were made like {version}, of no newer rows"
    return " or ".join(text for text, n in ((same, n_same), (older, n_older)) if n)
