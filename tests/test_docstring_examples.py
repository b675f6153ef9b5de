"""Examples in docstrings are run: what they show is what happens."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import ray_pipeline


def test_examples_give_what_they_show() -> None:
    """In every module but the program's entry, which would run it."""
    n_tried = 0
    for module in pkgutil.walk_packages(ray_pipeline.__path__, "ray_pipeline."):
        if not module.name.endswith("__main__"):
            result = doctest.testmod(importlib.import_module(module.name))
            assert result.failed == 0, module.name
            n_tried += result.attempted
    assert n_tried > 10
