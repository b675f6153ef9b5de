"""From scores to a list of features: rank aggregation, stability, redundancy (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.statistics.tails import average_ranks

__all__ = [
    "FeatureRow",
    "FoldChoice",
    "choose_in_fold",
    "chosen_kinds",
    "consensus_of_folds",
    "find_twins",
]

Floats = NDArray[np.float64]
FeatureVerdict = Literal["stable", "kept by rank", "redundant", "beyond top_m_features", "unstable"]
"""The first two are of selected features."""

MIN_WINS = 2
"""Methods in which a feature has to beat every shadow, or half of them where there are fewer than
four. Not half of many: a feature that matters only together with another one shows in the two
methods of the trees and in no other."""


@dataclass(frozen=True, slots=True)
class FoldChoice:
    """What one training fold chose.

    Attributes
    ----------
    scores
        By method, of the real features, shape (n_features,).
    consensus
        Strength beside the best shadow, mean over methods, shape (n_features,), in [0, 1]; 0.5
        is as strong as the best shadow.
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


def choose_in_fold(
    scores: Mapping[str, Floats],
    top_m: int,
    X: NDArray[np.float32] | None = None,
    limit: float = 1.0,
) -> FoldChoice:
    """Choose the features that beat every shadow in at least `MIN_WINS` methods.

    A method's score counts as its multiple r of the best shadow's, brought into [0, 1) by
    ``r / (1 + r)``: at 0.5 a feature carries as much as the best of the meaningless ones. The
    consensus is the mean over methods, so that a feature which only trees can use is not voted
    down by linear methods that cannot see it.

    Parameters
    ----------
    scores
        By method, of the features and then of their shadows, shape (2 · n_features,).
    top_m
        Different features to choose: what says the same as a better one takes no place.
    X, limit
        Rows to compare features on, shape (n_rows, n_features), and the |rank correlation| of
        twins; without rows none are looked for.
    """
    n_features = len(next(iter(scores.values()))) // 2
    shares, n_won = [], np.zeros(n_features)
    for values in scores.values():
        real, best = values[:n_features], float(values[n_features:].max())
        total = real + best
        shares.append(np.divide(real, total, out=np.zeros(n_features), where=total > 0))
        n_won += real > best
    consensus = np.mean(shares, axis=0)
    # Where no shadow carries anything every share is 1: ranks order such equals, then columns do.
    ranks = np.mean([average_ranks(values[:n_features]) for values in scores.values()], axis=0)
    order = np.lexsort((np.arange(n_features), -ranks, -consensus))
    wins = min(MIN_WINS, -(-len(scores) // 2))
    chosen = _first_kinds([int(j) for j in order if n_won[j] >= wins], top_m, X, limit)
    return FoldChoice(
        scores={method: values[:n_features] for method, values in scores.items()},
        consensus=consensus,
        chosen=chosen,
    )


def _first_kinds(
    ranked: Sequence[int], top_m: int, X: NDArray[np.float32] | None, limit: float
) -> list[int]:
    """Cut a list after `top_m` different features.

    Their twins stay: which of two twins comes first changes from fold to fold, and dropping the
    other here would make both look unstable.
    """
    twins = {} if X is None else find_twins(ranked, X, limit)
    kinds = [j for j in ranked if j not in twins][:top_m]
    return [j for j in ranked if twins.get(j, j) in kinds]


def find_twins(ranked: Sequence[int], X: NDArray[np.float32], limit: float) -> dict[int, int]:
    """Find features that say the same as a better one.

    Parameters
    ----------
    ranked
        Feature indices, best first.
    X
        Rows to compare on, shape (n_rows, n_features).
    limit
        |Rank correlation| from which two features are twins.

    Returns
    -------
    dict
        Redundant feature → the better one that is kept.
    """
    if len(ranked) < 2:
        return {}
    filled = np.empty((len(X), len(ranked)))
    for place, j in enumerate(ranked):
        column = X[:, j].astype(np.float64)
        missing = np.isnan(column)
        ranks = np.zeros(len(column))
        ranks[~missing] = average_ranks(column[~missing])
        if not missing.all():
            ranks[~missing] -= ranks[~missing].mean()
        norm = np.sqrt(ranks @ ranks)
        filled[:, place] = ranks / norm if norm > 0 else 0.0
    likeness = np.abs(filled.T @ filled)
    twins: dict[int, int] = {}
    kept: list[int] = []
    for place, j in enumerate(ranked):
        same = [k for k in kept if likeness[place, k] >= limit]
        if same:
            twins[j] = ranked[same[0]]
        else:
            kept.append(place)
    return twins


def _first_of_each_kind(ranked: Sequence[int], twins: Mapping[int, int]) -> dict[int, int]:
    """Keep the best of the features that say the same: by the best of all its twins.

    The best of all may be no candidate itself (too seldom chosen): then another speaks for it.
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
    top_m: int,
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
        often = f"chosen in {stability[j]:.0%} of {len(folds)} folds"
        like = kept.get(twins.get(j, j), j)
        if like != j:
            verdict, reason = "redundant", f"redundant: says the same as {feature_names[like]}"
        elif j in selected and none_stable:
            verdict, reason = (
                "kept by rank",
                f"kept by rank: no feature beat its shadows in {min_stability:.0%} of the folds",
            )
        elif j in selected:
            verdict, reason = "stable", often
        elif j in candidates:
            verdict, reason = "beyond top_m_features", f"beyond top_m_features={top_m}"
        else:
            verdict, reason = "unstable", f"unstable: {often}, min_stability is {min_stability:.0%}"
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
