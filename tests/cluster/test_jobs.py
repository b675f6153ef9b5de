"""Runs as Ray jobs: submitted to a real head; their log, their exit codes, their end by stop."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from panels import symbol_folder, symbol_names
from ray.job_submission import JobStatus, JobSubmissionClient

from .nodes import Cluster, clean_environment, wait_until
from .working_folder import WorkingFolder, ended, run_command, submit_command

pytestmark = [pytest.mark.ray, pytest.mark.cluster]

DONE = "1 of 1 target predictable (fwd_ret_1d), 10 of 10 models trained"


def our_lines(stdout: str) -> list[str]:
    """Return what a run printed, without the lines of Ray around it."""
    _, _, log = stdout.partition("Running entrypoint for job")
    return [line for line in log.split("\n")[1:] if not re.match(r"\d{4}-\d\d-\d\d ", line)]


def test_run_as_a_job(cluster: Cluster, work: WorkingFolder, serial_sha256: str) -> None:
    """Plain lines, the result and what comes next, exit code 0, and the content without Ray."""
    job = work.call(submit_command(cluster.head, work.config("job")))
    assert job.code == 0, job.text
    lines = [line for line in our_lines(job.stdout) if line]
    progress, result = lines[:-4], lines[-4:]
    assert result[:2] == [f"done: {DONE}", f"report: {work.runs}/job/report.html"]
    assert all("ray-pipeline " in line for line in result[2:])
    assert all(re.match(r"\[\d\d:\d\d\] \S", line) for line in progress)
    assert not re.search(r"[\r\x1b]", "".join(lines))
    assert {"getting Ray ready", "training, per symbol: 4/4"} <= set(job.progress)
    assert work.record("job")["content_sha256"] == serial_sha256


def test_jobs_that_fail(cluster: Cluster, work: WorkingFolder, tmp_path: Path) -> None:
    """A wrong config and a run that fails: exit code 1, and one sentence in the log that says why.

    The exit code of the run itself, 2 or 1, is in what Ray says of the job.
    """
    for symbol in symbol_names(2):
        folder = symbol_folder(tmp_path, symbol)
        folder.mkdir(parents=True)
        (folder / "part-0.parquet").write_bytes(b"PAR1 torn")
    work.config("wrong", data={"data_dri": "x"})
    work.config("torn", data={"data_dir": str(tmp_path)})
    submitted = [
        work.start(submit_command(cluster.head, f"{name}.yaml"), clean_environment())
        for name in ("wrong", "torn")
    ]
    wrong, torn = (ended(process) for process in submitted)
    assert (wrong.code, torn.code) == (1, 1)
    assert "entrypoint command failed with exit code 2" in wrong.stdout, wrong.text
    assert "unknown key 'data.data_dri'. Did you mean 'data_dir'?" in our_lines(wrong.stdout)[0]
    assert "entrypoint command failed with exit code 1" in torn.stdout, torn.text
    [said, repeated] = [line for line in our_lines(torn.stdout) if "ray-pipeline: " in line]
    assert "2 of 2 symbols failed, more than execution.max_failed_fraction=0.5 allows" in said
    assert said == repeated  # by `ray job submit`, below the status
    assert "Traceback" not in wrong.stdout + torn.stdout
    assert work.record("torn")["status"] == "failed"


def test_job_that_is_stopped(cluster: Cluster, work: WorkingFolder, serial_sha256: str) -> None:
    """`ray job stop` interrupts a run as Ctrl-C does; the same command continues from there."""
    config = work.config("stopped")
    client = JobSubmissionClient(cluster.head.dashboard_url)
    job = client.submit_job(
        entrypoint=" ".join(run_command(config)), runtime_env={"working_dir": str(work.path)}
    )
    units = work.runs / "stopped" / "units"
    wait_until(lambda: any(units.glob("*/*.json")), "the first unit", 60, interval_s=0.02)
    client.stop_job(job)
    wait_until(lambda: client.get_job_status(job).is_terminal(), "the job to end", 30)
    assert client.get_job_status(job) is JobStatus.STOPPED
    log = client.get_job_logs(job)
    assert log.endswith("ray-pipeline: interrupted; the same command continues from here\n"), log
    assert work.record("stopped")["status"] == "interrupted"
    again = work.call(submit_command(cluster.head, config))
    assert again.code == 0, again.text
    assert any("from before" in line for line in again.progress)
    assert work.record("stopped")["content_sha256"] == serial_sha256
