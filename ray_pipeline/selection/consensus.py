"""From scores to a list of features: rank aggregation, stability, redundancy (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.statistics.tails import average_ranks
from ray_pipeline.wording import plural

__all__ = [
    "FeatureRow",
    "FoldChoice",
    "Scored",
    "choose_in_fold",
    "chosen_kinds",
    "consensus_of_folds",
    "find_twins",
    "own_features",
]

Floats = NDArray[np.float64]
FeatureVerdict = Literal[
    "stable", "kept by rank", "redundant", "beyond top_m_features", "unstable", "useless"
]
"""The first two are of selected features."""

MAX_MULTIPLE = 1e9
"""Of a bar, where chance shows nothing at all."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What a method says of each feature, and what it says of features that mean nothing.

    Both have shape (n_features,) and are not negative.
    """

    score: Floats
    bar: Floats

    @property
    def multiple(self) -> Floats:
        """Score as a multiple of the bar; 0 for 0, whatever the bar."""
        found = np.full(len(self.score), MAX_MULTIPLE)
        np.divide(self.score, self.bar, out=found, where=self.bar > 0)
        return np.where(self.score > 0, np.minimum(found, MAX_MULTIPLE), 0.0)


@dataclass(frozen=True, slots=True)
class FoldChoice:
    """What one training fold chose.

    Attributes
    ----------
    scores
        By method, shape (n_features,).
    consensus
        Strength beside what means nothing, over all methods, shape (n_features,), in [0, 1]; 0.5
        is as strong as that.
    chosen
        Indices of the features chosen, best first: at most `top_m` kinds, with their twins.
    """

    scores: dict[str, Floats]
    consensus: Floats
    chosen: list[int]


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """One row of ``feature_selection/features.parquet`` less target, view and symbol."""

    feature: str
    score: float
    methods: dict[str, float]
    stability: float
    rank: int
    selected: bool
    reason: str
    verdict: FeatureVerdict

    def to_record(self) -> dict[str, Any]:
        """Return plain values for a unit's record."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def choose_in_fold(
    scores: Mapping[str, Scored],
    top_m: int | None = None,
    alike: Floats | None = None,
    limit: float = 1.0,
) -> FoldChoice:
    """Leave out the features that no method puts above what meaningless features get.

    Where signals are weak, no single feature is certainly useful: what many say a little each is
    lost when each has to prove itself. What can be told is which are certainly useless.

    A method's score counts as its multiple r of the bar; the consensus is the mean r over methods,
    brought into [0, 1) by ``r / (1 + r)``. The mean of the multiples, and not of what they are
    brought to: a feature that only trees can use, and they above all others, is not voted down
    by linear methods that cannot see it.

    Parameters
    ----------
    top_m
        Different features to choose: what says the same as a better one takes no place. None: as
        many as there are.
    alike, limit
        Likeness of features (`ray_pipeline.selection.sample.likeness`), shape (n_features,
        n_features), and that of twins; without it none are looked for.
    """
    multiples = np.array([each.multiple for each in scores.values()])
    strength = multiples.mean(axis=0)
    consensus = strength / (1.0 + strength)
    # Where chance shows nothing all multiples are the same: ranks order such equals, then columns.
    ranks = np.mean([average_ranks(each.score) for each in scores.values()], axis=0)
    order = np.lexsort((np.arange(len(strength)), -ranks, -consensus))
    useful = multiples.max(axis=0) > 1.0
    return FoldChoice(
        scores={method: each.score for method, each in scores.items()},
        consensus=consensus,
        chosen=_first_kinds([int(j) for j in order if useful[j]], top_m, alike, limit),
    )


def _first_kinds(
    ranked: Sequence[int], top_m: int | None, alike: Floats | None, limit: float
) -> list[int]:
    """Cut a list after `top_m` different features.

    Their twins stay: which of two twins comes first changes from fold to fold, and dropping the
    other here would make both look unstable.
    """
    twins = {} if alike is None else find_twins(ranked, alike, limit)
    kinds = [j for j in ranked if j not in twins][:top_m]
    return [j for j in ranked if twins.get(j, j) in kinds]


def find_twins(ranked: Sequence[int], alike: Floats, limit: float) -> dict[int, int]:
    """Find features that say the same as a better one.

    Parameters
    ----------
    ranked
        Feature indices, best first.
    alike
        |Rank correlation| of each pair of features, shape (n_features, n_features).
    limit
        Likeness from which two features are twins.

    Returns
    -------
    dict
        Redundant feature → the better one that is kept.
    """
    twins: dict[int, int] = {}
    kept: list[int] = []
    for j in ranked:
        same = [k for k in kept if alike[j, k] >= limit]
        if same:
            twins[j] = same[0]
        else:
            kept.append(j)
    return twins


def own_features(choice: FoldChoice, alike: Floats, limit: float, top_m: int | None) -> list[int]:
    """Features that a fold's own model is fitted on, best first: no other fold has a say."""
    ranked = choice.chosen or np.argsort(-choice.consensus, kind="stable").tolist()
    twins = find_twins(ranked, alike, limit)
    return [j for j in ranked if j not in twins][:top_m]


def _first_of_each_kind(ranked: Sequence[int], twins: Mapping[int, int]) -> dict[int, int]:
    """Keep the best of the features that say the same: by the best of all its twins.

    The best of all may be not a candidate itself (too seldom chosen): then another speaks for it.
    """
    kept: dict[int, int] = {}
    for j in ranked:
        kept.setdefault(twins.get(j, j), j)
    return kept


def chosen_kinds(
    folds: Sequence[FoldChoice], twins: Mapping[int, int], n_features: int
) -> NDArray[np.bool_]:
    """Tell which kinds of features each fold chose, twins counted as the one that is kept.

    Returns
    -------
    ndarray
        Shape (n_folds, n_kinds).
    """
    chosen = np.zeros((len(folds), n_features), dtype=bool)
    for place, fold in enumerate(folds):
        chosen[place, [twins.get(j, j) for j in fold.chosen]] = True
    return np.delete(chosen, sorted(twins), axis=1)


def consensus_of_folds(
    feature_names: Sequence[str],
    folds: Sequence[FoldChoice],
    twins: Mapping[int, int],
    top_m: int | None,
    min_stability: float,
) -> list[FeatureRow]:
    """Join the folds' choices into the final list, best first.

    `stability` is the share of folds that chose the feature. Where no feature reaches
    `min_stability` the best `top_m` by consensus are used, and the reason says so.
    """
    score = np.mean([fold.consensus for fold in folds], axis=0)
    stability = np.zeros(len(feature_names))
    for fold in folds:
        stability[fold.chosen] += 1.0 / len(folds)
    order = sorted(range(len(feature_names)), key=lambda j: (-score[j], j))
    stable = [j for j in order if stability[j] >= min_stability - 1e-9]
    none_stable = not stable
    kept = _first_of_each_kind(order if none_stable else stable, twins)
    candidates = list(kept.values())
    selected = set(candidates[:top_m])
    rows = []
    for place, j in enumerate(order, start=1):
        verdict: FeatureVerdict
        often = f"chosen in {stability[j]:.0%} of {plural(len(folds), 'fold')}"
        like = kept.get(twins.get(j, j), j)
        if like != j:
            verdict, reason = "redundant", f"redundant: says the same as {feature_names[like]}"
        elif j in selected and none_stable:
            verdict, reason = (
                "kept by rank",
                f"kept by rank: no feature carries anything in {min_stability:.0%} of the folds",
            )
        elif j in selected:
            verdict, reason = "stable", often
        elif j in candidates:
            verdict, reason = "beyond top_m_features", f"beyond top_m_features={top_m}"
        elif stability[j] > 0:
            verdict, reason = "unstable", f"unstable: {often}, min_stability is {min_stability:.0%}"
        else:
            verdict, reason = (
                "useless",
                f"useless: in none of {plural(len(folds), 'fold')} above what means nothing",
            )
        methods = {
            method: float(np.mean([fold.scores[method][j] for fold in folds]))
            for method in folds[0].scores
        }
        rows.append(
            FeatureRow(
                feature=feature_names[j],
                score=float(score[j]),
                methods=methods,
                stability=float(stability[j]),
                rank=place,
                selected=j in selected,
                reason=reason,
                verdict=verdict,
            )
        )
    return rows
