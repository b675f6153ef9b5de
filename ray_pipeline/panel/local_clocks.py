"""Clock times of a zone as instants, including changes of the clocks."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.panel.quality import QualityFinding
from ray_pipeline.panel.reading_rules import TimeRules
from ray_pipeline.wording import iso_time

__all__ = ["instants", "wall_clock"]

_Times = NDArray[np.int64]

_SAME_CHANGE_NS = 6 * 3_600 * 10**9
"""Rows of a repeated hour that are closer than this belong to one change of the clocks."""


def wall_clock(time_ns: _Times, zone: str) -> _Times:
    """Return the local clock times of instants, as nanoseconds since 1970."""
    shown = pc.local_timestamp(pa.array(time_ns, pa.timestamp("ns", zone)))
    return np.asarray(shown.cast(pa.int64()).to_numpy())


def instants(
    wall_ns: _Times, zone: str, rules: TimeRules, subject: str
) -> tuple[_Times, list[QualityFinding]]:
    """Return the instants of local clock times.

    In the hour that occurs twice, the order of a file's rows decides: the clock went back where the
    rows do. The skipped hour has no instants; ``shift`` assumes that the clock went forward later.

    Parameters
    ----------
    wall_ns
        int64 (n_rows,), in the order of one file.
    zone
        IANA name.
    rules
        What to do in both hours.
    subject
        The column and its file, for messages.

    Raises
    ------
    DataError
        When the rows do not decide, or a time does not exist.
    """
    wall = pa.array(wall_ns, pa.timestamp("ns"))
    first, second = (
        np.asarray(
            pc.assume_timezone(wall, zone, ambiguous=which, nonexistent="latest")
            .cast(pa.int64())
            .to_numpy()
        )
        for which in ("earliest", "latest")
    )
    findings: list[QualityFinding] = []
    missing = np.flatnonzero(wall_clock(first, zone) != wall_ns)
    time_ns = first.copy()
    if len(missing):
        time_ns[missing] = _shifted(wall_ns[missing], first[missing], zone, rules, subject)
        message = f"{len(missing)} times do not exist in {zone}; read as if clocks changed later"
        findings.append(QualityFinding("missing_hour", None, len(missing), message))
    twice = np.flatnonzero(first != second)
    if len(twice):
        is_second = _is_second(wall_ns, twice, rules, f"{subject}, zone {zone},")
        time_ns[twice[is_second]] = second[twice[is_second]]
        how = "by the order of rows" if rules.repeated_hour == "rows" else rules.repeated_hour
        message = f"{len(twice)} times are in an hour that occurs twice in {zone}: told {how}"
        findings.append(QualityFinding("repeated_hour", None, len(twice), message))
    return time_ns, findings


def _shifted(
    wall_ns: _Times, after_ns: _Times, zone: str, rules: TimeRules, subject: str
) -> _Times:
    """Return the instants of times that do not exist, by the offset before the change."""
    if rules.missing_hour == "refuse":
        raise DataError(
            f"{subject}: {len(wall_ns)} times do not exist in {zone}, the first "
            f"{_clock(int(wall_ns[0]))}: clocks went forward over it. Set data.time_zone to the "
            "zone of the times, or data.missing_hour: shift."
        )
    before = after_ns - 1
    return wall_ns - (wall_clock(before, zone) - before)


def _is_second(
    wall_ns: _Times, twice: NDArray[np.intp], rules: TimeRules, subject: str
) -> NDArray[np.bool_]:
    """Tell which of the ambiguous rows belong to the second hour."""
    if rules.repeated_hour != "rows":
        return np.full(len(twice), rules.repeated_hour == "second")
    is_second = np.zeros(len(twice), dtype=bool)
    newest_first = bool(np.sum(np.sign(np.diff(wall_ns))) < 0)
    order = twice[::-1] if newest_first else twice
    changes = np.flatnonzero(np.abs(np.diff(wall_ns[order])) > _SAME_CHANGE_NS) + 1
    for group in np.split(np.arange(len(order)), changes):
        back = np.flatnonzero(np.diff(wall_ns[order[group]]) <= 0)
        if not len(back):
            raise DataError(
                f"{subject}: {_clock(int(wall_ns[order[group[0]]]))} is in an hour that occurs "
                "twice, and the order of rows does not show which one it is. Set "
                "data.repeated_hour: first, or second."
            )
        is_second[group[back[0] + 1 :]] = True
    return is_second[::-1] if newest_first else is_second


def _clock(wall_ns: int) -> str:
    return iso_time(wall_ns).removesuffix("+00:00")
