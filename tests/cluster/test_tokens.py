"""A cluster that asks for a token: what is seen without it, and that it opens the cluster."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from .nodes import Cluster, clean_environment
from .working_folder import Ended, WorkingFolder, ended, run_command, submit_command

pytestmark = [pytest.mark.ray, pytest.mark.cluster]

TOKEN = "a-token-that-no-other-cluster-has"

CURE = "Set RAY_AUTH_MODE=token, and put the cluster's token in RAY_AUTH_TOKEN or ~/.ray/auth_token"

JOINS = """
import sys
from ray_pipeline.execution.ray_session import RaySession
session = RaySession(sys.argv[1])
print(len(session.nodes()))
session.close()
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(head_cpus=2, token=TOKEN) as cluster:
        yield cluster


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Give a home without a token."""
    return tmp_path


def together(
    work: WorkingFolder, commands: Sequence[Sequence[str]], variables: dict[str, str]
) -> list[Ended]:
    """Run commands at the same time."""
    started = [work.start(command, clean_environment(**variables)) for command in commands]
    return [ended(process) for process in started]


def status_of_jobs(url: str, token: str | None) -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"{url}/api/jobs/", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_job_without_the_token(cluster: Cluster, work: WorkingFolder, home: Path) -> None:
    """The answer is 401, or 403 for a wrong one, and `ray job submit` ends with a stack trace."""
    url = cluster.head.dashboard_url
    assert [status_of_jobs(url, token) for token in (None, "wrong", TOKEN)] == [401, 403, 200]
    submit = submit_command(cluster.head, work.config("refused"))
    [off] = together(work, [submit], {"HOME": str(home)})
    assert off.code == 1
    assert "AuthenticationError: Authentication required: Unauthorized: Missing" in off.stderr
    assert "RAY_AUTH_MODE is currently 'disabled' (not 'token')" in off.stderr
    variables = {"HOME": str(home), "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "wrong"}
    [wrong] = together(work, [submit], variables)
    assert wrong.code == 1
    assert "AuthenticationError: Authentication failed: Forbidden: Invalid" in wrong.stderr


def test_job_with_the_token(
    cluster: Cluster, work: WorkingFolder, home: Path, serial_sha256: str
) -> None:
    """The file at home is enough for the submitter; the job has the token from its cluster."""
    (home / ".ray").mkdir()
    (home / ".ray" / "auth_token").write_text(TOKEN)
    submit = submit_command(cluster.head, work.config("job"))
    [job] = together(work, [submit], {"HOME": str(home), "RAY_AUTH_MODE": "token"})
    assert job.code == 0, job.text
    assert work.record("job")["content_sha256"] == serial_sha256
    assert TOKEN not in job.stdout + job.stderr


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({}, "it asks for a token, and RAY_AUTH_MODE is not set to token here"),
        (
            {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "wrong"},
            "it asks for a token, and that of RAY_AUTH_TOKEN is not the right one",
        ),
        ({"RAY_AUTH_MODE": "token"}, "RAY_AUTH_MODE is token, and no token was found"),
    ],
    ids=["off", "wrong", "none"],
)
def test_driver_without_the_token(
    cluster: Cluster, work: WorkingFolder, home: Path, variables: dict[str, str], reason: str
) -> None:
    """One sentence says what to set, by address and by Ray Client, before Ray tries for long."""
    addresses = (cluster.head.address, cluster.head.client_address)
    commands = [
        run_command(work.config(f"refused_{i}"), "--address", address)
        for i, address in enumerate(addresses)
    ]
    for address, run in zip(
        addresses, together(work, commands, {"HOME": str(home)} | variables), strict=True
    ):
        assert run.code == 1, run.text
        said = run.stderr.splitlines()[-1]
        assert said.startswith(f"ray-pipeline: The Ray cluster {address} could not be joined: ")
        assert f"joined: {reason}. {CURE}" in said
        assert run.progress[-1] == "getting Ray ready"
        assert len(run.stderr.splitlines()) == 3, run.text


def test_driver_with_the_token(cluster: Cluster, work: WorkingFolder, home: Path) -> None:
    """Both ways in are open to it."""
    variables = {"HOME": str(home), "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}
    addresses = (cluster.head.address, cluster.head.client_address)
    commands = [["python", "-c", JOINS, address] for address in addresses]
    for joined in together(work, commands, variables):
        assert (joined.code, joined.stdout) == (0, "1\n"), joined.text
