"""What is said of a live skill, for planted fates."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from live_tables import TARGET, day, ledger, walk_forward

from ray_pipeline.monitoring.judging import ALPHA, chosen_above, judge
from ray_pipeline.monitoring.records import ModelSeries, WatchedRow
from ray_pipeline.monitoring.series import JobFacts, TargetFacts, model_series
from ray_pipeline.ranking.decide import TargetRow

SYMBOLS = [f"S{i:02d}" for i in range(30)]
JOBS = {"cs_fwd_ret_1d__ridge": JobFacts("cross_sectional", "ridge")}
TARGETS = {TARGET: TargetFacts("regression", 1)}
PROMISED = walk_forward(800, 0.1, SYMBOLS)


def _judged(skills: Sequence[float], threshold: float = -math.inf) -> WatchedRow:
    series = model_series(ledger(800, skills, SYMBOLS), lambda _: PROMISED, JOBS, TARGETS, 3)
    (row,), _ = judge(series, threshold)
    return row


def test_a_skill_that_goes_on_holds() -> None:
    """Above 0 at every look, and no alarm."""
    row = _judged([0.1] * 500)
    assert row.verdict == "holds"
    assert not row.is_alarm
    assert row.low > 0
    assert (row.since, row.noticed, row.to_do) == (None, None, "")


def test_a_few_days_tell_nothing() -> None:
    """Not a whole block: too early, and why."""
    row = _judged([-0.3] * 20)
    assert row.verdict == "too early"
    assert (row.n_blocks, row.n_live) == (0, 19)
    assert "whole blocks of" in row.reason
    assert math.isnan(row.skill)


def test_a_skill_that_vanished_has_a_date() -> None:
    """After 250 good days: gone, since about then, noticed later."""
    row = _judged([0.1] * 250 + [0.0] * 500)
    assert row.verdict in ("below promise", "no skill left")
    assert row.is_alarm
    since = np.datetime64(row.since.split("+")[0] if row.since else "NaT", "ns").astype(np.int64)
    assert abs(since - day(1050)) <= 45 * (day(1) - day(0))
    assert row.noticed is not None
    assert row.since is not None
    assert row.noticed > row.since
    assert row.p_adjusted <= ALPHA
    assert row.to_do


def test_a_skill_that_was_never_there_live_is_gone() -> None:
    """From the first day on, for long: at most half of the promise is possible, and 0 is."""
    row = _judged([0.0] * 1200)
    assert row.verdict == "no skill left"
    assert row.high < row.promised / 2


def test_a_halved_skill_is_below_its_promise_but_there() -> None:
    """Strong before, half of it since: an alarm, yet above 0."""
    strong = walk_forward(800, 0.25, SYMBOLS)
    live = ledger(800, [0.1] * 600, SYMBOLS)
    series = model_series(live, lambda _: strong, JOBS, TARGETS, 3)
    (row,), _ = judge(series, -math.inf)
    assert row.verdict == "below promise"
    assert row.low > 0


def test_what_barely_made_it_promises_nothing() -> None:
    """A threshold just below the t statistic takes the promise away, and with it the alarm."""
    usual = _judged([0.0] * 400)
    t = usual.estimated / usual.std_error
    shrunken = _judged([0.0] * 400, threshold=t - 0.05)
    assert shrunken.promised == 0.0
    assert not shrunken.is_alarm
    assert usual.is_alarm


def test_many_models_are_paid_for() -> None:
    """Beside nine that hold, the p-value of the one that does not is ten times its own."""
    good = model_series(ledger(800, [0.1] * 500, SYMBOLS), lambda _: PROMISED, JOBS, TARGETS, 3)
    bad = model_series(ledger(800, [0.0] * 500, SYMBOLS), lambda _: PROMISED, JOBS, TARGETS, 3)
    rows, history = judge([*good * 9, *bad], -math.inf)
    assert rows[-1].p_adjusted == pytest.approx(min(1.0, 10 * rows[-1].p_value))
    assert not any(row.is_alarm for row in rows[:-1])
    assert rows[-1].lately < rows[0].lately
    assert len(history) == 10 * rows[0].n_blocks


def test_no_models_have_no_verdicts() -> None:
    """Nothing in, nothing out."""
    assert judge([], -math.inf) == ([], [])


def test_the_bar_is_that_of_the_correction() -> None:
    """Two of four predictable at 5 %, two families: p of 0.05 · 2/4 / 2."""

    def row(p_value: float, *, predictable: bool) -> TargetRow:
        return TargetRow(
            target=TARGET,
            view="cross_sectional",
            family="ridge",
            task="regression",
            horizon_bars=1,
            skill=0.1,
            std_error=0.01,
            t_stat=9.0,
            p_value=p_value,
            q_value=p_value,
            n_symbols=3,
            n_rows=9,
            predictable=predictable,
            rank=1,
            reason="",
        )

    rows = [row(0.001, predictable=True), row(0.02, predictable=True), row(0.5, predictable=False),
            row(0.6, predictable=False), row(math.nan, predictable=False)]  # fmt: skip
    assert chosen_above(rows, 0.05, 2) == pytest.approx(2.2414, abs=1e-3)
    assert chosen_above(rows[2:], 0.05, 2) == -math.inf


def test_what_is_below_by_itself_does_not_hold_among_many() -> None:
    """Its own p-value is at most 5 % and, paid for all, above: too early, and to be watched."""
    strong = walk_forward(800, 0.25, SYMBOLS)

    def series(skills: Sequence[float]) -> list[ModelSeries]:
        live = ledger(800, skills, SYMBOLS)
        return model_series(live, lambda _: strong, JOBS, TARGETS, 3)

    good, bad = series([0.25] * 600), series([0.25] * 100 + [0.16] * 150)
    (alone,), _ = judge(bad, -math.inf)
    assert 1e-3 < alone.p_value <= ALPHA
    n = int(1 / alone.p_value)
    rows, _ = judge([*good * n, *bad], -math.inf)
    assert rows[-1].verdict == "too early"
    assert rows[-1].low > 0
    assert "by itself" in rows[-1].reason
