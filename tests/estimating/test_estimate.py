"""Estimates of runs whose shapes are made by hand: their order, their ranges, their bounds."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapes import LARGE_TREES, REFERENCE, RIDGE, TREES, shape

from ray_pipeline.estimating.costs import COSTS, FitCost, Models, Speed
from ray_pipeline.estimating.estimate import LEAST_APART, Bounds, Estimate, estimate_run
from ray_pipeline.estimating.shape import RunShape, SearchShape
from ray_pipeline.estimating.work import LEAST, LIKELY, MOST, course_of, work_of
from ray_pipeline.results.stages import STAGES


def estimate(**changes: Any) -> Estimate:
    return estimate_run(shape(**changes), REFERENCE)


def test_a_range_is_useful() -> None:
    """Its ends are at most a factor of four apart, so that its middle is within two of all."""
    assert Bounds.of(0.0, 10.0, 1_000.0) == Bounds(5.0, 20.0)
    assert Bounds.of(8.0, 10.0, 15.0) == Bounds(10.0 / LEAST_APART, 15.0)
    assert Bounds.of(10.0, 10.0, 10.0) == Bounds(10.0 / LEAST_APART, 10.0 * LEAST_APART)
    assert Bounds.of(0.0, 0.0, 0.0).middle == 0.0


LARGER: list[dict[str, Any]] = [
    {"n_rows": 150_000, "pool_rows": 150_000, "trained_rows": 150_000, "largest": 2_518},
    {"n_features": 164},
    {"n_targets": 6, "hopes": (0.25, 0.25, 0.9) * 2},
    {"n_folds": 10},
    {"n_suspects": 82},
    {"n_compared": 20},
    {"n_shifts": 19},
    {"hopes": (0.9, 0.9, 0.9)},
    {"has_average": True},
    {"refitted": (TREES,)},
    {"methods": ("linear", "univariate", "mutual_information")},
    {"ranking": (RIDGE, TREES, Models.of("xgboost", {}))},
    {"training": (LARGE_TREES, RIDGE, Models.of("random_forest", {}))},
    {"training": (Models.of("lightgbm", {"n_estimators": 600}), RIDGE)},
    {"search": SearchShape(n_trials=20, n_splits=3, max_trials=None)},
]


@pytest.mark.parametrize("changes", LARGER, ids=lambda changes: next(iter(changes)))
def test_more_work_takes_longer(changes: dict[str, Any]) -> None:
    """Every size that grows makes the run longer, and smaller in nothing."""
    before, after = estimate(), estimate(**changes)
    assert before.wall_s is not None
    assert after.wall_s is not None
    assert after.wall_s.middle > before.wall_s.middle
    assert after.cpu_s.middle > before.cpu_s.middle
    assert after.memory_bytes.middle >= before.memory_bytes.middle
    assert after.disk_bytes.middle >= before.disk_bytes.middle


def test_more_workers_take_less_time_of_the_clock_alone() -> None:
    """The work is the same; starting Ray and units that are left over bound what is won."""
    two, eight = estimate(n_workers=2), estimate(n_workers=8)
    assert two.wall_s is not None
    assert eight.wall_s is not None
    assert two.wall_s.middle / 4 < eight.wall_s.middle < two.wall_s.middle
    assert two.cpu_s == eight.cpu_s


def test_a_slower_machine_takes_longer() -> None:
    """Each kind of work by its own speed."""
    slow_trees = estimate_run(shape(), Speed(trees=3.0, linear=1.0, columns=1.0))
    assert slow_trees.cpu_s.middle > 2 * estimate().cpu_s.middle
    without = shape(ranking=(RIDGE,), training=(RIDGE,))
    slow = estimate_run(without, Speed(trees=3.0, linear=1.0, columns=1.0))
    assert slow.cpu_s == estimate_run(without, REFERENCE).cpu_s
    assert Speed(2.0, 3.0, 4.0).seconds(FitCost(1.0, 10.0, 100.0)) == 432.0
    assert Speed(2.0, 3.0, 4.0).beside(Speed(1.0, 6.0, 4.0)) == Speed(2.0, 0.5, 1.0)


def test_what_is_found_decides_the_range() -> None:
    """Where nothing is predictable there is nothing to train; one target is less than all."""
    least, likely, most = (work_of(shape(), course_of(shape(), n)) for n in (LEAST, LIKELY, MOST))
    assert [stage.name for stage in least] == ["inspect", "pool", "target_ranking"]
    assert [stage.name for stage in likely] == [
        *(stage.name for stage in least),
        "feature_selection",
        "training",
        "calibration",
        "evaluation",
    ]
    assert [stage.name for stage in most] == [stage.name for stage in likely]
    assert course_of(shape(), LIKELY).n_chosen == pytest.approx(1.4)
    assert course_of(shape(top_n_targets=1), LIKELY).n_chosen == 1
    assert course_of(shape(is_own=False), MOST).n_own == 0


def test_stages_are_those_of_a_run() -> None:
    """Every stage of a run that takes time is estimated, under its name."""
    every = shape(
        n_suspects=3,
        n_compared=2,
        search=SearchShape(n_trials=5, n_splits=2, max_trials=100),
        policies=(10, True),
    )
    names = [stage.name for stage in work_of(every, course_of(every, LIKELY))]
    cheap = {"doubt", "routing"}
    own = {"user_stages", "stages"}
    known = [stage.name for stage in STAGES if stage.name not in cheap | own]
    assert names == [name for name in known if name in names]
    assert set(known) - set(names) <= {stage.name for stage in STAGES if not stage.is_timed}


def test_what_happens_on_a_cluster_of_unknown_size() -> None:
    """The time of the clock is not told, that of the CPUs is."""
    unknown = estimate(n_workers=None)
    assert unknown.wall_s is None
    assert unknown.cpu_s == estimate().cpu_s


def test_requests_are_those_to_object_stores() -> None:
    """None on a disk; more workers read a file again; a slow store takes longer."""
    assert estimate().n_requests is None
    data = estimate(is_data_remote=True).n_requests
    both = estimate(is_data_remote=True, is_run_remote=True).n_requests
    assert data is not None
    assert both is not None
    assert 60 <= data.low < data.high < both.low
    remote = shape(is_data_remote=True, is_run_remote=True)
    near, far = (estimate_run(remote, REFERENCE, latency).wall_s for latency in (0.001, 0.5))
    assert near is not None
    assert far is not None
    assert far.middle > 2 * near.middle


def test_record_is_plain_json() -> None:
    """Ranges are pairs, in whole bytes and requests; the longest stage is named."""
    record = estimate(is_run_remote=True, not_counted=("stage turnover",)).to_record()
    assert record["longest"] in record["stages_s"]
    assert record["not_counted"] == ["stage turnover"]
    for name in ("memory_bytes", "disk_bytes", "n_requests"):
        assert all(isinstance(each, int) for each in record[name])


SIZES = st.integers(1, 10**9)


@given(
    n_symbols=st.integers(1, 100_000),
    n_rows=SIZES,
    n_features=st.integers(1, 10_000),
    n_targets=st.integers(1, 300),
    n_folds=st.integers(2, 50),
    n_workers=st.one_of(st.none(), st.integers(1, 10_000)),
    is_pooled=st.booleans(),
    is_own=st.booleans(),
    max_jobs=st.one_of(st.none(), st.integers(1, 50)),
)
def test_ranges_of_any_shape(**sizes: Any) -> None:
    """Bounds are finite, ordered, not negative, and at most a factor of four apart."""
    given_shape: RunShape = shape(
        **sizes,
        hopes=(0.5,) * sizes["n_targets"],
        largest=max(1, sizes["n_rows"] // sizes["n_symbols"]),
        pool_rows=min(sizes["n_rows"], 500_000),
        trained_rows=min(sizes["n_rows"], 500_000),
        is_run_remote=True,
    )
    found = estimate_run(given_shape, REFERENCE, 0.02)
    every = [found.cpu_s, found.memory_bytes, found.disk_bytes, *found.stages.values()]
    every += [each for each in (found.wall_s, found.n_requests) if each is not None]
    for bounds in every:
        assert 0.0 <= bounds.low <= bounds.high < math.inf
        assert bounds.high <= 4.001 * bounds.low


@pytest.mark.parametrize("name", sorted(COSTS))
def test_models_cost_more_the_larger_they_are(name: str) -> None:
    """By rows, features, trees and leaves; predictions by rows."""
    models = Models.of(name, {})
    small, large = (models.fit_s(n, f, 8) for n, f in ((1_000, 10), (10_000, 40)))
    assert 0 < small < large
    assert models.predict_s(1_000, 10, 8) < models.predict_s(2_000, 10, 8)
    assert models.shared_s(0, 10) == 0
    if models.n_trees:
        more = Models.of(name, {"n_estimators": 2 * models.n_trees})
        assert more.fit_s(1_000, 10, 8) > small


def test_leaves_are_those_of_the_config_where_it_has_some() -> None:
    """Else those that the training rows are likely to give; other families have their own."""
    auto, few = Models.of("lightgbm", {}), Models.of("lightgbm", {"num_leaves": 4})
    assert auto.fit_s(1_000, 10, 31) > auto.fit_s(1_000, 10, 8)
    assert few.fit_s(1_000, 10, 31) == few.fit_s(1_000, 10, 8)
    assert Models.of("ridge", {"penalty": 1.0}).leaves is None
