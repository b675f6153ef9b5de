"""Whether a Ray cluster lets us in: asked once, where Ray itself would try for half a minute."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import grpc

__all__ = ["TOKEN_CURE", "cluster_id", "refusal"]

TOKEN_CURE = (
    "Set RAY_AUTH_MODE=token, and put the cluster's token in RAY_AUTH_TOKEN or ~/.ray/auth_token "
    "(on its head, `ray get-auth-token` prints it)."
)

_TIMEOUT_S = 10.0

_CLIENT_SCHEME = "ray://"
_CLIENT_PING = ("/ray.rpc.RayletDriver/ClusterInfo", b"\x08\x06")  # ClusterInfoRequest(type=PING)
_GCS_PING = ("/ray.rpc.NodeInfoGcsService/GetClusterId", b"")


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    source: str


def refusal(address: str) -> str | None:
    """Say why a cluster would not take this process's token, or None when nothing speaks against.

    Parameters
    ----------
    address
        ``host:port`` of its GCS, or ``ray://host:port`` of its Ray Client server; somebody listens
        there.

    Notes
    -----
    A driver without the token is told so by the server at once, but Ray 2.60 takes the answer for
    one that is not there yet: it asks again for 20 to 30 seconds, and then speaks of a timeout.
    """
    is_on = os.environ.get("RAY_AUTH_MODE", "").lower() == "token"
    token = _find_token() if is_on else None
    if is_on and token is None:
        return None  # Ray knows of more places (Kubernetes), and says at once when it finds none
    if not _is_refused(address, token):
        return None
    if token is None:
        return f"it asks for a token, and RAY_AUTH_MODE is not set to token here. {TOKEN_CURE}"
    return f"it asks for a token, and that of {token.source} is not the right one. {TOKEN_CURE}"


def cluster_id(address: str, timeout_s: float) -> bytes | None:
    """Return what tells the cluster at ``host:port`` from the one before it; None: no answer."""
    is_on = os.environ.get("RAY_AUTH_MODE", "").lower() == "token"
    answer = _call(address, _GCS_PING, _find_token() if is_on else None, timeout_s)
    return answer if isinstance(answer, bytes) else None


def _find_token() -> _Token | None:
    """Look where Ray does, in its order of precedence."""
    if value := os.environ.get("RAY_AUTH_TOKEN", "").strip():
        return _Token(value, "RAY_AUTH_TOKEN")
    path = os.environ.get("RAY_AUTH_TOKEN_PATH") or "~/.ray/auth_token"
    try:
        value = Path(path).expanduser().read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return _Token(value, path) if value else None


def _is_refused(address: str, token: _Token | None) -> bool:
    is_client = address.startswith(_CLIENT_SCHEME)
    answer = _call(
        address.removeprefix(_CLIENT_SCHEME),
        _CLIENT_PING if is_client else _GCS_PING,
        token,
        _TIMEOUT_S,
    )
    # Any other answer, such as that of a server with TLS, is for Ray to make sense of.
    return answer is grpc.StatusCode.UNAUTHENTICATED


def _call(
    address: str, call: tuple[str, bytes], token: _Token | None, timeout_s: float
) -> bytes | grpc.StatusCode:
    method, request = call
    metadata = [("authorization", f"Bearer {token.value}")] if token else None
    with grpc.insecure_channel(address) as channel:
        try:
            answer: bytes = channel.unary_unary(method)(
                request, timeout=timeout_s, metadata=metadata
            )
        except grpc.RpcError as error:
            code: grpc.StatusCode = error.code()
            return code
    return answer
