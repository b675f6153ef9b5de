"""What a driver is told that a cluster does not let in, by a server that asks for a token."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest

from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution import ray_session
from ray_pipeline.execution.ray_auth_mode import OF_THIS_PROCESS
from ray_pipeline.execution.ray_token import refusal

TOKEN = "the-right-one"
CURE = r"Set RAY_AUTH_MODE=token, and put the cluster's token in RAY_AUTH_TOKEN or ~/\.ray"


class AsksForToken(grpc.GenericRpcHandler):
    """Answers the two questions of a driver, and no other."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes]] = []

    def service(self, details: Any) -> Any:
        known = ("/ray.rpc.NodeInfoGcsService/GetClusterId", "/ray.rpc.RayletDriver/ClusterInfo")
        if details.method not in known:
            return None
        is_right = ("authorization", f"Bearer {TOKEN}") in details.invocation_metadata

        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            self.asked.append((details.method, request))
            if not is_right:
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "no")
            return b""

        return grpc.unary_unary_rpc_method_handler(answer)


@pytest.fixture
def handler() -> AsksForToken:
    return AsksForToken()


@pytest.fixture
def address(handler: AsksForToken) -> Iterator[str]:
    with futures.ThreadPoolExecutor(1) as threads:
        server = grpc.server(threads, handlers=[handler])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"127.0.0.1:{port}"
        server.stop(None).wait()


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give the process an empty home, and no word about authentication."""
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def put_token(home: Path, token: str) -> None:
    (home / ".ray").mkdir()
    (home / ".ray" / "auth_token").write_text(f"{token}\n")


@pytest.mark.parametrize("scheme", ["", "ray://"])
@pytest.mark.parametrize("mode", [None, "disabled"])
def test_mode_that_is_off(
    monkeypatch: pytest.MonkeyPatch, address: str, home: Path, scheme: str, mode: str | None
) -> None:
    """A token at hand is not sent, as Ray would not: the mode is what is to be set."""
    put_token(home, TOKEN)
    if mode is not None:
        monkeypatch.setenv("RAY_AUTH_MODE", mode)
    monkeypatch.setattr("ray.init", pytest.fail)
    with pytest.raises(
        ExecutionError,
        match=f"The Ray cluster {scheme}{address} could not be joined: it asks for a token, and "
        f"RAY_AUTH_MODE is not set to token here. {CURE}",
    ):
        ray_session._join(scheme + address)


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_where_the_token_is_looked_for(
    monkeypatch: pytest.MonkeyPatch, address: str, home: Path, scheme: str
) -> None:
    """The variable comes before the file that another names, and that before the file at home."""
    monkeypatch.setenv("RAY_AUTH_MODE", "Token")
    put_token(home, TOKEN)
    assert refusal(scheme + address) is None
    (home / "elsewhere").write_text("wrong")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(home / "elsewhere"))
    assert f"that of {home}/elsewhere is not the right one. Set " in (
        refusal(scheme + address) or ""
    )
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    assert refusal(scheme + address) is None
    monkeypatch.setenv("RAY_AUTH_TOKEN", "wrong")
    assert "that of RAY_AUTH_TOKEN is not the right one. Set " in (refusal(scheme + address) or "")


def test_token_that_is_nowhere(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Ray, which may know of another place, is asked, and its error becomes our sentence."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setattr(OF_THIS_PROCESS, "value", "token")

    def refuse(**_: object) -> None:
        raise ray_session.AuthenticationError("no token, in many sentences")

    monkeypatch.setattr("ray.init", refuse)
    with pytest.raises(
        ExecutionError,
        match=f"could not be joined: RAY_AUTH_MODE is token, and no token was found. {CURE}",
    ):
        ray_session._join(address)


def test_what_is_asked(handler: AsksForToken, address: str) -> None:
    """A GCS for the cluster's id, a Ray Client server for a sign of life."""
    from ray.core.generated import ray_client_pb2

    refusal(address)
    refusal(f"ray://{address}")
    ping = ray_client_pb2.ClusterInfoRequest(type=ray_client_pb2.ClusterInfoType.PING)
    assert handler.asked == [
        ("/ray.rpc.NodeInfoGcsService/GetClusterId", b""),
        ("/ray.rpc.RayletDriver/ClusterInfo", ping.SerializeToString()),
    ]


def test_server_that_speaks_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not a refusal of a token is left to Ray."""
    with futures.ThreadPoolExecutor(1) as threads:
        server = grpc.server(threads)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        assert refusal(f"127.0.0.1:{port}") is None
        server.stop(None).wait()
    assert refusal(f"127.0.0.1:{port}") is None


def test_client_server_that_fails_to_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray Client is tried three times, for what goes away by itself alone."""
    errors: list[Exception] = []
    tries: list[object] = []

    def init(**options: object) -> None:
        tries.append(options["address"])
        if errors:
            raise errors.pop()

    monkeypatch.setattr("ray.init", init)
    monkeypatch.setattr(ray_session, "_check_that_it_lets_us_in", lambda *_: None)
    errors[:] = [ConnectionAbortedError("Starting Ray client server failed")] * 2
    ray_session._join("ray://head:10001")
    assert tries == ["ray://head:10001"] * 3
    errors[:] = [ConnectionAbortedError("Starting Ray client server failed")] * 4
    with pytest.raises(ExecutionError, match="Starting Ray client server failed"):
        ray_session._join("ray://head:10001")
    assert len(tries) == 6
    errors[:] = [ConnectionError("nobody answers")] * 2
    with pytest.raises(ExecutionError, match="nobody answers"):
        ray_session._join("ray://head:10001")
    assert len(tries) == 7
