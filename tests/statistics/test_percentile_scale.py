"""Places of predictions among those of the training rows: by hand, causal to the bit, monotone."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np

from ray_pipeline.statistics.percentile_scale import (
    MAX_SCALE_POINTS,
    mean_percentile,
    percentile_of,
    percentile_scale,
)
from ray_pipeline.statistics.skill import centred_percentile


def test_percentiles_of_a_scales_own_values_are_those_among_all() -> None:
    """Mid-rank percentiles: of 1, 2, 2, 3 the twos stand at a half, ties counting half."""
    scale = percentile_scale(np.array([2.0, 3.0, 1.0, 2.0]))
    assert percentile_of(scale, scale).tolist() == [0.125, 0.5, 0.5, 0.875]
    noise = np.random.default_rng(0).standard_normal(500).round(1)
    expected = (centred_percentile(noise, noise) + 1) / 2
    np.testing.assert_allclose(
        percentile_of(noise, percentile_scale(noise)), expected, rtol=0, atol=1e-15
    )


def test_between_two_values_the_percentile_is_linear_and_outside_it_is_the_end() -> None:
    """A quarter of the way from 0 (place 1/4) to 4 (place 3/4) is 3/8."""
    given = np.array([-0.1, 0.0, 1.0, 4.0, 4.1, np.nan])
    places = percentile_of(given, np.array([0.0, 4.0]))
    np.testing.assert_array_equal(places, [0.0, 0.25, 0.375, 0.75, 1.0, np.nan])


def test_a_model_that_says_one_thing_places_it_in_the_middle() -> None:
    """Below it is 0, above it 1."""
    scale = percentile_scale(np.full(2_000, 0.3))
    assert percentile_of(np.array([0.2, 0.3, 0.4]), scale).tolist() == [0.0, 0.5, 1.0]


def test_a_long_scale_keeps_its_ends_and_is_off_by_a_thousandth() -> None:
    """1,001 order statistics of 50,000 predictions: all of them are predictions as they were."""
    known = np.random.default_rng(1).standard_normal(50_000)
    scale = percentile_scale(known)
    assert len(scale) == MAX_SCALE_POINTS
    assert (scale[0], scale[-1]) == (known.min(), known.max())
    assert np.isin(scale, known).all()
    exact = (centred_percentile(known, known) + 1) / 2
    assert np.abs(percentile_of(known, scale) - exact).max() < 1e-3


def test_different_predictions_keep_their_order() -> None:
    """However close they are: a scale does not tie what the model told apart."""
    known = np.random.default_rng(2).standard_normal(10_000)
    inside = np.sort(known)[1:-1]
    assert (np.diff(percentile_of(inside, percentile_scale(known))) > 0).all()


def test_the_rows_around_a_value_change_no_bit_of_its_percentile() -> None:
    """One by one, in parts or all together: the same bits."""
    random = np.random.default_rng(3)
    scale = percentile_scale(random.standard_normal(3_000))
    values = random.standard_normal(257)
    together = percentile_of(values, scale)
    for parts in (range(257), range(0, 257, 13)):
        edges = [*parts, 257]
        cut = [percentile_of(values[a:b], scale) for a, b in pairwise(edges)]
        np.testing.assert_array_equal(np.concatenate(cut), together)


def test_a_scale_survives_as_text() -> None:
    """JSON gives the same bits back."""
    scale = percentile_scale(np.random.default_rng(4).standard_normal(5_000) * 1e-9)
    assert json.loads(json.dumps(scale.tolist())) == scale.tolist()


def test_the_mean_is_row_by_row() -> None:
    """(0.2 + 0.4 + 0.9) / 3 = 0.5; what is given stays as it is."""
    first = np.array([0.2, 1.0])
    mean = mean_percentile([first, np.array([0.4, 1.0]), np.array([0.9, np.nan])])
    np.testing.assert_array_equal(mean, [0.5, np.nan])
    assert first.tolist() == [0.2, 1.0]
