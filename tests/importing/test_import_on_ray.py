"""Imports through Ray Data itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
from import_data import bars, import_all, put_days, tree

from ray_pipeline.cli import main
from ray_pipeline.config import load_experiment_config
from ray_pipeline.discovery import discover
from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import DataError, ExecutionError
from ray_pipeline.importing import chunks, command
from ray_pipeline.importing.command import ImportOptions, import_panel

if TYPE_CHECKING:
    from conftest import Store

pytestmark = pytest.mark.ray

SYMBOLS = [f"S{i:02}" for i in range(20)]


@pytest.fixture(name="days")
def day_files(tmp_path: Path) -> Path:
    put_days(tmp_path / "days", bars("2023-12-01", 60, SYMBOLS))
    return tmp_path / "days"


@pytest.mark.usefixtures("ray_of_the_tests")
def test_files_do_not_depend_on_how_the_work_is_cut(
    days: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One chunk or sixty, four buckets or forty: the bytes are the same, and every row is there."""
    once = import_all(days, tmp_path / "whole")
    monkeypatch.setattr(command, "chunks_of", lambda extents: chunks.chunks_of(extents, 1))
    monkeypatch.setattr(command, "n_buckets_for", lambda extents: 40)
    cut = import_all(days, tmp_path / "cut")
    assert tree(tmp_path / "cut") == tree(tmp_path / "whole")
    assert (once.n_read, once.n_added) == (cut.n_read, cut.n_added) == (1200, 1200)
    assert discover(tmp_path / "cut").symbols == SYMBOLS


@pytest.mark.usefixtures("ray_of_the_tests")
def test_errors_of_workers_are_ours(days: Path, tmp_path: Path) -> None:
    """A file that turns out to be damaged while it is read is named."""
    table = pq.ParquetFile(days / "2024-01-03.parquet").read()
    sink = days / "2024-01-03.parquet"
    pq.write_table(table, sink, compression="none", use_dictionary=False, write_page_checksum=True)
    content = bytearray(sink.read_bytes())
    content[4:40] = bytes(36)
    sink.write_bytes(content)
    with pytest.raises(DataError, match=rf"^{sink} cannot be read: [^\n]*$"):
        import_all(days, tmp_path / "panel")


class OnlyHere:
    """Something that no worker can read, as that of another version."""

    def __reduce__(self) -> tuple[object, ...]:
        """Be read as something that is not there."""
        return getattr, (command, "_of_another_version")


@pytest.mark.usefixtures("ray_of_the_tests")
def test_workers_of_another_version_end_the_import(
    days: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray Data would try such a task again for ever."""
    monkeypatch.setattr(command, "chunks_of", lambda extents: (OnlyHere(), OnlyHere()))
    monkeypatch.setattr(OnlyHere, "index", 0, raising=False)
    with pytest.raises(ExecutionError, match=r"^A worker cannot read what .* on all nodes\.$"):
        import_all(days, tmp_path / "panel")


@pytest.mark.usefixtures("ray_of_the_tests")
def test_a_panel_on_s3_is_that_of_a_disk(
    days: Path, tmp_path: Path, s3_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a store to a store, byte by byte."""
    import_all(days, tmp_path / "here")
    for path in days.iterdir():
        s3_store.put(f"days/{path.name}", path.read_bytes())
    options = {"source_options": s3_store.options, "out_options": s3_store.options}
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        done = import_panel(
            s3_store.uri_of("days"),
            s3_store.uri_of("panel"),
            ImportOptions("1d", **options),
            Silent(),
        )
    assert (done.n_files, done.n_known_files) == (0, 60)
    found = {
        name: s3_store.fs.cat_file(f"{s3_store.path}/panel/{name}")
        for name in tree(tmp_path / "here")
    }
    assert found == tree(tmp_path / "here")


def test_the_command_starts_and_ends_its_own_ray(
    days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It tells what it did on standard output, and leaves no Ray behind."""
    import ray

    if ray.is_initialized():
        ray.shutdown()
    out = tmp_path / "panel"
    assert main(["import", str(days), "--out", str(out), "--interval", "1d"]) == 0
    told = capsys.readouterr().out
    assert "read     1,200 rows of 20 symbols from 60 files" in told
    assert f"next     ray-pipeline check {out}.yaml" in told
    assert not ray.is_initialized()
    config = load_experiment_config(f"{out}.yaml")
    assert config.data.data_dir == str(out)
    assert len(discover(config.data.data_dir, config.data.interval).symbols) == 20


@pytest.mark.usefixtures("interrupt_after")
def test_a_killed_import_is_continued(days: Path, tmp_path: Path) -> None:
    """With all its processes, at any time: the same command ends with the same files."""
    out = tmp_path / "panel"
    line = [sys.executable, "-m", "ray_pipeline", "import", str(days), "--interval", "1d"]
    import_all(days, tmp_path / "whole")  # in this process, and without Ray
    process = subprocess.Popen(
        [*line, "--out", str(out)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while not list(out.rglob("part-0.parquet")) and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (out / "_import" / "driver.json").unlink(missing_ok=True)  # else a minute's wait for its end
    subprocess.run([*line, "--out", str(out)], check=True, capture_output=True)
    assert tree(out) == tree(tmp_path / "whole")
