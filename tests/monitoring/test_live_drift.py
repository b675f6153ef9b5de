"""Drift of what models are given and of what they say, and what is told of it."""

from __future__ import annotations

import numpy as np
import pytest
from live_tables import TARGET, day, ledger, walk_forward

from ray_pipeline.monitoring.drifting import FeatureSample, drift_notices, drift_rows
from ray_pipeline.monitoring.series import JobFacts, TargetFacts, model_series

SYMBOLS = [f"S{i:02d}" for i in range(10)]
N_OLD, N_NEW = 300, 25
NAMES = ("a", "b", "c")


def _sample() -> FeatureSample:
    n = (N_OLD + N_NEW) * len(SYMBOLS)
    X = np.random.default_rng(0).standard_normal((n, 3)).astype(np.float32)
    times = np.tile([day(i) for i in range(N_OLD + N_NEW)], len(SYMBOLS))
    return FeatureSample(NAMES, X, times, day(N_OLD), len(SYMBOLS), 0)


def test_rows_as_before_have_no_drift_and_no_notice() -> None:
    """Three features and a classifier, none at q ≤ 0.05."""
    sample = _sample()
    rows = drift_rows([], sample)
    assert [row.kind for row in rows] == ["feature"] * 3 + ["rows"]
    assert not any(row.drifted for row in rows)
    assert abs(rows[-1].separation) < 0.15
    assert drift_notices(rows, sample) == []


def test_a_feature_that_moved_is_named_and_so_is_what_tells_the_rows_apart() -> None:
    """By itself, and as the first that the classifier goes by; neither is an alarm."""
    sample = _sample()
    sample.X[sample.time_ns >= sample.since_ns, 1] += 1.5
    rows = drift_rows([], sample)
    drifted = [row.name for row in rows if row.drifted]
    assert drifted == ["b", "all features"]
    assert rows[-1].separation > 0.5
    assert rows[-1].detail.startswith("b")
    notices = drift_notices(rows, sample)
    assert [notice.kind for notice in notices] == ["drift", "drift"]
    assert not any(notice.is_alarm for notice in notices)


def test_two_features_that_change_together_are_told_by_the_classifier_alone() -> None:
    """Each is distributed as before; their correlation is another."""
    sample = _sample()
    new = sample.time_ns >= sample.since_ns
    sample.X[new, 2] = sample.X[new, 0]
    rows = drift_rows([], sample)
    assert [row.name for row in rows if row.drifted] == ["all features"]


def test_a_column_that_is_gone_is_an_alarm() -> None:
    """It had values, and has none since."""
    sample = _sample()
    sample.X[sample.time_ns >= sample.since_ns, 0] = np.nan
    first = drift_notices([], sample)[0]
    assert (first.kind, first.subject, first.is_alarm) == ("missing columns", "a", True)


@pytest.mark.parametrize("shifted", [False, True])
def test_predictions_that_stand_elsewhere_drift(shifted: bool) -> None:
    """All live scores above one half, against scores spread as before."""
    live = ledger(300, [0.3] * 25, SYMBOLS)
    if shifted:
        place = live.column_names.index("score")
        live = live.set_column(place, "score", [0.5 + 0.5 * live["score"].to_numpy()])
    series = model_series(
        live,
        lambda _: walk_forward(300, 0.3, SYMBOLS),
        {"cs_fwd_ret_1d__ridge": JobFacts("cross_sectional", "ridge")},
        {TARGET: TargetFacts("regression", 1)},
        3,
    )
    (row,) = drift_rows(series, None)
    assert (row.kind, row.name) == ("prediction", f"{TARGET} cross_sectional")
    assert row.drifted is shifted


def test_a_day_that_is_new_is_compared_with_days() -> None:
    """One timestamp: stretches of one."""
    sample = _sample()
    kept = sample.time_ns <= day(N_OLD)
    short = FeatureSample(NAMES, sample.X[kept], sample.time_ns[kept], day(N_OLD), 10, 0)
    rows = drift_rows([], short)
    assert all(np.isfinite(row.p_value) for row in rows)
    assert not any(row.drifted for row in rows)
