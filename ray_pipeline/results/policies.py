"""Policies of retraining, in words (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ray_pipeline.results.figures import with_error
from ray_pipeline.wording import plural

__all__ = ["by_job", "policies_sentence", "policy_name"]

Row = Mapping[str, Any]


def by_job(rows: Iterable[Row]) -> dict[str, tuple[Row, list[Row]]]:
    """Return of each job the row of the policy chosen at each fold, and those of the policies."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["job_id"], []).append(row)
    return {
        job_id: (
            next(row for row in members if row["kind"] == "chosen"),
            [row for row in members if row["kind"] == "policy"],
        )
        for job_id, members in found.items()
        if any(row["kind"] == "chosen" for row in members)
    }


def policy_name(row: Row) -> str:
    """Name a policy.

    Examples
    --------
    >>> policy_name({"kind": "policy", "retrain_every": "3", "window": "750d", "half_life": "none"})
    'every 3 folds, 750d'
    >>> once = {"kind": "policy", "retrain_every": "never", "window": "expanding"}
    >>> policy_name(once | {"half_life": "250d"})
    'never, expanding, half-life 250d'
    """
    if row["kind"] == "chosen":
        return "chosen at each fold"
    every = row["retrain_every"]
    told = {"never": "never", "1": "every fold"}.get(every, f"every {every} folds")
    recent = "" if row["half_life"] == "none" else f", half-life {row['half_life']}"
    return f"{told}, {row['window']}{recent}"


def policies_sentence(chosen: Row, policies: Sequence[Row]) -> str:
    """Say what one may claim, and by how much the best in hindsight exceeds it."""
    best = next((row for row in policies if row["is_best"]), None)
    text = (
        f"Following at each of {plural(chosen['n_folds'], 'fold')} the policy with the best skill "
        f"over the folds before it, of {len(policies)}, would have earned a skill of "
        f"{with_error(chosen['skill'], chosen['std_error'])}: that is what one may claim."
    )
    if best is None:
        return text
    return (
        f"{text} The best in hindsight ({policy_name(best)}) has "
        f"{with_error(best['skill'], best['std_error'])}, "
        f"{with_error(best['excess'], best['excess_std_error'])} more, which nobody could have "
        f"known; it was followed in {best['n_followed']} of the folds."
    )
