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

from ray_pipeline.statistics.leak_scores import LeakScore

__all__ = ["LeakLimits", "LeakVerdict", "leak_verdict"]

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


@dataclass(frozen=True, slots=True)
class LeakLimits:
    """The config's section ``leakage``; see there for what each trades."""

    max_abs_correlation: float = 0.95
    behaviour_min_correlation: float = 0.25
    implausible_correlation: float = 0.5


Evidence = Literal["copy", "vanishes", "profile", "beyond", "edge"]


@dataclass(frozen=True, slots=True)
class LeakVerdict:
    """A leak: by which test, on what evidence, and how strong (a |rank correlation|)."""

    test: Literal["value", "behaviour"]
    evidence: Evidence
    value: float


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
        return None  # what the last known label says as well is not news of the future
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
