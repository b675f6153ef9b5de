"""Vendors' column names, and a proposal of ``data.columns`` for the names in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ray_pipeline.panel.naming import adjusted_price, bare, name_columns
from ray_pipeline.records import BAR_FIELDS, TIME_COLUMNS
from ray_pipeline.wording import yaml_text

__all__ = [
    "BINANCE_FILE",
    "VENDORS",
    "ColumnProposal",
    "Vendor",
    "beside_bars",
    "propose_columns",
]

FIXED_POINT = 1e-9
"""Price of one unit of Databento's integer prices."""


@dataclass(frozen=True, slots=True)
class Vendor:
    """The columns of bars, as written by a vendor or its usual client.

    Attributes
    ----------
    name
        The vendor's usual name, in lower case.
    columns
        Names by role. If a role has two usual names, the vendor has two entries in the table.
    note
        What the names do not reveal.
    """

    name: str
    columns: Mapping[str, str]
    note: str = ""


def _vendor(name: str, names: str, note: str = "") -> Vendor:
    """Build a vendor from its names of time, bar fields, symbol and time of day."""
    roles = ("time", *BAR_FIELDS, "symbol", "time_of_day")
    pairs = zip(roles, names.split("|"), strict=False)
    return Vendor(name, {role: name for role, name in pairs if name}, note)


_ROLES = ("time", "time_of_day", *BAR_FIELDS, "symbol")
_ADJUSTED = "prices are as traded; there are adjusted ones too"
VENDORS: tuple[Vendor, ...] = (
    _vendor("yfinance", "Date|Open|High|Low|Close|Volume", _ADJUSTED),
    _vendor("yfinance", "Datetime|Open|High|Low|Close|Volume"),
    _vendor("alpaca", "t|o|h|l|c|v", "Polygon's aggregates have the same names"),
    _vendor("alpaca", "timestamp|open|high|low|close|volume|symbol"),
    _vendor("polygon", "window_start|open|high|low|close|volume|ticker"),
    _vendor("binance", "open_time|open|high|low|close|volume"),
    _vendor("databento", "ts_event|open|high|low|close|volume|symbol"),
    _vendor("tushare", "trade_date|open|high|low|close|vol|ts_code"),
    _vendor("tiingo", "date|open|high|low|close|volume", _ADJUSTED),
    _vendor("freqtrade", "date|open|high|low|close|volume"),
    _vendor("metatrader", "<DATE>|<OPEN>|<HIGH>|<LOW>|<CLOSE>|<TICKVOL>||<TIME>"),
    _vendor("stooq", "<DATE>|<OPEN>|<HIGH>|<LOW>|<CLOSE>|<VOL>|<TICKER>|<TIME>"),
    _vendor("stooq", "Date|Open|High|Low|Close|Volume"),
)
"""Of equally good matches, the first one counts."""

BINANCE_FILE = (
    *("open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume"),
    *("count", "taker_buy_volume", "taker_buy_quote_volume", "ignore"),
)
"""Columns of the files of bars that Binance publishes; older ones have no header."""

# Names in lower case, without spaces and signs, the likeliest first.
_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "time": (
        *TIME_COLUMNS,
        *("time", "opentime", "tsevent", "windowstart", "tradedate", "bartime", "starttime"),
        *("t", "day", "month", "ds", "yyyymm", "yearmonth", "period", "quarter", "year"),
        *("unnamed0", "indexlevel0", "index"),
    ),
    "open": ("open", "openprice", "pxopen", "priceopen", "1open", "o"),
    "high": ("high", "highprice", "pxhigh", "pricehigh", "2high", "h"),
    "low": ("low", "lowprice", "pxlow", "pricelow", "3low", "l"),
    "close": (
        *("close", "closeprice", "pxclose", "pxlast", "priceclose", "4close", "last", "c"),
        *("adjclose", "adjustedclose", "closeadj"),
    ),
    "volume": ("volume", "vol", "pxvolume", "tickvol", "5volume", "6volume", "basevolume", "v"),
    "symbol": ("symbol", "ticker", "tscode", "sym", "instrument", "asset"),
}

_BESIDE: Mapping[str, str] = {
    **dict.fromkeys(("vwap", "vw", "preclose"), "a price level that vendors deliver with bars"),
    **dict.fromkeys(
        (
            *("quoteassetvolume", "quotevolume", "takerbuybaseassetvolume", "takerbuyvolume"),
            *("takerbuyquoteassetvolume", "takerbuyquotevolume", "numberoftrades", "numtrades"),
            *("n", "tradecount", "transactions", "barcount", "openint", "ignore"),
        ),
        "a volume level that vendors deliver with bars",
    ),
    **dict.fromkeys(
        ("dividends", "divcash", "stocksplits", "splitfactor", "splitcoefficient", "capitalgains"),
        "a corporate action",
    ),
}


@dataclass(frozen=True, slots=True)
class ColumnProposal:
    """A guess from column names.

    Attributes
    ----------
    vendor
        The vendor with these names, or None.
    columns
        Names by role, for every recognised role.
    needed
        Those that ``data.columns`` has to name.
    ambiguous
        Further candidate columns by role.
    missing
        Roles of bars, and the time, without a matching name.
    notes
        Sentences about what the names do not reveal.
    price_scale
        ``data.price_scale``, if prices are whole numbers of a known unit, else None.
    """

    vendor: str | None
    columns: Mapping[str, str]
    needed: Mapping[str, str]
    ambiguous: Mapping[str, tuple[str, ...]]
    missing: tuple[str, ...]
    notes: tuple[str, ...]
    price_scale: float | None

    @property
    def advice(self) -> str:
        """A sentence that begins with a space and says what to set; empty if nothing helps."""
        if not self.line:
            return ""
        whose = "" if self.vendor is None else f" It looks like {self.vendor}:"
        notes = f" ({'; '.join(self.notes)})" if self.notes else ""
        return f"{whose} {'set' if whose else 'Set'} {self.line}{notes}."

    @property
    def line(self) -> str:
        """The config line for it, empty if none is needed.

        Examples
        --------
        >>> propose_columns(["t", "o", "h", "l", "c", "v"]).line
        'data.columns: {time: t, open: o, high: h, low: l, close: c, volume: v}'
        """
        if not self.needed:
            return ""
        pairs = ", ".join(f"{role}: {yaml_text(name)}" for role, name in self.needed.items())
        scale = f", and data.price_scale: {self.price_scale:g}" if self.price_scale else ""
        return f"data.columns: {{{pairs}}}{scale}"


def propose_columns(names: Sequence[str], types: Mapping[str, str] | None = None) -> ColumnProposal:
    """Guess the columns of the time and the bars, from vendors' names and by similarity.

    Parameters
    ----------
    names
        Names of a file's columns.
    types
        Arrow type strings by name, if known; they reveal fixed-point prices.

    Raises
    ------
    DataError
        As `ray_pipeline.panel.naming.name_columns`.
    """
    known = name_columns(names, {}, "the table")
    plain = {inside: own for inside, own in known.own.items() if inside != own}
    candidates = {role: _candidates(role, known.own) for role in _SYNONYMS}
    vendor = _best_vendor(names)
    columns = {role: found[0] for role, found in candidates.items() if found}
    if vendor is not None:
        columns |= {role: name for role, name in vendor.columns.items() if name in names}
    clock = _clock_beside(columns.get("time"), known.own)
    if clock is not None:
        columns["time_of_day"] = clock
        candidates["time"].remove(clock)
    columns = {role: columns[role] for role in _ROLES if role in columns}
    # Columns that are found automatically need no line: equal names, also in another case.
    needed = {
        role: name
        for role, name in columns.items()
        if name not in ((*TIME_COLUMNS,) if role == "time" else (role,))
        and not any(own == name and _is_of(role, inside) for inside, own in plain.items())
    }
    scale = None
    if types is not None and vendor is not None and vendor.name == "databento":
        scale = FIXED_POINT if types.get(columns["close"]) == "int64" else None
    notes = [vendor.note] if vendor is not None and vendor.note else []
    if vendor is not None and vendor.note == _ADJUSTED and not any(map(adjusted_price, names)):
        notes = []
    if scale is not None:
        notes.append("prices are whole numbers of 1e-9: data.price_scale: 1e-09")
    return ColumnProposal(
        vendor=None if vendor is None else vendor.name,
        columns=columns,
        needed=needed,
        ambiguous={
            role: others
            for role, name in columns.items()
            if (others := tuple(each for each in candidates.get(role, ()) if each != name))
        },
        missing=tuple(role for role in ("time", *BAR_FIELDS) if role not in columns),
        notes=tuple(notes),
        price_scale=scale,
    )


def beside_bars(name: str) -> str | None:
    """Describe a column that vendors deliver with bars, None for any other.

    Levels of price and volume reveal the year, and corporate actions belong to the prices: neither
    is a feature unless named.
    """
    return _BESIDE.get(bare(name))


def _best_vendor(names: Sequence[str]) -> Vendor | None:
    """Return the vendor with the most matching names, including time and all prices."""
    here = set(names)
    fitting = [
        vendor
        for vendor in VENDORS
        if here.issuperset(
            vendor.columns[role] for role in ("time", "open", "high", "low", "close")
        )
    ]
    return max(fitting, key=lambda each: len(here & set(each.columns.values())), default=None)


def _candidates(role: str, own: Mapping[str, str]) -> list[str]:
    """Return the names in the file that look like a role, the likeliest first."""
    order = _SYNONYMS[role]
    found = [
        (order.index(alike), place, name)
        for place, (inside, name) in enumerate(own.items())
        if (alike := bare(inside)) in order
    ]
    return [name for _, _, name in sorted(found)]


def _clock_beside(time: str | None, own: Mapping[str, str]) -> str | None:
    """Return the column with the time of day: ``Time`` next to ``Date``."""
    if time is None or bare(time) not in ("date", "day", "tradedate"):
        return None
    return next((name for inside, name in own.items() if bare(inside) == "time"), None)


def _is_of(role: str, inside: str) -> bool:
    return inside in TIME_COLUMNS if role == "time" else inside == role
