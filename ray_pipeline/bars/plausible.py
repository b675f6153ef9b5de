"""What targets have ever shown: limits of skill, hit rate and Sharpe ratio, and their sources.

A limit is what nobody is known to have shown, about twice the largest figure that is known to be
honest. A figure beyond it does not prove a mistake, but a mistake is likelier than a discovery.

What is known of the direction of prices, as rank correlation out of sample:

- a session or longer: 0.047 a day on the stocks of the CSI 300 and 0.091 at 20 days with models
  retrained as time goes on (qlib, ``examples/benchmarks`` and ``benchmarks_dynamic``); a monthly
  R² of 0.4 % of single US stocks, which is a correlation of 0.06 (Gu, Kelly & Xiu 2020, Review of
  Financial Studies 33); 0.084 a month on 153 anomaly portfolios from their own past;
- within a session: 0.13 at five minutes across thin US stocks, and 0.16 over the own time of the
  thinnest, all of it the bid-ask bounce (Roll 1984, Journal of Finance 39); less where trading is
  liquid. Where the spread is larger than what prices move in a bar, the bounce alone can show more;
- under a minute: the queues of the order book tell much of which way the mid price changes next
  (Gould & Bonart 2016, Market Microstructure and Liquidity 2). Little is published as a skill of
  bars that short, and the limits here are wide.

Sharpe ratios a year: 2.45 for monthly long-short deciles before costs, the best of Gu, Kelly & Xiu
(2020); 0.98 after costs for five-minute models of the market (Huddleston, Liu & Stentoft 2023,
Journal of Financial Econometrics 21); a mean of 9.2 of high-frequency trading firms within one
month (Baron, Brogaard & Kirilenko 2012). Who sets the costs to nothing sees more than a net ratio,
and the limits leave room for that.

Hit rates go with skill: of two normal variables of correlation ρ, the signs agree in
``1/2 + arcsin(ρ)/π`` of cases: 0.564 at 0.2, 0.580 at 0.25, 0.747 at 0.7. The limits leave as much
room again, for labels that are not normal.

Volatility lasts, and what it decides is honestly easy: whether a barrier is reached within a time
has shown 0.41 across stocks, 0.39 over the own time of symbols, and 0.53 in the best single one;
the largest rise and fall of coins are ordered by nothing but their past deviation with 0.53.
Symbols that differ more from each other (a stock among bonds) show more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ray_pipeline.bars.label_names import find_label

__all__ = ["DEFAULT_LIMITS", "Plausible", "Reach", "TargetKind", "reach_of", "target_kind"]

TargetKind = Literal["direction", "barrier", "extreme"]
"""Which way prices go; whether a barrier is reached; how far they go at most."""

Reach = Literal["under a minute", "within a session", "a session or longer"]
"""How far a target looks ahead."""


@dataclass(frozen=True, slots=True)
class Plausible:
    """The most that such targets have shown; None: no limit is known.

    Attributes
    ----------
    skill
        Rank correlation, or 2·AUC − 1 of binary targets.
    hit_rate
        Share of calls that are right, where a half would be by chance.
    sharpe
        Annual Sharpe ratio after costs.
    """

    skill: float | None = None
    hit_rate: float | None = None
    sharpe: float | None = None


_OF_VOLATILITY = Plausible(skill=0.8)
_OF_EXTREMES = Plausible(skill=0.9)

DEFAULT_LIMITS: Mapping[tuple[TargetKind, Reach], Plausible] = {
    ("direction", "under a minute"): Plausible(skill=0.7, hit_rate=0.85, sharpe=25.0),
    ("direction", "within a session"): Plausible(skill=0.25, hit_rate=0.62, sharpe=12.0),
    ("direction", "a session or longer"): Plausible(skill=0.2, hit_rate=0.6, sharpe=7.0),
    ("barrier", "under a minute"): _OF_VOLATILITY,
    ("barrier", "within a session"): _OF_VOLATILITY,
    ("barrier", "a session or longer"): _OF_VOLATILITY,
    ("extreme", "under a minute"): _OF_EXTREMES,
    ("extreme", "within a session"): _OF_EXTREMES,
    ("extreme", "a session or longer"): _OF_EXTREMES,
}
"""Default limits of plausible figures for a target."""

_KINDS: Mapping[str, TargetKind] = {
    "fwd_ret": "direction",
    "fwd_ret_oc": "direction",
    "excess_ret": "direction",
    "ret_zscore": "direction",
    "ret_ord": "direction",
    "y_first_touch": "direction",
    "y_will_peak": "barrier",
    "y_will_valley": "barrier",
    "mfe": "extreme",
    "mae": "extreme",
    "mdd": "extreme",
    "mfe_zscore": "barrier",
    "mae_zscore": "barrier",
    "mdd_zscore": "barrier",
}

# A labeled table may spell the horizon in ways of its own: what counts is the kind before it.
_NAME = re.compile(rf"(?P<kind>{'|'.join(sorted(_KINDS, key=len, reverse=True))})_[0-9].*")


def target_kind(name: str) -> TargetKind | None:
    """Tell from its name what a target is; None where the package does not know it.

    Examples
    --------
    >>> target_kind("fwd_ret_3mo"), target_kind("y_will_peak_60m_0.8"), target_kind("my_sensor")
    ('direction', 'barrier', None)
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    label = find_label(name)
    if label is not None and len(set(label.distances)) > 1:
        # With one barrier nearer than the other, volatility decides which is touched first.
        return "barrier"
    return _KINDS[match["kind"]]


def reach_of(horizon_bars: int, bar_seconds: int, session_bars: int) -> Reach:
    """Tell how far so many bars look ahead."""
    if horizon_bars >= session_bars:
        return "a session or longer"
    if horizon_bars * bar_seconds < 60:
        return "under a minute"
    return "within a session"
