"""Leaks of a batch: found in each symbol, joined over them, named in the config, and answered."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from frames import MemoryReader, make_frame, make_table, partition_of

from ray_pipeline.bars import Bars, compute_features, compute_targets
from ray_pipeline.intervals import Interval
from ray_pipeline.leakage.findings import LeakFinding
from ray_pipeline.leakage.screening import structural_leaks, suspected_features
from ray_pipeline.leakage.tests import LeakSpec, find_leaks, merge_leaks
from ray_pipeline.panel.table import SymbolTable
from ray_pipeline.records import ColumnRoles, TargetSpec
from ray_pipeline.statistics.leakage import LeakLimits
from ray_pipeline.statistics.look_ahead import LookAheadLimits
from ray_pipeline.user_code.features import FeatureFunction

TARGETS = (TargetSpec("y5", 5, "regression"), TargetSpec("other", 5, "regression"))
NAMES = ("noise", "copy", "later", "noisy copy", "past", "empty")


def _table(symbol: str, seed: int, leaks: bool = True) -> SymbolTable:
    """Return a symbol with leaks of `y5` (or noise in their place) and an honest past return."""
    random = np.random.default_rng(seed)
    n = 800
    total = np.r_[0.0, np.cumsum(random.standard_normal(n + 20))]
    rows = np.arange(n) + 10
    label = total[rows + 5] - total[rows]
    noise = random.standard_normal((n, 4))
    columns = {
        "noise": noise[:, 0],
        "copy": np.exp(label) if leaks else noise[:, 1],
        "later": -(total[rows + 7] - total[rows + 2]) if leaks else noise[:, 2],
        "noisy copy": label + 2.0 * noise[:, 3] if leaks else noise[:, 3],
        "past": total[rows] - total[rows - 5],
        "empty": np.full(n, np.nan),
    }
    targets = {"y5": label, "other": random.standard_normal(n)}
    return make_table(symbol, np.column_stack([*columns.values()]), targets, names=NAMES)


def _records(*tables: SymbolTable) -> list[dict[str, Any]]:
    reader: Any = MemoryReader(tables)
    frame = make_frame(800, TARGETS, NAMES)
    return [
        find_leaks(
            reader,
            LeakSpec(partition_of(table.symbol), frame, LeakLimits(), NAMES, LookAheadLimits()),
        )
        for table in tables
    ]


def test_each_leak_is_found_with_its_target_test_and_value() -> None:
    """A monotone copy and the label of a later row by value, a noisy copy by behaviour."""
    (record,) = _records(_table("A", 0))
    found = {(f["target"], f["feature"]): (f["test"], f["value"]) for f in record["findings"]}
    assert {key: test for key, (test, _) in found.items()} == {
        ("y5", "copy"): "value",
        ("y5", "later"): "value",
        ("y5", "noisy copy"): "behaviour",
    }
    assert found["y5", "copy"][1] == pytest.approx(1.0)
    assert 0.6 < found["y5", "noisy copy"][1] < 0.8


def test_only_what_could_be_tested_counts_as_tested() -> None:
    """An empty feature is not witness for or against anything."""
    (record,) = _records(_table("A", 0))
    assert record["tested"]["y5"] == [name for name in NAMES if name != "empty"]


def test_a_leak_of_half_of_the_symbols_is_a_property_of_the_feature() -> None:
    """Two of four accuse; one of three does not."""
    leaky = [_table(f"L{i}", i) for i in range(2)]
    clean = [_table(f"C{i}", 10 + i, leaks=False) for i in range(2)]
    found = merge_leaks(_records(*leaky, *clean), LookAheadLimits())
    assert [(f.target, f.feature, f.test) for f in found] == [
        ("y5", "copy", "value"),
        ("y5", "later", "value"),
        ("y5", "noisy copy", "behaviour"),
    ]
    assert merge_leaks(_records(leaky[0], *clean), LookAheadLimits()) == []
    assert merge_leaks([], LookAheadLimits()) == []


def test_reasons_name_the_row_and_the_figures() -> None:
    """Which row's label it is, how closely, and in how many symbols."""
    found = {
        f.feature: f
        for f in merge_leaks(_records(_table("A", 0), _table("B", 1)), LookAheadLimits())
    }
    assert found["copy"].reason.startswith("equals the target of its own row up to a monotone map")
    assert " with anything known at the time) in 2 of 2 symbols. " in found["copy"].reason
    assert "equals the target of the row 2 later up to a monotone map" in found["later"].reason
    assert "(|rank correlation| 1.00, " in found["later"].reason
    assert found["noisy copy"].reason.startswith(
        f"|rank correlation| with the target is {found['noisy copy'].value:.2f} and "
        f"{_earlier():.2f} when the feature is taken a horizon earlier in 2 of 2 symbols"
    )
    assert found["copy"].value == pytest.approx(1.0)


def _earlier() -> float:
    records = _records(_table("A", 0), _table("B", 1))
    values = [
        abs(finding["horizon_earlier"])
        for record in records
        for finding in record["findings"]
        if finding["feature"] == "noisy copy"
    ]
    return float(np.mean(values))


def test_value_outweighs_behaviour_when_symbols_disagree() -> None:
    """One symbol that shows the copy itself is the stronger witness."""
    figures = {"leaking_shift": -3, "leaking": 0.99, "honest": 0.1, "present": 0.6}
    records = [
        {
            "findings": [
                {"target": "y", "feature": "x", "test": test, "value": value, **figures}
                | {"horizon_earlier": 0.0, "evidence": evidence}
            ],
            "tested": {"y": ["x"]},
        }
        for test, evidence, value in (("behaviour", "vanishes", 0.6), ("value", "copy", 1.0))
    ]
    (found,) = merge_leaks(records, LookAheadLimits())
    assert (found.target, found.feature, found.test, found.value) == ("y", "x", "value", 0.8)
    assert found.reason.startswith(
        "equals the target of the row 3 earlier up to a monotone map (|rank "
        "correlation| 0.99, 0.10 with anything known at the time) in 2 of 2 symbols"
    )


def test_targets_named_as_features_are_leaks_by_structure() -> None:
    """A name given in full is answered; a wildcard passes over targets in silence."""
    roles = ColumnRoles("ts", None, (), ("y5", "y_up"), ("p_up",), ("x",), ())
    found = structural_leaks(roles, ["*", "x", "y*", "p_up", "y5"])
    assert [(f.feature, f.test, f.reason) for f in found] == [
        ("p_up", "structure", "columns.features names p_up, which is a label by-product"),
        ("y5", "structure", "columns.features names y5, which is a target"),
    ]


def test_a_label_in_trailing_deviations_accuses_no_volatility() -> None:
    """One old bar leaves the feature's window and, ten rows on, that of the label's deviation."""
    random = np.random.default_rng(0)
    returns = 0.01 * random.standard_t(3, 1_200)
    close = 100.0 * np.exp(np.cumsum(returns))
    opening = np.r_[close[0], close[:-1]]
    wick = np.exp(np.abs(random.normal(0.0, 0.003, 1_200)))
    high, low = np.maximum(opening, close) * wick, np.minimum(opening, close) / wick
    days = np.arange(1_200) * 86_400 * 10**9
    bars = Bars(days, opening, high, low, close, np.full(1_200, 1e6))
    features = compute_features(bars, ["volatility_10"])
    labels = compute_targets(bars, ["mdd_zscore_10b"], Interval(86_400))[:, 0]
    for name, n_found in (("my_label_10b", 1), ("mdd_zscore_10b", 0)):
        table = make_table("A", features, {name: labels}, names=("volatility_10",))
        reader: Any = MemoryReader([table])
        frame = make_frame(1_200, (TargetSpec(name, 10, "regression"),), ("volatility_10",))
        record = find_leaks(
            reader,
            LeakSpec(
                partition_of("A"),
                frame,
                LeakLimits(),
                ("volatility_10",),
                LookAheadLimits(),
            ),
        )
        assert len(record["findings"]) == n_found


def test_what_the_catalogue_computes_of_bars_is_no_suspect() -> None:
    """Columns are tested, and of bars what user-defined functions give, ranked or not."""
    own = FeatureFunction("mine:body", "0" * 64, ("body",), 1)
    features = ("gap", "body", "cs_rank_gap", "cs_rank_body")
    request = replace(make_frame(800, TARGETS, features).request, functions=(own,))
    assert suspected_features(replace(request, kind="labeled")) == features
    assert suspected_features(replace(request, kind="bars")) == ("body", "cs_rank_body")
    assert suspected_features(replace(request, kind="bars", functions=())) == ()


@pytest.mark.parametrize("horizon", [1, 3])
def test_a_strong_honest_predictor_is_kept_by_the_limits_that_the_reason_names(
    horizon: int,
) -> None:
    """Of one bar without memory it looks like a copy: the reason says so, and what to raise."""
    random = np.random.default_rng(11)
    news = random.standard_normal(2_001)
    returns = 0.8 * np.r_[0.0, news[:-1]] + 0.4 * random.standard_normal(2_001)
    total = np.r_[0.0, np.cumsum(returns)]
    rows = np.arange(2_001 - horizon)
    target = TargetSpec(f"fwd_ret_{horizon}b", horizon, "regression")
    table = make_table(
        "A", news[rows][:, None], {target.name: total[rows + horizon + 1] - total[rows + 1]}
    )
    reader: Any = MemoryReader([table])
    frame = make_frame(len(rows), (target,), table.feature_names)

    def found(limits: LeakLimits, look_ahead: LookAheadLimits) -> list[LeakFinding]:
        spec = LeakSpec(partition_of("A"), frame, limits, table.feature_names, look_ahead)
        return merge_leaks([find_leaks(reader, spec)], look_ahead)

    (leak,) = found(LeakLimits(), LookAheadLimits())
    assert leak.test == "behaviour"
    assert leak.reason.endswith("or set leakage.policy: warn")
    named = dict(re.findall(r"leakage\.(\w+) to (0\.\d\d)", leak.reason))
    assert named
    raised = replace(LeakLimits(), **{name: float(value) for name, value in named.items()})
    look_ahead = LookAheadLimits(implausible_correlation=raised.implausible_correlation)
    assert found(raised, look_ahead) == []


def test_what_no_limit_acquits_is_kept_by_the_policy() -> None:
    """A copy of the target; and correlations for which a limit would have to be above 1."""
    (copy, *_) = merge_leaks(_records(_table("A", 0)), LookAheadLimits())
    assert copy.test == "value"
    assert copy.reason.endswith(
        "If it is known at its row all the same, keep it: leakage.policy: warn"
    )
