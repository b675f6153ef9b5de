"""``ray-pipeline monitor`` on a small run, whose ledger replays its own walk-forward."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from panels import planted_panel, quick_config, symbol_names, write_panel

from ray_pipeline.cli import main
from ray_pipeline.driving.progress import Silent
from ray_pipeline.ledger.ledger import MEANINGS, OUTCOMES, PREDICTIONS, PredictionLedger
from ray_pipeline.monitoring.records import Monitoring
from ray_pipeline.monitoring.watching import monitor_run
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.storage import RunDirectory

FACTS = {"version": "1", "content_sha256": "x", "input_fingerprint": "y", "upto": None}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train once; tests copy it."""
    root = tmp_path_factory.mktemp("monitored")
    data_dir = write_panel(root / "data", planted_panel(symbol_names(6), n_bars=500))
    run_pipeline(quick_config(data_dir, root / "run"), Silent())
    return root / "run"


@pytest.fixture
def run_dir(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def replay(run_dir: Path, share_before: float, *, broken: bool = False) -> None:
    """Write the later part of the pooled walk-forward as live predictions, right or at random."""
    table = pq.read_table(run_dir / "predictions" / "out_of_sample.parquet")
    jobs = json.loads((run_dir / "training_plan.json").read_text())["jobs"]
    job = next(each for each in jobs if each["view"] == "cross_sectional")
    own = table.filter(
        pc.and_(
            pc.and_(pc.equal(table["target"], job["target"]), pc.equal(table["view"], job["view"])),
            pc.equal(table["family"], job["family"]),
        )
    )
    times = np.unique(own["ts"].cast(pa.int64()).to_numpy())
    begins = int(times[int(share_before * len(times))])
    live = own.filter(pc.greater_equal(own["ts"].cast(pa.int64()), begins))
    n = live.num_rows
    standing = live["standing"].to_numpy()
    score = np.random.default_rng(0).permutation(standing) if broken else standing
    predictions = pa.table(
        {
            "ts": live["ts"],
            "symbol": live["symbol"],
            "target": live["target"],
            "view": live["view"],
            "job_id": [job["job_id"]] * n,
            "version": ["1"] * n,
            "score": score,
            **dict.fromkeys(MEANINGS, pa.nulls(n, pa.float64())),
            "prediction": live["prediction"],
            "n_unusual": np.zeros(n, dtype=np.int32),
            "unusual": [""] * n,
            "inputs_sha256": [str(i) for i in range(n)],
        }
    ).cast(PREDICTIONS)
    outcomes = predictions.select(["ts", "symbol", "target"])
    outcomes = outcomes.append_column("known_ts", live["ts"]).append_column(
        "actual", live["actual"]
    )
    PredictionLedger(RunDirectory(str(run_dir))).append(predictions, outcomes.cast(OUTCOMES), FACTS)


def test_an_empty_ledger_is_no_alarm(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what makes live predictions, and the page does."""
    assert main(["monitor", str(run_dir)]) == 0
    assert "no live prediction yet" in capsys.readouterr().out
    assert "No live prediction yet" in (run_dir / "monitor.html").read_text()


def test_what_was_promised_holds(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The walk-forward's own later part is as good as its earlier one."""
    replay(run_dir, 0.4)
    assert main(["monitor", str(run_dir), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["alarms"] == []
    (row,) = found["skills"]
    assert row["verdict"] in ("holds", "too early")
    assert row["n_blocks"] >= 3
    assert row["skill"] == pytest.approx(row["promised"], abs=0.15)
    table = pq.read_table(run_dir / "monitoring" / "skill.parquet")
    assert table["target"].to_pylist() == [row["target"]]
    kinds = {each["kind"] for each in found["drift"]}
    assert kinds == {"feature", "prediction", "rows"}


def test_scores_at_random_are_an_alarm_with_a_date(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 3, the sentence, and what to do, on the terminal as on the page."""
    replay(run_dir, 0.4, broken=True)
    assert main(["monitor", str(run_dir)]) == 3
    out = capsys.readouterr().out
    assert "ALARM" in out
    assert "since about" in out
    page = (run_dir / "monitor.html").read_text()
    assert "What to do" in page
    assert "<svg" in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_the_same_ledger_gives_the_same_bytes(run_dir: Path) -> None:
    """Nothing depends on the clock or on chance."""
    replay(run_dir, 0.4)
    names = ("monitor.html", *(f"monitoring/{name}.parquet" for name in ("skill", "drift")))
    monitor_run(str(run_dir))
    first = [(run_dir / name).read_bytes() for name in names]
    assert isinstance(monitor_run(str(run_dir)), Monitoring)
    assert [(run_dir / name).read_bytes() for name in names] == first


def test_data_that_are_gone_are_told_and_skills_judged_all_the_same(run_dir: Path) -> None:
    """A note, no alarm: the ledger needs no data."""
    replay(run_dir, 0.4)
    config = run_dir / "config.yaml"
    text = re.sub(r"data_dir: .*", "data_dir: /nowhere/at/all", config.read_text())
    config.write_text(text)
    found = monitor_run(str(run_dir))
    assert len(found.skills) == 1
    (notice,) = [each for each in found.notices if each.kind == "not looked at"]
    assert "/nowhere/at/all" in notice.text


def test_since_a_date_in_the_future_nothing_is_live(run_dir: Path) -> None:
    """And a text that is not a date is refused with 2."""
    replay(run_dir, 0.4)
    assert monitor_run(str(run_dir), since="2199-01-01").last_ts is None
    assert main(["monitor", str(run_dir), "--since", "yesterday"]) == 2


def test_a_walk_forward_without_standings_is_refused(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Versions before 0.5.0 wrote none: what to do, and exit code 2."""
    replay(run_dir, 0.4)
    name = run_dir / "predictions" / "out_of_sample.parquet"
    pq.write_table(pq.read_table(name).drop_columns(["standing"]), name)
    assert main(["monitor", str(run_dir)]) == 2
    assert "a version before 0.5.0 wrote it" in capsys.readouterr().err
