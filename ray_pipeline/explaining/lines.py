"""An explanation in lines for a person (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ray_pipeline.columns import aligned, wrapped
from ray_pipeline.explaining.doubt_lines import doubt_lines
from ray_pipeline.explaining.feature_lines import own_feature_lines, pooled_feature_lines
from ray_pipeline.explaining.model_lines import model_lines
from ray_pipeline.explaining.policy_lines import policy_lines
from ray_pipeline.explaining.route_lines import route_lines
from ray_pipeline.explaining.symbol_lines import data_lines, figure_lines, route_of_symbol_lines
from ray_pipeline.explaining.worth_lines import worth_lines
from ray_pipeline.records import QUESTIONS, VIEW_NAMES
from ray_pipeline.results.figures import (
    DASH,
    count,
    probability,
    signed,
    unsigned,
    with_error,
)
from ray_pipeline.versions.told import ServingVersion, not_serving, serving_lines
from ray_pipeline.wording import plural, some_of

__all__ = ["explanation_lines"]

Found = Mapping[str, Any]

_UNTIL = {
    "failed": "The run failed; this is what it had written by then.",
    "interrupted": "The run was interrupted; this is what it had written by then, and the same "
    "command continues it.",
    "running": "The run is still working; this is what it has written so far.",
}


def explanation_lines(found: Found) -> list[str]:
    """Format the result of `explain_target`: the verdict first, then its basis.

    Lists are bounded and say what they leave out; the document has everything.
    """
    in_doubt = found["doubt"]["rows"] or found["doubt"]["is_doubtful"]
    doubt = [doubt_lines(found)] if in_doubt else []
    worth = [worth_lines(found)] if found["models"]["jobs"] else []
    belief = [list(_belief_lines(found))] if found["calibration"]["rows"] else []
    policies = [policy_lines(found)] if found["models"]["policies"] else []
    if found["symbol"] is None:
        parts = [
            list(_ranking_lines(found)),
            *doubt,
            list(_leak_lines(found)),
            pooled_feature_lines(found),
            own_feature_lines(found),
            route_lines(found),
            model_lines(found),
            *belief,
            *worth,
            *policies,
        ]
    else:
        views = {job["view"] for job in found["models"]["jobs"]}
        parts = [
            figure_lines(found),
            *doubt,
            own_feature_lines(found),
            *([pooled_feature_lines(found)] if "cross_sectional" in views else []),
            model_lines(found),
            *belief,
            *worth,
            *policies,
            data_lines(found),
        ]
    if found["version"] is not None:
        parts.append(list(_version_lines(found)))
    lines = [*_head(found)]
    for part in parts:
        lines += ["", *part]
    return lines


def _serving(found: Found) -> ServingVersion:
    return ServingVersion.from_document(found["version"])


def _version_lines(found: Found) -> Iterator[str]:
    yield "version"
    for text in serving_lines(_serving(found), found["target"]):
        yield from wrapped(text)


def _head(found: Found) -> Iterator[str]:
    run = found["run"]
    if found["symbol"] is not None:
        yield from route_of_symbol_lines(found)
    yield from wrapped(found["ranking"]["verdict"], indent="")
    for text in found["cautions"]:
        yield from wrapped(f"caution: {text}", indent="")
    not_this = "" if found["version"] is None else not_serving(_serving(found))
    if not_this:
        yield from wrapped(f"caution: {not_this}", indent="")
    if run["status"] in _UNTIL:
        yield from wrapped(_UNTIL[run["status"]], indent="")
    if run["error"]:
        yield from wrapped(f"error: {run['error']}", indent="")


def _ranking_lines(found: Found) -> Iterator[str]:
    ranking = found["ranking"]
    if ranking["absent"]:
        yield "ranking"
        yield from wrapped(ranking["absent"])
        return
    views = ranking["views"]
    horizon, n_targets = views[0]["horizon_bars"], ranking["n_targets"]
    facts = [views[0]["task"], f"horizon {plural(horizon, 'bar')}", plural(n_targets, "target")]
    yield f"ranking: {', '.join(facts)}"
    header = ["view", "family", "skill", "t", "p", "q", "rank", "symbols", "rows"]
    rows = [
        [
            VIEW_NAMES[row["view"]],
            row["family"] or DASH,
            with_error(row["skill"], row["std_error"]),
            signed(row["t_stat"], 2),
            probability(row["p_value"]),
            probability(row["q_value"]),
            f"{row['rank']} of {row['n_ranked']}",
            count(row["n_symbols"]),
            count(row["n_rows"]),
        ]
        for row in views
    ]
    yield from aligned(header, rows, n_left=2)
    sources = {row["source_of_p"]: VIEW_NAMES[row["view"]] for row in views}
    told = list(sources)
    if len(sources) > 1:
        told = [f"{source} in the {view} view" for source, view in sources.items()]
    yield from wrapped(f"{'; '.join([*told, ranking['source_of_q']])}.")
    if found["groups"] is not None:
        within, n_groups = found["groups"]["column"], len(found["groups"]["groups"])
        yield from wrapped(f"Symbols are compared within {within} ({plural(n_groups, 'group')}).")
    if found["rules"]["until"] is not None:
        yield from wrapped(f"Rows from {found['rules']['until'][:16]} on were ignored.")
    if found["rules"]["window"] != "expanding":
        window = found["rules"]["window"]
        yield from wrapped(f"Models are trained on the {window} before their test fold.")
    for row in views:
        question = QUESTIONS[row["view"]]
        yield from wrapped(f"{VIEW_NAMES[row['view']]} ({question}): {row['conclusion']}.")
    if found["steadiness"]["sentence"]:
        yield from wrapped(found["steadiness"]["sentence"])


def _belief_lines(found: Found) -> Iterator[str]:
    yield "what its scores mean"
    for sentence in found["calibration"]["sentences"]:
        yield from wrapped(sentence)


def _leak_lines(found: Found) -> Iterator[str]:
    leaks = found["leaks"]
    yield "leaks"
    if leaks["absent"]:
        yield from wrapped(leaks["absent"])
        return
    for row in leaks["found"]:
        by = f"by {row['test']} ({unsigned(row['value'], 2)})"
        yield from wrapped(f"{row['feature']}: {row['action']} {by}: {row['reason']}")
    if not leaks["found"]:
        yield from wrapped("No feature was found to know this target's future.")
    if leaks["dropped_for_others"]:
        named = [f"{row['feature']} ({row['target']})" for row in leaks["dropped_for_others"]]
        yield from wrapped(f"Dropped here too, for leaking another target: {some_of(named, 10)}.")
