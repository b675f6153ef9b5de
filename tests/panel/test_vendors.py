"""What vendors call their columns."""

from __future__ import annotations

import pytest

from ray_pipeline.panel.vendors import VENDORS, beside_bars, propose_columns


@pytest.mark.parametrize(
    ("names", "vendor", "line"),
    [
        ("Date Open High Low Close Volume", "yfinance", ""),
        (
            "t o h l c v n vw",
            "alpaca",
            "data.columns: {time: t, open: o, high: h, low: l, close: c, volume: v}",
        ),
        (
            "ticker volume open close high low window_start transactions",
            "polygon",
            "data.columns: {time: window_start, symbol: ticker}",
        ),
        (
            "open_time open high low close volume close_time quote_volume count",
            "binance",
            "data.columns: {time: open_time}",
        ),
        (
            "ts_event rtype open high low close volume symbol",
            "databento",
            "data.columns: {time: ts_event}",
        ),
        (
            "ts_code trade_date open high low close pre_close vol amount",
            "tushare",
            "data.columns: {time: trade_date, volume: vol, symbol: ts_code}",
        ),
        ("date open high low close volume", "tiingo", ""),
        (
            "<TICKER> <PER> <DATE> <TIME> <OPEN> <HIGH> <LOW> <CLOSE> <VOL>",
            "stooq",
            "data.columns: {time: <DATE>, time_of_day: <TIME>, open: <OPEN>, high: <HIGH>, "
            "low: <LOW>, close: <CLOSE>, volume: <VOL>, symbol: <TICKER>}",
        ),
        (
            "<DATE> <TIME> <OPEN> <HIGH> <LOW> <CLOSE> <TICKVOL> <VOL> <SPREAD>",
            "metatrader",
            "data.columns: {time: <DATE>, time_of_day: <TIME>, open: <OPEN>, high: <HIGH>, "
            "low: <LOW>, close: <CLOSE>, volume: <TICKVOL>}",
        ),
        (
            "Date Time Open High Low Close Volume",
            "yfinance",
            "data.columns: {time_of_day: Time}",
        ),
        (
            "time px_open px_high px_low px_last volume",
            None,
            "data.columns: {time: time, open: px_open, high: px_high, low: px_low, close: px_last}",
        ),
    ],
)
def test_names_of_vendors(names: str, vendor: str | None, line: str) -> None:
    """Whose they are, and the line that reads them; what is found without one is not in it."""
    proposal = propose_columns(names.split(" "))
    assert (proposal.vendor, proposal.line, proposal.missing) == (vendor, line, ())


def test_what_is_ambiguous_is_said() -> None:
    """The close as traded comes first, and the adjusted one is named."""
    proposal = propose_columns(["Date", "Open", "High", "Low", "Close", "Adj Close", "Volume"])
    assert proposal.columns["close"] == "Close"
    assert proposal.ambiguous == {"close": ("Adj Close",)}
    assert proposal.notes == ("prices are as traded; there are adjusted ones too",)


def test_fixed_point_prices_are_told_by_their_type() -> None:
    """Names alone do not show them."""
    names = ["ts_event", "open", "high", "low", "close", "volume"]
    assert propose_columns(names).price_scale is None
    proposal = propose_columns(names, {"close": "int64"})
    assert proposal.line == "data.columns: {time: ts_event}, and data.price_scale: 1e-09"


def test_names_that_need_quotes() -> None:
    """The line is YAML."""
    names = ["t", "o", "h", "l", "c: last", "('c', 'x')"]
    assert propose_columns(["1. open", *names]).columns["open"] == "1. open"
    assert propose_columns(["1. open"]).line == 'data.columns: {open: "1. open"}'


def test_nothing_is_recognised_of_other_names() -> None:
    """Features and targets look like no bars."""
    proposal = propose_columns(["x", "signal", "fwd_ret_5d"])
    assert (proposal.vendor, proposal.columns, proposal.advice) == (None, {}, "")
    assert proposal.missing == ("time", "open", "high", "low", "close", "volume")


def test_columns_beside_bars() -> None:
    """Levels and corporate actions of vendors are known; a column of one's own is not."""
    assert beside_bars("Stock Splits") == "a corporate action"
    assert beside_bars("vwap") is not None
    assert beside_bars("pe_ratio") is None


def test_every_vendor_has_time_and_prices() -> None:
    """A proposal needs them."""
    for vendor in VENDORS:
        assert {"time", "open", "high", "low", "close", "volume"} <= set(vendor.columns)
