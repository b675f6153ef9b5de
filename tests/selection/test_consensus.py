"""From scores to a list: the bar the shadows set, stability, redundancy, reasons."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.selection.consensus import (
    FeatureRow,
    FoldChoice,
    Scored,
    choose_in_fold,
    consensus_of_folds,
    find_twins,
    own_features,
)
from ray_pipeline.selection.sample import likeness

NAMES = ("a", "b", "c", "d")


def fold(consensus: list[float], chosen: list[int]) -> FoldChoice:
    """Return a fold's choice with one method, whose score is ten times the consensus."""
    values = np.array(consensus)
    return FoldChoice({"gain": 10 * values}, values, chosen)


def by_name(rows: list[FeatureRow]) -> dict[str, FeatureRow]:
    """Look rows up by feature."""
    return {row.feature: row for row in rows}


def scored(score: list[float], bar: float | list[float] = 1.0) -> Scored:
    """Return a method's scores beside their bars."""
    return Scored(np.array(score), np.broadcast_to(np.array(bar, dtype=float), len(score)))


class TestChooseInFold:
    def test_what_means_nothing_is_the_bar(self) -> None:
        """Features 9, 0.2 and 4 beside a bar of 5: multiples 1.8, 0.04 and 0.8."""
        choice = choose_in_fold({"gain": scored([9.0, 0.2, 4.0], 5.0)})
        assert choice.consensus.tolist() == pytest.approx([1.8 / 2.8, 0.04 / 1.04, 0.8 / 1.8])
        assert choice.chosen == [0]
        assert choice.scores["gain"].tolist() == [9.0, 0.2, 4.0]

    def test_each_feature_has_its_own_bar(self) -> None:
        """A persistent feature shows more by chance than one without memory."""
        choice = choose_in_fold({"univariate": scored([0.3, 0.2], [0.4, 0.1])})
        assert choice.chosen == [1]

    def test_consensus_is_by_the_mean_of_the_multiples(self) -> None:
        """Two methods with other units weigh the same: multiples (3, 2) and (1.5, 9)."""
        choice = choose_in_fold(
            {"gain": scored([6e6, 3e6], 2e6), "linear": scored([0.2, 0.9], 0.1)}
        )
        means = np.array([(3 + 2) / 2, (1.5 + 9) / 2])
        assert choice.consensus.tolist() == pytest.approx((means / (1 + means)).tolist())
        assert choice.chosen == [1, 0]

    def test_one_method_is_enough_and_none_has_a_veto(self) -> None:
        """What only trees can use is kept, and ahead of what two others find a little above."""
        blind, sharp = [0.2, 2.1, 0.5], [30.0, 0.5, 0.9]
        found = {"gain": scored(sharp), "linear": scored(blind), "univariate": scored(blind)}
        assert choose_in_fold(found).chosen == [0, 1]
        assert choose_in_fold({**found, "gain": scored([0.5] * 3)}).chosen == [1]

    def test_a_feature_level_with_the_bar_is_not_chosen(self) -> None:
        """Where nothing carries anything, all ranks are equal and nothing is chosen."""
        assert choose_in_fold({"gain": scored([1.0] * 4)}).chosen == []
        assert choose_in_fold({"gain": scored([0.0] * 4, 0.0)}).chosen == []

    def test_where_chance_shows_nothing_all_that_carries_is_chosen(self) -> None:
        """Without a bar multiples are equal, and scores order the features."""
        assert choose_in_fold({"gain": scored([1.0, 0.0, 3.0], 0.0)}).chosen == [2, 0]

    def test_top_m_keeps_the_best(self) -> None:
        """Features above the bar, best first, at most top_m; equals in column order."""
        found = {"gain": scored([5.0, 9.0, 7.0, 9.0])}
        assert choose_in_fold(found).chosen == [1, 3, 2, 0]
        assert choose_in_fold(found, top_m=3).chosen == [1, 3, 2]

    def test_twins_take_no_place(self) -> None:
        """Columns 0 and 1 say the same: two different features are those two and the third."""
        random = np.random.default_rng(0)
        X = random.standard_normal((50, 4)).astype(np.float32)
        X[:, 1] = 2.0 * X[:, 0]
        found = {"gain": scored([9.0, 8.0, 7.0, 6.0])}
        choice = choose_in_fold(found, 2, likeness(X), 0.98)
        assert choice.chosen == [0, 1, 2]
        assert own_features(choice, likeness(X), 0.98, 2) == [0, 2]
        assert choose_in_fold(found, 2).chosen == [0, 1]

    @given(
        st.lists(st.tuples(st.floats(0, 1e3), st.floats(0.1, 1e3)), min_size=1, max_size=6),
        st.sampled_from([2.0**-10, 4.0, 2.0**20]),
    )
    def test_units_do_not_count(self, values: list[tuple[float, float]], unit: float) -> None:
        """A change of a method's units changes nothing."""
        score, bar = np.round(np.array(values), 3).T
        plain, changed = (choose_in_fold({"m": Scored(score * by, bar * by)}) for by in (1.0, unit))
        assert plain.chosen == changed.chosen
        assert plain.consensus.tolist() == changed.consensus.tolist()


class TestConsensusOfFolds:
    FOLDS = (
        fold([1.0, 0.8, 0.6, 0.2], [0, 1]),
        fold([0.9, 0.8, 0.7, 0.1], [0, 1]),
        fold([0.8, 0.5, 0.9, 0.3], [2, 0]),
    )

    def test_score_rank_and_stability_by_hand(self) -> None:
        """Means over three folds: a 0.9, c 0.733, b 0.7, d 0.2; shares 3/3, 1/3, 2/3, 0."""
        rows = consensus_of_folds(NAMES, self.FOLDS, {}, top_m=10, min_stability=0.6)
        assert [row.feature for row in rows] == ["a", "c", "b", "d"]
        assert [row.rank for row in rows] == [1, 2, 3, 4]
        assert [row.score for row in rows] == pytest.approx([0.9, 2.2 / 3, 0.7, 0.2])
        assert [row.stability for row in rows] == pytest.approx([1.0, 1 / 3, 2 / 3, 0.0])
        assert [row.methods["gain"] for row in rows] == pytest.approx([9.0, 22 / 3, 7.0, 2.0])
        assert [row.selected for row in rows] == [True, False, True, False]

    def test_reasons_hold_the_figures(self) -> None:
        """How often, out of how many, and what is asked for."""
        rows = by_name(consensus_of_folds(NAMES, self.FOLDS, {}, 10, 0.6))
        assert rows["a"].reason == "chosen in 100% of 3 folds"
        assert rows["b"].reason == "chosen in 67% of 3 folds"
        assert rows["c"].reason == "unstable: chosen in 33% of 3 folds, min_stability is 60%"
        assert rows["d"].reason == "useless: in none of 3 folds above what means nothing"

    def test_stability_at_the_limit_is_enough(self) -> None:
        """Three thirds add up to 1 and two thirds reach 2/3, whatever the rounding."""
        rows = by_name(consensus_of_folds(NAMES, self.FOLDS, {}, 10, 1.0))
        assert [name for name, row in rows.items() if row.selected] == ["a"]
        rows = by_name(consensus_of_folds(NAMES, self.FOLDS, {}, 10, 2 / 3))
        assert [name for name, row in rows.items() if row.selected] == ["a", "b"]

    def test_top_m_leaves_out_the_weaker(self) -> None:
        """Of two stable features the better one is kept; the reason names the setting."""
        rows = by_name(consensus_of_folds(NAMES, self.FOLDS, {}, 1, 0.6))
        assert rows["a"].selected
        assert not rows["b"].selected
        assert rows["b"].reason == "beyond top_m_features=1"

    def test_a_twin_is_dropped_with_its_reason(self) -> None:
        """A stable feature that says what a better one says is not used, and not counted."""
        rows = by_name(consensus_of_folds(NAMES, self.FOLDS, {1: 0}, 10, 0.6))
        assert not rows["b"].selected
        assert rows["b"].reason == "redundant: says the same as a"

    def test_a_twin_makes_room_for_the_next(self) -> None:
        """top_m counts features that are kept."""
        folds = (fold([0.9, 0.8, 0.7, 0.1], [0, 1, 2]),)
        rows = consensus_of_folds(NAMES, folds, {1: 0}, 2, 0.6)
        assert [row.feature for row in rows if row.selected] == ["a", "c"]

    def test_without_a_stable_feature_the_best_by_rank_are_kept(self) -> None:
        """A model needs features; the reason says that these beat nothing."""
        folds = (fold([0.4, 0.9, 0.3, 0.8], []), fold([0.4, 0.7, 0.3, 0.8], [1]))
        rows = consensus_of_folds(NAMES, folds, {}, 2, 0.6)
        assert [row.feature for row in rows if row.selected] == ["b", "d"]
        expected = "kept by rank: no feature carries anything in 60% of the folds"
        assert {row.reason for row in rows if row.selected} == {expected}
        assert rows[2].reason == "beyond top_m_features=2"

    def test_equal_scores_keep_the_order_of_the_columns(self) -> None:
        """Ties are broken by position in the table, not by chance."""
        rows = consensus_of_folds(NAMES, (fold([0.5] * 4, []),), {}, 2, 0.6)
        assert [row.feature for row in rows] == list(NAMES)

    def test_a_twin_of_a_feature_that_is_not_kept_stands_for_both(self) -> None:
        """Of twins the better by score is unstable and the other stable: one must be selected."""
        folds = (
            fold([1.0, 0.4, 0.1, 0.1], [0]),
            fold([0.6, 0.7, 0.1, 0.1], [1]),
            fold([0.6, 0.7, 0.1, 0.1], [1]),
        )
        rows = by_name(consensus_of_folds(NAMES, folds, {1: 0}, 10, 0.6))
        assert [name for name, row in rows.items() if row.selected] == ["b"]
        assert rows["b"].reason == "chosen in 67% of 3 folds"
        assert rows["a"].reason == "redundant: says the same as b"

    def test_the_first_stable_twin_speaks_for_the_others(self) -> None:
        """Of three that say the same, the best unstable: the second is kept, the third not."""
        folds = (
            fold([1.0, 0.4, 0.3, 0.1], [0]),
            fold([0.6, 0.7, 0.65, 0.1], [1, 2]),
            fold([0.6, 0.7, 0.65, 0.1], [1, 2]),
        )
        rows = by_name(consensus_of_folds(NAMES, folds, {1: 0, 2: 0}, 10, 0.6))
        assert [name for name, row in rows.items() if row.selected] == ["b"]
        assert rows["c"].reason == "redundant: says the same as b"


class TestFindTwins:
    @pytest.fixture
    def columns(self) -> np.ndarray:
        """Return noise, its exponential, its negative, and other noise."""
        random = np.random.default_rng(0)
        noise = random.standard_normal(200)
        copies = [noise, np.exp(noise), -noise, random.standard_normal(200)]
        return np.column_stack(copies).astype(np.float32)

    def test_the_better_one_is_kept(self, columns: np.ndarray) -> None:
        """Monotone copies, rising or falling, are twins of whichever ranks first."""
        assert find_twins([1, 0, 2, 3], likeness(columns), 0.98) == {0: 1, 2: 1}
        assert find_twins([3, 2, 1, 0], likeness(columns), 0.98) == {1: 2, 0: 2}

    def test_likeness_below_the_limit_is_none(self, columns: np.ndarray) -> None:
        """A noisy copy with a rank correlation of about 0.9 is a twin at 0.8 only."""
        noise = np.random.default_rng(1).standard_normal(200)
        columns[:, 1] = columns[:, 0] + 0.5 * noise
        assert find_twins([0, 1], likeness(columns), 0.98) == {}
        assert find_twins([0, 1], likeness(columns), 0.8) == {1: 0}

    def test_only_ranked_features_are_compared(self, columns: np.ndarray) -> None:
        """A copy that is not in the list drops nothing."""
        assert find_twins([1, 3], likeness(columns), 0.98) == {}
        assert find_twins([1], likeness(columns), 0.98) == {}
        assert find_twins([], likeness(columns), 0.98) == {}

    def test_empty_and_constant_columns_are_nobodys_twin(self, columns: np.ndarray) -> None:
        """Two constants have no rank correlation, nor have two empty columns."""
        columns[:, 0], columns[:, 1], columns[:, 2], columns[:, 3] = 1.0, 2.0, np.nan, np.nan
        assert find_twins([0, 1, 2, 3], likeness(columns), 0.98) == {}

    def test_a_copy_with_the_same_holes_is_a_twin(self, columns: np.ndarray) -> None:
        """Missing rows are left out of the ranks."""
        columns[::3, :2] = np.nan
        assert find_twins([0, 1], likeness(columns), 0.98) == {1: 0}

    @given(st.permutations(range(5)), st.floats(0.05, 1.0))
    def test_what_is_kept_is_not_alike(self, ranked: list[int], limit: float) -> None:
        """Every twin points to a better feature that is kept, and no two kept ones are twins."""
        random = np.random.default_rng(3)
        X = random.standard_normal((60, 5)) @ random.standard_normal((5, 5))
        sample = X.astype(np.float32)
        twins = find_twins(ranked, likeness(sample), limit)
        ranks = np.argsort(np.argsort(sample, axis=0), axis=0)
        alike = np.abs(np.corrcoef(ranks.T))
        kept = [j for j in ranked if j not in twins]
        for twin, better in twins.items():
            assert better in kept
            assert ranked.index(better) < ranked.index(twin)
            assert alike[twin, better] >= limit - 1e-9
        for place, j in enumerate(kept):
            assert all(alike[j, k] < limit + 1e-9 for k in kept[:place])
