"""Which symbols failures cost, and when they are too many."""

from __future__ import annotations

import pytest

from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution import Failed, Unit
from ray_pipeline.results.tables import failures_table
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


def test_bad_data_are_no_failure_of_the_run() -> None:
    """A symbol left out for its data is counted by itself, with a reason that names it once."""
    bad = Failed(Unit("inspect", "A", len, {}), "DataError", "symbol A: 3 rows", "data", "…", 1)
    ledger = FailureLedger(["A", "B", "C"], 1.0)
    ledger.add([bad, _failed("B"), _failed("fold 0", "rank_pooled_fold")])
    assert (ledger.n_left_out, ledger.n_failed) == (1, 2)
    assert bad.reason == "3 rows"
    assert _failed("B").reason == "ValueError: odd"


def test_table_of_failures_has_no_traceback_of_bad_data() -> None:
    """Bad data of a symbol are one line; of a unit that is not symbol's the traceback stays."""
    bad = [
        Failed(Unit("inspect", key, len, {}), "DataError", f"symbol {key}: 3 rows", "data", "…", 1)
        for key in ("A", "fold 0")
    ]
    rows = failures_table([*bad, _failed("B")], ["A", "B"]).to_pylist()
    assert [(row["symbol"], row["error"], row["traceback"]) for row in rows] == [
        ("A", "3 rows", ""),
        (None, "3 rows", "…"),
        ("B", "ValueError: odd", "…"),
    ]
