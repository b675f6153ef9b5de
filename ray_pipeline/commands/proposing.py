"""``ray-pipeline init``: inspect data, and propose a config with what was found and guessed."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ray_pipeline.commands.checking import check_config, length_of_bars
from ray_pipeline.commands.draft import GUESS, ConfigDraft
from ray_pipeline.config.loading import parse_experiment_config
from ray_pipeline.discovery import discover
from ray_pipeline.discovery.location import intervals_below, proposed_layout
from ray_pipeline.discovery.proposing import CURRENT
from ray_pipeline.errors import ConfigError, DataError, RayPipelineError
from ray_pipeline.importing.sources import form_of
from ray_pipeline.inspecting.panel import request_of, summarise
from ray_pipeline.panel.exchange_hours import find_hours
from ray_pipeline.panel.inspection import SymbolInspection, inspect_symbol
from ray_pipeline.panel.quality import to_float
from ray_pipeline.panel.reading import read_columns
from ray_pipeline.panel.time_axis import decode_runs, modal_step_ns
from ray_pipeline.panel.value_columns import propose_value
from ray_pipeline.panel.vendors import FIXED_POINT, VENDORS, propose_columns
from ray_pipeline.records import Discovery, SymbolPartition
from ray_pipeline.storage import FileSystem, absolute_uri, list_names, open_filesystem
from ray_pipeline.wording import agreeing, plural, size_text, some_of, yaml_text

__all__ = ["ProposedConfig", "propose_config", "read_template", "write_config"]

_N_NAMES = 1_000
_N_LOOKED_AT = 3
"""Symbols that are read whole: the first, one in the middle, and the last."""

_FEW_FIELDS = 3  # share of missing bars from which on a column may not be bars at all
_DAY_S = 86_400
_MIN_ROWS = 300
_NS = 10**9


@dataclass(frozen=True, slots=True)
class ProposedConfig:
    """A proposed config.

    Attributes
    ----------
    text
        YAML with a comment on each line that says what was found, and what is a guess.
    found
        Sentences about the data.
    guesses
        Those of the keys that are guesses, each with its reason.
    open
        What prevents a run, in the words of `check`; None if nothing does.
    """

    text: str
    found: tuple[str, ...]
    guesses: tuple[str, ...]
    open: str | None


def propose_config(
    source: str,
    vendor: str | None = None,
    interval: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> ProposedConfig:
    """Look at raw data, and write down how to read them.

    Names of files and folders are listed, and a few symbols are read. Nothing is changed.

    Parameters
    ----------
    source
        Folder or fsspec URI.
    vendor
        Vendor of the columns, if names alone do not identify it; see `VENDORS`.
    interval
        Bar interval, if paths name several.
    progress
        Called with the number of files listed so far.

    Raises
    ------
    ConfigError
        For an unknown vendor, or a vendor whose columns are missing.
    DiscoveryError
        When no symbol is found; the message says what is there instead, and whether to import it.
    """
    if vendor is not None and vendor not in {each.name for each in VENDORS}:
        names = sorted({each.name for each in VENDORS})
        raise ConfigError(f"--vendor {vendor}: unknown; known are {', '.join(names)}.")
    draft = ConfigDraft()
    draft.put("experiment.name", yaml_text(_name_for(source)), "names the run and its folder")
    draft.put("data.data_dir", yaml_text(source), "where the symbols are")
    found = _discovered(source, interval, draft, progress)
    fs, _ = open_filesystem(source)
    looked_at = _spread(found.partitions)
    _propose_columns(looked_at, fs, vendor, draft)
    inspections = _inspected(looked_at, fs, draft)
    if inspections:
        _propose_zone(inspections, draft)
        _propose_scale(inspections[0], looked_at, fs, draft)
        _propose_labels(inspections, draft)
    text = draft.text([])
    try:
        facts = check_config(parse_experiment_config(text, "the proposed config"))
    except RayPipelineError as error:
        open_question = str(error).replace("the proposed config:", "").strip()
        heading = _heading(source, draft, f"a run needs more: {open_question}")
        return ProposedConfig(
            draft.text(heading), tuple(draft.found), tuple(draft.guesses), open_question
        )
    draft.found += _facts(facts)
    return ProposedConfig(
        draft.text(_heading(source, draft, None)), tuple(draft.found), tuple(draft.guesses), None
    )


def write_config(text: str, path: str, *, force: bool) -> None:
    """Write a config to a local file.

    Raises
    ------
    ConfigError
        When the file exists and `force` is not set, or it cannot be written.
    """
    try:
        with open(path, "w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigError(
            f"{path} exists already. Give another file with --out, or --force to replace it."
        ) from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error


def read_template() -> str:
    """Return every key of a config with its default and a comment."""
    return resources.files("ray_pipeline.config").joinpath("template.yaml").read_text("utf-8")


def _name_for(source: str) -> str:
    """Name a run after the folder of its data."""
    base = posixpath.basename(absolute_uri(source).rstrip("/"))
    safe = "".join(each if each.isascii() and each.isalnum() else "-" for each in base)
    return re.sub("-+", "-", safe).strip("-") or "experiment"


def _heading(source: str, draft: ConfigDraft, still_open: str | None) -> Iterator[str]:
    yield f"A config for {source}, proposed by `ray-pipeline init`. Check each line that says"
    yield f"{GUESS!r}, then `ray-pipeline check` this file."
    yield "Every key with its default: `ray-pipeline init --template`."
    yield ""
    yield from draft.found
    if still_open is not None:
        yield still_open


def _discovered(
    source: str, interval: str | None, draft: ConfigDraft, progress: Callable[[int], None] | None
) -> Discovery:
    """Find the symbols, by a pattern of their paths if one is needed."""
    fs, path = open_filesystem(source)
    intervals = intervals_below(fs, path)
    layout = None if intervals else proposed_layout(fs, path)
    if layout in CURRENT:
        layout = None
    if interval is None and len(intervals) > 1:
        interval = next(iter(intervals))
        others = ", ".join(f"{name} ({plural(n, 'symbol')})" for name, n in intervals.items())
        draft.guess("data.interval", yaml_text(interval), f"the shortest of {others}; --interval")
    # If the paths do not contain the symbol, the message says so, and what to do.
    found = discover(source, interval, None, progress, layout or None)
    if layout:
        draft.guess("data.layout", yaml_text(layout), "guessed from the names of folders and files")
    if found.interval is not None and "data.interval" not in draft.named:
        draft.put("data.interval", yaml_text(found.interval), "as the paths name it")
    n_files = sum(len(partition.files) for partition in found.partitions)
    size = sum(partition.size_bytes for partition in found.partitions)
    draft.found.append(
        f"{plural(len(found.symbols), 'symbol')} in {plural(n_files, 'Parquet file')}, "
        f"{size_text(size)}: {some_of(found.symbols, at_most=5)}"
    )
    forms = (form_of(name) for name in list_names(fs, path, limit=_N_NAMES))
    n_text = sum(form is not None and form[0] != "parquet" for form in forms)
    if n_text:
        draft.found.append(
            f"{plural(n_text, 'text file')} beside them {agreeing(n_text, 'is', 'are')} not read; "
            "ray-pipeline import does"
        )
    if found.rejected:
        first = found.rejected[0]
        draft.found.append(
            f"{plural(len(found.rejected), 'symbol')} cannot be used; {first.symbol}: "
            f"{first.reason}"
        )
    return found


def _spread(partitions: Sequence[SymbolPartition]) -> list[SymbolPartition]:
    places = np.linspace(0, len(partitions) - 1, min(_N_LOOKED_AT, len(partitions)))
    return [partitions[place] for place in sorted({round(each) for each in places.tolist()})]


def _propose_columns(
    partitions: Sequence[SymbolPartition], fs: FileSystem, vendor: str | None, draft: ConfigDraft
) -> None:
    """Name the columns of the time and the bars, if their names alone do not identify them."""
    columns = _own_columns(partitions, fs)
    if not columns:
        return
    proposal = propose_columns(list(columns), columns)
    needed, notes, scale = proposal.needed, proposal.notes, proposal.price_scale
    if vendor is not None:
        needed, notes = _columns_of(vendor, columns), ()
    elif proposal.vendor is not None:
        draft.found.append(f"the columns are named like those of {proposal.vendor}")
    may_be_series = vendor is None and len(proposal.missing) >= _FEW_FIELDS
    is_series = may_be_series and _propose_value(columns, needed.get("time"), draft)
    # Without prices there are no bars, and similar names mean nothing.
    if not is_series and needed and (vendor is not None or _is_about_bars(needed, columns)):
        pairs = ", ".join(f"{role}: {yaml_text(name)}" for role, name in needed.items())
        draft.guess("data.columns", f"{{{pairs}}}", "guessed from their names")
        if scale is not None:
            draft.guess("data.price_scale", f"{scale:g}", "prices are whole numbers of it")
    for role, names in proposal.ambiguous.items():
        if is_series and role != "time":
            continue
        draft.found.append(
            f"{role} could also be {' or '.join(map(repr, names))} (data.columns.{role})"
        )
    draft.found += notes


def _propose_value(columns: Mapping[str, str], time: str | None, draft: ConfigDraft) -> bool:
    """Name the value column of a series, if one is more plausible than all others."""
    proposal = propose_value(list(columns.items()), time)
    if proposal.line is not None:
        draft.guess("data.columns", proposal.line, proposal.told)
    elif proposal.told:
        draft.found.append(proposal.told)
    return proposal.line is not None


def _own_columns(partitions: Sequence[SymbolPartition], fs: FileSystem) -> dict[str, str]:
    """Return the column names and types of the first file that can be read."""
    for partition in partitions:
        with suppress(OSError, pa.ArrowException), fs.open(partition.files[0].path, "rb") as file:
            schema = pq.read_schema(file)
            return {each.name: str(each.type) for each in schema}
    return {}


def _columns_of(vendor: str, columns: Mapping[str, str]) -> dict[str, str]:
    """Return the vendor's column names, from the best-matching of its tables."""
    best = max(
        (each.columns for each in VENDORS if each.name == vendor),
        key=lambda table: len(set(table.values()) & set(columns)),
    )
    there = {role: name for role, name in best.items() if name in columns and name != role}
    missing = [best[role] for role in ("time", "close") if best[role] not in columns]
    if missing:
        raise ConfigError(
            f"--vendor {vendor}: its columns {', '.join(map(repr, missing))} are not there; found "
            f"{some_of(list(columns))}. Omit --vendor, or name another one."
        )
    return there


def _is_about_bars(needed: Mapping[str, str], columns: Mapping[str, str]) -> bool:
    return set(needed) == {"time"} or "close" in needed or "close" in map(str.casefold, columns)


def _inspected(
    partitions: Sequence[SymbolPartition], fs: FileSystem, draft: ConfigDraft
) -> list[SymbolInspection]:
    """Read a few symbols as a run would, even if they are short."""
    text = draft.text([])
    config = parse_experiment_config(text, "the proposed config", ["data.min_rows_per_symbol=1"])
    request = request_of(config, config.data.interval)
    inspections, problems = [], {}
    for partition in partitions:
        try:
            inspections.append(inspect_symbol(partition, fs, request))
        except DataError as error:
            problems[partition.symbol] = str(error)
    draft.found += list(problems.values())[:1]
    for text, n in Counter(
        finding.message
        for each in inspections
        for finding in each.findings
        if finding.rule != "time_zone_assumed"  # which the line of the zone already says
    ).most_common(8):
        draft.found.append(text if n == 1 else f"{text} (and in {plural(n - 1, 'other')})")
    fewest = min((each.n_rows for each in inspections), default=_MIN_ROWS)
    if fewest < _MIN_ROWS:
        draft.guess(
            "data.min_rows_per_symbol",
            str(max(60, fewest // 2)),
            f"the symbols read have {fewest} rows; few rows show only strong effects",
        )
    return inspections


def _propose_zone(inspections: Sequence[SymbolInspection], draft: ConfigDraft) -> None:
    """Name the zone of times without one, if sessions reveal it."""
    assumed = {finding.rule for each in inspections for finding in each.findings}
    steps = [step for each in inspections if (step := modal_step_ns(each.runs)) is not None]
    if "time_zone_assumed" not in assumed:
        return
    if not steps or steps[0] >= _DAY_S * _NS:
        draft.found.append("times name no zone and are taken as UTC")
        return
    times = np.unique(np.concatenate([decode_runs(each.runs) for each in inspections]))
    hours = find_hours(times, Counter(steps).most_common(1)[0][0])
    if hours is None:
        draft.found.append(
            "times name no zone and are read as UTC; set data.time_zone if that is wrong"
        )
    elif hours.is_local:
        why = f"bars from {hours.hours} in all seasons are its session"
        draft.guess("data.time_zone", yaml_text(hours.zone), why)
    else:
        draft.found.append(f"as UTC, {hours.hours} is the session of {hours.zone}")


def _propose_scale(
    inspection: SymbolInspection,
    partitions: Sequence[SymbolPartition],
    fs: FileSystem,
    draft: ConfigDraft,
) -> None:
    """Say that prices are fixed-point numbers, if they are whole numbers too large for prices."""
    if inspection.kind != "bars" or "data.price_scale" in draft.named:
        return
    config = parse_experiment_config(draft.text([]), "the proposed config")
    partition = next(each for each in partitions if each.symbol == inspection.symbol)
    rules = request_of(config, config.data.interval).rules
    close = to_float(read_columns(partition, fs, ["close"], rules)["close"])
    close = close[np.isfinite(close)]
    if len(close) and np.median(close) >= 1.0 / FIXED_POINT and not (close % 1.0).any():
        why = f"prices are whole numbers around {np.median(close):.2g}"
        draft.guess("data.price_scale", f"{FIXED_POINT:g}", why)


def _propose_labels(inspections: Sequence[SymbolInspection], draft: ConfigDraft) -> None:
    """Choose targets that suit bars of this length, if targets are to be computed."""
    steps = [step for each in inspections if (step := modal_step_ns(each.runs)) is not None]
    if not steps or inspections[0].kind == "labeled":
        return
    if inspections[0].kind == "series":
        _propose_series_labels(inspections, draft)
        return
    seconds = Counter(steps).most_common(1)[0][0] // _NS
    names, why = _targets_for(seconds)
    draft.guess("labeling.targets", f"[{', '.join(names)}]", why)


def _propose_series_labels(inspections: Sequence[SymbolInspection], draft: ConfigDraft) -> None:
    config = parse_experiment_config(draft.text([]), "the proposed config")
    with suppress(ConfigError):  # which the check below reports
        of_symbols = {each.symbol: each for each in inspections}
        targets = summarise(of_symbols, config, config.data.interval).targets
        names = ", ".join(each.name for each in targets)
        draft.guess("labeling.targets", f"[{names}]", "suit a series of this interval")


def _targets_for(bar_seconds: int) -> tuple[tuple[str, ...], str]:
    """Return targets for bars of a length, and the reason for them."""
    if bar_seconds > _DAY_S:
        return ("fwd_ret_1b", "fwd_ret_3b", "y_will_peak_3b_1.0"), "the next bar, and three of them"
    if bar_seconds == _DAY_S:
        return ("fwd_ret_5d", "fwd_ret_20d", "y_will_peak_10d_1.0"), "a week, a month, a barrier"
    if 3_600 % bar_seconds == 0 and bar_seconds <= 1_800:
        return ("fwd_ret_60m", "fwd_ret_1d", "y_will_peak_60m_1.0"), "an hour, a day, a barrier"
    return ("fwd_ret_1d", "fwd_ret_5d", "y_will_peak_1d_1.0"), "a day, a week, a barrier"


def _facts(facts: Mapping[str, Any]) -> Iterator[str]:
    roles, targets = facts["roles"], facts["targets"]
    yield (
        f"{facts['kind']}, bars of {length_of_bars(facts)}, "
        f"{plural(len(roles['features']), 'feature')}, {plural(len(targets), 'target')}: "
        f"{some_of([target['name'] for target in targets], at_most=6)}"
    )
    for item in roles["ignored"]:
        yield f"not used: {item['column']}: {item['reason']}"
    yield from facts["warnings"]
