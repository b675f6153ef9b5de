"""The JSON documents of kept versions as typed records: what they hold, who serves, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ray_pipeline.records import View
from ray_pipeline.results.documents import Items, Record

__all__ = [
    "ComparedRecord",
    "CurrentVersion",
    "DecisionRecord",
    "EventKind",
    "EvidenceKind",
    "KeptFile",
    "VersionEvent",
    "VersionRecord",
    "VersionTarget",
]

EventKind = Literal["promoted", "rolled-back", "rejected", "held", "removed"]
"""What can happen to a version. The first two change which one serves."""

EvidenceKind = Literal["compared", "same_models", "nothing_newer", "too_few_rows", "none"]
"""What a decision rests on: a comparison; or nothing, since the folds that scored the later rows
are the present version's own models, or were made like it of no newer rows, since the rows are too
few to tell, or since nothing was comparable."""


class KeptFile(Record):
    """A file of a version. Models have no `sha256` here: ``run.json`` seals their metadata."""

    size_bytes: int
    sha256: str | None = None


class VersionTarget(Record):
    """The models of a target and view, and their skill in the walk-forward.

    That is the skill of the families' average where it was trained, else the mean over the
    families' jobs; of symbols' own models the mean over symbols.
    """

    target: str
    view: View
    n_models: int
    skill: float | None


class VersionRecord(Record):
    """``version.json``: written last, so that a version without it is none.

    `trained_until` is the last timestamp of the data that the models learned from.
    """

    version: str
    content_sha256: str
    trained_until: str
    experiment: str
    n_models: int
    targets: Items[VersionTarget]
    files: Mapping[str, KeptFile]


class ComparedRecord(Record):
    """Two versions on the same later rows of a target and view.

    `difference` is the skill of the new one less that of the present one; `p_worse` is one-sided
    for a difference below 0, and `p_adjusted` after Holm over all that was compared. They are None
    where the rows say nothing. Left out of all that are `n_same_rows`, in folds whose models are
    the present version's own, and `n_older_rows`, in others made like it of no newer rows.
    """

    target: str
    view: View
    n_rows: int
    n_timestamps: int
    skill_present: float | None
    skill_new: float | None
    difference: float | None
    std_error: float | None
    p_worse: float | None
    p_adjusted: float | None
    n_same_rows: int = 0
    n_older_rows: int = 0


class DecisionRecord(Record):
    """``decision.json`` of a version: whether it serves instead of another, and why.

    `evidence` is None in records of versions of ray_pipeline that did not say it.
    """

    over: str | None
    promoted: bool
    rule: str
    why: str
    compared: Items[ComparedRecord] = ()
    evidence: EvidenceKind | None = None


class CurrentVersion(Record):
    """``current.json``: the version that serves, and the one that did before.

    `event` is the number of the journal's entry that made it so.
    """

    version: str
    previous: str | None
    event: int
    since: str


class VersionEvent(Record):
    """An entry of the journal; `over` is the version that served until then."""

    number: int
    event: EventKind
    version: str
    over: str | None
    at: str
    who: str
    why: str
