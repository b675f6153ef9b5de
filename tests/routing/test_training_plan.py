"""From routes to jobs: ids, order, who trains a model and whom it serves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from routing_rows import TARGET, route_row

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.records import View
from ray_pipeline.routing.decide import RouteRow
from ray_pipeline.routing.jobs import LeftOutModel, TrainingPlan
from ray_pipeline.routing.plan import plan_training, without_lonely_averages
from ray_pipeline.samples.evidence import Evidence
from ray_pipeline.selection.kept import KeptRow, judge_kept
from ray_pipeline.selection.selected import SelectedFeatures, Selection

POOL = ("A", "B", "C", "D")
EVERY = ("e", "f", "g")


def config(families: tuple[str, ...] = ("ridge",), **sections: Any) -> ExperimentConfig:
    """Return a config that trains these families."""
    training = {"families": list(families)} | sections.pop("training", {})
    return ExperimentConfig.model_validate(
        {"data": {"data_dir": "nowhere"}, "training": training, **sections}
    )


def choice(*selected: str, dropped: tuple[str, ...] = ()) -> SelectedFeatures:
    """Return a selection of features, which two folds made in part."""
    rows = [{"feature": name, "selected": True} for name in selected]
    rows += [{"feature": name, "selected": False} for name in dropped]
    return SelectedFeatures(rows=tuple(rows), folds={1: selected[:1], 0: selected})


def plan(
    routes: list[RouteRow],
    choices: dict[tuple[str, str | None], SelectedFeatures] | None = None,
    targets: tuple[str, ...] = (TARGET,),
    settings: ExperimentConfig | None = None,
    accepted: tuple[str, ...] = ("ridge", "lightgbm"),
) -> TrainingPlan:
    """Plan with features selected for everything that has a route, unless they are given.

    Parameters
    ----------
    accepted
        Families that lose nothing by them.
    """
    if choices is None:
        choices = {(row.target, None): choice("f", "g") for row in routes}
        choices |= {(row.target, row.symbol): choice("g") for row in routes}
    selection = Selection(choices, kept_rows(targets, accepted), EVERY)
    return plan_training(routes, selection, targets, POOL, settings or config())


def kept_rows(targets: tuple[str, ...], accepted: tuple[str, ...]) -> list[KeptRow]:
    """Say which families may use the features selected, in both views."""
    views: tuple[View, ...] = ("cross_sectional", "symbol_specific")
    return [
        replace(
            judge_kept((target, view, family), (3, 2.0), 4, None, Evidence.none(), "always"),
            accepted=family in accepted,
        )
        for target in targets
        for view in views
        for family in ("ridge", "lightgbm")
    ]


def test_a_pooled_model_is_trained_on_the_pool_and_serves_those_routed_to_it() -> None:
    """One job on all four symbols, for the two whose route is the pooled model or both."""
    routes = [
        route_row("BLOCKED", "A"),
        route_row("CROSS_SECTIONAL", "B"),
        route_row("BOTH", "C"),
        route_row("SYMBOL_SPECIFIC", "D"),
    ]
    pooled = plan(routes).jobs[0]
    assert pooled.job_id == "cs_fwd_ret_1d__ridge"
    assert pooled.view == "cross_sectional"
    assert pooled.symbols == POOL
    assert pooled.serves == ("B", "C")
    assert pooled.features == ("f", "g")
    assert pooled.why == "predictable across symbols (skill +0.1235, q 0.002); serves 2 symbols"


def test_an_own_model_is_trained_on_its_symbol_and_serves_it() -> None:
    """SYMBOL_SPECIFIC and BOTH lead to a job of the symbol alone, with the route as its why."""
    jobs = plan([route_row("SYMBOL_SPECIFIC", "A"), route_row("BOTH", "C")]).jobs
    own = [job for job in jobs if job.view == "symbol_specific"]
    assert [(job.job_id, job.symbols, job.serves) for job in own] == [
        ("sym_fwd_ret_1d__A__ridge", ("A",), ("A",)),
        ("sym_fwd_ret_1d__C__ridge", ("C",), ("C",)),
    ]
    assert [job.features for job in own] == [("g",), ("g",)]
    assert [job.why for job in own] == [
        "SYMBOL_SPECIFIC: because of A",
        "BOTH: because of C",
    ]


def test_nothing_is_planned_for_what_is_blocked() -> None:
    """Blocked and experimental routes make no job, and are not reported as left out."""
    nothing = plan([route_row("BLOCKED", "A"), route_row("EXPERIMENTAL_ONLY", "B")])
    assert nothing == TrainingPlan((), ())


def test_only_the_chosen_targets_are_planned() -> None:
    """A route of a target that did not go on makes no job."""
    routes = [route_row("CROSS_SECTIONAL", target=target) for target in ("x", "y")]
    assert [job.target for job in plan(routes, targets=("y",)).jobs] == ["y"]


def test_jobs_come_by_target_pooled_first_then_family() -> None:
    """Priorities count from 1 in the order of targets, views, symbols and families."""
    routes = [
        route_row(route, symbol, target)
        for target in ("x", "y")
        for route, symbol in (("SYMBOL_SPECIFIC", "A"), ("BOTH", "B"))
    ]
    jobs = plan(routes, targets=("y", "x"), settings=config(("lightgbm", "ridge"))).jobs
    assert [job.job_id for job in jobs] == [
        f"{kind}__{family}"
        for target in ("y", "x")
        for kind in (f"cs_{target}", f"sym_{target}__A", f"sym_{target}__B")
        for family in ("lightgbm", "ridge")
    ]
    assert [job.priority for job in jobs] == list(range(1, 13))


def test_max_jobs_leaves_out_the_least_important() -> None:
    """The plan keeps the first by priority and names the rest with the reason."""
    routes = [route_row("BOTH", "A"), route_row("BOTH", "B")]
    cut = plan(routes, settings=config(training={"max_jobs": 2}))
    assert [(job.job_id, job.priority) for job in cut.jobs] == [
        ("cs_fwd_ret_1d__ridge", 1),
        ("sym_fwd_ret_1d__A__ridge", 2),
    ]
    assert cut.left_out == (
        LeftOutModel(TARGET, "B", "sym_fwd_ret_1d__B__ridge", "beyond training.max_jobs=2"),
    )


@pytest.mark.parametrize(
    ("symbol", "job_id"),
    [
        ("BTC/USDT", "sym_fwd_ret_1d__BTC%2FUSDT__ridge"),
        ("BRK.B", "sym_fwd_ret_1d__BRK.B__ridge"),
        ("A B", "sym_fwd_ret_1d__A B__ridge"),
        ("50%", "sym_fwd_ret_1d__50%25__ridge"),
        ("a\\b:c", "sym_fwd_ret_1d__a%5Cb%3Ac__ridge"),
        ("..", "sym_fwd_ret_1d__..__ridge"),
        ("ø", "sym_fwd_ret_1d__%C3%B8__ridge"),
    ],
)
def test_job_ids_can_be_a_folder(symbol: str, job_id: str) -> None:
    """What a path cannot hold is percent-encoded; the job keeps the symbol as it is."""
    (job,) = plan([route_row("SYMBOL_SPECIFIC", symbol)]).jobs
    assert job.job_id == job_id
    assert job.symbols == (symbol,)


def test_a_family_that_selection_costs_skill_has_all_features() -> None:
    """In the folds as well; the plan says which set it is, and an average has those of both."""
    settings = config(("ridge", "lightgbm", "rank_average"))
    routes = [route_row("CROSS_SECTIONAL", "A")]
    ridge, trees, average = plan(routes, settings=settings, accepted=("ridge",)).jobs
    assert (ridge.features, ridge.feature_set) == (("f", "g"), "selected")
    assert (trees.features, trees.feature_set) == (EVERY, "all")
    assert dict(trees.fold_features) == {0: EVERY, 1: EVERY}
    assert (average.features, average.feature_set) == (EVERY, "all")


def test_features_and_folds_come_from_the_selection() -> None:
    """Selected features in their order, never the dropped; the folds' own sorted by fold."""
    chosen = {(TARGET, None): choice("z", "a", dropped=("m",))}
    (job,) = plan([route_row("CROSS_SECTIONAL")], chosen).jobs
    assert job.features == ("z", "a")
    assert job.fold_features == ((0, ("z", "a")), (1, ("z",)))


def test_hyperparameters_are_those_of_the_family_sorted() -> None:
    """A family without a section of its own has none."""
    settings = config(
        ("lightgbm", "ridge"),
        training={"hyperparameters": {"lightgbm": {"num_leaves": 7, "max_bin": 31}}},
    )
    jobs = plan([route_row("CROSS_SECTIONAL")], settings=settings).jobs
    assert [job.hyperparameters for job in jobs] == [(("max_bin", 31), ("num_leaves", 7)), ()]


@pytest.mark.parametrize("found", [None, choice(dropped=("f",))])
def test_a_route_without_features_is_left_out_with_its_reason(
    found: SelectedFeatures | None,
) -> None:
    """When selection failed or found nothing, the plan says so instead of training on all."""
    choices = {} if found is None else {(TARGET, None): found, (TARGET, "A"): found}
    routes = [route_row("BOTH", "A")]
    why = "feature selection gave no features; see failures.parquet"
    left_out = tuple(LeftOutModel(TARGET, symbol, None, why) for symbol in (None, "A"))
    assert plan(routes, choices) == TrainingPlan((), left_out)


class TestExperimental:
    """``routing.train_experimental`` also trains what has evidence before the correction."""

    SETTINGS = config(routing={"train_experimental": True})

    def test_own_model_with_positive_skill(self) -> None:
        """An own skill above 0 is trained; a negative or unmeasured one is not."""
        routes = [
            route_row("EXPERIMENTAL_ONLY", "A", own_skill=0.01),
            route_row("EXPERIMENTAL_ONLY", "B", own_skill=-0.01),
            route_row("EXPERIMENTAL_ONLY", "C", own_skill=float("nan")),
        ]
        jobs = plan(routes, settings=self.SETTINGS).jobs
        assert [job.job_id for job in jobs] == ["sym_fwd_ret_1d__A__ridge"]
        assert jobs[0].why == "EXPERIMENTAL_ONLY: because of A"

    def test_pooled_model_that_holds_up_elsewhere(self) -> None:
        """A predictable pooled model serves an experimental symbol too."""
        routes = [
            route_row("CROSS_SECTIONAL", "A"),
            route_row("EXPERIMENTAL_ONLY", "B", pooled_predictable=True, own_skill=-0.1),
            route_row("EXPERIMENTAL_ONLY", "C", pooled_predictable=False, own_skill=-0.1),
        ]
        (job,) = plan(routes, settings=self.SETTINGS).jobs
        assert job.serves == ("A", "B")

    def test_blocked_stays_blocked(self) -> None:
        """Not even an experiment is made of a blocked symbol."""
        routes = [route_row("BLOCKED", own_skill=0.3, pooled_predictable=True)]
        assert plan(routes, settings=self.SETTINGS) == TrainingPlan((), ())


def test_different_jobs_have_different_ids() -> None:
    """Names may hold the separator: (y, A__B) and (y__A, B) are two models, in two folders."""
    routes = [
        route_row("SYMBOL_SPECIFIC", "A__B", "y"),
        route_row("SYMBOL_SPECIFIC", "B", "y__A"),
    ]
    jobs = plan(routes, targets=("y", "y__A")).jobs
    assert len({job.job_id for job in jobs}) == 2


def test_an_average_comes_last_of_its_route_and_names_its_members() -> None:
    """Wherever the config names it; its members are the route's other families, in their order."""
    settings = config(("rank_average", "ridge", "lightgbm"))
    jobs = plan([route_row("BOTH", "A")], settings=settings).jobs
    assert [(job.job_id, job.members) for job in jobs if job.view == "cross_sectional"] == [
        ("cs_fwd_ret_1d__ridge", ()),
        ("cs_fwd_ret_1d__lightgbm", ()),
        (
            "cs_fwd_ret_1d__rank_average",
            ("cs_fwd_ret_1d__ridge", "cs_fwd_ret_1d__lightgbm"),
        ),
    ]
    own = jobs[-1]
    assert own.job_id == "sym_fwd_ret_1d__A__rank_average"
    assert own.members == ("sym_fwd_ret_1d__A__ridge", "sym_fwd_ret_1d__A__lightgbm")
    assert (own.serves, own.features, own.priority) == (("A",), ("g",), 6)


def test_an_average_whose_members_are_cut_off_is_left_out_with_its_reason() -> None:
    """Of the first route both members are trained; of the second only one is within max_jobs."""
    settings = config(("ridge", "lightgbm", "rank_average"), training={"max_jobs": 4})
    made = plan([route_row("BOTH", "A")], settings=settings)
    assert [job.family for job in made.jobs] == ["ridge", "lightgbm", "rank_average", "ridge"]
    alone = without_lonely_averages(made, {"cs_fwd_ret_1d__ridge", "sym_fwd_ret_1d__A__ridge"})
    assert [job.family for job in alone.jobs] == ["ridge", "lightgbm", "ridge"]
    assert alone.left_out[-1] == LeftOutModel(
        TARGET,
        None,
        "cs_fwd_ret_1d__rank_average",
        "an average needs 2 models, and 1 of its 2 members was trained",
    )
    none = without_lonely_averages(made, set())
    assert none.left_out[-1].why.endswith("and 0 of its 2 members were trained")
    cut = config(("ridge", "lightgbm", "rank_average"), training={"max_jobs": 1})
    left_out = plan([route_row("CROSS_SECTIONAL", "A")], settings=cut).left_out
    assert [each.job_id for each in left_out] == [
        "cs_fwd_ret_1d__lightgbm",
        "cs_fwd_ret_1d__rank_average",
    ]
