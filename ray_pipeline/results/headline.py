"""What the run found, in one honest sentence (pure)."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from ray_pipeline.ranking.decide import TargetRow
from ray_pipeline.ranking.doubt import doubt_sentence
from ray_pipeline.records import VIEW_NAMES
from ray_pipeline.results.contents import RunContents
from ray_pipeline.results.figures import (
    count,
    is_measured,
    probability,
    shortened,
    signed,
    unsigned,
)
from ray_pipeline.wording import agreeing, plural

__all__ = ["Headline", "write_headline"]


_MAX_ERROR = 2000


@dataclass(frozen=True, slots=True)
class Headline:
    """The first lines of the page.

    Attributes
    ----------
    status
        As in ``run.json``; the page marks ``failed`` in red.
    sentence
        What the run found.
    detail
        The strongest evidence, or how far from evidence it stayed.
    error
        Of a failed run, empty otherwise.
    """

    status: str
    sentence: str
    detail: str
    error: str


def write_headline(contents: RunContents) -> Headline:
    """Say how the run ended and what it found, or found until then."""
    rows = contents.targets
    found = _finding(contents, rows) if rows else ""
    detail = _detail(rows, {each.target for each in contents.doubted}) if rows else ""
    error = contents.record.error or ""
    if contents.status == "done":
        sentence = found or "The run is done, but it left no target ranking."
        return Headline("done", sentence, detail, "")
    until = "So far" if contents.status == "running" else "Until then"
    so_far = f"{until}: {found[0].lower()}{found[1:]} {detail}" if found else ""
    if contents.status == "failed":
        error = shortened(error or contents.record.message or "no error recorded", _MAX_ERROR)
        return Headline("failed", "The run failed.", so_far or "No target was ranked.", error)
    if contents.status == "interrupted":
        sentence = (
            "The run was interrupted before its end; the same command continues it from here."
        )
        return Headline("interrupted", sentence, so_far or "No target was ranked yet.", "")
    sentence = "The run is not finished: this page shows what it had written so far."
    return Headline(contents.status, sentence, so_far or "No target was ranked yet.", "")


def _finding(contents: RunContents, rows: Sequence[TargetRow]) -> str:
    n_targets = len({row.target for row in rows})
    doubted = contents.doubted
    doubtful = {each.target for each in doubted}
    believed = [row for row in rows if row.predictable and row.target not in doubtful]
    predictable = {row.target for row in believed}
    in_doubt = f"; {doubt_sentence(doubted)}" if doubted else ""
    n_models = len(contents.trained)
    if not predictable:
        trained = "nothing was trained" if not n_models else f"{plural(n_models, 'model')} trained"
        return f"No target is predictable: {trained}{in_doubt}."
    views = [
        f"{count(n)} in the {name} view"
        for view, name in VIEW_NAMES.items()
        if (n := sum(row.view == view for row in believed))
    ]
    is_are = agreeing(len(predictable), "is", "are")
    return (
        f"{count(len(predictable))} of {plural(n_targets, 'target')} {is_are} predictable "
        f"({', '.join(views)}); {_trained(n_models, _n_wanted(contents))}{in_doubt}."
    )


def _n_wanted(contents: RunContents) -> int:
    """Count the models that routes lead to, planned or left out of the plan."""
    return len(contents.jobs) + len(contents.left_out)


def _trained(n_models: int, n_wanted: int) -> str:
    if n_models == 0:
        return "no model was trained"
    was = agreeing(n_models, "was", "were")
    if n_models < n_wanted:
        return f"{count(n_models)} of {plural(n_wanted, 'wanted model')} {was} trained"
    return f"{plural(n_models, 'model')} {was} trained"


def _detail(rows: Sequence[TargetRow], doubtful: Container[str]) -> str:
    measured = [row for row in rows if is_measured(row.q_value) and is_measured(row.skill)]
    if not measured:
        return "No target could be measured: see the reasons in the ranking."
    predictable = [row for row in measured if row.predictable and row.target not in doubtful]
    measured = [row for row in measured if row.target not in doubtful]
    if not measured:
        return "Leave out what carries it, or raise the limit if you know why it is so high."
    best = min(predictable or measured, key=lambda row: (row.q_value, -row.t_stat, row.target))
    place = f"{best.target} ({VIEW_NAMES[best.view]})"
    if predictable:
        return (
            f"Strongest evidence: {place}, skill {signed(best.skill)} with a standard error of "
            f"{unsigned(best.std_error)}, q {probability(best.q_value)}."
        )
    n_targets = len({row.target for row in rows})
    tested = "The one target was tested" if n_targets == 1 else f"{n_targets} targets were tested"
    return (
        f"{tested}; the closest to evidence is {place}, skill {signed(best.skill)}, "
        f"q {probability(best.q_value)}."
    )
