"""The results of scoring, for ``predictions.json`` and for people (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ray_pipeline.predicting.serving import Serving
from ray_pipeline.wording import agreeing, iso_time, plural, size_text, some_of

__all__ = [
    "described",
    "group_warning",
    "prediction_lines",
    "replay_summary",
    "replay_warning",
    "without_meanings",
]

Record = Mapping[str, Any]

_N_SHOWN = 5
_MANY = 0.1


def described(
    served: Mapping[str, Serving], records: Mapping[str, Record], names: Mapping[str, str]
) -> dict[str, Any]:
    """Record for every symbol what served it, what was written, and notes.

    Parameters
    ----------
    records
        Records of the units, by symbol; a symbol that failed or has no model has none.
    names
        File by symbol.
    """
    models: dict[str, Any] = {}
    symbols: dict[str, Any] = {}
    for symbol, serving in served.items():
        record = records.get(symbol)
        models |= record["models"] if record else {}
        symbols[symbol] = {
            "routes": dict(serving.routes),
            "jobs": [job.job_id for job in serving.jobs],
            "file": names[symbol] if record else None,
            "n_rows": record["n_rows"] if record else 0,
            "n_history_rows": record["n_history"] if record else 0,
            "known_ts": _iso(record, "known_ns"),
            "n_unusual_rows": record["n_unusual"] if record else 0,
            "unusual": record["unusual"] if record else [],
            "first_ts": _iso(record, "first_time_ns"),
            "last_ts": _iso(record, "last_time_ns"),
            "first_predictable_row": record["first_predictable_row"] if record else None,
            "first_predictable_ts": _iso(record, "first_predictable_time_ns"),
            "notes": [*serving.notes, *_row_notes(record)],
            "replay": record["replay"] if record else None,
        }
    read = {
        key: sum(record[f"{key}{suffix}"] for record in records.values())
        for key, suffix in (("n_bytes", "_read"), ("n_bytes_of_files", ""))
    }
    return {"models": models, "symbols": symbols, "read": read}


def replay_summary(records: Mapping[str, Record]) -> dict[str, Any]:
    """Sum the comparison of predictions of the last training rows over the symbols."""
    replays = {symbol: record["replay"] for symbol, record in records.items()}
    differing = [symbol for symbol, each in replays.items() if each["n_different"]]
    libraries = {text for symbol in differing for text in replays[symbol]["libraries"]}
    return {
        "n_compared": sum(each["n_compared"] for each in replays.values()),
        "n_different": sum(each["n_different"] for each in replays.values()),
        "largest_difference": max(
            (replays[symbol]["largest_difference"] for symbol in differing), default=None
        ),
        "symbols": differing,
        "libraries": sorted(libraries),
    }


def replay_warning(summary: Record, *, fewer_compared: bool = False) -> str | None:
    """Say that predictions of training rows differ from those in training, and the likely cause.

    Parameters
    ----------
    fewer_compared
        Whether symbols that features compare with have no data here.
    """
    if not summary["n_different"]:
        return None
    cause = "their data were revised since"
    if fewer_compared:
        cause = f"symbols that they are compared with are missing, or {cause}"
    if summary["libraries"]:
        cause = f"another version of a library ({', '.join(summary['libraries'])}), or {cause}"
    are = agreeing(summary["n_different"], "is not that", "are not those")
    return (
        f"{summary['n_different']:,} of {plural(summary['n_compared'], 'prediction')} of training "
        f"rows {are} of the training, by up to {summary['largest_difference']:.2g}, in "
        f"{some_of(summary['symbols'], at_most=_N_SHOWN)}. Likely cause: {cause}."
    )


def group_warning(records: Mapping[str, Record], column: str | None) -> str | None:
    """Say that no row has a group, though the run compared symbols within some.

    Parameters
    ----------
    column
        Name of the run's groups.
    """
    n_rows = sum(record["n_rows"] for record in records.values())
    n_alone = sum(record["n_without_group"] for record in records.values())
    if column is None or not n_rows or n_alone < n_rows:
        return None
    return (
        f"no row has a {column}, by a column of the files or by data.universe: features that "
        f"compare symbols are missing, and nothing says within what to rank the predictions. The "
        f"run compared symbols within {column} (columns.group)."
    )


def without_meanings(run_uri: str) -> str:
    """Say that there are scores, but not what they mean."""
    return (
        f"{run_uri} has no walk-forward with scores (a version before 0.5.0 made it, or its "
        "predictions/out_of_sample.parquet is missing): what scores mean (__prob, __expected, "
        "__low, __high) cannot be learned from it. Run again for these columns."
    )


def prediction_lines(document: Record) -> list[str]:
    """Format ``predictions.json`` for a person, given the address of the predictions."""
    failures: Sequence[Record] = document.get("failures", [])
    lines = [f"- {failed['symbol']}: {failed['error']}" for failed in failures]
    by_note: dict[str, list[str]] = {}
    for symbol, each in document["symbols"].items():
        for note in each["notes"]:
            by_note.setdefault(note, []).append(symbol)
    lines += [f"{some_of(symbols, at_most=_N_SHOWN)}: {text}" for text, symbols in by_note.items()]
    replay = document["replay"]
    if replay["n_compared"] and not replay["n_different"]:
        same = plural(
            replay["n_compared"],
            "prediction of a training row is that",
            "predictions of training rows are those",
        )
        lines.append(f"{same} of the training, bit for bit")
    elif not replay["n_compared"] and any(each["n_rows"] for each in document["symbols"].values()):
        lines.append(
            "none of the last training rows is in these data, so it could not be checked that "
            "models predict as in training"
        )
    scored = [each for each in document["symbols"].values() if each["file"]]
    n_rows = sum(each["n_rows"] for each in scored)
    n_targets = len(document["targets"])
    counted = ((len(scored), "symbol"), (n_rows, "row"), (n_targets, "target"))
    scored_text = f"{', '.join(plural(n, noun) for n, noun in counted)} scored"
    read = document.get("read")
    if read is not None and read["n_bytes"]:
        share = f"{size_text(read['n_bytes'])} read of {size_text(read['n_bytes_of_files'])}"
        scored_text = f"{scored_text}; {share} of their files"
    lines.append(scored_text)
    return lines


def _row_notes(record: Record | None) -> list[str]:
    if record is None:
        return []
    if record["n_rows"]:
        notes = []
        if record["n_without_group"]:
            notes.append("has rows without a group, which are compared with nobody")
        n_new = record["n_rows"] - record["n_history"]
        if record["n_unusual"] > _MANY * n_new:
            notes.append(
                f"{record['n_unusual']:,} of {plural(n_new, 'row')} "
                f"{agreeing(record['n_unusual'], 'is', 'are')} unlike those that the models "
                f"learned from, most often in {some_of(record['unusual'])}"
            )
        return notes
    if record["n_outside_universe"]:
        return ["no row to predict: all lie outside data.universe"]
    first = record["first_predictable_row"]
    if record["first_predictable_time_ns"] is None:
        return [
            f"no row to predict: the features look back on {plural(first, 'row')} before the first"
        ]
    if not record["has_later_rows"]:
        return [
            "no row to predict: none is later than the last label that its models learned from, "
            f"which was known at {iso_time(record['known_ns'])}; --history gives the walk-forward's"
        ]
    return ["no row to predict since the time asked for"]


def _iso(record: Record | None, key: str) -> str | None:
    if record is None or record[key] is None:
        return None
    return iso_time(record[key])
