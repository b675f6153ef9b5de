"""The example of `ray_pipeline.run` does what it shows."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest
from notebook_runs import long_frame

import ray_pipeline
from ray_pipeline.quickstart import make_sample


def test_the_example_of_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a part of the quickstart's panel; elsewhere it is skipped, as it takes seconds."""
    monkeypatch.chdir(tmp_path)
    frame = long_frame(make_sample(n_symbols=4, n_bars=400), "symbol")
    text = (ray_pipeline.run.__doc__ or "").replace("# doctest: +SKIP", "")
    test = doctest.DocTestParser().get_doctest(text, {"frame": frame}, "run", None, None)
    assert len(test.examples) == 6
    assert doctest.DocTestRunner().run(test).failed == 0
    assert (tmp_path / "runs").is_dir()
