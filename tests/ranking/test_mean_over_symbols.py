from __future__ import annotations

import math

import numpy as np
import pytest

from ray_pipeline.samples.evidence import series_evidence


def test_symbols_that_err_in_opposite_ways_get_no_credit_for_it() -> None:
    """Two symbols whose luck cancels have the error of two independent ones, not a smaller one."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(600)
    first, second = 0.05 + noise, 0.05 - noise + 0.01 * rng.standard_normal(600)
    mean = (first + second) / 2 / 600
    own_errors = [first.std() / math.sqrt(600), second.std() / math.sqrt(600)]
    believed = series_evidence(mean, 1, 1.0, 1200, own_errors)
    assert believed.std_error == pytest.approx(math.hypot(*own_errors) / 2)
    assert believed.p_value > 0.01
    assert series_evidence(mean, 1, 1.0, 1200).p_value < 1e-6


def test_symbols_that_err_together_keep_their_larger_error() -> None:
    """A common shock is not evidence twice."""
    common = np.random.default_rng(1).standard_normal(600)
    own_error = common.std() / math.sqrt(600)
    evidence = series_evidence(common / 600, 1, 1.0, 1200, [own_error, own_error])
    assert evidence.std_error > 0.8 * own_error
