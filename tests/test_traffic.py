"""Requests to object stores, counted."""

from __future__ import annotations

import pytest

from ray_pipeline.storage import RunDirectory
from ray_pipeline.traffic import Traffic, one_request, traffic


def test_requests_count_whether_they_succeed_or_not() -> None:
    """A refused request is one as well."""
    before = traffic()
    with one_request():
        pass
    with pytest.raises(OSError, match="refused"), one_request():
        raise OSError("refused")
    assert traffic().n_requests == before.n_requests + 2
    assert traffic().seconds >= before.seconds


def test_latency_is_a_mean() -> None:
    """0 where nothing was asked."""
    assert Traffic().latency_s == 0.0
    assert Traffic(4, 2.0).latency_s == 0.5


def test_files_of_a_store_are_requests() -> None:
    """Each put and each read, of any store that is not a disk."""
    run = RunDirectory("memory://traffic/run")
    before = traffic().n_requests
    run.write_json("a.json", {})
    assert traffic().n_requests == before + 1
    run.read_json("a.json")
    assert traffic().n_requests == before + 2


def test_files_on_a_disk_are_none(tmp_path: object) -> None:
    """A disk takes no requests."""
    before = traffic()
    run = RunDirectory(f"{tmp_path}/run")
    run.write_json("a.json", {})
    run.read_json("a.json")
    assert traffic() == before
