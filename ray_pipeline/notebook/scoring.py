"""Scoring new rows: one symbol's in memory, several symbols' with the code of ``predict``."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa

from ray_pipeline.driving.progress import Silent
from ray_pipeline.notebook.frames import as_table
from ray_pipeline.notebook.handle import RunPlace
from ray_pipeline.notebook.partitions import split_frame, write_partitions
from ray_pipeline.predicting import LoadedRun, PredictOptions, predict_panel
from ray_pipeline.results import opening
from ray_pipeline.storage import RunDirectory
from ray_pipeline.wording import some_of

__all__ = ["score_frame"]

_TOLD_HERE, _MOST_TOLD = 5, 8
"""Maximum symbols per note, and notes, to report."""


def score_frame(
    models: Callable[[], LoadedRun],
    place: RunPlace,
    frame: Any,
    symbol: str | None,
    options: PredictOptions,
) -> pa.Table:
    """Score a frame of one symbol, or a long one.

    A long frame is scored like in ``predict``: split into partitions in a temporary folder, so that
    features which compare symbols see all of them, and scores are calibrated on all earlier
    outcomes.

    Parameters
    ----------
    models
        Opens the models; not needed for a long frame, because ``predict`` opens them itself.
    symbol
        The symbol of the frame; None: it has a symbol column.

    Returns
    -------
    pyarrow.Table
        ``symbol`` and the columns of scores, by symbol and time.

    Warns
    -----
    UserWarning
        If symbols or models are missing or doubtful, with the reason.
    """
    if symbol is not None:
        scores = models().predict(
            frame, symbol, options.targets, options.since, in_sample=options.in_sample
        )
        return scores.add_column(0, "symbol", pa.repeat(symbol, scores.num_rows))
    results = opening.open_run(place.uri, place.options)
    data = results.config().data
    interval = results.record.data.interval or data.interval
    split = split_frame(as_table(frame), data)
    silent = Silent()
    with tempfile.TemporaryDirectory() as folder:
        where = write_partitions(
            split, RunDirectory(os.path.join(folder, "panel")), interval, silent.say
        )
        chosen = replace(options, layout="", n_workers=0)
        out = os.path.join(folder, "scores")
        record = predict_panel(
            place.uri, where, out, silent, chosen, [os.getcwd()], run_options=place.options
        )
        tables = _read_scores(RunDirectory(out), record)
    _warn(record)
    return tables


def _read_scores(out: RunDirectory, record: Mapping[str, Any]) -> pa.Table:
    pieces = []
    for symbol, its in sorted(record["symbols"].items()):
        if its.get("file"):
            table = out.read_table(its["file"])
            pieces.append(table.add_column(0, "symbol", pa.repeat(symbol, table.num_rows)))
    return pa.concat_tables(pieces)


def _warn(record: Mapping[str, Any]) -> None:
    noted: dict[str, list[str]] = {}
    for symbol, its in record["symbols"].items():
        for note in its["notes"]:
            noted.setdefault(note, []).append(symbol)
    for each in record["failures"]:
        noted.setdefault(f"not scored: {each['error']}", []).append(each["symbol"])
    told = [*record["warnings"]]
    told += [f"{some_of(symbols, _TOLD_HERE)}: {note}" for note, symbols in noted.items()]
    for text in told[:_MOST_TOLD]:
        warnings.warn(text, stacklevel=4)
    if len(told) > _MOST_TOLD:
        warnings.warn(f"and {len(told) - _MOST_TOLD} more notes on single symbols", stacklevel=4)
