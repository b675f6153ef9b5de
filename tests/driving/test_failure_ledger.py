"""Which symbols failures cost, and when they are too many."""

from __future__ import annotations

import pytest

from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution import Failed, Unit
from ray_pipeline.stages.failures import FailureLedger


def _failed(key: str, stage: str = "rank_symbol") -> Failed:
    return Failed(Unit(stage, key, len, {}), "ValueError", "odd", "application", "…", attempts=1)


def test_units_of_no_symbol_cost_none() -> None:
    """A pooled unit's failure is kept, and quarantines nobody."""
    ledger = FailureLedger(["A", "B"], 0.0)
    ledger.add([_failed("fold 0", "rank_pooled_fold")])
    assert len(ledger.failures) == 1
    assert ledger.healthy({"A": 1, "B": 2}) == {"A": 1, "B": 2}


def test_symbol_is_quarantined_for_its_first_failure() -> None:
    """Later failures of the same symbol are kept, but the first one is its reason."""
    ledger = FailureLedger(["A", "B", "C"], 0.5)
    ledger.add([_failed("B", "pool_slice")])
    ledger.add([_failed("B", "rank_symbol")])
    assert len(ledger.failures) == 2
    assert ledger.quarantined["B"].unit.stage == "pool_slice"
    assert ledger.healthy({"A": 1, "B": 2, "C": 3}) == {"A": 1, "C": 3}


def test_exactly_the_fraction_is_borne() -> None:
    """Half of the symbols may fail at 0.5, one more may not; failures add up over stages."""
    ledger = FailureLedger(["A", "B", "C", "D"], 0.5)
    ledger.add([_failed("D"), _failed("C", "inspect")])
    with pytest.raises(
        ExecutionError,
        match=r"^3 of 4 symbols failed, more than execution\.max_failed_fraction=0\.5 allows\. "
        r"The first, B, in train_symbol: ValueError: odd \(failures\.parquet has them all\)\.$",
    ):
        ledger.add([_failed("B", "train_symbol")])
    assert len(ledger.failures) == 3


def test_no_symbol_left() -> None:
    """Even where every failure is borne there is nothing to go on with."""
    ledger = FailureLedger(["A", "B"], 1.0, "see above")
    ledger.add([_failed("A"), _failed("B")])
    with pytest.raises(
        ExecutionError,
        match=r"^none of 2 symbols is left\. The first, A, in rank_symbol: .* \(see above\)\.$",
    ):
        ledger.healthy({"A": 1, "B": 2})
