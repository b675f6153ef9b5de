"""Addresses that lead nowhere, given to every command that takes one: one sentence, no waiting."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from panels import bars_table, symbol_names, write_config, write_panel

from ray_pipeline.cli import main

RELEASE = Path(__file__).parent / "releases" / "0.1.0"

ADDRESSES = (
    *("", " ", "/", ".", "://", "://x", ":", "x://", "nope://x", "S3://b/x", "FILE:///x"),
    *("s3:/b/x", "file://", "file:///proc/self/mem", "/dev/null", "/dev/null/x", "~nobody/x"),
    *("a\x1bb", "a\nb", "data:,x", "data:text/plain;base64,eA==", "data://x", "memory://"),
    *("memory:///", "s3://", "ftp://127.0.0.1/x", "sftp://127.0.0.1/x", "ssh://h/x", "smb://h/x"),
    *("http://127.0.0.1:9/x", "https://h/x", "webhdfs://h/x", "hdfs://h/x", "arrow_hdfs://h/x"),
    *("hdfs://", "jupyter://h", "zip://x", "zip://x.zip::memory://y", "tar://x"),
    *("libarchive://x", "reference://x", "dir://x", "generic://x", "cached://x"),
    *("blockcache://x", "filecache://x", "simplecache://x", "simplecache::memory://x"),
    *("filecache::s3://b/x", "::", "a::b", "async_wrapper://x", "github://a:b@main/x", "git://x"),
    *("gist://x", "dbfs://x", "dask://x", "gs://b/x", "az://c/x"),
    *("abfs://c@a.dfs.core.windows.net/x", "oci://b/x", "hf://datasets/a/b", "gdrive://x"),
    *("dvc://x", "s3://HUSH@b/x", "s3://me:HUSH@b/x", "s3://me:HU/SH@b/x"),
    *("s3://b/x?X-Amz-Signature=HUSH", "https://h/x?sig=HUSH", "gs://b/x?token=HUSH"),
    *("abfs://c:HUSH@a/x", "memory://x?secret=HUSH"),
)
"""None of them names data, a run, or a place that a run can write to from several processes."""

Answer = Callable[..., str]

WRITABLE = {
    *(" ", ".", ":", "::", "a::b", "s3:/b/x", "data:,x", "data:text/plain;base64,eA=="),
    "~nobody/x",
}
"""Names of local folders, odd as they are: results could be written there."""


@pytest.fixture
def answer(capsys: pytest.CaptureFixture[str]) -> Answer:
    """Give what a command line that must fail says about it."""

    def refused(*arguments: str) -> str:
        start = time.monotonic()
        code = main(arguments)
        output = capsys.readouterr()
        assert time.monotonic() - start < 20
        assert code == 2, (arguments, code, output.err)
        assert output.out == ""
        (line,) = [text for text in output.err.splitlines() if not text.startswith("[")]
        assert line.startswith("ray-pipeline: ")
        assert line.isprintable()
        assert "HUSH" not in line
        assert "Traceback" not in line
        return line

    return refused


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write bars of one symbol."""
    (symbol,) = symbol_names(1)
    return write_panel(tmp_path_factory.mktemp("data"), {symbol: bars_table(symbol)})


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_of_data(address: str, answer: Answer, tmp_path: Path) -> None:
    """`discover`, `check` and `run` refuse it alike."""
    answer("discover", "--", address)
    config = write_config(tmp_path / "run.yaml", "x", tmp_path / "run")
    for command in ("check", "run"):
        answer(command, str(config), f"--set=data.data_dir={address}")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_of_a_run(address: str, answer: Answer) -> None:
    """So do the commands that read runs."""
    answer("status", "--", address)
    answer("report", "--", address)
    answer("explain", "--target=x", "--", address)
    answer("compare", "--", address, str(RELEASE / "run"))
    answer("predict", "--data-dir=x", "--out=y", "--", address)


@pytest.mark.parametrize("address", [each for each in ADDRESSES if each not in WRITABLE])
def test_an_address_of_results(
    address: str, answer: Answer, data_dir: Path, tmp_path: Path
) -> None:
    """And those that write: nothing is written anywhere."""
    config = write_config(tmp_path / "run.yaml", data_dir, "unused", execution={"executor": "ray"})
    if address:  # an empty key has the default
        answer("check", str(config), f"--set=output.run_dir={address}")
    answer("label", str(config), f"--out={address}", "--set=labeling.targets=[fwd_ret_1d]")
    run = shutil.copytree(RELEASE / "run", tmp_path / "run")
    answer("predict", f"--data-dir={RELEASE / 'recent'}", f"--out={address}", "--", str(run))
    assert list(Path.cwd().iterdir()) == []
