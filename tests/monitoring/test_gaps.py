"""What is missing from a ledger, and what stands still."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from live_tables import day, ledger

from ray_pipeline.monitoring.gaps import gap_notices

SYMBOLS = [f"S{i:02d}" for i in range(20)]


def _without(table: pa.Table, symbol: str, from_day: int) -> pa.Table:
    gone = pc.and_(
        pc.equal(table["symbol"], symbol),
        pc.greater_equal(table["ts"].cast(pa.int64()), day(from_day)),
    )
    return table.filter(pc.invert(gone))


def test_a_whole_ledger_has_no_notices() -> None:
    """All symbols, until the last day, with inputs that change."""
    assert gap_notices(ledger(0, [0.1] * 30, SYMBOLS), SYMBOLS) == []


def test_symbols_that_never_came_or_stopped_are_told() -> None:
    """Each with its first date; few of them are not an alarm."""
    table = _without(ledger(0, [0.1] * 30, SYMBOLS[:19]), "S03", 20)
    missing, stopped = gap_notices(table, SYMBOLS)
    assert (missing.kind, missing.subject, missing.is_alarm) == ("missing symbols", "S19", False)
    assert (stopped.kind, stopped.subject, stopped.is_alarm) == ("stopped symbols", "S03", False)
    assert stopped.since is not None
    assert stopped.since.startswith("2020-10-02")


def test_a_day_or_two_behind_is_not_stopped() -> None:
    """Another exchange may be closed."""
    assert gap_notices(_without(ledger(0, [0.1] * 30, SYMBOLS), "S03", 28), SYMBOLS) == []


def test_many_that_stopped_are_an_alarm() -> None:
    """More than a tenth."""
    table = ledger(0, [0.1] * 30, SYMBOLS)
    for symbol in SYMBOLS[:3]:
        table = _without(table, symbol, 20)
    (notice,) = gap_notices(table, SYMBOLS)
    assert notice.is_alarm


def test_inputs_that_stand_still_until_the_last_day_are_told() -> None:
    """Five timestamps or more, to the last one; earlier stretches are over."""
    table = ledger(0, [0.1] * 30, SYMBOLS)
    days = (table["ts"].cast(pa.int64()).to_numpy() - day(0)) // (day(1) - day(0))
    symbols = table["symbol"].to_pylist()
    inputs = [
        "same" if (symbol == "S01" and each >= 24) or (symbol == "S02" and 5 <= each < 20) else text
        for symbol, each, text in zip(
            symbols, days, table["inputs_sha256"].to_pylist(), strict=True
        )
    ]
    place = table.column_names.index("inputs_sha256")
    (notice,) = gap_notices(table.set_column(place, "inputs_sha256", pa.array(inputs)), SYMBOLS)
    assert (notice.kind, notice.subject) == ("stuck inputs", "S01")
    assert notice.since is not None
    assert notice.since.startswith("2020-10-07")


def test_an_empty_ledger_has_no_notices() -> None:
    """Nothing was to come yet."""
    assert gap_notices(ledger(0, [0.1] * 3, SYMBOLS).slice(0, 0), SYMBOLS) == []
