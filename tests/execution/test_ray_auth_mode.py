"""Which authentication modes can follow each other in a process, and what is said of others."""

from __future__ import annotations

import pytest
import ray

from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution import ray_session
from ray_pipeline.execution.ray_auth_mode import OF_THIS_PROCESS, AuthMode


@pytest.fixture(autouse=True)
def mode(monkeypatch: pytest.MonkeyPatch) -> AuthMode:
    """Put the process into a known mode, with no word of one in the environment."""
    monkeypatch.setattr(OF_THIS_PROCESS, "value", "disabled")
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    return OF_THIS_PROCESS


@pytest.mark.parametrize("asked", [None, "", "disabled", "Disabled"])
def test_the_same_mode_or_none_is_no_conflict(
    monkeypatch: pytest.MonkeyPatch, mode: AuthMode, asked: str | None
) -> None:
    """Where the variable is not set, Ray decides, and this process follows."""
    if asked is not None:
        monkeypatch.setenv("RAY_AUTH_MODE", asked)
    assert mode.conflict() is None


@pytest.mark.parametrize("address", ["local", "auto"])
def test_another_mode_is_refused_before_ray_is_asked(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """Whether it is to be started or joined; both modes are named, and the ways out."""
    monkeypatch.setenv("RAY_AUTH_MODE", "TOKEN")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", pytest.fail)
    with pytest.raises(
        ExecutionError,
        match=r"RAY_AUTH_MODE is token now, but Ray works in the mode disabled in this process, .*"
        r"Set RAY_AUTH_MODE=disabled, or start a new process with RAY_AUTH_MODE=token\.",
    ):
        ray_session.RaySession(address)


def test_what_ray_turned_on_is_remembered(monkeypatch: pytest.MonkeyPatch, mode: AuthMode) -> None:
    """Ray sets the variable where it was not set; `RaySession.close` takes that back."""

    def turn_tokens_on(**_: object) -> None:
        monkeypatch.setenv("RAY_AUTH_MODE", "token")

    monkeypatch.setattr(ray, "init", turn_tokens_on)
    ray_session._init("No Ray could be started on this machine", {})
    monkeypatch.delenv("RAY_AUTH_MODE")
    assert (mode.value, mode.conflict()) == ("token", None)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert "start a new process with RAY_AUTH_MODE=disabled" in (mode.conflict() or "")
