"""What a store does wrong, and to which requests."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = [
    "ACCESS_DENIED",
    "EXPIRED_TOKEN",
    "INTERNAL_ERROR",
    "PRECONDITION_FAILED",
    "SKEWED_CLOCK",
    "SLOW_DOWN",
    "Fault",
    "Request",
    "Rule",
    "Where",
    "a_fraction",
    "error",
    "first",
    "first_of",
    "of_kind",
    "reset",
    "silence",
]


@dataclass(frozen=True)
class Fault:
    """What happens to one request instead of, or on top of, what the store does.

    Parameters
    ----------
    kind
        ``error`` is an answer of S3's. ``reset`` breaks the connection, ``end`` closes it politely
        and ``silence`` leaves it open without another byte.
    after
        Only once the store has done the work, whose answer is lost.
    in_body
        Only once the headers of the store's answer and a part of its body have been passed on: half
        of a body of known length. An answer without a body is lost whole.
    """

    kind: Literal["error", "reset", "end", "silence"]
    status: int = 0
    code: str = ""
    message: str = ""
    after: bool = False
    in_body: bool = False


def error(status: int, code: str, message: str, *, after: bool = False) -> Fault:
    """Answer with an error in S3's XML."""
    return Fault("error", status, code, message, after)


def reset(*, after: bool = False, in_body: bool = False) -> Fault:
    """Break the connection: the client's system says "connection reset by peer"."""
    return Fault("reset", after=after, in_body=in_body)


def silence(*, after: bool = False, in_body: bool = False) -> Fault:
    """Keep the connection and say no more on it, until the client hangs up."""
    return Fault("silence", after=after, in_body=in_body)


SLOW_DOWN = error(503, "SlowDown", "Please reduce your request rate.")
INTERNAL_ERROR = error(500, "InternalError", "We encountered an internal error. Please try again.")
ACCESS_DENIED = error(403, "AccessDenied", "Access Denied")
EXPIRED_TOKEN = error(400, "ExpiredToken", "The provided token has expired.")
SKEWED_CLOCK = error(
    403,
    "RequestTimeTooSkewed",
    "The difference between the request time and the current time is too large.",
)
PRECONDITION_FAILED = error(
    412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"
)


@dataclass(eq=False)
class Request:
    """A request as it came from the client, and what was sent back.

    Parameters
    ----------
    path, query
        As they were sent, URL-encoded.
    headers
        By their names in lower case.
    n_in_flight
        How many requests were under way when it came, itself included.
    status
        Of the answer; None while, and if, the client got none.
    n_body_bytes
        Of the answer's body as they were passed on.
    fault
        What was done to it.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    n_in_flight: int
    status: int | None = None
    n_body_bytes: int = 0
    fault: Fault | None = None

    @property
    def kind(self) -> str:
        """The method, but LIST for a listing."""
        return "LIST" if "list-type=2" in self.query.split("&") else self.method


Rule: TypeAlias = Callable[[Request], Fault | None]
Where: TypeAlias = Callable[[Request], bool]


def of_kind(*kinds: str) -> Where:
    """Choose requests by their kind: ``GET``, ``HEAD``, ``PUT``, ``LIST`` and so on."""
    return lambda request: request.kind in kinds


def first(n: int, fault: Fault, where: Where | None = None) -> Rule:
    """Let the fault happen to the first `n` requests (of those chosen)."""
    n_left = n

    def rule(request: Request) -> Fault | None:
        nonlocal n_left
        if n_left <= 0 or (where is not None and not where(request)):
            return None
        n_left -= 1
        return fault

    return rule


def a_fraction(p: float, faults: Sequence[Fault], seed: int, where: Where | None = None) -> Rule:
    """Let each request (of those chosen) meet one of the faults with probability `p`."""
    draws = random.Random(seed)

    def rule(request: Request) -> Fault | None:
        if where is not None and not where(request):
            return None
        return draws.choice(faults) if draws.random() < p else None

    return rule


def first_of(*rules: Rule) -> Rule:
    """Ask several rules in turn: the first fault counts."""
    return lambda request: next(
        (fault for rule in rules if (fault := rule(request)) is not None), None
    )
