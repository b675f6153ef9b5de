"""Estimates in sentences, and what runs took beside them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from shapes import REFERENCE, shape

from ray_pipeline.estimating.estimate import Bounds, Estimate, estimate_run
from ray_pipeline.estimating.telling import (
    Outcome,
    compare_outcome,
    estimate_lines,
)
from ray_pipeline.wording import duration_text

ESTIMATE = Estimate(
    wall_s=Bounds(180.0, 480.0),
    cpu_s=Bounds(300.0, 900.0),
    n_workers=2,
    cpus_per_worker=1,
    memory_bytes=Bounds(0.9 * 2**30, 1.4 * 2**30),
    disk_bytes=Bounds(40e6, 90e6),
    n_requests=Bounds(300.0, 700.0),
    stages={"inspect": Bounds(4.0, 8.0), "target_ranking": Bounds(100.0, 200.0)},
)


def outcome(**changes: Any) -> Outcome:
    took: dict[str, Any] = {
        "wall_s": 250.0,
        "stages_s": {"inspect": 6.0, "target_ranking": 150.0},
        "memory_bytes": 2**30,
        "disk_bytes": 62_000_000,
        "n_requests": 512,
    }
    return Outcome(**(took | changes))


def test_an_estimate_in_a_sentence() -> None:
    """Time, machine, longest stage, memory, disk and requests."""
    assert estimate_lines(ESTIMATE, "runs/x") == [
        "This run will take about 3 to 8 minutes on 2 CPUs, target ranking the longest, 0.9 to "
        "1.4 GiB per worker, 40 to 90 MB in runs/x, 300 to 700 requests."
    ]


def test_what_is_not_counted_is_said() -> None:
    """Stages and families of one's own."""
    (_, more) = estimate_lines(replace(ESTIMATE, not_counted=("stage a", "family b")), "runs/x")
    assert more == "Not counted: stage a, family b."


def test_a_cluster_of_unknown_size() -> None:
    """CPU time instead of that of the clock."""
    (line,) = estimate_lines(replace(ESTIMATE, wall_s=None, n_requests=None), "runs/x")
    assert line.startswith("This run will take about 5 to 15 minutes of CPU time, on as many CPUs")
    assert "requests" not in line


def test_what_came_of_it() -> None:
    """Each figure beside its range."""
    assert compare_outcome(ESTIMATE, outcome()) == [
        "took 4 min 10 s (estimated 3 to 8 minutes), 1 GiB in a worker (0.9 to 1.4 GiB), 62 MB of "
        "results (40 to 90 MB), 512 requests (300 to 700)"
    ]


def test_a_wrong_estimate_is_called_wrong() -> None:
    """With the stage that was most off; one within a factor of two is not."""
    slow = outcome(wall_s=900.0, stages_s={"inspect": 5.0, "target_ranking": 800.0})
    (_, off) = compare_outcome(ESTIMATE, slow)
    assert off == (
        "the estimate of the time was off by more than a factor of 2, most of it in target "
        "ranking: 13 min 20 s instead of about 2 min 21 s"
    )
    assert len(compare_outcome(ESTIMATE, outcome(wall_s=560.0))) == 1
    (*_, busy) = compare_outcome(ESTIMATE, replace(slow, other_load=3.25))
    assert busy.endswith("a load of 3.2 beside that of this run")
    assert len(compare_outcome(ESTIMATE, outcome(other_load=3.25))) == 1
    fast = compare_outcome(ESTIMATE, outcome(wall_s=100.0, stages_s={"training": 90.0}))
    assert "most of it in target ranking: 0.0 s instead" in fast[1]
    large = outcome(memory_bytes=8 * 2**30, disk_bytes=10**9, n_requests=10_000)
    assert [line.split(" was off")[0] for line in compare_outcome(ESTIMATE, large)[1:]] == [
        "the estimate of the memory",
        "the estimate of the size of the results",
        "the estimate of the number of requests",
    ]


def test_what_is_not_known_is_left_out() -> None:
    """Memory on systems that do not tell, requests on a disk, time on an unknown cluster."""
    local = replace(ESTIMATE, n_requests=None, wall_s=None)
    (line,) = compare_outcome(local, outcome(memory_bytes=0, n_requests=3))
    assert line == "took 4 min 10 s, 62 MB of results (40 to 90 MB)"
    assert outcome(memory_bytes=0).to_record()["memory_bytes"] is None


def test_times_are_spelled_in_units_that_suit_them() -> None:
    """From seconds to hours."""
    seconds = (0.04, 59.4, 61.0, 3_599.0, 3_600.0, 1e7)
    assert [duration_text(each) for each in seconds] == [
        "0.0 s",
        "59 s",
        "1 min 01 s",
        "59 min 59 s",
        "1 h 00 min",
        "2,777 h 46 min",
    ]


@pytest.mark.parametrize(
    ("times", "told"),
    [
        (1.0, "about 10 to 20 seconds"),
        (10.0, "about 1.7 to 3.3 minutes"),
        (1_000.0, "about 2.8 to 5.6 hours"),
        (100_000.0, "about 12 to 23 days"),
        (1e9, "about 120,000 to 230,000 days"),
    ],
)
def test_any_range_prints_sanely(times: float, told: str) -> None:
    """Two digits, one unit for both ends."""
    bounds = Bounds(10.0 * times, 20.0 * times)
    assert told in estimate_lines(replace(ESTIMATE, wall_s=bounds), "runs/x")[0]


def test_huge_runs_print_sanely() -> None:
    """Nothing overflows, and no number has a long tail."""
    huge = shape(
        n_symbols=10**6, n_rows=10**12, largest=10**6, pool_rows=10**10, trained_rows=10**11
    )
    (line,) = estimate_lines(estimate_run(huge, REFERENCE), "s3://bucket/run")
    assert " days on 2 CPUs" in line
    assert " TiB per worker" in line
    assert " TB in s3://bucket/run" in line
    assert "e+" not in line
