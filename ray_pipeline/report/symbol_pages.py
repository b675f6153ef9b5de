"""Each symbol's page within the page: what a script needs to write any of them (pure).

With hundreds of symbols and dozens of targets the rows would be several megabytes of HTML. Here
they are columns of short texts, from which ``symbol_pages.js`` writes the rows that are asked for:
those of one symbol, or the routes as they are filtered and sorted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from ray_pipeline.report.timelines import embedded_json
from ray_pipeline.results.contents import RunContents
from ray_pipeline.results.documents import FoldSpan
from ray_pipeline.results.figures import (
    count,
    moment,
    period,
    probability,
    signed,
    size,
    with_error,
)
from ray_pipeline.results.steadiness import FoldSkills
from ray_pipeline.results.tables import ROUTES
from ray_pipeline.routing.decide import ROUTE_ORDER

__all__ = ["MAX_EMBEDDED", "SymbolPages", "write_symbol_pages"]

MAX_EMBEDDED = 20_000
"""Routes, of some ninety bytes each."""

MAX_FEATURES = 3
"""Of a symbol's own model that its page names."""

_SEPARATOR = "|"
"""Between figures, which never hold it."""


@dataclass(frozen=True, slots=True)
class SymbolPages:
    """What is embedded; nothing, and why, where there is no symbol.

    Attributes
    ----------
    n_symbols
        Symbols that have a page.
    note
        A sentence where not all routes are embedded.
    """

    absent: str
    n_symbols: int
    note: str
    numbers: Markup


class _Texts:
    """Texts by number: most are repeated from row to row."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}

    def place(self, text: str) -> int:
        return self.places.setdefault(text, len(self.places))


def write_symbol_pages(
    contents: RunContents, skills: Mapping[str, FoldSkills], order: Sequence[str]
) -> SymbolPages:
    """Gather what the pages of all symbols tell.

    Parameters
    ----------
    skills
        Of pooled models fold by fold, by target.
    order
        Targets as the routes list them.
    """
    left_out = _left_out(contents)
    facts = {} if contents.symbols is None else contents.symbols.symbols
    table = contents.routes
    routed = [] if table is None else pc.unique(table.column("symbol")).to_pylist()
    symbols = sorted({*facts, *left_out, *routed})
    if not symbols:
        return SymbolPages(contents.why_absent("symbols.json"), 0, "", Markup("null"))
    places = {name: place for place, name in enumerate(symbols)}
    texts = _Texts()
    rows, n_total = _rows(contents, table, order, places, texts)
    n_kept = len(rows["symbol"])
    data = {
        "symbols": symbols,
        "facts": [_facts(facts.get(name)) for name in symbols],
        "leftOut": {places[name]: reason for name, reason in left_out.items()},
        "findings": {
            places[name]: [texts.place(text) for text in each.findings]
            for name, each in facts.items()
            if each.findings
        },
        "targets": list(order),
        "routes": list(ROUTE_ORDER),
        "rows": rows,
        "folds": list(_folds(contents, skills, order, places)),
        "texts": list(texts.places),
    }
    note = (
        ""
        if n_kept == n_total
        else (f"The page holds {count(n_kept)} of {count(n_total)} routes; {ROUTES} has them all.")
    )
    return SymbolPages("", len(symbols), note, embedded_json(data))


def _left_out(contents: RunContents) -> dict[str, str]:
    if contents.symbols is None:
        return {}
    listed = [*contents.symbols.rejected, *contents.symbols.quarantined]
    return {each.symbol: each.reason for each in listed}


def _facts(found: Any) -> str:
    if found is None:
        return ""
    figures = (
        count(found.n_files),
        size(found.size_bytes),
        count(found.n_rows),
        period(found.first_ts, found.last_ts),
    )
    return _SEPARATOR.join(figures)


def _rows(
    contents: RunContents,
    table: pa.Table | None,
    order: Sequence[str],
    places: Mapping[str, int],
    texts: _Texts,
) -> tuple[dict[str, list[Any]], int]:
    """Return the routes as columns, in the order of their table on the page, and how many exist."""
    names = ("symbol", "target", "route", "why", "served", "features", "figures")
    rows: dict[str, list[Any]] = {name: [] for name in names}
    if table is None:
        return rows, 0
    served, features = _served(contents), _features(contents)
    target_place = {target: place for place, target in enumerate(order)}
    keys = pa.table(
        {
            "target": pc.index_in(table.column("target"), value_set=pa.array(order, pa.string())),
            "route": pc.index_in(table.column("route"), value_set=pa.array(ROUTE_ORDER)),
            "symbol": table.column("symbol"),
        }
    )
    ascending = [(name, "ascending") for name in keys.column_names]
    first = table.take(pc.sort_indices(keys, ascending).slice(0, MAX_EMBEDDED))
    for row in first.to_pylist():
        target, symbol = row["target"], row["symbol"]
        models = served.get((target, symbol), "")
        rows["symbol"].append(places[symbol])
        rows["target"].append(target_place[target])
        rows["route"].append(ROUTE_ORDER.index(row["route"]))
        rows["why"].append(texts.place(row["verdict"] or row["reason"]))
        rows["served"].append(texts.place(models))
        rows["features"].append(texts.place(features.get((target, symbol), "")))
        rows["figures"].append(_shortened(_figures(row)))
    return rows, table.num_rows


def _figures(row: Mapping[str, Any]) -> Iterable[str]:
    return (
        with_error(row["pooled_time_skill"], row["pooled_time_std_error"]),
        with_error(row["own_skill"], row["own_std_error"]),
        probability(row["own_q_value"]),
        with_error(row["difference"], row["difference_std_error"]),
        probability(row["difference_q_value"]),
        count(row["n_own_rows"]),
    )


def _shortened(figures: Iterable[str]) -> str:
    """Join figures, with fewer bytes to a sign: the script puts them back as they were."""
    return _SEPARATOR.join(figures).replace(" ± ", "±").replace("−", "-")


def _served(contents: RunContents) -> dict[tuple[str, str], str]:
    """Name the trained models that serve a symbol, those of its own after the pooled ones."""
    found: dict[tuple[str, str], dict[str, list[str]]] = {}
    for job in contents.jobs:
        if job.job_id not in contents.trained:
            continue
        kind = "pooled" if job.view == "cross_sectional" else "own"
        for symbol in job.serves:
            found.setdefault((job.target, symbol), {}).setdefault(kind, []).append(job.family)
    return {
        of: "; ".join(
            f"{kind} {', '.join(kinds[kind])}" for kind in ("pooled", "own") if kind in kinds
        )
        for of, kinds in found.items()
    }


def _features(contents: RunContents) -> dict[tuple[str, str], str]:
    """Name the best features of each symbol's own models."""
    if contents.features is None:
        return {}
    own = (pc.field("view") == "symbol_specific") & pc.field("selected")
    best: dict[tuple[str, str], list[tuple[int, str]]] = {}
    columns = ["target", "symbol", "feature", "rank"]
    for row in contents.features.filter(own).select(columns).to_pylist():
        best.setdefault((row["target"], row["symbol"]), []).append((row["rank"], row["feature"]))
    return {
        of: ", ".join(feature for _, feature in sorted(found)[:MAX_FEATURES])
        for of, found in best.items()
    }


def _folds(
    contents: RunContents,
    skills: Mapping[str, FoldSkills],
    order: Sequence[str],
    places: Mapping[str, int],
) -> Iterable[dict[str, Any]]:
    """Yield, by target, the skill of the pooled model over each symbol's own time, by fold."""
    spans = {span.index: span for span in contents.record.folds}
    for target, found in skills.items():
        if found.by_symbol and target in order:
            known = [spans.get(fold, FoldSpan(index=fold)) for fold in found.folds]
            yield {
                "target": list(order).index(target),
                "family": found.family,
                "starts": [moment(span.test_start) for span in known],
                "skills": {
                    places[symbol]: _shortened(signed(each, 2) for each in of_folds)
                    for symbol, of_folds in found.by_symbol.items()
                    if symbol in places
                },
            }
