"""Sequential t-tests: closed forms against integrals, and Ville's inequality by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from ray_pipeline.statistics.sequential_t import log_e_lower, radius


@pytest.mark.parametrize("t", [-5.0, -2.3, 0.0, 1.1])
@pytest.mark.parametrize(
    ("freedom", "n", "scale"), [(3, 1.5, 1.0), (12, 5.0, 0.8), (60, 20.0, 0.3)]
)
def test_evidence_is_the_integral_of_noncentral_t_densities(
    t: float, freedom: int, n: float, scale: float
) -> None:
    """Over the half-normal prior of the effect, divided by the density of no effect."""

    def density(effect: float) -> float:
        prior = 2 * stats.norm.pdf(effect, 0, scale)
        return float(prior * stats.nct.pdf(t, freedom, effect * np.sqrt(n)))

    integral = integrate.quad(density, -12 * scale, 0)[0]
    expected = np.log(integral / stats.t.pdf(t, freedom))
    assert log_e_lower(t, freedom, n, scale) == pytest.approx(expected, abs=1e-6)


def test_evidence_falls_as_the_estimate_rises() -> None:
    """From far below to far above, so that an effect above 0 is covered by the null too."""
    found = log_e_lower(np.linspace(-30, 30, 500), 10, 4, 1.0)
    assert np.isfinite(found).all()
    assert (np.diff(found) <= 0).all()
    assert found[0] > np.log(100)
    assert found[-1] < 0


def test_a_confidence_sequence_ends_where_the_evidence_reaches_its_level() -> None:
    """At the radius the two-sided Bayes factor is 1/α."""
    freedom, n, scale, alpha = 14.0, 6.0, 1.0, 0.05
    t, q = radius(freedom, n, scale, alpha), n * scale**2
    ratio = (1 + t * t / freedom) / (1 + t * t / (freedom * (1 + q)))
    assert (1 + q) ** -0.5 * ratio ** ((freedom + 1) / 2) == pytest.approx(1 / alpha)


def test_few_observations_exclude_nothing() -> None:
    """One degree of freedom and a single observation: the whole line."""
    assert radius(1.0, 1.0, 1.0, 0.05) == np.inf


def test_sequences_ever_miss_a_mean_at_most_as_often_as_promised() -> None:
    """Of 1000 sequences of up to 200 values fewer than 5 % ever miss.

    Intervals of a single look, looked at every time, miss in a third of them at least.
    """
    chance = np.random.default_rng(0)
    values = 3.0 * chance.standard_normal((1000, 200)) + 7.0
    counts = np.arange(1, 201)
    means = np.cumsum(values, axis=1) / counts
    squares = np.cumsum(values**2, axis=1) - counts * means**2
    t = (
        np.abs(means - 7.0)[:, 2:]
        * np.sqrt(counts[2:])
        / np.sqrt(squares[:, 2:] / (counts[2:] - 1))
    )
    limits = np.array([radius(n - 1.0, n, 1.0, 0.05) for n in counts[2:]])
    assert 0.005 < np.mean((t > limits).any(axis=1)) < 0.05
    single = stats.t.ppf(0.975, counts[2:] - 1)
    assert np.mean((t > single).any(axis=1)) > 0.3
