"""A first look at one symbol: its kind, its time axis, its flaws. Small enough for the driver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Protocol

import numpy as np

from ray_pipeline.errors import DataError
from ray_pipeline.panel.blocks import Block, clean_blocks
from ray_pipeline.panel.evidence import NO_EVIDENCE, ColumnEvidence, EvidenceTally
from ray_pipeline.panel.membership import membership_findings
from ray_pipeline.panel.mended_bars import mend_bars, split_column
from ray_pipeline.panel.own_symbols import own_symbols_of
from ray_pipeline.panel.quality import (
    QualityFinding,
    bar_findings,
    require_rows,
    series_findings,
)
from ray_pipeline.panel.reading import PartitionReader, naming_symbol
from ray_pipeline.panel.reading_rules import AS_THEY_ARE, ReadingRules
from ray_pipeline.panel.roles import (
    ColumnPatterns,
    columns_beside,
    fields_of,
    missing_bar_fields,
    resolve_roles,
)
from ray_pipeline.panel.row_groups import (
    GroupSource,
    group_findings,
    group_source,
    groups_of_rows,
)
from ray_pipeline.panel.tallies import ColumnTally
from ray_pipeline.panel.time_axis import encode_runs
from ray_pipeline.panel.time_forms import Clock
from ray_pipeline.panel.value_columns import require_value, value_advice
from ray_pipeline.panel.vendors import propose_columns
from ray_pipeline.records import BAR_FIELDS, VALUE, ColumnRoles, SymbolPartition, TimeRun
from ray_pipeline.series import Lasting, lasting, levels
from ray_pipeline.storage.filesystems import FileSystem
from ray_pipeline.wording import some_of

__all__ = [
    "InspectionRequest",
    "InspectionSpec",
    "SymbolInspection",
    "TableKind",
    "inspect_one",
    "inspect_symbol",
    "inspection_request",
    "kind_of",
]

TableKind = Literal["labeled", "bars", "series"]

_PAIRS = ("columns", "constant", "n_missing", "own_symbols", "group_runs")


@dataclass(frozen=True, slots=True)
class InspectionRequest:
    """What `inspect_symbol` needs from the config, as plain values.

    Attributes
    ----------
    time_column, kind, max_rows, min_rows
        The config's ``data.time_column``, ``data.kind``, ``data.max_rows_per_symbol`` and
        ``data.min_rows_per_symbol``.
    targets, exclude_targets, features, exclude_features, by_products
        The glob patterns of the config's ``columns``.
    rules
        How the files are read.
    group
        The config's ``columns.group``.
    """

    time_column: str | None
    kind: Literal["auto", "labeled", "bars", "series"]
    max_rows: int | None
    min_rows: int
    targets: tuple[str, ...]
    exclude_targets: tuple[str, ...]
    features: tuple[str, ...]
    exclude_features: tuple[str, ...]
    by_products: tuple[str, ...]
    rules: ReadingRules = AS_THEY_ARE
    group: str | None = None


@dataclass(frozen=True, slots=True)
class InspectionSpec:
    """One symbol to inspect."""

    partition: SymbolPartition
    request: InspectionRequest


class HasFilesystem(Protocol):
    """What inspecting needs from a worker's state.

    Nothing else: an inspection does not depend on the rest of `PanelReader`.
    """

    fs: FileSystem


def inspect_one(reader: HasFilesystem, spec: InspectionSpec) -> dict[str, Any]:
    """Inspect a symbol (unit function)."""
    return inspect_symbol(spec.partition, reader.fs, spec.request).to_record()


@dataclass(frozen=True, slots=True)
class SymbolInspection:
    """What the driver learns about a symbol; a record of plain values, independent of its rows.

    Attributes
    ----------
    symbol, kind
        The symbol, and whether its table is labeled, bars or a series.
    time_column
        Name of its time column.
    columns
        (name, Arrow type string) of all its columns.
    n_rows, first_ts_ns, last_ts_ns
        Rows after cleaning, and their span in nanoseconds since 1970, UTC.
    runs
        The time axis.
    findings
        What was found in the data, and what was done about it.
    target_values
        (target, its distinct values sorted) for each target column; None in place of the values
        when there are more than 12. Empty where targets are computed.
    constant
        (column, its only value) of columns with a single distinct value.
    n_missing
        (column, number of missing cells) of the columns read that have any.
    clocks
        What its times say about their zone: ``aware``, ``naive`` or ``date``.
    own_symbols
        (symbol, first file that says so) of the symbols that its files contain, at most five.
    evidence
        What the rows show about columns that count, tell the time, or are targets only by name.
    lasting
        For a series, the result of `ray_pipeline.series.lasting`.
    levels
        For a series, the means of its halves.
    group_source
        Where its groups come from, if the config asks for groups.
    group_runs
        (first time in nanoseconds, group or None) of each run of rows of one group; see
        `RowGroups.runs`.
    """

    symbol: str
    kind: TableKind
    time_column: str
    columns: tuple[tuple[str, str], ...]
    n_rows: int
    first_ts_ns: int
    last_ts_ns: int
    runs: tuple[TimeRun, ...]
    findings: tuple[QualityFinding, ...]
    target_values: tuple[tuple[str, tuple[float, ...] | None], ...]
    constant: tuple[tuple[str, float], ...]
    n_missing: tuple[tuple[str, int], ...]
    clocks: tuple[Clock, ...] = ()
    own_symbols: tuple[tuple[str, str], ...] = ()
    evidence: ColumnEvidence = NO_EVIDENCE
    lasting: tuple[Lasting, ...] = ()
    levels: tuple[float, float] | None = None
    group_source: GroupSource = "nowhere"
    group_runs: tuple[tuple[int, str | None], ...] = ()

    def to_record(self) -> dict[str, Any]:
        """Return plain JSON values; runs are ``[start_ns, step_ns, count]``."""
        record: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        record["runs"] = [[run.start_ns, run.step_ns, run.count] for run in self.runs]
        record["findings"] = [asdict(finding) for finding in self.findings]
        record["evidence"] = self.evidence.to_record()
        record["lasting"] = [list(each) for each in self.lasting]
        record["levels"] = None if self.levels is None else list(self.levels)
        for name in _PAIRS:
            record[name] = [list(pair) for pair in record[name]]
        record["target_values"] = [
            [name, None if values is None else list(values)] for name, values in self.target_values
        ]
        return record

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> SymbolInspection:
        """Rebuild the inspection that `to_record` wrote, even after JSON."""
        changed: dict[str, Any] = {
            name: tuple(tuple(pair) for pair in record[name]) for name in _PAIRS
        }
        changed["lasting"] = tuple(tuple(each) for each in record["lasting"])
        changed["levels"] = None if record["levels"] is None else tuple(record["levels"])
        changed["clocks"] = tuple(record["clocks"])
        changed["runs"] = tuple(TimeRun(*run) for run in record["runs"])
        changed["findings"] = tuple(QualityFinding(**finding) for finding in record["findings"])
        changed["evidence"] = ColumnEvidence.from_record(record["evidence"])
        changed["target_values"] = tuple(
            (name, None if values is None else tuple(values))
            for name, values in record["target_values"]
        )
        return cls(**{**record, **changed})


def inspection_request(
    patterns: ColumnPatterns,
    *,
    time_column: str | None,
    kind: Literal["auto", "labeled", "bars", "series"],
    max_rows: int | None,
    min_rows: int,
    rules: ReadingRules = AS_THEY_ARE,
) -> InspectionRequest:
    """Build the request from the ``columns`` section of a config and four keys of ``data``."""
    return InspectionRequest(
        time_column=time_column,
        kind=kind,
        max_rows=max_rows,
        min_rows=min_rows,
        targets=tuple(patterns.targets),
        exclude_targets=tuple(patterns.exclude_targets),
        features=tuple(patterns.features),
        exclude_features=tuple(patterns.exclude_features),
        by_products=tuple(patterns.by_products),
        rules=rules,
        group=patterns.group,
    )


def inspect_symbol(
    partition: SymbolPartition, fs: FileSystem, request: InspectionRequest
) -> SymbolInspection:
    """Read and clean the data that a run would use of a symbol, and describe them.

    Raises
    ------
    DataError
        When the symbol cannot be used: damaged files, no time column, neither labeled nor bars
        nor a series, contradicting rows, too few rows, no label, no feature, no close or no value
        in any of them. The message names the symbol.
    StorageError
        When the storage fails.
    """
    with naming_symbol(partition.symbol):
        with PartitionReader(partition, fs, request.rules) as reader:
            # Ordered by name, because the order in the file is accidental.
            columns = tuple(sorted(reader.columns))
            roles = resolve_roles(columns, request, request.time_column)
            kind = kind_of(columns, roles, request)
            beside, _ = columns_beside(kind, roles, request)
            splits = split_column(columns) if kind == "bars" else None
            stated = [] if splits is None or splits in beside else [splits]
            used = (*roles.features, *roles.targets)
            if kind != "labeled":
                used = (*fields_of(kind), *beside, *stated)
            targets = () if kind != "labeled" else roles.targets
            own_symbols = own_symbols_of(reader)
            plan, blocks = clean_blocks(reader, roles.time, used, request.max_rows, request.rules)
            tallied = [name for name in used if kind == "labeled" or name not in stated]
            tallies = {name: ColumnTally(name, lists_values=name in targets) for name in tallied}
            features = roles.features if kind == "labeled" else beside
            given_columns = fields_of(kind) if splits is None else (*fields_of(kind), splits)
            evidence = EvidenceTally(plan.n_kept, features, targets)
            given = np.full((plan.n_kept if given_columns else 0, len(given_columns)), np.nan)
            groups = groups_of_rows(
                reader, partition.groups, request.group, roles.time, plan.time_ns, request.rules
            )
            for block in blocks:
                _count(block, tallies, evidence)
                block.write(given, given_columns)
                del block  # before the next is read
        time_ns = plan.time_ns
        found_in_bars = series_findings(given[:, 0]) if kind == "series" else []
        if kind == "bars":
            ratios = None if splits is None else given[:, len(BAR_FIELDS)]
            bars = np.ascontiguousarray(given[:, : len(BAR_FIELDS)])
            found_in_bars = bar_findings(bars)
            is_kept, mended = mend_bars(time_ns, bars, ratios, request.rules)
            time_ns, found_in_bars = time_ns[is_kept], [*found_in_bars, *mended]
            groups = groups.at(is_kept)
        require_rows(len(time_ns), max(1, request.min_rows))
        if kind == "bars":
            _require_values("bar has a close", [tallies["close"]])
        elif kind == "series":
            _require_values("row has a value", [tallies[VALUE]])
        else:
            _require_values("target has a value", [tallies[name] for name in targets])
            _require_values("feature has a value", [tallies[name] for name in roles.features])
    findings = [*reader.findings, *plan.findings, *blocks.findings]
    with naming_symbol(partition.symbol):
        findings += membership_findings(partition.membership, time_ns)
    findings += group_findings(groups, request.group)
    findings += [finding for tally in tallies.values() for finding in tally.findings()]
    findings += found_in_bars
    only_values = ((name, tally.only_value) for name, tally in tallies.items())
    n_missing = ((name, tally.n_missing) for name, tally in tallies.items())
    return SymbolInspection(
        symbol=partition.symbol,
        kind=kind,
        time_column=roles.time,
        columns=columns,
        n_rows=len(time_ns),
        first_ts_ns=int(time_ns[0]),
        last_ts_ns=int(time_ns[-1]),
        runs=encode_runs(time_ns),
        findings=tuple(findings),
        target_values=tuple((name, tallies[name].few_values) for name in targets),
        constant=tuple((name, value) for name, value in only_values if value is not None),
        n_missing=tuple((name, count) for name, count in n_missing if count),
        clocks=plan.clocks,
        own_symbols=own_symbols,
        evidence=evidence.found(),
        lasting=lasting(given[:, 0]) if kind == "series" else (),
        levels=levels(given[:, 0]) if kind == "series" else None,
        group_source=group_source(columns, partition.groups, request.group),
        group_runs=() if request.group is None else groups.runs(time_ns),
    )


def _count(block: Block, tallies: Mapping[str, ColumnTally], evidence: EvidenceTally) -> None:
    for name in block.table.column_names:
        if name not in tallies:
            continue
        values = block.values(name)
        tallies[name].add(values, block.rows)
        evidence.add(name, values, block.rows)


def _require_values(what: str, tallies: Sequence[ColumnTally]) -> None:
    """Refuse a symbol without a value where a run needs some; a missing column counts as none."""
    if not tallies or any(tally.n_present for tally in tallies):
        return
    why = [tally.findings()[0].message for tally in tallies]
    raise DataError(f"no {what} in any row: {some_of(why, at_most=2)}.")


def kind_of(
    columns: Sequence[tuple[str, str]], roles: ColumnRoles, request: InspectionRequest
) -> TableKind:
    """Tell the kind of a table, from the config or its columns: targets first, then bars.

    Only the config makes a table a series, by ``data.kind`` or ``data.columns.value``.

    Raises
    ------
    DataError
        When it is none of these, or not the kind in the config.
    """
    if request.kind == "series" or (request.kind == "auto" and _names_value(request)):
        require_value(columns)
        return "series"
    missing = missing_bar_fields(columns)
    bars = f"not bars: {', '.join(missing)} missing or not numeric"
    tried = f"no target column: tried columns.targets {some_of(request.targets)}"
    found = f"found {some_of([f'{name} ({arrow_type})' for name, arrow_type in columns])}"
    unusable = [f"{name} ({why})" for name, why in roles.ignored if why.startswith("target")]
    unusable += [f"{name} (label by-product)" for name in roles.by_products]
    if unusable:
        found += f"; not usable as targets: {some_of(unusable)}"
    if request.kind == "labeled" and not roles.targets:
        raise DataError(f"{tried}; {found}. Set columns.targets, or data.kind=bars.")
    if request.kind == "bars" and missing:
        raise DataError(f"{bars}; {found}.{_proposal(columns)}")
    if request.kind != "auto":
        return request.kind
    if roles.targets:
        return "labeled"
    if missing:
        raise DataError(
            f"neither labeled nor bars ({tried}; {bars}); {found}."
            f"{_proposal(columns) or _value_proposal(columns, roles)}"
        )
    return "bars"


def _names_value(request: InspectionRequest) -> bool:
    return any(role == VALUE and name is not None for role, name in request.rules.columns)


def _value_proposal(columns: Sequence[tuple[str, str]], roles: ColumnRoles) -> str:
    """Say which column could be a series, of those that do not know the future."""
    known = {*roles.features, *roles.bars, roles.time}
    return value_advice([(name, kind) for name, kind in columns if name in known])


def _proposal(columns: Sequence[tuple[str, str]]) -> str:
    """Say which columns could be the bars, as a sentence that begins with a space."""
    proposal = propose_columns([name for name, _ in columns], dict(columns))
    return "" if proposal.missing else proposal.advice
