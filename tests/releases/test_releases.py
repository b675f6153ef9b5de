"""Run directories that released versions left behind, opened by the code as it is now."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ray_pipeline.cli import main

HERE = Path(__file__).parent
RELEASES = sorted(path.name for path in HERE.iterdir() if (path / "run" / "run.json").is_file())


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Copy what one release left behind: some commands write into the run directory."""
    return Path(shutil.copytree(HERE / request.param, tmp_path / "release"))


def test_the_first_release_is_there() -> None:
    assert RELEASES[0] == "0.1.0"


@pytest.mark.parametrize("name", RELEASES)
def test_nothing_of_the_machine_that_made_it_is_kept(name: str) -> None:
    """Every path in a text file is relative."""
    texts = [p for p in (HERE / name).rglob("*") if p.suffix in {".json", ".yaml", ".txt"}]
    assert len(texts) > 4
    for path in texts:
        assert not re.search(r"[\"' ](/|file:|[A-Z]:\\)", path.read_text(encoding="utf-8")), path


def test_status_reads_it(release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(release / "run")]) == 0
    assert "done" in capsys.readouterr().out
    assert main(["status", "--json", str(release / "run")]) == 0
    document = capsys.readouterr().out
    assert '"done"' in document
    assert json.loads(document)


def test_report_draws_it(release: Path) -> None:
    """The page is written anew, and says what was predictable."""
    assert main(["report", str(release / "run")]) == 0
    page = (release / "run" / "report.html").read_text(encoding="utf-8")
    assert {"fwd_ret_1d", "fwd_ret_5d", "BRK/B"} <= set(re.findall(r"[\w/]+", page))


def test_explain_tells_it(release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A target's story, and the part of a symbol that its own model serves."""
    arguments = ["explain", str(release / "run"), "--target", "fwd_ret_1d"]
    assert main(arguments) == 0
    assert "signal" in capsys.readouterr().out
    assert main([*arguments, "--symbol", "MSFT"]) == 0
    assert "SYMBOL_SPECIFIC" in capsys.readouterr().out


def test_compare_finds_it_equal_to_itself_alone(release: Path, tmp_path: Path) -> None:
    """A copy is equal; one whose ranking says otherwise is not."""
    run = release / "run"
    other = shutil.copytree(run, tmp_path / "other")
    assert main(["compare", str(run), str(other)]) == 0
    ranked = other / "target_ranking" / "targets.parquet"
    pq.write_table(pq.read_table(ranked).slice(1), ranked)
    assert main(["compare", str(run), str(other)]) == 1


def test_predict_scores_with_it_or_says_why_not(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All symbols and rows, pooled and own models; or one sentence, and nothing written."""
    out = tmp_path / "scores"
    data = ["--data-dir", str(release / "recent"), "--out", str(out)]
    code = main(["predict", str(release / "run"), *data, "--in-sample", "--n-workers", "0"])
    if code == 2:
        [sentence] = capsys.readouterr().err.strip().splitlines()
        assert "Traceback" not in sentence
        assert not list(out.rglob("*.parquet"))
        return
    assert code == 0
    files = (out / "interval=1d").rglob("*.parquet")
    tables = {path.stem: pq.read_table(path) for path in files}
    assert {name: table.num_rows for name, table in tables.items()} == dict.fromkeys(
        ["0700", "AAPL", "BRK%2FB", "MSFT"], 60
    )
    assert any("pooled" in column for column in tables["AAPL"].column_names)
    assert any("own" in column for column in tables["MSFT"].column_names)


def test_the_history_of_an_older_version_is_given_or_refused(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Standings are recorded since 0.5.0; without them one sentence says what to do."""
    out = tmp_path / "scores"
    line = ["predict", str(release / "run"), "--data-dir", str(release / "recent")]
    code = main([*line, "--out", str(out), "--history", "--n-workers", "0"])
    if code:
        [sentence] = capsys.readouterr().err.strip().splitlines()
        assert "Traceback" not in sentence
        assert not list(out.rglob("*.parquet"))
    else:
        tables = [pq.read_table(path) for path in (out / "interval=1d").rglob("*.parquet")]
        assert len(tables) == 4
        assert not any(any(table["in_sample"].to_pylist()) for table in tables)
