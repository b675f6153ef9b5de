"""Rank correlation of a feature with a target at every shift: what a leak looks like.

A label of horizon h at row s describes rows s+1 … s+h. A feature at row t may hold what was
known at t, so it may equal the label of row t−h or an earlier one. Agreement with the label of
any later row is knowledge of the future, or a prediction of it. What tells the two apart is c(s),
the correlation with the label s rows later, over all s:

- a feature that *drives* the label is forgotten by it as fast as by itself, c(s) = c(0)·a(s) with
  a its own autocorrelation (exactly so for an AR(1) driver, of the label or of the returns that
  it adds up);
- a noisy copy of the label is forgotten as fast as the labels' overlap ends;
- what averages over the bars around it knows the bars to come one by one.

Where labels do not overlap (a horizon of one bar) a noisy copy and a strong driver without memory
are the same thing, and only the size of the correlation can arouse suspicion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import fft, stats

from ray_pipeline.statistics.hac import hac_lag

__all__ = ["LeakLimits", "LeakScore", "LeakVerdict", "leak_verdict", "normal_scores", "score_leaks"]

Floats = NDArray[np.float64]

BEHAVIOUR_REMAINDER = 0.25
"""A leaked label overlaps the label one horizon on by nothing; a persistent honest feature keeps
more than a quarter of its correlation with it."""

EXPLAINED_MARGIN = 0.01
"""A past return correlates 1 − 1/h with the label that ends one bar after it, and 1 with the one
that ends with it: only what exceeds the honest shifts by this much is a finding."""

UNEXPLAINED_SHARE = 0.1
"""A copy leaves at most so much of what the labels known at the time leave unexplained. The exact
state behind a smooth target correlates 0.99 with it, and 0.97 with the target of a horizon ago."""

MIN_Z = 3.0
"""Standard errors that a profile has to differ by from that of an honest feature: one test in 700
by luck, and merging asks for half of the symbols."""

EDGE_CORRELATION = 0.2
"""|Rank correlation| of a feature's last change with a single bar to come, not the next one. No
honest feature comes near; a centred average shows 0.5 at the bar that enters its window."""

EDGE_Z = 6.0
"""The edge is the largest of 4·h correlations of nearly independent pairs."""


@dataclass(frozen=True, slots=True)
class LeakLimits:
    """The config's section ``leakage``; see there for what each trades."""

    max_abs_correlation: float = 0.95
    behaviour_min_correlation: float = 0.25
    implausible_correlation: float = 0.5


@dataclass(frozen=True, slots=True)
class LeakScore:
    """Correlations of one (feature, target) pair.

    Attributes
    ----------
    leaking, leaking_shift
        Largest |correlation| over shifts that need the future, and that shift in rows: positive
        when the feature agrees with a label of a later row.
    honest
        Largest |correlation| over shifts known at the time.
    present
        Correlation at shift 0.
    horizon_earlier
        Correlation when the feature is taken one horizon earlier.
    known
        Correlation with the label of one horizon ago, the last one that is known.
    present_z
        `present` in standard errors.
    after_z, before_z
        Mean of c(s) − c(0)·a(s) over the h shifts after and before 0, towards the sign of c(0),
        in standard errors: about standard normal for a feature that drives the label.
    beyond_z
        How much stronger the feature agrees with the label a horizon on than with the known one,
        in standard errors.
    edge, edge_shift
        Largest |correlation| of the feature's change with the label's change 2 … h rows later,
        and that shift; 0 where h < 2.
    pairs
        Rows with both a feature and a label.
    """

    leaking: float
    leaking_shift: int
    honest: float
    present: float
    horizon_earlier: float
    known: float
    present_z: float
    after_z: float
    before_z: float
    beyond_z: float
    edge: float
    edge_shift: int
    pairs: int


Evidence = Literal["copy", "vanishes", "profile", "beyond", "edge"]


@dataclass(frozen=True, slots=True)
class LeakVerdict:
    """A leak: by which test, on what evidence, and how strong (a |rank correlation|)."""

    test: Literal["value", "behaviour"]
    evidence: Evidence
    value: float


def normal_scores(values: Floats) -> tuple[Floats, Floats]:
    """Standardised average ranks of the finite values, 0 elsewhere, and the mask of the finite.

    Returns
    -------
    tuple
        Two arrays of shape (n_rows,). A constant column is all 0.
    """
    finite = np.isfinite(values)
    scores = np.zeros(len(values))
    if finite.sum() > 2:
        ranks = stats.rankdata(values[finite])
        spread = ranks.std()
        if spread > 0:
            scores[finite] = (ranks - ranks.mean()) / spread
    return scores, finite.astype(np.float64)


@dataclass(frozen=True, slots=True)
class _Spectrum:
    """Transforms of a series' scores and of the mask of its finite values."""

    scores: NDArray[np.complex128]
    mask: NDArray[np.complex128]
    is_constant: bool

    @classmethod
    def of(cls, values: Floats, size: int) -> _Spectrum:
        scores, mask = normal_scores(values)
        return cls(fft.rfft(scores, size), fft.rfft(mask, size), not scores.any())


@dataclass(frozen=True, slots=True)
class _Correlator:
    """Correlations of series of one length at many shifts at once (correlation theorem)."""

    n_rows: int
    size: int

    def at(self, x: _Spectrum, y: _Spectrum, shifts: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Correlate x[t] with y[t + s]; with the number of pairs, each of shape (n_shifts,)."""
        products = fft.irfft(np.conj(x.scores) * y.scores, self.size)[shifts]
        pairs = fft.irfft(np.conj(x.mask) * y.mask, self.size)[shifts].round()
        enough = pairs >= max(50.0, self.n_rows / 10)
        # Over the pairs at hand the scores' variance is not quite 1.
        correlation = np.where(enough, products / np.maximum(pairs, 1.0), 0.0).clip(-1.0, 1.0)
        return correlation, pairs


def score_leaks(
    features: Floats, target: Floats, horizon: int, max_rows: int = 20_000
) -> list[LeakScore | None]:
    """Correlate every feature with a target over shifts −2h … +h.

    Parameters
    ----------
    features
        Shape (n_rows, n_features), NaN = missing.
    target
        Shape (n_rows,).
    horizon
        Bars the label looks ahead.
    max_rows
        The newest rows are enough to recognise a copy.

    Returns
    -------
    list
        One score per feature; None where there is nothing to correlate.
    """
    features, target = features[-max_rows:], target[-max_rows:]
    n_rows = len(target)
    horizon = min(horizon, n_rows // 4)
    if horizon < 1:
        return [None] * features.shape[1]
    lag = min(max(hac_lag(n_rows, horizon), 2 * horizon), n_rows - 1)
    size = fft.next_fast_len(n_rows + max(lag, 2 * horizon) + 1, real=True)
    correlator = _Correlator(n_rows, size)
    label = _Spectrum.of(target, size)
    if label.is_constant:
        return [None] * features.shape[1]
    memory, _ = correlator.at(label, label, np.arange(lag + 1))
    change = _Spectrum.of(_changes(target), size)
    return [
        _score(column, label, memory, change, correlator, horizon)
        for column in np.ascontiguousarray(features.T)
    ]


def _score(
    column: Floats,
    label: _Spectrum,
    label_memory: Floats,
    label_change: _Spectrum,
    correlator: _Correlator,
    h: int,
) -> LeakScore | None:
    feature = _Spectrum.of(column, correlator.size)
    if feature.is_constant:
        return None
    shifts = np.arange(-2 * h, h + 1)
    leaks = shifts > -h
    correlation, pairs = correlator.at(feature, label, shifts)
    strength = np.abs(correlation)
    best = int(np.argmax(np.where(leaks, strength, -1.0)))
    memory, _ = correlator.at(feature, feature, np.arange(len(label_memory)))
    profile = correlation[h:]  # of the shifts −h … h
    sign = 1.0 if profile[h] >= 0 else -1.0
    # Weights over the shifts −h … h; a driver's expectation is 0 for the first two.
    after, before, beyond, present = np.zeros((4, 2 * h + 1))
    after[h + 1 :] = before[:h] = sign / h
    after[h] = before[h] = -sign * memory[1 : h + 1].mean()
    beyond[2 * h], beyond[0] = sign, -np.sign(profile[0])
    present[h] = sign
    error = _ErrorOf.of(memory, label_memory, float(pairs[2 * h]))
    edge, edge_shift = _edge(column, label_change, correlator, h)
    return LeakScore(
        leaking=float(strength[best]),
        leaking_shift=int(shifts[best]),
        honest=float(strength[~leaks].max()),
        present=float(profile[h]),
        horizon_earlier=float(profile[2 * h]),
        known=float(profile[0]),
        present_z=float(present @ profile) / error(present),
        after_z=float(after @ profile) / error(after),
        before_z=float(before @ profile) / error(before),
        beyond_z=float(beyond @ profile) / error(beyond),
        edge=edge,
        edge_shift=edge_shift,
        pairs=int(pairs[2 * h]),
    )


@dataclass(frozen=True, slots=True)
class _ErrorOf:
    """Standard error of a weighted sum of correlations at successive shifts.

    Of two unrelated series the correlations at shifts s and s + d covary as
    ``Σ_k a_x(k)·a_y(k + d) / n`` (Bartlett 1946, "On the Theoretical Specification and Sampling
    Properties of Autocorrelated Time-Series", J. R. Stat. Soc. Suppl. 8).
    """

    covariance: Floats
    pairs: float

    @classmethod
    def of(cls, x_memory: Floats, y_memory: Floats, pairs: float) -> _ErrorOf:
        both = [np.r_[memory[:0:-1], memory] for memory in (x_memory, y_memory)]
        # scipy's choice between the direct sum and the transform depends on the length alone.
        return cls(_full_correlation(both[0], both[1]), max(pairs, 1.0))

    def __call__(self, weights: Floats) -> float:
        """Return the error, never below that of white noise."""
        products = _full_correlation(weights, weights)
        reach, centre = len(weights) - 1, len(self.covariance) // 2
        covariance = self.covariance[centre - reach : centre + reach + 1]
        variance = max(float(products @ covariance), float(weights @ weights))
        return float(np.sqrt(variance / self.pairs))


def _full_correlation(x: Floats, y: Floats) -> Floats:
    size = fft.next_fast_len(len(x) + len(y) - 1, real=True)
    product = fft.irfft(fft.rfft(x, size) * fft.rfft(y[::-1], size), size)
    full: Floats = product[: len(x) + len(y) - 1]
    return full


def _changes(values: Floats) -> Floats:
    """Change from the row before, NaN in the first row, shape (n_rows,)."""
    with np.errstate(invalid="ignore"):  # infinite less infinite is missing
        return np.diff(values, prepend=np.nan)


def _edge(
    column: Floats, label_change: _Spectrum, correlator: _Correlator, h: int
) -> tuple[float, int]:
    """Correlate a feature's first and second changes with the label's changes to come.

    The label's change s rows on is the return of row t+s+h less that of row t+s. From s = 2 on
    neither is known nor the next one, which an honest feature may predict.
    """
    if h < 2 or label_change.is_constant:
        return 0.0, 0
    shifts = np.arange(2, h + 1)
    best, where = 0.0, 0
    for _ in range(2):
        column = _changes(column)
        change = _Spectrum.of(column, correlator.size)
        if change.is_constant:
            break
        strength, pairs = correlator.at(change, label_change, shifts)
        strength = np.abs(strength) * (np.abs(strength) * np.sqrt(pairs) >= EDGE_Z)
        place = int(np.argmax(strength))
        if strength[place] > best:
            best, where = float(strength[place]), int(shifts[place])
    return best, where


def leak_verdict(score: LeakScore, limits: LeakLimits) -> LeakVerdict | None:
    """Say whether a score is a leak, by which test and on what evidence.

    ``value``
        ``copy``: the feature is the target, or a monotone copy, possibly shifted.
    ``behaviour``
        ``vanishes``: it explains implausibly much of the target, which vanishes when it is taken
        a horizon earlier and is not explained by the labels already known.
        ``profile``: as before with a weaker correlation, but the label forgets the feature
        otherwise than the feature forgets itself: a noisy copy.
        ``beyond``: it agrees with the label that starts where this one ends, and less with the
        one that ended at the row: the target of a longer horizon.
        ``edge``: its last change is the return of one bar to come: a centred average.
    """
    unexplained = score.leaking > score.honest + EXPLAINED_MARGIN
    copied = 1.0 - score.leaking <= UNEXPLAINED_SHARE * (1.0 - score.honest)
    if score.leaking >= limits.max_abs_correlation and unexplained and copied:
        return LeakVerdict("value", "copy", score.leaking)
    evidence = _evidence_of_present(score, limits, unexplained)
    if evidence is not None:
        return LeakVerdict("behaviour", evidence, abs(score.present))
    if score.edge >= EDGE_CORRELATION:
        return LeakVerdict("behaviour", "edge", score.edge)
    return None


def _evidence_of_present(
    score: LeakScore, limits: LeakLimits, unexplained: bool
) -> Evidence | None:
    """Say what is wrong with the correlation of feature and label of the same row."""
    present = abs(score.present)
    known = score.known * (1.0 if score.present >= 0 else -1.0)
    if score.present_z < MIN_Z or present < limits.behaviour_min_correlation or known >= present:
        return None  # what the last known label says as well is no news of the future
    vanishes = abs(score.horizon_earlier) < BEHAVIOUR_REMAINDER * present
    unknown = abs(known) < BEHAVIOUR_REMAINDER * present
    # What reverts, and a price less the average around it, is as strong on the known side, with
    # the other sign; only the first is forgotten as it forgets itself.
    mirrored = known < -0.5 * present
    if vanishes:
        if unexplained and not mirrored and present >= limits.implausible_correlation:
            return "vanishes"
        otherwise = abs(score.after_z) >= MIN_Z and (unexplained or mirrored)
        overlaps = unexplained and unknown and score.before_z >= MIN_Z
        return "profile" if otherwise or overlaps else None
    further = unexplained and score.beyond_z >= MIN_Z and 2 * abs(known) < present
    return "beyond" if further else None
