"""Both passes over small panels of bars: what is computed, and what must not change it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose
from panels import bars_table

from ray_pipeline.errors import ConfigError, DataError
from ray_pipeline.execution import Failed, Outcome, SerialExecutor, Unit
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.inspecting.cross_section import compute_cross_section, require_members
from ray_pipeline.panel import SymbolTable, TableRequest, load_symbol_table
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.records import PartitionFile, SymbolPartition
from ray_pipeline.storage import RunDirectory

if TYPE_CHECKING:
    from conftest import Store
    from object_stores.moto_server import S3Server

DAY_S = 86_400
OWN = ("gap",)
RANKS = ("cs_rank_log_return_5", "cs_rank_volume_relative_20")
SCORES = ("cs_zscore_log_return_5",)
TARGETS = ("excess_ret_3d", "fwd_ret_3d", "excess_ret_1d")
REQUEST = TableRequest("bars", "ts", (*RANKS, *OWN, *SCORES), TARGETS, None, 35, DAY_S, 1)


class Batch:
    """A panel on disk, a run directory, and what runs units there."""

    def __init__(
        self,
        folder: Path,
        tables: Mapping[str, pa.Table],
        *,
        backwards: bool = False,
        run: RunDirectory | None = None,
    ) -> None:
        self.partitions = {name: _written(folder / "data", name, t) for name, t in tables.items()}
        self.run = run or RunDirectory(folder / "run")
        self.executed: list[str] = []
        self.failures: list[Failed] = []
        self.reader = PanelReader(str(folder / "data"), {}, self.run)
        batch = self

        class Recording(SerialExecutor[Any]):
            def run(self, units: Sequence[Unit]) -> Iterator[Outcome]:
                batch.executed += [unit.key for unit in units]
                yield from super().run(units[::-1] if backwards else units)

        self.runner = UnitRunner(
            Recording(lambda: self.reader, self.run.units),
            self.run.units,
            lambda *_: None,
            self.failures.extend,
            lambda _: None,
        )

    def compute(
        self, request: TableRequest = REQUEST, members: Sequence[str] | None = None, **options: int
    ) -> TableRequest:
        """Compute the columns; the members are all symbols when none are named."""
        names = list(self.partitions) if members is None else members
        return compute_cross_section(
            self.runner, self.run, self.partitions, request, names, **options
        )

    def tables(self, request: TableRequest) -> dict[str, SymbolTable]:
        """Read every symbol as the stages do."""
        return {
            name: self.reader.table(partition, request)
            for name, partition in self.partitions.items()
        }


def _written(data: Path, symbol: str, table: pa.Table) -> SymbolPartition:
    path = data / f"symbol={symbol}" / "part-0.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(table, path)
    file = PartitionFile(str(path), path.stat().st_size, str(path.stat().st_mtime_ns))
    return SymbolPartition(symbol, (file,))


def _panel(n_bars: int = 120) -> dict[str, pa.Table]:
    """Return six symbols: one is listed late, one has gaps, one trades at noon of its own."""
    tables = {f"S{i}": bars_table(f"S{i}", n_bars) for i in range(6)}
    tables["S3"] = tables["S3"].slice(40)
    kept = [row for row in range(n_bars) if row % 9 and not 60 <= row < 66]
    tables["S4"] = tables["S4"].take(kept)
    noon = tables["S5"].column("ts").cast(pa.int64()).to_numpy() + DAY_S * 10**9 // 2
    tables["S5"] = tables["S5"].set_column(0, "ts", pa.array(noon, pa.timestamp("ns", "UTC")))
    return tables


def _bits(tables: Mapping[str, SymbolTable]) -> dict[str, tuple[bytes, bytes]]:
    return {name: (t.features.tobytes(), t.targets.tobytes()) for name, t in tables.items()}


def _column(table: SymbolTable, name: str) -> np.ndarray[Any, Any]:
    if name in table.feature_names:
        return table.features[:, table.feature_names.index(name)]
    return table.targets[:, table.target_names.index(name)]


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Batch:
    return Batch(tmp_path_factory.mktemp("batch"), _panel())


@pytest.fixture(scope="module")
def request_(batch: Batch) -> TableRequest:
    return batch.compute()


# what is computed


def test_pandas_gives_the_same(batch: Batch, request_: TableRequest) -> None:
    """Every column equals a groupby over the symbols' own columns as the tables hold them."""
    bases = ("log_return_5", "volume_relative_20")
    own = replace(REQUEST, features=bases, targets=("fwd_ret_3d", "fwd_ret_1d"))
    frames = []
    for symbol, partition in batch.partitions.items():
        table = load_symbol_table(partition, batch.reader.fs, own)
        frame = pd.DataFrame({"ts": table.time_ns, "symbol": symbol})
        frame = frame.assign(**{name: _column(table, name) for name in (*bases, *own.targets)})
        frames.append(frame)
    panel = pd.concat(frames, ignore_index=True)
    expected = {}
    for base in bases:
        grouped = panel.astype({base: np.float64}).groupby("ts")[base]
        n = grouped.transform("count")
        expected[f"cs_rank_{base}"] = ((grouped.rank() - 0.5) / n).where(n >= 3)
        score = (panel[base] - grouped.transform("mean")) / grouped.transform("std")
        expected[f"cs_zscore_{base}"] = score.where(n >= 3)
    for bars in (1, 3):
        grouped = panel.groupby("ts")[f"fwd_ret_{bars}d"]
        excess = panel[f"fwd_ret_{bars}d"] - grouped.transform(_robust_mean)
        expected[f"excess_ret_{bars}d"] = excess.where(grouped.transform("count") >= 3)
    for symbol, table in batch.tables(request_).items():
        rows = panel["symbol"] == symbol
        for name in (*RANKS, *SCORES, "excess_ret_3d", "excess_ret_1d"):
            wanted = expected[name][rows].to_numpy()
            assert_allclose(_column(table, name), wanted, rtol=1e-6, atol=1e-7, err_msg=name)


def test_own_columns_stand_in_their_places(batch: Batch, request_: TableRequest) -> None:
    """Columns of the symbol alone are what they are without the batch, in the order asked for."""
    own = replace(REQUEST, features=OWN, targets=("fwd_ret_3d",))
    for symbol, table in batch.tables(request_).items():
        alone = load_symbol_table(batch.partitions[symbol], batch.reader.fs, own)
        assert (table.feature_names, table.target_names) == (REQUEST.features, REQUEST.targets)
        assert table.features[:, 2].tobytes() == alone.features[:, 0].tobytes()
        assert table.targets[:, 1].tobytes() == alone.targets[:, 0].tobytes()
        assert table.features.flags.c_contiguous
        assert not table.features.flags.writeable


def test_only_equal_timestamps_meet(batch: Batch, request_: TableRequest) -> None:
    """A symbol whose bars close at another time of day is compared with nobody."""
    tables = batch.tables(request_)
    for name in (*RANKS, *SCORES, "excess_ret_3d"):
        assert np.isnan(_column(tables["S5"], name)).all()
        assert np.isfinite(_column(tables["S0"], name)).mean() > 0.7


def test_returns_by_the_clock_end_together(batch: Batch, request_: TableRequest) -> None:
    """Where the bar three days on is there, a gap in between costs no label; else it is missing."""
    gappy = batch.tables(request_)["S4"]
    forward, excess = _column(gappy, "fwd_ret_3d"), _column(gappy, "excess_ret_3d")
    is_there = np.isin(gappy.time_ns + 3 * DAY_S * 10**9, gappy.time_ns)
    assert np.array_equal(np.isfinite(forward), is_there)
    assert np.array_equal(np.isfinite(excess), is_there)
    assert 10 < np.count_nonzero(~is_there) < len(is_there) - 10


def test_returns_in_bars_meet_that_end_together(batch: Batch) -> None:
    """Over a gap a symbol's three rows end later: nobody waits for them, and it has no mean."""
    targets = ("fwd_ret_3b", "excess_ret_3b")
    request = batch.compute(replace(REQUEST, targets=targets))
    gappy = batch.tables(request)["S4"]
    days = np.diff(gappy.time_ns) // (DAY_S * 10**9)
    spans = np.convolve(days, np.ones(3, dtype=int), mode="valid")
    forward, excess = (_column(gappy, name) for name in targets)
    assert np.isfinite(forward[: len(spans)]).all()
    assert np.array_equal(np.isfinite(excess[: len(spans)]), spans == 3)
    assert 10 < (spans > 3).sum() < len(spans) - 10


def _robust_mean(returns: pd.Series) -> float:
    """Return the mean of what lies within five deviations of the median, the rest moved there."""
    known = returns.dropna()
    if len(known) < 3:
        return np.nan
    distances = sorted((known - known.median()).abs())
    place = min(int(np.ceil(0.75 * len(known))) - 1, len(known) - 2)
    limit = 5.0 * distances[place] / 1.1503
    return known.clip(known.median() - limit, known.median() + limit).mean()


def test_a_run_without_such_columns_computes_nothing(tmp_path: Path) -> None:
    """Neither own columns nor a labeled panel's ranks need a batch."""
    batch = Batch(tmp_path, {})
    own = replace(REQUEST, features=OWN, targets=("fwd_ret_3d",))
    labeled = replace(REQUEST, kind="labeled")
    assert batch.compute(own) is own
    assert batch.compute(labeled) is labeled
    assert batch.executed == []


def test_fewer_columns_can_be_read(batch: Batch, request_: TableRequest) -> None:
    """A request from which features were dropped still finds the others."""
    fewer = replace(request_, features=SCORES, targets=("excess_ret_1d",))
    whole, part = batch.tables(request_)["S1"], batch.tables(fewer)["S1"]
    assert part.features.tobytes() == _column(whole, SCORES[0]).tobytes()
    assert part.targets.tobytes() == _column(whole, "excess_ret_1d").tobytes()


# what must not matter


def test_blocks_and_order_change_no_bit(
    batch: Batch, request_: TableRequest, tmp_path: Path
) -> None:
    """One block or many, units from first to last or the other way round."""
    other = Batch(tmp_path, _panel(), backwards=True)
    in_blocks = other.compute(block_bytes=6_000)
    assert request_.cross_section is not None
    assert in_blocks.cross_section is not None
    assert request_.cross_section.n_blocks == 1
    assert in_blocks.cross_section.n_blocks > 5
    assert _bits(other.tables(in_blocks)) == _bits(batch.tables(request_))


def test_an_object_store_changes_no_bit(
    batch: Batch, request_: TableRequest, tmp_path: Path, s3_store: Store, s3_server: S3Server
) -> None:
    """Artifacts in a bucket; a symbol's columns of a small block are one request."""
    run = RunDirectory(s3_store.uri, s3_store.options)
    remote = Batch(tmp_path, _panel(), run=run)
    request = remote.compute(block_bytes=12_000)
    assert request.cross_section is not None
    s3_server.requests.clear()
    remote.reader.table(remote.partitions["S0"], request)
    assert len(s3_server.requests) == request.cross_section.n_blocks > 3
    assert _bits(remote.tables(request)) == _bits(batch.tables(request_))


def test_many_symbols_share_files(tmp_path: Path) -> None:
    """With more symbols than a file takes, each is found again in the file that holds it."""
    names = [f"Ñ{i:02d}" for i in range(20)]
    tables = {name: bars_table(name, 60) for name in names}
    batch = Batch(tmp_path, tables)
    request = batch.compute(replace(REQUEST, features=RANKS[:1], targets=("excess_ret_3d",)))
    assert request.cross_section is not None
    assert request.cross_section.n_groups == 2
    assert len({request.cross_section.table_of(name, 0) for name in names}) == 2
    ranks = np.stack([table.features[10] for table in batch.tables(request).values()])
    assert sorted((ranks[:, 0] * 40).round().tolist()) == list(range(1, 40, 2))


def test_finished_work_is_not_done_again(tmp_path: Path) -> None:
    """On resuming no unit is executed; where the record of one is lost, that one alone is."""
    batch = Batch(tmp_path, _panel(80))
    first = batch.compute(block_bytes=6_000)
    executed, batch.executed = batch.executed, []
    assert executed[:6] == [f"S{i}" for i in range(6)]
    assert batch.compute(block_bytes=6_000) == first
    assert batch.executed == []
    lost = next(iter((tmp_path / "run" / "units" / "cross_section").glob("*.json")))
    lost.unlink()
    assert batch.compute(block_bytes=6_000) == first
    assert len(batch.executed) == 1
    assert batch.executed[0].startswith("block-")


def test_the_future_changes_nothing(batch: Batch, request_: TableRequest, tmp_path: Path) -> None:
    """Cut off after bar 90: features are the same bits, and labels whose bars are still there."""
    day = bars_table("S0", 120).column("ts")[90]
    cut = {
        name: table.filter(pa.compute.less(table.column("ts"), day))
        for name, table in _panel().items()
    }
    short = Batch(tmp_path, cut)
    early, late = short.tables(short.compute()), batch.tables(request_)
    n_labels = 0
    for symbol, table in early.items():
        n_rows = len(table.time_ns)
        assert table.features.tobytes() == late[symbol].features[:n_rows].tobytes()
        for name, bars in (("excess_ret_3d", 3), ("excess_ret_1d", 1)):
            ended = slice(0, n_rows - bars)
            assert (
                _column(table, name)[ended].tobytes()
                == _column(late[symbol], name)[ended].tobytes()
            )
            assert np.isnan(_column(table, name)[n_rows - bars :]).all()
            n_labels += int(np.isfinite(_column(table, name)).sum())
    assert n_labels > 500


# members, strangers, failures


def test_new_data_are_compared_with_the_members_of_the_run(
    batch: Batch, request_: TableRequest, tmp_path: Path
) -> None:
    """A stranger changes no bit of a member, and stands among the members by the same formula."""
    members = list(batch.partitions)
    twin = _panel()["S2"]  # of a member: it ties with it
    later = Batch(tmp_path, _panel() | {"A-STRANGER": twin})
    request = later.compute(members=members)
    assert request.cross_section is not None
    assert request.cross_section.warning is None
    tables = later.tables(request)
    stranger = tables.pop("A-STRANGER")
    assert _bits(tables) == _bits(batch.tables(request_))
    assert stranger.features.tobytes() == tables["S2"].features.tobytes()
    assert stranger.targets.tobytes() == tables["S2"].targets.tobytes()


def test_the_past_beyond_the_lookback_changes_nothing(
    batch: Batch, request_: TableRequest, tmp_path: Path
) -> None:
    """New data that begin at bar 60: once all windows of all are full, the same bits."""
    day = bars_table("S0", 120).column("ts")[60]
    recent = {
        name: table.filter(pa.compute.greater_equal(table.column("ts"), day))
        for name, table in _panel().items()
    }
    later = Batch(tmp_path, recent)
    for symbol, table in later.tables(later.compute()).items():
        whole = batch.tables(request_)[symbol]
        assert table.features[-25:].tobytes() == whole.features[-25:].tobytes()
        assert symbol == "S5" or np.isfinite(table.features[-25:]).all()


def test_members_without_data_are_told(tmp_path: Path) -> None:
    """The rest is compared with itself; how many are missing is said for the caller to show."""
    panel = _panel(80)
    here = {name: panel[name] for name in ("S0", "S1", "S2", "S3")}
    batch = Batch(tmp_path, here)
    found = batch.compute(members=list(panel)).cross_section
    assert found is not None
    assert (found.n_members, found.n_present) == (6, 4)
    assert found.missing_share == pytest.approx(1 / 3)
    assert found.warning == (
        "2 of the 6 symbols of the batch (33%) have no data here: cross-sectional columns compare "
        "with the other 4."
    )
    alone = Batch(tmp_path / "alone", here)
    members, fewer = alone.tables(alone.compute()), batch.compute(members=list(panel))
    assert _bits(batch.tables(fewer)) == _bits(members)


def test_a_symbol_that_fails_is_no_member(tmp_path: Path) -> None:
    """Too short a history: left out, reported by its name, and compared with by nobody."""
    panel = _panel(80)
    batch = Batch(tmp_path, panel | {"S9": bars_table("S9", 30)})
    request = batch.compute()
    assert [failed.unit.key for failed in batch.failures] == ["S9"]
    assert request.cross_section is not None
    assert (request.cross_section.n_members, request.cross_section.n_present) == (7, 6)
    with pytest.raises(DataError, match="30 rows after cleaning"):
        batch.reader.table(batch.partitions.pop("S9"), request)
    alone = Batch(tmp_path / "alone", panel)
    assert _bits(batch.tables(request)) == _bits(alone.tables(alone.compute()))


def test_too_few_members_are_refused(tmp_path: Path) -> None:
    """Two symbols give no cross-section; a run says so rather than working on missing columns."""
    batch = Batch(tmp_path, {name: bars_table(name, 60) for name in ("S0", "S1")})
    request = batch.compute()
    assert np.isnan(batch.tables(request)["S0"].features[:, 0]).all()
    with pytest.raises(
        ConfigError,
        match=r"2 symbols are too few for cs_rank_log_return_5, cs_rank_volume_relative_20, "
        r"cs_zscore_log_return_5 \(5 cross-sectional columns\): 3 are needed\. Add symbols",
    ):
        require_members(request)
    require_members(REQUEST)


def test_other_rows_than_were_compared_are_refused(batch: Batch, request_: TableRequest) -> None:
    """Columns are joined to the very rows that they were computed for."""
    partition = batch.partitions["S0"]
    with pytest.raises(
        DataError,
        match=r"symbol S0: its cross-sectional columns were computed for 120 rows, and it has 100 "
        r"rows now or other timestamps\. Run again on data that no longer change\.",
    ):
        batch.reader.table(partition, replace(request_, max_rows=100))


def test_columns_that_were_not_computed_are_refused(batch: Batch) -> None:
    """Without the two passes, an error says what is missing."""
    with pytest.raises(
        ConfigError,
        match=r"cs_zscore_log_return_5, excess_ret_1d: these columns compare a symbol with its "
        r"batch, and were not computed\. Call compute_cross_section first\.",
    ):
        batch.reader.table(
            batch.partitions["S0"],
            replace(REQUEST, features=SCORES, targets=("excess_ret_1d", "fwd_ret_3d")),
        )
