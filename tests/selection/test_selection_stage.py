"""Which (target, symbol) selection is made for, and its table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from planted_pools import panel_frame

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.ranking.decide import SymbolRow, TargetRow
from ray_pipeline.ranking.ranking import Ranking
from ray_pipeline.records import SymbolPartition, View
from ray_pipeline.samples.shared_pool import PooledPanel
from ray_pipeline.selection.selected import SelectedFeatures, Selection
from ray_pipeline.selection.selecting import select_features
from ray_pipeline.statistics.stability import selection_stability

FOUND = {
    "features": [
        {"feature": "g", "score": 0.9, "methods": {"gain": 2.0}, "selected": True},
        {"feature": "f", "score": 0.8, "methods": {"gain": 1.0}, "selected": True},
        {"feature": "h", "score": 0.1, "methods": {"gain": 0.0}, "selected": False},
    ],
    "folds": {"0": ["g"], "10": ["g", "f"]},
    "set_stability": 0.4,
}


class Runner:
    """Answers every unit that selects with `FOUND` for each of its targets."""

    def __init__(self, lost: tuple[str, ...] = ()) -> None:
        self.units: list[Any] = []
        self._lost = lost

    def run(self, units: Any, shared: Any = ()) -> dict[str, Any]:
        self.units += units
        return {
            unit.key: {"choices": f"choices of {unit.key}"}
            if unit.stage == "select_pooled_fold"
            else {"targets": dict.fromkeys(unit.spec.targets, FOUND)}
            for unit in units
            if unit.key not in self._lost
        }

    run_required = run


def figures(target: str, view: View, predictable: bool, skill: float, p: float) -> dict[str, Any]:
    """Return the fields that both tables share."""
    return {
        "target": target,
        "view": view,
        "family": "ridge",
        "task": "regression",
        "horizon_bars": 1,
        "skill": skill,
        "std_error": 0.01,
        "t_stat": 1.0,
        "p_value": p,
        "q_value": p,
        "n_rows": 100,
        "predictable": predictable,
        "rank": 1,
        "reason": "",
    }


def target_row(target: str, view: View, predictable: bool) -> TargetRow:
    """Return a target's row."""
    return TargetRow(**figures(target, view, predictable, 0.1, 0.01), n_symbols=3)


def symbol_row(
    target: str, symbol: str, skill: float, p: float, view: View = "symbol_specific"
) -> SymbolRow:
    """Return a symbol's row."""
    return SymbolRow(**figures(target, view, False, skill, p), symbol=symbol)


RANKING = Ranking(
    targets=[
        target_row("x", "cross_sectional", True),
        target_row("y", "cross_sectional", False),
        target_row("y", "symbol_specific", True),
        target_row("z", "cross_sectional", True),
    ],
    symbols=[
        symbol_row("y", "B", 0.1, 0.04),
        symbol_row("x", "B", 0.1, 0.001),
        symbol_row("y", "A", 0.1, 0.06),
        symbol_row("x", "A", -0.1, 0.01),
        symbol_row("y", "C", 0.2, 0.05),
        symbol_row("x", "C", 0.2, 0.01, view="cross_sectional"),
        symbol_row("z", "A", 0.2, 0.001),
        symbol_row("x", "D", float("nan"), float("nan")),
    ],
    chosen=["y", "x"],
    records={symbol: {"importances": f"importances of {symbol}"} for symbol in "ABCD"},
    pooled_folds=tuple({"importances": f"importances {i}", "table": f"fold {i}"} for i in range(3)),
)


def run_stage(
    runner: Runner, pool: PooledPanel | None, **routing: float
) -> tuple[Selection, PanelFrame]:
    """Select features for `RANKING`."""
    config = ExperimentConfig.model_validate(
        {
            "data": {"data_dir": "nowhere"},
            "routing": routing,
            "feature_selection": {"accept": "never"},
        }
    )
    frame = panel_frame(3)
    partitions = {name: SymbolPartition(name, ()) for name in "ABCD"}
    given: Any = runner
    nothing: Any = None
    return select_features(given, nothing, frame, partitions, pool, RANKING, config), frame


@pytest.fixture
def pool() -> PooledPanel:
    """Return a pool that nobody opens."""
    value: Any = "handle"
    return PooledPanel(value, ("slice-a", "slice-b"))


def test_pooled_models_of_predictable_targets_that_go_on(pool: PooledPanel) -> None:
    """Target x is predictable pooled and chosen; y is not predictable pooled, z not chosen."""
    runner = Runner()
    run_stage(runner, pool)
    folds = [unit for unit in runner.units if unit.stage == "select_pooled_fold"]
    assert [(unit.key, unit.spec.targets, unit.spec.importances) for unit in folds] == [
        (f"fold {i}", ("x",), f"importances {i}") for i in range(3)
    ]
    (joined,) = [unit for unit in runner.units if unit.stage == "select_pooled"]
    assert joined.spec.choices == tuple(f"choices of fold {i}" for i in range(3))
    assert {unit.spec.pool for unit in [*folds, joined]} == {("slice-a", "slice-b")}


def test_own_models_with_any_evidence(pool: PooledPanel) -> None:
    """Positive skill and p ≤ alpha before correction, of chosen targets: one unit a symbol."""
    runner = Runner()
    run_stage(runner, pool)
    own = [unit for unit in runner.units if unit.stage == "select_symbol"]
    assert [(unit.key, unit.spec.targets) for unit in own] == [("B", ("x", "y")), ("C", ("y",))]
    assert [unit.spec.partition.symbol for unit in own] == ["B", "C"]
    assert [unit.spec.importances for unit in own] == ["importances of B", "importances of C"]


def test_alpha_of_routing_decides_what_is_evidence(pool: PooledPanel) -> None:
    """At 0.01 only B's x is left."""
    runner = Runner()
    run_stage(runner, pool, alpha=0.01)
    own = [unit for unit in runner.units if unit.stage == "select_symbol"]
    assert [(unit.key, unit.spec.targets) for unit in own] == [("B", ("x",))]


def test_settings_come_from_the_config(pool: PooledPanel) -> None:
    """Methods, limits, and the ranking's hyperparameters for the trees."""
    runner = Runner()
    run_stage(runner, pool)
    settings = runner.units[0].spec.settings
    assert (settings.top_m, settings.min_stability, settings.redundancy) == (None, 0.6, 0.98)
    assert [family.name for family in settings.families] == ["lightgbm"]
    assert dict(settings.families[0].hyperparameters)["n_estimators"] == 50


def test_choices_come_in_the_order_of_the_targets_pooled_first(pool: PooledPanel) -> None:
    """Target y before x as chosen; within a target the pooled choice, then symbols by name."""
    selection, _ = run_stage(Runner(), pool)
    assert list(selection.choices) == [("y", "B"), ("y", "C"), ("x", None), ("x", "B")]


def test_without_a_pool_only_own_choices() -> None:
    """Where the cross-sectional view was not asked for nothing pooled is selected."""
    selection, _ = run_stage(Runner(), None)
    assert list(selection.choices) == [("y", "B"), ("y", "C"), ("x", "B")]


def test_a_symbol_whose_unit_failed_has_no_choice(pool: PooledPanel) -> None:
    """The others go on."""
    selection, _ = run_stage(Runner(lost=("B",)), pool)
    assert list(selection.choices) == [("y", "C"), ("x", None)]


def test_a_choice_knows_its_final_features_and_folds(pool: PooledPanel) -> None:
    """Selected features, best first; folds by number, as JSON gives them by name."""
    selection, _ = run_stage(Runner(), pool)
    choice = selection.choices["x", None]
    assert choice.final == ("g", "f")
    assert choice.folds == {0: ("g",), 10: ("g", "f")}


def test_table_has_a_row_per_choice_and_feature() -> None:
    """View by whether there is a symbol, methods as columns."""
    choice = SelectedFeatures(rows=tuple(FOUND["features"]), folds={})  # type: ignore[arg-type]
    rows = Selection({("x", None): choice, ("x", "B"): choice}).table_rows()
    assert len(rows) == 6
    assert rows[0] == {
        "target": "x",
        "view": "cross_sectional",
        "symbol": None,
        "feature": "g",
        "score": 0.9,
        "selected": True,
        "gain": 2.0,
        "set_stability": None,
        "symbol_frequency": None,
        "symbols_stability": None,
    }
    assert [(row["view"], row["symbol"]) for row in rows[3:]] == [("symbol_specific", "B")] * 3


def test_table_says_how_far_the_symbols_own_models_agree() -> None:
    """Of two symbols both use g, one f: half of the choices of f; pooled rows do not count."""
    first, *others = [dict(row) for row in FOUND["features"]]  # type: ignore[attr-defined]
    both = SelectedFeatures(rows=(first, *others), folds={}, set_stability=0.4)
    one = SelectedFeatures(
        rows=(first, *({**row, "selected": False} for row in others)), folds={}, set_stability=None
    )
    rows = Selection({("x", None): one, ("x", "A"): both, ("x", "B"): one}).table_rows()
    assert [row["symbol_frequency"] for row in rows] == [None] * 3 + [1.0, 0.5, 0.0] * 2
    expected = selection_stability(np.array([[True, True, False], [True, False, False]]))
    assert [row["symbols_stability"] for row in rows] == [None] * 3 + [expected] * 6
    assert [row["set_stability"] for row in rows] == [None] * 3 + [0.4] * 3 + [None] * 3
