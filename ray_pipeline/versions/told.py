"""Which version serves, for the report and ``explain``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ray_pipeline.records import VIEW_NAMES
from ray_pipeline.results.reading import Results
from ray_pipeline.results.version_documents import ComparedRecord, DecisionRecord
from ray_pipeline.storage import RunDirectory
from ray_pipeline.versions.kept import name_of_result
from ray_pipeline.versions.names import of_folds
from ray_pipeline.versions.serving import (
    current_version,
    read_decision,
    read_journal,
    standing_of,
)
from ray_pipeline.wording import plural

__all__ = ["ServingVersion", "compared_line", "not_serving", "serving_beside", "serving_lines"]

_AT_MOST = 4


@dataclass(frozen=True, slots=True)
class ServingVersion:
    """The version that serves, and its relation to a result.

    Attributes
    ----------
    version, since, why
        The serving version, and the journal entry that made it serve.
    decision
        The comparison before; None for the first version, and if a person chose.
    result, status, result_why
        The name of the result as a version, None if it is not one; its status, and why.
    """

    version: str
    since: str
    why: str
    decision: DecisionRecord | None
    result: str | None
    status: str
    result_why: str

    @property
    def is_result(self) -> bool:
        """Whether the result's models serve."""
        return self.version == self.result

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> ServingVersion:
        """Rebuild it from what `document` returns."""
        result, decision = document["this_result"], document["decision"]
        return cls(
            version=document["serves"],
            since=document["since"],
            why=document["why"],
            decision=None if decision is None else DecisionRecord.model_validate(decision),
            result=result["version"],
            status=result["status"],
            result_why=result["why"],
        )

    def document(self) -> dict[str, Any]:
        """Return the entry of ``explain --json``."""
        decision = None if self.decision is None else self.decision.model_dump(mode="json")
        return {
            "serves": self.version,
            "since": self.since,
            "why": self.why,
            "decision": decision,
            "is_this_result": self.is_result,
            "this_result": {
                "version": self.result,
                "status": self.status,
                "why": self.result_why,
            },
        }


def serving_beside(home: RunDirectory, results: Results) -> ServingVersion | None:
    """Read which version of a run directory serves; None if none was ever kept.

    Parameters
    ----------
    home
        The run directory.
    results
        Its result, which may belong to another version.

    Raises
    ------
    DamagedFileError
        When a file is damaged.
    """
    current = current_version(home)
    if current is None:
        return None
    journal, name = read_journal(home), name_of_result(results)
    status, why = "", ""
    if name is not None:
        status, event = standing_of(name, current, journal)
        why = "" if event is None else event.why
    made = next((event for event in journal if event.number == current.event), None)
    decision = read_decision(home, current.version)
    if decision is not None and (made is None or decision.why != made.why):
        decision = None  # a person has chosen since, or the version served before that
    return ServingVersion(
        version=current.version,
        since=current.since,
        why="" if made is None else made.why,
        decision=decision,
        result=name,
        status=status,
        result_why=why,
    )


def serving_lines(found: ServingVersion, target: str | None = None) -> Iterator[str]:
    """Say, in sentences, which version serves, since when and why, and what was compared.

    Parameters
    ----------
    target
        Report only the comparison of this target.
    """
    why = f": {found.why}" if found.why else ""
    if found.is_result:
        yield f"Version {found.version}, this result, serves since {found.since}{why}."
    else:
        yield f"Version {found.version} serves since {found.since}{why}."
        yield f"This result is not what serves: {_of_result(found)}."
    compared = () if found.decision is None else found.decision.compared
    own = [item for item in compared if target in (None, item.target)]
    for item in own[:_AT_MOST]:
        yield f"{compared_line(item)}."
    if own[_AT_MOST:]:
        yield f"`versions` tells {len(own) - _AT_MOST} comparisons more."


def not_serving(found: ServingVersion) -> str:
    """Say that a result does not serve, and why; empty if it does."""
    if found.is_result:
        return ""
    return (
        f"This result is not what serves, which is version {found.version} since "
        f"{found.since}: {_of_result(found)}."
    )


def compared_line(item: ComparedRecord) -> str:
    """Compare two versions on the same rows of a target and view."""
    rows = f"{plural(item.n_rows, 'row')} at {plural(item.n_timestamps, 'time')}"
    what = f"{item.target} {VIEW_NAMES[item.view]}"
    n_left_out = item.n_same_rows + item.n_older_rows
    folds = of_folds(item.n_same_rows, item.n_older_rows, "that version")
    left_out = plural(n_left_out, "later row")
    if n_left_out and not item.n_rows:
        return (
            f"{what}: nothing to compare with the version that served, the folds that scored the "
            f"{left_out} {folds}"
        )
    if n_left_out:
        rows += f" (left out: {left_out} of folds that {folds})"
    if item.difference is None or item.p_worse is None or item.std_error is None:
        return f"{what}: {rows}, too few to compare"
    return (
        f"{what}: skill {item.skill_new:+.4f}, and {item.skill_present:+.4f} of the version that "
        f"served: {item.difference:+.4f} ± {item.std_error:.4f} on the same {rows}; p of worse "
        f"{item.p_worse:.3f}, {item.p_adjusted:.3f} of all that was compared"
    )


def _of_result(found: ServingVersion) -> str:
    if found.result is None:
        return "it trained no model, or is not done"
    if found.status == "earlier":
        return f"{found.result} has served before"
    why = f", {found.result_why}" if found.result_why else ""
    said = {
        "rejected": "was rejected",
        "challenger": "waits to be promoted",
    }[found.status]
    return f"{found.result} {said}{why}"
