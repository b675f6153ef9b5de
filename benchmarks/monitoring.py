"""How often monitoring raises a false alarm, and how long it takes to notice a loss.

    python benchmarks/monitoring.py --years 500 --lives 100

A panel is 50 symbols of daily bars: signals that last (AR(1) of 0.9), returns with fat tails
(Student's t of 4 degrees), in times of high and low volatility (AR(1) of 0.97), a third of their
variance common, by loadings that last. The strength of the signal swings by its own size, with a
memory of 20 days. The skill is the rank IC of every day for labels of 1, 5 and 20 bars that
overlap; 1000 days of it promise, and each day thereafter is a look. A model is watched after every
whole block; the p-values never rise, so that whether a year has an alarm is told by its last look.

False alarms are of years in which no skill was lost:

- ``steady``: without swings of the strength and without common returns;
- ``swinging``: as above; ``five years`` the same, watched for five years;
- ``short promise``: that of 500 days;
- ``wilder``: the year has skills that vary more than before: three quarters of the variance common;
- ``chosen``: of weak models only those whose promise has t ≥ 2 are watched, for their shrunken
  promise (and, as ``chosen, plain``, for the promise as it was estimated);
- ``eight at once``: two models of four targets of one panel, any alarm, by Holm.

Delays are the days from a loss to its alarm, over four years of it: ``inf`` where most lives end
without. The strength swings by half of its size; the loss is there from the first day, or comes
after two years. Lives with a false alarm before it are not counted.

Measured (``--years 500 --lives 100``; about ten minutes of one core):

======================  ======  ======  =======
false alarms, %          1 bar  5 bars  20 bars
======================  ======  ======  =======
steady                     0.0     0.8      0.2
swinging                   1.6     1.4      0.2
five years                 2.6     2.2      0.6
short promise              2.2     2.2      1.2
wilder                     1.8     1.2      0.8
chosen                     0.6     0.8      0.0
chosen, plain              0.6     1.2      0.8
eight at once              0.8 of the years
======================  ======  ======  =======

=============================  =========  ================  =============
delay                          promise t  % in 1, 2, 4 yrs    median days
=============================  =========  ================  =============
halved, first day, 1 bar             7.2       5,  20,  50            inf
halved, first day, 5 bars            6.0       4,  12,  34            inf
halved, first day, 20 bars           3.9       4,   8,  13            inf
halved, two years on, 1 bar          6.6       2,   7,  19            inf
halved, two years on, 5 bars         5.7       1,   4,   8            inf
halved, two years on, 20 bars        3.7       1,   1,   2            inf
vanished, first day, 1 bar           6.7      40,  82,  96            294
vanished, first day, 5 bars          5.8      30,  64,  90            399
vanished, first day, 20 bars         3.8       6,  19,  49            inf
vanished, two years on, 1 bar        6.7       8,  45,  81            546
vanished, two years on, 5 bars        5.8       7,  29,  70            714
vanished, two years on, 20 bars        3.7       0,   5,  24            inf
halved, first day, 1 bar            10.8      24,  57,  87            483
halved, first day, 5 bars            9.5      15,  38,  72            672
halved, first day, 20 bars           6.7       3,  18,  32            inf
halved, two years on, 1 bar         10.1       7,  27,  46            inf
halved, two years on, 5 bars         9.1       3,  16,  40            inf
halved, two years on, 20 bars        6.7       0,   4,  16            inf
vanished, first day, 1 bar          10.4      89, 100, 100            126
vanished, first day, 5 bars          9.3      83,  99, 100            168
vanished, first day, 20 bars         6.6      35,  69,  91            360
vanished, two years on, 1 bar       10.3      54,  97, 100            252
vanished, two years on, 5 bars        9.3      43,  94, 100            294
vanished, two years on, 20 bars        6.6       3,  35,  82            636
=============================  =========  ================  =============

No test can do much better beside such promises: one that is 6 standard errors above 0 knows its own
size to a sixth, and half of it is 3 of these errors, with the live skill known for certain.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.statistics.family_wise import holm
from ray_pipeline.statistics.promise import SkillPromise, SkillWatch, promise_of, watch

Floats = NDArray[np.float64]

ALPHA = 0.05
YEAR = 252
HORIZONS = (1, 5, 20)
SWING_DAYS = 20.0
CHOSEN_ABOVE = 2.0
WEAK = 1 / 3
"""Of the usual strength: such models have a t statistic of about 1.5."""

Key = tuple[int, int]
"""Horizon and model."""


@dataclass(frozen=True)
class World:
    """What is simulated.

    Attributes
    ----------
    horizons, n_models
        Of the labels; models after the first see the signal through noise.
    n_before, n_live
        Days that promise, and days since.
    ic
        Correlation of the signal with the next bar's return.
    swing
        Deviation of the strength of the signal, as a share of its mean.
    common, common_live
        Share of the variance of returns that is common, before and since.
    left, lost_at
        Share of the strength that is left from a day since on.
    """

    horizons: tuple[int, ...]
    n_models: int = 1
    n_symbols: int = 50
    n_before: int = 1000
    n_live: int = YEAR
    ic: float = 0.03
    memory: float = 0.9
    swing: float = 1.0
    common: float = 1 / 3
    common_live: float = 1 / 3
    left: float = 1.0
    lost_at: int = 0


def simulate(world: World, chance: np.random.Generator) -> Mapping[Key, tuple[Floats, Floats]]:
    """Return the rank IC of every day before, whose label was known by then, and since."""
    n, m = world.n_before + world.n_live, world.n_symbols
    longest = max(world.horizons)
    signal = _autoregressive(chance.standard_normal((n, m)), world.memory)
    steady = math.exp(-1.0 / SWING_DAYS)
    strength = 1.0 + world.swing * _autoregressive(chance.standard_normal((n, 1)), steady)
    strength[world.n_before + world.lost_at :] *= world.left
    common = np.full((n + longest + 1, 1), world.common)
    common[world.n_before :] = world.common_live
    loading = _autoregressive(chance.standard_normal((*common.shape[:1], m)), 0.98)
    own, shared = (chance.standard_t(4, (len(common), k)) / math.sqrt(2.0) for k in (m, 1))
    returns = np.sqrt(1.0 - common) * own + np.sqrt(common) * loading * shared
    returns[1 : n + 1] += world.ic * strength * signal
    returns *= np.exp(0.5 * _autoregressive(chance.standard_normal(common.shape), 0.97))
    path = np.cumsum(returns, axis=0)
    found = {}
    for model in range(world.n_models):
        seen = signal
        if model:
            seen = 0.8 * signal + 0.6 * _autoregressive(chance.standard_normal((n, m)), 0.9)
        for h in world.horizons:
            series = _rank_correlations(seen, path[h : n + h] - path[:n])
            found[h, model] = series[: world.n_before - h], series[world.n_before :]
    return found


def _rank_correlations(a: Floats, b: Floats) -> Floats:
    u, v = (np.argsort(np.argsort(each, axis=1), axis=1).astype(float) for each in (a, b))
    u -= u.mean(axis=1, keepdims=True)
    v -= v.mean(axis=1, keepdims=True)
    return (u * v).sum(axis=1) / np.sqrt((u * u).sum(axis=1) * (v * v).sum(axis=1))


def _autoregressive(shocks: Floats, memory: float) -> Floats:
    values, scale = shocks.copy(), math.sqrt(1.0 - memory**2)
    for i in range(1, len(values)):
        values[i] = memory * values[i - 1] + scale * shocks[i]
    return values


def watched(
    world: World, chance: np.random.Generator, threshold: float = -math.inf
) -> Mapping[Key, tuple[SkillPromise, SkillWatch]]:
    """Return the promise of every model and how it stands after each block."""
    found = {}
    for key, (before, live) in simulate(world, chance).items():
        promise = promise_of(before, key[0], threshold=threshold)
        found[key] = promise, watch(promise, live, ALPHA)
    return found


def has_alarm(found: Mapping[Key, tuple[SkillPromise, SkillWatch]]) -> bool:
    """Say whether any of the models watched at once ever had one."""
    last = np.array([each.p_value[-1] for _, each in found.values()])
    return bool(holm(last).min() <= ALPHA)


def chances(world: World, n: int) -> Iterator[np.random.Generator]:
    """Give each simulated life its own chance, the same in every call."""
    entropy = tuple(f"{world}".encode())
    return map(np.random.default_rng, np.random.SeedSequence(entropy).spawn(n))


def false_alarms(world: World, n_years: int) -> tuple[list[float], float]:
    """Return shares of lives with an alarm, where nothing was lost: of each horizon, and of any."""
    lives = [watched(world, chance) for chance in chances(world, n_years)]
    alone = [np.mean([has_alarm({key: each[key]}) for each in lives]) for key in lives[0]]
    return [float(share) for share in alone], float(np.mean([has_alarm(each) for each in lives]))


def false_alarms_of_chosen(world: World, n_years: int) -> Mapping[int, tuple[Floats, int]]:
    """Return by horizon the share of chosen models with an alarm, by both promises; and how many.

    The first promise is shrunken, the second as it was estimated.
    """
    found: dict[int, list[tuple[bool, bool]]] = {h: [] for h in world.horizons}
    for chance in chances(world, n_years):
        for (h, _), (before, live) in simulate(world, chance).items():
            promise = promise_of(before, h, threshold=CHOSEN_ABOVE)
            if promise.estimate >= CHOSEN_ABOVE * promise.std_error:
                both = promise, replace(promise, skill=promise.estimate)
                shrunken, plain = (watch(each, live, ALPHA).p_value[-1] <= ALPHA for each in both)
                found[h].append((bool(shrunken), bool(plain)))
    return {h: (np.mean(each, axis=0), len(each)) for h, each in found.items() if each}


def delays(world: World, n_lives: int) -> Mapping[int, tuple[Floats, float]]:
    """Return by horizon days until a loss was noticed, and the promise's mean t.

    Days are infinite where it was not noticed; lives with an alarm before are left out.
    """
    days: dict[int, list[float]] = {h: [] for h in world.horizons}
    t_stats: dict[int, list[float]] = {h: [] for h in world.horizons}
    for chance in chances(world, n_lives):
        for (h, _), (promise, seen) in watched(world, chance).items():
            t_stats[h].append(promise.estimate / promise.std_error)
            alarms = seen.ends[seen.p_value <= ALPHA]
            first = float(alarms[0]) if len(alarms) else math.inf
            if first > world.lost_at:
                days[h].append(first - world.lost_at)
    return {h: (np.array(days[h]), float(np.mean(t_stats[h]))) for h in world.horizons}


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--years", type=int, default=500)
    parser.add_argument("--lives", type=int, default=100)
    options = parser.parse_args()
    started = time.perf_counter()
    print("false alarms, %        " + "".join(f"{h:>4} bars" for h in HORIZONS))
    usual = World(HORIZONS)
    kinds = {
        "steady": replace(usual, swing=0.0, common=0.0, common_live=0.0),
        "swinging": usual,
        "five years": replace(usual, n_live=5 * YEAR),
        "short promise": replace(usual, n_before=500),
        "wilder": replace(usual, common_live=0.75),
    }
    for name, world in kinds.items():
        shares, _ = false_alarms(world, options.years)
        print(f"{name:<23}" + "".join(f"{100 * share:>9.1f}" for share in shares), flush=True)
    chosen = false_alarms_of_chosen(replace(usual, ic=WEAK * usual.ic), options.years)
    for place, name in enumerate(("chosen", "chosen, plain")):
        print(f"{name:<23}" + "".join(f"{100 * each[place]:>9.1f}" for each, _ in chosen.values()))
    print(f"{'  models chosen':<23}" + "".join(f"{n:>9}" for _, n in chosen.values()))
    several = replace(usual, horizons=(1, 5, 10, 20), n_models=2)
    print(f"{'eight at once':<23}{100 * false_alarms(several, options.years)[1]:>9.1f}", flush=True)
    print("\ndelay                       promise t  % within 1, 2, 4 years  median days")
    for ic, left, lost_at in itertools.product((0.03, 0.06), (0.5, 0.0), (0, 2 * YEAR)):
        world = replace(
            usual, ic=ic, swing=0.5, left=left, lost_at=lost_at, n_live=lost_at + 4 * YEAR
        )
        for h, (days, t_stat) in delays(world, options.lives).items():
            within = "".join(f"{100 * np.mean(days <= k * YEAR):>7.0f}" for k in (1, 2, 4))
            name = "halved" if left else "vanished"
            print(
                f"{name:<9}after {lost_at:>3} days, {h:>2} bars{t_stat:>8.1f}{within}"
                f"{np.median(days):>12.0f}",
                flush=True,
            )
    print(f"\n{(time.perf_counter() - started) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
