"""Skills before and since, measured in one way, of synthetic walk-forwards and ledgers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from live_tables import TARGET, day, ledger, walk_forward
from scipy import stats

from ray_pipeline.monitoring.records import ModelSeries
from ray_pipeline.monitoring.series import JobFacts, TargetFacts, model_series

SYMBOLS = [f"S{i:02d}" for i in range(20)]
TARGETS = {TARGET: TargetFacts("regression", 1)}
JOBS = {
    "cs_fwd_ret_1d__ridge": JobFacts("cross_sectional", "ridge"),
    "cs_fwd_ret_1d__lightgbm": JobFacts("cross_sectional", "lightgbm"),
}


def _one(live: pa.Table, before: pa.Table, **more: Any) -> ModelSeries:
    (found,) = model_series(live, lambda _: before, JOBS, TARGETS, 3, **more)
    return found


def test_a_skill_across_symbols_is_the_rank_correlation_of_each_day() -> None:
    """Before as since; days whose label was not known when the first live one was made are out."""
    before, live = walk_forward(200, 0.3, SYMBOLS), ledger(200, [0.3] * 100, SYMBOLS)
    found = _one(live, before)
    assert found.before_ns.tolist() == [day(i) for i in range(199)]
    assert found.live_ns.tolist() == [day(200 + i) for i in range(99)]
    first = before.slice(0, 20)
    expected = stats.spearmanr(first["standing"], first["actual"])[0]
    assert found.before[0] == pytest.approx(expected)
    last = live.slice(98 * 20, 20)
    assert found.live[-1] == pytest.approx(stats.spearmanr(last["score"], last["actual"])[0])
    assert found.models == "ridge"


def test_a_walk_forward_that_has_reached_the_live_days_promises_nothing_of_them() -> None:
    """Trained again, a run has out-of-sample rows of days that were live."""
    before, live = walk_forward(300, 0.3, SYMBOLS), ledger(200, [0.3] * 100, SYMBOLS)
    assert _one(live, before).before_ns[-1] == day(198)


def test_a_score_of_several_models_is_compared_with_the_mean_of_theirs() -> None:
    """Of two families the standings are averaged before; the names say so."""
    before = walk_forward(100, 0.3, SYMBOLS, ("ridge", "lightgbm"))
    job_id = "cs_fwd_ret_1d__ridge+cs_fwd_ret_1d__lightgbm"
    found = _one(ledger(100, [0.3] * 50, SYMBOLS, job_id=job_id), before)
    assert found.models == "lightgbm+ridge"
    day_0 = before.filter(pc.equal(before["ts"].cast(pa.int64()), day(0)))
    mean = day_0["standing"].to_numpy().reshape(2, 20).mean(axis=0)
    assert found.before[0] == pytest.approx(stats.spearmanr(mean, day_0["actual"][:20])[0])
    alone = _one(ledger(100, [0.3] * 50, SYMBOLS), before)
    assert alone.models == "ridge"
    assert alone.before[0] != found.before[0]


def test_symbols_without_live_predictions_do_not_promise() -> None:
    """Half of the symbols: the skill before is that of these."""
    before, live = walk_forward(100, 0.3, SYMBOLS), ledger(100, [0.3] * 50, SYMBOLS[:10])
    day_0 = before.slice(0, 10)
    expected = stats.spearmanr(day_0["standing"], day_0["actual"])[0]
    assert _one(live, before).before[0] == pytest.approx(expected)


def test_a_day_counts_when_its_labels_are_there_or_later_ones_are() -> None:
    """A symbol that was delisted keeps no day back; a day with half of its labels is one of now."""
    before, live = walk_forward(100, 0.3, SYMBOLS), ledger(100, [0.3] * 50, SYMBOLS)
    actual = live["actual"].to_numpy().copy()
    actual[10 * 20 : 10 * 20 + 10] = np.nan  # day 10 lost half of its labels for good
    actual[48 * 20 : 48 * 20 + 10] = np.nan  # those of day 48 are still to come
    place = live.column_names.index("actual")
    live = live.set_column(place, "actual", pa.array(actual, from_pandas=True))
    found = _one(live, before)
    assert day(110) in found.live_ns
    assert found.live_ns[-1] == day(147)


def test_since_a_date_only_later_predictions_are_live() -> None:
    """What came before it is not counted, and the promise may reach until then."""
    before, live = walk_forward(160, 0.3, SYMBOLS), ledger(100, [0.3] * 100, SYMBOLS)
    found = _one(live, before, since_ns=day(150))
    assert found.live_ns[0] == day(150)
    assert found.before_ns[-1] == day(148)


def test_of_two_predictions_of_one_row_the_first_counts() -> None:
    """A ledger is never rewritten; should it have a row twice, the row that stands first counts."""
    before, live = walk_forward(100, 0.3, SYMBOLS), ledger(100, [0.3] * 50, SYMBOLS)
    again = live.set_column(
        live.column_names.index("score"), "score", pa.array(np.zeros(live.num_rows))
    )
    found = _one(pa.concat_tables([live, again]), before)
    np.testing.assert_array_equal(found.live, _one(live, before).live)


@pytest.mark.parametrize("skill", [0.3, 0.0])
def test_a_skill_over_time_is_measured_by_what_was_known(skill: float) -> None:
    """Own models: about the planted correlation before, and that of the live days since."""
    own = "sym_fwd_ret_1d__{symbol}__ridge"
    before = walk_forward(600, 0.3, SYMBOLS, view="symbol_specific")
    live = ledger(600, [skill] * 200, SYMBOLS, "symbol_specific", own)
    found = _one(live, before)
    assert found.view == "symbol_specific"
    assert found.before.mean() == pytest.approx(0.29, abs=0.03)
    assert found.live.mean() == pytest.approx(0.97 * skill, abs=0.05)
    assert found.live_ns[-1] == day(798)
    shorter = _one(live.slice(0, 150 * 20), before)
    np.testing.assert_array_equal(shorter.live[:148], found.live[:148])


def test_a_symbol_served_by_both_views_is_judged_in_both() -> None:
    """By one score: across symbols and over time."""
    before = pa.concat_tables(
        walk_forward(300, 0.3, SYMBOLS, view=view)
        for view in ("cross_sectional", "symbol_specific")
    )
    live = ledger(
        300,
        [0.3] * 100,
        SYMBOLS,
        "cross_sectional+symbol_specific",
        "cs_fwd_ret_1d__ridge+sym_fwd_ret_1d__{symbol}__ridge",
    )
    found = model_series(live, lambda _: before, JOBS, TARGETS, 3)
    assert [each.view for each in found] == ["cross_sectional", "symbol_specific"]


def test_symbols_are_compared_within_their_group() -> None:
    """With a column of groups the skill is that within them."""
    before, live = walk_forward(100, 0.3, SYMBOLS), ledger(100, [0.3] * 50, SYMBOLS)
    groups = [f"G{int(symbol[1:]) % 2}" for symbol in SYMBOLS]
    grouped = [
        table.append_column("group", pa.array(groups * (table.num_rows // 20)))
        for table in (live, before)
    ]
    found = _one(*grouped)
    day_0 = before.slice(0, 20)
    within = [
        stats.spearmanr(day_0["standing"].to_numpy()[k::2], day_0["actual"].to_numpy()[k::2])[0]
        for k in (0, 1)
    ]
    assert found.before[0] == pytest.approx(np.mean(within))


def test_sampled_timestamps_before_are_met_by_as_many_since() -> None:
    """Every third day before: the live skills are means of three."""
    before, live = walk_forward(300, 0.3, SYMBOLS), ledger(300, [0.3] * 91, SYMBOLS)
    days = before["ts"].cast(pa.int64()).to_numpy() - day(0)
    before = before.filter(pa.array(days // (day(1) - day(0)) % 3 == 0))
    found = _one(live, before)
    assert found.spacing == 3.0
    assert len(found.live) == 30
    every = _one(live, walk_forward(300, 0.3, SYMBOLS))
    assert found.live[0] == pytest.approx(every.live[:3].mean())


def test_without_labels_there_is_no_live_skill_yet() -> None:
    """The series is there, empty, and what was predicted is kept for drift."""
    found = _one(ledger(100, [0.3] * 5, SYMBOLS, n_unknown=5), walk_forward(100, 0.3, SYMBOLS))
    assert len(found.live) == 0
    assert len(found.new_standings) == 100
