from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ray_pipeline.quickstart import (
    NOTHING_PLANTED,
    Comparison,
    Found,
    PlantedFinding,
    PlantedLeak,
    PlantedTarget,
    PlantedTwin,
    Truth,
    compare,
    comparison_lines,
)

SYMBOLS = ("A", "B", "C", "D")
SHARED = PlantedTarget(
    name="y_shared_2h",
    horizon_bars=2,
    task="regression",
    shape="shared",
    strength=1.0,
    persistence=0.0,
    carriers=("speed",),
    found_in=("cross_sectional",),
    absent_in=(),
    family="ridge",
    routes=("CROSS_SECTIONAL",),
    story="in all",
)
OWN = replace(
    SHARED,
    name="y_own_2h",
    found_in=("symbol_specific",),
    absent_in=("cross_sectional",),
    family=None,
    routes=("SYMBOL_SPECIFIC",),
    story="in each",
)
TRUTH = Truth((SHARED, OWN), PlantedLeak("spy", OWN.name, 1), PlantedTwin("speed_kmh", "speed"))


def ranked(target: str, view: str, predictable: bool, family: str = "ridge") -> dict[str, Any]:
    return {
        "target": target,
        "view": view,
        "predictable": predictable,
        "family": family,
        "skill": 0.25 if predictable else 0.01,
        "q_value": 0.004 if predictable else 0.6,
    }


def selected(
    target: str, view: str, symbol: str | None, feature: str, rank: int = 1, is_in: bool = True
) -> dict[str, Any]:
    return {
        "target": target,
        "view": view,
        "symbol": symbol,
        "feature": feature,
        "rank": rank,
        "selected": is_in,
    }


def routed(target: str, route: str, n: int = len(SYMBOLS)) -> list[dict[str, Any]]:
    return [{"target": target, "symbol": symbol, "route": route} for symbol in SYMBOLS[:n]]


LEAK = {
    "target": OWN.name,
    "feature": "spy",
    "test": "value",
    "value": 0.9999,
    "action": "dropped",
}
AS_PLANTED = Found(
    targets=[
        ranked(SHARED.name, "cross_sectional", True),
        ranked(SHARED.name, "symbol_specific", False),
        ranked(OWN.name, "cross_sectional", False),
        ranked(OWN.name, "symbol_specific", True, "lightgbm"),
    ],
    features=[
        selected(SHARED.name, "cross_sectional", None, "noise", 2),
        selected(SHARED.name, "cross_sectional", None, "speed_kmh"),
        selected(SHARED.name, "cross_sectional", None, "speed", 3, is_in=False),
        *(selected(OWN.name, "symbol_specific", symbol, "speed") for symbol in SYMBOLS),
    ],
    routes=[*routed(SHARED.name, "CROSS_SECTIONAL"), *routed(OWN.name, "SYMBOL_SPECIFIC")],
    leaks=[LEAK],
)


def findings(found: Found, truth: Truth = TRUTH) -> dict[tuple[str, str], PlantedFinding]:
    return {
        (each.heading, finding.what): finding
        for each in compare(truth, found)
        for finding in each.findings
    }


def test_what_was_found_as_planted_is_right() -> None:
    """Every promise is right, and a view that promises nothing stays open."""
    verdicts = {key: finding.verdict for key, finding in findings(AS_PLANTED).items()}
    assert verdicts.pop((SHARED.name, "per symbol")) == "open"
    assert len(verdicts) == 10
    assert set(verdicts.values()) == {"right"}


def test_figures_stand_beside_the_verdict() -> None:
    """A view shows its family, skill and q; features come in their order; the leak has a value."""
    found = findings(AS_PLANTED)
    pooled = found[SHARED.name, "pooled"]
    assert pooled.planted == "predictable, ridge only"
    assert pooled.found == "predictable, ridge (skill +0.250, q 0.004)"
    assert found[OWN.name, "pooled"].found == "not predictable (skill +0.010, q 0.6)"
    assert found[SHARED.name, "features"].found == "speed_kmh, noise"
    assert found[OWN.name, "features"].found == "speed first in 4 of 4 symbols"
    assert found["features", "leak"].found == "dropped by its value (1.00)"
    assert found["features", "twin"].found == "one of the two in 5 of 5 selections"


def without(rows: Any, target: str, view: str) -> list[dict[str, Any]]:
    return [row for row in rows if (row["target"], row["view"]) != (target, view)]


OTHER_TARGETS = without(AS_PLANTED.targets, SHARED.name, "cross_sectional")
OTHER_FEATURES = without(AS_PLANTED.features, SHARED.name, "cross_sectional")


@pytest.mark.parametrize(
    ("changed", "key", "says"),
    [
        (
            {"targets": [*OTHER_TARGETS, ranked(SHARED.name, "cross_sectional", False)]},
            (SHARED.name, "pooled"),
            "not predictable (skill +0.010, q 0.6)",
        ),
        (
            {"targets": [*OTHER_TARGETS, ranked(SHARED.name, "cross_sectional", True, "lightgbm")]},
            (SHARED.name, "pooled"),
            "predictable, lightgbm (skill +0.250, q 0.004)",
        ),
        ({"targets": OTHER_TARGETS}, (SHARED.name, "pooled"), "not ranked"),
        (
            {
                "features": [
                    *OTHER_FEATURES,
                    selected(SHARED.name, "cross_sectional", None, "noise"),
                ]
            },
            (SHARED.name, "features"),
            "noise",
        ),
        ({"features": OTHER_FEATURES}, (SHARED.name, "features"), "none selected"),
        (
            {
                "routes": [
                    *routed(SHARED.name, "BLOCKED", 2),
                    *routed(SHARED.name, "CROSS_SECTIONAL", 2),
                    *routed(OWN.name, "SYMBOL_SPECIFIC"),
                ]
            },
            (SHARED.name, "routes"),
            "BLOCKED 2, CROSS_SECTIONAL 2",
        ),
        ({"routes": routed(OWN.name, "SYMBOL_SPECIFIC")}, (SHARED.name, "routes"), "none"),
        ({"leaks": []}, ("features", "leak"), "not noticed"),
        (
            {"leaks": [{**LEAK, "action": "warned"}]},
            ("features", "leak"),
            "warned by its value (1.00)",
        ),
        (
            {"leaks": [LEAK, {**LEAK, "feature": "speed"}]},
            ("features", "other leaks"),
            "accused: speed",
        ),
        (
            {
                "features": [
                    *AS_PLANTED.features,
                    selected(OWN.name, "symbol_specific", "A", "speed_kmh", 2),
                ]
            },
            ("features", "twin"),
            "one of the two in 4 of 5 selections",
        ),
    ],
)
def test_each_difference_is_wrong_by_itself(
    changed: dict[str, Any], key: tuple[str, str], says: str
) -> None:
    """One table that differs turns its own line wrong, with what was found, and no other."""
    found = findings(replace(AS_PLANTED, **changed))
    assert found[key].found == says
    wrong = {name for name, finding in found.items() if finding.verdict == "wrong"}
    assert wrong == {key}


@pytest.mark.parametrize(("n_right", "verdict"), [(3, "right"), (2, "wrong")])
def test_two_thirds_of_the_symbols_are_enough(n_right: int, verdict: str) -> None:
    """Tests of single symbols may miss some: of four, routes and features need three."""
    features = [
        selected(OWN.name, "symbol_specific", symbol, "speed" if place < n_right else "noise")
        for place, symbol in enumerate(SYMBOLS)
    ]
    routes = [*routed(OWN.name, "BLOCKED")[n_right:], *routed(OWN.name, "SYMBOL_SPECIFIC", n_right)]
    kept: dict[str, Any] = {
        "features": [*AS_PLANTED.features[:2], *features],
        "routes": [*routed(SHARED.name, "CROSS_SECTIONAL"), *routes],
    }
    found = findings(replace(AS_PLANTED, **kept))
    assert found[OWN.name, "features"].verdict == verdict
    assert found[OWN.name, "routes"].verdict == verdict


def test_a_view_that_was_not_measured_has_no_figures() -> None:
    """Null skills of the tables are said to be unknown."""
    row = {**ranked(SHARED.name, "cross_sectional", False), "skill": None, "q_value": None}
    found = findings(replace(AS_PLANTED, targets=[*OTHER_TARGETS, row]))
    said = found[SHARED.name, "pooled"].found
    assert said == "not predictable (skill unknown, q unknown)"


def test_long_lists_of_features_are_cut() -> None:
    """Three names, and how many more there are."""
    names = ("speed", "b", "c", "d", "e")
    rows = [
        selected(SHARED.name, "cross_sectional", None, name, rank)
        for rank, name in enumerate(names, start=1)
    ]
    found = findings(replace(AS_PLANTED, features=[*OTHER_FEATURES, *rows]))
    assert found[SHARED.name, "features"].found == "speed, b, c and 2 more"


def test_noise_is_judged_by_what_is_not_there() -> None:
    """Where nothing is planted a predictable target is wrong, and a blocked one is right."""
    target = NOTHING_PLANTED.targets[0]
    truth = Truth((target,), None, None)
    nothing = Found(
        targets=[
            ranked(target.name, "cross_sectional", False),
            ranked(target.name, "symbol_specific", True),
        ],
        features=[],
        routes=routed(target.name, "BLOCKED"),
        leaks=[],
    )
    found = findings(nothing, truth)
    assert {key[1]: finding.verdict for key, finding in found.items()} == {
        "pooled": "right",
        "per symbol": "wrong",
        "routes": "right",
        "other leaks": "right",
    }


def test_the_table_shows_planted_beside_found() -> None:
    """One line per promise with its mark, in columns, and a sentence at the end."""
    comparison = Comparison(
        "y_2h",
        "weak",
        (
            PlantedFinding("pooled", "predictable", "predictable, ridge", "right"),
            PlantedFinding("per symbol", "too weak to promise", "not predictable", "open"),
            PlantedFinding("routes", "BOTH", "BOTH 4", "right"),
        ),
    )
    assert comparison_lines([comparison]) == [
        "                 planted              found",
        "y_2h: weak",
        "  ✓ pooled       predictable          predictable, ridge",
        "  · per symbol   too weak to promise  not predictable",
        "  ✓ routes       BOTH                 BOTH 4",
        "",
        "All 2 things that the sample promises were found as planted.",
    ]


def test_the_table_names_what_was_not_found() -> None:
    """A mismatch has its own mark and is repeated in the last sentence."""
    comparison = Comparison(
        "y_2h",
        "weak",
        (
            PlantedFinding("pooled", "predictable", "not predictable", "wrong"),
            PlantedFinding("routes", "BOTH", "BLOCKED 4", "wrong"),
            PlantedFinding("features", "a", "a", "right"),
        ),
    )
    lines = comparison_lines([comparison])
    assert lines[2] == "  ✗ pooled       predictable  not predictable"
    assert lines[-1] == (
        "2 of 3 things that the sample promises were NOT found as planted: "
        "y_2h (pooled), y_2h (routes)."
    )
