"""What was wrong: leaks, symbols left out, failed units, findings in the data, warnings (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ray_pipeline.results.capping import Capped, capped
from ray_pipeline.results.contents import RunContents
from ray_pipeline.results.documents import (
    AssumptionFacts,
    DataFacts,
    LeftOutSymbol,
    SymbolFacts,
)
from ray_pipeline.results.figures import count, period, plural, shortened, size, unsigned
from ray_pipeline.results.tables import FAILURES, LEAKAGE

__all__ = [
    "DataSection",
    "FailedUnit",
    "Leak",
    "LeftOut",
    "MergedFinding",
    "UsedSymbol",
    "merge_findings",
    "write_data_section",
]

SYMBOLS = "symbols.json"
MAX_ROWS = 200
MAX_TRACEBACKS = 20
MAX_ERROR = 600
MAX_TRACEBACK = 3000

# A number in a finding's text, but none inside quotes: those are column names.
_NUMBERS = re.compile(
    r"""'[^']*'|"[^"]*"|(?<![\w.])(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?![\w])""", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Leak:
    """A feature that knows a target's future."""

    target: str
    feature: str
    test: str
    value: str
    action: str
    reason: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A symbol that the run did without."""

    symbol: str
    stage: str
    reason: str


@dataclass(frozen=True, slots=True)
class FailedUnit:
    """A unit of work without a result; `traceback` is its end, or empty."""

    unit: str
    symbol: str
    kind: str
    attempts: str
    error: str
    traceback: str


@dataclass(frozen=True, slots=True)
class MergedFinding:
    """The same remark on the data of one or more symbols."""

    text: str
    n_symbols: int
    symbols: str


@dataclass(frozen=True, slots=True)
class UsedSymbol:
    """A symbol's data as they were read."""

    symbol: str
    n_files: str
    size: str
    n_rows: str
    period: str
    n_findings: str


@dataclass(frozen=True, slots=True)
class ColumnTold:
    """A column that is not what its name or type says."""

    column: str
    role: str
    reason: str


@dataclass(frozen=True, slots=True)
class DataSection:
    """Tables, each with a sentence in its place where its file is missing."""

    leaks: Capped[Leak]
    leaks_absent: str
    rejected: Capped[LeftOut]
    quarantined: Capped[LeftOut]
    symbols: Capped[UsedSymbol]
    findings: Capped[MergedFinding]
    symbols_absent: str
    columns: Capped[ColumnTold]
    failures: Capped[FailedUnit]
    failures_absent: str
    warnings: Capped[str]
    assumptions: tuple[str, ...]


def write_data_section(contents: RunContents) -> DataSection:
    """Lay out leaks, symbols, failures, findings and warnings."""
    known = contents.symbols
    by_symbol = {} if known is None else known.symbols
    findings = merge_findings({symbol: facts.findings for symbol, facts in by_symbol.items()})
    leaks = _rows(contents.leaks)
    # A symbol whose data cannot be used is listed as left out, and is not a failure of the run.
    failures = [
        row for row in _rows(contents.failures) if row["kind"] != "data" or row["symbol"] is None
    ]
    return DataSection(
        leaks=capped([_leak(row) for row in leaks], MAX_ROWS, "by target", LEAKAGE),
        leaks_absent="" if contents.leaks is not None else contents.why_absent(LEAKAGE),
        rejected=_left_out(() if known is None else known.rejected),
        quarantined=_left_out(() if known is None else known.quarantined),
        symbols=_capped_symbols(by_symbol),
        findings=capped(findings, MAX_ROWS, "most symbols first", SYMBOLS),
        symbols_absent="" if contents.symbols is not None else contents.why_absent(SYMBOLS),
        columns=capped(_columns(contents.record.data), MAX_ROWS, "by name", "run.json"),
        failures=capped(
            [_failure(row, place) for place, row in enumerate(failures)],
            MAX_ROWS,
            "in the order they happened",
            FAILURES,
        ),
        failures_absent=_failures_absent(contents),
        warnings=capped(
            contents.record.warnings,
            MAX_ROWS,
            "in the order they were given",
            "run.json",
        ),
        assumptions=tuple(map(_assumption, contents.record.data.assumptions)),
    )


def _assumption(fact: AssumptionFacts) -> str:
    more = fact.n_symbols - len(fact.symbols)
    where = ", ".join(fact.symbols) + (f" and {count(more)} more" if more else "")
    return f"{fact.text} ({plural(fact.n_symbols, 'symbol')}: {where})"


def _columns(data: DataFacts) -> list[ColumnTold]:
    told = [
        ColumnTold(each.name, "no target" + (", a feature" if each.is_feature else ""), each.reason)
        for each in data.not_targets
    ]
    told += [ColumnTold(each.column, "no feature", each.reason) for each in data.not_features]
    return sorted(told, key=lambda each: each.column)


def merge_findings(findings: Mapping[str, Sequence[str]]) -> list[MergedFinding]:
    """Join findings that differ only in their numbers, and give the numbers' ranges.

    Parameters
    ----------
    findings
        Sentences by symbol.

    Returns
    -------
    list of MergedFinding
        Those of most symbols first.

    Examples
    --------
    >>> merge_findings({"A": ["3 bad cells in 'x1'"], "B": ["12 bad cells in 'x1'"]})[0].text
    "3 to 12 bad cells in 'x1'"
    """
    groups: dict[str, list[tuple[str, list[str]]]] = {}
    for symbol in sorted(findings):
        for text in findings[symbol]:
            numbers = [found[1] for found in _NUMBERS.finditer(text) if found[1]]
            groups.setdefault(_pattern(text), []).append((symbol, numbers))
    merged = []
    for pattern, members in groups.items():
        symbols = sorted({symbol for symbol, _ in members})
        places = zip(*(numbers for _, numbers in members), strict=True)
        text = pattern
        for numbers_here in places:
            text = text.replace("\0", _range(numbers_here), 1)
        merged.append(MergedFinding(text, len(symbols), _some(symbols)))
    return sorted(merged, key=lambda finding: (-finding.n_symbols, finding.text))


def _pattern(text: str) -> str:
    """Replace every number outside quotes by a character that no text holds."""
    return _NUMBERS.sub(lambda found: "\0" if found[1] else found[0], text.replace("\0", ""))


def _range(numbers: Sequence[str]) -> str:
    low, high = min(numbers, key=float), max(numbers, key=float)
    return low if float(low) == float(high) else f"{low} to {high}"


def _some(symbols: Sequence[str], at_most: int = 8) -> str:
    more = f" and {count(len(symbols) - at_most)} more" if len(symbols) > at_most else ""
    return ", ".join(symbols[:at_most]) + more


def _rows(table: pa.Table | None) -> list[dict[str, Any]]:
    return [] if table is None else list(table.to_pylist())


def _leak(row: Mapping[str, Any]) -> Leak:
    return Leak(
        target=row["target"],
        feature=row["feature"],
        test=row["test"],
        value=unsigned(row["value"]),
        action=row["action"] or "",
        reason=row["reason"] or "",
    )


def _left_out(rows: Sequence[LeftOutSymbol]) -> Capped[LeftOut]:
    left_out = [LeftOut(row.symbol, row.stage, shortened(row.reason, MAX_ERROR)) for row in rows]
    return capped(left_out, MAX_ROWS, "by symbol", SYMBOLS)


def _capped_symbols(by_symbol: Mapping[str, SymbolFacts]) -> Capped[UsedSymbol]:
    shown = tuple(
        UsedSymbol(
            symbol=symbol,
            n_files=count(by_symbol[symbol].n_files),
            size=size(by_symbol[symbol].size_bytes),
            n_rows=count(by_symbol[symbol].n_rows),
            period=period(by_symbol[symbol].first_ts, by_symbol[symbol].last_ts),
            n_findings=count(len(by_symbol[symbol].findings)),
        )
        for symbol in sorted(by_symbol)[:MAX_ROWS]
    )
    return Capped(shown, len(by_symbol), "by symbol", SYMBOLS)


def _failure(row: Mapping[str, Any], place: int) -> FailedUnit:
    """Keep the end of a traceback, which names the line, and only the first few of them."""
    traceback = (row["traceback"] or "").strip() if place < MAX_TRACEBACKS else ""
    if len(traceback) > MAX_TRACEBACK:
        traceback = f"…{traceback[-MAX_TRACEBACK:]}"
    return FailedUnit(
        unit=row["unit"],
        symbol=row["symbol"] or "",
        kind=row["kind"],
        attempts=count(row["attempts"]),
        error=shortened(row["error"], MAX_ERROR),
        traceback=traceback,
    )


def _failures_absent(contents: RunContents) -> str:
    if contents.failures is not None or contents.count("failed_units") == 0:
        return ""
    return contents.why_absent(FAILURES)
