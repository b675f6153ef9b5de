"""A run that is brought up to date: what was said live is what a replay says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from panels import planted_panel, quick_config, read_json, symbol_names, write_panel

from ray_pipeline import load_run
from ray_pipeline.cli import main
from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import ConfigError, DamagedFileError, RunInUseError
from ray_pipeline.execution import Outcome, SerialExecutor, Unit
from ray_pipeline.ledger.ledger import PredictionLedger
from ray_pipeline.panel.loading import TableRequest
from ray_pipeline.panel.table import SymbolTable
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.predicting import PredictOptions, predict_panel
from ray_pipeline.storage import RunDirectory
from ray_pipeline.storage.lease import DriverLease
from ray_pipeline.training.served_jobs import ServedJob
from ray_pipeline.updating import Update, UpdateOptions, update_run
from ray_pipeline.updating.notes import gone_notes
from ray_pipeline.updating.restated import restatements
from ray_pipeline.updating.scoring import _known
from ray_pipeline.versions.changing import change_version, list_versions, version_lines

if TYPE_CHECKING:
    from conftest import Store

FIRST, DUE = 240, 271
"""Bars of the panel that the run is made of, and those with which the next date is reached."""


def _write(root: Path, n_bars: int) -> str:
    """Write the first bars of a panel; nobody knows the label of the last one yet."""
    tables = {}
    for name, each in planted_panel(symbol_names(4)).items():
        table = each.slice(0, n_bars)
        labels = [*table["fwd_ret_1d"].to_pylist()[:-1], None]
        place = table.column_names.index("fwd_ret_1d")
        tables[name] = table.set_column(place, "fwd_ret_1d", pa.array(labels, pa.float64()))
    return write_panel(root / "data", tables)


def _run(
    root: Path,
    n_bars: int = FIRST,
    run: str = "run",
    accept: str = "always",
    **training: Any,
) -> str:
    """Run on the first bars, with dates of retraining after 230, 270, 310 of them."""
    validation = {
        **{"first_test": "2014-10-10", "test_every": "40d"},
        **{"n_splits": 5, "min_train_fraction": 0.4},
    }
    config = quick_config(
        _write(root, n_bars),
        root / run,
        validation=validation,
        feature_selection={"accept": accept},
        training={"families": ["ridge", "lightgbm"], "retrain_every": "40d"} | training,
    )
    run_pipeline(config, Silent())
    return str(root / run)


def _update(run: str) -> Update:
    return update_run(run, Silent(), UpdateOptions())


def _days(root: Path, run: str, sizes: Iterable[int]) -> list[Update]:
    found = []
    for n_bars in sizes:
        _write(root, n_bars)
        found.append(_update(run))
    return found


def _tables(run: str) -> tuple[pa.Table, pa.Table]:
    ledger = PredictionLedger(RunDirectory(run))
    return ledger.predictions(), ledger.outcomes()


def _require_same(tmp_path: Path, n_days: int) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    live, at_once = _run(one), _run(other)
    updates = _days(one, live, range(FIRST + 1, FIRST + n_days + 1))
    (update,) = _days(other, at_once, [FIRST + n_days])
    for mine, theirs in zip(_tables(live), _tables(at_once), strict=True):
        assert mine.num_rows > 0
        assert mine.equals(theirs)
    assert sum(each.n_predictions for each in updates) == update.n_predictions
    assert [date for each in updates for date in each.retrained] == update.retrained
    assert len(update.retrained) == (n_days + FIRST - 231) // 40
    contents = [read_json(Path(run) / "run.json")["content_sha256"] for run in (live, at_once)]
    assert contents[0] == contents[1]


def test_days_one_by_one_are_days_at_once(tmp_path: Path) -> None:
    """Over a date of retraining, to the bit."""
    _require_same(tmp_path, 33)


@pytest.mark.slow
def test_sixty_days_one_by_one_are_sixty_at_once(tmp_path: Path) -> None:
    """Over two dates of retraining."""
    _require_same(tmp_path, 75)


def test_the_result_is_that_of_a_run_from_scratch(tmp_path: Path) -> None:
    """After a date of retraining that an update came to."""
    run = _run(tmp_path)
    (update,) = _days(tmp_path, run, [DUE + 3])
    assert len(update.retrained) == 1
    scratch = _run(tmp_path, DUE + 3, "scratch")
    contents = [read_json(Path(each) / "run.json")["content_sha256"] for each in (run, scratch)]
    assert contents[0] == contents[1]


def test_scores_are_those_of_predict(tmp_path: Path) -> None:
    """And the ledger says by which models, which version, and from which features."""
    run = _run(tmp_path)
    _days(tmp_path, run, [FIRST + 5])
    predictions, _ = _tables(run)
    out = str(tmp_path / "scores")
    predict_panel(run, str(tmp_path / "data"), out, Silent(), PredictOptions(n_workers=0))
    for path in Path(out).rglob("*.parquet"):
        if "units" in path.parts:
            continue
        scores = pq.ParquetFile(path).read()
        symbol = path.stem
        mine = predictions.filter(pc.equal(predictions["symbol"], symbol))
        theirs = scores.filter(pc.is_in(scores["ts"], mine["ts"].combine_chunks()))
        assert mine["score"].to_pylist() == theirs["fwd_ret_1d__score"].to_pylist()
        for name in ("expected", "low", "high"):
            assert mine[name].to_pylist() == theirs[f"fwd_ret_1d__{name}"].to_pylist()
        assert mine.num_rows > 0
    assert set(predictions["version"].to_pylist()) == {
        read_json(Path(run) / "update.json")["version"]
    }
    assert all(len(each) == 32 for each in predictions["inputs_sha256"].to_pylist())
    models = {path.parent.name for path in (Path(run) / "models").glob("*/metadata.json")}
    assert set("+".join(predictions["job_id"].to_pylist()).split("+")) <= models


def test_nothing_new(tmp_path: Path) -> None:
    """It says so, adds nothing, and starts no worker."""
    run = _run(tmp_path)
    _days(tmp_path, run, [FIRST + 2])
    parts = PredictionLedger(RunDirectory(run)).parts()
    update = _update(run)
    assert update.is_nothing
    assert PredictionLedger(RunDirectory(run)).parts() == parts
    assert read_json(Path(run) / "update.json")["status"] == "nothing new"


def test_outcomes_come_later(tmp_path: Path) -> None:
    """A prediction has none on its day; afterwards it has the label."""
    run = _run(tmp_path)
    _days(tmp_path, run, [FIRST + 1])
    table = PredictionLedger(RunDirectory(run)).table()
    assert table["actual"].null_count > 0
    waiting = table.filter(pc.is_null(table["actual"])).select(["ts", "symbol"])
    _days(tmp_path, run, [FIRST + 3])
    outcomes = PredictionLedger(RunDirectory(run)).outcomes()
    assert outcomes.num_rows > 0
    # Labels of a day are known a row later, which here is a day.
    lags = {
        known - ts
        for ts, known in zip(
            outcomes["ts"].to_pylist(), outcomes["known_ts"].to_pylist(), strict=True
        )
    }
    assert lags == {timedelta(days=1)}
    later = PredictionLedger(RunDirectory(run)).table()
    joined = waiting.join(later, ["ts", "symbol"])
    labels = planted_panel(symbol_names(4))
    for row in joined.to_pylist():
        panel = labels[row["symbol"]]
        place = panel["ts"].to_pylist().index(row["ts"])
        assert row["actual"] == panel["fwd_ret_1d"][place].as_py()


def test_a_restated_past(tmp_path: Path) -> None:
    """It is told with symbol, months and size, and the models are made of it again."""
    run = _run(tmp_path)
    _days(tmp_path, run, [FIRST + 1])
    before = read_json(Path(run) / "run.json")["content_sha256"]
    predictions, _ = _tables(run)
    path = next(iter(sorted((tmp_path / "data").rglob("*.parquet"))))
    table = pq.ParquetFile(path).read()
    signal = [
        value + 1.0 if i < 20 else value for i, value in enumerate(table["signal"].to_pylist())
    ]
    place = table.column_names.index("signal")
    pq.write_table(table.set_column(place, "signal", pa.array(signal, pa.float64())), path)
    update = _update(run)
    (restated,) = update.restated
    assert restated.symbol == "S00"
    assert restated.first == "2014-05"
    assert "the mean of signal by" in restated.told
    assert read_json(Path(run) / "run.json")["content_sha256"] != before
    again, _ = _tables(run)
    assert again.slice(0, predictions.num_rows).num_rows == predictions.num_rows
    assert _update(run).is_nothing
    assert len(PredictionLedger(RunDirectory(run)).parts()) == 2


def test_a_column_that_is_gone_is_told_by_name(tmp_path: Path) -> None:
    """With the models that learned from it, and not as single values that changed."""
    run = _run(tmp_path, families=["ridge"])
    _days(tmp_path, run, [FIRST + 2])
    for path in sorted((tmp_path / "data").rglob("*.parquet"))[:2]:
        table = pq.ParquetFile(path).read()
        pq.write_table(table.drop_columns(["signal"]), path)
    update = _update(run)
    assert [(each.symbol, each.gone) for each in update.restated] == [
        *(("S00", ("signal",)), ("S01", ("signal",)))
    ]
    assert update.restated[0].told.endswith("(8 months differ): column signal is gone")
    (note,) = [text for text in update.notes if text.startswith("column ")]
    assert note.startswith("column signal is gone from 2 of 4 symbols (S00, S01): 1 model that")
    assert "(cs_fwd_ret_1d__ridge; fwd_ret_1d)" in note


def test_columns_that_are_gone() -> None:
    """Those that had values in the months that differ, and have none in any of them now."""

    def month(day: int, sha256: str, empty: list[str] | None, **means: float | None) -> pa.Table:
        told = [{"column": name, "mean": mean} for name, mean in means.items()]
        row = {"symbol": "A", "month": date(2024, day, 1), "n_rows": 21, "sha256": sha256}
        mean = pa.struct([("column", pa.string()), ("mean", pa.float64())])
        schema = pa.schema(
            [
                *(("symbol", pa.string()), ("month", pa.date32()), ("n_rows", pa.int64())),
                *(("sha256", pa.string()), ("means", pa.list_(mean))),
                ("empty", pa.list_(pa.string())),
            ]
        )
        return pa.Table.from_pylist([row | {"means": told, "empty": empty}], schema=schema)

    before = pa.concat_tables([month(1, "a", [], x=1.0, y=2.0), month(2, "b", ["z"], x=1.0, y=2.0)])
    after = pa.concat_tables(
        [
            month(1, "c", ["x", "z"], x=None, y=2.0),
            month(2, "d", ["x", "y", "z"], x=None, y=None),
        ]
    )
    (found,) = restatements(before, after)
    # y has values in one month; z, beyond the columns with means, had some in January.
    assert found.gone == ("x", "z")
    assert "columns x, z are gone" in found.told
    old = month(1, "a", None, x=1.0).drop_columns(["empty"])
    assert restatements(old, month(1, "c", ["x", "z"], x=None))[0].gone == ("x",)
    unchanged = month(1, "c", ["z"], x=1.0)
    (found,) = restatements(month(1, "a", ["z"], x=1.0), unchanged)
    assert found.gone == ()
    assert "single values" in found.told


def test_what_has_learned_from_a_column_that_is_gone() -> None:
    """The models and targets by name; nothing is claimed of a column that none has as it is."""
    job = ServedJob("cs_y__ridge", "y", "cross_sectional", "ridge", ("a", "b"), ("A",), ())
    gone = {"A": ("a", "c"), "B": ("y",)}
    a, c, y = gone_notes(gone, [job], 3)
    assert a.startswith("column a is gone from 1 of 3 symbols (A): 1 model that served learned")
    assert "(cs_y__ridge; y)" in a
    assert "no model that served has it" in c
    assert "the label of a target" in y


def test_a_symbol_that_cannot_be_scored_costs_no_other(tmp_path: Path) -> None:
    """It is told, and the rest goes on."""
    run = _run(tmp_path)
    _write(tmp_path, FIRST + 1)
    path = next(iter(sorted((tmp_path / "data").rglob("*.parquet"))))
    path.write_bytes(path.read_bytes()[:-7])
    update = _update(run)
    assert set(update.problems) == {"S00"}
    predictions, _ = _tables(run)
    assert set(predictions["symbol"].to_pylist()) == {"S01", "S02", "S03"}


def test_a_ledger_that_was_changed_is_not_added_to(tmp_path: Path) -> None:
    """Nobody would know what was said."""
    run = _run(tmp_path)
    _days(tmp_path, run, [FIRST + 1, FIRST + 2])
    (Path(run) / "ledger/000001.part.json").unlink()
    _write(tmp_path, FIRST + 3)
    with pytest.raises(DamagedFileError, match="does not follow the record before it"):
        _update(run)


def test_without_a_schedule_models_stay(tmp_path: Path) -> None:
    """Rows after the run's are scored, and never trained on."""
    run = _run(tmp_path, retrain_every=None)
    content = read_json(Path(run) / "run.json")["content_sha256"]
    updates = _days(tmp_path, run, [FIRST + 1, 300])
    assert [each.retrained for each in updates] == [[], []]
    assert read_json(Path(run) / "run.json")["content_sha256"] == content
    predictions, _ = _tables(run)
    assert len(set(predictions["ts"].to_pylist())) == 60


@pytest.mark.parametrize("at", ["look_at_times", "update_scores", "rank_symbol", "train_pooled"])
def test_an_update_that_was_stopped_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """While it looks, scores or trains; the end is that of one that nobody stopped."""
    one, other = tmp_path / "one", tmp_path / "other"
    stopped, whole = _run(one), _run(other)
    for root in (one, other):
        _write(root, DUE + 2)
    run = SerialExecutor.run

    def stopping(self: SerialExecutor[Any], units: Sequence[Unit]) -> Iterator[Outcome]:
        for unit in units:
            if unit.stage == at:
                raise KeyboardInterrupt
            yield from run(self, [unit])

    with monkeypatch.context() as patch:
        patch.setattr(SerialExecutor, "run", stopping)
        with pytest.raises(KeyboardInterrupt):
            _update(stopped)
    _update(stopped)
    _update(whole)
    for mine, theirs in zip(_tables(stopped), _tables(whole), strict=True):
        assert mine.num_rows > 0
        assert mine.equals(theirs)
    contents = [read_json(Path(each) / "run.json")["content_sha256"] for each in (stopped, whole)]
    assert contents[0] == contents[1]


def test_in_an_object_store_as_on_a_disk(
    tmp_path: Path, s3_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run, data and ledger in a bucket: the same rows, over a date of retraining."""
    endpoint, region = (str(s3_store.options[key]) for key in ("endpoint_url", "region"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    here = _run(tmp_path)
    for path in Path(here).rglob("*"):
        if path.is_file():
            s3_store.put(f"run/{path.relative_to(here).as_posix()}", path.read_bytes())
    there = s3_store.uri_of("run")
    config = RunDirectory(there).read_text("config.yaml")
    moved = config.replace(str(tmp_path / "data"), s3_store.uri_of("panel"))
    RunDirectory(there).write_text("config.yaml", moved)
    _days(tmp_path, here, [DUE + 2])
    for path in (tmp_path / "data").rglob("*.parquet"):
        name = path.relative_to(tmp_path / "data").as_posix()
        s3_store.put(f"panel/{name}", path.read_bytes())
    update = _update(there)
    assert len(update.retrained) == 1
    for mine, theirs in zip(_tables(there), _tables(here), strict=True):
        assert mine.num_rows > 0
        assert mine.equals(theirs)
    records = [RunDirectory(each).read_json("run.json") for each in (here, there)]
    contents = [record["content_sha256"] for record in records]
    assert contents[0] == contents[1]
    assert _update(there).is_nothing


def _edit(root: Path, symbol: str, change: Callable[[pa.Table], pa.Table]) -> None:
    path = next((root / "data").rglob(f"symbol={symbol}/*.parquet"))
    pq.write_table(change(pq.ParquetFile(path).read()), path)


def _with_cell(table: pa.Table, name: str, row: int, value: float) -> pa.Table:
    cells = table[name].to_pylist()
    cells[row] = value
    return table.set_column(table.column_names.index(name), name, pa.array(cells, pa.float64()))


def test_one_symbol_dated_ahead_makes_nobody_late(tmp_path: Path) -> None:
    """Its row is one of its own; the days of the others are scored as before."""
    run = _run(tmp_path)
    _write(tmp_path, FIRST + 1)

    def ahead(table: pa.Table) -> pa.Table:
        stamps = [*table["ts"].to_pylist()[:-1], table["ts"].to_pylist()[-1] + timedelta(days=365)]
        return table.set_column(0, "ts", pa.array(stamps, table["ts"].type))

    _edit(tmp_path, "S02", ahead)
    _update(run)
    (update,) = _days(tmp_path, run, [FIRST + 2])
    assert update.n_predictions >= 4
    predictions, _ = _tables(run)
    last = planted_panel(symbol_names(1))["S00"]["ts"][FIRST + 1].as_py()
    today = predictions.filter(pc.equal(predictions["ts"], last))
    assert set(today["symbol"].to_pylist()) == {"S00", "S01", "S02", "S03"}


def test_rows_that_come_too_late_are_told(tmp_path: Path) -> None:
    """They are not scored: their outcomes are already known."""
    run = _run(tmp_path)
    _write(tmp_path, FIRST + 20)
    _edit(tmp_path, "S01", lambda table: table.slice(0, FIRST))
    _update(run)
    (update,) = _days(tmp_path, run, [FIRST + 21])
    (note,) = update.notes
    assert note.startswith("S01: ")
    assert "came too late to be scored" in note


def test_other_features_and_labels_than_before_are_told(tmp_path: Path) -> None:
    """The ledger keeps what was said and known first."""
    run = _run(tmp_path)
    _days(tmp_path, run, [FIRST + 1, FIRST + 3])
    before = _tables(run)
    _write(tmp_path, FIRST + 4)
    _edit(tmp_path, "S00", lambda table: _with_cell(table, "signal", FIRST + 1, 9.0))
    _edit(tmp_path, "S03", lambda table: _with_cell(table, "fwd_ret_1d", FIRST + 1, 0.5))
    update = _update(run)
    assert not update.restated
    assert [note.partition(" since")[0] for note in update.notes] == [
        "S00: 1 prediction",
        "S03: 1 outcome",
    ]
    for mine, theirs in zip(_tables(run), before, strict=True):
        assert mine.slice(0, theirs.num_rows).num_rows == theirs.num_rows
    (again,) = _days(tmp_path, run, [FIRST + 5])
    assert again.notes == []


def test_a_symbol_with_too_few_rows_is_told(tmp_path: Path) -> None:
    """A new one is served by pooled models, once there is enough of it."""
    run = _run(tmp_path)
    _write(tmp_path, FIRST + 2)
    path = next((tmp_path / "data").rglob("symbol=S00/*.parquet"))
    new = path.parents[1] / "symbol=NEW/part-0.parquet"
    new.parent.mkdir()
    pq.write_table(pq.ParquetFile(path).read().slice(FIRST, 2), new)
    update = _update(run)
    assert update.problems == {}
    predictions, _ = _tables(run)
    assert "NEW" in predictions["symbol"].to_pylist()


def test_data_until_holds_for_updates_too(tmp_path: Path) -> None:
    """Rows from that date on are not there yet."""
    run = _run(tmp_path, retrain_every=None)
    path = Path(run) / "config.yaml"
    path.write_text(path.read_text().replace("until: null", "until: 2015-01-20"))
    _days(tmp_path, run, [300])
    predictions, _ = _tables(run)
    assert predictions.num_rows > 0
    assert max(predictions["ts"].to_pylist()).date() < date(2015, 1, 20)


def test_an_edited_config_is_followed_or_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What makes models is refused by name, with the command; where work is done is followed."""
    run = _run(tmp_path)
    path = Path(run) / "config.yaml"
    text = path.read_text()
    _write(tmp_path, FIRST + 1)
    other = text.replace("seed: 7", "seed: 8").replace("embargo_bars: 0", "embargo_bars: 1")
    path.write_text(other)
    capsys.readouterr()
    assert main(["update", run]) == 2
    error = capsys.readouterr().err
    assert "was edited since the run: experiment.seed, validation.embargo_bars. An" in error
    assert f"`ray-pipeline run {run}/config.yaml --run-dir {run} --replace`" in error
    assert not PredictionLedger(RunDirectory(run)).parts()
    path.write_text("# said by hand\n" + text.replace("keep_versions: 5", "keep_versions: 6"))
    assert path.read_text() != "# said by hand\n" + text
    assert main(["update", run]) == 0
    error = capsys.readouterr().err
    assert "this update follows: output.keep_versions" in error
    path.write_text(other)
    assert main(["run", str(path), "--run-dir", run, "--replace"]) == 0
    assert main(["update", run]) == 0
    assert read_json(Path(run) / "run.json")["seed"] == 8


def test_a_label_is_known_no_sooner_than_its_horizon() -> None:
    """Whatever the files hold already: a label of two rows of the last two rows is none yet."""
    n_rows = 6
    table = SymbolTable(
        symbol="A",
        time_ns=np.arange(n_rows, dtype=np.int64) * 10**9,
        features=np.zeros((n_rows, 1), dtype=np.float32),
        targets=np.arange(n_rows, dtype=np.float64)[:, None],
        feature_names=("x",),
        target_names=("y",),
    )
    request = TableRequest(
        kind="labeled",
        time_column=None,
        features=("x",),
        targets=("y",),
        max_rows=None,
        min_rows=1,
        bar_seconds=1,
        session_bars=1,
    )
    found = _known(table, "y", request, 10**9, 2)
    assert found["actual"].to_pylist() == [1.0, 2.0, 3.0]
    assert found["known_ts"].cast(pa.int64()).to_pylist() == [3 * 10**9, 4 * 10**9, 5 * 10**9]
    unsaid = _known(table, "y", request, 10**9)
    assert unsaid.num_rows == n_rows - 1
    assert unsaid["known_ts"].null_count == n_rows - 1


def test_an_update_at_work_is_waited_for(tmp_path: Path) -> None:
    """The message names no option that update does not have."""
    run = _run(tmp_path)
    with (
        DriverLease(RunDirectory(run).below("ledger"), print).held(),
        pytest.raises(RunInUseError, match=r"Wait until that one has ended, or stop it\.$"),
    ):
        _update(run)


def test_a_path_of_the_data_that_leads_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From another folder a relative path may be other data: it is refused, not read."""
    run = _run(tmp_path)
    config = Path(run) / "config.yaml"
    config.write_text(config.read_text().replace(str(tmp_path / "data"), "data"))
    _write(tmp_path, FIRST + 1)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match=r"data.data_dir='data' is .*/elsewhere/data from here"):
        _update(run)
    monkeypatch.chdir(tmp_path)
    assert _update(run).n_predictions > 0


def test_the_ledger_belongs_to_the_run_whichever_version_serves(tmp_path: Path) -> None:
    """After a roll-back too."""
    run = _run(tmp_path)
    _days(tmp_path, run, [DUE + 1])
    n_rows = load_run(run).ledger().num_rows
    assert main(["versions", run, "--rollback", "--why", "a test"]) == 0
    assert load_run(run).ledger().num_rows == n_rows > 0


def test_the_ledger_in_python(tmp_path: Path) -> None:
    """Of a run that is opened to predict."""
    run = _run(tmp_path)
    assert load_run(run).ledger().num_rows == 0
    _days(tmp_path, run, [FIRST + 2])
    assert load_run(run).ledger().num_rows == _tables(run)[0].num_rows > 0


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For cron: what it did, and 0."""
    run = _run(tmp_path)
    _write(tmp_path, DUE)
    assert main(["update", run]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("trained:   on the rows before 2015-02-07")
    assert any(line.startswith("predicted: ") for line in lines)
    assert main(["status", run]) == 0
    told = capsys.readouterr().out
    assert re.search(r"last update: \d+ predictions until 2015-02-0\dT00:00; no alarm", told), told
    assert main(["update", run, "--json"]) == 0
    assert '"nothing new"' in capsys.readouterr().out
    assert main(["update", str(tmp_path / "data")]) == 2


@pytest.mark.parametrize(
    ("families", "evidence"),
    [(["ridge"], "same_models"), (["ridge", "lightgbm"], "nothing_newer")],
)
def test_a_fold_of_the_present_models_is_no_evidence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], families: list[str], evidence: str
) -> None:
    """Dates of retraining that are the folds' leave a version nothing to be compared on.

    Of ridge with all features the fold's models are the version's own; forests have another seed
    and are made like it, of the same rows. It serves by the schedule, which is said. Over two dates
    the second fold is of newer models.
    """
    run = _run(tmp_path, accept="never", families=families)
    _days(tmp_path, run, [DUE + 3])
    newest, first = list_versions(run)["versions"]
    decision = newest["decision"]
    assert (decision["over"], decision["promoted"]) == (first["version"], True)
    assert decision["evidence"] == evidence
    assert "no evidence for or against it (nothing to compare: the folds" in newest["why"]
    assert "not significantly worse" not in newest["why"]
    assert decision["compared"]
    left_out = {"same_models": "n_same_rows", "nothing_newer": "n_older_rows"}[evidence]
    for each in decision["compared"]:
        assert each["n_rows"] == 0
        assert each[left_out] == each["n_same_rows"] + each["n_older_rows"] == 4 * 39
        assert each["difference"] is each["skill_new"] is each["p_worse"] is None
    told = version_lines(list_versions(run))
    assert any("the folds that scored the 156 later rows" in line for line in told)
    page = (Path(run) / "report.html").read_text()
    assert f"Version {newest['version']}, this result, serves since {newest['since']}" in page
    assert "the folds that scored the 156 later rows" in page
    assert "This result is not what serves" not in page
    capsys.readouterr()
    assert main(["explain", run, "--target", "fwd_ret_1d"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"Version {newest['version']}, this result, serves since {newest['since']}" in said
    assert "the folds that scored the 156 later rows" in said
    change_version(run, first["version"], None, print)
    _days(tmp_path, run, [311 + 2])
    decision = list_versions(run)["versions"][0]["decision"]
    assert (decision["over"], decision["evidence"]) == (first["version"], "compared")
    for each in decision["compared"]:
        assert (each["n_rows"], each[left_out]) == (4 * 39, 4 * 40)
        assert each["difference"] == pytest.approx(each["skill_new"] - each["skill_present"])
    told = version_lines(list_versions(run))
    assert any("(left out: 160 later rows of folds that" in line for line in told)


def test_models_that_do_not_serve_are_not_due_again(tmp_path: Path) -> None:
    """What serves goes on scoring, in the ledger of the run; the schedule goes on as well."""
    run = _run(tmp_path, promote="never")
    serving = read_json(Path(run) / "versions/current.json")["version"]
    _write(tmp_path, DUE + 3)
    update = _update(run)
    assert len(update.retrained) == 1
    assert update.version == serving
    assert read_json(Path(run) / "versions/current.json")["version"] == serving
    assert read_json(Path(run) / "run.json")["content_sha256"][:8] != serving[-8:]
    predictions = PredictionLedger(RunDirectory(run)).predictions()
    assert set(predictions["version"].to_pylist()) == {serving}
    assert not (Path(run) / "versions" / serving / "ledger").exists()
    again = _update(run)
    assert (again.retrained, again.n_predictions) == ([], 0)
    assert len(list((Path(run) / "versions").glob("*Z-????????.json"))) == 2
