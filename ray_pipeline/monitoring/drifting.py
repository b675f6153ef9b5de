"""Whether the inputs and predictions of models differ from before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.execution.threads import ThreadLimits
from ray_pipeline.families import Problem, load_family
from ray_pipeline.monitoring.records import DriftRow, ModelSeries, Notice
from ray_pipeline.results.figures import probability, unsigned
from ray_pipeline.statistics.drift import (
    Distances,
    Stretches,
    beyond_usual,
    distances,
    stretches,
)
from ray_pipeline.statistics.false_discoveries import q_values
from ray_pipeline.statistics.skill import grouped_skill
from ray_pipeline.wording import plural, some_of

__all__ = ["FeatureSample", "drift_notices", "drift_rows"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ALPHA = 0.05
_FAMILY = "lightgbm"
_TREES = {"n_estimators": 40, "num_leaves": 7, "learning_rate": 0.1, "min_child_samples": 40}
_N_COMPARED = 12
"""Number of earlier stretches, evenly spaced, that the classifier compares with the rest."""

_MOST_ROWS = 6_000
_N_NAMED = 5


@dataclass(frozen=True, slots=True)
class FeatureSample:
    """Features of some symbols, before live predictions and since.

    Attributes
    ----------
    names, X
        Features, and their values, shape (n_rows, n_features), NaN = missing.
    time_ns
        Shape (n_rows,).
    since_ns
        First time that is new.
    n_symbols, n_left_out
        Symbols they are of, and those that could not be read.
    """

    names: tuple[str, ...]
    X: NDArray[np.float32]
    time_ns: Ints
    since_ns: int
    n_symbols: int
    n_left_out: int


def drift_rows(series: Sequence[ModelSeries], sample: FeatureSample | None) -> list[DriftRow]:
    """Test all features, all rows at once and all predictions, and adjust for their number."""
    found = [*_of_predictions(series), *([] if sample is None else _of_features(sample))]
    q = q_values(np.array([row.p_value for row in found]))
    return [
        replace(row, q_value=float(value), drifted=bool(value <= _ALPHA))
        for row, value in zip(found, q, strict=True)
    ]


def drift_notices(rows: Sequence[DriftRow], sample: FeatureSample | None) -> list[Notice]:
    """Say what drifted, and which features no longer exist.

    Drift raises no alarm: the test is valid for this look only, and models may still hold.
    """
    notices = []
    if sample is not None:
        is_new = sample.time_ns >= sample.since_ns
        empty = np.isnan(sample.X)
        gone = np.flatnonzero(empty[is_new].all(axis=0) & ~empty[~is_new].all(axis=0))
        missing = [sample.names[j] for j in gone]
        if missing and is_new.any():
            notices.append(
                Notice(
                    "missing columns",
                    some_of(missing, _N_NAMED),
                    None,
                    f"{plural(len(missing), 'feature')} of {len(sample.names)} had values before "
                    f"and have none since: {some_of(missing, _N_NAMED)}",
                    "Bring the column back, or train without it.",
                    is_alarm=True,
                )
            )
    for kind in ("feature", "prediction", "rows"):
        drifted = sorted(
            (row for row in rows if row.drifted and row.kind == kind), key=lambda row: row.q_value
        )
        if drifted:
            notices.append(_drifted(kind, drifted, sum(row.kind == kind for row in rows)))
    return notices


def _drifted(kind: str, rows: Sequence[DriftRow], n_tested: int) -> Notice:
    names = [row.name for row in rows]
    first = rows[0]
    if kind == "rows":
        text = (
            f"a classifier tells new rows from old ones (2·AUC − 1 {unsigned(first.separation, 2)},"
            f" q {probability(first.q_value)}), by {first.detail}"
        )
    else:
        text = (
            f"{plural(len(rows), kind)} of {n_tested} drifted: {some_of(names, _N_NAMED)}; the "
            f"likeliest, {first.name}, with a stability index of "
            f"{unsigned(first.stability_index, 2)} (q {probability(first.q_value)})"
        )
    return Notice(
        "drift",
        some_of(names, _N_NAMED),
        None,
        text,
        "See whether the data changed or the market did. Where a skill is below its promise, "
        "retrain; where it holds, models cope with it.",
    )


def _of_predictions(series: Sequence[ModelSeries]) -> Iterator[DriftRow]:
    for each in series:
        name = f"{each.target} {each.view}"
        times = np.concatenate((each.old_ns, each.new_ns))
        values = np.concatenate((each.old_standings, each.new_standings))
        axis, positions = np.unique(times, return_inverse=True)
        first_new = int(np.searchsorted(axis, each.new_ns[0])) if len(each.new_ns) else len(axis)
        found = stretches(positions, first_new)
        if found is None:
            yield DriftRow("prediction", name)
        else:
            apart = distances(values.astype(np.float32)[:, np.newaxis], found)
            yield _row("prediction", name, apart, 0)


def _row(kind: str, name: str, apart: Distances, j: int) -> DriftRow:
    # The more significant of two measures, corrected for the choice.
    p_value = min(1.0, 2.0 * float(min(apart.p_stability[j], apart.p_difference[j])))
    return DriftRow(
        kind="feature" if kind == "feature" else "prediction",
        name=name,
        stability_index=float(apart.stability_index[j]),
        largest_difference=float(apart.largest_difference[j]),
        p_value=p_value,
    )


def _of_features(sample: FeatureSample) -> Iterator[DriftRow]:
    axis, positions = np.unique(sample.time_ns, return_inverse=True)
    found = stretches(positions, int(np.searchsorted(axis, sample.since_ns)))
    if found is None:
        return
    apart = distances(sample.X, found)
    for j, name in enumerate(sample.names):
        yield _row("feature", name, apart, j)
    with ThreadLimits(1).applied():
        yield _told_apart(sample, positions, found)


def _told_apart(sample: FeatureSample, positions: Ints, found: Stretches) -> DriftRow:
    """Train a classifier to separate the newest stretch, and some others, from the rest.

    It is trained on one half of the time of each side and tested on the other, both ways.
    """
    some = np.unique(np.linspace(0, found.n - 1, min(_N_COMPARED, found.n)).astype(np.int64))
    areas, carriers = [], np.zeros(len(sample.names))
    for stretch in [*some, found.n]:
        is_old = (found.of_rows >= 0) & (found.of_rows < found.n)
        area, carriers = _area(
            sample, positions, found.of_rows == stretch, is_old & (found.of_rows != stretch)
        )
        areas.append(area)
    p_value = beyond_usual(areas[-1], np.array(areas[:-1]))
    leading = np.argsort(-carriers, kind="stable")[:3]
    names = [sample.names[j] for j in leading if carriers[j] > 0]
    return DriftRow(
        kind="rows",
        name="all features",
        separation=2.0 * areas[-1] - 1.0,
        p_value=p_value,
        detail=", ".join(names) or "no feature",
    )


def _area(
    sample: FeatureSample, positions: Ints, one: NDArray[np.bool_], rest: NDArray[np.bool_]
) -> tuple[float, Floats]:
    """Return the mean area under the curve of both directions, and the features behind it."""
    rows = np.sort(
        np.concatenate([_thinned(np.flatnonzero(each), positions) for each in (one, rest)])
    )
    X, at, is_one = sample.X[rows], positions[rows], one[rows]
    later = np.zeros(len(rows), dtype=bool)
    for side in (is_one, ~is_one):
        later[side] = at[side] > np.median(at[side])
    order = np.argsort(at, kind="stable")
    X, is_one, later = X[order], is_one[order], later[order]
    family = load_family(_FAMILY)
    areas, carriers = [], np.zeros(X.shape[1])
    for learn in (later, ~later):
        labels = is_one[learn].astype(np.float64)
        problem = Problem(labels, np.arange(len(labels)), "binary", seed=0)
        (model,) = family.fit(X[learn], sample.names, [problem], _TREES)
        carriers += model.importances
        tried = grouped_skill(
            model.predict(X[~learn]),
            is_one[~learn].astype(np.float64),
            np.zeros(int((~learn).sum()), dtype=np.int64),
            "binary",
        )
        areas.append(0.5 + 0.5 * float(tried.skills[0]) if len(tried.skills) else 0.5)
    return float(np.mean(areas)), carriers


def _thinned(rows: Ints, positions: Ints) -> Ints:
    """Take at most this many rows, evenly over time."""
    rows = rows[np.argsort(positions[rows], kind="stable")]
    return rows[:: max(1, -(-len(rows) // _MOST_ROWS))]
