"""Routing of a ranking: every symbol of every target, and what stands in a target's way."""

from __future__ import annotations

from dataclasses import replace

from routing_rows import TARGET, difference, pooled_row, rank_record, symbol_row

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.ranking.ranking import Ranking
from ray_pipeline.routing.assigning import route_symbols


def config(**routing: object) -> ExperimentConfig:
    """Return a config with a section of routing."""
    return ExperimentConfig.model_validate({"data": {"data_dir": "nowhere"}, "routing": routing})


def ranking(chosen: list[str], own_predictable: bool = True) -> Ranking:
    """Return the ranking of two symbols on one target with a predictable pooled model."""
    return Ranking(
        targets=[pooled_row()],
        symbols=[symbol_row(name, predictable=own_predictable) for name in ("A", "B")],
        chosen=chosen,
        records={name: rank_record(difference(0.05)) for name in ("A", "B")},
    )


def test_every_symbol_has_a_route_even_one_that_was_not_ranked() -> None:
    """One row per target and symbol, in the order given."""
    rows = route_symbols(ranking([TARGET]), ["A", "B", "Z"], config())
    assert [(row.target, row.symbol) for row in rows] == [(TARGET, s) for s in ("A", "B", "Z")]
    assert rows[2].route == "CROSS_SECTIONAL"


def test_targets_are_routed_by_name_each_on_its_own_rows() -> None:
    """The evidence of one target does not serve another."""
    first = ranking([TARGET, "other"])
    other = replace(pooled_row(predictable=False, p=0.5), target="other")
    both = replace(
        first,
        targets=[*first.targets, other],
        symbols=first.symbols,
        records={
            name: record | {"targets": record["targets"] | {"other": {"paired": {}}}}
            for name, record in first.records.items()
        },
    )
    rows = route_symbols(both, ["A"], config())
    assert [(row.target, row.route) for row in rows] == [
        (TARGET, "SYMBOL_SPECIFIC"),
        ("other", "BLOCKED"),
    ]


def test_a_predictable_target_beyond_the_best_is_not_served() -> None:
    """The reason names the setting that left it out."""
    row = route_symbols(ranking([]), ["A"], config())[0]
    assert row.route == "EXPERIMENTAL_ONLY"
    assert row.reason.startswith(
        "the target is predictable but not among the top_n_targets=10: pooled across symbols +0.100"
    )
    assert row.verdict == "the target is predictable but not among the top_n_targets"


def test_a_symbol_alone_does_not_make_a_target_predictable() -> None:
    """An own model that holds up on a target that does not is one of many tries."""
    nothing = replace(ranking([]), targets=[pooled_row(skill=0.0, p=0.6, predictable=False)])
    row = route_symbols(nothing, ["A"], config())[0]
    assert row.route == "EXPERIMENTAL_ONLY"
    assert row.reason.startswith("the target is not predictable over the batch: ")


def test_min_difference_comes_from_the_config() -> None:
    """Own models that are 0.05 better count as better at 0.02, and not at 0.1."""
    given = ranking([TARGET])
    routes = [
        route_symbols(given, ["A"], config(min_difference=least))[0].route for least in (0.02, 0.1)
    ]
    assert routes == ["SYMBOL_SPECIFIC", "BOTH"]


def test_alpha_of_routing_replaces_that_of_ranking() -> None:
    """With an alpha below the q-value of the difference neither model is better."""
    given = ranking([TARGET])
    assert route_symbols(given, ["A"], config(alpha=1e-9))[0].route == "BOTH"


def test_a_doubtful_target_blocks_all_its_symbols_with_its_figure() -> None:
    """Not the lack of a place among the best: the skill that nobody has ever shown."""
    row = replace(pooled_row(skill=0.52, predictable=False), doubtful=True, max_skill=0.2)
    routes = route_symbols(replace(ranking([]), targets=[row]), ["A", "B"], config())
    assert [(each.route, each.verdict) for each in routes] == [
        ("BLOCKED", "the target is doubtful")
    ] * 2
    assert routes[0].reason.startswith(
        "the target is doubtful (skill +0.52 on fwd_ret_1d is beyond what is believed of such a "
        "target (0.2)): pooled across symbols +0.520"
    )
