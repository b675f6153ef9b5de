"""Standard output and error: what is escaped, and what a stream that fails does to a command."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from panels import planted_panel, symbol_folder, symbol_names, write_config, write_panel

from ray_pipeline.cli import main
from ray_pipeline.driving.progress import Progress
from ray_pipeline.errors import DataError, DiscoveryError, StorageError
from ray_pipeline.terminal import complain, put, put_json

REPOSITORY = Path(__file__).resolve().parents[1]
FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write two symbols, and a third whose name would clear the screen and turn text around."""
    panel = planted_panel(symbol_names(2))
    root = write_panel(tmp_path_factory.mktemp("data"), panel)
    symbol_folder(root, "E\x1b[2J\u202eE").mkdir()
    (symbol_folder(root, "E\x1b[2J\u202eE") / "_SUCCESS").touch()
    return root


def program(arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a shell line with the program in it, written as ``RP``."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    line = arguments.replace("RP", f"{sys.executable} -m ray_pipeline")
    return subprocess.run(
        ["bash", "-c", line],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_names_are_escaped_for_people_and_kept_for_programs(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Controls and bidirectional characters reach a JSON reader as they are, a terminal never."""
    assert main(["discover", str(data_dir)]) == 0
    assert r"- E\x1b[2J\u202eE: " in capsys.readouterr().out
    assert main(["discover", str(data_dir), "--json"]) == 0
    (rejected,) = json.loads(capsys.readouterr().out)["rejected"]
    assert rejected["symbol"] == "E\x1b[2J\u202eE"


def test_errors_are_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A key of a config, or a path, may hold anything."""
    (tmp_path / "run.yaml").write_text('data: {data_dir: x, "a\\u001b[31m\\u200b": 1}\n')
    assert main(["check", str(tmp_path / "run.yaml")]) == 2
    error = capsys.readouterr().err
    assert r"data.a\x1b[31m\u200b" in error
    assert "\x1b" not in error
    assert main(["discover", f"{tmp_path}/\x9b31m"]) == 2
    assert r"\x9b31m" in capsys.readouterr().err


def test_progress_is_escaped() -> None:
    """Its own control sequences are all that a terminal gets."""
    stream = io.StringIO()
    Progress(stream).say("symbol \x1b]0;title\x07\u2066 at https://me:HUSH@host")
    assert stream.getvalue() == r"[00:00] symbol \x1b]0;title\x07\u2066 at https://…@host" + "\n"


def test_a_line_of_a_result_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """No name passes for another line; in a message of several lines they are kept."""
    put("a\nb", "c")
    complain("first\nsecond")
    output = capsys.readouterr()
    assert output.out == "a\\x0ab\nc\n"
    assert output.err == "ray-pipeline: first\nsecond\n"


def test_a_secret_in_an_address_is_blanked(capsys: pytest.CaptureFixture[str]) -> None:
    """Libraries repeat the endpoint of the environment in their messages."""
    complain("Could not connect to https://me:HUSH@host:9000/b?X-Amz-Signature=HUSH&x=1")
    assert capsys.readouterr().err == (
        "ray-pipeline: Could not connect to https://…@host:9000/b?X-Amz-Signature=…&x=1\n"
    )


@pytest.mark.parametrize("kind", [DataError, DiscoveryError, StorageError])
def test_every_error_is_of_a_readable_length(kind: type[Exception]) -> None:
    """A message that repeats what somebody wrote is cut, and says how much is left out."""
    text = str(kind("name " * 100_000))
    assert len(text) <= 4_000
    assert "characters left out" in text


def test_output_that_the_encoding_does_not_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An ASCII terminal gets escapes, and JSON that any reader understands."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    put("Zürich")
    put_json({"symbol": "Zürich\udcff"})
    first, *rest = raw.getvalue().decode("ascii").splitlines()
    assert first == r"Z\xfcrich"
    assert json.loads("".join(rest)) == {"symbol": "Zürich\udcff"}


@needs_full
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("discover {data}", 1),
        ("discover {data} --json", 1),
        ("schema", 1),
        ("compare {data} {data}", 2),
    ],
)
def test_a_full_output_is_told(command: str, code: int, data_dir: Path) -> None:
    """A result that was not told: one sentence, an exit code that says so, no traceback."""
    done = program(f"RP {command.format(data=data_dir)} > /dev/full")
    assert done.returncode == code
    (line,) = done.stderr.splitlines()
    assert "No space left on device" in line or command.startswith("compare")


@pytest.mark.parametrize("streams", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_not_errors(streams: str, data_dir: Path) -> None:
    """Nothing is printed into a file that happens to be opened next; a lost result is told."""
    done = program(f"RP discover {data_dir} {streams}")
    assert done.returncode == (1 if ">&-" in streams.replace("2>&-", "") else 0)
    if streams == ">&-":
        assert done.stderr == "ray-pipeline: standard output is closed\n"
    assert "Traceback" not in done.stderr + done.stdout


@needs_full
@pytest.mark.parametrize("streams", ["> /dev/full", "2> /dev/full", ">&- 2>&-"])
def test_a_run_does_not_depend_on_who_listens(streams: str, data_dir: Path, tmp_path: Path) -> None:
    """Its results are in the run directory: exit 0 with nobody to tell."""
    config = write_config(tmp_path / "run.yaml", data_dir, tmp_path / "run")
    done = program(f"RP run {config} {streams}")
    assert done.returncode == 0
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "done"
    if streams == "> /dev/full":
        assert done.stderr.splitlines()[-1] == (
            "ray-pipeline: cannot write to standard output: No space left on device; the results "
            "are where they belong"
        )


@needs_full
def test_an_error_that_cannot_be_told_keeps_its_exit_code(tmp_path: Path) -> None:
    """With standard error full as well."""
    assert program(f"RP discover {tmp_path} > /dev/full 2> /dev/full").returncode == 2
    assert program("RP frobnicate 2> /dev/full").returncode == 2
