"""Scores of each feature by several methods, compared with those of meaningless features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.families import Model, Problem, load_family
from ray_pipeline.records import Task
from ray_pipeline.selection.consensus import Scored, find_twins
from ray_pipeline.selection.ranked import FeaturesInRanks, linear, univariate
from ray_pipeline.selection.rolling import rolled_rows
from ray_pipeline.selection.sample import FoldSample, likeness
from ray_pipeline.statistics.skill import grouped_skill
from ray_pipeline.statistics.tails import average_ranks

__all__ = [
    "FITTED_BY",
    "IMPORTANCES_OF",
    "TargetRows",
    "families_of",
    "mutual_information",
    "score_features",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

N_ROLLS = 16
"""Number of rolled labels that show the effect of chance: their root mean square has an error of
1 / √32, a sixth."""

INFORMATION_ROLLS = 8
"""The same for mutual information, which is counted again for each."""

MIN_MEANINGLESS = 5
"""Number of features without univariate relation, which show what trees do with meaningless
features."""

LEAST_SHARE = 0.1
"""Of an even share of what all features carry: less is nothing, though noise be less still."""

TREE_DEVIATIONS = 3.0
"""Robust standard deviations above these from which trees have found more."""

MAX_VALIDATION_ROWS = 4_000
"""Rows on which a permutation is scored, drawn by the seed."""

PERMUTED_ROWS_AT_ONCE = 100_000
"""Bound on the copies that permutation makes."""

CLUSTER_CORRELATION = 0.9
"""|Rank correlation| from which features are permuted together: a tree takes either for the other,
so that permuting one alone shows hardly a loss and both would look dispensable."""

CLUSTER_ROWS = 5_000
"""Training rows that this likeness is measured on, evenly spaced."""

INFORMATION_BINS = 10
"""Equally full bins of a feature and of an ordered label: few enough that a bin's overlapping
labels still hold independent ones, enough for a relation that turns twice."""

INFORMATION_ROWS = 30_000
"""Rows of mutual information, evenly spaced."""

IMPORTANCES_OF = {"gain": "lightgbm"}
"""Methods that are the importances of a family's model, as ranking fitted it on the same rows."""

FITTED_BY = {**IMPORTANCES_OF, "permutation": "lightgbm"}


@dataclass(frozen=True, slots=True)
class TargetRows:
    """What a fold may learn about a target.

    Attributes
    ----------
    y
        Labels of the fold's sample, shape (n_rows,).
    rows
        Purged rows of the sample, sorted.
    inner
        Their earlier part, purged against `validation`.
    validation
        Their later part.
    task, seed
        Of the target and the fold.
    weights
        Of each row of the sample, shape (n_rows,), with a mean of 1 over `rows`: every timestamp
        counts alike for labels that are compared within it. None: all rows count alike.
    importances
        By family, of the models that ranking fitted to the fold, shape (n_features,).
    """

    y: Floats
    rows: Ints
    inner: Ints
    validation: Ints
    task: Task
    seed: int
    importances: Mapping[str, Floats]
    weights: Floats | None = None


def families_of(methods: Sequence[str]) -> tuple[str, ...]:
    """Name the families that some methods use, sorted."""
    return tuple(sorted({FITTED_BY[method] for method in methods if method in FITTED_BY}))


def score_features(
    sample: FoldSample,
    targets: Mapping[str, TargetRows],
    methods: Sequence[str],
    hyperparameters: Mapping[str, Mapping[str, Any]],
) -> dict[str, dict[str, Scored]]:
    """Score every feature by every method, with the scores of meaningless features.

    ``univariate``: absolute Spearman correlation. ``linear``: absolute ridge coefficient of the
    feature's ranks beside those of all others. ``mutual_information``: in nats, of feature and
    label by equally full bins; it sees relations that rise and fall. Their bar is what the feature
    itself shows of labels rolled in time (`rolled_rows`): the root mean square of the first two, so
    that a feature passes whose squared t-statistic is above 1, the point from which it adds more
    to a forecast than its estimation costs; the mean and a standard deviation of the third. In the
    first two rows count by the target's weights.

    ``gain``: total split gain of gradient boosting, as ranking fitted it. ``permutation``: skill
    lost on later rows of the training range when the feature is permuted (Breiman 2001), together
    with those that say nearly the same, each of which is credited with the loss of all. Trees use
    noise as well, so that their bar is what they make of the features that say nothing by the
    other methods, or of the `MIN_MEANINGLESS` that say least: median and `TREE_DEVIATIONS` robust
    deviations.

    Parameters
    ----------
    hyperparameters
        Of the families that the methods rest on (`families_of`), by family.

    Returns
    -------
    dict
        By target and method.
    """
    found: dict[str, dict[str, Scored]] = {}
    for name, given in targets.items():
        rolled = rolled_rows(sample.symbol_index[given.rows], N_ROLLS, given.seed)
        features = FeaturesInRanks.of(sample, given.rows, given.weights)
        scores = {"univariate": univariate(features, given.y[given.rows], rolled)}
        if "linear" in methods:
            scores["linear"] = linear(features, given.y[given.rows], given.task, rolled)
        if "mutual_information" in methods:
            scores["mutual_information"] = _information(sample, given, rolled)
        strongest = np.max([each.multiple for each in scores.values()], axis=0)
        trees = _by_trees(sample, given, methods, hyperparameters)
        for method, score in trees.items():
            scores[method] = Scored(score, np.full(len(score), _tree_bar(score, strongest)))
        found[name] = {method: scores[method] for method in methods}
    return found


def _tree_bar(score: Floats, strongest: Floats) -> float:
    """Return the importance that trees give to meaningless features.

    Parameters
    ----------
    strongest
        Largest multiple of the other methods, shape (n_features,).
    """
    weakest = np.argsort(strongest, kind="stable")
    n_meaningless = max(MIN_MEANINGLESS, int((strongest <= 1.0).sum()))
    chance = score[weakest[:n_meaningless]]
    median = float(np.median(chance))
    deviation = 1.4826 * float(np.median(np.abs(chance - median)))
    return max(median + TREE_DEVIATIONS * deviation, LEAST_SHARE * float(score.mean()))


def _information(sample: FoldSample, given: TargetRows, rolled: Ints) -> Scored:
    n_rows = len(given.rows)
    some = np.linspace(0, n_rows - 1, min(n_rows, INFORMATION_ROWS)).astype(np.int64)
    y = given.y[given.rows]
    labels = [average_ranks(y[source[some]]) for source in rolled[: 1 + INFORMATION_ROLLS]]
    found = np.zeros((sample.X.shape[1], len(labels)))
    for j in range(sample.X.shape[1]):
        column = sample.X[given.rows[some], j].astype(np.float64)
        present = ~np.isnan(column)
        if present.sum() < 3:
            continue
        x, weight = _bins(average_ranks(column[present])), float(present.mean())
        for k, ranked in enumerate(labels):
            known = ranked if present.all() else average_ranks(ranked[present])
            found[j, k] = mutual_information(x, _bins(known)) * weight
    chance = found[:, 1:]
    return Scored(found[:, 0], chance.mean(axis=1) + chance.std(axis=1))


def _bins(ranks: Floats) -> Ints:
    """Equally full bins of average ranks; equal values share one, so that classes stay whole."""
    return ((ranks - 0.5) * INFORMATION_BINS / len(ranks)).astype(np.int64)


def mutual_information(x: Ints, y: Ints) -> float:
    """Estimate the mutual information of two binned variables, in nats, at least 0.

    The plug-in estimate less its bias by Miller & Madow, ``(K_xy − K_x − K_y + 1) / 2n`` with K
    the numbers of bins that are not empty (Paninski 2003, "Estimation of Entropy and Mutual
    Information", Neural Computation 15).

    Parameters
    ----------
    x, y
        Bin of each row, 0 or above, shape (n_rows,).
    """
    n_rows = len(x)
    width = int(y.max()) + 1
    joint = np.bincount(x * width + y, minlength=(int(x.max()) + 1) * width)
    table = joint.reshape(-1, width)
    counts = [joint[joint > 0], *(table.sum(axis=axis) for axis in (0, 1))]
    entropies = []
    for count in counts:
        share = count[count > 0] / n_rows
        entropies.append(float(-(share * np.log(share)).sum()) + (len(share) - 1) / (2 * n_rows))
    both, of_y, of_x = entropies
    return max(of_x + of_y - both, 0.0)


def _by_trees(
    sample: FoldSample,
    given: TargetRows,
    methods: Sequence[str],
    hyperparameters: Mapping[str, Mapping[str, Any]],
) -> dict[str, Floats]:
    """Score by trees: by those of ranking where it fitted them, and by our own where it did not."""
    scores: dict[str, Floats] = {}
    if "gain" in methods:
        family = IMPORTANCES_OF["gain"]
        known = given.importances.get(family)
        if known is None:
            known = _fit(family, sample, given, given.rows, hyperparameters).importances
        scores["gain"] = known
    if "permutation" in methods:
        family = FITTED_BY["permutation"]
        booster = _fit(family, sample, given, given.inner, hyperparameters)
        scores["permutation"] = _permutation(sample, given, booster)
    return scores


def _fit(
    family: str,
    sample: FoldSample,
    given: TargetRows,
    rows: Ints,
    hyperparameters: Mapping[str, Mapping[str, Any]],
) -> Model:
    names = [f"f{j}" for j in range(sample.X.shape[1])]
    problem = Problem(y=given.y, rows=rows, task=given.task, seed=given.seed, weights=given.weights)
    (model,) = load_family(family).fit(sample.X, names, [problem], hyperparameters[family])
    return model


def _permutation(sample: FoldSample, given: TargetRows, model: Model) -> Floats:
    generator = np.random.default_rng(given.seed)
    rows = given.validation
    if len(rows) > MAX_VALIDATION_ROWS:
        # Not every n-th: in a pooled panel these would be the same symbols again and again.
        rows = np.sort(generator.choice(rows, MAX_VALIDATION_ROWS, replace=False))
    X, y = sample.X[rows], given.y[rows]
    whole = np.zeros(len(rows), dtype=np.int64)

    def skill(prediction: Floats) -> float:
        measured = grouped_skill(prediction, y, whole, given.task).skills
        return float(measured[0]) if len(measured) else 0.0

    before = skill(model.predict(X))
    order = generator.permutation(len(rows))
    lost = np.zeros(X.shape[1])
    clusters = _clusters(sample, given, model.importances)
    # One call for many clusters: on small data a call costs more than its rows.
    at_once = max(1, PERMUTED_ROWS_AT_ONCE // len(rows))
    for start in range(0, len(clusters), at_once):
        block = clusters[start : start + at_once]
        copies = np.repeat(X[np.newaxis], len(block), axis=0)
        for place, members in enumerate(block):
            copies[place][:, members] = X[order][:, members]
        predictions = model.predict(copies.reshape(-1, X.shape[1])).reshape(len(block), -1)
        for place, members in enumerate(block):
            lost[members] = max(before - skill(predictions[place]), 0.0)
    return lost


def _clusters(sample: FoldSample, given: TargetRows, gain: Floats) -> list[list[int]]:
    """Features that the model uses, those nearly alike together, by the training rows."""
    used = [int(j) for j in np.argsort(-gain, kind="stable") if gain[j] > 0]
    n_kept = min(len(given.inner), CLUSTER_ROWS)
    rows = given.inner[np.linspace(0, len(given.inner) - 1, n_kept).astype(np.int64)]
    leader = find_twins(used, likeness(sample.X[rows]), CLUSTER_CORRELATION)
    clusters: dict[int, list[int]] = {}
    for j in used:
        clusters.setdefault(leader.get(j, j), []).append(j)
    return list(clusters.values())
