"""One driver at a time on a run directory, whatever became of the one before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from panels import quick_config

from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import RunInUseError, RunTakenOverError, StorageError
from ray_pipeline.execution import Outcome
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.storage import RunDirectory
from ray_pipeline.storage import lease as leases
from ray_pipeline.storage.lease import LEASE, DriverLease, Holder
from ray_pipeline.storage.process import is_gone, machine_id, start_ticks

if TYPE_CHECKING:
    from conftest import Store

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(store: Store) -> RunDirectory:
    return RunDirectory(store.uri_of("run"), store.options)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beat and wait in hundredths of the seconds of a real run."""
    for name, seconds in (("_BEAT_S", 0.02), ("_SILENT_S", 0.5), ("_POLL_S", 0.01)):
        monkeypatch.setattr(leases, name, seconds)


@pytest.fixture
def elsewhere() -> Holder:
    """Give a driver on another machine."""
    here = Holder.of_this_process()
    return replace(here, token="theirs", host="node-7", pid=1234, machine="another boot")


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ignore(_: str) -> None:
    """Hear nothing."""


@contextmanager
def beating(run: RunDirectory, holder: Holder) -> Iterator[None]:
    """Let a driver elsewhere show life."""
    is_over = threading.Event()

    def beat() -> None:
        alive = holder
        while not is_over.wait(0.02):
            alive = alive.beaten()
            run.write_bytes(LEASE, alive.written())

    thread = threading.Thread(target=beat)
    thread.start()
    yield
    is_over.set()
    thread.join()


def test_second_driver_is_refused(run: RunDirectory) -> None:
    """It learns who works there; afterwards nothing is left of the lease."""
    with DriverLease(run, ignore).held():
        with pytest.raises(
            RunInUseError,
            match=rf"/run is in use by process {os.getpid()} on \S+ \(started 2\S+, last heartbeat "
            r"2\S+\)\. Wait until that run has ended, stop it, or give this one another directory",
        ):
            DriverLease(run, ignore)._acquire()
        assert run.exists(LEASE)
    assert not run.exists(LEASE)


def test_dead_driver_of_this_machine_is_replaced_at_once(tmp_path: Path) -> None:
    """Without a wait, and aloud: its process number and start are known to be gone."""
    run = RunDirectory(tmp_path / "run")
    program = (
        "import os, sys\n"
        "from ray_pipeline.storage.lease import DriverLease\n"
        "from ray_pipeline.storage import RunDirectory\n"
        "DriverLease(RunDirectory(sys.argv[1]), print)._acquire()\n"
        "os._exit(9)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    died = subprocess.run([sys.executable, "-c", program, run.uri], env=environment, check=False)
    assert died.returncode == 9
    left = Holder.read(run.read_bytes(LEASE))
    assert left is not None
    assert left.life == "gone"
    said: list[str] = []
    with DriverLease(run, said.append).held():
        pass
    assert said == [f"taking over from {left}, which has ended"]


@pytest.mark.usefixtures("quick")
def test_silent_driver_elsewhere_is_replaced(run: RunDirectory, elsewhere: Holder) -> None:
    """After its heartbeat stood still for long enough; its clock does not matter."""
    run.write_bytes(LEASE, replace(elsewhere, beat_at="2199-01-01").written())
    said: list[str] = []
    with DriverLease(run, said.append).held() as lease:
        lease.check()
    assert said[0].startswith("waiting 0 s for a sign of life from process 1234 on node-7")
    assert said[1] == "there was none: taking over"


@pytest.mark.usefixtures("quick")
def test_one_of_many_takes_over(run: RunDirectory, elsewhere: Holder) -> None:
    """Of those that saw the same driver die, one goes on and the others are refused."""
    run.write_bytes(LEASE, elsewhere.written())
    together = threading.Barrier(6)

    def take_over(_: int) -> Holder | None:
        lease = DriverLease(run, ignore)
        together.wait()
        try:
            lease._acquire()
        except RunInUseError:
            return None
        return lease._mine

    with ThreadPoolExecutor(6) as pool:
        holders = [holder for holder in pool.map(take_over, range(6)) if holder is not None]
    assert [Holder.read(run.read_bytes(LEASE))] == holders


@pytest.mark.usefixtures("quick")
def test_living_driver_elsewhere_is_left_alone(run: RunDirectory, elsewhere: Holder) -> None:
    """One heartbeat is enough, however old its clock says that it is."""
    old = replace(elsewhere, beat_at="1999-01-01", started_at="1999-01-01")
    run.write_bytes(LEASE, old.written())
    with (
        beating(run, old),
        pytest.raises(RunInUseError, match="in use by process 1234 on node-7"),
    ):
        DriverLease(run, ignore)._acquire()


@pytest.mark.usefixtures("quick")
def test_driver_that_ends_while_waited_for(run: RunDirectory, elsewhere: Holder) -> None:
    """The one who waits goes on as soon as the lease is given back."""
    run.write_bytes(LEASE, elsewhere.written())
    threading.Timer(0.1, run.remove, [LEASE]).start()
    said: list[str] = []
    with DriverLease(run, said.append).held():
        pass
    assert len(said) == 1


@pytest.mark.usefixtures("quick")
def test_unreadable_lease_is_waited_out(run: RunDirectory) -> None:
    """A file that some other version wrote may belong to a living driver, and may not."""
    run.write_bytes(LEASE, b"{}")
    said: list[str] = []
    with DriverLease(run, said.append).held():
        pass
    assert said[0] == "waiting 0 s for a sign of life from somebody who left driver.json"


@pytest.mark.usefixtures("quick")
def test_driver_notices_that_it_was_replaced(run: RunDirectory, elsewhere: Holder) -> None:
    """It stops, says by whom, and leaves the other's lease alone."""
    with DriverLease(run, ignore).held() as lease:
        run.write_bytes(LEASE, elsewhere.written())
        until(lambda: lease.is_lost)
        with pytest.raises(RunTakenOverError, match="was taken over by process 1234 on node-7"):
            lease.check()
    assert run.read_bytes(LEASE) == elsewhere.written()


@pytest.mark.usefixtures("quick")
def test_lease_that_somebody_removed_comes_back(run: RunDirectory) -> None:
    """A file deleted by hand does not open the directory to a second driver."""
    with DriverLease(run, ignore).held() as lease:
        run.remove(LEASE)
        until(lambda: run.exists(LEASE))
        lease.check()
    assert not run.exists(LEASE)


@pytest.mark.usefixtures("quick")
def test_heartbeat_outlives_a_store_that_fails(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that answers nothing for a while does not end the run."""
    with DriverLease(run, ignore).held() as lease:
        swap, failed = RunDirectory.swap_bytes, []

        def broken(self: RunDirectory, *arguments: object) -> bool:
            if len(failed) < 3:
                failed.append(arguments)
                raise StorageError("Please reduce your request rate.")
            return swap(self, *arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(RunDirectory, "swap_bytes", broken)
        until(lambda: len(failed) == 3)
        before = run.read_bytes(LEASE)
        until(lambda: run.read_bytes(LEASE) != before)
        lease.check()


def test_process_numbers_are_given_again() -> None:
    """A process is named by number and start; a machine that says nothing proves nothing."""
    here, pid = machine_id(), os.getpid()
    ticks = start_ticks(pid)
    assert ticks is not None
    assert not is_gone(here, pid, ticks)
    assert is_gone(here, pid, ticks - 1)
    assert not is_gone("another boot", pid, ticks - 1)
    assert not is_gone(None, pid, None)


def test_zombie_is_gone() -> None:
    """A killed process whose parent has not asked for it yet holds nothing."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    ticks = start_ticks(child.pid)
    assert not is_gone(machine_id(), child.pid, ticks)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_gone(machine_id(), child.pid, ticks)
    child.communicate()


class TakenOver(Silent):
    """Lets a driver elsewhere take the run over in its middle."""

    def __init__(self, run: RunDirectory, holder: Holder) -> None:
        self._run, self._holder = run, holder

    def outcome(self, outcome: Outcome, n_done: int, n_total: int) -> None:
        """Wait, once a unit of ranking has ended, until the heartbeat has noticed."""
        if outcome.unit.stage == "rank_symbol":
            self._run.write_json("run.json", {"status": "running", "name": "theirs"})
            self._run.write_bytes(LEASE, self._holder.written())
            time.sleep(0.3)


@pytest.mark.usefixtures("quick")
def test_run_that_was_taken_over_writes_no_more(
    data_dir: Path, tmp_path: Path, elsewhere: Holder
) -> None:
    """The other driver's record stays as it is."""
    config = quick_config(data_dir, tmp_path / "run")
    run = RunDirectory(tmp_path / "run")
    with pytest.raises(RunTakenOverError):
        run_pipeline(config, TakenOver(run, elsewhere))
    assert run.read_json("run.json") == {"status": "running", "name": "theirs"}
    assert not run.exists("report.html")
    assert json.loads(run.read_bytes(LEASE))["token"] == "theirs"
