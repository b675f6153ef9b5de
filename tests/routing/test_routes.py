"""The table of routes, case by case, and the figures behind each."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from routing_rows import TARGET, difference, pooled_row, rank_record, symbol_row
from scipy import stats

from ray_pipeline.ranking.decide import SymbolRow, TargetRow
from ray_pipeline.routing.comparison import RoutingThresholds
from ray_pipeline.routing.decide import (
    NOT_SERVED,
    ROUTE_ORDER,
    Obstacle,
    RouteRow,
    RouteVerdict,
    decide_routes,
    serving_views,
)
from ray_pipeline.samples.evidence import Evidence

NAN = math.nan
THRESHOLDS = RoutingThresholds(alpha=0.05, min_difference=0.02, method="bh")
POOLED = pooled_row()
POOLED_HINT = pooled_row(skill=0.03, p=0.04, q=0.2, predictable=False)
POOLED_NOTHING = pooled_row(skill=0.01, p=0.4, q=0.6, predictable=False)
POOLED_WRONG_WAY = pooled_row(skill=-0.2, p=0.01, q=0.02, predictable=False)
OWN = symbol_row()
OWN_HINT = symbol_row(skill=0.03, p=0.03, q=0.3, predictable=False)
OWN_NOTHING = symbol_row(skill=0.01, p=0.4, q=0.6, predictable=False)
OWN_TOO_SHORT = symbol_row(
    skill=0.3, p=NAN, q=NAN, predictable=False, reason="too little data: 12 out-of-sample rows"
)
OWN_BETTER = difference(0.15)
POOLED_BETTER = difference(-0.15)
ALIKE = difference(0.015)


def decide(
    pooled: TargetRow | None,
    own: SymbolRow | None,
    paired: Evidence | None = None,
    obstacle: Obstacle | None = None,
    shared: SymbolRow | None = None,
) -> RouteRow:
    """Route one symbol by its rows."""
    rows: dict[Any, SymbolRow] = {}
    if own is not None:
        rows["A", "symbol_specific"] = own
    if shared is not None:
        rows["A", "cross_sectional"] = shared
    (row,) = decide_routes(
        TARGET,
        ["A"],
        {} if pooled is None else {"cross_sectional": pooled},
        rows,
        {"A": rank_record(paired)},
        THRESHOLDS,
        obstacle,
    )
    return row


TABLE = [
    (POOLED, OWN, OWN_BETTER, "SYMBOL_SPECIFIC", "both hold up and the own model is better"),
    (POOLED, OWN, POOLED_BETTER, "CROSS_SECTIONAL", "both hold up and the pooled model is better"),
    (POOLED, OWN, ALIKE, "BOTH", "both hold up and neither is better"),
    (POOLED, OWN, None, "BOTH", "both hold up and neither is better"),
    (POOLED, OWN_NOTHING, POOLED_BETTER, "CROSS_SECTIONAL", "an own one does not"),
    (POOLED, OWN_NOTHING, ALIKE, "CROSS_SECTIONAL", "an own one does not"),
    (POOLED, OWN_HINT, ALIKE, "CROSS_SECTIONAL", "an own one does not"),
    (POOLED, OWN_TOO_SHORT, None, "CROSS_SECTIONAL", "an own one does not"),
    (POOLED, None, None, "CROSS_SECTIONAL", "an own one does not"),
    (POOLED, OWN_NOTHING, OWN_BETTER, "EXPERIMENTAL_ONLY", "is worse here than an own one"),
    (POOLED_NOTHING, OWN, OWN_BETTER, "SYMBOL_SPECIFIC", "the pooled one does not"),
    (POOLED_NOTHING, OWN, ALIKE, "SYMBOL_SPECIFIC", "the pooled one does not"),
    (POOLED_HINT, OWN, None, "SYMBOL_SPECIFIC", "the pooled one does not"),
    (None, OWN, None, "SYMBOL_SPECIFIC", "the pooled one does not"),
    (POOLED_NOTHING, OWN_HINT, None, "EXPERIMENTAL_ONLY", "before the multiplicity correction"),
    (POOLED_HINT, OWN_NOTHING, None, "EXPERIMENTAL_ONLY", "before the multiplicity correction"),
    (None, OWN_HINT, None, "EXPERIMENTAL_ONLY", "before the multiplicity correction"),
    (POOLED_HINT, None, None, "EXPERIMENTAL_ONLY", "before the multiplicity correction"),
    (POOLED_NOTHING, OWN_NOTHING, OWN_BETTER, "BLOCKED", "no evidence"),
    (POOLED_WRONG_WAY, OWN_NOTHING, None, "BLOCKED", "no evidence"),
    (POOLED_NOTHING, OWN_TOO_SHORT, None, "BLOCKED", "too little data for an own model"),
    (None, OWN_TOO_SHORT, None, "BLOCKED", "too little data for an own model"),
    (None, None, None, "BLOCKED", "no evidence"),
]


@pytest.mark.parametrize(("pooled", "own", "paired", "route", "reason"), TABLE)
def test_table_of_routes(
    pooled: TargetRow | None,
    own: SymbolRow | None,
    paired: Evidence | None,
    route: str,
    reason: str,
) -> None:
    """Each line of the table: what holds up, which is better, the route, its sentence."""
    row = decide(pooled, own, paired)
    assert row.route == route
    assert reason in row.verdict
    assert row.reason.startswith(f"{row.verdict}: ")


def test_skill_in_the_wrong_direction_is_no_evidence() -> None:
    """A p-value of 0.01 with a negative skill does not even make a route experimental."""
    wrong = symbol_row(skill=-0.1, p=0.01, q=0.02, predictable=False)
    assert decide(None, wrong).route == "BLOCKED"


@pytest.mark.parametrize(
    ("pooled", "own", "route"),
    [
        (POOLED, OWN, "EXPERIMENTAL_ONLY"),
        (POOLED_NOTHING, OWN, "EXPERIMENTAL_ONLY"),
        (POOLED_HINT, OWN_NOTHING, "EXPERIMENTAL_ONLY"),
        (POOLED_NOTHING, OWN_NOTHING, "BLOCKED"),
        (None, None, "BLOCKED"),
    ],
)
def test_an_obstacle_keeps_a_target_from_being_served(
    pooled: TargetRow | None, own: SymbolRow | None, route: str
) -> None:
    """With an obstacle, evidence leads to an experiment at most, and the reason names it."""
    kind: RouteVerdict = "the target is predictable but not among the top_n_targets"
    obstacle = Obstacle(kind, "not among the top_n_targets=10")
    row = decide(pooled, own, OWN_BETTER, obstacle=obstacle)
    assert (row.route, row.verdict) == (route, kind)
    assert row.reason.startswith("not among the top_n_targets=10: ")


def test_reason_holds_the_figures() -> None:
    """Skills, q-values, difference with its error, and rows stand in the reason."""
    shared = symbol_row(view="cross_sectional", skill=0.0424)
    row = decide(POOLED, OWN, OWN_BETTER, shared=shared)
    assert row.reason == (
        "both hold up and the own model is better: "
        "pooled across symbols +0.100 (q 0.002), pooled over this symbol's time +0.042, "
        "own +0.100 (q 0.002), "
        f"own - pooled +0.150 ± 0.010 (q {row.difference_q_value:.2g}, shrunk +0.149, 300 rows)"
    )


def test_reason_without_figures_says_so() -> None:
    """Where no view measured anything the reason does not end in nothing."""
    assert decide(None, None).reason == "no evidence: nothing could be measured"


def test_reason_of_a_short_history_is_its_own() -> None:
    """A symbol with too few rows is told how many, instead of a q-value of nan."""
    reason = decide(POOLED, OWN_TOO_SHORT).reason
    assert "own: too little data: 12 out-of-sample rows" in reason
    assert "nan" not in reason


def test_row_carries_the_evidence_it_was_decided_on() -> None:
    """The columns are the figures of the ranking tables and of the paired test."""
    row = decide(POOLED, OWN, OWN_BETTER, shared=symbol_row(view="cross_sectional", skill=0.04))
    assert (row.pooled_skill, row.pooled_p_value, row.pooled_q_value) == (0.1, 0.001, 0.002)
    assert (row.pooled_time_skill, row.pooled_time_std_error) == (0.04, 0.03)
    assert (row.own_skill, row.own_family, row.n_own_rows) == (0.1, "lightgbm", 400)
    assert (row.difference, row.difference_std_error, row.n_paired_rows) == (0.15, 0.01, 300)
    assert row.pooled_predictable
    assert row.own_predictable


def test_row_of_nothing_measured_holds_nan_and_no_family() -> None:
    """Figures that do not exist are NaN, counts 0, families null."""
    row = decide(None, None)
    figures = (row.pooled_skill, row.own_skill, row.difference, row.difference_q_value)
    assert all(math.isnan(figure) for figure in figures)
    assert (row.pooled_family, row.own_family) == (None, None)
    assert (row.n_own_rows, row.n_paired_rows) == (0, 0)
    assert not row.pooled_predictable
    assert not row.own_predictable


def test_a_difference_is_that_of_the_families_that_stand_for_the_views() -> None:
    """The pooled ridge is compared with the own lightgbm, whatever other pairs were measured."""
    record = rank_record(None)
    record["targets"][TARGET]["paired"] = {
        "ridge": {
            "ridge": difference(-0.4).to_record(),
            "lightgbm": difference(0.15).to_record(),
        },
        "lightgbm": {"lightgbm": difference(-0.5).to_record()},
    }
    (row,) = decide_routes(
        TARGET,
        ["A"],
        {"cross_sectional": POOLED},
        {("A", "symbol_specific"): OWN},
        {"A": record},
        THRESHOLDS,
    )
    assert row.difference == 0.15


def test_a_symbol_that_was_not_ranked_is_still_routed() -> None:
    """A quarantined symbol has no record; the pooled model may serve it, nothing else."""
    rows = decide_routes(
        TARGET,
        ["A", "B"],
        {"cross_sectional": POOLED},
        {("A", "symbol_specific"): OWN},
        {"A": rank_record(ALIKE)},
        THRESHOLDS,
    )
    assert [(row.symbol, row.route) for row in rows] == [("A", "BOTH"), ("B", "CROSS_SECTIONAL")]


def test_a_symbol_with_little_data_stays_with_the_pool() -> None:
    """A significant difference of which shrinkage leaves next to nothing makes no own model."""
    names = [f"S{i}" for i in range(10)]
    records = {name: rank_record(difference(0.0), ("lightgbm",)) for name in names[1:]}
    rows = {(name, "symbol_specific"): symbol_row(name) for name in names}
    lucky = difference(0.6, std_error=0.2)

    def decided(first: Evidence) -> RouteRow:
        return decide_routes(
            TARGET,
            names,
            {"cross_sectional": POOLED},
            rows,
            records | {"S0": rank_record(first, ("lightgbm",))},
            RoutingThresholds(alpha=0.2, min_difference=0.1, method="bh"),
        )[0]

    assert decided(lucky).difference_q_value <= 0.2
    assert 0 < decided(lucky).difference_shrunk < 0.1
    assert decided(lucky).route == "BOTH"
    assert decided(difference(0.6, std_error=0.05)).route == "SYMBOL_SPECIFIC"


def test_multiplicity_reaches_the_route() -> None:
    """The same difference decides for one symbol, and not among ten without any."""
    lone = difference(0.02 + 0.01 * float(stats.t.isf(0.0075, 100)))
    names = [f"S{i}" for i in range(10)]
    records = {name: rank_record(difference(0.0)) for name in names[1:]}
    records["S0"] = rank_record(lone)
    rows = {(name, "symbol_specific"): symbol_row(name) for name in names}

    def route(symbols: list[str]) -> str:
        decided = decide_routes(
            TARGET, symbols, {"cross_sectional": POOLED}, rows, records, THRESHOLDS
        )
        assert [row.symbol for row in decided] == symbols
        return decided[0].route

    assert route(["S0"]) == "SYMBOL_SPECIFIC"
    assert route(names) == "BOTH"


def test_a_route_says_which_views_serve() -> None:
    """Both views occur, alone and together; experiments and blocked symbols have none."""
    assert {route: serving_views(route) for route in ROUTE_ORDER} == {
        "CROSS_SECTIONAL": ("cross_sectional",),
        "BOTH": ("cross_sectional", "symbol_specific"),
        "SYMBOL_SPECIFIC": ("symbol_specific",),
        "EXPERIMENTAL_ONLY": (),
        "BLOCKED": (),
    }
    assert NOT_SERVED == ("EXPERIMENTAL_ONLY", "BLOCKED")


DOUBT = Obstacle("the target is doubtful", "the target is doubtful (skill +0.52 …)", is_doubt=True)
BEYOND: RouteVerdict = "a skill on this symbol is beyond what such a target has ever shown"


@pytest.mark.parametrize("own", [OWN, OWN_HINT, OWN_NOTHING, None])
def test_a_doubtful_target_is_not_even_experimental(own: SymbolRow | None) -> None:
    """Whatever a symbol's own model shows: the same features are at work there."""
    row = decide(replace(POOLED, predictable=False, doubtful=True), own, obstacle=DOUBT)
    assert (row.route, row.verdict) == ("BLOCKED", "the target is doubtful")
    assert row.reason.startswith("the target is doubtful (skill +0.52 …): ")


def test_a_symbol_in_doubt_is_served_by_no_model() -> None:
    """Its own skill, or the pooled model's over its time: its table may be at fault."""
    own = replace(OWN, skill=0.6, predictable=False, doubtful=True, max_skill=0.2)
    row = decide(POOLED, own, OWN_BETTER)
    assert (row.route, row.verdict) == ("BLOCKED", BEYOND)
    assert "own +0.600 (q 0.002, beyond 0.2)" in row.reason
    shared = replace(symbol_row(view="cross_sectional", skill=0.6), doubtful=True, max_skill=0.2)
    row = decide(POOLED, OWN, ALIKE, shared=shared)
    assert (row.route, row.verdict) == ("BLOCKED", BEYOND)
    assert "pooled over this symbol's time +0.600 (beyond 0.2)" in row.reason
