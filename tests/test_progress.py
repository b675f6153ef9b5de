"""What a person sees while a run works."""

from __future__ import annotations

import ast
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest

import ray_pipeline.driving.progress
import ray_pipeline.driving.steps
from ray_pipeline.driving.progress import Progress
from ray_pipeline.execution import Done, Failed, FailureKind, Unit
from ray_pipeline.results.stages import taken_names

OUTSIDE_STAGES = {"calibrate", "compare_versions", "history", "label", "score", "score_present"}
"""Units of other commands, and of the end of a run."""


class Clock:
    """Time that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(ray_pipeline.driving.progress, "time", clock)
    monkeypatch.setattr(ray_pipeline.driving.steps, "time", clock)
    return clock


def _done(key: str = "A", stage: str = "rank_symbol") -> Done:
    return Done(Unit(stage, key, len, {}), {}, attempts=1, seconds=0.1)


def _failed(key: str, error: str, kind: str = "data") -> Failed:
    unit = Unit("rank_symbol", key, len, {})
    error_type, _, message = error.partition(": ")
    fault: FailureKind = "data" if kind == "data" else "lost"
    return Failed(unit, error_type, message, fault, "", attempts=1)


def test_stage_of_the_user_is_named(clock: Clock) -> None:
    """By the name that it has in the config."""
    stream = io.StringIO()
    Progress(stream).outcome(_done(stage="stage_turnover"), 1, 3)
    assert stream.getvalue() == "[00:00] stage turnover: 1/3\n"


def test_every_stage_has_words_and_a_place_in_the_status() -> None:
    """As units are named in the code; shared values are none, and labeling is not part of a run."""
    package = Path(ray_pipeline.__file__).parent
    found = {
        str(call.args[0].value)
        for path in package.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "Unit"
        and isinstance(call.args[0], ast.Constant)
    }
    assert "training_slice" in found
    found -= {"pool", "pooled_predictions"}
    assert found - taken_names() == OUTSIDE_STAGES


def test_log_gets_a_line_now_and_then(clock: Clock) -> None:
    """In a log the first and the last outcome have a line, the others one in five seconds."""
    stream = io.StringIO()
    progress = Progress(stream)
    for n_done in range(1, 11):
        progress.outcome(_done(), n_done, 10)
        clock.now += 2.0
    assert stream.getvalue().splitlines() == [
        "[00:00] ranking, per symbol: 1/10",
        "[00:06] ranking, per symbol: 4/10, about 9 s left",
        "[00:12] ranking, per symbol: 7/10, about 5 s left",
        "[00:18] ranking, per symbol: 10/10",
    ]


def test_failures_are_told_at_once(clock: Clock) -> None:
    """A failure has its own line; bad data are told in words, a lost worker with its error."""
    stream = io.StringIO()
    progress = Progress(stream)
    progress.outcome(_done(), 1, 3)
    progress.outcome(_failed("A", "DataError: symbol A: 10 rows; 300 are needed."), 2, 3)
    progress.outcome(_failed("B", "WorkerLost: gone", "lost"), 3, 3)
    assert stream.getvalue().splitlines() == [
        "[00:00] ranking, per symbol: 1/3",
        "[00:00]   A: 10 rows; 300 are needed.",
        "[00:00]   B: WorkerLost: gone",
        "[00:00] ranking, per symbol: 3/3, 1 left out, 1 failed",
    ]


def test_each_stage_counts_its_own_failures(clock: Clock) -> None:
    """A new stage begins with none."""
    stream = io.StringIO()
    progress = Progress(stream)
    progress.outcome(_failed("A", "DataError: odd"), 1, 1)
    progress.outcome(_done(stage="train_symbol"), 1, 1)
    assert stream.getvalue().splitlines()[-1] == "[00:00] training, per symbol: 1/1"


def test_finished_work_is_told_apart(clock: Clock) -> None:
    """What an earlier run finished is told once, and says nothing of the time to come."""
    stream = io.StringIO()
    progress = Progress(stream)
    for n_done in range(1, 8):
        progress.outcome(replace(_done(), attempts=0), n_done, 10)
    clock.now += 6.0
    progress.outcome(_done(), 8, 10)
    progress.outcome(_done(), 9, 10)
    progress.outcome(_done(), 10, 10)
    assert stream.getvalue().splitlines() == [
        "[00:06] ranking, per symbol: 8/10, 7 from before, about 12 s left",
        "[00:06] ranking, per symbol: 10/10, 7 from before",
    ]


def test_terminal_rewrites_one_line(clock: Clock) -> None:
    """On a terminal every outcome rewrites the line; sentences stand above it."""
    stream = Terminal()
    progress = Progress(stream)
    progress.outcome(_done(), 1, 2)
    progress.say("warning: few symbols")
    progress.outcome(_done(), 2, 2)
    clear = "\r\x1b[2K"
    assert stream.getvalue() == (
        f"{clear}[00:00] ranking, per symbol: 1/2"
        f"{clear}[00:00] warning: few symbols\n"
        f"{clear}[00:00] ranking, per symbol: 2/2\n"
    )


def shown_by_a_notebook(written: str) -> list[str]:
    """Return the lines that a notebook shows: a carriage return goes back, and nothing clears."""
    lines = []
    for line in written.split("\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        lines.append(shown.rstrip())
    return lines


def test_notebook_rewrites_one_line(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage that went well leaves no line behind, and no line keeps the end of a longer one."""
    stream = io.StringIO()
    monkeypatch.setattr(ray_pipeline.driving.progress, "_NOTEBOOKS", (type(stream).__module__,))
    progress = Progress(stream)
    for n_done in range(1, 4):
        progress.outcome(_done(stage="prove_pooled"), n_done, 3)
        clock.now += 0.1  # the second one comes too soon to be shown
    assert stream.getvalue().count("proving") == 2
    progress.outcome(_done(), 1, 1)
    assert shown_by_a_notebook(stream.getvalue()) == ["[00:00] ranking, per symbol: 1/1"]
    progress.say("warning: few symbols")
    progress.outcome(_failed("A", "DataError: odd"), 1, 1)
    progress.outcome(_done(stage="train_symbol"), 1, 1)
    progress.say("done")
    assert shown_by_a_notebook(stream.getvalue()) == [
        "[00:00] warning: few symbols",
        "[00:00]   A: odd",
        "[00:00] ranking, per symbol: 1/1, 1 left out",
        "[00:00] done",
        "",
    ]


def test_quick_listing_is_not_told(clock: Clock) -> None:
    """A listing speaks up after five seconds, and every five from then on."""
    stream = io.StringIO()
    progress = Progress(stream)
    for n_files in (1000, 2000, 3000, 4000):
        progress.listed(n_files)
        clock.now += 3.0
    assert stream.getvalue() == "[00:06] listing: 3,000 files so far\n"


def test_closed_log_does_not_stop_the_work() -> None:
    """When the reader of the log has gone, nothing more is written and nothing is raised."""

    class Broken(io.StringIO):
        n_tries = 0

        def write(self, text: str) -> int:
            self.n_tries += 1
            raise BrokenPipeError

    stream = Broken()
    progress = Progress(stream)
    progress.say("hello")
    progress.outcome(_done(), 1, 1)
    assert stream.n_tries == 1


def test_a_step_that_was_finished_before_has_one_line(clock: Clock) -> None:
    """However many units it has, and however long it takes to look at them."""
    stream = io.StringIO()
    progress = Progress(stream)
    for n_done in range(1, 6):
        progress.outcome(replace(_done(), attempts=0), n_done, 5)
        clock.now += 4.0
    (line,) = stream.getvalue().splitlines()
    assert "ranking, per symbol: 5/5" in line
    assert "from before" in line


def test_of_a_run_its_own_end_is_told_and_no_other(clock: Clock) -> None:
    """One figure: what the whole run will still take, where that is known."""
    stream = io.StringIO()
    progress = Progress(stream)
    progress.outcome(_done(), 1, 10)
    clock.now += 6.0
    progress.remaining(245.0)
    progress.outcome(_done(), 2, 10)
    assert re.findall(r"about (.*) left", stream.getvalue()) == ["4 min 05 s"]
    assert "left of the run" in stream.getvalue()


def test_a_rewritten_line_fits_the_terminal(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that the terminal breaks could not be rewritten; the last one stays whole."""
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    progress = Progress(stream)
    progress.outcome(_done(), 1, 2)
    assert len(stream.getvalue().removeprefix("\r\x1b[2K")) < 20
    progress.outcome(_done(), 2, 2)
    assert stream.getvalue().endswith("ranking, per symbol: 2/2\n")
