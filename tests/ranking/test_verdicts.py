"""Verdicts on targets and symbols: what counts as predictable, in which order, and why."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from ray_pipeline.ranking.decide import (
    TargetRow,
    choose_targets,
    symbol_rows,
    target_row,
    with_verdicts,
)
from ray_pipeline.records import TargetSpec, View
from ray_pipeline.samples.evidence import Evidence

nan = math.nan


def _evidence(p_value: float, skill: float = 0.1, n_rows: int = 500) -> Evidence:
    return Evidence(skill, 0.04, skill / 0.04, p_value, n_rows, 20.0)


def _row(
    target: str, p_value: float, skill: float = 0.1, view: View = "cross_sectional", **other: Any
) -> TargetRow:
    spec = TargetSpec(target, 5, "regression")
    return replace(target_row(spec, view, {"ridge": _evidence(p_value, skill)}, 8), **other)


def test_a_row_shows_its_better_family() -> None:
    """Figures of the family with the smaller p-value, which has paid for two tries."""
    families = {"ridge": _evidence(0.3, 0.05), "lightgbm": _evidence(0.01, 0.2)}
    row = target_row(TargetSpec("y", 5, "ordinal"), "symbol_specific", families, 8)
    assert (row.family, row.skill, row.p_value) == ("lightgbm", 0.2, 0.02)
    assert (row.target, row.task, row.horizon_bars, row.n_symbols) == ("y", "ordinal", 5, 8)
    assert (row.predictable, row.n_rows) == (False, 500)


def test_a_row_without_evidence_has_no_figures() -> None:
    """No family, no numbers, no rows."""
    row = target_row(TargetSpec("y", 5, "binary"), "cross_sectional", {}, 0)
    assert (row.family, row.n_rows, math.isnan(row.skill)) == (None, 0, True)


def test_both_views_pay_for_each_other() -> None:
    """q-values are over all rows at once: four tests, whatever their views."""
    rows = [
        _row("a", 0.01),
        _row("b", 0.5),
        _row("a", 0.02, view="symbol_specific"),
        _row("b", nan, view="symbol_specific"),
    ]
    judged = {(row.view, row.target): row for row in with_verdicts(rows, 0.05, "bh")}
    assert judged["cross_sectional", "a"].q_value == pytest.approx(0.03)
    assert judged["symbol_specific", "a"].q_value == pytest.approx(0.03)
    assert judged["cross_sectional", "b"].q_value == pytest.approx(0.5)
    assert math.isnan(judged["symbol_specific", "b"].q_value)
    by = with_verdicts(rows, 0.05, "by")
    assert by[0].q_value == pytest.approx(0.03 * (1 + 1 / 2 + 1 / 3))


def test_predictable_means_a_small_q_and_a_positive_skill() -> None:
    """At most alpha, alpha itself included; never for a skill at or below 0."""
    rows = [_row("exact", 0.05), _row("wrong way", 0.001, -0.2), _row("nothing", 0.001, 0.0)]
    alone = {row.target: with_verdicts([row], 0.05, "bh")[0].predictable for row in rows}
    assert alone == {"exact": True, "wrong way": False, "nothing": False}


def test_ranks_count_within_a_view_the_predictable_first() -> None:
    """Then by skill, then by name; what was not measured comes last."""
    rows = [
        _row("none", nan, nan),
        _row("strong but unproven", 0.9, 0.5),
        _row("weak", 1e-6, 0.1),
        _row("twin b", 1e-6, 0.3),
        _row("twin a", 1e-6, 0.3),
        _row("other view", 0.9, view="symbol_specific"),
    ]
    judged = with_verdicts(rows, 0.05, "bh")
    assert [(row.target, row.rank) for row in judged] == [
        ("twin a", 1),
        ("twin b", 2),
        ("weak", 3),
        ("strong but unproven", 4),
        ("none", 5),
        ("other view", 1),
    ]


def test_the_order_of_the_rows_does_not_matter() -> None:
    """Rows come from workers in any order."""
    rows = [_row(name, p) for name, p in zip("abcde", (0.01, 0.01, 0.3, nan, 0.5), strict=True)]
    assert repr(with_verdicts(rows, 0.05, "bh")) == repr(with_verdicts(rows[::-1], 0.05, "bh"))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (
            _row("y", 0.001),
            "predictable: skill +0.1000 (t 2.50), q 0.001 ≤ alpha 0.05 over 1 test",
        ),
        (_row("y", 0.2), "no evidence: skill +0.1000 (t 2.50), q 0.2 > alpha 0.05 over 1 test"),
        (
            _row("y", 0.001, -0.1),
            "no evidence: skill -0.1000 (t -2.50), q 0.001, but the skill is not positive",
        ),
        (
            _row("y", nan, n_rows=40),
            "too little data: 40 out-of-sample rows",
        ),
        (
            _row("y", nan, n_rows=0),
            "too little data: no fold had enough labels that differ to train and test on",
        ),
        (
            _row("y", 1.0, std_error=nan, n_rows=90),
            "too little data: 90 predictions hold too few independent labels",
        ),
    ],
)
def test_reasons_say_what_was_found_and_what_was_needed(row: TargetRow, reason: str) -> None:
    """Every verdict is explained by its figures."""
    (judged,) = with_verdicts([row], 0.05, "bh")
    assert judged.reason == reason


def test_chosen_targets_are_the_strongest_in_either_view() -> None:
    """By the smaller q of the two views, then the larger t, then the name; others never."""
    rows = [
        _row("late", 0.0, q_value=0.04, predictable=True),
        _row("both", 0.0, q_value=0.03, predictable=True),
        _row("both", 0.0, view="symbol_specific", q_value=0.001, predictable=True),
        _row("equal q, larger t", 0.0, 0.2, q_value=0.04, predictable=True),
        _row("unproven", 0.0, q_value=0.0, predictable=False),
    ]
    assert choose_targets(rows, 10) == ["both", "equal q, larger t", "late"]
    assert choose_targets(rows, 1) == ["both"]
    assert choose_targets([], 3) == []


# rows of symbols


def _record(
    own: dict[str, Evidence],
    pooled: dict[str, Evidence],
    own_families: tuple[str, ...] = ("ridge", "lightgbm"),
) -> dict[str, Any]:
    return {
        "own_families": list(own_families),
        "targets": {
            "y": {
                "own": {name: item.to_record() for name, item in own.items()},
                "pooled": {name: item.to_record() for name, item in pooled.items()},
                "paired": {},
            }
        },
    }


SPEC = [TargetSpec("y", 5, "regression")]


def test_each_symbol_has_a_row_per_view() -> None:
    """Its own better model, and the family that stands for the pooled view on its time."""
    records = {
        "B": _record(
            {"ridge": _evidence(0.01, 0.2)}, {"ridge": _evidence(0.3), "lightgbm": _evidence(0.2)}
        ),
        "A": _record({"ridge": _evidence(0.4), "lightgbm": _evidence(0.01, 0.3)}, {}),
    }
    rows = symbol_rows(SPEC, records, {"y": "lightgbm"}, 100)
    assert [(row.symbol, row.view, row.family, row.p_value) for row in rows[2:]] == [
        ("B", "symbol_specific", "ridge", 0.01),
        ("B", "cross_sectional", "lightgbm", 0.2),
    ]
    assert [(row.symbol, row.view, row.family) for row in rows[:2]] == [
        ("A", "symbol_specific", "lightgbm"),
        ("A", "cross_sectional", "lightgbm"),
    ]
    assert rows[0].p_value == 0.02
    assert (rows[1].n_rows, math.isnan(rows[1].p_value)) == (0, True)


def test_views_that_were_not_asked_for_have_no_rows() -> None:
    """Without own families no symbol-specific row; without a pooled family no pooled one."""
    records = {"A": _record({}, {"ridge": _evidence(0.3)}, own_families=())}
    assert [row.view for row in symbol_rows(SPEC, records, {"y": "ridge"}, 100)] == [
        "cross_sectional"
    ]
    assert symbol_rows(SPEC, records, {}, 100) == []


def test_short_samples_get_no_p_value() -> None:
    """Below min_oos_rows the skill is shown and nothing is claimed or counted."""
    records = {"A": _record({"ridge": _evidence(1e-9, 0.8, n_rows=99)}, {})}
    (row,) = symbol_rows(SPEC, records, {}, 100)
    assert (row.skill, row.n_rows, row.family) == (0.8, 99, None)
    assert math.isnan(row.p_value)
    (judged,) = with_verdicts([row], 0.05, "bh")
    assert (judged.predictable, judged.reason) == (False, "too little data: 99 out-of-sample rows")


def test_rows_do_not_depend_on_the_order_of_a_records_keys() -> None:
    """A finished unit is read back with sorted keys: a resumed run must not differ by that."""
    own = {"ridge": _evidence(0.2, 0.1, n_rows=50), "lightgbm": _evidence(0.1, 0.3, n_rows=50)}
    fresh = symbol_rows(SPEC, {"A": _record(own, {})}, {}, 100)
    resumed = symbol_rows(SPEC, {"A": _record(dict(sorted(own.items())), {})}, {}, 100)
    assert repr(fresh) == repr(resumed)
