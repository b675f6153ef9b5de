"""What a selection costs in skill: measured inside the folds, and who pays it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from memory_runs import MemoryPanel, drawn_panel

from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.reader import SymbolRows
from ray_pipeline.records import SymbolPartition, View
from ray_pipeline.samples.evidence import Evidence
from ray_pipeline.selection.kept import KeptRow, judge_kept
from ray_pipeline.selection.proving import prove_own_models, prove_pooled_models
from ray_pipeline.selection.selected import SelectedFeatures, Selection

KEY: tuple[str, View, str] = ("y", "cross_sectional", "ridge")


def measured(difference: float, error: float) -> Evidence:
    """Return a paired difference."""
    return Evidence(difference, error, difference / error, 0.5, 100, 50.0)


def judged(of_all: float, difference: float, error: float, accept: str = "if_no_worse") -> KeptRow:
    """Judge a selection of 20 of 100 features."""
    given: tuple[float, float] = (of_all, of_all + difference)
    return judge_kept(KEY, (100, 20.0), 8, given, measured(difference, error), accept)  # type: ignore[arg-type]


class TestWhoGetsTheSmallerSet:
    @pytest.mark.parametrize(
        ("of_all", "difference", "error", "accepted"),
        [
            (0.10, 0.01, 0.002, True),
            (0.10, 0.0, 0.002, True),
            (0.10, -0.001, 0.002, True),
            # A loss beyond its error, though it is small.
            (0.40, -0.004, 0.002, False),
            # Within its error, and yet a fifth of the skill.
            (0.01, -0.002, 0.005, False),
            (0.01, -0.0004, 0.005, True),
            # No skill to lose: the error alone decides.
            (-0.01, -0.002, 0.005, True),
            (-0.01, -0.006, 0.005, False),
        ],
    )
    def test_one_error_and_a_twentieth(
        self, of_all: float, difference: float, error: float, accepted: bool
    ) -> None:
        """A model gets the smaller set where it loses no more than either."""
        row = judged(of_all, difference, error)
        assert row.accepted is accepted
        assert row.verdict == ("no worse" if accepted else "worse")
        assert row.reason.startswith("those selected" if accepted else "all features")
        assert f"{difference:+.4f} ± {error:.4f}" in row.reason

    def test_kept_is_a_share_where_there_is_skill(self) -> None:
        """0.09 of 0.10; of nothing there is no share."""
        assert judged(0.10, -0.01, 0.002).kept == pytest.approx(0.9)
        assert math.isnan(judged(-0.10, -0.01, 0.002).kept)

    @pytest.mark.parametrize(("accept", "accepted"), [("always", True), ("never", False)])
    def test_the_config_can_decide(self, accept: str, accepted: bool) -> None:
        """Whatever was measured, which is told all the same."""
        for difference in (-0.05, 0.05):
            row = judged(0.1, difference, 0.001, accept)
            assert (row.accepted, row.verdict) == (accepted, "as configured")
            assert f"feature_selection.accept={accept}" in row.reason
            assert f"{difference:+.4f}" in row.reason

    def test_too_few_rows_to_tell(self) -> None:
        """Without an error nothing is known: all features."""
        row = judge_kept(KEY, (100, 20.0), 8, (0.1, 0.2), Evidence.none(), "if_no_worse")
        assert (row.accepted, row.verdict) == (False, "not measured")

    def test_little_left_out_is_not_worth_a_proof(self) -> None:
        """95 of 100 features: nothing was fitted, and all are used."""
        row = judge_kept(KEY, (100, 95.0), 8, None, Evidence.none(), "if_no_worse")
        assert (row.accepted, row.verdict) == (False, "too little dropped")
        assert "95 of 100" in row.reason


@pytest.fixture(scope="module")
def panel() -> MemoryPanel:
    """Return a panel of twelve features, of which the first two carry the label."""
    return drawn_panel(np.array([0.3, 0.3, *[0.0] * 10]), n_symbols=16, n_timestamps=500)


def proof(panel: MemoryPanel, features: tuple[str, ...]) -> list[KeptRow]:
    """Prove a choice of these features in every fold and for every model."""
    choice = SelectedFeatures(
        rows=tuple({"feature": name, "selected": True} for name in features),
        folds={fold.index: features for fold in panel.frame.folds},
    )
    config = panel.with_settings(accept="always")
    given = panel.runner, panel.frame, panel.pool, panel.ranking
    pooled = prove_pooled_models(*given, {"y": choice}, config)
    own = prove_own_models(
        panel.runner,
        panel.runner.state.run,
        panel.frame,
        panel.partitions,
        panel.ranking,
        {("y", symbol): choice for symbol in panel.partitions},
        config,
    )
    return [*pooled.rows, *own.rows]


class TestTheProof:
    def test_all_features_in_another_order_keep_everything_to_the_bit(
        self, panel: MemoryPanel
    ) -> None:
        """The same models as in ranking, on the same rows: no difference, and no error of it."""
        pooled, own = proof(panel, tuple(reversed(panel.frame.request.features)))
        ranked = {row.view: row.skill for row in panel.ranking.targets}
        assert (pooled.difference, pooled.std_error, pooled.kept) == (0.0, 0.0, 1.0)
        # Of three folds the last one is proven.
        assert pooled.n_rows == 99
        assert pooled.skill_all == pytest.approx(ranked["cross_sectional"], abs=0.05)
        assert (own.difference, own.std_error) == (0.0, 0.0)
        assert own.n_symbols == 6
        assert own.skill_all == pytest.approx(ranked["symbol_specific"], abs=0.05)

    def test_rows_outside_the_universe_shift_nothing(
        self, panel: MemoryPanel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each prediction meets its own label: the skill is that of ranking's models, nearly.

        Those were trained on forty rows more, which the universe now leaves out.
        """
        reader = panel.runner.state
        read = reader.rows

        def inside(partition: SymbolPartition, frame: PanelFrame) -> SymbolRows:
            rows = read(partition, frame)
            return replace(rows, is_member=rows.positions >= 40)

        monkeypatch.setattr(reader, "rows", inside)
        _, own = proof(panel, panel.frame.request.features)
        assert own.n_symbols == 6
        assert own.skill_all > 0.2
        assert own.kept > 0.9

    def test_without_a_carrier_half_of_the_variance_is_lost(self, panel: MemoryPanel) -> None:
        """Of two equal carriers one is left: the skill falls by about 1/√2, and it is told."""
        for row in proof(panel, panel.frame.request.features[1:]):
            assert 0.55 < row.kept < 0.9
            assert row.difference < -2 * row.std_error

    def test_the_carriers_alone_keep_it_all(self, panel: MemoryPanel) -> None:
        """Noise left out costs nothing; own models, of few rows, gain."""
        for row in proof(panel, panel.frame.request.features[:2]):
            assert row.difference > -row.std_error
            assert row.kept > 0.97


class TestDefaultSelection:
    def test_carriers_are_kept_and_the_skill_with_them(self) -> None:
        """Of sixty features with three carriers a fifth or more goes, and nothing of the skill."""
        panel = drawn_panel(
            np.array([0.25, 0.25, 0.25, *[0.0] * 57]), families=("ridge", "lightgbm")
        )
        selection = panel.select()
        pooled = selection.choices["y", None]
        assert set(pooled.final[:3]) == {"x0", "x1", "x2"}
        assert len(pooled.final) <= 45
        for row in selection.kept:
            assert row.verdict in ("no worse", "worse")
            used = row.skill_selected if row.accepted else row.skill_all
            assert used >= 0.95 * row.skill_all
        assert any(row.accepted for row in selection.kept)
        fitted = [unit.stage for unit in panel.runner.performed if "select" in unit.stage]
        assert fitted.count("select_pooled_fold") == len(panel.frame.folds)

    def test_a_weak_panel_keeps_its_skill_or_all_features(self) -> None:
        """Twenty carriers of 150, together a rank correlation of 0.15: no single one shows."""
        weights = np.array([0.15 / math.sqrt(20)] * 20 + [0.0] * 130)
        panel = drawn_panel(weights, n_symbols=20, n_timestamps=500)
        selection = panel.select()
        (row,) = [row for row in selection.kept if row.view == "cross_sectional"]
        features = selection.features("y", None, "ridge")
        assert features is not None
        if row.accepted:
            assert row.skill_selected >= 0.95 * row.skill_all
            assert features.final == selection.choices["y", None].final
        else:
            assert features.final == panel.frame.request.features

    def test_a_selection_that_hurts_is_not_accepted(self) -> None:
        """One feature of thirty equal carriers: models have all, in the folds as well."""
        panel = drawn_panel(np.full(30, 0.08), n_symbols=12)
        selection = panel.select(top_m_features=1)
        (row,) = [row for row in selection.kept if row.view == "cross_sectional"]
        assert (row.accepted, row.verdict, row.n_features) == (False, "worse", 1.0)
        assert row.kept < 0.6
        features = selection.features("y", None, "ridge")
        assert features is not None
        assert not features.are_selected
        assert features.final == panel.frame.request.features
        assert set(features.folds.values()) == {panel.frame.request.features}

    def test_the_config_can_insist_or_abstain(self) -> None:
        """always: those selected, though they hurt; never: all, and nothing is fitted for it."""
        panel = drawn_panel(np.full(30, 0.08), n_symbols=12)
        insisted = panel.select(top_m_features=1, accept="always")
        features = insisted.features("y", None, "ridge")
        assert features is not None
        assert (len(features.final), features.are_selected) == (1, True)
        panel.runner.performed.clear()
        never = panel.select(top_m_features=1, accept="never")
        assert not [u for u in panel.runner.performed if u.stage.startswith("prove")]
        assert {row.accepted for row in never.kept} == {False}
        assert all(math.isnan(row.skill_selected) for row in never.kept)

    def test_noise_leads_to_nothing(self) -> None:
        """Where nothing is predictable there is nothing to select, and nothing to prove."""
        selection = drawn_panel(np.zeros(20), seed=3).select()
        assert not selection.choices
        assert not selection.kept


def row(family: str, accepted: bool, view: View = "cross_sectional") -> KeptRow:
    """Return a verdict of target y."""
    found = judged(0.1, 0.0, 0.01)
    return replace(found, family=family, accepted=accepted, view=view)


class TestFeaturesOfModels:
    CHOICE = SelectedFeatures(
        rows=({"feature": "b", "selected": True}, {"feature": "a", "selected": False}),
        folds={0: ("b",), 1: ("a", "b")},
    )

    def features(self, family: str, *kept: KeptRow) -> tuple[str, ...]:
        """Return the final features of a pooled model."""
        selection = Selection({("y", None): self.CHOICE}, kept, ("a", "b"))
        found = selection.features("y", None, family)
        assert found is not None
        return found.final

    def test_each_family_has_its_own_verdict(self) -> None:
        """What trees lose a line may not."""
        kept = row("ridge", True), row("lightgbm", False)
        assert self.features("ridge", *kept) == ("b",)
        assert self.features("lightgbm", *kept) == ("a", "b")

    def test_a_family_that_was_not_ranked_needs_all_verdicts(self) -> None:
        """Nothing was measured of it: the smaller set only where no other family loses by it."""
        assert self.features("elastic_net", row("ridge", True), row("lightgbm", True)) == ("b",)
        assert self.features("elastic_net", row("ridge", True), row("lightgbm", False)) == (
            "a",
            "b",
        )

    def test_views_are_judged_apart(self) -> None:
        """A verdict on own models says nothing of the pooled one; without one all are used."""
        assert self.features("ridge", row("ridge", True, "symbol_specific")) == ("a", "b")

    def test_a_choice_on_the_test_rows_is_counted(self) -> None:
        """Two sets were tried for a pooled model; configured ones were not, and own ones share."""
        decided = Selection({("y", None): self.CHOICE}, [row("ridge", True)], ("a", "b"))
        found = decided.features("y", None, "ridge")
        assert found is not None
        assert found.n_sets == 2
        configured = replace(row("ridge", True), verdict="as configured")
        found = replace(decided, kept=[configured]).features("y", None, "ridge")
        assert found is not None
        assert found.n_sets == 1
        own = replace(row("ridge", True), view="symbol_specific")
        shared = Selection({("y", "S0"): self.CHOICE}, [own], ("a", "b"))
        found = shared.features("y", "S0", "ridge")
        assert found is not None
        assert found.n_sets == 1

    def test_no_choice_no_features(self) -> None:
        """A model that nothing was selected for is not planned."""
        assert Selection({}, (), ("a",)).features("y", None, "ridge") is None
