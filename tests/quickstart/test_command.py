from __future__ import annotations

import os
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from ray_pipeline.config import load_experiment_config
from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import ConfigError
from ray_pipeline.execution import Done, Outcome
from ray_pipeline.quickstart import (
    NOTHING_PLANTED,
    make_sample,
    quickstart_config,
    run_quickstart,
    write_quickstart,
)
from ray_pipeline.storage import RunDirectory

SMALL = (
    "execution.executor=serial",
    "validation.n_splits=3",
    "training.families=[ridge]",
)
N_BARS = 1500


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    return make_sample(n_symbols=4, n_bars=400)


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_is_planted_is_found(tmp_path: Path) -> None:
    """End to end on a smaller sample: every promise is kept, and the exit code is 0."""
    said: list[str] = []
    dest = str(tmp_path / "sample")
    sample = make_sample(n_bars=N_BARS)
    code = run_quickstart(dest, Silent(), said.append, sample=sample, overrides=SMALL)
    assert [line for line in said if "✗" in line] == []
    assert code == 0
    assert "All 23 things that the sample promises were found as planted." in said
    assert any(line.startswith("done: 4 of 6 targets predictable") for line in said)
    report = next(line for line in said if line.startswith("report: ")).removeprefix("report: ")
    assert Path(report).is_file()


def test_noise_is_called_noise(tmp_path: Path) -> None:
    """A panel with nothing in it: done, none predictable, nothing trained, exit code 0."""
    said: list[str] = []
    dest = str(tmp_path / "noise")
    sample = make_sample(n_bars=N_BARS, truth=NOTHING_PLANTED)
    code = run_quickstart(
        dest, Silent(), said.append, truth=NOTHING_PLANTED, sample=sample, overrides=SMALL
    )
    assert [line for line in said if "✗" in line] == []
    assert code == 0
    done = next(line for line in said if line.startswith("done: "))
    assert done.startswith("done: none of 6 targets is predictable")
    assert not RunDirectory(dest).list("run/models")


def test_a_promise_that_is_not_kept_is_an_error(tmp_path: Path) -> None:
    """Noise sold as the planted sample: the sentence says NOT, and the exit code is 1."""
    said: list[str] = []
    sample = make_sample(n_symbols=4, n_bars=400, truth=NOTHING_PLANTED)
    overrides = (*SMALL, "target_ranking.families=[ridge]")
    code = run_quickstart(
        str(tmp_path / "noise"), Silent(), said.append, sample=sample, overrides=overrides
    )
    assert code == 1
    assert any("NOT found as planted: fwd_ret_6h (pooled)" in line for line in said)
    assert any("✗ leak" in line and line.endswith("not noticed") for line in said)


def test_the_panel_has_the_current_layout(tmp_path: Path, tables: dict[str, pa.Table]) -> None:
    """One Parquet file per symbol, and the config beside the panel."""
    dest = str(tmp_path / "new" / "sample")
    path = write_quickstart(dest, tables)
    assert path == os.path.join(dest, "quickstart.yaml")
    folder = RunDirectory(dest)
    assert folder.list() == sorted(
        ["quickstart.yaml", *(f"panel/interval=1h/symbol={s}/{s}.parquet" for s in tables)]
    )
    name = "panel/interval=1h/symbol=SYM01/SYM01.parquet"
    assert folder.read_table(name).equals(tables["SYM01"])


def test_a_second_quickstart_leaves_what_is_right(
    tmp_path: Path, tables: dict[str, pa.Table]
) -> None:
    """Equal files keep their age, so that finished work stays valid; others are written again."""
    dest = str(tmp_path)
    write_quickstart(dest, tables)
    kept = tmp_path / "panel/interval=1h/symbol=SYM00/SYM00.parquet"
    changed = tmp_path / "panel/interval=1h/symbol=SYM01/SYM01.parquet"
    before = kept.stat().st_mtime_ns
    shutil.copy(kept, changed)
    write_quickstart(dest, tables)
    assert kept.stat().st_mtime_ns == before
    assert (
        RunDirectory(dest)
        .read_table("panel/interval=1h/symbol=SYM01/SYM01.parquet")
        .equals(tables["SYM01"])
    )


def test_a_folder_with_other_things_is_refused(tmp_path: Path, tables: dict[str, pa.Table]) -> None:
    """Nothing is written into somebody's own folder."""
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ConfigError, match=r"is not empty and not from an earlier quickstart"):
        write_quickstart(str(tmp_path), tables)
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_an_edited_config_is_not_overwritten(tmp_path: Path, tables: dict[str, pa.Table]) -> None:
    """The message says how to run it instead."""
    path = Path(write_quickstart(str(tmp_path), tables))
    path.write_text(path.read_text() + "# mine\n")
    with pytest.raises(ConfigError, match=r"it was edited.*ray-pipeline run .*quickstart\.yaml"):
        write_quickstart(str(tmp_path), tables)
    assert path.read_text().endswith("# mine\n")


def test_a_file_or_a_bucket_is_no_folder(tmp_path: Path, tables: dict[str, pa.Table]) -> None:
    """The sample goes to a local folder."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match=r"file is a file; give a new or empty folder"):
        write_quickstart(str(tmp_path / "file"), tables)
    with pytest.raises(ConfigError, match=r"s3://bucket/sample is not a local folder"):
        write_quickstart("s3://bucket/sample", tables)


def test_the_config_in_the_repository_is_the_one_that_is_written() -> None:
    """configs/quickstart.yaml is there to be read; the package's copy is what is used."""
    repository = Path(__file__).resolve().parents[2]
    text = (repository / "configs" / "quickstart.yaml").read_text(encoding="utf-8")
    assert text == quickstart_config()


@pytest.mark.parametrize(
    "dest",
    ["quickstart", "../other place", "sample#1: ü", "C\\d\\1", "1e5", "quickstart/quickstart"],
)
def test_the_config_leads_to_its_own_folder(dest: str, in_folder: Path) -> None:
    """Whatever the folder is called, the config reads as YAML and names it as it was given."""
    path = in_folder / "config.yaml"
    path.write_text(quickstart_config(dest), encoding="utf-8")
    config = load_experiment_config(path)
    assert config.data.data_dir == f"{dest}/panel"
    assert config.output.run_dir == f"{dest}/run"
    assert config.data.interval == "1h"
    assert config.execution.executor == "ray"


class Watching(Silent):
    """Counts the finished units: those that were done now, and those that were from before."""

    def __init__(self) -> None:
        self.n_now = 0
        self.n_before = 0

    def outcome(self, outcome: Outcome, n_done: int, n_total: int) -> None:
        """Tell them apart by their attempts."""
        if isinstance(outcome, Done):
            self.n_now += outcome.attempts > 0
            self.n_before += outcome.attempts == 0


@pytest.mark.ray
def test_the_command_runs_on_ray(in_folder: Path) -> None:
    """The same small sample through Ray, by a relative path; a second time nothing is left to do.

    The second is without Ray, which makes no difference to what is finished.
    """
    sample = make_sample(n_symbols=4, n_bars=480, truth=NOTHING_PLANTED)
    small = (*SMALL[1:], "target_ranking.families=[ridge]")
    first, second = Watching(), Watching()
    for watching, execution in ((first, "n_workers=2"), (second, "executor=serial")):
        said: list[str] = []
        code = run_quickstart(
            "sample",
            watching,
            said.append,
            truth=NOTHING_PLANTED,
            sample=sample,
            overrides=(*small, f"execution.{execution}"),
        )
        assert code == 0
        assert any(line.startswith("done: none of 6 targets is predictable") for line in said)
    assert first.n_now > 10
    assert (first.n_before, second.n_now, second.n_before) == (0, 0, first.n_now)
