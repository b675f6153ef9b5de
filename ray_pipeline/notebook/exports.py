"""Out-of-sample scores in the formats of other libraries.

Every row comes from the walk-forward: it was predicted by models that had seen only earlier data,
never by the final models.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.discovery.choosing import choose_batch
from ray_pipeline.errors import ArtifactError, ConfigError
from ray_pipeline.groups import RowGroups
from ray_pipeline.intervals import parse_interval
from ray_pipeline.notebook.frames import data_frame, pandas
from ray_pipeline.panel.loading import rows_read
from ray_pipeline.predicting.trained import TrainedRun
from ray_pipeline.predicting.walked import walked_scores
from ray_pipeline.statistics.cells import cells_of
from ray_pipeline.statistics.percentiles import percentiles_in_groups, quantile_numbers
from ray_pipeline.storage import open_filesystem
from ray_pipeline.training.predictions import GROUP

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["alphalens_frame", "long_frame", "numerai_frame", "period_name", "price_frame"]

_N_READING = 8
_DAY_S = 86_400
_UNITS = (("D", _DAY_S), ("h", 3600), ("m", 60), ("s", 1))


def long_frame(trained: TrainedRun, target: str) -> pd.DataFrame:
    """Return the out-of-sample scores of a target; see `walked_scores`."""
    return data_frame(walked_scores(trained, target), "run.table('predictions')")


def alphalens_frame(trained: TrainedRun, target: str) -> pd.DataFrame:
    """Return scores and labels as alphalens' factor data.

    Raises
    ------
    ConfigError
        For a binary target, whose labels are not returns.
    """
    task, horizon = trained.outcomes.get(target, (None, 0))
    if task == "binary":
        raise ConfigError(
            f"{target} is binary, but alphalens needs returns. Pass to "
            "alphalens.utils.get_clean_factor_and_forward_returns the scores, "
            f"run.to_long({target!r}).set_index(['ts', 'symbol'])['score'], and prices, which "
            "run.prices() returns for bars."
        )
    library = pandas()
    rows = _compared(walked_scores(trained, target))
    rows = rows.filter(rows["actual"].is_valid())
    times, scores = _times_and_scores(rows)
    n_quantiles = trained.config.evaluation.n_quantiles
    cells = _cells(rows, times)
    percentiles = percentiles_in_groups(scores, cells)
    _, place, counts = np.unique(cells, return_inverse=True, return_counts=True)
    # A quantile needs a name.
    percentiles[counts[place] < n_quantiles] = np.nan
    quantile = quantile_numbers(percentiles, n_quantiles) + 1
    kept = quantile > 0
    if not kept.any():
        raise ArtifactError(
            f"{trained.run.uri}: no timestamp of {target} has the {n_quantiles} symbols that "
            "evaluation.n_quantiles takes."
        )
    index = library.MultiIndex.from_arrays(
        [
            library.to_datetime(times[kept], utc=True),
            rows["symbol"].to_pandas()[kept],
        ],
        names=["date", "asset"],
    )
    columns = {
        period_name(trained, horizon): rows["actual"].to_numpy()[kept],
        "factor": scores[kept],
        "factor_quantile": quantile[kept],
    }
    if GROUP in rows.column_names:
        columns[GROUP] = rows[GROUP].to_pandas()[kept].to_numpy()
    found: pd.DataFrame = library.DataFrame(columns, index=index)
    return found


def price_frame(trained: TrainedRun) -> pd.DataFrame:
    """Return the closes of the run's symbols, as it read them: a row per time, a column per symbol.

    Raises
    ------
    ConfigError
        When the run was made on something else than bars.
    DataError
        When a symbol's bars cannot be read any more.
    """
    facts = trained.record.data
    if facts.kind != "bars":
        raise ConfigError(
            f"{trained.run.uri} was made on {facts.kind} data, which have no prices; only bars do."
        )
    data = trained.config.data
    where = facts.data_uri or data.data_dir
    config = trained.config.model_copy(update={"data": data.model_copy(update={"data_dir": where})})
    partitions = choose_batch(config).partitions
    fs, _ = open_filesystem(where, data.storage_options)
    request = trained.request(())
    served = [symbol for symbol in partitions if symbol not in trained.left_out]
    with ThreadPoolExecutor(_N_READING) as pool:
        read = pool.map(lambda symbol: rows_read(partitions[symbol], fs, request), served)
        closes = {
            symbol: (times, columns["close"])
            for symbol, (times, columns, _) in zip(served, read, strict=True)
        }
    library = pandas()
    found: pd.DataFrame = library.DataFrame(
        {
            symbol: library.Series(close, index=library.to_datetime(times, utc=True))
            for symbol, (times, close) in closes.items()
        }
    )
    return found.sort_index().rename_axis(index="date", columns="asset")


def numerai_frame(trained: TrainedRun, target: str) -> pd.DataFrame:
    """Return scores as Numerai takes predictions: ranked within each era, strictly inside (0, 1).

    An era is a timestamp; with groups, a symbol is ranked within its group.
    """
    library = pandas()
    rows = _compared(walked_scores(trained, target))
    times, scores = _times_and_scores(rows)
    eras = library.to_datetime(times, utc=True)
    is_daily = bool((times % (_DAY_S * 10**9) == 0).all())
    names = eras.strftime("%Y-%m-%d" if is_daily else "%Y-%m-%dT%H:%M:%S")
    symbols = rows["symbol"].to_pandas()
    columns = {
        "id": [f"{symbol}_{era}" for symbol, era in zip(symbols, names, strict=True)],
        "era": names,
        "prediction": percentiles_in_groups(scores, _cells(rows, times)),
        "target": rows["actual"].to_numpy(),
    }
    found: pd.DataFrame = library.DataFrame(columns)
    return found


def period_name(trained: TrainedRun, horizon_bars: int) -> str:
    """Name a horizon as alphalens does: ``5D``, ``6h30m``.

    Sessions become days, and months their average number of days: alphalens only knows lengths of
    time.
    """
    data = trained.record.data
    seconds = horizon_bars * data.bar_seconds
    intraday = trained.interval is None or parse_interval(trained.interval).is_intraday
    if intraday and data.session_bars > 1 and horizon_bars % data.session_bars == 0:
        seconds = horizon_bars // data.session_bars * _DAY_S
    found = ""
    for unit, length in _UNITS:
        n, seconds = divmod(seconds, length)
        found += f"{n}{unit}" if n else ""
    return found


def _compared(rows: pa.Table) -> pa.Table:
    """Drop rows without a group, if there are groups: they are not compared."""
    return rows.filter(rows[GROUP].is_valid()) if GROUP in rows.column_names else rows


def _cells(rows: pa.Table, times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the set within which each row is ranked: its timestamp, or the group in it."""
    if GROUP not in rows.column_names:
        return times
    groups = RowGroups.from_column(rows[GROUP], "the group")
    return cells_of(np.unique(times, return_inverse=True)[1], groups.codes)


def _times_and_scores(rows: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    return rows["ts"].cast(pa.int64()).to_numpy(), rows["score"].to_numpy()
