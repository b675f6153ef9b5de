"""Comparing what was planted with what a run found (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ray_pipeline.quickstart.truth import PlantedLeak, PlantedTarget, PlantedTwin, Truth
from ray_pipeline.records import View

__all__ = ["Comparison", "Found", "PlantedFinding", "compare"]

Verdict = Literal["right", "wrong", "open"]
Row = Mapping[str, Any]

ENOUGH_SYMBOLS = 2 / 3
"""Share of the symbols in which a planted effect has to show. Tests of single symbols allow for
false discoveries and missed weak effects, so not all symbols can be promised."""

_VIEWS: Mapping[View, str] = {"cross_sectional": "pooled", "symbol_specific": "per symbol"}


@dataclass(frozen=True, slots=True)
class Found:
    """Rows of a run's tables: ranked targets, features, routes and leaks."""

    targets: Sequence[Row]
    features: Sequence[Row]
    routes: Sequence[Row]
    leaks: Sequence[Row]


@dataclass(frozen=True, slots=True)
class PlantedFinding:
    """One planted thing and what was found; `verdict` is ``open`` if nothing is promised."""

    what: str
    planted: str
    found: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Comparison:
    """Findings under one heading, e.g. a target and its story."""

    heading: str
    story: str
    findings: tuple[PlantedFinding, ...]


def compare(truth: Truth, found: Found) -> list[Comparison]:
    """Compare a run's results with what was planted, one comparison per target and one for all.

    Parameters
    ----------
    truth
        The truth from which the sample was made.
    found
        The results of the run.
    """
    comparisons = [
        Comparison(
            target.name,
            target.story,
            (
                *(_view(target, view, found.targets) for view in _VIEWS),
                *_carriers(target, truth.twin, found.features),
                _routes(target, found.routes),
            ),
        )
        for target in truth.targets
    ]
    findings = [*_leak(truth.leak, found.leaks)]
    if truth.twin is not None:
        findings.append(_twin(truth.twin, found.features))
    return [*comparisons, Comparison("features", "that must not be used as they are", (*findings,))]


def _verdict(is_right: bool) -> Verdict:
    return "right" if is_right else "wrong"


def _view(target: PlantedTarget, view: View, rows: Sequence[Row]) -> PlantedFinding:
    planted = "too weak to promise"
    if view in target.found_in:
        planted = "predictable" if target.family is None else f"predictable, {target.family} only"
    elif view in target.absent_in:
        planted = "nothing there"
    row = next((r for r in rows if r["target"] == target.name and r["view"] == view), None)
    if row is None:
        return PlantedFinding(_VIEWS[view], planted, "not ranked", "wrong")
    answer = f"predictable, {row['family']}" if row["predictable"] else "not predictable"
    figures = f"skill {_number(row['skill'], '+.3f')}, q {_number(row['q_value'], '.2g')}"
    verdict: Verdict = "open"
    if view in target.found_in:
        by_the_family = target.family in (None, row["family"])
        verdict = _verdict(row["predictable"] and by_the_family)
    elif view in target.absent_in:
        verdict = _verdict(not row["predictable"])
    return PlantedFinding(_VIEWS[view], planted, f"{answer} ({figures})", verdict)


def _number(value: float | None, form: str) -> str:
    return "unknown" if value is None else format(value, form)


def _carriers(
    target: PlantedTarget, twin: PlantedTwin | None, rows: Sequence[Row]
) -> Iterator[PlantedFinding]:
    """Compare the selected features where the target has to be found: pooled, else per symbol."""
    if not target.carriers:
        return
    planted = ", ".join(target.carriers)
    view = target.found_in[0]
    selected: dict[str | None, list[str]] = {}
    for row in sorted(rows, key=lambda r: (r["symbol"] or "", r["rank"])):
        if row["target"] == target.name and row["view"] == view and row["selected"]:
            selected.setdefault(row["symbol"], []).append(row["feature"])
    if not selected:
        yield PlantedFinding("features", planted, "none selected", "wrong")
        return
    enough = [
        all(_names(name, twin) & set(names) for name in target.carriers)
        for names in selected.values()
    ]
    is_right = sum(enough) >= ENOUGH_SYMBOLS * len(enough)
    if view == "cross_sectional":
        (names,) = selected.values()
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        yield PlantedFinding("features", planted, ", ".join(names[:3]) + more, _verdict(is_right))
        return
    top = Counter(names[0] for names in selected.values())
    first = ", ".join(f"{name} first in {count}" for name, count in _by_count(top)[:2])
    yield PlantedFinding(
        "features", planted, f"{first} of {len(selected)} symbols", _verdict(is_right)
    )


def _names(feature: str, twin: PlantedTwin | None) -> set[str]:
    """Names under which a feature may be selected: its own, or its twin's."""
    if twin is not None and feature in (twin.feature, twin.of):
        return {twin.feature, twin.of}
    return {feature}


def _by_count(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _routes(target: PlantedTarget, rows: Sequence[Row]) -> PlantedFinding:
    counts = Counter(str(row["route"]) for row in rows if row["target"] == target.name)
    n_right = sum(counts[route] for route in target.routes)
    return PlantedFinding(
        what="routes",
        planted=" or ".join(target.routes),
        found=", ".join(f"{route} {count}" for route, count in _by_count(counts)) or "none",
        verdict=_verdict(bool(counts) and n_right >= ENOUGH_SYMBOLS * counts.total()),
    )


def _leak(leak: PlantedLeak | None, rows: Sequence[Row]) -> Iterator[PlantedFinding]:
    if leak is not None:
        planted = f"{leak.feature} copies {leak.target}"
        caught = [
            row for row in rows if (row["feature"], row["target"]) == (leak.feature, leak.target)
        ]
        found = "not noticed"
        if caught:
            found = f"{caught[0]['action']} by its {caught[0]['test']} ({caught[0]['value']:.2f})"
        dropped = [row["action"] for row in caught] == ["dropped"]
        yield PlantedFinding("leak", planted, found, _verdict(dropped))
    planted_feature = None if leak is None else leak.feature
    others = sorted({str(row["feature"]) for row in rows if row["feature"] != planted_feature})
    found = f"accused: {', '.join(others)}" if others else "none accused"
    yield PlantedFinding("other leaks", "none", found, _verdict(not others))


def _twin(twin: PlantedTwin, rows: Sequence[Row]) -> PlantedFinding:
    """At most one of two twins may serve a model."""
    pair = {twin.feature, twin.of}
    chosen: dict[tuple[str, str | None], set[str]] = {}
    for row in rows:
        if row["selected"] and row["feature"] in pair:
            chosen.setdefault((row["target"], row["symbol"]), set()).add(row["feature"])
    both = sum(names == pair for names in chosen.values())
    found = "neither is used"
    if chosen:
        found = f"one of the two in {len(chosen) - both} of {len(chosen)} selections"
    planted = f"{twin.feature} says what {twin.of} says"
    return PlantedFinding("twin", planted, found, _verdict(bool(chosen) and not both))
